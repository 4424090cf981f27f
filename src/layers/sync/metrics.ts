/** What sync counts. Updates are plain calls, as in `layers/node/metrics.ts`. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Round } from "../../services/Sync.ts"

const rounds = Metric.counter("p2p_mes_sync_rounds_total", {
  description: "Rounds of sync, by result, whoever began",
  incremental: true
})
const records = Metric.counter("p2p_mes_sync_records_total", {
  description: "Records that sync brought (pulled) or sent (pushed)",
  incremental: true
})
const bytes = Metric.counter("p2p_mes_sync_bytes_total", {
  description: "Bytes of sync frames, both ways",
  incremental: true
})
const shunned = Metric.counter("p2p_mes_peers_shunned_total", {
  description: "Peers dropped for a while because they misbehaved",
  incremental: true
})

export const make = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const add = (metric: Metric.Counter<number>, labels: { readonly [name: string]: string }, count: number): void =>
    Metric.withAttributes(metric, labels).updateUnsafe(count, context)
  return {
    round: ({ bytes: length, pulled, pushed, result }: Round): void => {
      add(rounds, { result }, 1)
      if (pulled > 0) add(records, { way: "pulled" }, pulled)
      if (pushed > 0) add(records, { way: "pushed" }, pushed)
      bytes.updateUnsafe(length, context)
    },
    shunned: () => shunned.updateUnsafe(1, context)
  }
})
