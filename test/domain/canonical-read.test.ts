/** The way straight along canonical bytes: it takes what the general decoder takes, and nothing else. */
import { assert, describe, it } from "@effect/vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import { Cursor, readRecord } from "../../src/domain/canonical-read.ts"
import type { Kind } from "../../src/domain/record.ts"
import * as Wire from "../../src/domain/wire.ts"
import { aRecord, Dice, hashes, kinds, Seed } from "./records.ts"

const read = (kind: Kind, bytes: Uint8Array) => {
  const cursor = new Cursor(bytes)
  const found = readRecord(hashes, kind, cursor)
  return cursor.done ? found : undefined
}

/** The same bytes with one changed, put in or left out: often one that makes another head. */
const mutated = (dice: Dice, bytes: Uint8Array): Uint8Array => {
  const at = dice.below(bytes.length)
  const heads = [0x17, 0x18, 0x19, 0x1a, 0x1b, 0x40, 0x58, 0x60, 0x78, 0x80, 0xa7, 0xa9, 0xff]
  const put = Uint8Array.of(dice.pick([dice.pick(heads), bytes[at]! ^ 1, bytes[at]! + 1, dice.below(256)]))
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + 1)]
  return Bytes.concat(dice.pick([[before, put, after], [before, put, bytes.subarray(at)], [before, after]]))
}

describe("canonical reading", () => {
  it.prop("gives the record, and keeps nothing of what it came in", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const record = aRecord(kind, dice)
      const bytes = Wire.encode(record)
      const frame = new Uint8Array(bytes.length + 10)
      frame.set(bytes, 5)
      const found = read(kind, frame.subarray(5, 5 + bytes.length))
      frame.fill(0)
      assert.deepStrictEqual(found, record)
    }
  })

  it.prop("takes no record that is cut, and none with more behind it", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const bytes = Wire.encode(aRecord(kind, dice))
      for (let at = 0; at < bytes.length; at++) assert.isUndefined(read(kind, bytes.subarray(0, at)))
      assert.isUndefined(read(kind, Bytes.concat([bytes, Uint8Array.of(0)])))
    }
  })

  it.prop("judges as the general decoder does, whatever was changed", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const bytes = Wire.encode(aRecord(kind, dice))
      for (let i = 0; i < 8; i++) {
        const changed = mutated(dice, bytes)
        assert.deepStrictEqual(Wire.decode(hashes, kind, changed), Wire.decodeStrictly(hashes, kind, changed))
      }
    }
  })
})
