/**
 * Where `sim` shows how far it is: a line that is written over on a terminal, else a plain line now and then. It is on
 * stderr; stdout has results only.
 */
import * as Effect from "effect/Effect"
import * as Output from "./output.ts"

export interface Screen {
  /** A result. */
  readonly print: (text: string) => Effect.Effect<void>
  /** For people, beside the results. */
  readonly note: (text: string) => Effect.Effect<void>
  /** How far it is; replaces what was said before. */
  readonly progress: (text: string) => Effect.Effect<void>
  /** Takes the line of progress away. */
  readonly clear: Effect.Effect<void>
}

/** Between two plain lines of progress, ms. */
const plainMs = 30_000

/** Of this process. */
export const screenOf = (stream: NodeJS.WriteStream): Screen => {
  let standing = false
  let lastMs = Date.now()
  const clear = Effect.sync(() => {
    if (standing) stream.write("\r\x1b[K")
    standing = false
  })
  const progress = (text: string) =>
    Effect.suspend(() => {
      if (stream.isTTY) {
        standing = true
        stream.write(`\r\x1b[K${text.slice(0, Math.max(20, (stream.columns || 80) - 1))}`)
        return Effect.void
      }
      if (Date.now() - lastMs < plainMs) return Effect.void
      lastMs = Date.now()
      return Output.note(text)
    })
  return {
    print: (text) => Effect.andThen(clear, Output.print(text)),
    note: (text) => Effect.andThen(clear, Output.note(text)),
    progress,
    clear
  }
}
