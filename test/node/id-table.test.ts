import { assert, describe, it } from "@effect/vitest"
import type { Hlc } from "../../src/domain/hlc.ts"
import { type Entry, IdTable } from "../../src/layers/node/id-table.ts"
import { Dice, Seed } from "../domain/records.ts"

/** Ids that are alike but for a word or two of the half that counts, so that they meet in the index. */
const anId = (dice: Dice): string => {
  const words = Array.from({ length: 8 }, () => "ffffffff")
  words[0] = `0000000${dice.below(4)}`
  words[dice.below(4)] = `0000000${dice.below(10)}`
  return words.join("")
}

const anEntry = (dice: Dice): Entry => ({
  hlc: BigInt(dice.below(2 ** 48)) * 65_536n + BigInt(dice.below(2 ** 16)) as Hlc,
  ticket: dice.below(2 ** 48),
  variant: dice.below(2 ** 48)
})

const idOf = (n: number): string => n.toString(16).padStart(8, "0").repeat(8)

describe("a table of ids", () => {
  it.prop("keeps what a map keeps", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const table = new IdTable(1_024)
    const map = new Map<string, Entry>()
    for (let steps = dice.below(300); steps > 0; steps--) {
      if (dice.below(50) === 0) {
        table.clear()
        map.clear()
      } else {
        const [id, entry] = [anId(dice), anEntry(dice)]
        table.set(id, entry)
        map.set(id, entry)
      }
    }
    assert.strictEqual(table.size, map.size)
    for (const [id, entry] of map) assert.deepStrictEqual(table.get(id), entry)
    for (let i = 0; i < 50; i++) {
      const id = anId(dice)
      assert.deepStrictEqual(table.get(id), map.get(id))
    }
  })

  it("holds as many as it says, over many chunks, and refuses one more", () => {
    const table = new IdTable(10_000)
    const entryOf = (n: number): Entry => ({ hlc: BigInt(n) as Hlc, ticket: n, variant: n })
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 10_000; n++) table.set(idOf(n + round), entryOf(n))
      for (let n = 0; n < 10_000; n++) assert.strictEqual(table.get(idOf(n + round))?.ticket, n)
      assert.isUndefined(table.get(idOf(10_000 + round)))
      assert.throws(() => table.set(idOf(10_000 + round), entryOf(0)), /full: 10000/)
      // one that is there is replaced all the same
      table.set(idOf(5_000 + round), entryOf(7))
      assert.strictEqual(table.get(idOf(5_000 + round))?.ticket, 7)
      table.clear()
    }
  })
})
