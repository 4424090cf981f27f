/** What lacks a prerequisite waits in bounds, and is taken when it comes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { opTypes } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { waitMsMax } from "../../src/layers/node/intake.ts"
import { Authenticator } from "../../src/services/Authenticator.ts"
import { Groups } from "../../src/services/Groups.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { Intake } from "../../src/services/Intake.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { StoreError } from "../../src/services/Store.ts"
import { user } from "../http/fixture.ts"
import { claim, steering, unsynced } from "./harness.ts"
import { alice, at, bob, carol, dave, isStored, now, other, peer, run, settle, take } from "./intake-steps.ts"
import { add, create, groupMessage, groupOf } from "./peer-records.ts"

describe("failure 14: a prerequisite that is missing", () => {
  const chatId = groupOf(alice, 1)

  it.effect("is waited for, whichever way the op comes", () =>
    run(Effect.gen(function*() {
      const message = groupMessage(carol, chatId, "hi", { ts: now + 3 })
      const byBob = add(bob, chatId, carol, 0, { ts: now + 2 })
      assert.deepStrictEqual(yield* take([message, byBob]), ["waiting", "waiting"])
      assert.deepStrictEqual(yield* take([create(alice, 1, [], at)]), ["accepted"])
      yield* settle
      assert.strictEqual((yield* Intake).stats().waiting, 2)
      // makes bob an admin at this node, over HTTP
      const node = yield* NodeKey
      const fields: Ids.OpFields = {
        chatId,
        actor: alice.address,
        ts: now,
        node: node.id,
        op: opTypes.add,
        role: 1,
        targets: [bob.address]
      }
      const id = Ids.opId(noble, fields)
      const auth = yield* Authenticator
      const ingest = yield* Ingest
      yield* auth.write(
        claim(node, alice, "op", id, now),
        "op",
        id,
        (proof) => ingest.op(fields, proof),
        Effect.undefined
      )
      yield* settle
      assert.strictEqual((yield* Intake).stats().waiting, 0)
      assert.isTrue(yield* isStored(message))
    })))

  it.effect("may come earlier in the same list, as may what that needs; all are folded once", () =>
    run(Effect.gen(function*() {
      const list = [
        create(alice, 1, [], { ts: now }),
        add(alice, chatId, bob, 1, { ts: now + 1 }),
        add(bob, chatId, carol, 0, { ts: now + 2 }),
        groupMessage(carol, chatId, "hi", { ts: now + 3 }),
        groupMessage(dave, chatId, "not yet", { ts: now + 4 })
      ]
      assert.deepStrictEqual(yield* take(list), ["accepted", "accepted", "accepted", "accepted", "waiting"])
      const refolds = yield* (yield* Groups).use(chatId, ({ membership }) => membership.refolds)
      assert.strictEqual(refolds, 0)
      // ops that land in the past: one refold for the list
      const past = [1, 2, 3].map((ms) => add(alice, chatId, user(10 + ms), 0, { ts: now - ms, hlc: Hlc.make(now, ms) }))
      assert.deepStrictEqual(yield* take(past), ["accepted", "accepted", "accepted"])
      assert.strictEqual(yield* (yield* Groups).use(chatId, ({ membership }) => membership.refolds), 1)
    })))

  it.effect("dropped for want of room, a record is taken when it is brought again", () =>
    run(Effect.gen(function*() {
      const intake = yield* Intake
      const flood = Array.from({ length: 300 }, (_, i) =>
        groupMessage(carol, groupOf(carol, i % 250), "x".repeat(32_000), { ts: now + i }))
      const mine = groupMessage(bob, chatId, "first in", at)
      assert.deepStrictEqual(yield* take([mine]), ["waiting"])
      yield* take(flood)
      assert.isTrue(intake.stats().waitingBytes <= 8 * 1024 * 1024)
      yield* take([create(alice, 1, [bob], at)])
      yield* settle
      assert.isFalse(yield* isStored(mine))
      assert.deepStrictEqual(yield* take([mine]), ["accepted"])
    })), 60_000)

  it.effect(
    "from one peer does not push out what another brought; a peer that goes takes its own along",
    () =>
      run(Effect.gen(function*() {
        const intake = yield* Intake
        const mine = groupMessage(bob, chatId, "kept", at)
        yield* take([mine], other)
        yield* take(
          Array.from(
            { length: 300 },
            (_, i) => groupMessage(carol, groupOf(carol, 1), "x".repeat(32_000), { ts: now + i })
          )
        )
        intake.forget(peer)
        assert.strictEqual(intake.stats().waiting, 1)
        yield* take([create(alice, 1, [bob], at)])
        yield* settle
        assert.isTrue(yield* isStored(mine))
      })),
    60_000
  )

  it.effect("that nobody has is not waited for for ever", () =>
    run(Effect.gen(function*() {
      const intake = yield* Intake
      yield* take([groupMessage(bob, chatId, "hi", at)])
      yield* TestClock.adjust(waitMsMax)
      yield* settle
      assert.strictEqual(intake.stats().waiting, 1)
      yield* TestClock.adjust("2 minutes")
      yield* settle
      assert.deepStrictEqual(intake.stats(), { waiting: 0, waitingBytes: 0 })
    })))

  it.effect("when the store cannot say, the sender is told; what waited waits on", () => {
    const steer = steering()
    const broken = new StoreError({ reason: "io", message: "broken" })
    return run(
      Effect.gen(function*() {
        const message = groupMessage(bob, chatId, "hi", at)
        yield* take([message])
        steer.ops = Effect.fail(broken)
        assert.strictEqual(yield* Effect.flip(take([groupMessage(bob, chatId, "ho", at)])), broken)
        steer.ops = Effect.void
        yield* take([create(alice, 1, [bob], at)])
        yield* settle
        assert.isTrue(yield* isStored(message))
      }),
      unsynced(steer)
    )
  })
})
