/**
 * Canonical bytes: the few encodings that every id, signature and hash of the protocol is made of (SPEC, head of the
 * page). Fixed-length byte strings that serve as names (ids, addresses) live in memory as lower-case hex without
 * `0x`: equal by `===`, ordered by `<` as their bytes are, usable as keys. Opaque bytes stay `Uint8Array`.
 */
import * as Result from "effect/Result"

const utf8 = new TextEncoder()
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** UTF-8 bytes of `text`, which must be well formed: check with {@link isWellFormed} first. */
export const fromText = (text: string): Uint8Array => utf8.encode(text)

/** Text of UTF-8 `bytes`; `undefined` when they are not valid UTF-8. Nothing is normalised, a BOM is kept. */
export const toText = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8Strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** False when `text` holds a lone surrogate, which UTF-8 cannot carry. */
export const isWellFormed = (text: string): boolean => text.isWellFormed()

/** Length of `text` in UTF-8 bytes, the unit of every limit on text. */
export const textLength = (text: string): number => {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) length += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return length
}

/** Lower-case hex, without `0x`. */
export const toHex = (bytes: Uint8Array): string => bytes.toHex()

/** Bytes of hex that is known to be well formed; anything else is a defect. */
export const fromHex = (hex: string): Uint8Array => Uint8Array.fromHex(hex)

/**
 * Reads a byte string of fixed `length` as people and JSON write it: hex in any case, with or without `0x`. Gives
 * lower-case hex without `0x`.
 */
export const parseHex = (input: string, length: number): Result.Result<string, string> => {
  const hex = input.startsWith("0x") || input.startsWith("0X") ? input.slice(2) : input
  if (hex.length !== length * 2) {
    return Result.fail(`expected ${length} bytes in hex (${length * 2} digits), got ${hex.length} digits`)
  }
  return /^[0-9a-fA-F]*$/.test(hex) ? Result.succeed(hex.toLowerCase()) : Result.fail("expected hex digits only")
}

/** Padded standard base64. */
export const toBase64 = (bytes: Uint8Array): string => bytes.toBase64()

/** Reads padded standard base64 strictly: no white space, no missing padding, no stray bits. */
export const parseBase64 = (input: string): Result.Result<Uint8Array, string> => {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(input)) return Result.fail("expected padded standard base64")
  try {
    return Result.succeed(Uint8Array.fromBase64(input, { lastChunkHandling: "strict" }))
  } catch {
    return Result.fail("expected padded standard base64")
  }
}

export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Lexicographic order of byte strings: negative, zero or positive. "Smaller" in SPEC means this. */
export const compare = (a: Uint8Array, b: Uint8Array): number => {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Order of hex names, which is the order of their bytes. */
export const compareText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && compare(a, b) === 0

/** Compares two names of equal length without telling by its duration where they differ (SPEC §3). */
export const equalConstantTime = (a: string, b: string): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

export const u8 = (x: number): Uint8Array => Uint8Array.of(x)

export const u16be = (x: number): Uint8Array => Uint8Array.of(x >>> 8, x)

export const u32be = (x: number): Uint8Array => Uint8Array.of(x >>> 24, x >>> 16, x >>> 8, x)

/** `x` in 8 big-endian bytes; a number must be a safe integer. */
export const u64be = (x: bigint | number): Uint8Array => {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt(x))
  return out
}

/** The inverse of {@link u64be}: the first 8 of `bytes`. */
export const readU64be = (bytes: Uint8Array): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0)

export const len32 = (bytes: Uint8Array): Uint8Array => concat([u32be(bytes.length), bytes])

const absent = Uint8Array.of(0)
const present = Uint8Array.of(1)

/** `0x00` when absent, else `0x01 || x`. */
export const opt = (x: Uint8Array | undefined): Uint8Array => x === undefined ? absent : concat([present, x])
