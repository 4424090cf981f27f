/** The queue before a database thread: what nobody waits for any more is not read, what was to be written is (FAILURES 15). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { EventEmitter } from "node:events"
import type { Worker } from "node:worker_threads"
import type { Reply, Request } from "../../src/layers/store/protocol.ts"
import * as Thread from "../../src/layers/store/thread.ts"

/** A thread that takes calls and answers when it is told to. */
class Held extends EventEmitter {
  readonly taken: Array<Request> = []
  postMessage(request: Request): void {
    this.taken.push(request)
  }
  answer(index: number): void {
    const reply: Reply = { id: this.taken[index]!.id, answer: undefined }
    this.emit("message", reply)
  }
  terminate(): Promise<number> {
    return Promise.resolve(0)
  }
}

const message = (id: string) =>
  Effect.fnUntraced(function*(thread: Thread.Thread) {
    return yield* Effect.forkChild(thread.call("messages", [id as never]), { startImmediately: true })
  })

describe("a database thread", () => {
  it.live("gets a few calls at a time, in order, and none whose caller went away", () =>
    Effect.gen(function*() {
      const held = new Held()
      const thread = yield* Thread.start("/nowhere", () => held as unknown as Worker)
      const callers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let i = 0; i < 10; i++) callers.push(yield* message(String(i))(thread))
      const asked = () => held.taken.map((request) => String(request.ask))
      assert.deepStrictEqual(asked(), ["0", "1", "2", "3"])
      for (const gone of [1, 4, 5, 7]) yield* Fiber.interrupt(callers[gone]!)
      held.answer(0)
      held.answer(1)
      assert.deepStrictEqual(asked(), ["0", "1", "2", "3", "6", "8"])
      for (const index of [2, 3, 4]) held.answer(index)
      assert.deepStrictEqual(asked(), ["0", "1", "2", "3", "6", "8", "9"])
    }).pipe(Effect.scoped))

  it.live("is given every commit, also when its caller went away", () =>
    Effect.gen(function*() {
      const held = new Held()
      const thread = yield* Thread.start("/nowhere", () => held as unknown as Worker)
      for (let i = 0; i < 4; i++) yield* message(String(i))(thread)
      const commit = yield* Effect.forkChild(thread.call("commit", new ArrayBuffer(8)), { startImmediately: true })
      yield* Fiber.interrupt(commit)
      held.answer(0)
      assert.strictEqual(held.taken.at(-1)?.name, "commit")
    }).pipe(Effect.scoped))

  it.live("that ends fails the calls that wait for it too", () =>
    Effect.gen(function*() {
      const held = new Held()
      const thread = yield* Thread.start("/nowhere", () => held as unknown as Worker)
      const callers: Array<Fiber.Fiber<unknown, { readonly reason: string }>> = []
      for (let i = 0; i < 8; i++) {
        callers.push(yield* Effect.forkChild(thread.call("stats", undefined), { startImmediately: true }))
      }
      held.emit("exit", 1)
      for (const caller of callers) assert.strictEqual((yield* Effect.flip(Fiber.join(caller))).reason, "stopped")
      assert.strictEqual((yield* Effect.flip(thread.call("stats", undefined))).reason, "stopped")
    }).pipe(Effect.scoped))
})
