/**
 * The name that users give themselves, in the identity that nodes keep for them and never look into (SPEC §5.4).
 *
 * Form, version 1: UTF-8 JSON, an object whose `n` is the name; at most 128 bytes. Other keys are left to other programs, and
 * kept when the name changes. Text that is no JSON is a name by itself. Anybody may take any name: it is a claim, and only the
 * address is proof.
 */
import * as Bytes from "../domain/bytes.ts"
import { identityBytesMax } from "../domain/limits.ts"

/** Longer names are cut where they are shown. */
const nameCharsMax = 40

/** What would change the text around a name, or hide in it: controls, and marks of direction. */
const unseen = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu

/** A name as it may be shown: one line, nothing invisible. Empty when nothing is left. */
const cleaned = (name: string): string => {
  const line = name.replaceAll(unseen, " ").replaceAll(/\s+/gu, " ").trim()
  const chars = [...line]
  return chars.length <= nameCharsMax ? line : `${chars.slice(0, nameCharsMax - 1).join("")}…`
}

type Profile = { readonly [key: string]: unknown }

const read = (blob: Uint8Array): Profile => {
  const text = Bytes.toText(blob) ?? ""
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {}
  } catch {
    return { n: text }
  }
}

/** The name in an identity; `undefined` when it has none that can be shown. */
export const nameOf = (blob: Uint8Array): string | undefined => {
  const name = read(blob)["n"]
  const shown = typeof name === "string" ? cleaned(name) : ""
  return shown === "" ? undefined : shown
}

/** The identity `before` with another name; an empty one takes it out. `undefined`: it is too long. */
export const withName = (name: string, before: Uint8Array = new Uint8Array()): Uint8Array | undefined => {
  const { n: _, ...rest } = read(before)
  const shown = cleaned(name.toWellFormed())
  const value = shown === "" ? rest : { n: shown, ...rest }
  const blob = Object.keys(value).length === 0 ? new Uint8Array() : Bytes.fromText(JSON.stringify(value))
  return blob.length <= identityBytesMax ? blob : undefined
}
