/**
 * What a node counts, in one place. Names are Prometheus names; units are in them. Updates are plain function calls, for
 * paths where an Effect a count would cost more than the work.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Kind, Record } from "../../domain/record.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

const committed = Metric.counter("p2p_mes_records_committed_total", {
  description: "Records committed, by kind, whether or not they took their slot",
  incremental: true
})
const refused = Metric.counter("p2p_mes_refused_total", {
  description: "Requests refused to protect the node, by reason",
  incremental: true
})
const failures = Metric.counter("p2p_mes_commit_failures_total", {
  description: "Commits that failed and were tried again",
  incremental: true
})
const queued = Metric.gauge("p2p_mes_writer_queued", { description: "Records accepted and not yet committed" })
const batches = Metric.histogram("p2p_mes_commit_batch_records", {
  description: "Records a commit",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]
})
const commitMs = Metric.histogram("p2p_mes_commit_milliseconds", {
  description: "Duration of a commit",
  boundaries: [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000]
})
const requests = Metric.counter("p2p_mes_http_requests_total", {
  description: "Answers, by status class",
  incremental: true
})
const inFlight = Metric.gauge("p2p_mes_http_in_flight", { description: "Requests under way" })

export const make = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const byKind = new Map(kinds.map((kind) => [kind, Metric.withAttributes(committed, { kind })]))
  const byReason = new Map<string, typeof refused>()
  const byStatus = new Map<string, typeof requests>()
  const labelled = (
    cache: Map<string, typeof refused>,
    metric: typeof refused,
    label: string,
    value: string
  ): typeof refused => {
    let found = cache.get(value)
    if (found === undefined) cache.set(value, found = Metric.withAttributes(metric, { [label]: value }))
    return found
  }
  return {
    queued: (depth: number) => queued.updateUnsafe(depth, context),
    committed: (records: ReadonlyArray<Record>, ms: number) => {
      const counts = new Map<Kind, number>()
      for (const record of records) counts.set(record.kind, (counts.get(record.kind) ?? 0) + 1)
      for (const [kind, count] of counts) byKind.get(kind)!.updateUnsafe(count, context)
      batches.updateUnsafe(records.length, context)
      commitMs.updateUnsafe(ms, context)
    },
    failed: () => failures.updateUnsafe(1, context),
    refused: (reason: string) => labelled(byReason, refused, "reason", reason).updateUnsafe(1, context),
    answered: (status: number) =>
      labelled(byStatus, requests, "status", `${Math.trunc(status / 100)}xx`).updateUnsafe(1, context),
    inFlight: (count: number) => inFlight.updateUnsafe(count, context)
  }
})
