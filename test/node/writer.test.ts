/** The writer outlives what goes wrong around it, and says so (FAILURES 15, 21). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { Authenticator } from "../../src/services/Authenticator.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { Store, StoreError } from "../../src/services/Store.ts"
import { Trees } from "../../src/services/Trees.ts"
import { Views } from "../../src/services/Views.ts"
import { Writer } from "../../src/services/Writer.ts"
import { user } from "../http/fixture.ts"
import { claim, dmFields, gate, identityFields, services, steering, unsynced } from "./harness.ts"

const [alice, bob] = [user(1), user(2)]

const setIdentity = Effect.fnUntraced(function*(byte: number, offsetMs: number) {
  const ts = (yield* Clock.currentTimeMillis) + offsetMs
  const fields = identityFields(alice, ts, byte)
  const id = Ids.identityId(noble, fields)
  const auth = yield* Authenticator
  const ingest = yield* Ingest
  return yield* auth.write(
    claim(yield* NodeKey, alice, "identity", id, ts),
    "identity",
    id,
    (proof) => ingest.identity(fields, proof),
    Effect.undefined
  )
})

const sendDm = Effect.fnUntraced(function*(content: string) {
  const ts = yield* Clock.currentTimeMillis
  const fields = dmFields(alice, bob, ts, content)
  const id = Ids.messageId(noble, fields)
  const auth = yield* Authenticator
  const ingest = yield* Ingest
  const place = { kind: "dm", chatId: fields.chatId, peer: bob.address } as const
  return yield* auth.write(
    claim(yield* NodeKey, alice, "message", id, ts),
    "message",
    id,
    (proof) => ingest.message(place, fields, proof),
    Effect.undefined
  )
})

const inbox = Effect.flatMap(Views, (views) => views.conversations(bob.address, { limit: 10 }))

describe("the writer", () => {
  it.live("failure 15: what goes wrong after the last commit keeps nobody out", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const writer = yield* Writer
      steer.report = (commit) => ({ ...commit, outcomes: undefined as never })
      yield* sendDm("is stored all the same")
      yield* writer.committed(writer.last())
      steer.report = (commit) => commit
      yield* writer.room.pipe(Effect.timeout(5_000))
      assert.isUndefined(writer.stats().failing)
    }).pipe(Effect.provide(services(steer)))
  })

  it.live("commits a batch that holds several records of one slot", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const held = yield* gate
      steer.commit = held.pass
      yield* sendDm("opens a batch")
      yield* Effect.sleep(20)
      for (let byte = 0; byte < 5; byte++) yield* setIdentity(byte, byte - 10)
      yield* held.open
      const writer = yield* Writer
      yield* writer.committed(writer.last()).pipe(Effect.timeout(5_000))
      assert.strictEqual(writer.stats().queued, 0)
      const stored = yield* (yield* Store).identity(alice.address)
      assert.deepStrictEqual(stored?.blob, Uint8Array.of(4))
    }).pipe(Effect.provide(services(steer)))
  })

  it.effect("commits at once, and while much comes what comes within moments together unless somebody waits", () => {
    const steer = steering()
    let commits = 0
    const count = Effect.sync(() => {
      commits++
    })
    steer.commit = count
    const body = Effect.gen(function*() {
      const writer = yield* Writer
      const settle = Effect.repeat(Effect.yieldNow, { times: 100 })
      const told = Effect.map(settle, () => [commits, writer.stats().queued])
      const send = (times: number) => Effect.forEach(Array.from({ length: times }, (_, i) => `${commits} ${i}`), sendDm)
      yield* send(1)
      assert.deepStrictEqual(yield* told, [1, 0])
      yield* send(1)
      assert.deepStrictEqual(yield* told, [2, 0])
      // much comes while a commit is under way
      const held = yield* gate
      steer.commit = Effect.andThen(count, held.pass)
      yield* send(1)
      assert.deepStrictEqual(yield* told, [3, 1])
      yield* send(4)
      steer.commit = count
      yield* held.open
      assert.deepStrictEqual(yield* told, [4, 0])
      yield* send(5)
      assert.deepStrictEqual(yield* told, [4, 5])
      yield* TestClock.adjust(8)
      assert.deepStrictEqual(yield* told, [5, 0])
      yield* send(64)
      assert.deepStrictEqual(yield* told, [6, 0])
      yield* send(4)
      assert.deepStrictEqual(yield* told, [6, 4])
      yield* writer.committed(writer.last())
      assert.deepStrictEqual(yield* told, [7, 0])
      yield* send(1)
      assert.deepStrictEqual(yield* told, [7, 1])
      assert.strictEqual((yield* inbox).conversations[0]?.newest?.content, "7 0")
      // little came
      yield* send(1)
      assert.deepStrictEqual(yield* told, [9, 0])
    }).pipe(Effect.provide(unsynced(steer)))
    return Effect.andThen(TestClock.setTime(Date.UTC(2026, 0, 1)), body)
  })

  it.live("outlives a store that dies, says so meanwhile, and loses nothing", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const writer = yield* Writer
      steer.commit = Effect.die(new Error("a bug in the store"))
      const receipt = yield* sendDm("kept")
      for (let turns = 0; turns < 200 && writer.stats().failing === undefined; turns++) yield* Effect.sleep(5)
      assert.strictEqual(writer.stats().failing, "the writer is broken")
      // who reads it is told, and does not wait for ever
      const refused = yield* Effect.flip(inbox)
      assert.deepStrictEqual([refused._tag, refused.reason], ["Overloaded", "queue"])
      steer.commit = Effect.fail(new StoreError({ reason: "full", message: "/somewhere: full" }))
      for (let turns = 0; turns < 200 && writer.stats().failing !== "the disk is full"; turns++) yield* Effect.sleep(20)
      assert.strictEqual(writer.stats().failing, "the disk is full")
      steer.commit = Effect.void
      yield* writer.committed(receipt.ticket).pipe(Effect.timeout(10_000))
      assert.isUndefined(writer.stats().failing)
      assert.strictEqual((yield* inbox).conversations.length, 1)
    }).pipe(Effect.provide(services(steer)))
  })

  it.live("outlives trees that do not fit, which are built anew", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const trees = yield* Trees
      yield* Effect.sleep(100)
      steer.report = (commit) => ({
        ...commit,
        leaves: commit.leaves.map((leaf) => ({ ...leaf, change: "remove" as const }))
      })
      yield* sendDm("one")
      const writer = yield* Writer
      yield* writer.committed(writer.last()).pipe(Effect.timeout(5_000))
      steer.report = (commit) => commit
      yield* sendDm("two")
      yield* writer.committed(writer.last()).pipe(Effect.timeout(5_000))
      for (let turns = 0; turns < 100 && trees.built() < 1; turns++) yield* Effect.sleep(20)
      // what they hold by then, the tests of trees say
      assert.deepStrictEqual([trees.built(), writer.stats().committed], [1, 2])
      assert.isUndefined(writer.stats().failing)
    }).pipe(Effect.provide(services(steer)))
  })

  it.live("a reader waits for writes before hers, but not for ever", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const held = yield* gate
      steer.commit = held.pass
      yield* sendDm("held")
      const reading = yield* Effect.forkChild(inbox)
      const other = yield* Effect.flip(inbox).pipe(Effect.timeout(8_000))
      assert.deepStrictEqual([other._tag, other.reason], ["Overloaded", "queue"])
      yield* held.open
      yield* Fiber.await(reading)
      assert.strictEqual((yield* inbox).conversations.length, 1)
    }).pipe(Effect.provide(services(steer)))
  }, 20_000)
})

describe("a store that is gone", () => {
  it.live("is not written for: nothing is accepted that could never be kept", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const writer = yield* Writer
      steer.commit = Effect.fail(new StoreError({ reason: "stopped", message: "/somewhere: the thread ended" }))
      yield* sendDm("the first shows it")
      for (let turns = 0; turns < 200 && writer.stats().failing === undefined; turns++) yield* Effect.sleep(5)
      const refused = yield* Effect.flip(sendDm("refused"))
      assert.deepStrictEqual([refused._tag, "reason" in refused && refused.reason], ["Overloaded", "queue"])
      assert.strictEqual(writer.last(), 1)
      // it may come back in a simulator; in a process it does not
      steer.commit = Effect.void
      yield* writer.committed(1).pipe(Effect.timeout(10_000))
      yield* sendDm("taken again")
    }).pipe(Effect.provide(services(steer)))
  })
})
