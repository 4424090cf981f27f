/**
 * The two hash functions of the protocol, as a capability.
 *
 * The domain says *what* is hashed; which library does it is chosen outside (WebAssembly in a node, pure
 * JavaScript in a browser). Pure functions take a {@link Hashes} as their first argument; Effect programs ask for
 * {@link Hashing}.
 */
import * as Context from "effect/Context"

export interface Hashes {
  /** BLAKE3 of `bytes`, 32 bytes, in an array that the caller owns. */
  readonly blake3: (bytes: Uint8Array) => Uint8Array
  /** BLAKE3 keyed with the 32-byte `key`: the leaf digest of a network with a key (SPEC §6). */
  readonly blake3Keyed: (key: Uint8Array) => (bytes: Uint8Array) => Uint8Array
  /** Keccak-256 with the original padding, as Ethereum uses it, 32 bytes. */
  readonly keccak256: (bytes: Uint8Array) => Uint8Array
}

export class Hashing extends Context.Service<Hashing, Hashes>()("p2p-mes/domain/Hashing") {}
