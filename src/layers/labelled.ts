/** Counters with a label, counted by plain calls: each value's series is looked up once. */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"

/** A counter that only goes up. */
export const counter = (name: string, description: string): Metric.Counter<number> =>
  Metric.counter(name, { description, incremental: true })

/** Counts under a value of `label`. Values are few and the program's own, never a stranger's. */
export const labelled = (metric: Metric.Counter<number>, label: string, context: Context.Context<never>) => {
  const series = new Map<string, Metric.Counter<number>>()
  return (value: string, by = 1): void => {
    let found = series.get(value)
    if (found === undefined) series.set(value, found = Metric.withAttributes(metric, { [label]: value }))
    found.updateUnsafe(by, context)
  }
}
