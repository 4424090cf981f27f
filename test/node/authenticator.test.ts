/** One signature, one write, one answer: also for callers that hang up, repeat, or borrow a signature (SPEC §3). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { Authenticator, type Proof } from "../../src/services/Authenticator.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { Writer } from "../../src/services/Writer.ts"
import { user } from "../http/fixture.ts"
import { claim, dmFields, gate, identityFields, services, steering } from "./harness.ts"

const [alice, bob] = [user(1), user(2)]

const draft = Effect.gen(function*() {
  const ts = yield* Clock.currentTimeMillis
  const fields = dmFields(alice, bob, ts, "once")
  const id = Ids.messageId(noble, fields)
  const ingest = yield* Ingest
  const auth = yield* Authenticator
  const place = { kind: "dm", chatId: fields.chatId, peer: bob.address } as const
  const perform = (proof: Proof) => ingest.message(place, fields, proof)
  const signed = claim(yield* NodeKey, alice, "message", id, ts)
  return { ts, id, fields, place, perform, signed, auth, ingest }
})

describe("a write", () => {
  it.live("is seen through when its caller hangs up, and who repeats it gets its answer", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const { auth, id, perform, signed } = yield* draft
      const held = yield* gate
      let performed = 0
      const slow = (proof: Proof) =>
        Effect.andThen(
          held.pass,
          Effect.suspend(() => {
            performed++
            return perform(proof)
          })
        )
      const write = auth.write(signed, "message", id, slow, Effect.undefined)
      const first = yield* Effect.forkChild(write)
      yield* Effect.sleep(20)
      const second = yield* Effect.forkChild(write)
      yield* Effect.sleep(20)
      const hungUp = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* Effect.sleep(20)
      yield* held.open
      yield* Fiber.await(hungUp)
      const answer = yield* Fiber.join(second)
      const again = yield* write
      assert.deepStrictEqual(again, answer)
      assert.strictEqual(performed, 1)
      assert.strictEqual((yield* Writer).last(), 1)
    }).pipe(Effect.provide(services(steer)))
  })

  it.live("that waited for a call which failed is tried itself", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const { auth, id, perform, signed } = yield* draft
      const held = yield* gate
      const failing = yield* Effect.forkChild(
        auth.write(
          signed,
          "message",
          id,
          () => Effect.andThen(held.pass, Effect.fail("refused" as const)),
          Effect.undefined
        )
      )
      yield* Effect.sleep(20)
      const waiting = yield* Effect.forkChild(auth.write(signed, "message", id, perform, Effect.undefined))
      yield* Effect.sleep(20)
      yield* held.open
      assert.isTrue(Exit.isFailure(yield* Fiber.await(failing)))
      assert.strictEqual((yield* Fiber.join(waiting)).id, id)
    }).pipe(Effect.provide(services(steer)))
  })

  it.live("takes no proof of another record", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const { auth, fields, id, ingest, place, signed, ts } = yield* draft
      const other = { ...fields, content: "something else" }
      const exit = yield* Effect.exit(
        auth.write(signed, "message", id, (proof) => ingest.message(place, other, proof), Effect.undefined)
      )
      assert.isTrue(Exit.hasDies(exit), "a proof was taken for what it does not prove")
      const identity = identityFields(alice, ts, 1)
      const wrongKind = yield* Effect.exit(
        auth.write(signed, "message", id, (proof) => ingest.identity(identity, proof), Effect.undefined)
      )
      assert.isTrue(Exit.hasDies(wrongKind))
      assert.strictEqual((yield* Writer).last(), 0)
    }).pipe(Effect.provide(services(steer)))
  })

  it.effect("whose node's clock was set back below its start says so, not that it was used", () => {
    const start = 1_900_000_000_000
    return Effect.gen(function*() {
      yield* TestClock.setTime(start)
      return yield* Effect.gen(function*() {
        yield* Ingest
        const refusal = (backMs: number) =>
          Effect.gen(function*() {
            yield* TestClock.setTime(start - backMs)
            const { auth, id, perform, signed } = yield* draft
            return yield* Effect.flip(auth.write(signed, "message", id, perform, Effect.undefined))
          })
        const little = yield* refusal(30_000)
        assert.strictEqual(little._tag, "Unauthenticated")
        const far = yield* refusal(30_001)
        assert.strictEqual(far._tag === "Overloaded" ? far.reason : far._tag, "clock")
      }).pipe(Effect.provide(services(steering())))
    })
  })
})
