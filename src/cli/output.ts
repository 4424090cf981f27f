/**
 * What is printed: results on stdout, for people or as JSON lines; notes and errors on stderr. Text that came from others is
 * made harmless (`terminal/harmless.ts`) before it is printed; JSON all of it is, here.
 */
import * as Effect from "effect/Effect"
import { toBase64 } from "../domain/bytes.ts"
import * as Hlc from "../domain/hlc.ts"
import { harmless, harmlessJson } from "./terminal/harmless.ts"
import { cut } from "./terminal/width.ts"

const write = (stream: NodeJS.WriteStream, text: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    stream.write(text, (error) => {
      // a closed pipe (`| head`) ends the program in `program.ts`
      if (error === null || error === undefined) resume(Effect.void)
    })
  })

/** Waits until the text is taken, so that a long output does not pile up in memory. */
export const print = (text: string): Effect.Effect<void> => write(process.stdout, `${text}\n`)

/** For people, beside the result. */
export const note = (text: string): Effect.Effect<void> => write(process.stderr, `${text}\n`)

/** JSON as the API has it: ids with 0x are the caller's to make; stamps as 16 hex digits, bytes as base64. */
const json = (value: unknown): string =>
  JSON.stringify(
    value,
    (_, item: unknown) =>
      typeof item === "bigint" ? Hlc.toText(item as Hlc.Hlc) : item instanceof Uint8Array ? toBase64(item) : item
  )

export const printJson = (value: unknown): Effect.Effect<void> => print(harmlessJson(json(value)))

const idKeys = new Set(["address", "sender", "peer", "chat_id", "msg_id", "op_id", "read_id", "identity_id"])

/** A value of the API with `0x` before its ids, at any depth. */
export const withPrefixes = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withPrefixes)
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(
    Object.entries(value).map((
      [key, item]
    ) => [key, idKeys.has(key) && typeof item === "string" ? `0x${item}` : withPrefixes(item)])
  )
}

/** The first line, in at most so many columns. */
export const excerpt = (text: string, columns: number): string => {
  const lines = harmless(text).split("\n")
  return cut(lines.length > 1 ? `${lines[0]}…` : lines[0]!, columns)
}

/** A length of time for people: in the largest unit that says enough. */
export const span = (ms: number): string => {
  const s = Math.max(0, Math.round(ms / 1_000))
  if (s < 120) return `${s} s`
  if (s < 7_200) return `${Math.round(s / 60)} min`
  return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} days`
}

const two = (value: number): string => String(value).padStart(2, "0")

/** Local time, to the second. */
export const clockTime = (ms: number): string => {
  const d = new Date(ms)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${
    two(d.getSeconds())
  }`
}
