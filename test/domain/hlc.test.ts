import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import { driftMsMax, logicalMax } from "../../src/domain/limits.ts"
import { Dice, Seed } from "./records.ts"

const ts = 1_700_000_000_000
const msMax = 2 ** 48 - 1

const aStamp = (dice: Dice): Hlc.Hlc => Hlc.make(ts + dice.below(4), dice.pick([0, 1, 2, logicalMax - 1, logicalMax]))

const anyStamp = (dice: Dice): Hlc.Hlc => Hlc.make(dice.below(2 ** 48), dice.below(logicalMax + 1))

const received = (last: Hlc.Hlc, remote: Hlc.Hlc, wallMs: number): Hlc.Hlc =>
  Result.getOrThrow(Hlc.receive(last, remote, wallMs))

describe("hlc", () => {
  it("packs 48 bits of physical time above 16 bits of counter", () => {
    assert.strictEqual(Hlc.make(1, 2), 0x1_0002n)
    assert.strictEqual(Hlc.make(msMax, logicalMax), 2n ** 64n - 1n)
    assert.strictEqual(Hlc.physicalMs(Hlc.make(msMax, logicalMax)), msMax)
    assert.strictEqual(Hlc.logical(Hlc.make(msMax, logicalMax)), logicalMax)
    assert.strictEqual(Hlc.zero, 0n)
  })

  it.prop("takes apart what it put together", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const ms = dice.below(2 ** 48)
    const counter = dice.below(2 ** 16)
    assert.strictEqual(Hlc.physicalMs(Hlc.make(ms, counter)), ms)
    assert.strictEqual(Hlc.logical(Hlc.make(ms, counter)), counter)
  })

  it.prop("prints 16 lower-case digits, reads them in any case, and nothing else", [Seed], ([seed]) => {
    const hlc = anyStamp(new Dice(seed))
    const text = Hlc.toText(hlc)
    assert.match(text, /^[0-9a-f]{16}$/)
    assert.strictEqual(Result.getOrThrow(Hlc.parse(text)), hlc)
    assert.strictEqual(Result.getOrThrow(Hlc.parse(text.toUpperCase())), hlc)
    for (
      const bad of [`0x${text}`, text.slice(1), `${text}0`, ` ${text}`, `${text.slice(1)}g`, `${text.slice(1)}_`, ""]
    ) {
      assert.isTrue(Result.isFailure(Hlc.parse(bad)), bad)
    }
  })

  it("is ordered by time, then by counter, and a stamp is level with itself", () => {
    const ascending = ([[0, 0], [0, 1], [1, 0], [1, logicalMax], [2, 0], [msMax, logicalMax]] as const)
      .map(([ms, counter]) => Hlc.make(ms, counter))
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) {
        assert.strictEqual(Hlc.compare(a, b), Math.sign(i - j))
        assert.strictEqual(Hlc.max(a, b), ascending[Math.max(i, j)]!)
      }
    }
  })

  it.prop("text order is time order", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const near = dice.coin()
    const a = near ? aStamp(dice) : anyStamp(dice)
    const b = near ? aStamp(dice) : anyStamp(dice)
    assert.strictEqual(Hlc.toText(a) < Hlc.toText(b), a < b)
    assert.strictEqual(Math.sign(Hlc.compare(a, b)), a < b ? -1 : a > b ? 1 : 0)
    assert.strictEqual(Hlc.max(a, b), a > b ? a : b)
  })

  it("send follows the wall clock, counts while it stands or lags, and carries a full counter into the next ms", () => {
    assert.strictEqual(Hlc.send(Hlc.make(ts, 7), ts + 1), Hlc.make(ts + 1, 0))
    assert.strictEqual(Hlc.send(Hlc.make(ts, 7), ts), Hlc.make(ts, 8))
    assert.strictEqual(Hlc.send(Hlc.make(ts, 7), ts - 1_000), Hlc.make(ts, 8))
    assert.strictEqual(Hlc.send(Hlc.make(ts, logicalMax - 1), ts), Hlc.make(ts, logicalMax))
    assert.strictEqual(Hlc.send(Hlc.make(ts, logicalMax), ts), Hlc.make(ts + 1, 0))
    assert.strictEqual(Hlc.send(Hlc.zero, 0), Hlc.make(0, 1))
  })

  it("receive merges: the highest time, and a counter above those that share it", () => {
    assert.strictEqual(received(Hlc.make(ts, 3), Hlc.make(ts, 9), ts), Hlc.make(ts, 10))
    assert.strictEqual(received(Hlc.make(ts, 9), Hlc.make(ts, 3), ts), Hlc.make(ts, 10))
    assert.strictEqual(received(Hlc.make(ts, 3), Hlc.make(ts + 5, 9), ts), Hlc.make(ts + 5, 10))
    assert.strictEqual(received(Hlc.make(ts + 5, 3), Hlc.make(ts, 9), ts), Hlc.make(ts + 5, 4))
    assert.strictEqual(received(Hlc.make(ts, 3), Hlc.make(ts, 9), ts + 5), Hlc.make(ts + 5, 0))
    assert.strictEqual(received(Hlc.make(ts, 3), Hlc.make(ts, logicalMax), ts), Hlc.make(ts + 1, 0))
  })

  it("failure 7: a stamp 59 999 or 60 000 ms ahead is taken, one 60 001 ms ahead is early and moves nothing", () => {
    assert.strictEqual(driftMsMax, 60_000)
    for (const logical of [0, logicalMax]) {
      assert.isFalse(Hlc.isEarly(Hlc.make(ts + 59_999, logical), ts))
      assert.isFalse(Hlc.isEarly(Hlc.make(ts + 60_000, logical), ts))
      assert.isTrue(Hlc.isEarly(Hlc.make(ts + 60_001, logical), ts))
    }
    assert.strictEqual(received(Hlc.make(ts, 3), Hlc.make(ts + 60_000, 1), ts), Hlc.make(ts + 60_000, 2))
    const early = Hlc.receive(Hlc.make(ts, 3), Hlc.make(ts + 60_001, 1), ts)
    assert.isTrue(Result.isFailure(early))
    if (Result.isFailure(early)) {
      assert.strictEqual(early.failure._tag, "DriftExceeded")
      assert.deepStrictEqual([early.failure.remoteMs, early.failure.localMs], [ts + 60_001, ts])
      assert.include(early.failure.message, "60001 ms ahead")
    }
    // the own last stamp may be further ahead than that: what counts is the distance of the remote one to the wall
    assert.isTrue(Result.isFailure(Hlc.receive(Hlc.make(ts + 90_000, 0), Hlc.make(ts + 60_001, 0), ts)))
  })

  it("failure 6: a stamp from the far future or the far past does not disturb the clock", () => {
    assert.isTrue(Result.isFailure(Hlc.receive(Hlc.make(ts, 3), Hlc.make(msMax, logicalMax), ts)))
    assert.strictEqual(received(Hlc.make(ts, 3), Hlc.zero, ts), Hlc.make(ts, 4))
  })

  it.prop("is monotone and bounded over any run of sends and receives", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    let last = aStamp(dice)
    let highest = Hlc.max(last, Hlc.make(ts, 0))
    for (let step = 1; step <= 60; step++) {
      const wallMs = ts + dice.below(6) - 2
      if (dice.coin()) {
        const stamp = Hlc.send(last, wallMs)
        assert.isTrue(stamp > last, "above the last")
        assert.isAtLeast(Hlc.physicalMs(stamp), wallMs)
        highest = Hlc.max(highest, Hlc.make(wallMs, 0))
        last = stamp
      } else {
        const remote = dice.below(8) === 0 ? Hlc.make(wallMs + driftMsMax + 1 + dice.below(9), 0) : aStamp(dice)
        const merged = Hlc.receive(last, remote, wallMs)
        assert.strictEqual(Result.isFailure(merged), Hlc.isEarly(remote, wallMs))
        if (Result.isSuccess(merged)) {
          assert.isTrue(merged.success > last, "above the last")
          assert.isTrue(merged.success > remote, "above every stamp received")
          assert.isAtLeast(Hlc.physicalMs(merged.success), wallMs)
          highest = Hlc.max(highest, Hlc.max(remote, Hlc.make(wallMs, 0)))
          last = merged.success
        }
      }
      // each step adds at most one tick of the counter, or a carry into the next ms when it is full
      assert.isAtMost(Hlc.physicalMs(last), Hlc.physicalMs(highest) + 1)
    }
  })

  it.prop("one step is never more than one logical overflow ahead of the greatest of its inputs", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const last = aStamp(dice)
    const remote = aStamp(dice)
    const wallMs = ts + dice.below(4)
    const above = (inputs: ReadonlyArray<Hlc.Hlc>, out: Hlc.Hlc) => {
      const greatest = inputs.reduce(Hlc.max)
      return out === greatest || out === greatest + 1n
    }
    assert.isTrue(above([last, Hlc.make(wallMs, 0)], Hlc.send(last, wallMs)))
    assert.isTrue(above([last, remote, Hlc.make(wallMs, 0)], received(last, remote, wallMs)))
  })
})
