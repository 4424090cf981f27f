/** What callers get who wait for a commit when the server ends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { call, dm, user } from "./fixture.ts"
import { steered } from "./steered-node.ts"

describe("a server that ends", () => {
  it(
    "answers a write that waits for a commit which does not come: it was accepted, and nothing breaks off",
    async () => {
      const scope = Scope.makeUnsafe()
      const node = await Effect.runPromise(Scope.provide(steered({ holds: true }), scope))
      node.hold()
      const [alice, bob] = [user(71), user(72)]
      const waiting = call(node, alice, { ...dm(alice, bob, { content: "x" }), headers: { prefer: "wait=10" } })
      await new Promise((resolve) => setTimeout(resolve, 300))
      const startMs = Date.now()
      // the disk comes back once the server is gone, or the writer could not be drained
      const closing = Effect.runPromise(Scope.close(scope, Exit.void))
      const answer = await waiting
      const tookMs = Date.now() - startMs
      node.release()
      await closing
      assert.strictEqual(answer.status, 202, JSON.stringify(answer.body))
      assert.match(answer.body.msg_id, /^0x[0-9a-f]{64}$/)
      assert.isBelow(tookMs, 9_000, "not only when its ten seconds were over")
    },
    30_000
  )
})
