/** The client's times: strictly increasing, and right even when its clock is not (FAILURES 8). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Timestamps from "../../src/client/Timestamps.ts"

describe("timestamps", () => {
  it.effect("a refusal that tells the time brings a slow clock forward, and never repeats a time", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      const timestamps = Timestamps.make()
      const used = [yield* timestamps.next, yield* timestamps.next]
      yield* timestamps.advance(1_010_000)
      const after = yield* timestamps.next
      assert.isAtLeast(after, 1_010_000)
      assert.isTrue(used.every((each) => each < after))
      // a node that is behind does not bring times back that may have been used
      yield* timestamps.advance(900_000)
      assert.isAbove(yield* timestamps.next, after)
    }))

  it.effect("a clock that is ahead is set back, because nothing it signed was taken", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(5_000_000)
      const timestamps = Timestamps.make()
      yield* timestamps.next
      yield* timestamps.correct(1_000_000)
      const corrected = yield* timestamps.next
      assert.isAtLeast(corrected, 1_000_000)
      assert.isBelow(corrected, 1_000_100)
    }))
})
