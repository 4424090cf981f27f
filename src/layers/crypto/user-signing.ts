/**
 * Signs as users do, for tools that play many users: by libsecp256k1 where it loads, else in plain JavaScript, some ten
 * times slower. Both take the nonce of RFC 6979 and give low s, so a digest has one signature, whichever signs it.
 *
 * A node signs for no user; clients have their own signers.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { createRequire } from "node:module"

/** The signature r[32] || s[32] || v[1] of a 32-byte digest, v 0 or 1, with a key of 32 bytes. Throws on other input. */
export type SignDigest = (digest: Uint8Array, key: Uint8Array) => Uint8Array

export const noble: SignDigest = (digest, key) => {
  // recovery byte first
  const signed = secp256k1.sign(digest, key, { prehash: false, format: "recovered" })
  const sig = new Uint8Array(65)
  sig.set(signed.subarray(1))
  sig[64] = signed[0]!
  return sig
}

/** What is used of the package; it brings no types. */
interface Addon {
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { readonly signature: Uint8Array; readonly recid: number }
}

/** `undefined` where the addon does not load: the file that binds it throws then. */
const loadAddon = (): Addon | undefined => {
  try {
    return createRequire(import.meta.url)("secp256k1/bindings") as Addon
  } catch {
    return undefined
  }
}

/** By the addon, or `undefined` where it does not load or gives another signature than the reference. */
export const native = ((): SignDigest | undefined => {
  const addon = loadAddon()
  if (addon === undefined) return undefined
  const sign: SignDigest = (digest, key) => {
    const { recid, signature } = addon.ecdsaSign(digest, key)
    const sig = new Uint8Array(65)
    sig.set(signature)
    sig[64] = recid
    return sig
  }
  const [digest, key] = [new Uint8Array(32).fill(0x5a), new Uint8Array(32).fill(0x11)]
  const expected = noble(digest, key)
  return sign(digest, key).every((byte, i) => byte === expected[i]) ? sign : undefined
})()

export const signDigest: SignDigest = native ?? noble
