/**
 * The contract of `services/Store` for the order of arrival (SPEC §8, ids of events), for any adapter. Expectations come
 * from `store-model.ts` and from what commits say.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address } from "../../src/domain/ids.ts"
import { pageBytesMax } from "../../src/domain/limits.ts"
import { type Kind, type Record, sizeOf } from "../../src/domain/record.ts"
import { slotOf } from "../../src/domain/variants.ts"
import { type Arrival, type ArrivalQuery, type Arrived, Store, type StoreError } from "../../src/services/Store.ts"
import * as Model from "./store-model.ts"
import * as Make from "./store-records.ts"

const users = [1, 2, 3, 4, 5, 6, 7, 8].map(Make.user)
const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

/** What is stored, with the numbers that commits told. */
class Told {
  readonly #slots = new Map<string, Arrived>()
  last: Arrival = 0

  readonly commit = Effect.fn(function*(this: Told, batch: ReadonlyArray<Record>) {
    const { firstArrival, outcomes } = yield* (yield* Store).commit(batch, Hlc.zero)
    assert.isAbove(firstArrival, this.last)
    let arrival = firstArrival
    for (const [i, record] of batch.entries()) {
      if (outcomes[i] !== "stored" && outcomes[i] !== "replaced") continue
      this.last = arrival
      this.#slots.set(slotOf(record), { arrival: arrival++, record })
    }
  })

  all(): ReadonlyArray<Arrived> {
    return [...this.#slots.values()]
  }

  keep(isKept: (record: Record) => boolean): void {
    for (const [slot, { record }] of this.#slots) if (!isKept(record)) this.#slots.delete(slot)
  }
}

/** All pages of a query, each looked at for what it may be. */
const walk = Effect.fn(function*(query: ArrivalQuery) {
  const store = yield* Store
  const found: Array<Arrived> = []
  for (let after = query.after;;) {
    const { arrived, seen } = yield* store.arrivals({ ...query, after })
    assert.isAtMost(arrived.length, query.limit)
    const numbers = [after, ...arrived.map(({ arrival }) => arrival)]
    assert.isTrue(numbers.every((number, i) => i === 0 || number > numbers[i - 1]!), numbers.join())
    assert.isTrue(seen >= numbers.at(-1)! && seen <= query.upTo, `${seen} of ${numbers.join()}`)
    assert.isTrue(arrived.length > 0 || seen === query.upTo)
    found.push(...arrived)
    if (seen === query.upTo) return found
    after = seen
  }
})

export const suite = (name: string, layer: Layer.Layer<Store, StoreError>): void => {
  describe(`Store in order of arrival (${name})`, () => {
    const test = (what: string, body: Effect.Effect<void, StoreError, Store>) =>
      it.effect(what, () => Effect.provide(body, layer), 120_000)

    /** What a user is told of everything above a number. */
    const toldTo = (user: Address, after: Arrival = 0) =>
      Effect.gen(function*() {
        const { last } = yield* (yield* Store).arrivalLog
        return last <= after ? [] : yield* walk({ user, after, upTo: last, limit: 100 })
      })

    test(
      "numbers what is stored or replaced, one by one; what is known or superseded has no number",
      Effect.gen(function*() {
        const store = yield* Store
        const before = yield* store.arrivalLog
        assert.match(before.epoch, /^[0-9a-f]{16}$/)
        assert.strictEqual(before.last, 0)
        assert.strictEqual(yield* store.arrivedAfter(0, 9), 0)
        const peer = Make.user(2)
        const [low, high, higher] = [1, 2, 3].map((n) => Make.read({ peer, upTo: Make.at(n) }))
        const [late, early] = [Make.message({ peer, hlc: Make.at(9) }), Make.message({ peer, hlc: Make.at(4) })]
        const [old, young] = [Make.identity({ hlc: Make.at(1) }), Make.identity({ hlc: Make.at(2) })]
        const op = Make.op({ chatId: Make.group(1), hlc: Make.at(5) })
        const first = yield* store.commit([high!, late!, low!, high!, old!, op], Hlc.zero)
        assert.deepStrictEqual(first.outcomes, ["stored", "stored", "superseded", "known", "stored", "stored"])
        const numbers = first.firstArrival
        assert.deepStrictEqual(yield* toldTo(Make.user(1)), [
          { arrival: numbers, record: high! },
          { arrival: numbers + 1, record: late! },
          { arrival: numbers + 2, record: old! },
          { arrival: numbers + 3, record: op }
        ])
        assert.strictEqual((yield* store.arrivalLog).last, numbers + 3)
        // the first of two that replace one another in a batch leaves its number behind
        const lower = Make.op({ chatId: Make.group(1), hlc: Make.at(2) })
        const batch = [early!, Make.read({ peer, upTo: Make.at(2), hlc: Make.at(1) }), higher!, young!, late!, lower]
        const second = yield* store.commit(batch, Hlc.zero)
        assert.deepStrictEqual(second.outcomes, [
          "replaced",
          "replaced",
          "replaced",
          "replaced",
          "superseded",
          "replaced"
        ])
        const more = second.firstArrival
        assert.isAbove(more, numbers + 3)
        assert.deepStrictEqual(yield* toldTo(Make.user(1)), [
          { arrival: more, record: early! },
          { arrival: more + 2, record: higher! },
          { arrival: more + 3, record: young! },
          { arrival: more + 4, record: lower }
        ])
        assert.deepStrictEqual(yield* store.arrivalLog, { epoch: before.epoch, last: more + 4 })
        for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
      })
    )

    test(
      "failure 16: tells each user all that may concern her, in order, in pages, from any number on",
      Effect.gen(function*() {
        const store = yield* Store
        const told = new Told()
        const places: Array<Arrival> = [0]
        for (let round = 0; round < 6; round++) {
          yield* told.commit(Make.manyRecords(900 + round, 50))
          places.push(told.last)
        }
        const upTo = told.last
        assert.strictEqual((yield* store.arrivalLog).last, upTo)
        assert.isAtMost(yield* store.arrivedAfter(0, 10_000), told.all().length)
        for (const after of places) {
          const above = told.all().filter(({ arrival }) => arrival > after).length
          assert.strictEqual(yield* store.arrivedAfter(after, 10_000), above)
          assert.strictEqual(yield* store.arrivedAfter(after, 7), Math.min(7, above))
        }
        for (const user of [...users, Make.user(77)]) {
          const all = Model.arrivals(told.all(), user)
          for (const after of [...places, (all[5]?.arrival ?? 1) - 1]) {
            for (const limit of [1, 7, 1_000]) {
              const expected = all.filter(({ arrival }) => arrival > after)
              assert.deepStrictEqual(yield* walk({ user, after, upTo, limit }), expected)
            }
            const middle = places[3]!
            assert.deepStrictEqual(
              yield* walk({ user, after, upTo: Math.max(after, middle), limit: 1_000 }),
              all.filter(({ arrival }) => arrival > after && arrival <= middle)
            )
          }
          for (const wanted of [["op"], ["message", "identity"], ["read"], []] as ReadonlyArray<ReadonlyArray<Kind>>) {
            assert.deepStrictEqual(
              yield* walk({ user, after: 0, upTo, kinds: wanted, limit: 9 }),
              all.filter(({ record }) => wanted.includes(record.kind))
            )
          }
        }
        assert.isNotEmpty(Model.arrivals(told.all(), Make.user(1)))
      })
    )

    test(
      "tells nothing of strangers; identities of those who share a conversation, whenever they came",
      Effect.gen(function*() {
        const store = yield* Store
        const identities = [1, 2, 3, 4].map((n) => Make.identity({ address: Make.user(n) }))
        const group = Make.op({ chatId: Make.group(3), actor: Make.user(3), targets: [Make.user(1)] })
        const strangers: ReadonlyArray<Record> = [
          Make.message({ sender: Make.user(4), peer: Make.user(5) }),
          Make.read({ reader: Make.user(5), peer: Make.user(4) }),
          Make.op({ chatId: Make.group(4), actor: Make.user(4), targets: [Make.user(5)] }),
          Make.message({ chatId: Make.group(4), sender: Make.user(5) }),
          Make.identity({ address: Make.user(5) })
        ]
        const direct = Make.message({ sender: Make.user(2), peer: Make.user(1) })
        yield* store.commit([...identities, ...strangers, group, direct], Hlc.zero)
        const records = (told: ReadonlyArray<Arrived>) => told.map(({ record }) => record)
        const hers = [identities[0]!, identities[1]!, identities[2]!, group, direct]
        assert.deepStrictEqual(records(yield* toldTo(Make.user(1))), hers)
        assert.deepStrictEqual(records(yield* toldTo(Make.user(9))), [])
        const met = Make.read({ reader: Make.user(1), peer: Make.user(4) })
        yield* store.commit([met], Hlc.zero)
        assert.deepStrictEqual(records(yield* toldTo(Make.user(1))), [...hers.toSpliced(3, 0, identities[3]!), met])
      })
    )

    test(
      "bounds the bytes of a page",
      Effect.gen(function*() {
        const store = yield* Store
        const big = Array.from(
          { length: 40 },
          (_, i) => Make.message({ content: `${i % 10}`.repeat(60_000), ts: i, peer: Make.user(2) })
        )
        const huge = Make.message({ content: "x".repeat(pageBytesMax + 1), peer: Make.user(2) })
        yield* store.commit([huge, ...big], Hlc.zero)
        const { last } = yield* store.arrivalLog
        const user = Make.user(2)
        const first = yield* store.arrivals({ user, after: 0, upTo: last, limit: 100 })
        assert.deepStrictEqual(first.arrived.map(({ record }) => record), [huge])
        const second = yield* store.arrivals({ user, after: first.seen, upTo: last, limit: 100 })
        const sizes = second.arrived.map(({ record }) => sizeOf(record))
        assert.isAtLeast(sizes.reduce((sum, size) => sum + size, 0), pageBytesMax)
        assert.isBelow(sizes.slice(1).reduce((sum, size) => sum + size, 0), pageBytesMax)
        assert.strictEqual((yield* walk({ user, after: 0, upTo: last, limit: 100 })).length, 41)
      })
    )

    test(
      "gives no number twice, whatever the collector deletes, nor after repair under the same epoch",
      Effect.gen(function*() {
        const store = yield* Store
        const told = new Told()
        yield* told.commit(Make.manyRecords(31, 80))
        while ((yield* store.collect(Make.at(99), 30)).messages > 0);
        told.keep(({ kind }) => kind === "op" || kind === "identity")
        const { last } = yield* store.arrivalLog
        assert.strictEqual(last, told.last)
        const deleted = Make.message({ peer: Make.user(2), hlc: Make.at(50) })
        yield* told.commit([deleted])
        assert.deepStrictEqual(yield* store.collect(Make.at(99), 30), { messages: 1, reads: 0 })
        told.keep(({ id }) => id !== deleted.id)
        yield* told.commit([Make.message({ peer: Make.user(2), hlc: Make.at(51), content: "next" })])
        for (const user of users) {
          assert.deepStrictEqual(yield* toldTo(user), Model.arrivals(told.all(), user))
        }
        const before = yield* store.arrivalLog
        yield* store.repair([])
        const after = yield* store.arrivalLog
        const [again] = yield* toldTo(Make.user(1))
        assert.isTrue(after.epoch !== before.epoch || again!.arrival > before.last)
        const { firstArrival } = yield* store.commit([Make.identity({ address: Make.user(50) })], Hlc.zero)
        assert.isAbove(firstArrival, Math.max(before.last, after.last))
        for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
      })
    )
  })
}
