/**
 * What people are called on a terminal. A name is what a user wrote into her own identity: anybody may take any, so the
 * end of the address stands beside it. Without one the address has to do.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { toText } from "../domain/bytes.ts"
import type { Address } from "../domain/ids.ts"
import { cut } from "./terminal/width.ts"

/** Longer names are cut where they are shown, in columns. */
const nameColumns = 40

/** What would change the text around a name, or hide in it. */
const unseen = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu

const makeReader = () =>
  Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ n: Schema.optionalKey(Schema.String) })))

let reader: ReturnType<typeof makeReader> | undefined

/** A profile as the web client writes it: a JSON object whose `n` is the name. Its reader is made when it is needed. */
const profileOf = (text: string) => (reader ??= makeReader())(text)

/** The name in an identity: that of a profile, else its text, as `identity set` writes it; "" when there is none. */
export const nameOf = (identity: Uint8Array): string => {
  const text = toText(identity) ?? ""
  const name = Option.match(profileOf(text), { onNone: () => text, onSome: ({ n = "" }) => n })
  return cut(name.replaceAll(unseen, " ").replaceAll(/\s+/gu, " ").trim(), nameColumns)
}

/** An id that need not be copied: its ends. */
export const shortId = (hex: string): string => `0x${hex.slice(0, 6)}…${hex.slice(-4)}`

/** A user: "you", her name with the end of her address, or her short address. */
export const calledOf = (self: Address, names: ReadonlyMap<Address, string>, address: Address): string => {
  const name = names.get(address) ?? ""
  return address === self ? "you" : name === "" ? shortId(address) : `${name} …${address.slice(-4)}`
}
