import { assert, describe, it } from "@effect/vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Record as Rec } from "../../src/domain/record.ts"
import { cutoffMs, firstKept, isAged } from "../../src/domain/retention.ts"
import { aMessage, anIdentity, anOp, aRead, Dice, Seed } from "./records.ts"

const hour = 3_600_000
const days30 = 30 * 24 * hour
const start = 472_222 * hour

describe("retention", () => {
  it("failure 7: the cutoff is the start of the hour less 30 days, and moves at the hour exactly", () => {
    assert.strictEqual(cutoffMs(start - 1), start - hour - days30)
    assert.strictEqual(cutoffMs(start), start - days30)
    assert.strictEqual(cutoffMs(start + 1), start - days30)
    assert.strictEqual(cutoffMs(start + hour - 1), start - days30)
    assert.strictEqual(cutoffMs(start + hour), start + hour - days30)
    assert.strictEqual(new Date(cutoffMs(start + 1_234_567)).toISOString().slice(14), "00:00.000Z")
  })

  it.prop("never moves back, and keeps between 30 days and 30 days and an hour", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const [a, b] = [start + dice.below(10 * hour), start + dice.below(10 * hour)].sort((x, y) => x - y) as [
      number,
      number
    ]
    assert.isAtMost(cutoffMs(a), cutoffMs(b))
    assert.isAtLeast(a - cutoffMs(a), days30)
    assert.isBelow(a - cutoffMs(a), days30 + hour)
  })

  it("failure 7: a stamp at the cutoff is aged, one ms above it is kept, whatever its counter", () => {
    const cutoff = cutoffMs(start)
    const dice = new Dice(1)
    const at = (record: Rec, ms: number, logical: number): boolean =>
      isAged({ ...record, hlc: Hlc.make(ms, logical) }, cutoff)
    for (const record of [aMessage(dice), aRead(dice)]) {
      for (const logical of [0, 65_535]) {
        assert.isTrue(at(record, cutoff - 1, logical))
        assert.isTrue(at(record, cutoff, logical))
        assert.isFalse(at(record, cutoff + 1, logical))
      }
    }
    for (const record of [anOp(dice), anIdentity(dice)])
      assert.isFalse(at(record, 0, 0), `${record.kind} stays for ever`)
  })

  it("a read mark ages by its own stamp, not by what it has read", () => {
    const cutoff = cutoffMs(start)
    const read = { ...aRead(new Dice(1)), hlc: Hlc.make(cutoff + 1, 0), upTo: Hlc.make(cutoff - 5, 0) }
    assert.isFalse(isAged(read, cutoff))
  })

  it("the first stamp kept is the lowest that is not aged", () => {
    const message = aMessage(new Dice(1))
    const first = firstKept(cutoffMs(start))
    assert.isFalse(isAged({ ...message, hlc: first }, cutoffMs(start)))
    assert.isTrue(isAged({ ...message, hlc: (first - 1n) as Hlc.Hlc }, cutoffMs(start)))
    assert.strictEqual(firstKept(cutoffMs(0)), Hlc.zero)
  })
})
