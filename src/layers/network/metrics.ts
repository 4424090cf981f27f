/** What the network counts. Updates are plain function calls, for callbacks of libp2p. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { counter, labelled } from "../labelled.ts"

const peers = Metric.gauge("p2p_mes_network_peers", { description: "Connected peers" })
const known = Metric.gauge("p2p_mes_network_known_peers", { description: "Peers remembered, connected or not" })
const dials = counter("p2p_mes_network_dials_total", "Dials, by result")
const publishedBytes = counter(
  "p2p_mes_gossip_published_bytes_total",
  "Bytes of messages of gossip from this node, once"
)
const unheard = counter("p2p_mes_gossip_unheard_total", "Messages of this node that were handed to no peer")
const judged = counter("p2p_mes_gossip_judged_total", "Messages of gossip from others, by what became of them")
const judgedBytes = counter("p2p_mes_gossip_received_bytes_total", "Bytes of messages of gossip from others")
const judging = Metric.gauge("p2p_mes_gossip_judging", { description: "Messages of gossip under judgement" })
const mended = counter("p2p_mes_gossip_mended_total", "Gossip with a connected peer that had stopped, by remedy")
const streams = counter("p2p_mes_sync_streams_total", "Sync streams, by what became of the request for one")
const shunned = counter("p2p_mes_network_shunned_total", "Peers dropped for a while")
const refused = counter("p2p_mes_network_refused_total", "Connections refused, by reason")
const stray = counter("p2p_mes_network_stray_errors_total", "Errors inside libp2p that nobody handled")

export type Fate = "accept" | "ignore" | "reject" | "dropped"

export interface NetworkMetrics {
  readonly peers: (count: number) => void
  readonly known: (count: number) => void
  readonly dialled: (result: "connected" | "failed") => void
  readonly published: (bytes: number, recipients: number) => void
  readonly judged: (fate: Fate, bytes: number) => void
  readonly judging: (count: number) => void
  readonly mended: (remedy: "stream" | "reset" | "connection" | "state") => void
  readonly stream: (result: string) => void
  readonly shunned: () => void
  readonly refused: (reason: string) => void
  readonly stray: () => void
}

export const make: Effect.Effect<NetworkMetrics> = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const countJudged = labelled(judged, "verdict", context)
  return {
    peers: (count) => peers.updateUnsafe(count, context),
    known: (count) => known.updateUnsafe(count, context),
    dialled: labelled(dials, "result", context),
    published: (bytes, recipients) => {
      publishedBytes.updateUnsafe(bytes, context)
      if (recipients === 0) unheard.updateUnsafe(1, context)
    },
    judged: (fate, bytes) => {
      countJudged(fate)
      judgedBytes.updateUnsafe(bytes, context)
    },
    judging: (count) => judging.updateUnsafe(count, context),
    mended: labelled(mended, "remedy", context),
    stream: labelled(streams, "result", context),
    shunned: () => shunned.updateUnsafe(1, context),
    refused: labelled(refused, "reason", context),
    stray: () => stray.updateUnsafe(1, context)
  }
})
