/**
 * Other nodes, over libp2p. The layer is there at once and the node starts behind it: until it listens there are no
 * peers and no addresses, and {@link NetworkReady} tells when, or why it never will.
 */
import type { Connection, Libp2p } from "@libp2p/interface"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import { Hashing } from "../../domain/hashing.ts"
import type { NodeId } from "../../domain/ids.ts"
import { Network, type Peer, type PeerChange } from "../../services/Network.ts"
import { NodePrivateKey } from "../node/node-key.ts"
import * as Bounds from "./bounds.ts"
import * as Complaints from "./complaints.ts"
import * as Judging from "./judging.ts"
import * as Metrics from "./metrics.ts"
import type { Node } from "./node.ts"
import { type NetworkOptions, topicOf } from "./options.ts"
import { type NetworkError, NetworkReady } from "./ready.ts"
import * as Shunned from "./shunned.ts"
import * as StrayErrors from "./stray-errors.ts"
import * as SyncStreams from "./sync-streams.ts"

export type { NetworkOptions } from "./options.ts"

/** Every peer once, by its oldest connection. */
const peersOf = (libp2p: Libp2p, gossips: ReadonlySet<string>): ReadonlyArray<Peer> => {
  const oldest = new Map<string, Connection>()
  for (const one of libp2p.getConnections()) {
    const id = one.remotePeer.toString()
    const other = oldest.get(id)
    if (one.status === "open" && (other === undefined || one.timeline.open < other.timeline.open)) oldest.set(id, one)
  }
  return [...oldest].map(([id, one]) => ({
    id: id as NodeId,
    address: one.remoteAddr.toString(),
    direction: one.direction,
    sinceMs: one.timeline.open,
    gossips: gossips.has(id)
  }))
}

const make = (options: NetworkOptions): Effect.Effect<
  Context.Context<Network | NetworkReady>,
  never,
  NodePrivateKey | Hashing | Scope.Scope
> =>
  Effect.gen(function*() {
    const key = yield* NodePrivateKey
    const hashes = yield* Hashing
    const metrics = yield* Metrics.make
    const complaints = yield* Complaints.make
    const changes = yield* PubSub.sliding<PeerChange>(Bounds.changesKept)
    const drops = yield* PubSub.sliding<string>(1)
    const started = yield* Deferred.make<void, NetworkError>()
    const topic = topicOf(options.network)
    const shunned = Shunned.make()
    const streams = SyncStreams.make(metrics)
    const judging = Judging.make(topic, metrics, complaints, (from) => {
      PubSub.publishUnsafe(drops, from)
    })
    let node: Node | undefined

    yield* StrayErrors.guard((reason) => {
      metrics.stray()
      complaints.warn("stray", "an error in libp2p was not handled", { cause: Complaints.wordsOf(reason) })
    })
    const shun = (peer: string, ms: number, why: string): void => {
      metrics.shunned()
      shunned.add(peer, ms)
      complaints.warn(`shun ${peer}`, "a peer is dropped for a while", { peer, seconds: Math.round(ms / 1_000), why })
      for (const one of node?.libp2p.getConnections() ?? []) {
        if (one.remotePeer.toString() === peer) one.abort(new Error(why))
      }
    }
    const running = Effect.promise(() => import("./running.ts"))
    yield* Effect.flatMap(running, ({ start }) =>
      start({
        options,
        key,
        hashes,
        metrics,
        complaints,
        shunned,
        shun,
        attach: async (made) => {
          judging.attach(made.gossip)
          await streams.attach(made.libp2p)
        },
        onChange: (change) => {
          PubSub.publishUnsafe(changes, change)
        },
        onRunning: (made) => {
          node = made
        }
      })).pipe(
        Effect.tap(() =>
          Effect.logInfo("listening for peers").pipe(
            Effect.annotateLogs({ addresses: node?.libp2p.getMultiaddrs().join(" ") ?? "" })
          )
        ),
        Effect.matchCauseEffect({
          onFailure: (cause) => Deferred.failCause(started, cause),
          onSuccess: () => Deferred.succeed(started, undefined)
        }),
        Effect.forkScoped
      )

    return Context.make(
      Network,
      Network.of({
        addresses: () => node?.libp2p.getMultiaddrs().map(String) ?? [],
        peers: () => {
          if (node === undefined) return []
          return peersOf(node.libp2p, new Set(node.gossip.getSubscribers(topic).map(String)))
        },
        changes,
        open: streams.open,
        serve: streams.serve,
        publish: judging.publish,
        judge: judging.judge,
        shun: (peer, ms, why) => Effect.sync(() => shun(peer, ms, why))
      })
    ).pipe(Context.add(NetworkReady, NetworkReady.of({ ready: Deferred.await(started), drops })))
  })

/** A node of the network. Ends within about two seconds. */
export const layer = (
  options: NetworkOptions
): Layer.Layer<Network | NetworkReady, never, NodePrivateKey | Hashing> => Layer.effectContext(make(options))
