/** Events of groups whose ops come late, several at once, or among very many messages: none is missed (FAILURES 14, 16). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Scheduler } from "effect"
import type { Address } from "../../src/domain/ids.ts"
import { Membership } from "../../src/domain/membership.ts"
import { type Op, opTypes, type Record, roles } from "../../src/domain/record.ts"
import type { Told } from "../../src/services/Events.ts"
import { Dice, Seed } from "../domain/records.ts"
import { caughtUp, eventsOf, listen, type Listening, quiet, take, tells } from "./events-listening.ts"
import { services, steering } from "./harness.ts"
import { others, reader, World } from "./world.ts"

const [other, second] = others as [Address, Address]

describe("ops that come late", () => {
  it.live("are told with the message that they show when each of two would show it", () => {
    const world = new World()
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      const create = world.op(0, 1, { op: opTypes.create, targets: [reader, second] })
      yield* take(create)
      yield* caughtUp(world, live)
      const put = world.op(0, 2, {
        op: opTypes.remove,
        targets: [second],
        observed: [`${create.id}${second}` as never]
      })
      const hidden = world.message(0, second, 9)
      yield* take(put, hidden)
      yield* caughtUp(world, live)
      assert.isFalse(live.told.some(tells(hidden)))
      yield* take(
        world.op(0, 4, { op: opTypes.add, targets: [second] }),
        world.op(0, 5, { op: opTypes.add, targets: [second], role: roles.admin })
      )
      yield* caughtUp(world, live)
      assert.strictEqual(live.told.filter(tells(hidden)).length, 1)
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet)
  })

  it.live("tell listeners to read anew when too many messages stand above them to be looked at", () => {
    const world = new World()
    const steer = steering()
    const create = world.op(0, 1, { op: opTypes.create, targets: [reader, second] })
    const put = world.op(0, 2, { op: opTypes.remove, targets: [second], observed: [`${create.id}${second}` as never] })
    const many: Array<Record> = Array.from({ length: 5_001 }, (_, i) => world.message(0, other, 10 + i))
    const hidden = world.message(0, second, 6_000)
    steer.stored = [create, put, ...many, hidden]
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      yield* take(world.op(0, 4, { op: opTypes.add, targets: [second] }))
      yield* caughtUp(world, live, 7_000)
      assert.include(eventsOf(live.told), "reset expired")
    }).pipe(Effect.scoped, Effect.provide(services(steer)), quiet)
  })

  it.live("put out who has heard nothing of the group before: she is told that", () => {
    const world = new World()
    const steer = steering()
    const create = world.op(0, 1, { op: opTypes.create, targets: [reader, second] })
    steer.stored = [create]
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      const put = world.op(0, 2, {
        op: opTypes.remove,
        targets: [reader],
        observed: [`${create.id}${reader}` as never]
      })
      yield* take(put)
      yield* caughtUp(world, live)
      assert.isTrue(live.told.some(tells(put)))
    }).pipe(Effect.scoped, Effect.provide(services(steer)), quiet)
  })

  it.live("that were without effect for who is out already are not told to her", () => {
    const world = new World()
    const steer = steering()
    const third = others[2]!
    const create = world.op(0, 1, { op: opTypes.create, targets: [reader, second, third] })
    const dot = (user: Address) => `${create.id}${user}` as never
    const put = world.op(0, 2, { op: opTypes.remove, targets: [reader], observed: [dot(reader)] })
    steer.stored = [create, put]
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      const again = world.op(0, 4, {
        op: opTypes.remove,
        targets: [reader, second].toSorted(),
        observed: [dot(second)]
      })
      yield* take(again)
      yield* caughtUp(world, live)
      assert.isFalse(live.told.some(tells(again)))
    }).pipe(Effect.scoped, Effect.provide(services(steer)), quiet)
  })

  it.live.prop(
    "hide nothing that is shown in the end, live or resumed, when records come many at once",
    [Seed],
    ([seed]) => {
      const dice = new Dice(seed)
      const world = new World()
      const ops: Array<Op> = [world.op(0, 0, { op: opTypes.create, targets: [reader, ...others.slice(1)] })]
      for (let i = 0; i < 12; i++) {
        const target = others[1 + dice.below(3)]!
        const seen = ops.filter(({ targets }) => targets.includes(target) && dice.below(4) > 0)
        const observed = seen.map(({ id }) => `${id}${target}` as never).toSorted()
        const role = dice.coin() ? roles.admin : roles.member
        const change = dice.coin() ? { op: opTypes.add, role } : { op: opTypes.remove, observed }
        ops.push(world.op(0, 1 + dice.below(40), { ...change, targets: [target] }))
      }
      const messages = Array.from({ length: 20 }, () => world.message(0, others[dice.below(4)]!, 1 + dice.below(45)))
      const rest = [...ops.slice(1), ...messages].map((record) => ({ record, place: dice.below(1_000) }))
        .sort((a, b) => a.place - b.place).map(({ record }) => record)
      return Effect.gen(function*() {
        yield* take(ops[0]!)
        const live = yield* listen(reader)
        const cuts: Array<{ readonly from: number; readonly again: Listening }> = []
        while (rest.length > 0) {
          yield* take(...rest.splice(0, 1 + dice.below(8)))
          const from = live.told.findLastIndex(({ id }) => id !== undefined)
          if (dice.coin()) cuts.push({ from, again: yield* listen(reader, live.told[from]!.id) })
        }
        const sign = world.message(other, other, 60)
        yield* take(sign)
        for (const { until } of [live, ...cuts.map(({ again }) => again)]) yield* until(tells(sign))
        const fold = new Membership(world.group(0))
        fold.insert(ops)
        const shown = messages.filter(({ hlc, sender }) => fold.wasMemberAt(sender, hlc))
        const missing = (told: ReadonlyArray<Told>) => shown.filter((message) => !told.some(tells(message)))
        assert.deepStrictEqual(missing(live.told), [])
        for (const { again, from } of cuts) {
          assert.deepStrictEqual(missing([...live.told.slice(0, from + 1), ...again.told]), [])
        }
      }).pipe(
        Effect.scoped,
        Effect.provide(services(steering())),
        // fibers give way nearly everywhere
        Effect.provideService(Scheduler.MaxOpsBeforeYield, 5),
        quiet
      )
    },
    { arbitrary: { runs: 15 }, timeout: 60_000 }
  )
})
