/** How this node stands with the others, from the services that know: what `GET /node/peers` and `/readyz` tell. */
import * as Effect from "effect/Effect"
import type { CatchUp as CatchUpJson, NodePeers } from "../../api/Node.ts"
import * as Bytes from "../../domain/bytes.ts"
import type { Domain } from "../../domain/record.ts"
import { Gossip } from "../../services/Gossip.ts"
import { Intake } from "../../services/Intake.ts"
import { Network, type Peer } from "../../services/Network.ts"
import { PeerClocks } from "../../services/PeerClocks.ts"
import { type CatchUp, type PeerSync, type Round, Sync } from "../../services/Sync.ts"
import { type Snapshot, Trees } from "../../services/Trees.ts"
import { hashed } from "../node/tree-snapshots.ts"

export type PeersJson = typeof NodePeers.Type

/** For every domain. */
const each = <A>(of: (domain: Domain) => A): { readonly [D in Domain]: A } => ({
  identity: of("identity"),
  members: of("members"),
  messages: of("messages")
})

const catchUpOf = (catchUp: CatchUp): typeof CatchUpJson.Type => ({
  peer_id: catchUp.peer,
  domain: catchUp.domain,
  fetched: catchUp.fetched,
  missing: catchUp.missing,
  rate: catchUp.rate
})

const roundOf = (round: Round) => ({
  at: round.atMs,
  took_ms: round.tookMs,
  ...(round.horizonMs === undefined ? {} : { horizon: round.horizonMs }),
  result: round.result,
  ...(round.why === undefined ? {} : { why: round.why }),
  pulled: round.pulled,
  pushed: round.pushed,
  bytes: round.bytes
})

const peerOf = (peer: Peer, sync: PeerSync | undefined): PeersJson["peers"][number] => ({
  peer_id: peer.id,
  address: peer.address,
  direction: peer.direction,
  since: peer.sinceMs,
  gossips: peer.gossips,
  ...(sync?.clockOffsetMs === undefined ? {} : { clock_offset_ms: sync.clockOffsetMs }),
  ...(sync?.last === undefined ? {} : { last_round: roundOf(sync.last) }),
  ...(sync?.equal === undefined ? {} : { last_equal: { horizon: sync.equal.horizonMs, at: sync.equal.atMs } })
})

const rootsOf = (snapshot: Snapshot) => ({
  horizon: snapshot.horizonMs,
  roots: each((domain) => `0x${Bytes.toHex(snapshot.root(domain))}`)
})

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => a.id < b.id ? -1 : a.id > b.id ? 1 : 0

/** Looks at all of it. */
export const make = Effect.gen(function*() {
  const network = yield* Network
  const trees = yield* Trees
  const sync = yield* Sync
  const clocks = yield* PeerClocks
  const intake = yield* Intake
  const gossip = yield* Gossip

  return Effect.gen(function*() {
    const synced = new Map(sync.peers().map((peer) => [peer.peer, peer]))
    const horizonMs = trees.horizonMs()
    const snapshot = horizonMs === undefined ? undefined : trees.at(horizonMs)
    if (snapshot !== undefined) yield* hashed(snapshot)
    const catchUp = sync.catchUp()
    const clock = clocks.check()
    const { waiting, waitingBytes } = intake.stats()
    const found: PeersJson = {
      ...(snapshot === undefined ? {} : rootsOf(snapshot)),
      records: each((domain) => trees.count(domain)),
      ...(catchUp === undefined ? {} : { catch_up: catchUpOf(catchUp) }),
      clock: { median_ms: clock.medianMs, peers: clock.peers, off: clock.off },
      waiting: { records: waiting, bytes: waitingBytes },
      gossip_queued: gossip.stats().queued,
      peers: network.peers().toSorted(byId).map((peer) => peerOf(peer, synced.get(peer.id)))
    }
    return found
  })
})
