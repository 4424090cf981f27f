/** What is counted about streams of events. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { counter, labelled } from "../labelled.ts"
import * as NodeMetrics from "./metrics.ts"

const streams = Metric.gauge("p2p_mes_event_streams", { description: "Streams of events that are open" })
const events = counter("p2p_mes_events_told_total", "Events handed to streams, by type")
const behind = counter(
  "p2p_mes_event_streams_behind_total",
  "How often a stream had to read from the store what it missed, by why"
)
const resets = counter("p2p_mes_event_resets_total", "Streams that were told to read anew, by reason")

export const make = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const { refused } = yield* NodeMetrics.make
  return {
    streams: (count: number) => streams.updateUnsafe(count, context),
    told: labelled(events, "type", context),
    behind: labelled(behind, "why", context),
    reset: labelled(resets, "reason", context),
    refused
  }
})
