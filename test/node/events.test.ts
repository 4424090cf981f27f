/** What users are told as it happens: everything once, in order, however often they come back (FAILURES 5, 16). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address, ChatId } from "../../src/domain/ids.ts"
import { defaultIngestLimits } from "../../src/domain/limits.ts"
import { opTypes, type Record } from "../../src/domain/record.ts"
import { waitingMax } from "../../src/layers/node/event-buffer.ts"
import { type EventId, Events, type Told } from "../../src/services/Events.ts"
import { Store } from "../../src/services/Store.ts"
import { ModelFolds } from "../../src/testing/model/fold.ts"
import { ModelViews } from "../../src/testing/model/views.ts"
import { Dice, Seed } from "../domain/records.ts"
import { caughtUp, eventsOf, groupOf, listen, nameOf, quiet, take, tells } from "./events-listening.ts"
import { services, steering } from "./harness.ts"
import { others, reader, World, worldOf } from "./world.ts"

const [other, second] = others as [Address, Address]

/** Resumes at a place and reads to the end. */
const resumed = Effect.fnUntraced(function*(id: EventId, last: EventId) {
  const events = yield* Events
  return yield* events.stream(reader, id).pipe(
    Stream.takeUntil((told) => (told.id?.arrival ?? 0) >= last.arrival),
    Stream.runCollect,
    Effect.timeout(10_000)
  )
})

describe("a stream of events", () => {
  it.live.prop("tells each shown record once, whatever the order, and goes on from any place as if never cut", [Seed], (
    [seed]
  ) => {
    const dice = new Dice(seed)
    const world = worldOf(dice)
    const records = world.records.map((record) => ({ record, place: dice.below(1_000) }))
      .sort((a, b) => a.place - b.place).map(({ record }) => record)
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      for (const record of records) {
        yield* take(record)
        // an op moves who is told when it is told: the next must not be accepted before
        if (record.kind === "op") yield* caughtUp(world, live)
      }
      yield* caughtUp(world, live)

      const told = eventsOf(live.told)
      assert.strictEqual(new Set(told).size, told.length, "something was told twice")
      const folds = new ModelFolds()
      const views = new ModelViews(world.records, Date.now(), folds)
      const shown = views.inbox(reader).map(({ chatId, peer }) => ({ chatId, peer }))
      const messages = new Set(told.filter((name) => name.startsWith("message")).map((name) => name.split(" ")[1]!))
      for (const record of world.records) {
        if (record.kind === "message" && record.peer !== undefined) assert.isTrue(messages.has(record.id), "missed")
      }

      const isIn = (chatId: ChatId) => shown.some((chat) => chat.peer === undefined && chat.chatId === chatId)
      const last = live.told.findLast(({ id }) => id !== undefined)!.id!
      for (const [i, { id }] of live.told.entries()) {
        if (id === undefined) continue
        const again = yield* resumed(id, last)
        const rest = live.told.slice(i + 1)
        // who is no longer a member is told how she was put out, and nothing else of that group
        const open = (each: Told) => groupOf(each) === undefined || isIn(groupOf(each)!)
        assert.deepStrictEqual(eventsOf(again.filter(open)), eventsOf(rest.filter(open)))
        const closed = again.filter((each) => !open(each))
        assert.isTrue(closed.every(({ event }) => event?.type === "membership"))
        assert.includeMembers([...eventsOf(rest)], [...eventsOf(closed)])
      }
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet)
  }, { arbitrary: { runs: 15 }, timeout: 60_000 })

  it.live("is closed to who was put out, and tells who joins nothing from before", () => {
    const world = new World()
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      const step = Effect.fnUntraced(function*(record: Record) {
        yield* take(record)
        yield* caughtUp(world, live)
        return record
      })
      const create = yield* step(world.op(0, 1, { op: opTypes.create, targets: [second] }))
      const before = yield* step(world.message(0, second, 2))
      const add = yield* step(world.op(0, 3, { op: opTypes.add, targets: [reader] }))
      const inside = yield* step(world.message(0, second, 4))
      const remove = yield* step(
        world.op(0, 5, { op: opTypes.remove, targets: [reader], observed: [`${add.id}${reader}` as never] })
      )
      const after = yield* step(world.message(0, second, 6))
      const found = (record: Record) => live.told.some(tells(record))
      assert.deepStrictEqual(
        [create, before, add, inside, remove, after].map(found),
        [false, false, true, true, true, false]
      )
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet)
  })

  it.live("tells a message when an op that came late shows it", () => {
    const world = new World()
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      yield* take(world.op(0, 1, { op: opTypes.create, targets: [reader] }))
      const add = world.op(0, 3, { op: opTypes.add, targets: [second] })
      const early = world.message(0, second, 5)
      yield* take(early)
      yield* caughtUp(world, live)
      assert.isFalse(live.told.some(tells(early)))
      yield* take(add)
      yield* caughtUp(world, live)
      assert.strictEqual(live.told.filter(tells(early)).length, 1)
      assert.isBelow(live.told.findIndex(tells(add)), live.told.findIndex(tells(early)))
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet)
  })

  it.live("says where it stands first, and takes no other store's places", () =>
    Effect.gen(function*() {
      const world = new World()
      yield* take(world.message(other, other, 1))
      const fresh = yield* listen(reader)
      assert.deepStrictEqual(fresh.told.map(nameOf), ["place"])
      const { arrival, epoch } = fresh.told[0]!.id!
      const foreign = yield* listen(reader, { epoch: "f".repeat(16), arrival })
      const unknown = yield* listen(reader, "unknown")
      for (const { told } of [foreign, unknown]) assert.deepStrictEqual(eventsOf(told), ["reset unknown"])
      assert.deepStrictEqual(unknown.told[0]!.id, { epoch, arrival })
      const sign = world.message(other, other, 2)
      yield* take(sign)
      yield* unknown.until(tells(sign))
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet))

  it.live("that is not read holds a bounded list, and is told all from the store when it is", () => {
    const world = new World()
    const count = 3 * waitingMax
    return Effect.gen(function*() {
      const events = yield* Events
      const gate = yield* Deferred.make<void>()
      const [begun, told] = [yield* Deferred.make<void>(), [] as Array<Told>]
      yield* Effect.forkScoped(Stream.runForEach(events.stream(reader), (each) => {
        told.push(each)
        return Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate))
      }))
      yield* Deferred.await(begun)
      const sent = Array.from({ length: count }, (_, i) => world.message(other, other, i))
      for (const message of sent) yield* take(message)
      yield* Deferred.succeed(gate, undefined)
      const rest = yield* listen(reader)
      yield* caughtUp(world, rest, count)
      while (told.filter(({ event }) => event !== undefined).length <= count) yield* Effect.sleep(5)
      assert.deepStrictEqual(
        told.flatMap(({ event }) => event?.type === "message" ? [event.message.id] : []).slice(0, count),
        sent.map(({ id }) => id)
      )
    }).pipe(Effect.scoped, Effect.timeout(30_000), Effect.provide(services(steering())), quiet)
  })

  it.live("is refused where all have too many; of one user the oldest gives way", () =>
    Effect.gen(function*() {
      const { admit } = yield* Events
      const [first, next] = [yield* listen(reader), yield* listen(reader)]
      yield* listen(other)
      assert.deepInclude(yield* Effect.flip(admit), { _tag: "Overloaded" })
      const last = yield* listen(reader)
      yield* Fiber.join(first.fiber)
      assert.isUndefined(next.fiber.pollUnsafe())
      yield* Fiber.interrupt(last.fiber)
      yield* admit
      // what has ended leaves nothing behind, and takes nothing along
      yield* Fiber.interrupt(next.fiber)
      const again = yield* listen(reader)
      const world = new World()
      yield* caughtUp(world, again)
    }).pipe(
      Effect.scoped,
      Effect.provide(services(steering(), { ...defaultIngestLimits, userStreamsMax: 2, streamsMax: 3 }))
    ))

  it.live("tells an identity to those who share a conversation with its owner, and to nobody else", () => {
    const world = new World()
    const [, , third, stranger] = others as [Address, Address, Address, Address]
    return Effect.gen(function*() {
      for (
        const record of [
          world.message(second, second, 1),
          world.op(0, 1, { op: opTypes.create, targets: [second, third] })
        ]
      ) yield* take(record)
      const [dm, member, none] = [yield* listen(reader), yield* listen(third), yield* listen(stranger)]
      const own = yield* listen(second)
      const identity: Record = {
        kind: "identity",
        id: "ab".repeat(32) as never,
        address: second,
        ts: 1,
        blob: Uint8Array.of(1),
        hlc: Hlc.make(Date.now(), 0),
        node: (yield* (yield* Store).ops(world.group(0)))[0]!.node,
        sig: new Uint8Array(65),
        sigVersion: 1
      }
      yield* take(identity)
      for (const { until } of [dm, member, own]) yield* until(({ event }) => event?.type === "identity")
      const sign = world.message(0, third, 9)
      yield* take(sign)
      yield* member.until(tells(sign))
      assert.deepStrictEqual(eventsOf(none.told), [])
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet)
  })
})
