/** No answer is larger than a node can bear: a page ends early, and the next one goes on (FAILURES 13). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { pageBytesMax } from "../../src/domain/limits.ts"
import { sizeOf } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { type Position, Store } from "../../src/services/Store.ts"
import { type History, Views } from "../../src/services/Views.ts"
import { user } from "../http/fixture.ts"
import { dmFields, services, steering } from "./harness.ts"

const [alice, bob] = [user(1), user(2)]

describe("a chat of large messages", () => {
  it.live("is read whole, in pages of bounded size, both ways", () => {
    const now = Date.now()
    const content = "x".repeat(32 * 1024)
    const written = Array.from({ length: 100 }, (_, i) => {
      const fields = dmFields(alice, bob, now - 1_000 + i, `${i} ${content}`.slice(0, 32 * 1024))
      return {
        kind: "message" as const,
        id: Ids.messageId(noble, fields),
        ...fields,
        peer: bob.address,
        node: "12D3KooWGzh8mCmvhYkjQg5gqLhQSnRy4bRkFkLhrTfAwB3VwF4c" as Ids.NodeId,
        sig: new Uint8Array(65),
        sigVersion: 1 as const,
        hlc: Hlc.make(now - 1_000 + i, 0)
      }
    })
    return Effect.gen(function*() {
      yield* (yield* Store).commit(written, Hlc.zero)
      const views = yield* Views
      const place = { kind: "dm", chatId: written[0]!.chatId, peer: bob.address } as const
      for (const direction of ["before", "after"] as const) {
        const found: Array<string> = []
        let from: Position | undefined
        for (let pages = 0; pages < 20; pages++) {
          const page: History = yield* views.history(alice.address, place, { direction, from, limit: 500 })
          const bytes = page.messages.reduce((sum, each) => sum + sizeOf(each), 0)
          assert.isAtMost(bytes, pageBytesMax + 40_000)
          found.push(...page.messages.map((each) => each.id))
          from = page.next
          if (from === undefined || page.messages.length === 0) break
        }
        const wanted = written.map((each) => each.id as string)
        assert.deepStrictEqual(found, direction === "after" ? wanted : wanted.reverse())
      }
    }).pipe(Effect.provide(services(steering())))
  })
})
