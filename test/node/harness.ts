/** The services of a node over a store that a test can hold, break and release. No HTTP, no disk, no threads. */
import { Deferred, Effect, Layer } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { defaultIngestLimits, type IngestLimits } from "../../src/domain/limits.ts"
import type { Record } from "../../src/domain/record.ts"
import { signedDigest, stringToSign } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import * as Hashing from "../../src/layers/crypto/hashing.ts"
import * as Verifier from "../../src/layers/crypto/verifier.ts"
import { layerAlone, layerCore } from "../../src/layers/node-live.ts"
import * as Acceptor from "../../src/layers/node/acceptor.ts"
import * as Authenticator from "../../src/layers/node/authenticator.ts"
import * as Entropy from "../../src/layers/node/entropy.ts"
import * as Gaps from "../../src/layers/node/gaps.ts"
import * as Gossip from "../../src/layers/node/gossip.ts"
import * as Groups from "../../src/layers/node/groups.ts"
import * as HybridClock from "../../src/layers/node/hybrid-clock.ts"
import * as Ingest from "../../src/layers/node/ingest.ts"
import * as Intake from "../../src/layers/node/intake.ts"
import * as PeerClocks from "../../src/layers/node/peer-clocks.ts"
import * as Views from "../../src/layers/node/views.ts"
import * as Writer from "../../src/layers/node/writer.ts"
import { layerMemory } from "../../src/layers/store/memory.ts"
import type { Claim } from "../../src/services/Authenticator.ts"
import type { Network } from "../../src/services/Network.ts"
import type { NetworkId } from "../../src/services/NetworkId.ts"
import type { NodeKey } from "../../src/services/NodeKey.ts"
import { type Header, type HeaderQuery, Store, type StoreError } from "../../src/services/Store.ts"
import { Trees } from "../../src/services/Trees.ts"
import { layerKey } from "../../src/testing/node.ts"
import { sign, type User } from "../http/fixture.ts"

/** What a test does to the store: an effect that runs before each call of that name. */
export interface Steering {
  /** What the store holds before the node starts. */
  stored: ReadonlyArray<Record>
  commit: Effect.Effect<void, StoreError>
  ops: Effect.Effect<void, StoreError>
  heads: Effect.Effect<void, StoreError>
  /** Answers in place of the store. */
  headers: ((query: HeaderQuery) => ReadonlyArray<Header>) | undefined
  /** How often ops were loaded. */
  loads: number
  /** How often changes were listed, record by record. */
  listed: number
  /** Alters what a commit reports. */
  report: (leaves: Effect.Success<ReturnType<Store["Service"]["commit"]>>) => typeof leaves
}

export const steering = (): Steering => ({
  stored: [],
  commit: Effect.void,
  ops: Effect.void,
  heads: Effect.void,
  headers: undefined,
  loads: 0,
  listed: 0,
  report: (commit) => commit
})

const steered = (steer: Steering) =>
  Layer.effect(
    Store,
    Effect.map(Effect.tap(Store, (store) => store.commit(steer.stored, Hlc.zero)), (store) =>
      Store.of({
        ...store,
        commit: (batch, aged) =>
          Effect.suspend(() => steer.commit).pipe(
            Effect.andThen(store.commit(batch, aged)),
            Effect.map((commit) => steer.report(commit))
          ),
        ops: (chatId) =>
          Effect.suspend(() => {
            steer.loads++
            return steer.ops
          }).pipe(Effect.andThen(store.ops(chatId))),
        headers: (query) =>
          Effect.suspend(() =>
            steer.headers === undefined ? store.headers(query) : Effect.succeed(steer.headers(query))
          ),
        recent: (floor) => {
          steer.listed++
          return store.recent(floor)
        },
        heads: (query) => Effect.andThen(Effect.suspend(() => steer.heads), store.heads(query))
      }))
  ).pipe(Layer.provide(layerMemory))

/** `network`: what the node hears and says; absent, it is alone. */
export const services = (
  steer: Steering,
  limits?: IngestLimits,
  network: Layer.Layer<Network | NetworkId> = layerAlone
) =>
  layerCore(limits).pipe(
    Layer.provideMerge(Layer.merge(steered(steer), network)),
    Layer.provideMerge(layerKey(7)),
    Layer.provideMerge(Layer.mergeAll(Verifier.layer({ workers: 0 }), Hashing.layerNoble, Entropy.layer))
  )

/** Trees that are not asked: theirs tick every second, and tests here let hours pass. */
const layerNoTrees = Layer.succeed(
  Trees,
  Trees.of({
    apply: () => undefined,
    horizonMs: () => undefined,
    at: () => undefined,
    count: () => 0,
    built: () => 0,
    rebuild: () => undefined
  })
)

/** A node without trees, sync and collector: nobody else hears of gaps. */
export const unsynced = (
  steer: Steering,
  network: Layer.Layer<Network> = layerAlone,
  limits: IngestLimits = defaultIngestLimits
) =>
  Layer.mergeAll(Authenticator.layer(limits), Ingest.layer(limits), Views.layer).pipe(
    Layer.provideMerge(Gossip.layer),
    Layer.provideMerge(Intake.layer),
    Layer.provideMerge(Acceptor.layer),
    Layer.provideMerge(Groups.layer),
    Layer.provideMerge(Writer.layer(limits)),
    Layer.provideMerge(layerNoTrees),
    Layer.provideMerge(Layer.mergeAll(HybridClock.layer, PeerClocks.layer, Gaps.layer)),
    Layer.provideMerge(Layer.merge(steered(steer), network)),
    Layer.provideMerge(layerKey(7)),
    Layer.provideMerge(Layer.mergeAll(Verifier.layer({ workers: 0 }), Hashing.layerNoble))
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
