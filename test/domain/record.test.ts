import { assert, describe, it } from "@effect/vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Address, OpId } from "../../src/domain/ids.ts"
import { contentBytesMax, controlBytesMax, identityBytesMax, observedMax, targetsMax } from "../../src/domain/limits.ts"
import { comparePlaces, isBefore } from "../../src/domain/membership-fold.ts"
import { dotOf, type Record as Rec, sizeOf } from "../../src/domain/record.ts"
import { encode } from "../../src/domain/wire.ts"
import { aMessage, anIdentity, anOp, aRead, aRecord, Dice, kinds, Seed } from "./records.ts"

describe("what a record takes in memory", () => {
  /** A unit of text is up to three bytes on the wire; hex text in memory is at least as long as its bytes there. */
  const isEnough = (record: Rec) => assert.isAtLeast(sizeOf(record) * 3, encode(record).length)
  const names = Array.from({ length: targetsMax }, (_, i) => Bytes.toHex(new Dice(i).bytes(20)) as Address)

  it.prop("failure 5: is never far below what it takes on the wire, so bounds in it hold", [Seed], ([seed]) => {
    for (const kind of kinds) isEnough(aRecord(kind, new Dice(seed)))
  })

  it("failure 5: grows with every part that an author can make long", () => {
    const dice = new Dice(1)
    const { control: _, ...message } = { ...aMessage(dice), content: "" }
    const { observed: __, ...op } = { ...anOp(dice), targets: [] }
    const long: ReadonlyArray<readonly [empty: Rec, full: Rec, bytes: number]> = [
      [message, { ...message, content: "x".repeat(contentBytesMax) }, contentBytesMax],
      [message, { ...message, control: new Uint8Array(controlBytesMax) }, controlBytesMax],
      // 40 and 104 digits, and what the language takes for each text
      [op, { ...op, targets: names }, targetsMax * 40],
      [op, { ...op, observed: Array.from({ length: observedMax }, () => dotOf(op.id, names[0]!)) }, observedMax * 104]
    ]
    for (const [empty, full, bytes] of long) {
      assert.isAtLeast(sizeOf(full) - sizeOf(empty), bytes)
      isEnough(full)
    }
    isEnough({ ...anIdentity(dice), blob: new Uint8Array(identityBytesMax) })
    for (const record of [message, op, aRead(dice), anIdentity(dice)]) assert.isAtLeast(sizeOf(record), 512)
  })
})

describe("places of ops", () => {
  const at = (hlc: bigint, id: string) => ({ hlc: hlc as never, id: id as OpId })

  it("are ordered by stamp, then by id, and a place is not before itself", () => {
    const ascending = [at(1n, "b"), at(2n, "a"), at(2n, "b"), at(10n, "0")]
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) {
        assert.strictEqual(comparePlaces(a, { ...b }), Math.sign(i - j))
        assert.strictEqual(isBefore(a, { ...b }), i < j)
      }
    }
  })
})
