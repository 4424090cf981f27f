/**
 * libsecp256k1 as a native addon: the fastest, where the package has a build for the machine.
 *
 * The package's main entry silently falls back to a JavaScript library some thirty times slower when the addon does
 * not load. So only the file that binds the addon is asked for here: it throws instead, and the next backend is taken.
 */
import { createRequire } from "node:module"
import { addressOf, type Backend } from "./backend.ts"
import { loadWasmPromise } from "./hashes.ts"

/** What is used of the package; it brings no types. Every function throws on input it refuses. */
interface Addon {
  ecdsaRecover(rs: Uint8Array, recoveryId: number, digest: Uint8Array, compressed: boolean): Uint8Array
  ecdsaVerify(rs: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): boolean
}

const require = createRequire(import.meta.url)

export const make = async (): Promise<Backend> => {
  const addon = require("secp256k1/bindings") as Addon
  const { keccak256 } = await loadWasmPromise()
  return {
    name: "native",
    recover: (digest, rs, v) => {
      try {
        return addressOf(keccak256, addon.ecdsaRecover(rs, v, digest, false))
      } catch {
        return undefined
      }
    },
    verify: (digest, rs, publicKey) => {
      // the addon would take an uncompressed key too
      if (publicKey.length !== 33) return false
      try {
        return addon.ecdsaVerify(rs, digest, publicKey)
      } catch {
        return false
      }
    }
  }
}
