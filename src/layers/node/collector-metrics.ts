/** What the collector tells about itself. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Collected } from "../../services/Store.ts"
import { counter, labelled } from "../labelled.ts"

const collected = counter(
  "p2p_mes_collected_total",
  "Aged records deleted, by kind"
)
const failures = counter(
  "p2p_mes_collect_failures_total",
  "Steps of the collector that failed and were tried again"
)
const chunkMs = Metric.histogram("p2p_mes_collect_chunk_milliseconds", {
  description: "Duration of one step of the collector",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000]
})
const unused = Metric.gauge("p2p_mes_unused_pages", { description: "Pages of the database that hold nothing" })
const held = Metric.gauge("p2p_mes_collector_held", {
  description: "1 while nothing is collected because the clock is off"
})

export const make = Effect.map(Effect.context<never>(), (context) => {
  const countCollected = labelled(collected, "kind", context)
  return {
    collected: (counts: Collected, ms: number) => {
      countCollected("message", counts.messages)
      countCollected("read", counts.reads)
      chunkMs.updateUnsafe(ms, context)
    },
    failed: () => failures.updateUnsafe(1, context),
    unused: (pages: number) => unused.updateUnsafe(pages, context),
    held: (off: boolean) => held.updateUnsafe(off ? 1 : 0, context)
  }
})
