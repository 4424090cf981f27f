/**
 * What a node counts, in one place. Names are Prometheus names; units are in them. Updates are plain function calls, for
 * paths where an Effect a count would cost more than the work.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Kind, Record } from "../../domain/record.ts"
import { counter, labelled } from "../labelled.ts"

const committed = counter(
  "p2p_mes_records_committed_total",
  "Records committed, by kind, whether or not they took their slot"
)
const refused = counter(
  "p2p_mes_refused_total",
  "Requests refused to protect the node, by reason"
)
const failures = counter(
  "p2p_mes_commit_failures_total",
  "Commits that failed and were tried again"
)
const queued = Metric.gauge("p2p_mes_writer_queued", { description: "Records accepted and not yet committed" })
const batches = Metric.histogram("p2p_mes_commit_batch_records", {
  description: "Records a commit",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]
})
const commitMs = Metric.histogram("p2p_mes_commit_milliseconds", {
  description: "Duration of a commit",
  boundaries: [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000]
})
const requests = counter(
  "p2p_mes_http_requests_total",
  "Answers, by status class"
)
const answerMs = Metric.histogram("p2p_mes_http_milliseconds", {
  description: "From a request to its answer; a stream counts until it begins",
  boundaries: [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000]
})
const inFlight = Metric.gauge("p2p_mes_http_in_flight", { description: "Requests under way" })

export const make = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const countCommitted = labelled(committed, "kind", context)
  const countAnswered = labelled(requests, "status", context)
  return {
    queued: (depth: number) => queued.updateUnsafe(depth, context),
    committed: (records: ReadonlyArray<Record>, ms: number) => {
      const counts = new Map<Kind, number>()
      for (const record of records) counts.set(record.kind, (counts.get(record.kind) ?? 0) + 1)
      for (const [kind, count] of counts) countCommitted(kind, count)
      batches.updateUnsafe(records.length, context)
      commitMs.updateUnsafe(ms, context)
    },
    failed: () => failures.updateUnsafe(1, context),
    refused: labelled(refused, "reason", context),
    answered: (status: number, ms: number) => {
      countAnswered(`${Math.trunc(status / 100)}xx`)
      answerMs.updateUnsafe(ms, context)
    },
    inFlight: (count: number) => inFlight.updateUnsafe(count, context)
  }
})
