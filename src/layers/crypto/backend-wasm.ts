/**
 * libsecp256k1 as WebAssembly: about a third of the native speed, on every machine.
 *
 * Its wrapper pads short input and would read past long input, so lengths are checked here. Only the module that wraps
 * the curve is imported: the package's main entry starts five WebAssembly instances and a virtual machine.
 */
import { instantiateSecp256k1 } from "@bitauth/libauth/build/lib/crypto/secp256k1.js"
import { addressOf, type Backend } from "./backend.ts"
import { loadWasmPromise } from "./hashes.ts"

export const make = async (): Promise<Backend> => {
  const [curve, { keccak256 }] = await Promise.all([instantiateSecp256k1(), loadWasmPromise()])
  return {
    name: "wasm",
    recover: (digest, rs, v) => {
      if (digest.length !== 32 || rs.length !== 64) return undefined
      try {
        const key = curve.recoverPublicKeyUncompressed(rs, v, digest)
        return typeof key === "string" ? undefined : addressOf(keccak256, key)
      } catch {
        return undefined
      }
    },
    verify: (digest, rs, publicKey) => {
      if (digest.length !== 32 || rs.length !== 64 || publicKey.length !== 33) return false
      try {
        return curve.verifySignatureCompactLowS(rs, publicKey, digest)
      } catch {
        return false
      }
    }
  }
}
