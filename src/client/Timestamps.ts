/**
 * The times that a client signs with: strictly increasing, and corrected by what a node tells when the client's own
 * clock is wrong (SPEC §3). Two calls never share one, so that no two signatures of a client are equal by accident.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export interface Timestamps {
  /** The next time to sign with, ms since the epoch: now, or one more than the last. */
  readonly next: Effect.Effect<number>
  /** Now, by the corrected clock. */
  readonly now: Effect.Effect<number>
  /** A node said what time it is, and refused all times given out so far: they may go back. */
  correct(nodeMs: number): Effect.Effect<void>
  /** A node said what time it is, and may have used the times given out so far: they do not go back. */
  advance(nodeMs: number): Effect.Effect<void>
  /** By how much the clock of this machine is corrected, ms; positive when it is behind the node's. */
  readonly offsetMs: Effect.Effect<number>
}

export const make = (): Timestamps => {
  let last = 0
  let offset = 0
  const now = Effect.map(Clock.currentTimeMillis, (ms) => ms + offset)
  return {
    next: Effect.map(now, (ms) => last = Math.max(last + 1, ms)),
    now,
    correct: (nodeMs) =>
      Effect.map(Clock.currentTimeMillis, (ms) => {
        offset = nodeMs - ms
        last = Math.min(last, nodeMs)
      }),
    advance: (nodeMs) =>
      Effect.map(Clock.currentTimeMillis, (ms) => {
        offset = Math.max(offset, nodeMs - ms)
      }),
    offsetMs: Effect.sync(() => offset)
  }
}
