/** Metrics that are read off when they are asked for, rather than counted as things happen. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { domains } from "../../domain/record.ts"
import type { StoreStats } from "../../services/Store.ts"
import type { PeersJson } from "./peers.ts"

const stored = Metric.gauge("p2p_mes_records", { description: "Records stored, by kind" })
const disk = Metric.gauge("p2p_mes_disk_bytes", { description: "Size of the database and its log" })
const built = Metric.gauge("p2p_mes_trees_built_ratio", { description: "Share of the Merkle trees that is built" })
const inTree = Metric.gauge("p2p_mes_tree_records", { description: "Records in a Merkle tree, by domain" })
const memory = Metric.gauge("p2p_mes_resident_bytes", { description: "Memory of the process" })
const started = Metric.gauge("p2p_mes_started_seconds", { description: "When the node began, seconds since 1970" })
const gossiping = Metric.gauge("p2p_mes_gossip_peers", { description: "Connected peers that take part in gossip" })
const sinceEqual = Metric.gauge("p2p_mes_seconds_since_equal", {
  description: "How long ago roots were last equal with the peer for which that is longest; 0 without peers"
})
const fetched = Metric.gauge("p2p_mes_catch_up_fetched_records", {
  description: "Records fetched in the catch-up under way; 0 when there is none"
})
const missing = Metric.gauge("p2p_mes_catch_up_missing_records", {
  description: "Records that the catch-up under way began with lacking; 0 when there is none"
})

/** Ms since the roots were last equal, of the peer where that is longest; a peer never equal counts from its coming. */
const unequalMs = (peers: PeersJson["peers"], nowMs: number): number =>
  peers.reduce((worst, { last_equal, since }) => Math.max(worst, nowMs - (last_equal?.at ?? since)), 0)

/** Of the store. */
export const ofStore = Effect.fnUntraced(function*({ diskBytes, identities, messages, ops, reads }: StoreStats) {
  const counts = { message: messages, op: ops, read: reads, identity: identities }
  for (const [kind, count] of Object.entries(counts)) {
    yield* Metric.update(Metric.withAttributes(stored, { kind }), count)
  }
  yield* Metric.update(disk, diskBytes)
})

/** Of the rest of the node, at `nowMs`. */
export const ofNode = Effect.fnUntraced(function*(
  standing: {
    readonly peers: PeersJson
    readonly trees: number
    readonly residentBytes: number
    readonly nowMs: number
    readonly startedMs: number
  }
) {
  const { catch_up, peers, records } = standing.peers
  for (const domain of domains) {
    yield* Metric.update(Metric.withAttributes(inTree, { domain }), records[domain])
  }
  yield* Metric.update(built, standing.trees)
  yield* Metric.update(memory, standing.residentBytes)
  yield* Metric.update(started, standing.startedMs / 1_000)
  yield* Metric.update(gossiping, peers.filter((peer) => peer.gossips).length)
  yield* Metric.update(sinceEqual, unequalMs(peers, standing.nowMs) / 1_000)
  yield* Metric.update(fetched, catch_up?.fetched ?? 0)
  yield* Metric.update(missing, catch_up?.missing ?? 0)
})
