/** Randomness of the operating system. */
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"
import { Entropy } from "../../services/Entropy.ts"

export const layer: Layer.Layer<Entropy> = Layer.succeed(
  Entropy,
  Entropy.of({
    // a copy: node's is a view of a pool that others share
    bytes: (length) => Uint8Array.from(randomBytes(length))
  })
)
