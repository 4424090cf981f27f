/**
 * secp256k1 in plain JavaScript: some twenty times slower than native, but it works everywhere and is short enough to
 * audit. It is the reference that the others are tested against, and the last resort of a node.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { addressOf, type Backend } from "./backend.ts"
import { noble } from "./hashes.ts"

/** Synchronous, for tests and tools; a node loads it like the others. */
export const backend: Backend = {
  name: "noble",
  recover: (digest, rs, v) => {
    if (digest.length !== 32 || rs.length !== 64) return undefined
    try {
      const key = secp256k1.Signature.fromBytes(rs, "compact").addRecoveryBit(v).recoverPublicKey(digest)
      return addressOf(noble.keccak256, key.toBytes(false))
    } catch {
      return undefined
    }
  },
  verify: (digest, rs, publicKey) => {
    if (digest.length !== 32 || rs.length !== 64 || publicKey.length !== 33) return false
    try {
      return secp256k1.verify(rs, digest, publicKey, { prehash: false, lowS: true, format: "compact" })
    } catch {
      return false
    }
  }
}

export const make = async (): Promise<Backend> => backend
