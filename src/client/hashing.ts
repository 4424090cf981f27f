/**
 * The hash functions of the protocol in plain JavaScript: small, and the same wherever a client runs. A client hashes a
 * few short strings a call, so speed does not matter here.
 */
import { blake3 } from "@noble/hashes/blake3.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import type { Hashes } from "../domain/hashing.ts"

export const hashes: Hashes = {
  blake3: (bytes) => blake3(bytes),
  blake3Keyed: (key) => {
    const own = key.slice()
    return (bytes) => blake3(bytes, { key: own })
  },
  keccak256: (bytes) => keccak_256(bytes)
}
