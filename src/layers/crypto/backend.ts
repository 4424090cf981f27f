/**
 * The one thing the libraries for secp256k1 must do, and the proof that each does it before it is trusted.
 *
 * A backend is synchronous and answers any input: what no key can have signed is `undefined` or `false`, never an
 * exception. Shapes (ranges, low s) are checked in `domain/signature` before a backend is asked; what the libraries
 * would answer to other input is the same in all three and tested, so that a gap there cannot split replicas.
 */
import type { Address } from "../../domain/ids.ts"
import type { VerifierInfo } from "../../services/Verifier.ts"

export type BackendName = VerifierInfo["backend"]

export interface Backend {
  readonly name: BackendName
  /** The address whose key signed the 32-byte `digest` with `rs` (r[32] || s[32]) and recovery bit `v`, if any key did. */
  readonly recover: (digest: Uint8Array, rs: Uint8Array, v: 0 | 1) => Address | undefined
  /** Whether the compressed `publicKey` signed the 32-byte `digest`: ECDSA, high s refused. */
  readonly verify: (digest: Uint8Array, rs: Uint8Array, publicKey: Uint8Array) => boolean
}

/** From the fastest to the one that always works. */
export const preference: ReadonlyArray<BackendName> = ["native", "wasm", "noble"]

/** Loads one library; rejects where it does not load, or loads as something else than it claims. */
export const load = async (name: BackendName): Promise<Backend> => {
  switch (name) {
    case "native":
      return (await import("./backend-native.ts")).make()
    case "wasm":
      return (await import("./backend-wasm.ts")).make()
    case "noble":
      return (await import("./backend-noble.ts")).make()
  }
}

/** The last 20 bytes of keccak256 of an uncompressed key (65 bytes, the first is 0x04). */
export const addressOf = (keccak256: (bytes: Uint8Array) => Uint8Array, key: Uint8Array): Address =>
  keccak256(key.subarray(1)).subarray(12).toHex() as Address

// the first message of test/vectors/shared.json, signed with the private key 0x11 × 32
const known = {
  digest: Uint8Array.fromHex("24c8029621af42fe72caca7265aa24b3a2789ddbb1ce14c9a243f2771da70860"),
  rs: Uint8Array.fromHex(
    "e882e367f3f25457a38f296bd922e6615236ca49d7f6e21d4e4b366c20fee83f" +
      "792713dfb876058e57e1fd5536bab4d5e0407c325afc32caaf3358d2964f0cfe"
  ),
  v: 0,
  address: "19e7e376e7c213b7e7e7e46cc70a5dd086daff2a",
  publicKey: Uint8Array.fromHex("034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa")
} as const

/**
 * Whether a backend gives the known answers: the right address, another one for the other v, none for r = 0, and the
 * same for a fixed key.
 */
export const proves = (backend: Backend): boolean => {
  const other = backend.recover(known.digest, known.rs, 1)
  const zeroR = known.rs.slice().fill(0, 0, 32)
  const otherDigest = known.digest.slice().reverse()
  return backend.recover(known.digest, known.rs, known.v) === known.address &&
    other !== undefined && other !== known.address &&
    backend.recover(known.digest, zeroR, known.v) === undefined &&
    backend.verify(known.digest, known.rs, known.publicKey) &&
    !backend.verify(otherDigest, known.rs, known.publicKey) &&
    !backend.verify(known.digest, zeroR, known.publicKey)
}

/** Loads a library and has it prove itself; rejects when it does not. */
export const loadProven = async (name: BackendName): Promise<Backend> => {
  const backend = await load(name)
  if (!proves(backend)) throw new Error(`the ${name} backend gives wrong answers`)
  return backend
}
