/**
 * How far long work is: on a terminal a line that is written over, with a bar where the end is known; else a plain line now
 * and then. It is on stderr; stdout has results only.
 */
import * as Effect from "effect/Effect"
import { note, print, span } from "./output.ts"
import { cut, fill, widthOf } from "./terminal/width.ts"

export interface Screen {
  /** A result. */
  readonly print: (text: string) => Effect.Effect<void>
  /** For people, beside the results. */
  readonly note: (text: string) => Effect.Effect<void>
  /** How far it is, in words and if it is known as a share, 0 to 1. Replaces what was said before. */
  readonly progress: (text: string, share?: number) => Effect.Effect<void>
  /** Takes the line of progress away. */
  readonly clear: Effect.Effect<void>
}

/** Between two plain lines, and between two drawings of one line, ms. */
const plainMs = 30_000
const drawnMs = 100
/** Work that has not gone on for so long, ms, says nothing about how long the rest takes. */
const telltaleMs = 3_000

const barColumns = 24
/** A terminal that does not say how wide it is. */
const columnsAssumed = 80

/** The line in at most so many columns: a bar first, if there is a share, then the words. */
export const progressLine = (text: string, share: number | undefined, columns: number): string => {
  if (share === undefined) return cut(text, columns)
  const part = Math.min(1, Math.max(0, share))
  const bar = fill("█".repeat(Math.floor(part * barColumns)), barColumns).replaceAll(" ", "░")
  const percent = `${Math.floor(part * 100)} %`.padStart(5)
  const head = `${bar} ${percent}`
  // words matter more than a picture
  return widthOf(head) + widthOf(text) + 1 > columns ? cut(`${percent.trim()} ${text}`, columns) : `${head} ${text}`
}

/** How long the rest takes, going by what was done, or "" when that is too early to say. */
export const restText = (share: number, tookMs: number): string =>
  tookMs < telltaleMs || share <= 0 || share >= 1 ? "" : `, ${span((tookMs / share) * (1 - share))} left`

/** Of this process. */
export const screenOf = (stream: NodeJS.WriteStream): Screen => {
  let standing = false
  let drawnAt = 0
  let plainAt = Date.now()
  const clear = Effect.sync(() => {
    if (standing) stream.write("\r\x1b[K")
    standing = false
  })
  const progress = (text: string, share?: number) =>
    Effect.suspend(() => {
      const now = Date.now()
      if (stream.isTTY) {
        if (standing && now - drawnAt < drawnMs) return Effect.void
        drawnAt = now
        standing = true
        // the last column is left free: some terminals go on to the next line after it
        stream.write(`\r\x1b[K${progressLine(text, share, (stream.columns || columnsAssumed) - 1)}`)
        return Effect.void
      }
      if (now - plainAt < plainMs) return Effect.void
      plainAt = now
      return note(share === undefined ? text : `${Math.floor(share * 100)} %: ${text}`)
    })
  return {
    print: (text) => Effect.andThen(clear, print(text)),
    note: (text) => Effect.andThen(clear, note(text)),
    progress,
    clear
  }
}
