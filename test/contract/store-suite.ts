/**
 * The contract of `services/Store`, for any adapter: `suite(name, layer)`. The layer gives a new empty store each time it
 * is built. Expectations come from `store-model.ts`, a naive recomputation.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import { type Domain, domains, type Kind, type Message, type Record } from "../../src/domain/record.ts"
import { type LeafQuery, type PageQuery, Store, type StoreError } from "../../src/services/Store.ts"
import * as Model from "./store-model.ts"
import * as Make from "./store-records.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]
const chats = [Make.group(0), Make.group(1), ...[1, 2, 3, 4].map((n) => Make.dm(Make.user(1), Make.user(n)))]

const whole = (domain: Domain, from = 0, to = 65_536): LeafQuery => ({
  domain,
  from,
  to,
  span: Model.everything,
  ageingOnly: false
})

const permutations = <A>(list: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  list.length < 2
    ? [list]
    : list.flatMap((head, i) => permutations(list.toSpliced(i, 1)).map((tail) => [head, ...tail]))

const scanAll = Effect.fn(function*(kind: Kind, limit: number) {
  const store = yield* Store
  const found: Array<Record> = []
  for (;;) {
    const page = yield* store.scan({ kind, afterId: found.at(-1)?.id, limit })
    assert.isAtMost(page.length, limit)
    found.push(...page)
    if (page.length < limit) return found
  }
})

/** Compares everything that the port can tell with the model. */
const agrees = Effect.fn(function*(came: ReadonlyArray<Record>) {
  const store = yield* Store
  const kept = Model.kept(came)
  for (const kind of kinds) assert.deepStrictEqual(yield* scanAll(kind, 7), [...Model.ofKind(kept, kind)])
  for (const domain of domains) {
    const expected = Model.leavesOf(kept, domain)
    assert.deepStrictEqual(Model.leavesText((yield* store.leaves(whole(domain))).value), expected.text())
    assert.deepStrictEqual(
      Model.leavesText((yield* store.leaves(whole(domain, 1000, 9000))).value),
      expected.text(1000, 9000)
    )
  }
  for (const chatId of chats) {
    for (const direction of ["before", "after"] as const) {
      for (const floor of [Hlc.zero, Make.at(2)]) {
        const query = { chatId, direction, floor, limit: 500 }
        assert.deepStrictEqual(yield* store.page(query), Model.page(kept, query))
      }
    }
    const ops = kept.filter((record) => record.kind === "op").filter((op) => op.chatId === chatId)
      .toSorted((a, b) => a.hlc < b.hlc ? -1 : a.hlc > b.hlc ? 1 : a.id < b.id ? -1 : 1)
    assert.deepStrictEqual(yield* store.ops(chatId), ops)
  }
  for (const n of [1, 2, 3, 4, 5, 6, 7, 8]) {
    for (const floor of [Hlc.zero, Make.at(3)]) {
      const heads = Model.heads(kept, Make.user(n), floor)
      assert.deepStrictEqual(yield* store.heads({ user: Make.user(n), floor, limit: 100 }), heads)
    }
  }
  const { diskBytes: _, ...counts } = yield* store.stats
  assert.deepStrictEqual(counts, {
    messages: Model.ofKind(kept, "message").length,
    ops: Model.ofKind(kept, "op").length,
    reads: Model.ofKind(kept, "read").length,
    identities: Model.ofKind(kept, "identity").length
  })
  assert.strictEqual(yield* store.clock, came.reduce((top, { hlc }) => Hlc.max(top, hlc), Hlc.zero))
})

/** Variants for one slot, from the one that loses to all to the one that wins over all. */
const variants: { readonly [K in Kind]: ReadonlyArray<Record> } = {
  message: [Make.at(9), Make.at(5), Make.at(5, 0)].map((hlc, i) =>
    Make.message({ peer: Make.user(2), hlc, node: Make.nodes[i === 2 ? 0 : 1]! })
  ),
  op: [Make.at(9), Make.at(5), Make.at(2)].map((hlc) => Make.op({ hlc })),
  read: [Make.at(1), Make.at(2), Make.at(3)].map((upTo, i) => Make.read({ upTo, hlc: Make.at(20 - i) })),
  identity: [Make.at(1), Make.at(2), Make.at(3)].map((hlc, i) => Make.identity({ hlc, blob: Uint8Array.of(i) }))
}

export const suite = (name: string, layer: Layer.Layer<Store, StoreError>): void => {
  describe(`Store (${name})`, () => {
    const test = (what: string, body: Effect.Effect<void, StoreError, Store>) =>
      it.effect(what, () => Effect.provide(body, layer), 60_000)

    test(
      "is empty at first, and knows nothing",
      Effect.gen(function*() {
        const store = yield* Store
        yield* agrees([])
        const some = Make.message({})
        assert.isUndefined(yield* store.message(some.id))
        assert.isUndefined(yield* store.op(Make.op({}).id))
        assert.isUndefined(yield* store.read(some.chatId, some.sender))
        assert.isUndefined(yield* store.identity(some.sender))
        assert.deepStrictEqual(yield* store.messages([some.id]), [])
        const query = { chatId: some.chatId, above: Hlc.zero, floor: Hlc.zero, reader: some.sender, limit: 9 }
        assert.deepStrictEqual(yield* store.unread([query, query]), [[], []])
        for (const direction of ["before", "after"] as const) {
          assert.deepStrictEqual(yield* store.headers({ ...query, direction, except: some.sender }), [])
        }
        assert.deepStrictEqual(yield* store.recentBuckets(Hlc.zero), [])
        const { firstArrival, ...nothing } = yield* store.commit([], Hlc.zero)
        assert.deepStrictEqual(nothing, { number: 1, outcomes: [], leaves: [] })
        assert.isAbove(firstArrival, 0)
        for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
      })
    )

    test(
      "gives back what was stored, field by field",
      Effect.gen(function*() {
        const store = yield* Store
        const every: ReadonlyArray<Message> = [
          ...Array.from(
            { length: 256 },
            (_, msgType) =>
              Make.message({ msgType, hlc: Make.at(msgType), control: Uint8Array.from({ length: 256 }, (_, i) => i) })
          ),
          ...["", "\0", "a\0b\0", "\u{feff}", "\u{1f600}", "\ufffd", "\u{10ffff}", "x".repeat(32_768)].map((content) =>
            Make.message({ content, peer: Make.user(2) })
          ),
          Make.message({ control: new Uint8Array(), content: "empty control" }),
          Make.message({ peer: Make.user(1), content: "to herself" }),
          Make.message({ hlc: Hlc.make(2 ** 47 - 1, 0xffff), ts: 2 ** 48 - 1, content: "far" }),
          Make.message({ sender: Make.user(9), peer: Make.user(2), content: "the greater party writes" })
        ]
        yield* store.commit(every, Hlc.zero)
        assert.deepStrictEqual(yield* store.messages(every.map(({ id }) => id)), every)
        for (const message of every.slice(-12)) assert.deepStrictEqual(yield* store.message(message.id), message)
        const ops = [
          Make.op({ op: 0, nonce: "ab".repeat(16) as never, title: "t\0✓", targets: [] }),
          Make.op({ op: 2, observed: [], ts: 2 }),
          Make.op({ op: 3, title: "", targets: [], ts: 3 }),
          Make.op({ targets: Array.from({ length: 256 }, (_, i) => Make.user(i + 1)), role: 1 })
        ]
        yield* store.commit(ops, Hlc.zero)
        for (const op of ops) assert.deepStrictEqual(yield* store.op(op.id), op)
        const reads = [Make.read({ peer: Make.user(2) }), Make.read({ reader: Make.user(3), upTo: Make.at(7) })]
        yield* store.commit(reads, Hlc.zero)
        for (const read of reads) assert.deepStrictEqual(yield* store.read(read.chatId, read.reader), read)
        const empty = Make.identity({ blob: new Uint8Array() })
        yield* store.commit([empty], Hlc.zero)
        assert.deepStrictEqual(yield* store.identity(empty.address), empty)
        yield* agrees([...every, ...ops, ...reads, empty])
      })
    )

    for (const kind of kinds) {
      test(
        `keeps the winning ${kind} of a slot, whatever came first`,
        Effect.gen(function*() {
          const store = yield* Store
          const orders = permutations(variants[kind])
          for (const [i, order] of orders.entries()) {
            // Each order in a slot of its own.
            const own = order.map((record) => elsewhere(record, 100 + i))
            const winner = elsewhere(variants[kind].at(-1)!, 100 + i)
            for (const record of own) {
              const { leaves, outcomes } = yield* store.commit([record, record], Hlc.zero)
              assert.strictEqual(outcomes[1], outcomes[0] === "superseded" ? "superseded" : "known")
              assert.strictEqual(leaves.length, { stored: 1, replaced: 2, superseded: 0, known: 0 }[outcomes[0]!])
            }
            const all = yield* scanAll(kind, 100)
            assert.deepStrictEqual(all.filter((record) => slotKey(record) === slotKey(winner)), [winner])
          }
          assert.deepStrictEqual(yield* store.inspect(kind), [])
        })
      )
    }

    test(
      "agrees with a naive recomputation after any sequence of commits",
      Effect.gen(function*() {
        const store = yield* Store
        const came: Array<Record> = []
        const trees = domains.map((domain) => ({ domain, leaves: new Model.Leaves() }))
        const from = Make.random(42)
        for (let round = 0; round < 12; round++) {
          const batch = [...Make.manyRecords(1000 + round, 1 + from.below(60)), ...came.slice(0, from.below(10))]
          const { leaves, outcomes } = yield* store.commit(batch, Hlc.zero)
          const before = Model.kept(came).length
          came.push(...batch)
          const kept = Model.kept(came)
          assert.strictEqual(outcomes.filter((outcome) => outcome === "stored").length, kept.length - before)
          assert.strictEqual(outcomes.length, batch.length)
          for (const tree of trees) {
            tree.leaves.apply(leaves, tree.domain)
            assert.deepStrictEqual(tree.leaves.text(), Model.leavesOf(kept, tree.domain).text())
          }
          if (round % 4 === 3) yield* agrees(came)
        }
        for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
      })
    )

    test(
      "pages a chat both ways through ties, with floor, limit and cursors that are no message",
      Effect.gen(function*() {
        const store = yield* Store
        const from = Make.random(7)
        const messages = Array.from(
          { length: 90 },
          (_, i) => Make.message({ hlc: Make.at(from.below(12)), content: `${i}`, sender: Make.user(1 + (i % 3)) })
        )
        yield* store.commit(messages, Hlc.zero)
        yield* store.commit([Make.message({ chatId: Make.group(1), hlc: Make.at(3), content: "elsewhere" })], Hlc.zero)
        const base = { chatId: Make.group(0), floor: Hlc.zero }
        for (const direction of ["before", "after"] as const) {
          for (const limit of [1, 7, 90]) {
            const walked: Array<Message> = []
            for (;;) {
              const last = walked.at(-1)
              const query: PageQuery = { ...base, direction, limit, from: last && { hlc: last.hlc, id: last.id } }
              const page = yield* store.page(query)
              assert.deepStrictEqual(page, Model.page(messages, query))
              walked.push(...page)
              if (page.length < limit) break
            }
            assert.strictEqual(new Set(walked.map(({ id }) => id)).size, 90)
          }
          for (const id of ["00".repeat(32), "7f".repeat(32), "80".repeat(32), "ff".repeat(32)]) {
            for (const ms of [-1, 0, 5, 11, 12]) {
              for (const floor of [Make.at(-5), Make.at(5), Make.at(6)]) {
                const query = { ...base, direction, floor, limit: 20, from: { hlc: Make.at(ms), id: id as never } }
                assert.deepStrictEqual(yield* store.page(query), Model.page(messages, query))
              }
            }
          }
        }
        assert.deepStrictEqual(yield* store.page({ ...base, direction: "after", limit: 0 }), [])
      })
    )

    test(
      "counts unread messages as a recount does",
      Effect.gen(function*() {
        const store = yield* Store
        const from = Make.random(11)
        const messages = Array.from(
          { length: 120 },
          (_, i) =>
            Make.message({ hlc: Make.at(from.below(20)), content: `${i}`, sender: Make.user(1 + from.below(4)) })
        )
        yield* store.commit(messages, Hlc.zero)
        const queries = Array.from({ length: 60 }, () => ({
          chatId: Make.group(from.below(8) === 0 ? 1 : 0),
          above: Make.at(from.below(22) - 1),
          floor: Make.at(from.below(22) - 1),
          reader: Make.user(1 + from.below(5)),
          limit: from.pick([1, 2, 5, 50, 999])
        }))
        const answers = yield* store.unread(queries)
        for (const [i, query] of queries.entries()) {
          const selected = Model.unread(messages, query)
          const senders = [...new Set(selected.map(({ sender }) => sender))].toSorted()
          const expected = senders.map((sender) => {
            const own = selected.filter((message) => message.sender === sender)
            return { sender, count: own.length, first: own[0]!.hlc, last: own.at(-1)!.hlc }
          })
          assert.deepStrictEqual([...answers[i]!].toSorted((a, b) => a.sender < b.sender ? -1 : 1), expected)
        }
      })
    )

    test(
      "gives leaves in line with the commits before, and survives callers who go away",
      Effect.gen(function*() {
        const store = yield* Store
        const batches = Array.from(
          { length: 20 },
          (_, i) => Array.from({ length: 5 }, (_, j) => Make.message({ content: `${i}.${j}` }))
        )
        const writers = yield* Effect.forEach(
          batches,
          (batch) => Effect.forkChild(store.commit(batch, Hlc.zero), { startImmediately: true })
        )
        const leaves = (yield* store.leaves(whole("messages"))).value
        assert.deepStrictEqual(Model.leavesText(leaves), Model.leavesOf(batches.flat(), "messages").text())
        for (const writer of writers.slice(10)) yield* Fiber.interrupt(writer)
        const query: PageQuery = { chatId: Make.group(0), direction: "after", floor: Hlc.zero, limit: 500 }
        yield* Effect.forkChild(store.page(query), { startImmediately: true }).pipe(Effect.flatMap(Fiber.interrupt))
        const more = Make.message({ content: "more" })
        assert.deepStrictEqual((yield* store.commit([more], Hlc.zero)).outcomes, ["stored"])
        assert.strictEqual((yield* store.page(query)).length, 101)
      })
    )
  })
}

const slotKey = (record: Record): string =>
  record.kind === "message" || record.kind === "op"
    ? record.id
    : record.kind === "read"
    ? record.reader + record.chatId
    : record.address

/** The same variant in another slot. Ids are made anew; what is passed along with them is overwritten. */
const elsewhere = (record: Record, n: number): Record => {
  switch (record.kind) {
    case "message": {
      const { id: _, ...fields } = record
      return Make.message({ ...fields, content: `slot ${n}` })
    }
    case "op": {
      const { id: _, ...fields } = record
      return Make.op({ ...fields, targets: [Make.user(n)] })
    }
    case "read": {
      const { id: _, ...fields } = record
      return Make.read({ ...fields, reader: Make.user(n) })
    }
    case "identity": {
      const { id: _, ...fields } = record
      return Make.identity({ ...fields, address: Make.user(n) })
    }
  }
}
