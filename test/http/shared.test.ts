/** Answers that are shared for a while. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { shared } from "../../src/layers/http/shared.ts"

describe("a shared answer", () => {
  it.effect("is asked for once in a while, also by many at once", () =>
    Effect.gen(function*() {
      let asked = 0
      const ask = yield* shared(Effect.delay(Effect.sync(() => ++asked), 50), 1_000)
      const many = yield* Effect.forkChild(Effect.all([ask, ask, ask], { concurrency: 3 }))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* Fiber.join(many), [1, 1, 1])
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* ask, 1)
      yield* TestClock.adjust(1)
      const later = yield* Effect.forkChild(ask)
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(later), 2)
    }))

  it.effect("does not stay when the wall clock is set back", () =>
    Effect.gen(function*() {
      let asked = 0
      const clock = yield* Clock.Clock
      let steadyMs = 0
      const stepped = { ...clock, monotonicTimeNanosUnsafe: () => BigInt(steadyMs) * 1_000_000n }
      const ask = yield* shared(Effect.sync(() => ++asked), 1_000).pipe(Effect.provideService(Clock.Clock, stepped))
      yield* TestClock.setTime(1_900_000_000_000)
      assert.strictEqual(yield* ask, 1)
      yield* TestClock.setTime(1_899_999_000_000)
      steadyMs = 1_000
      assert.strictEqual(yield* ask, 2)
    }))

  it.effect("comes to the others when the first one hangs up", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const ask = yield* shared(Effect.as(Deferred.await(gate), "here"), 1_000)
      const first = yield* Effect.forkChild(ask, { startImmediately: true })
      const second = yield* Effect.forkChild(ask, { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(second), "here")
    }))
})
