/** Events of groups whose ops come late, several at once, or among very many messages: none is missed (FAILURES 14, 16). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Address } from "../../src/domain/ids.ts"
import { opTypes, type Record, roles } from "../../src/domain/record.ts"
import { caughtUp, eventsOf, listen, quiet, take, tells } from "./events-listening.ts"
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
      const put = world.op(0, 2, { op: opTypes.remove, targets: [reader], observed: [`${create.id}${reader}` as never] })
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
})
