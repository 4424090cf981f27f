/** What waits survives a store that fails, and costs little however much of it there is. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Waiting } from "../../src/domain/waiting.ts"
import { Groups } from "../../src/services/Groups.ts"
import { Intake } from "../../src/services/Intake.ts"
import { StoreError } from "../../src/services/Store.ts"
import { Writer } from "../../src/services/Writer.ts"
import { steering, unsynced } from "./harness.ts"
import { alice, at, bob, carol, isStored, now, run, settle, take } from "./intake-steps.ts"
import { add, create, dm, groupMessage, groupOf } from "./peer-records.ts"

const broken = new StoreError({ reason: "io", message: "broken" })

describe("failure 14: what waits while the store fails", () => {
  it.effect("in several groups, is all tried again", () => {
    const steer = steering()
    return run(
      Effect.gen(function*() {
        const intake = yield* Intake
        // early: judged again when their time comes, each in its own group, which the store must give
        const early = [1, 2, 3].map((byte) => create(alice, byte, [], { ts: now + 90_000 }))
        const direct = dm(alice, bob, "hi", { ts: now + 90_000 })
        assert.deepStrictEqual(yield* take([...early, direct]), ["early", "early", "early", "early"])
        yield* settle
        steer.ops = Effect.fail(broken)
        yield* TestClock.adjust(30_000)
        yield* settle
        assert.isTrue(yield* isStored(direct))
        assert.strictEqual(intake.stats().waiting, 3)
        yield* TestClock.adjust(5_000)
        steer.ops = Effect.void
        yield* TestClock.adjust(5_000)
        yield* settle
        assert.strictEqual(intake.stats().waiting, 0)
        for (const { chatId } of early) {
          assert.strictEqual(yield* (yield* Groups).use(chatId, ({ membership }) => membership.size), 1)
        }
      }),
      unsynced(steer)
    )
  })
})

describe("failure 13: many that wait", () => {
  it("for one time, are taken out in time that grows with their number", () => {
    const most = 16_384
    const limits = { recordsMax: most, bytesMax: most, shareRecordsMax: most, shareBytesMax: most }
    const took = (count: number) => {
      const waiting = new Waiting<string, number>(limits)
      // how often a place of the list is looked at
      let looks = 0
      for (let i = 0; i < count; i++) {
        const waitsFor = {
          get dueMs() {
            looks++
            return 1
          }
        }
        waiting.put({ key: `${i}`, source: "a", value: i, bytes: 1, sinceMs: 0 }, waitsFor)
      }
      looks = 0
      assert.deepStrictEqual(waiting.takeDue(1).map(({ value }) => value), Array.from({ length: count }, (_, i) => i))
      assert.deepStrictEqual([waiting.size, waiting.bytes, waiting.nextDueMs()], [0, 0, undefined])
      return looks
    }
    assert.strictEqual(took(most), 0)
  })

  it.effect("for other ops of their group are not judged at each op", () =>
    run(Effect.gen(function*() {
      const intake = yield* Intake
      const chatId = groupOf(alice, 1)
      const strangers = Array.from({ length: 20 }, (_, i) => groupMessage(carol, chatId, `${i}`, { ts: now + i }))
      const mine = groupMessage(bob, chatId, "mine", at)
      yield* take([create(alice, 1, [], at), ...strangers, mine])
      assert.strictEqual(intake.stats().waiting, 21)
      let pending = 0
      const writer = yield* Writer
      const { pending: ask } = writer
      Object.assign(writer, { pending: (slot: string) => (pending++, ask(slot)) })
      yield* take([add(alice, chatId, bob, 0, { ts: now + 1 })])
      yield* settle
      // the op, before and after its signatures; and the one that can be taken now
      assert.isTrue(pending <= 4, `${pending} looks`)
      assert.isTrue(yield* isStored(mine))
      assert.strictEqual(intake.stats().waiting, 20)
    })))
})
