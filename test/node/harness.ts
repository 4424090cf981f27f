/** The services of a node over a store that a test can hold, break and release. No HTTP, no disk, no threads. */
import { Deferred, Effect, Layer } from "effect"
import * as Ids from "../../src/domain/ids.ts"
import type { IngestLimits } from "../../src/domain/limits.ts"
import { signedDigest, stringToSign } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import * as Hashing from "../../src/layers/crypto/hashing.ts"
import * as Verifier from "../../src/layers/crypto/verifier.ts"
import { layerCore } from "../../src/layers/node-live.ts"
import { layerMemory } from "../../src/layers/store/memory.ts"
import type { Claim } from "../../src/services/Authenticator.ts"
import type { NodeKey } from "../../src/services/NodeKey.ts"
import { Store, type StoreError } from "../../src/services/Store.ts"
import { layerKey } from "../../src/testing/node.ts"
import { sign, type User } from "../http/fixture.ts"

/** What a test does to the store: an effect that runs before each call of that name. */
export interface Steering {
  commit: Effect.Effect<void, StoreError>
  ops: Effect.Effect<void, StoreError>
  /** How often ops were loaded. */
  loads: number
  /** Alters what a commit reports. */
  report: (leaves: Effect.Success<ReturnType<Store["Service"]["commit"]>>) => typeof leaves
}

export const steering = (): Steering => ({
  commit: Effect.void,
  ops: Effect.void,
  loads: 0,
  report: (commit) => commit
})

const steered = (steer: Steering) =>
  Layer.effect(
    Store,
    Effect.map(Store, (store) =>
      Store.of({
        ...store,
        commit: (batch) =>
          Effect.suspend(() => steer.commit).pipe(
            Effect.andThen(store.commit(batch)),
            Effect.map((commit) => steer.report(commit))
          ),
        ops: (chatId) =>
          Effect.suspend(() => {
            steer.loads++
            return steer.ops
          }).pipe(Effect.andThen(store.ops(chatId)))
      }))
  ).pipe(Layer.provide(layerMemory))

export const services = (steer: Steering, limits?: IngestLimits) =>
  layerCore(limits).pipe(
    Layer.provideMerge(steered(steer)),
    Layer.provideMerge(layerKey(7)),
    Layer.provideMerge(Verifier.layer({ workers: 0 })),
    Layer.provideMerge(Hashing.layerNoble)
  )

/** A gate: what waits for it goes on when it is opened. */
export const gate = Effect.sync(() => {
  const deferred = Deferred.makeUnsafe<void>()
  return { pass: Deferred.await(deferred), open: Effect.sync(() => Deferred.doneUnsafe(deferred, Effect.void)) }
})

/** A claim that proves a write of `who`. */
export const claim = (
  node: NodeKey["Service"],
  who: User,
  purpose: "message" | "identity" | "read" | "op",
  id: string,
  ts: number
): Claim => {
  const sig = Uint8Array.fromHex(sign(who.key, signedDigest(noble, 1, stringToSign(purpose, ts, node.id, id))))
  sig[64]! -= 27
  return { user: who.address, ts, sig, sigVersion: 1 }
}

export const identityFields = (who: User, ts: number, byte: number): Ids.IdentityFields => ({
  address: who.address,
  ts,
  blob: Uint8Array.of(byte)
})

export const dmFields = (who: User, peer: User, ts: number, content: string): Ids.MessageFields => ({
  chatId: Ids.dmChatId(noble, who.address, peer.address),
  sender: who.address,
  ts,
  msgType: 0,
  content
})
