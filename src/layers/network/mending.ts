/**
 * Gossip that works for as long as a peer is connected (FAILURES 10, 11, 18). gossipsub opens its stream to a peer once, when
 * the peer is identified; it does not when that stream is reset by a full buffer, by the end of one of two connections,
 * or after a transmission it could not read. So whoever is connected is looked at now and then:
 *
 * 1. No stream of ours to it: gossipsub is told again that the peer is there, and opens one.
 * 2. A stream of its that gossipsub no longer reads is reset, so that the peer notices and opens another.
 * 3. If that does not help for a while, the connections are closed. They are made anew.
 * 4. What gossipsub keeps of peers and streams that are gone is taken from it (FAILURES 12): it forgets a stream that was
 *    closed while it was being opened, which would keep another one from being opened, and grow with peers that come and go.
 */
import type { Connection, PeerId, Stream, Topology } from "@libp2p/interface"
import { gossipMendMs, gossipSilentMsMax } from "./bounds.ts"
import type { NetworkMetrics } from "./metrics.ts"
import type { Node } from "./node.ts"
import { gossipProtocols } from "./options.ts"
import { steadyMs } from "./steady-clock.ts"

export interface Mending {
  readonly tick: () => void
  /** The peer lists the protocols of gossip. */
  readonly identified: (peer: PeerId, protocols: ReadonlyArray<string>) => void
  readonly disconnected: (peer: PeerId) => void
  /** Peers that something is kept of. */
  readonly size: () => number
}

interface State {
  readonly peer: PeerId
  /** When it was first seen not to work; since then it has not. */
  brokenMs: number | undefined
  triedMs: number
}

const protocols: ReadonlySet<string> = new Set(gossipProtocols)

const isOpen = (stream: Stream): boolean => stream.status === "open"

/** What is needed of a node. */
export interface Patient {
  readonly libp2p: { getConnections(): ReadonlyArray<Connection> }
  readonly gossip: Pick<Node["gossip"], "getPeers" | "streamsOutbound">
  readonly registrar: Node["registrar"]
}

export const make = (
  { libp2p, gossip, registrar }: Patient,
  metrics: Pick<NetworkMetrics, "mended">,
  clock: () => number = steadyMs
): Mending => {
  const states = new Map<string, State>()
  const topologies = (): ReadonlyArray<Topology> => registrar.getTopologies(gossipProtocols[0])
  const connectionsOf = (all: ReadonlyArray<Connection>, id: string): ReadonlyArray<Connection> =>
    all.filter((one) => one.status === "open" && one.remotePeer.toString() === id)

  const mend = (state: State, connections: ReadonlyArray<Connection>, now: number): void => {
    const streams = connections.flatMap((one) => one.streams).filter(({ protocol }) => protocols.has(protocol))
    const outgoing = streams.some((stream) => stream.direction === "outbound" && isOpen(stream))
    const incoming = streams.filter((stream) => stream.direction === "inbound" && isOpen(stream))
    // gossipsub closes its side of a stream it gives up reading, and never otherwise writes to one
    const dead = incoming.filter(({ writeStatus }) => writeStatus === "closed" || writeStatus === "closing")
    if (outgoing && incoming.length > dead.length) {
      state.brokenMs = undefined
      return
    }
    state.brokenMs ??= now
    // identify and both streams take a moment after connecting
    if (now - state.brokenMs < gossipMendMs) return
    if (now - state.brokenMs >= gossipSilentMsMax) {
      metrics.mended("connection")
      state.brokenMs = undefined
      for (const one of connections) one.abort(new Error("gossip does not work over this connection"))
      return
    }
    if (now - state.triedMs < gossipMendMs) return
    state.triedMs = now
    for (const stream of dead) {
      metrics.mended("reset")
      stream.abort(new Error("the stream is no longer read"))
    }
    if (!outgoing) {
      metrics.mended("stream")
      for (const topology of topologies()) void topology.onConnect?.(state.peer, connections[0]!)
    }
  }

  return {
    identified: (peer, listed) => {
      if (!listed.some((protocol) => protocols.has(protocol))) return
      const id = peer.toString()
      if (!states.has(id)) states.set(id, { peer, brokenMs: undefined, triedMs: -Infinity })
    },
    disconnected: (peer) => {
      states.delete(peer.toString())
    },
    tick: () => {
      const now = clock()
      const all = libp2p.getConnections()
      for (const [id, state] of states) {
        const connections = connectionsOf(all, id)
        if (connections.length > 0) mend(state, connections, now)
        else states.delete(id)
      }
      for (const [id, { rawStream }] of gossip.streamsOutbound) {
        if (isOpen(rawStream) || rawStream.status === "closing") continue
        metrics.mended("state")
        gossip.streamsOutbound.delete(id)
      }
      for (const peer of gossip.getPeers()) {
        if (all.some(({ remotePeer }) => remotePeer.equals(peer))) continue
        metrics.mended("state")
        for (const topology of topologies()) topology.onDisconnect?.(peer)
      }
    },
    size: () => states.size
  }
}
