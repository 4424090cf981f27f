/** How late the event loop is: a timer that should fire every 50 ms tells how long each time it had to wait. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

const everyMs = 50

const delayMs = Metric.histogram("p2p_mes_event_loop_delay_milliseconds", {
  description: `How late a timer of ${everyMs} ms fired: what every request waits for`,
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]
})

export const layer = Layer.effectDiscard(Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      let dueMs = performance.now() + everyMs
      return setInterval(() => {
        const now = performance.now()
        delayMs.updateUnsafe(Math.max(0, now - dueMs), context)
        dueMs = now + everyMs
      }, everyMs).unref()
    }),
    (timer) => Effect.sync(() => clearInterval(timer))
  )
}))
