/**
 * What counters tell over a while: increases, rates, quantiles. Counters start at zero with the node: one that went down
 * belongs to a node that was started anew, and all it shows has been counted since.
 */
import type { Bucket } from "./prometheus.ts"

/** How much a counter grew from one reading to a later one. */
export const increase = (before: number, after: number): number => after >= before ? after - before : after

/** How much a counter grew over a row of readings, restarts of the node among them or not. */
export const increaseOver = (readings: ReadonlyArray<number>): number =>
  readings.reduce((sum, each, i) => i === 0 ? 0 : sum + increase(readings[i - 1]!, each), 0)

const observations = (buckets: ReadonlyArray<Bucket>): number => buckets.at(-1)?.count ?? 0

/** What a histogram took in over a row of readings: buckets as in one reading, from zero. */
export const bucketsOver = (readings: ReadonlyArray<ReadonlyArray<Bucket>>): ReadonlyArray<Bucket> => {
  const sums = new Map<number, number>()
  readings.slice(1).forEach((after, i) => {
    const before = new Map(readings[i]!.map(({ count, le }) => [le, count]))
    // a bucket alone may stand still through a restart: the whole histogram tells
    const isAnew = observations(after) < observations(readings[i]!)
    for (const { count, le } of after) {
      sums.set(le, (sums.get(le) ?? 0) + (isAnew ? count : increase(before.get(le) ?? 0, count)))
    }
  })
  return [...sums].map(([le, count]) => ({ le, count })).sort((a, b) => a.le - b.le)
}

/**
 * The value that a share `q` (0 to 1) of the observations does not exceed, as if they lay evenly between the bounds of their
 * bucket. In the last bucket, which has no upper bound, it is the lower one: at least that. Undefined without observations.
 */
export const quantile = (buckets: ReadonlyArray<Bucket>, q: number): number | undefined => {
  const all = observations(buckets)
  if (all === 0) return undefined
  const rank = q * all
  const index = buckets.findIndex(({ count }) => count >= rank && count > 0)
  const { count, le } = buckets[index]!
  const below = buckets[index - 1] ?? { le: 0, count: 0 }
  if (le === Infinity) return below.le
  const inside = count - below.count
  return inside === 0 ? le : below.le + (le - below.le) * ((rank - below.count) / inside)
}
