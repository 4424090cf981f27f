/**
 * The hash functions of `domain/hashing` as layers: the fast make of a node, and the reference.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Hashes, Hashing } from "../../domain/hashing.ts"
import { loadWasmPromise, noble } from "./hashes.ts"

/** The fast functions, or the reference with a warning where they do not work. */
export const loadWasm: Effect.Effect<Hashes> = Effect.tryPromise(loadWasmPromise).pipe(
  Effect.catch((error) =>
    Effect.logWarning("fast hashing is unavailable, using the slow reference").pipe(
      Effect.annotateLogs({ cause: String(error.cause) }),
      Effect.as(noble)
    )
  )
)

/** What a node uses. */
export const layer: Layer.Layer<Hashing> = Layer.effect(Hashing, loadWasm)

/** The reference: slow, needs nothing. */
export const layerNoble: Layer.Layer<Hashing> = Layer.succeed(Hashing, noble)
