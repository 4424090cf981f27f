/**
 * The contract of `services/Store` for trees, peers and the collector, for any adapter. Expectations come from
 * `store-model.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Result } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Span } from "../../src/domain/horizon.ts"
import type { MessageId } from "../../src/domain/ids.ts"
import { pageBytesMax } from "../../src/domain/limits.ts"
import { type Domain, domainOf, domains, type Kind, type Record } from "../../src/domain/record.ts"
import { slotOf, wins } from "../../src/domain/variants.ts"
import * as Wire from "../../src/domain/wire.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { type LeafQuery, type Pick, Store, type StoreError } from "../../src/services/Store.ts"
import * as Model from "./store-model.ts"
import * as Make from "./store-records.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]
const kindsOf: { readonly [D in Domain]: ReadonlyArray<Kind> } = {
  messages: ["message"],
  members: ["op", "read"],
  identity: ["identity"]
}
const spans: ReadonlyArray<Span> = [
  Model.everything,
  { floor: Make.at(1), ceiling: Make.at(4) },
  { floor: Make.at(2, 0), ceiling: Make.at(2, 1) },
  { floor: Make.at(9), ceiling: Make.at(9) },
  { floor: (2n ** 64n - 1n) as Hlc.Hlc, ceiling: (2n ** 64n - 1n) as Hlc.Hlc }
]

const textOf = (records: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => records.map((bytes) => bytes.toHex())
const wireText = (records: ReadonlyArray<Record>): ReadonlyArray<string> => textOf(records.map(Wire.encode))

/** All digests of some buckets, asked for `limit` at a time. */
const listAll = Effect.fn(function*(domain: Domain, span: Span, buckets: ReadonlyArray<number>, limit: number) {
  const store = yield* Store
  const lists = buckets.map((): Array<Uint8Array> => [])
  for (let first = 0, after: Uint8Array | undefined; first < buckets.length;) {
    const page = yield* store.digests({ domain, span, buckets: buckets.slice(first), after, limit })
    assert.isAtMost(page.lists.reduce((sum, list) => sum + list.length, 0), limit)
    assert.isNotEmpty(page.lists)
    // who goes on after it needs a digest to go on from
    if (!page.complete && buckets.length <= 4_096) assert.isNotEmpty(page.lists.at(-1))
    page.lists.forEach((list, i) => lists[first + i]!.push(...list))
    if (page.complete) {
      assert.strictEqual(first + page.lists.length, buckets.length)
      break
    }
    first += page.lists.length - 1
    after = lists[first]!.at(-1)
  }
  return lists.map(textOf)
})

/** Everything that picks give, page by page. */
const pickAll = Effect.fn(function*(domain: Domain, span: Span, picks: ReadonlyArray<Pick>) {
  const store = yield* Store
  const found: Array<Record> = []
  let pages = 0
  for (let done = 0; done < picks.length; pages++) {
    const page = yield* store.pick(domain, span, picks.slice(done))
    assert.isAbove(page.done, 0)
    const size = page.records.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (page.done > 1) assert.isAtMost(size, pageBytesMax)
    for (const { bytes, kind } of page.records) {
      found.push(Result.getOrThrow(Wire.decode(noble, kind, bytes)))
    }
    done += page.done
  }
  return { found, pages }
})

const streamAll = Effect.fn(function*(kind: Kind, span: Span, from: number, to: number, bytesMax: number) {
  const store = yield* Store
  const found: Array<Uint8Array> = []
  for (let cursor: Uint8Array | undefined;;) {
    const page = yield* store.stream({ kind, span, from, to, cursor, bytesMax })
    // the one that reaches the bound is the last
    assert.isBelow(page.records.slice(0, -1).reduce((sum, bytes) => sum + bytes.length, 0), bytesMax)
    found.push(...page.records)
    cursor = page.next
    if (cursor === undefined) return textOf(found)
  }
})

/** Compares all that trees and peers are told with the model. */
const agrees = Effect.fn(function*(kept: ReadonlyArray<Record>, number: number) {
  const store = yield* Store
  for (const span of spans) {
    const seen = Model.within(kept, span)
    for (const domain of domains) {
      for (const [from, to] of [[0, 65_536], [0, 8_000], [30_000, 65_536], [5, 5]] as const) {
        for (const ageingOnly of [false, true]) {
          const query: LeafQuery = { domain, from, to, span, ageingOnly }
          const { commit, value } = yield* store.leaves(query)
          const expected = Model.leavesOf(Model.within(kept, span, ageingOnly), domain).text(from, to)
          assert.deepStrictEqual(Model.leavesText(value), expected)
          assert.strictEqual(commit, number)
        }
      }
      const own = kept.filter((record) => domainOf(record) === domain)
      const buckets = [...new Set([1, 2, 65_535, ...own.map(Model.bucketOf)])].toSorted((a, b) => a - b)
      const lists = buckets.map((n) => textOf(Model.bucket(seen, domain, n).map(Make.digestOf)))
      for (const limit of [1, 3, 10_000]) {
        assert.deepStrictEqual(yield* listAll(domain, span, buckets, limit), lists)
      }
      // neighbours, most of them empty, and more than one call looks at
      const neighbours = Array.from({ length: 6_000 }, (_, i) => 20_000 + i)
      const inThere = Map.groupBy(seen.filter((record) => domainOf(record) === domain), Model.bucketOf)
      const near = neighbours.map((n) => inThere.has(n) ? textOf(Model.bucket(seen, domain, n).map(Make.digestOf)) : [])
      for (const limit of [2, 10_000]) {
        assert.deepStrictEqual(yield* listAll(domain, span, neighbours, limit), near)
      }
      // exactly as many as are asked for, and only then empty buckets
      const some = neighbours.slice(0, 4_000)
      const full = near.slice(0, 4_000).flat().length
      if (full > 0) {
        const asked = [...some, 40_000]
        const there = inThere.has(40_000) ? textOf(Model.bucket(seen, domain, 40_000).map(Make.digestOf)) : []
        assert.deepStrictEqual(yield* listAll(domain, span, asked, full), [...near.slice(0, 4_000), there])
      }
      const picks = own.toReversed().map((record, i): Pick => ({
        bucket: Model.bucketOf(record),
        digest: Make.digestOf(record).slice(0, [8, 9, 31, 32][i % 4])
      }))
      const { found } = yield* pickAll(domain, span, picks)
      assert.deepStrictEqual(found, own.toReversed().filter((record) => seen.includes(record)))
      assert.isTrue(found.every((record) => kindsOf[domain].includes(record.kind)))
    }
    for (const kind of kinds) {
      for (const [from, to, bytesMax] of [[0, 65_536, 1], [0, 65_536, 1_000], [9_000, 50_000, 700]] as const) {
        const expected = wireText(Model.streamed(seen, kind, from, to))
        assert.deepStrictEqual(yield* streamAll(kind, span, from, to, bytesMax), expected)
      }
    }
  }
  for (const floor of [Hlc.zero, Make.at(2), Make.at(5, 1)]) {
    const { commit, value } = yield* store.recent(floor)
    assert.strictEqual(commit, number)
    assert.deepStrictEqual(Model.changesText(value), Model.recentText(kept, floor))
    const buckets = yield* store.recentBuckets(floor)
    assert.deepStrictEqual(buckets.toSorted((a, b) => a - b), Model.recentBuckets(kept, floor))
  }
})

export const suite = (name: string, layer: Layer.Layer<Store, StoreError>): void => {
  describe(`Store for peers (${name})`, () => {
    const test = (what: string, body: Effect.Effect<void, StoreError, Store>) =>
      it.effect(what, () => Effect.provide(body, layer), 120_000)

    test(
      "tells trees and peers what a naive look at all records tells",
      Effect.gen(function*() {
        const store = yield* Store
        yield* agrees([], 0)
        const came: Array<Record> = []
        for (let round = 1; round <= 4; round++) {
          const batch = Make.manyRecords(300 + round, 40)
          assert.strictEqual((yield* store.commit(batch, Hlc.zero)).number, round)
          came.push(...batch)
          if (round % 2 === 0) yield* agrees(Model.kept(came), round)
        }
        const probes = [...came, ...Make.manyRecords(999, 60)]
        const slots = new Map(Model.kept(came).map((record) => [slotOf(record), record]))
        const expected = probes.map((record) => {
          const held = slots.get(slotOf(record))
          return held !== undefined &&
            (wins(held, record) || Make.digestOf(held).toHex() === Make.digestOf(record).toHex())
        })
        assert.include(expected, false)
        assert.deepStrictEqual(yield* store.known(probes), expected)
        assert.deepStrictEqual(yield* store.known([]), [])
      })
    )

    test(
      "names a bucket once, whatever came into it, and the outermost ones",
      Effect.gen(function*() {
        const store = yield* Store
        // made-up ids: a store does not look at them
        const of = (bucket: string, n: number): Record => ({
          ...Make.message({ content: `${n}`, hlc: Make.at(n) }),
          id: `${bucket}${n.toString(16).padStart(60, "0")}` as MessageId
        })
        const records = ["0000", "7fff", "8000", "ffff"].flatMap((bucket) => [1, 2, 3].map((n) => of(bucket, n)))
        yield* store.commit([...records, of("1234", 1)], Hlc.zero)
        const buckets = yield* store.recentBuckets(Make.at(1))
        assert.deepStrictEqual(buckets.toSorted((a, b) => a - b), [0, 0x7fff, 0x8000, 0xffff])
        assert.deepStrictEqual(yield* store.recentBuckets(Make.at(3)), [])
        assert.deepStrictEqual(yield* store.recentBuckets((2n ** 64n - 1n) as Hlc.Hlc), [])
      })
    )

    test(
      "says from which stamp on a tree sees a change, and whether it ages",
      Effect.gen(function*() {
        const store = yield* Store
        const [late, early] = [Make.message({ hlc: Make.at(9) }), Make.message({ hlc: Make.at(4) })]
        const [low, high] = [
          Make.read({ upTo: Make.at(1), hlc: Make.at(7) }),
          Make.read({ upTo: Make.at(2), hlc: Make.at(3) })
        ]
        const [old, young] = [Make.identity({ hlc: Make.at(1) }), Make.identity({ hlc: Make.at(8) })]
        yield* store.commit([late, low, old, Make.op({ hlc: Make.at(2) })], Hlc.zero)
        const { leaves } = yield* store.commit([early, high, young], Hlc.zero)
        assert.deepStrictEqual(
          leaves.map(({ ages, change, domain, hlc }) => [domain, change, hlc, ages]),
          [
            ["messages", "remove", Make.at(9), true],
            ["messages", "insert", Make.at(4), true],
            ["members", "remove", Make.at(7), true],
            ["members", "insert", Make.at(3), true],
            ["identity", "remove", Make.at(8), false],
            ["identity", "insert", Make.at(8), false]
          ]
        )
      })
    )

    test(
      "an aged read mark holds its slot no longer",
      Effect.gen(function*() {
        const store = yield* Store
        const held = Make.read({ upTo: Make.at(5), hlc: Make.at(5) })
        const lower = Make.read({ upTo: Make.at(3), hlc: Make.at(4) })
        yield* store.commit([held], Hlc.zero)
        const below = yield* store.commit([lower], (Make.at(5) - 1n) as Hlc.Hlc)
        assert.deepStrictEqual(below.outcomes, ["superseded"])
        const at = yield* store.commit([held, lower], Make.at(5))
        assert.deepStrictEqual(at.outcomes, ["known", "replaced"])
        assert.deepStrictEqual(yield* store.read(held.chatId, held.reader), lower)
        const messages = [Make.at(5), Make.at(9)].map((hlc) => Make.message({ hlc }))
        const held2 = yield* store.commit(messages, Make.at(99))
        assert.deepStrictEqual(held2.outcomes, ["stored", "superseded"])
        assert.deepStrictEqual(yield* store.known([held, lower]), [false, true])
        for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
      })
    )

    test(
      "lists and picks from a bucket that many records were ground into",
      Effect.gen(function*() {
        const store = yield* Store
        const buckets = ["0007", "8000", "ffff"]
        const records = Array.from({ length: 300 }, (_, i) => {
          const message = Make.message({ content: `${i}`, hlc: Make.at(i % 5), peer: Make.user(2) })
          return { ...message, id: `${buckets[i % 3]!}${message.id.slice(4)}` as typeof message.id }
        })
        yield* store.commit(records, Hlc.zero)
        const span = { floor: Make.at(0), ceiling: Make.at(3) }
        const seen = Model.within(records, span)
        const asked = [7, 8, 0x8000, 0xffff]
        const expected = asked.map((n) => textOf(Model.bucket(seen, "messages", n).map(Make.digestOf)))
        for (const limit of [1, 7, 60, 61, 1_000]) {
          assert.deepStrictEqual(yield* listAll("messages", span, asked, limit), expected)
        }
        const picks = records.map((record): Pick => ({
          bucket: Model.bucketOf(record),
          digest: Make.digestOf(record).slice(0, 8)
        }))
        const missing = { bucket: 7, digest: new Uint8Array(8) }
        const page = yield* store.pick("messages", span, [missing, ...picks, missing])
        assert.strictEqual(page.done, 302)
        assert.deepStrictEqual(textOf(page.records.map(({ bytes }) => bytes)), wireText(seen))
      })
    )

    test(
      "bounds the bytes of what is picked, and gives at least one",
      Effect.gen(function*() {
        const store = yield* Store
        const big = Array.from({ length: 40 }, (_, i) => Make.message({ content: `${i % 10}`.repeat(60_000), ts: i }))
        const huge = Make.message({ content: "x".repeat(pageBytesMax + 1) })
        yield* store.commit([...big, huge], Hlc.zero)
        const all = [big[0]!, huge, ...big.slice(1)]
        const picks = all.map((record) => ({ bucket: Model.bucketOf(record), digest: Make.digestOf(record) }))
        const { found, pages } = yield* pickAll("messages", Model.everything, picks)
        assert.deepStrictEqual(found, all)
        assert.isAtLeast(pages, 5)
        assert.isAtMost(pages, 6)
      })
    )

    test(
      "collects the oldest of what is aged, and what only stood for it; FAILURES 1, 22",
      Effect.gen(function*() {
        const store = yield* Store
        const records = Make.manyRecords(77, 250).map((record, i): Record => ({ ...record, hlc: Make.at(i % 40, i) }))
        yield* store.commit(records, Hlc.zero)
        const clock = yield* store.clock
        const chats = [1, 2, 3, 4].map((n) => Make.dm(Make.user(1), Make.user(n)))
        const page = (chatId: typeof chats[number]) =>
          store.page({ chatId, direction: "before", floor: Hlc.zero, limit: 500 })
        for (const chatId of chats) yield* page(chatId)
        let kept = Model.kept(records)
        const agesNow = (record: Record, aged: Hlc.Hlc) =>
          (record.kind === "message" || record.kind === "read") && record.hlc <= aged
        for (const [ms, limit] of [[5, 1], [5, 7], [20, 3], [20, 1_000], [99, 30], [99, 1_000], [99, 5]] as const) {
          const aged = Make.at(ms)
          const due = kept.filter((record) => agesNow(record, aged))
            .toSorted((a, b) => Hlc.compare(a.hlc, b.hlc)).slice(0, limit)
          const messages = due.filter(({ kind }) => kind === "message").length
          assert.deepStrictEqual(yield* store.collect(aged, limit), { messages, reads: due.length - messages })
          kept = kept.filter((record) => !due.includes(record))
          for (const kind of kinds) {
            assert.deepStrictEqual(yield* store.scan({ kind, limit: 1_000 }), [...Model.ofKind(kept, kind)])
          }
          const { diskBytes: _, ...counts } = yield* store.stats
          const count = (kind: Kind) => Model.ofKind(kept, kind).length
          const expected = [count("message"), count("op"), count("read"), count("identity")]
          assert.deepStrictEqual([counts.messages, counts.ops, counts.reads, counts.identities], expected)
          for (const n of [1, 2, 3, 4]) {
            const heads = yield* store.heads({ user: Make.user(n), floor: Hlc.zero, limit: 100 })
            assert.deepStrictEqual(heads, Model.heads(kept, Make.user(n), Hlc.zero))
          }
        }
        for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
        assert.strictEqual(yield* store.clock, clock)
        // The same chats again, under other numbers: nobody remembers the old ones.
        yield* store.commit(records, Hlc.zero)
        for (const chatId of chats) {
          const query = { chatId, direction: "before" as const, floor: Hlc.zero, limit: 500 }
          const expected = Model.page(Model.kept(records), query)
          assert.isNotEmpty(expected)
          assert.deepStrictEqual(yield* page(chatId), expected)
        }
        assert.isAtLeast(yield* store.reclaim(2), 0)
        for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
      })
    )

    test(
      "drops what it is told to, by id, and nothing else",
      Effect.gen(function*() {
        const store = yield* Store
        const records = Model.kept(Make.manyRecords(78, 80))
        yield* store.commit(records, Hlc.zero)
        const clock = yield* store.clock
        const gone = kinds.map((kind) => Model.ofKind(records, kind)[1]!)
        const newest = records.toSorted((a, b) => Hlc.compare(a.hlc, b.hlc)).at(-1)!
        const drop = [...new Set([...gone, newest])].map(({ id, kind }) => ({ id, kind }))
        const counts = yield* store.repair([...drop, { kind: "message", id: "ab".repeat(32) }])
        const dropped = (kind: Kind) => drop.filter((named) => named.kind === kind).length
        assert.deepStrictEqual(
          counts,
          { message: dropped("message"), op: dropped("op"), read: dropped("read"), identity: dropped("identity") }
        )
        const kept = records.filter(({ id }) => !drop.some((named) => named.id === id))
        for (const kind of kinds) {
          assert.deepStrictEqual(yield* store.scan({ kind, limit: 1_000 }), [...Model.ofKind(kept, kind)])
          assert.deepStrictEqual(yield* store.inspect(kind), [])
        }
        assert.strictEqual(yield* store.clock, clock)
        assert.deepStrictEqual((yield* store.commit([newest], Hlc.zero)).outcomes, ["stored"])
        assert.isTrue((yield* store.known([newest]))[0])
      })
    )
  })
}
