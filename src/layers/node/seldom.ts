/**
 * Log lines about faults that may come with every message of a peer: one in a while, or the log fills the disk
 * (FAILURES 4). How often they come, metrics say.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Between two lines of one kind. */
const lineMs = 60_000

/** Runs what it is given, unless it ran something a short while ago. */
export const make = (): (log: Effect.Effect<void>) => Effect.Effect<void> => {
  let lastMs = -Infinity
  return (log) =>
    Effect.flatMap(Clock.monotonicTimeNanos, (nanos) => {
      const nowMs = Number(nanos / 1_000_000n)
      if (nowMs - lastMs < lineMs) return Effect.void
      lastMs = nowMs
      return log
    })
}
