/**
 * One answer for all who ask within a while. Like `Effect.cachedWithTTL`, but by the steady clock: when the wall clock is set
 * back, an answer by that clock would stay for as long, and hide just what an operator looks for then.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** Runs `effect` at most once at a time, and once in `ms` after it ended; a failure is shared as well. */
export const shared = <A, E, R>(effect: Effect.Effect<A, E, R>, ms: number): Effect.Effect<Effect.Effect<A, E, R>> =>
  Effect.map(Clock.Clock, (clock) => {
    const steadyMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
    let answer: Effect.Effect<A, E, R> | undefined
    let untilMs = 0
    return Effect.suspend(() => {
      if (answer !== undefined && steadyMs() < untilMs) return answer
      untilMs = Number.POSITIVE_INFINITY
      const ended = Effect.ensuring(
        effect,
        Effect.sync(() => {
          untilMs = steadyMs() + ms
        })
      )
      // a fiber of its own: who asked first may hang up, and the others still wait
      return Effect.flatMap(Effect.forkDetach(ended), (fiber) => answer = Fiber.join(fiber))
    })
  })
