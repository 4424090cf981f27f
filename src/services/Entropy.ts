/** Randomness that nobody can foresee: for nonces. A port, so that a simulation can bring its own. */
import * as Context from "effect/Context"

export class Entropy extends Context.Service<Entropy, {
  /** `length` random bytes, the caller's own. */
  bytes(length: number): Uint8Array
}>()("p2p-mes/services/Entropy") {}
