/** The life of the libp2p node: it is made, started, looked after by fibers of the scope, and stopped with it. */
import type { PrivateKey } from "@libp2p/interface"
import { multiaddr } from "@multiformats/multiaddr"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Hashes } from "../../domain/hashing.ts"
import type { NodeId } from "../../domain/ids.ts"
import type { PeerChange } from "../../services/Network.ts"
import * as Bounds from "./bounds.ts"
import { type Complaints, wordsOf } from "./complaints.ts"
import * as Keeper from "./keeper.ts"
import * as Mending from "./mending.ts"
import type { NetworkMetrics } from "./metrics.ts"
import { make, type Node } from "./node.ts"
import { gossipProtocols, markerOf, networkOf, type NetworkOptions, syncProtocol, topicOf } from "./options.ts"
import * as QuietLogger from "./quiet-logger.ts"
import { NetworkError } from "./ready.ts"
import type { Shunned } from "./shunned.ts"

export interface Surroundings {
  readonly options: NetworkOptions
  readonly key: PrivateKey
  readonly hashes: Hashes
  readonly metrics: NetworkMetrics
  readonly complaints: Complaints
  readonly shunned: Shunned
  readonly shun: (peer: string, ms: number, why: string) => void
  /** Called before the node starts. */
  readonly attach: (node: Node) => Promise<void>
  readonly onChange: (change: PeerChange) => void
  /** Called when the node listens; `undefined` when it no longer does. */
  readonly onRunning: (node: Node | undefined) => void
}

/** A peer may call its network as it likes; the name is logged. */
const nameCharsMax = 64

const failure = (cause: unknown): NetworkError => new NetworkError({ message: wordsOf(cause) })

/** Why a peer with these protocols is none of ours, if so. */
const foreign = (own: string, protocols: ReadonlyArray<string>): string | undefined => {
  const network = networkOf(protocols)
  if (network !== undefined && network !== own) {
    return `it belongs to the network ${JSON.stringify(network.slice(0, nameCharsMax))}, not to ${JSON.stringify(own)}`
  }
  const speaks = protocols.includes(syncProtocol) || gossipProtocols.some((one) => protocols.includes(one))
  return speaks || protocols.length === 0 ? undefined : "it is no node of this kind"
}

const checked = (what: string, text: string): Effect.Effect<void, NetworkError> =>
  Effect.try({
    try: () => void multiaddr(text),
    catch: (cause) =>
      new NetworkError({
        message: `${what}: ${JSON.stringify(text)} is no multiaddr such as /ip4/127.0.0.1/tcp/4001: ${wordsOf(cause)}`
      })
  })

/** Cuts what does not end by itself in time. */
const stop = async (node: Node): Promise<void> => {
  const late = new Promise<void>((resolve) => setTimeout(resolve, Bounds.stopMsMax).unref())
  await Promise.race([Promise.resolve(node.libp2p.stop()).catch(() => {}), late])
  for (const one of node.libp2p.getConnections()) one.abort(new Error("the node is stopped"))
}

/** Ends when the node listens. The node lives as long as the scope. */
export const start = (around: Surroundings): Effect.Effect<void, NetworkError, Scope.Scope> =>
  Effect.gen(function*() {
    const { complaints, key, metrics, options, shunned } = around
    const limits = { ...Bounds.defaultConnectionLimits, ...options.limits }
    for (const what of ["listen", "announce", "bootstrap"] as const) {
      for (const text of options[what] ?? []) yield* checked(what, text)
    }
    const logger = QuietLogger.make((cause) => {
      metrics.refused("handshake")
      complaints.warn("handshake", "a connection of a peer could not be set up; is its network key another one?", {
        cause: wordsOf(cause)
      })
    })
    const gater = shunned.gater(metrics.refused)
    const { hashes } = around
    const node = yield* Effect.tryPromise({
      try: () => make({ options, limits, key, hashes, gater, logger }),
      catch: failure
    })
    const { libp2p } = node
    const keeper = yield* Effect.try({
      try: () => Keeper.make(libp2p, options.bootstrap, limits, metrics, complaints, shunned.has),
      catch: failure
    })
    const mending = Mending.make(node, metrics)

    libp2p.addEventListener("peer:connect", ({ detail: peer }) => {
      keeper.connected(peer)
      around.onChange({ _tag: "Connected", peer: peer.toString() as NodeId })
    })
    libp2p.addEventListener("peer:disconnect", ({ detail: peer }) => {
      keeper.disconnected(peer)
      mending.disconnected(peer)
      around.onChange({ _tag: "Disconnected", peer: peer.toString() as NodeId })
    })
    libp2p.addEventListener("peer:discovery", ({ detail: { id } }) => keeper.heardOf(id))
    libp2p.addEventListener("peer:identify", ({ detail: { peerId, protocols } }) => {
      const why = foreign(options.network, protocols)
      if (why !== undefined) {
        // a moment later, so that the other side learns the same of us and its operator too
        setTimeout(() => around.shun(peerId.toString(), Bounds.foreignMs, why), Bounds.partingMs).unref()
        return
      }
      mending.identified(peerId, protocols)
    })

    const tick = Effect.sync(() => {
      keeper.tick()
      mending.tick()
      metrics.peers(libp2p.getPeers().length)
      for (const peer of node.gossip.getPeers()) {
        const id = peer.toString()
        if (node.gossip.getScore(id) < Bounds.scoreMin) {
          around.shun(id, Bounds.badScoreMs, "it passes on what is invalid")
        }
      }
    })
    yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          await around.attach(node)
          await libp2p.handle(markerOf(options.network), (stream) => stream.abort(new Error("nothing is said here")))
          await libp2p.start()
        },
        catch: failure
      }).pipe(Effect.tapError(() => Effect.promise(() => stop(node)))),
      () =>
        Effect.suspend(() => {
          around.onRunning(undefined)
          keeper.stop()
          return Effect.promise(() => stop(node))
        })
    )
    node.gossip.subscribe(topicOf(options.network))
    around.onRunning(node)
    const remembered = yield* Effect.promise(() => libp2p.peerStore.all().catch(() => []))
    for (const { id } of remembered) keeper.heardOf(id)
    yield* tick.pipe(
      Effect.catchDefect((defect) => Effect.logError("looking after connections failed", defect)),
      Effect.repeat(Schedule.spaced(Duration.millis(Bounds.tickMs))),
      Effect.forkScoped
    )
  })
