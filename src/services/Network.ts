/**
 * Other nodes, as messages and streams of frames. What they mean is not known here: gossip and sync are services over
 * this port, so that they run unchanged over libp2p and over a simulated network.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { NodeId } from "../domain/ids.ts"

/** A stream with a peer does not work, or no longer. */
export class ChannelError extends Schema.TaggedError<ChannelError>()("ChannelError", {
  /**
   * `unreachable`: no connection; `unsupported`: the peer does not speak the protocol; `closed`: the stream ended, was reset,
   * or its connection went; `oversized`: a frame above `limits.frameBytesMax`, or above what the caller allows.
   */
  reason: Schema.Literals(["unreachable", "unsupported", "closed", "oversized"]),
  message: Schema.String
}) {}

/** One stream of frames with one peer, both ways. Closing its scope closes it. */
export interface Channel {
  readonly peer: NodeId
  /** Sends one frame. Waits while the peer takes nothing: callers bound the wait. */
  send(frame: Uint8Array): Effect.Effect<void, ChannelError>
  /** The next frame, in order. Waits for ever: callers bound the wait. After the peer's end: `closed`. */
  readonly receive: Effect.Effect<Uint8Array, ChannelError>
}

/** What becomes of a message that gossip brought (SPEC §7). */
export type Verdict = "accept" | "ignore" | "reject"

/** A connected peer. */
export interface Peer {
  readonly id: NodeId
  /** The multiaddr of the other end, as text. */
  readonly address: string
  readonly direction: "inbound" | "outbound"
  /** Wall clock, ms. */
  readonly sinceMs: number
  /** Whether it takes part in gossip on this network's topic, as far as is known. */
  readonly gossips: boolean
}

export type PeerChange =
  | { readonly _tag: "Connected"; readonly peer: NodeId }
  | { readonly _tag: "Disconnected"; readonly peer: NodeId }

/** What became of a published message: it may have reached nobody. */
export interface Published {
  /** Peers that it was handed to. */
  readonly recipients: number
}

export class Network extends Context.Service<Network, {
  /** Own multiaddrs, as text, with the node id; empty while (or when) nothing listens. */
  addresses(): ReadonlyArray<string>
  /** Connected peers, each once. */
  peers(): ReadonlyArray<Peer>
  /** Peers that come (their first connection) and go (their last). Slow subscribers lose the oldest: compare `peers()`. */
  readonly changes: PubSub.PubSub<PeerChange>
  /** Opens a sync stream to a connected peer. */
  open(peer: NodeId): Effect.Effect<Channel, ChannelError, Scope.Scope>
  /**
   * Names the one who serves sync streams that peers open; one fiber a stream, which ends the stream when it ends. Until
   * then, and after the scope, streams are refused. At most some streams a peer at a time; others are refused.
   */
  serve(handler: (channel: Channel) => Effect.Effect<void>): Effect.Effect<void, never, Scope.Scope>
  /** Gives a message to the peers of this network's topic. Bytes at most `limits.gossipBytesMax`; longer is a defect. */
  publish(payload: Uint8Array): Effect.Effect<Published>
  /** Names the one who judges messages of gossip before they go on; one at a time or several at once. As `serve`. */
  judge(
    handler: (payload: Uint8Array, from: NodeId) => Effect.Effect<Verdict>
  ): Effect.Effect<void, never, Scope.Scope>
  /** Drops a peer that misbehaves, and neither dials nor takes it for this long. */
  shun(peer: NodeId, ms: number, why: string): Effect.Effect<void>
}>()("p2p-mes/services/Network") {}
