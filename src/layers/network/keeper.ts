/**
 * Staying connected, for as long as the node runs (FAILURES 10, 18).
 *
 * 1. Bootstrap peers are dialled whenever they are not connected; others that are known, or were found, while there are
 *    fewer connections than wanted.
 * 2. After a failure, or a connection that did not last, the pause before the next dial doubles up to a bound, and is
 *    spread at random. A connection that lasted makes the next pause short again.
 * 3. A peer is dialled at the addresses it was last heard of at, and now and then at those that others know.
 * 4. What is remembered is bounded: peers that are neither connected nor heard of give way.
 *
 * Own, since libp2p 3 dials nobody by itself, and gives up on a lost peer after some attempts.
 */
import type { Libp2p, PeerId } from "@libp2p/interface"
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr"
import type { ConnectionLimits } from "./bounds.ts"
import * as Bounds from "./bounds.ts"
import { type Complaints, wordsOf } from "./complaints.ts"
import type { NetworkMetrics } from "./metrics.ts"
import { steadyMs } from "./steady-clock.ts"

/** Somebody to dial. */
interface Target {
  /** As text; of a bootstrap address without an id, known after the first connection. */
  id: string | undefined
  readonly peer: PeerId | undefined
  /** What the operator gave; absent: what the peer store has. */
  readonly addresses: ReadonlyArray<Multiaddr> | undefined
  failures: number
  /** When it is dialled next, and since when it is connected, by the steady clock. */
  nextMs: number
  sinceMs: number | undefined
  dialling: boolean
}

export interface Keeper {
  /** Looks after connections once. */
  readonly tick: () => void
  /** Remembers a peer that was heard of. */
  readonly heardOf: (peer: PeerId) => void
  readonly connected: (peer: PeerId) => void
  readonly disconnected: (peer: PeerId) => void
  readonly stop: () => void
  readonly known: () => number
}

const idIn = (address: Multiaddr): string | undefined =>
  address.getComponents().findLast(({ name }) => name === "p2p")?.value

/** Whether somebody was there, who is none of ours. */
const spokeOtherwise = (cause: unknown): boolean =>
  cause instanceof AggregateError
    ? cause.errors.some(spokeOtherwise)
    : cause instanceof Error && cause.name === "EncryptionFailedError"

/** Bootstrap addresses, those of one peer together. */
const bootstrapTargets = (addresses: ReadonlyArray<string>): ReadonlyArray<Target> => {
  const byPeer = new Map<string, Array<Multiaddr>>()
  for (const text of addresses) {
    const address = multiaddr(text)
    const key = idIn(address) ?? text
    byPeer.set(key, [...byPeer.get(key) ?? [], address])
  }
  return [...byPeer.values()].map((list) => ({
    id: idIn(list[0]!),
    peer: undefined,
    addresses: list,
    failures: 0,
    nextMs: 0,
    sinceMs: undefined,
    dialling: false
  }))
}

export const make = (
  libp2p: Libp2p,
  bootstrap: ReadonlyArray<string>,
  limits: ConnectionLimits,
  metrics: NetworkMetrics,
  complaints: Complaints,
  isShunned: (peer: string) => boolean
): Keeper => {
  const own = libp2p.peerId.toString()
  const roots = bootstrapTargets(bootstrap).filter(({ id }) => id !== own)
  /** In the order of being heard of last. */
  const known = new Map<string, Target>()
  const controller = new AbortController()
  const { signal } = controller
  let dials = 0

  const pause = (target: Target): number => {
    const most = target.addresses === undefined ? limits.redialMsMax : limits.redialBootstrapMsMax
    return Math.min(most, limits.redialMs * 2 ** Math.min(target.failures, 20)) * (0.5 + Math.random())
  }
  const postpone = (target: Target): void => {
    target.nextMs = steadyMs() + pause(target)
    target.failures++
  }
  const isConnected = (id: string): boolean =>
    libp2p.getConnections().some((one) => one.status === "open" && one.remotePeer.toString() === id)

  /** Asks others where a peer is now (rule 3). */
  const lookUp = async (peer: PeerId): Promise<void> => {
    const found = await libp2p.peerRouting.findPeer(peer, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(Bounds.searchMsMax)])
    })
    await libp2p.peerStore.merge(peer, { multiaddrs: found.multiaddrs })
  }
  const dial = async (target: Target): Promise<void> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(Bounds.dialMsMax)])
    const { addresses, peer } = target
    if (peer !== undefined && target.failures % 4 === 3) await lookUp(peer).catch(() => {})
    try {
      const connection = await libp2p.dial(peer ?? [...addresses!], { signal: limit })
      target.id = connection.remotePeer.toString()
      target.sinceMs ??= steadyMs()
      metrics.dialled("connected")
    } catch (cause) {
      // the addresses given may be old ones: whoever is found elsewhere in the meantime is in the peer store
      const other = target.id === undefined ? undefined : known.get(target.id)?.peer
      if (addresses === undefined || other === undefined || signal.aborted) throw cause
      await libp2p.dial(other, { signal: limit }).catch(() => {
        throw cause
      })
    }
  }
  const start = (target: Target): void => {
    target.dialling = true
    dials++
    void dial(target).catch(
      (cause: unknown) => {
        if (signal.aborted) return
        metrics.dialled("failed")
        postpone(target)
        if (target.addresses !== undefined) {
          const where = target.addresses.map(String).join(", ")
          complaints.warn(`dial ${where}`, "a bootstrap peer cannot be reached; it is tried on", {
            address: where,
            cause: wordsOf(cause),
            ...(spokeOtherwise(cause) ? { hint: "something answers there: is its network key another one?" } : {})
          })
        } else if (target.failures >= Bounds.dialFailuresMax) known.delete(target.id!)
      }
    ).finally(() => {
      target.dialling = false
      dials--
    })
  }
  const isDue = (target: Target, now: number): boolean =>
    !target.dialling && target.nextMs <= now
    && (target.id === undefined || (target.id !== own && !isShunned(target.id) && !isConnected(target.id)))

  const trim = (): void => {
    if (known.size <= Bounds.knownPeersMax) return
    for (const [id, { peer }] of known) {
      if (known.size <= Bounds.knownPeersMax) break
      if (isConnected(id)) continue
      known.delete(id)
      if (peer !== undefined) void libp2p.peerStore.delete(peer).catch(() => {})
    }
  }
  const targetsOf = (id: string): ReadonlyArray<Target> => {
    const other = known.get(id)
    return [...roots.filter((target) => target.id === id), ...(other === undefined ? [] : [other])]
  }

  let searchMs = 0
  const search = async (): Promise<void> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(Bounds.searchMsMax)])
    const somewhere = crypto.getRandomValues(new Uint8Array(32))
    for await (const found of libp2p.peerRouting.getClosestPeers(somewhere, { signal: limit })) {
      if (found.multiaddrs.length === 0 || found.id.equals(libp2p.peerId)) continue
      await libp2p.peerStore.merge(found.id, { multiaddrs: found.multiaddrs })
      heardOf(found.id)
    }
  }
  const heardOf = (peer: PeerId): void => {
    const id = peer.toString()
    if (id === own) return
    const target = known.get(id)
      ?? { id, peer, addresses: undefined, failures: 0, nextMs: 0, sinceMs: undefined, dialling: false }
    known.delete(id)
    known.set(id, target)
    trim()
  }

  return {
    heardOf,
    tick: () => {
      const now = steadyMs()
      const connections = libp2p.getConnections().length
      for (const target of roots) if (dials < Bounds.dialsMax && isDue(target, now)) start(target)
      if (connections < limits.connectionsWanted) {
        let room = limits.connectionsWanted - connections
        for (const target of known.values()) {
          if (dials >= Bounds.dialsMax || room <= 0) break
          if (!isDue(target, now)) continue
          room--
          start(target)
        }
        if (connections > 0 && searchMs <= now) {
          searchMs = now + Bounds.searchMs * (0.5 + Math.random())
          // not finding anybody is no failure
          search().catch(() => {})
        }
      }
      metrics.known(known.size)
    },
    connected: (peer) => {
      heardOf(peer)
      for (const target of targetsOf(peer.toString())) target.sinceMs = steadyMs()
    },
    disconnected: (peer) => {
      for (const target of targetsOf(peer.toString())) {
        if (target.sinceMs !== undefined && steadyMs() - target.sinceMs >= Bounds.steadyMs) target.failures = 0
        target.sinceMs = undefined
        postpone(target)
      }
    },
    stop: () => controller.abort(),
    known: () => known.size
  }
}
