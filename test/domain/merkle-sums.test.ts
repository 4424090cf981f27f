import { assert, describe, it } from "@effect/vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Sums from "../../src/domain/merkle-sums.ts"
import { LeafSums } from "../../src/layers/store/leaf-sums.ts"
import { digestOf, items, runs, size } from "./merkle-model.ts"
import { Dice, Seed } from "./records.ts"

const toBig = (bytes: Uint8Array): bigint => BigInt(`0x${Bytes.toHex(bytes)}`)
const fromBig = (value: bigint): Uint8Array => Bytes.fromHex(BigInt.asUintN(256, value).toString(16).padStart(64, "0"))

/** Of words where carries go wrong, and others. */
const aSum = (dice: Dice): bigint =>
  Array.from(
    { length: 8 },
    () => dice.pick([0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, dice.below(2 ** 31)])
  )
    .reduce((sum, word) => (sum << 32n) | BigInt(word), 0n)

describe("sums of digests", () => {
  it.prop("are those of big integers modulo 2^256", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (let i = 0; i < 20; i++) {
      const [a, b] = [aSum(dice), aSum(dice)]
      // not at the beginning, and nothing beside it changes
      const words = new Uint32Array(24).fill(7)
      const other = new Uint32Array(16)
      words.set(Sums.wordsOf(fromBig(a)), 8)
      other.set(Sums.wordsOf(fromBig(b)), 8)
      const value = () => toBig(Sums.bytesOf(words, 8))
      assert.strictEqual(value(), a)
      Sums.add(words, 8, other, 8)
      assert.strictEqual(value(), BigInt.asUintN(256, a + b))
      Sums.subtract(words, 8, other, 8)
      assert.strictEqual(value(), a)
      Sums.subtract(words, 8, other, 8)
      assert.strictEqual(value(), BigInt.asUintN(256, a - b))
      assert.isTrue([...words.subarray(0, 8), ...words.subarray(16)].every((word) => word === 7))
    }
  }, runs(100))

  it.prop("of leaves come by bucket, ascending, those of the range", [Seed, size(0, 60)], ([seed, count]) => {
    const dice = new Dice(seed)
    const set = items(dice, count, dice.pick([64, 65_536]))
    const [from, to] = dice.pick([[0, 65_536], [1_024, 2_048], [0x8000, 0x8001], [5, 5]])
    const sums = new LeafSums(from, to)
    for (const { bucket, digest } of set) sums.add(bucket, digest)
    const expected = [...Map.groupBy(set, ({ bucket }) => bucket)]
      .filter(([bucket]) => bucket >= from && bucket < to)
      .sort(([a], [b]) => a - b)
      .map(([bucket, held]) => ({
        bucket,
        sum: fromBig(held.reduce((sum, { digest }) => sum + toBig(digest), 0n)),
        count: held.length
      }))
    assert.deepStrictEqual(sums.leaves(), expected)
    assert.deepStrictEqual(sums.leaves(), expected)
  }, runs(60))

  it("come back to a bucket after another", () => {
    const sums = new LeafSums(0, 16)
    for (const [n, bucket] of [3, 4, 3, 20, 3].entries()) sums.add(bucket, digestOf(n))
    assert.deepStrictEqual(sums.leaves().map(({ bucket, count }) => [bucket, count]), [[3, 3], [4, 1]])
  })
})
