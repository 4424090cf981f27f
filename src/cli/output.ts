/**
 * What is printed: results on stdout, for people or as JSON lines; notes and errors on stderr. Colour only on a terminal
 * and without NO_COLOR. Text that came from others is made harmless before a terminal sees it.
 */
import * as Effect from "effect/Effect"
import { toBase64 } from "../domain/bytes.ts"
import * as Hlc from "../domain/hlc.ts"

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

export const printJson = (value: unknown): Effect.Effect<void> => print(json(value))

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

const paints = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY === true && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"

const paint = (code: number) => (text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  paints(stream) ? `\x1b[${code}m${text}\x1b[0m` : text

export const bold = paint(1)
export const faint = paint(2)
export const red = paint(31)
export const green = paint(32)
export const yellow = paint(33)

/** Control characters of text from others, which could steer a terminal, as visible signs. New lines are indented. */
export const harmless = (text: string, indent = ""): string =>
  text
    // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "\ufffd")
    .replaceAll("\n", `\n${indent}`)

/** The first line, cut. */
export const excerpt = (text: string, lengthMax: number): string => {
  const line = harmless(text.split("\n", 1)[0]!)
  const shown = [...line]
  return shown.length > lengthMax || text.includes("\n") ? `${shown.slice(0, lengthMax - 1).join("")}…` : line
}

const two = (value: number): string => String(value).padStart(2, "0")

/** Local time, to the second. */
export const clockTime = (ms: number): string => {
  const d = new Date(ms)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${
    two(d.getSeconds())
  }`
}

/** An id that need not be copied: its ends. */
export const shortId = (hex: string): string => `0x${hex.slice(0, 6)}…${hex.slice(-4)}`
