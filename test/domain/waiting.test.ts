/** What waits is bounded for each source and in all, whatever comes, and is given back once. */
import { assert, describe, it } from "@effect/vitest"
import type { ChatId } from "../../src/domain/ids.ts"
import { type Waiter, Waiting } from "../../src/domain/waiting.ts"
import { Dice, Seed } from "./records.ts"

const limits = { recordsMax: 12, bytesMax: 100, shareRecordsMax: 6, shareBytesMax: 50 }
const chat = (i: number) => `chat${i}` as ChatId
const waiter = (key: string, source: string, bytes = 1, sinceMs = 0): Waiter<string, string> => ({
  key,
  source,
  value: key,
  bytes,
  sinceMs
})
const keys = (waiters: ReadonlyArray<Waiter<string, string>>) => waiters.map(({ key }) => key)

describe("waiting", () => {
  it("gives back what is due at its time, and what waits for a group, once", () => {
    const waiting = new Waiting<string, string>(limits)
    waiting.put(waiter("late", "a"), { dueMs: 20 })
    waiting.put(waiter("soon", "a"), { dueMs: 10 })
    waiting.put(waiter("group", "a"), { chatId: chat(1) })
    waiting.put(waiter("other", "b"), { chatId: chat(2) })
    assert.strictEqual(waiting.nextDueMs(), 10)
    assert.deepStrictEqual(keys(waiting.takeDue(9)), [])
    assert.deepStrictEqual(keys(waiting.takeDue(10)), ["soon"])
    assert.deepStrictEqual(keys(waiting.takeDue(100)), ["late"])
    assert.isTrue(waiting.waitsFor(chat(1)))
    assert.deepStrictEqual(keys(waiting.takeChat(chat(1), () => true)), ["group"])
    assert.deepStrictEqual(keys(waiting.takeChat(chat(1), () => true)), [])
    assert.isFalse(waiting.waitsFor(chat(1)))
    assert.deepStrictEqual([waiting.size, waiting.bytes, waiting.nextDueMs()], [1, 1, undefined])
  })

  it("keeps a key once, with whoever brought it first", () => {
    const waiting = new Waiting<string, string>(limits)
    assert.strictEqual(waiting.put(waiter("x", "a"), { dueMs: 1 }), 0)
    assert.strictEqual(waiting.put(waiter("x", "b"), { dueMs: 1 }), 0)
    assert.strictEqual(waiting.size, 1)
    assert.strictEqual(waiting.forget("b"), 0)
    assert.strictEqual(waiting.forget("a"), 1)
    assert.strictEqual(waiting.size, 0)
  })

  it("a source over its share loses its own oldest, and nobody else's", () => {
    const waiting = new Waiting<string, string>(limits)
    waiting.put(waiter("mine", "a"), { chatId: chat(1) })
    let dropped = 0
    for (let i = 0; i < 20; i++) dropped += waiting.put(waiter(`${i}`, "b"), { dueMs: i })
    assert.strictEqual(dropped, 14)
    assert.deepStrictEqual(keys(waiting.takeDue(100)), ["14", "15", "16", "17", "18", "19"])
    assert.isTrue(waiting.has("mine"))
    // by bytes, too; and one that is larger than a share is not kept
    assert.strictEqual(waiting.put(waiter("large", "b", 51), { dueMs: 1 }), 1)
    assert.isFalse(waiting.has("large"))
  })

  it("when all is full, the source that takes most loses", () => {
    const waiting = new Waiting<string, string>(limits)
    for (let i = 0; i < 6; i++) waiting.put(waiter(`b${i}`, "b"), { dueMs: 1 })
    for (let i = 0; i < 5; i++) waiting.put(waiter(`c${i}`, "c"), { dueMs: 1 })
    waiting.put(waiter("a0", "a"), { dueMs: 1 })
    assert.strictEqual(waiting.put(waiter("a1", "a"), { dueMs: 1 }), 1)
    assert.isFalse(waiting.has("b0"))
    assert.isTrue(waiting.has("a0") && waiting.has("a1") && waiting.has("c0"))
  })

  it("drops what is over", () => {
    const waiting = new Waiting<string, string>(limits)
    waiting.put(waiter("old", "a", 1, 0), { dueMs: 1 })
    waiting.put(waiter("new", "a", 1, 5), { chatId: chat(1) })
    assert.strictEqual(waiting.sweep(({ sinceMs }) => sinceMs < 5), 1)
    assert.isTrue(waiting.has("new") && !waiting.has("old"))
  })

  it.prop("agrees with a plain list whatever happens, and stays in bounds", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const waiting = new Waiting<string, string>(limits)
    const held = new Map<string, { readonly due?: number; readonly chat?: number }>()
    let put = 0
    let gone = 0
    for (let step = 0; step < 200; step++) {
      const gave = (waiters: ReadonlyArray<Waiter<string, string>>, fits: (key: string) => boolean) => {
        for (const { key } of waiters) assert.isTrue(fits(key) && held.delete(key))
        gone += waiters.length
      }
      switch (dice.below(6)) {
        case 0: {
          const now = dice.below(100)
          gave(waiting.takeDue(now), (key) => (held.get(key)?.due ?? 101) <= now)
          assert.isTrue((waiting.nextDueMs() ?? 101) > now)
          break
        }
        case 1: {
          const number = dice.below(3)
          gave(waiting.takeChat(chat(number), () => true), (key) => held.get(key)?.chat === number)
          break
        }
        case 2:
          if (dice.below(5) === 0) gone += waiting.forget(`s${dice.below(4)}`)
          break
        default: {
          const key = `k${dice.below(60)}`
          if (waiting.has(key)) break
          const what = dice.coin() ? { due: dice.below(100) } : { chat: dice.below(3) }
          put++
          held.set(key, what)
          gone += waiting.put(
            waiter(key, `s${dice.below(4)}`, 1 + dice.below(20)),
            what.due === undefined ? { chatId: chat(what.chat) } : { dueMs: what.due }
          )
        }
      }
      assert.isTrue(waiting.size <= limits.recordsMax && waiting.bytes <= limits.bytesMax)
      assert.strictEqual(waiting.size, put - gone)
    }
    waiting.takeDue(1_000)
    for (let i = 0; i < 3; i++) waiting.takeChat(chat(i), () => true)
    assert.deepStrictEqual([waiting.size, waiting.bytes], [0, 0])
  })
})
