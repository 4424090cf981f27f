/** What the Merkle trees tell about themselves. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { counter } from "../labelled.ts"

const rebuilds = counter(
  "p2p_mes_tree_rebuilds_total",
  "Times the Merkle trees were dropped and built anew"
)
const behind = Metric.gauge("p2p_mes_tree_horizon_behind_milliseconds", {
  description: "How far the newest horizon of the trees is behind the wall clock"
})
const changes = Metric.gauge("p2p_mes_tree_changes_held", {
  description: "Leaf changes held because they are above the newest horizon or may have to be undone"
})

export const make = Effect.map(Effect.context<never>(), (context) => ({
  rebuilt: () => rebuilds.updateUnsafe(1, context),
  moved: (behindMs: number, held: number) => {
    behind.updateUnsafe(behindMs, context)
    changes.updateUnsafe(held, context)
  }
}))
