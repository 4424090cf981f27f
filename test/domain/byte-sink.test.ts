/** Bytes put together in one buffer are those of the pieces joined, whatever was in the buffer before. */
import { assert, describe, it } from "@effect/vitest"
import { ByteSink } from "../../src/domain/byte-sink.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import { Dice, Seed } from "./records.ts"

const texts = ["", "a", "hällo", "😀".repeat(9), "x".repeat(300)]

/** One way to put a piece into a sink, and the same piece alone. */
const piece = (dice: Dice): readonly [put: (sink: ByteSink) => void, alone: Uint8Array] => {
  const bytes = dice.bytes(dice.below(40))
  const text = dice.pick(texts)
  const word = dice.word()
  const number = word * 2 ** 21 + dice.below(2 ** 21)
  const stamp = (BigInt(word) << 32n) | BigInt(dice.word())
  switch (dice.below(9)) {
    case 0:
      return [(sink) => sink.u8(word & 0xff), Bytes.u8(word & 0xff)]
    case 1:
      return [(sink) => sink.u16be(word & 0xffff), Bytes.u16be(word & 0xffff)]
    case 2:
      return [(sink) => sink.u32be(word), Bytes.u32be(word)]
    case 3:
      return [(sink) => sink.u64be(number), Bytes.u64be(number)]
    case 4:
      return [(sink) => sink.u64be(stamp), Bytes.u64be(stamp)]
    case 5:
      return [(sink) => sink.bytes(bytes), bytes]
    case 6:
      return [(sink) => sink.hex(Bytes.toHex(bytes)), bytes]
    case 7:
      return [(sink) => sink.lengthAndText(4, text), Bytes.len32(Bytes.fromText(text))]
    default:
      return [
        (sink) => sink.lengthAndText(2, text),
        Bytes.concat([Bytes.u16be(Bytes.fromText(text).length), Bytes.fromText(text)])
      ]
  }
}

describe("a byte sink", () => {
  it.prop("holds the pieces joined, also when it had to grow", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const sink = new ByteSink(1)
    for (let use = 0; use < 3; use++) {
      const pieces = Array.from({ length: dice.below(12) }, () => piece(dice))
      sink.begin()
      for (const [put] of pieces) put(sink)
      const joined = Bytes.concat(pieces.map(([, alone]) => alone))
      assert.deepStrictEqual(sink.copy(), joined)
      assert.isTrue(Bytes.equal(sink.view(), joined))
    }
  })

  it("takes no hex that is none", () => {
    assert.throws(() => new ByteSink(8).begin().hex("zz"))
  })

  it("keeps little of the room that one large use took", () => {
    const sink = new ByteSink(1_024)
    assert.strictEqual(sink.begin().bytes(new Uint8Array(1_000_000)).view().length, 1_000_000)
    assert.isAtMost(sink.begin().u8(1).room, 4 * 1_024)
    assert.deepStrictEqual(sink.view(), Uint8Array.of(1))
  })
})
