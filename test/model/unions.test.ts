/**
 * Two replicas with any parts of a small set of records: after one round of sync both hold the union, and the next one
 * says that they are equal (SPEC §6).
 *
 * A domain's tree does not touch the others', and a round takes them one after the other, so each case is tried in all
 * three domains at once: the same parts of each domain's records.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { domains, type Record } from "../../src/domain/record.ts"
import { slotOf } from "../../src/domain/variants.ts"
import { at, identity, message, op, read, user } from "../contract/store-records.ts"
import { ready, round, type Side, sides } from "../sync/fixture.ts"
import { chosen, demand, isDeep, masks, same, timeoutMs } from "./orders.ts"
import { bytesOf, shouldWin } from "./slot-variants.ts"

/** Two records of one bucket: in it they are told apart by their digests. */
const neighbours = (make: (n: number) => Record): readonly [Record, Record] => {
  const seen = new Map<string, Record>()
  for (let i = 0;; i++) {
    const each = make(i)
    const other = seen.get(each.id.slice(0, 4))
    if (other !== undefined) return [other, each]
    seen.set(each.id.slice(0, 4), each)
  }
}

/** The same record, stamped by the same node at another time. */
const later = (record: Record): Record => ({ ...record, hlc: at(500_000) })

/** Of each domain: two neighbours, a variant of one of them, and, in the deep level, others far away. */
const universe = (): ReadonlyArray<ReadonlyArray<Record>> => {
  const messages = neighbours((n) => message({ peer: user(4), content: `${n}`, hlc: at(n) }))
  const ops = neighbours((n) => op({ ts: 1_800_000_000_000 + n, hlc: at(n) }))
  const identities = neighbours((n) => identity({ address: user(n), hlc: at(n) }))
  const few = [messages, ops, identities].map(([a, b]) => [a, b, later(a)])
  const more = [
    [message({ content: "in a group", hlc: at(7) })],
    [read({ upTo: at(2), hlc: at(8) })],
    [identity({ address: user(0xffff), hlc: at(9) })]
  ]
  return isDeep ? few.map((records, i) => [...records, ...more[i]!]) : few
}

/** What stays of two parts, as text. */
const unionOf = (left: ReadonlyArray<Record>, right: ReadonlyArray<Record>): string => {
  const slots = new Map<string, Record>()
  for (const record of [...left, ...right]) {
    const held = slots.get(slotOf(record))
    if (held === undefined || shouldWin(record, held)) slots.set(slotOf(record), record)
  }
  return [...slots.values()].map(bytesOf).sort().join()
}

const holds = (side: Side) => Effect.map(side.all, (records) => records.map(bytesOf).sort().join())

const isEqual = ({ answered, led }: Effect.Success<ReturnType<typeof round>>, where: () => string): boolean => {
  demand(Exit.isSuccess(led) && Exit.isSuccess(answered), () => `the round failed: ${where()}`)
  return Exit.isSuccess(led) && led.value.equal && Exit.isSuccess(answered) && answered.value.equal
}

describe("model: unions", () => {
  it.effect("of all pairs of parts of a few records, in one round", () =>
    Effect.gen(function*() {
      const all = universe()
      const { length } = all[0]!
      assert.strictEqual(all.length, domains.length)
      const counts = { pairs: 0, equal: 0 }
      for (const left of masks(length)) {
        for (const right of masks(length)) {
          const where = () => `parts ${left.toString(2)} and ${right.toString(2)}`
          const [mine, yours] = [all.flatMap((each) => chosen(each, left)), all.flatMap((each) => chosen(each, right))]
          const [a, b] = (yield* sides({}, {})) as [Side, Side]
          yield* a.put(mine)
          yield* b.put(yours)
          yield* ready(a, b)
          const were = unionOf(mine, []) === unionOf(yours, [])
          demand(isEqual(yield* round(a, b), where) === were, () => `wrongly told equal, or not: ${where()}`)
          const union = unionOf(mine, yours)
          same(yield* holds(a), union, where)
          same(yield* holds(b), union, where)
          demand(isEqual(yield* round(b, a), where), () => `not equal after a round: ${where()}`)
          counts.pairs++
          if (were) counts.equal++
        }
      }
      assert.deepStrictEqual(counts, isDeep ? { pairs: 256, equal: 16 } : { pairs: 64, equal: 8 })
    }), timeoutMs)
})
