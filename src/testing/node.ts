/**
 * A node for tests: the real services over a store in memory and a key made from a seed. Nothing is written to disk, no
 * thread is started, and time is whatever Effect's `Clock` says. A node wakes every second: to let days pass, set the clock
 * before it is built.
 */
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultIngestLimits, type IngestLimits } from "../domain/limits.ts"
import * as Hashing from "../layers/crypto/hashing.ts"
import * as Verifier from "../layers/crypto/verifier.ts"
import { layerAlone, layerCore } from "../layers/node-live.ts"
import { layerOf, type NodePrivateKey } from "../layers/node/node-key.ts"
import { layerMemory } from "../layers/store/memory.ts"
import type { NodeKey } from "../services/NodeKey.ts"

/** A node key that is the same for the same seed. */
export const layerKey = (seed: number): Layer.Layer<NodeKey | NodePrivateKey> =>
  layerOf(Effect.promise(() => generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed))))

/** All services of a node, in memory. `seed` from 0 to 255 makes its key. */
export const layerServices = (seed = 0, limits: IngestLimits = defaultIngestLimits) =>
  layerCore(limits).pipe(
    Layer.provideMerge(Layer.merge(layerMemory, layerAlone)),
    Layer.provideMerge(layerKey(seed)),
    Layer.provideMerge(Layer.merge(Verifier.layer({ workers: 0 }), Hashing.layer))
  )
