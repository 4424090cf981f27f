/**
 * What people are called on a terminal. A name is what a user wrote into her own identity: anybody may take any, so the
 * end of the address stands beside it. Without one the address has to do.
 */
import * as Profile from "../client/Profile.ts"
import type { Address } from "../domain/ids.ts"
import { cut } from "./terminal/width.ts"

/** Longer names are cut where they are shown, in columns. */
const nameColumns = 40

/** The name in an identity (`Profile`); "" when there is none. */
export const nameOf = (identity: Uint8Array): string => cut(Profile.nameOf(identity) ?? "", nameColumns)

/** An id that need not be copied: its ends. */
export const shortId = (hex: string): string => `0x${hex.slice(0, 6)}…${hex.slice(-4)}`

/** A user: "you", her name with the end of her address, or her short address. */
export const calledOf = (self: Address, names: ReadonlyMap<Address, string>, address: Address): string => {
  const name = names.get(address) ?? ""
  return address === self ? "you" : name === "" ? shortId(address) : `${name} …${address.slice(-4)}`
}
