/** Sync streams, opened by us and by peers, as channels. */
import type { Connection, Libp2p, Stream } from "@libp2p/interface"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { NodeId } from "../../domain/ids.ts"
import { type Channel, ChannelError } from "../../services/Network.ts"
import { openMsMax, openStreamsMax, peerStreamsMax } from "./bounds.ts"
import { wordsOf } from "./complaints.ts"
import { type Frames, overStream } from "./frames.ts"
import type { NetworkMetrics } from "./metrics.ts"
import { syncProtocol } from "./options.ts"

type Handler = (channel: Channel) => Effect.Effect<void>

export interface SyncStreams {
  /** Begins to take streams of a node that is about to start. */
  readonly attach: (libp2p: Libp2p) => Promise<void>
  readonly open: (peer: NodeId) => Effect.Effect<Channel, ChannelError, Scope.Scope>
  readonly serve: (handler: Handler) => Effect.Effect<void, never, Scope.Scope>
  /** Streams that peers have open, by peer: for tests of what is kept. */
  readonly served: () => number
}

const reasonOf = (cause: unknown): ChannelError["reason"] =>
  cause instanceof Error && cause.name === "UnsupportedProtocolError" ? "unsupported" : "closed"

/** A stream over a connection; given up when the caller goes away, or the peer does not answer. */
const negotiate = (connection: Connection): Effect.Effect<Stream, ChannelError> =>
  Effect.callback((resume) => {
    const controller = new AbortController()
    const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(openMsMax)])
    connection.newStream(syncProtocol, { signal, maxOutboundStreams: openStreamsMax }).then(
      (stream) => {
        if (controller.signal.aborted) return stream.abort(new Error("nobody waits for the stream any more"))
        return resume(Effect.succeed(stream))
      },
      (cause: unknown) => resume(Effect.fail(new ChannelError({ reason: reasonOf(cause), message: wordsOf(cause) })))
    )
    return Effect.sync(() => controller.abort())
  })

export const make = (metrics: NetworkMetrics): SyncStreams => {
  let node: Libp2p | undefined
  let server: ((frames: Frames, end: () => void) => void) | undefined
  const served = new Map<NodeId, number>()

  const count = (peer: NodeId, change: number): void => {
    const streams = (served.get(peer) ?? 0) + change
    if (streams === 0) served.delete(peer)
    else served.set(peer, streams)
  }

  const attach: SyncStreams["attach"] = async (libp2p) => {
    node = libp2p
    await libp2p.handle(syncProtocol, (stream, connection) => {
      const peer = connection.remotePeer.toString() as NodeId
      if (server === undefined || (served.get(peer) ?? 0) >= peerStreamsMax) {
        metrics.stream("refused")
        return stream.abort(new Error("no more streams are taken"))
      }
      metrics.stream("served")
      count(peer, 1)
      const frames = overStream(stream, peer)
      server(frames, () => {
        count(peer, -1)
        frames.close()
      })
      // a few more than are served, so that it is here that they are counted
    }, { maxInboundStreams: 2 * peerStreamsMax, maxOutboundStreams: openStreamsMax })
  }

  const connect = (peer: NodeId): Effect.Effect<Frames, ChannelError> =>
    Effect.suspend(() => {
      const connection = node?.getConnections().find((one) =>
        one.status === "open" && one.remotePeer.toString() === peer
      )
      return connection === undefined
        ? Effect.fail(new ChannelError({ reason: "unreachable", message: `there is no connection with ${peer}` }))
        : negotiate(connection)
    }).pipe(
      Effect.map((stream) => overStream(stream, peer)),
      Effect.tap(() => Effect.sync(() => metrics.stream("opened"))),
      Effect.tapError((error) => Effect.sync(() => metrics.stream(error.reason)))
    )

  return {
    attach,
    open: (peer) =>
      Effect.acquireRelease(connect(peer), (frames) => Effect.sync(() => frames.close()), { interruptible: true }),
    serve: Effect.fnUntraced(function*(handler) {
      const run = yield* FiberSet.makeRuntime<never, void, never>()
      const own: typeof server = (frames, end) => {
        const fiber = run(
          Effect.suspend(() => handler(frames)).pipe(
            Effect.catchDefect((defect) => Effect.logError("a sync stream ended by a fault", defect))
          )
        )
        fiber.addObserver(end)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          server = own
        }),
        () =>
          Effect.sync(() => {
            if (server === own) server = undefined
          })
      )
    }),
    served: () => [...served.values()].reduce((sum, streams) => sum + streams, 0)
  }
}
