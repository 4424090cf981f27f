import { assert, describe, it } from "@effect/vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address } from "../../src/domain/ids.ts"
import { unreadMax } from "../../src/domain/limits.ts"
import { type Counted, countShown, effectiveMark, unread, unreadScanMax } from "../../src/domain/unread.ts"

const address = (n: number): Address => n.toString(16).padStart(40, "0") as Address
const counted = (sender: number, count: number, first: number, last: number): Counted => ({
  sender: address(sender),
  count,
  first: Hlc.make(first, 0),
  last: Hlc.make(last, 0)
})

describe("unread (SPEC §5.3)", () => {
  it("the effective mark is the higher of mark and joining", () => {
    const [low, high] = [Hlc.make(5, 1), Hlc.make(5, 2)]
    assert.strictEqual(effectiveMark(undefined, undefined), Hlc.zero)
    assert.strictEqual(effectiveMark(low, undefined), low)
    assert.strictEqual(effectiveMark(undefined, low), low)
    assert.strictEqual(effectiveMark(low, high), high)
    assert.strictEqual(effectiveMark(high, low), high)
  })

  it("is capped just above the cap, and a scan sees that far", () => {
    assert.deepStrictEqual(unread(0), { unread: 0, capped: false })
    assert.deepStrictEqual(unread(unreadMax), { unread: 999, capped: false })
    assert.deepStrictEqual(unread(unreadMax + 1), { unread: 999, capped: true })
    assert.isTrue(unread(unreadScanMax).capped)
    assert.isFalse(unread(unreadScanMax - 1).capped)
  })

  it("counts are believed only when every sender was a member throughout", () => {
    const counts = [counted(1, 3, 10, 20), counted(2, 4, 5, 30)]
    assert.strictEqual(countShown([], () => false), 0)
    assert.strictEqual(countShown(counts, () => true), 7)
    const until = (end: number) => (_: Address, from: Hlc.Hlc, to: Hlc.Hlc) =>
      Hlc.make(5, 0) <= from && to <= Hlc.make(end, 0)
    assert.strictEqual(countShown(counts, until(30)), 7)
    assert.strictEqual(countShown(counts, until(29)), "look closer")
    assert.strictEqual(countShown(counts, (sender) => sender !== address(2)), "look closer")
  })
})
