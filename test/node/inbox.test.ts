/** The inbox against a recount over all records, and what it looks at to be made. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, References } from "effect"
import { TestClock } from "effect/testing"
import { cursorOf, messageJson, pageHead, pageTail } from "../../src/api/message-json.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { retentionMs } from "../../src/domain/limits.ts"
import { dotOf, opTypes } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { type InboxPosition, Store } from "../../src/services/Store.ts"
import { Views } from "../../src/services/Views.ts"
import { ModelFolds } from "../../src/testing/model/fold.ts"
import { ModelViews, type ShownChat, shownMessage } from "../../src/testing/model/views.ts"
import { Dice, Seed } from "../domain/records.ts"
import { services, steering, unsynced } from "./harness.ts"
import { others, reader, World, worldOf } from "./world.ts"

const inboxOf = Effect.fnUntraced(function*(limit: number) {
  const views = yield* Views
  const found: Array<ShownChat> = []
  for (let after: InboxPosition | undefined;;) {
    const page = yield* views.conversations(reader, { after, limit })
    assert.isAtMost(page.conversations.length, limit)
    for (const { capped, newest, place, title, unread } of page.conversations) {
      found.push({
        chatId: place.chatId,
        peer: place.kind === "dm" ? place.peer : undefined,
        title,
        newest: newest && shownMessage(newest.id, newest),
        unread,
        capped
      })
    }
    if (page.next === undefined) return found
    assert.strictEqual(page.conversations.length, limit)
    after = page.next
  }
})

describe("the inbox", () => {
  it.live.prop("is that of a recount, in pages of any length", [Seed], ([seed]) => {
    const world = worldOf(new Dice(seed))
    const expected = new ModelViews(world.records, Date.now(), new ModelFolds()).inbox(reader)
    return Effect.gen(function*() {
      yield* (yield* Store).commit(world.records, Hlc.zero)
      for (const limit of [1, 2, 5, 50]) assert.deepStrictEqual(yield* inboxOf(limit), expected)
      const views = yield* Views
      for (let n = 0; n < 12; n++) {
        const [place, query] = [{ kind: "group", chatId: world.group(n) }, { direction: "before", limit: 3 }] as const
        const told = Effect.map(
          views.history(reader, place, query),
          ({ messages, next }) =>
            pageHead + messages.map(messageJson).join(",") + pageTail(next && cursorOf(next.hlc, next.id))
        )
        assert.deepStrictEqual(
          yield* Effect.result(views.historyJson(reader, place, query)),
          yield* Effect.result(told)
        )
      }
    }).pipe(Effect.provide(services(steering())), Effect.provideService(References.MinimumLogLevel, "None"))
  }, { arbitrary: { runs: 40 }, timeout: 120_000 })

  it.live("misses no conversation that moves up while it is read", () => {
    const steer = steering()
    const world = new World()
    for (let n = 0; n < 30; n++) {
      const { id } = world.op(n, 10 + n, { op: opTypes.create, targets: [reader] })
      world.op(n, 100 + n, { op: opTypes.remove, targets: [reader], observed: [dotOf(id, reader)] })
    }
    world.message(others[0]!, others[0]!, 1)
    world.message(others[1]!, others[1]!, 2)
    return Effect.gen(function*() {
      const store = yield* Store
      yield* store.commit(world.records, Hlc.zero)
      let calls = 0
      steer.heads = Effect.suspend(() =>
        ++calls === 2 ? store.commit([world.message(others[0]!, others[0]!, 5_000)], Hlc.zero) : Effect.void
      )
      const walked: Array<Ids.ChatId> = []
      for (let after: InboxPosition | undefined;;) {
        const { conversations, next } = yield* (yield* Views).conversations(reader, { after, limit: 1 })
        walked.push(...conversations.map(({ place }) => place.chatId))
        if (next === undefined) break
        after = next
      }
      assert.isAbove(calls, 2)
      assert.sameMembers(walked, others.slice(0, 2).map((peer) => Ids.dmChatId(noble, reader, peer)))
    }).pipe(Effect.provide(services(steer)))
  })

  /** Group 0 of the reader and a member who writes as if she were not removed at tick 2. */
  const haunted = (): World => {
    const world = new World()
    const created = world.op(0, 1, { op: opTypes.create, targets: [reader, others[1]!] })
    const observed = [dotOf(created.id, others[1]!)]
    world.op(0, 2, { op: opTypes.remove, targets: [others[1]!], observed })
    return world
  }

  const lineOf = Effect.gen(function*() {
    const { conversations } = yield* (yield* Views).conversations(reader, { limit: 5 })
    return conversations.map(({ activity, newest, unread }) => ({ at: newest?.content, activity, unread }))
  })

  it.live("shows the newest shown message behind any number of hidden ones", () => {
    const world = haunted()
    const shown = world.message(0, others[0]!, 3)
    for (let i = 0; i < 5_100; i++) world.message(0, others[1]!, 10 + i)
    return Effect.gen(function*() {
      const store = yield* Store
      yield* store.commit(world.records, Hlc.zero)
      assert.deepStrictEqual(yield* lineOf, [{ at: "3", activity: shown.hlc, unread: 1 }])
      const last = world.message(0, others[0]!, 6_000)
      yield* store.commit([last], Hlc.zero)
      assert.deepStrictEqual(yield* lineOf, [{ at: "6000", activity: last.hlc, unread: 2 }])
    }).pipe(Effect.provide(services(steering())))
  }, 60_000)

  it.live("counts what is shown behind more hidden ones than a look takes in, up to its cap", () => {
    const world = haunted()
    // of one stamp, more than are read at a time: where reading goes on is told by the id
    for (let i = 0; i < 10_100; i++) world.message(0, others[1]!, 10)
    for (let i = 0; i < 1_010; i++) world.message(0, i % 2 === 0 ? reader : others[0]!, 20)
    return Effect.gen(function*() {
      const store = yield* Store
      yield* store.commit(world.records, Hlc.zero)
      const [line] = yield* lineOf
      assert.strictEqual(line?.unread, 505)
      yield* store.commit(Array.from({ length: 505 }, () => world.message(0, others[0]!, 30)), Hlc.zero)
      const { conversations } = yield* (yield* Views).conversations(reader, { limit: 5 })
      assert.deepInclude(conversations[0], { unread: 999, capped: true })
    }).pipe(Effect.provide(services(steering())))
  }, 60_000)

  it.live("gives up where hidden messages have no end", () => {
    const steer = steering()
    const world = haunted()
    world.message(0, others[0]!, 3)
    const { hlc, id, sender } = world.message(0, others[1]!, 10)
    let looked = 0
    steer.headers = ({ limit }) => {
      looked += limit
      return Array.from({ length: limit }, () => ({ sender, position: { hlc, id }, arrival: 1 }))
    }
    return Effect.gen(function*() {
      yield* (yield* Store).commit(world.records, Hlc.zero)
      const [line] = yield* lineOf
      assert.deepInclude(line, { at: undefined, unread: 0 })
      assert.isAbove(looked, 2 * 200_000 - 1)
      assert.isBelow(looked, 2 * 210_000)
    }).pipe(Effect.provide(services(steer)))
  })

  it.effect("stands on one hour, also when that turns while it is made", () => {
    const steer = steering()
    const nowMs = Date.UTC(2026, 0, 15, 12, 59)
    const world = new World(nowMs - retentionMs - 29 * 60_000)
    return Effect.gen(function*() {
      yield* TestClock.setTime(nowMs)
      world.message(others[0]!, others[0]!, 0)
      yield* (yield* Store).commit(world.records, Hlc.zero)
      steer.heads = TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* lineOf).map(({ unread }) => unread), [1])
      assert.deepStrictEqual(yield* lineOf, [])
    }).pipe(Effect.provide(unsynced(steer)))
  })

  it.live("loads the groups of its page, not all that a user is in", () => {
    const steer = steering()
    const world = new World()
    for (let n = 0; n < 300; n++) {
      world.op(n, 0, { op: opTypes.create, targets: [reader] })
      world.message(n, others[0]!, 1 + n)
    }
    return Effect.gen(function*() {
      yield* (yield* Store).commit(world.records, Hlc.zero)
      const page = yield* (yield* Views).conversations(reader, { limit: 10 })
      assert.deepStrictEqual(
        page.conversations.map(({ place }) => place.chatId),
        Array.from({ length: 10 }, (_, i) => world.group(299 - i))
      )
      assert.isAtMost(steer.loads, 11)
    }).pipe(Effect.provide(services(steer)))
  }, 60_000)
})
