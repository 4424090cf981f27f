/** How many requests a node works on at once (SPEC §10), whichever way they are answered. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { IngestLimits } from "../../domain/limits.ts"
import { Overloaded } from "../../domain/refusal.ts"
import * as Metrics from "../node/metrics.ts"

export class InFlight extends Context.Service<InFlight, {
  /** Takes a place, to be given back with `leave`; false when there is none. */
  enter(): boolean
  leave(): void
  /** What a request without a place is answered. */
  refuse(): Overloaded
}>()("p2p-mes/layers/http/InFlight") {}

export const layer = (limits: IngestLimits) =>
  Layer.effect(
    InFlight,
    Effect.map(Metrics.make, (metrics) => {
      let count = 0
      return InFlight.of({
        enter: () => {
          if (count >= limits.inFlightMax) return false
          metrics.inFlight(++count)
          return true
        },
        leave: () => metrics.inFlight(--count),
        refuse: () => {
          metrics.refused("in-flight")
          return new Overloaded({
            reason: "in-flight",
            message: `this node already works on ${limits.inFlightMax} requests; try again`,
            retry_after: 1
          })
        }
      })
    })
  )
