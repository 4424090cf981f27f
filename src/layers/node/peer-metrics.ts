/** What a node counts of its dealings with peers: intake, gossip, clocks. In the manner of `metrics.ts`. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { counter, labelled } from "../labelled.ts"

const judged = counter("p2p_mes_intake_records_total", "Records that peers brought, by what became of them")
const waitingDropped = counter(
  "p2p_mes_intake_waiting_dropped_total",
  "Records dropped while they waited for their time or a prerequisite, by reason"
)
const waiting = Metric.gauge("p2p_mes_intake_waiting", {
  description: "Records that wait for their time or a prerequisite"
})
const waitingBytes = Metric.gauge("p2p_mes_intake_waiting_bytes", { description: "Memory of what waits, roughly" })
const received = counter("p2p_mes_gossip_received_total", "Messages of gossip that came, by verdict")
const published = counter("p2p_mes_gossip_published_total", "Messages of gossip sent out, by how it went")
const publishedRecords = counter("p2p_mes_gossip_published_records_total", "Records in messages that were sent out")
const outboxDropped = counter("p2p_mes_gossip_dropped_total", "Records that found no room in the queue to be announced")
const outbox = Metric.gauge("p2p_mes_gossip_queued", { description: "Records that wait to be announced" })
const offset = Metric.gauge("p2p_mes_clock_offset_milliseconds", {
  description: "Median of the peers' wall clocks less this node's"
})
const clockPeers = Metric.gauge("p2p_mes_clock_peers", { description: "Peers whose clocks are compared" })
const clockOff = Metric.gauge("p2p_mes_clock_off", {
  description: "1 while this node's clock is off and it takes no writes"
})

export type Outcome = "delivered" | "unheard" | "failed"

export const make = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const countDropped = labelled(waitingDropped, "reason", context)
  const countPublished = labelled(published, "outcome", context)
  return {
    judged: labelled(judged, "judgement", context),
    waitingDropped: (reason: "full" | "expired" | "far" | "peer-gone", records: number) => {
      if (records > 0) countDropped(reason, records)
    },
    waiting: (records: number, bytes: number) => {
      waiting.updateUnsafe(records, context)
      waitingBytes.updateUnsafe(bytes, context)
    },
    received: labelled(received, "verdict", context),
    published: (outcome: Outcome, records: number) => {
      countPublished(outcome)
      if (outcome === "delivered") publishedRecords.updateUnsafe(records, context)
    },
    outboxDropped: (records: number) => outboxDropped.updateUnsafe(records, context),
    outbox: (records: number) => outbox.updateUnsafe(records, context),
    clock: (medianMs: number, peers: number, off: boolean) => {
      offset.updateUnsafe(medianMs, context)
      clockPeers.updateUnsafe(peers, context)
      clockOff.updateUnsafe(off ? 1 : 0, context)
    }
  }
})
