/** What the collector tells about itself. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Collected } from "../../services/Store.ts"

const collected = Metric.counter("p2p_mes_collected_total", {
  description: "Aged records deleted, by kind",
  incremental: true
})
const failures = Metric.counter("p2p_mes_collect_failures_total", {
  description: "Steps of the collector that failed and were tried again",
  incremental: true
})
const chunkMs = Metric.histogram("p2p_mes_collect_chunk_milliseconds", {
  description: "Duration of one step of the collector",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000]
})
const unused = Metric.gauge("p2p_mes_unused_pages", { description: "Pages of the database that hold nothing" })
const held = Metric.gauge("p2p_mes_collector_held", {
  description: "1 while nothing is collected because the clock is off"
})

export const make = Effect.map(Effect.context<never>(), (context) => {
  const messages = Metric.withAttributes(collected, { kind: "message" })
  const reads = Metric.withAttributes(collected, { kind: "read" })
  return {
    collected: (counts: Collected, ms: number) => {
      messages.updateUnsafe(counts.messages, context)
      reads.updateUnsafe(counts.reads, context)
      chunkMs.updateUnsafe(ms, context)
    },
    failed: () => failures.updateUnsafe(1, context),
    unused: (pages: number) => unused.updateUnsafe(pages, context),
    held: (off: boolean) => held.updateUnsafe(off ? 1 : 0, context)
  }
})
