/** What streams of events may take, and when they begin and beat: bounds and seams (FAILURES 5, 12, 14). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { heartbeatMs } from "../../src/api/events.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address, IdentityId } from "../../src/domain/ids.ts"
import { opTypes, type Record } from "../../src/domain/record.ts"
import { EventBuffer, waitingBytesMax } from "../../src/layers/node/event-buffer.ts"
import { Room, Share } from "../../src/layers/node/event-catch-up.ts"
import { Store } from "../../src/services/Store.ts"
import { caughtUp, eventsOf, listen, quiet, take } from "./events-listening.ts"
import { gate, services, steering } from "./harness.ts"
import { others, reader, World } from "./world.ts"

const [other, second, third] = others as [Address, Address, Address]

describe("streams of events", () => {
  it.effect("beat once in a heartbeat's time while nothing is told, and never say an earlier place", () => {
    return Effect.gen(function*() {
      const live = yield* listen(reader)
      yield* TestClock.adjust(heartbeatMs * 10)
      assert.isAtLeast(live.told.length, 10)
      assert.isAtMost(live.told.length, 12)
      assert.deepStrictEqual(eventsOf(live.told), [])
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet)
  })

  it.live("that come with a place which is not reached yet are told to read anew: a disk has lost what they had", () => {
    const world = new World()
    return Effect.gen(function*() {
      const fresh = yield* listen(reader)
      const { arrival, epoch } = fresh.told[0]!.id!
      const above = yield* listen(reader, { epoch, arrival: arrival + 1_000_000 })
      yield* caughtUp(world, above)
      assert.deepStrictEqual(eventsOf(above.told).slice(0, 1), ["reset unknown"])
    }).pipe(Effect.scoped, Effect.provide(services(steering())), quiet)
  })

  it.live("that begin while a record is told are told it too", () => {
    const world = new World()
    const steer = steering()
    const create = world.op(0, 1, { op: opTypes.create, targets: [second, third] })
    steer.stored = [create, world.message(second, second, 1)]
    return Effect.gen(function*() {
      const ops = yield* gate
      steer.ops = ops.pass
      yield* listen(third)
      const identity: Record = {
        kind: "identity",
        id: "ab".repeat(32) as IdentityId,
        address: second,
        ts: 1,
        blob: Uint8Array.of(1),
        hlc: Hlc.make(Date.now(), 0),
        node: create.node,
        sig: new Uint8Array(65),
        sigVersion: 1
      }
      const { loads } = steer
      yield* take(identity)
      // a group is loaded to find out whom to tell; meanwhile the peer of a direct conversation begins to listen
      while (steer.loads === loads) yield* Effect.sleep(1)
      const opening = yield* Effect.forkScoped(listen(reader))
      yield* Effect.sleep(50)
      yield* ops.open
      const live = yield* Fiber.join(opening)
      yield* take(world.message(second, second, 5))
      yield* live.until(({ event }) => event?.type === "message")
      const { last } = yield* (yield* Store).arrivalLog
      // it begins behind the record, or is told it
      assert.strictEqual(eventsOf(live.told).length, last - live.told[0]!.id!.arrival)
    }).pipe(Effect.scoped, Effect.provide(services(steer)), quiet)
  })

  it("hold a bounded number of bytes: large messages are read from the store instead", () => {
    const world = new World()
    const stream = new EventBuffer()
    stream.begin(0)
    const message = { ...world.message(other, other, 1), content: "x".repeat(32_000) }
    let at = 0
    while (stream.state === "live") stream.push({ at: ++at, event: { type: "message", message }, isLast: true })
    assert.isAtMost(at, waitingBytesMax / 32_000 + 2)
    assert.isTrue(stream.isEmpty)
  })

  it("wake a reader for what came between her look and her waiting", () => {
    const world = new World()
    const stream = new EventBuffer()
    stream.begin(0)
    const event = { type: "message", message: world.message(other, other, 1) } as const
    assert.isTrue(stream.isEmpty)
    stream.push({ at: 1, event, isLast: true })
    let woken = 0
    stream.whenReady(() => woken++)
    assert.strictEqual(woken, 1)
    stream.take()
    stream.whenReady(() => woken++)
    stream.push({ at: 2, event, isLast: true })
    stream.push({ at: 3, event, isLast: true })
    assert.strictEqual(woken, 2)
  })

  it("fold no more of the past together than there is room for, and give it back", () => {
    const room = new Room()
    const shares = Array.from({ length: 20 }, () => new Share(room))
    const took = shares.filter((share) => share.take(100_000))
    assert.strictEqual(took.length, 10)
    assert.isFalse(took[0]!.take(1))
    took[0]!.release()
    assert.isTrue(shares.at(-1)!.take(100_000))
    assert.isFalse(shares.at(-2)!.take(1))
  })
})
