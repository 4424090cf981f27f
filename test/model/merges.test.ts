/** Every merge of up to three variants of a record: the choice is a total order, so the way they come plays no part. */
import { assert, describe, it } from "@effect/vitest"
import type { Kind } from "../../src/domain/record.ts"
import { slotOf, wins } from "../../src/domain/variants.ts"
import { demand } from "./orders.ts"
import { bytesOf, everyChoice, shouldWin, variantOf } from "./slot-variants.ts"

/** Checks all pairs and triples of a kind's variants. How many variants, pairs and triples there were. */
const check = (kind: Kind): readonly [variants: number, pairs: number, triples: number] => {
  const variants = everyChoice(kind).map((choice) => variantOf(kind, 1, choice))
  const count = variants.length
  demand(new Set(variants.map(bytesOf)).size === count, () => "variants that are the same")
  demand(new Set(variants.map(slotOf)).size === 1, () => "variants of more than one slot")
  const told = (...at: ReadonlyArray<number>) => at.map((i) => JSON.stringify(everyChoice(kind)[i])).join(" and ")

  /** The winner of each pair, the first of which was there; taken from the rule in both orders. */
  const merged = new Uint16Array(count * count)
  /** How many each one beats. */
  const beaten = new Uint16Array(count)
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      const won = wins(variants[b]!, variants[a]!)
      demand(won === shouldWin(variants[b]!, variants[a]!), () => `not the winner of SPEC §5: ${told(a, b)}`)
      merged[a * count + b] = won ? b : a
      if (won) beaten[b]!++
    }
  }
  const merge = (a: number, b: number): number => merged[a * count + b]!
  for (let a = 0; a < count; a++) {
    demand(merge(a, a) === a, () => `replaces itself: ${told(a)}`)
    for (let b = 0; b < count; b++) demand(merge(a, b) === merge(b, a), () => `order plays a part: ${told(a, b)}`)
  }
  // in a strict total order each one beats another number of others
  demand(new Set(beaten).size === count, () => "no total order")

  let triples = 0
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      const ab = merge(a, b)
      for (let c = 0; c < count; c++) {
        const left = merge(ab, c)
        if (left !== merge(a, merge(b, c))) throw new Error(`grouping plays a part: ${told(a, b, c)}`)
        // the one that beats most wins; all orders of a, b, c are among the triples
        if (beaten[left]! < beaten[a]! || beaten[left]! < beaten[b]! || beaten[left]! < beaten[c]!) {
          throw new Error(`not the highest won: ${told(a, b, c)}`)
        }
        triples++
      }
    }
  }
  return [count, count * count, triples]
}

describe("model: merges of variants", () => {
  it("of a message", () => assert.deepStrictEqual(check("message"), [24, 576, 13_824]))
  it("of an op", () => assert.deepStrictEqual(check("op"), [96, 9_216, 884_736]))
  it("of a read mark", () => assert.deepStrictEqual(check("read"), [96, 9_216, 884_736]))
  it("of an identity", () => assert.deepStrictEqual(check("identity"), [48, 2_304, 110_592]))
})
