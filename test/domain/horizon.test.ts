import { assert, describe, it } from "@effect/vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Horizon from "../../src/domain/horizon.ts"
import { horizonStepMs } from "../../src/domain/limits.ts"
import { Dice, Seed } from "./records.ts"

const hour = 3_600_000
const start = 500_000 * hour

describe("horizon", () => {
  it("failure 7: is 10 s behind the wall clock, and moves at the step exactly", () => {
    assert.strictEqual(Horizon.horizonMs(start + 10_000), start)
    assert.strictEqual(Horizon.horizonMs(start + 14_999), start)
    assert.strictEqual(Horizon.horizonMs(start + 15_000), start + 5_000)
    assert.strictEqual(Horizon.horizonMs(start + 9_999), start - 5_000)
    assert.strictEqual(Horizon.horizonMs(3), 0)
  })

  it("failure 7: 18 are answered, steps only, none above the newest", () => {
    const answered = (ms: number) => Horizon.isAnswered(ms, start)
    assert.isTrue(answered(start) && answered(start - 85_000))
    for (const ms of [start + 5_000, start - 90_000, start - 1, start - 2_500, NaN, -Infinity, 0.5]) {
      assert.isFalse(answered(ms), `${ms - start}`)
    }
    assert.strictEqual(Horizon.oldestMs(start), start - 85_000)
  })

  it.prop("a stamp is seen first by the lowest horizon at or above it", [Seed], ([seed]) => {
    const ms = new Dice(seed).word()
    const first = Horizon.seenFromMs(ms)
    const stamp = Hlc.make(ms, 0xffff)
    assert.strictEqual(first % horizonStepMs, 0)
    assert.isTrue(stamp <= Horizon.spanAt(first).ceiling)
    if (first > 0) assert.isTrue(stamp > Horizon.spanAt(first - horizonStepMs).ceiling)
  })

  it("failure 7: a span begins above the cutoff of its own hour, to the ms", () => {
    const before = Horizon.spanAt(start - 5_000)
    const after = Horizon.spanAt(start)
    assert.strictEqual(after.floor, Hlc.make(start - 720 * hour, 0xffff))
    assert.strictEqual(before.floor, Hlc.make(start - 721 * hour, 0xffff))
    assert.strictEqual(after.ceiling, Hlc.make(start, 0xffff))
    assert.strictEqual(Horizon.floorMs(start + hour - 5_000), start - 720 * hour)
    assert.strictEqual(Horizon.nextTurnMs(start), start + hour)
    assert.strictEqual(Horizon.nextTurnMs(start - 5_000), start)
    assert.strictEqual(Horizon.floorMs(5_000), 0)
  })
})
