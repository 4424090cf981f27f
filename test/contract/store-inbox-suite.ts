/**
 * The contract of `services/Store` for inboxes and for pages as text, for any adapter. Expectations come from
 * `store-model.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Schema } from "effect"
import { Message as MessageSchema } from "../../src/api/records.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { MessageId } from "../../src/domain/ids.ts"
import { pageBytesMax } from "../../src/domain/limits.ts"
import { type Message, type Record, sizeOf } from "../../src/domain/record.ts"
import { type ChatHead, type Position, Store, type StoreError } from "../../src/services/Store.ts"
import * as Model from "./store-model.ts"
import * as Make from "./store-records.ts"

const users = [1, 2, 3, 4, 5, 6, 7, 8].map(Make.user)
const chats = [Make.group(0), Make.group(1), ...[1, 2, 3, 4].map((n) => Make.dm(Make.user(1), Make.user(n)))]

/** A user's records in many chats, of few stamps, so that places tie. */
const inbox = (seed: number): ReadonlyArray<Record> => {
  const from = Make.random(seed)
  const hlc = () => Make.at(from.below(5))
  return [
    ...Array.from(
      { length: 30 },
      (_, i) => Make.message({ peer: Make.user(2 + i), hlc: hlc(), content: `${i}`, sender: Make.user(1) })
    ),
    ...Array.from({ length: 30 }, (_, i) => Make.op({ chatId: Make.group(i), hlc: hlc(), targets: [Make.user(1)] })),
    ...Array.from({ length: 20 }, (_, i) => Make.message({ chatId: Make.group(i), hlc: hlc(), content: `group ${i}` })),
    ...Array.from({ length: 5 }, (_, i) => Make.read({ peer: Make.user(2 + i), upTo: hlc(), hlc: hlc() }))
  ]
}

const jsonOf = (message: Message): string => {
  const { chatId, content, control, hlc, id, msgType, sender, ts } = message
  const told = { msg_id: id, chat_id: chatId, sender, ts, hlc, msg_type: msgType, content }
  return JSON.stringify(Schema.encodeSync(MessageSchema)(control === undefined ? told : { ...told, control }))
}

export const suite = (name: string, layer: Layer.Layer<Store, StoreError>): void => {
  describe(`Store for inboxes (${name})`, () => {
    const test = (what: string, body: Effect.Effect<void, StoreError, Store>) =>
      it.effect(what, () => Effect.provide(body, layer), 60_000)

    test(
      "lists a user's chats by what is latest, direct ones from any place on",
      Effect.gen(function*() {
        const store = yield* Store
        const records = inbox(5)
        yield* store.commit(records, Hlc.zero)
        const user = Make.user(1)
        for (const floor of [Hlc.zero, Make.at(3), Make.at(9)]) {
          const all = Model.heads(records, user, floor)
          for (const limit of [1, 7, 100]) {
            assert.deepStrictEqual(yield* store.heads({ user, floor, limit }), all.slice(0, limit))
          }
          for (const after of all.filter((_, i) => i % 5 === 0).map(Model.placeOf)) {
            const isLeft = (head: ChatHead) =>
              head.kind === "group" || Model.comparePlaces(Model.placeOf(head), after) > 0
            assert.deepStrictEqual(yield* store.heads({ user, floor, after, limit: 100 }), all.filter(isLeft))
            assert.deepStrictEqual(yield* store.heads({ user, floor, after, limit: 4 }), all.filter(isLeft).slice(0, 4))
          }
        }
        const groups = [...yield* store.groups(user)].toSorted()
        assert.deepStrictEqual(groups, Array.from({ length: 30 }, (_, i) => Make.group(i)).toSorted())
        assert.deepStrictEqual(yield* store.groups(Make.user(77)), [])
      })
    )

    test(
      "agrees with a naive look about every user's chats",
      Effect.gen(function*() {
        const store = yield* Store
        const came: Array<Record> = []
        for (let round = 0; round < 4; round++) {
          const batch = Make.manyRecords(700 + round, 60)
          yield* store.commit(batch, Hlc.zero)
          came.push(...batch)
          const kept = Model.kept(came)
          for (const user of users) {
            const all = Model.heads(kept, user, Hlc.zero)
            assert.deepStrictEqual(yield* store.heads({ user, floor: Hlc.zero, limit: 100 }), all)
            const named = new Set(
              kept.flatMap((record) =>
                record.kind === "op" && [record.actor, ...record.targets].includes(user) ? [record.chatId] : []
              )
            )
            assert.deepStrictEqual(new Set(yield* store.groups(user)), named)
            assert.deepStrictEqual([...yield* store.peers(user)].toSorted(), Model.peers(kept, user))
          }
        }
      })
    )

    test(
      "counts what lies at a limit in the order of places",
      Effect.gen(function*() {
        const store = yield* Store
        const messages = Array.from(
          { length: 40 },
          (_, i) => Make.message({ hlc: Make.at(i >> 3), content: `${i}`, sender: Make.user(2 + (i % 5)) })
        )
        yield* store.commit(messages, Hlc.zero)
        for (const limit of [1, 3, 8, 11, 39, 40, 41]) {
          const query = { chatId: Make.group(0), above: Hlc.zero, floor: Hlc.zero, reader: Make.user(2), limit }
          const selected = Model.unread(messages, query)
          const [counts] = yield* store.unread([query])
          const told = counts!.map(({ count, sender }) => `${sender} ${count}`).toSorted()
          const expected = [...Map.groupBy(selected, ({ sender }) => sender)]
            .map(([sender, own]) => `${sender} ${own.length}`).toSorted()
          assert.deepStrictEqual(told, expected)
        }
      })
    )

    test(
      "gives headers from any place on, either way, of all or of others",
      Effect.gen(function*() {
        const store = yield* Store
        // places tie: in stamps always, and of some ids in the first bytes
        const messages = Array.from({ length: 60 }, (_, i) => {
          const message = Make.message({ hlc: Make.at(i >> 3), content: `${i}`, sender: Make.user(2 + (i % 3)) })
          return i % 4 === 0 ? { ...message, id: `${"ab".repeat(8)}${message.id.slice(16)}` as MessageId } : message
        })
        const { firstArrival } = yield* store.commit([...messages, Make.message({ chatId: Make.group(1) })], Hlc.zero)
        const places = messages.filter((_, i) => i % 7 === 0).map(({ hlc, id }) => ({ hlc, id }))
        const between = { hlc: Make.at(3), id: "80".repeat(32) as MessageId }
        for (const direction of ["before", "after"] as const) {
          for (const from of [undefined, between, ...places]) {
            for (const floor of [Hlc.zero, Make.at(3), Make.at(99)]) {
              for (const except of [undefined, Make.user(2), Make.user(77)]) {
                for (const limit of [1, 9, 99]) {
                  const query = { chatId: Make.group(0), direction, from, floor, except, limit }
                  assert.deepStrictEqual(yield* store.headers(query), Model.headers(messages, query, firstArrival))
                }
              }
            }
          }
        }
      })
    )

    test(
      "gives headers to the end, where the bodies would be too much for a page",
      Effect.gen(function*() {
        const store = yield* Store
        const big = Array.from(
          { length: 80 },
          (_, i) => Make.message({ content: `${i} `.repeat(8_000), hlc: Make.at(i) })
        )
        const { firstArrival } = yield* store.commit(big, Hlc.zero)
        const query = { chatId: Make.group(0), direction: "before", floor: Hlc.zero, limit: 500 } as const
        assert.isBelow((yield* store.page(query)).length, 80)
        assert.deepStrictEqual(yield* store.headers(query), Model.headers(big, query, firstArrival))
      })
    )

    const everyControl = String.fromCharCode(...Array.from({ length: 0xa1 }, (_, code) => code))

    /** Contents that JSON, SQL or UTF-8 may trip over, and a chat of which a page is too long. */
    const oddRecords = (): ReadonlyArray<Record> => {
      const odd = [
        "",
        "\0",
        "\"\\\b\u007f",
        "\u{feff}\u2028",
        "\u{1f600}",
        "\ufffd",
        "é",
        everyControl,
        "x".repeat(32_768)
      ]
        .flatMap((content, i) => [
          Make.message({ content, hlc: Make.at(i) }),
          Make.message({ content, hlc: Make.at(i), control: Uint8Array.from({ length: i * 9 }, (_, j) => j * i) })
        ])
      const big = Array.from(
        { length: 80 },
        (_, i) => Make.message({ peer: Make.user(2), content: `${i} `.repeat(8_000), hlc: Make.at(i) })
      )
      return [...Make.manyRecords(11, 120), ...odd, ...big]
    }

    test(
      "gives pages as text: the JSON of the API, row by row",
      Effect.gen(function*() {
        const store = yield* Store
        const records = oddRecords()
        yield* store.commit(records, Hlc.zero)
        for (const chatId of chats) {
          for (const direction of ["before", "after"] as const) {
            for (const limit of [1, 50, 500]) {
              const query = { chatId, direction, floor: Hlc.zero, limit }
              const page = yield* store.page(query)
              assert.deepStrictEqual(
                yield* store.pageText(query),
                page.map((message) => {
                  const { hlc, id, sender } = message
                  return { hlc, id, sender, size: sizeOf(message), json: jsonOf(message) }
                })
              )
            }
          }
        }
      })
    )

    test(
      "writes pages of direct conversations as the API has them, from any place, however long",
      Effect.gen(function*() {
        const store = yield* Store
        const records = oddRecords()
        yield* store.commit(records, Hlc.zero)
        let pages = 0
        for (const chatId of chats) {
          for (const direction of ["before", "after"] as const) {
            for (const limit of [1, 2, 50, 64, 65, 500]) {
              let from: Position | undefined
              for (let n = 0; n < 20; n++) {
                const query = { chatId, direction, from, floor: limit === 2 ? Make.at(3) : Hlc.zero, limit }
                const rows = yield* store.page({ ...query, limit: limit + 1 })
                const isMore = rows.length > limit || rows.reduce((sum, row) => sum + sizeOf(row), 0) >= pageBytesMax
                const page = rows.slice(0, limit)
                const last = page.at(-1)
                const next = last === undefined || !isMore && direction === "before"
                  ? "null"
                  : `"${Hlc.toText(last.hlc)}${last.id}"`
                const json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
                  yield* store.pageJson(query)
                )
                assert.strictEqual(json, `{"messages":[${page.map(jsonOf).join(",")}],"next":${next}}`)
                pages++
                from = last === undefined ? undefined : { hlc: last.hlc, id: last.id }
                if (next === "null") break
              }
            }
          }
        }
        assert.isAbove(pages, 100)
        const unknown = {
          chatId: Make.dm(Make.user(77), Make.user(78)),
          direction: "before",
          floor: Hlc.zero,
          limit: 5
        } as const
        assert.strictEqual(new TextDecoder().decode(yield* store.pageJson(unknown)), `{"messages":[],"next":null}`)
      })
    )
  })
}
