/**
 * Where a client's randomness comes from: challenges to nodes, the nonces of new groups, new keys. A port, so that a
 * test or a simulation can bring its own.
 */
import { randomBytes } from "@noble/hashes/utils.js"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class Entropy extends Context.Service<Entropy, {
  /** `length` bytes that nobody can guess. */
  bytes(length: number): Effect.Effect<Uint8Array>
}>()("p2p-mes/client/Entropy") {
  /** The platform's generator (`getRandomValues`), in Node and in every browser. A platform without one is a defect. */
  static readonly layer: Layer.Layer<Entropy> = Layer.succeed(Entropy, {
    bytes: (length) => Effect.sync(() => randomBytes(length))
  })
}
