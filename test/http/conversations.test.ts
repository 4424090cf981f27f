/** Two and three users over a real node: what they write is what they read, and only they. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { call, dm, groupMessage, identity, mark, newGroup, op, start, temporaryDirectory, user } from "./fixture.ts"

const [alice, bob, carol] = [user(1), user(2), user(3)]

const node = Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir }))

describe("conversations", () => {
  it.live("two users write to each other, read, and mark as read", () =>
    Effect.gen(function*() {
      const running = yield* node
      const ask = (who: typeof alice, method: string, path: string) =>
        Effect.promise(() => call(running, who, { method, path }))
      const first = yield* Effect.promise(() => call(running, alice, dm(alice, bob, { content: "héllo" })))
      assert.strictEqual(first.status, 202, JSON.stringify(first.body))
      const chatId = Ids.dmChatId(noble, alice.address, bob.address)
      assert.strictEqual(first.body.chat_id, `0x${chatId}`)
      const second = yield* Effect.promise(() =>
        call(running, bob, {
          ...dm(bob, alice, { content: "hi", msg_type: 200, control: "AP8=" }),
          headers: { Prefer: "wait=5" }
        })
      )
      assert.strictEqual(second.status, 201, JSON.stringify(second.body))

      const history = yield* ask(alice, "GET", `/dialogs/0x${bob.address}/messages?limit=10`)
      assert.strictEqual(history.status, 200, JSON.stringify(history.body))
      assert.deepStrictEqual(
        history.body.messages.map((message: { content: string }) => message.content),
        ["hi", "héllo"]
      )
      assert.strictEqual(history.body.messages[0].control, "AP8=")
      assert.strictEqual(history.body.next, null)

      const inbox = yield* ask(bob, "GET", "/conversations")
      assert.strictEqual(inbox.body.conversations.length, 1)
      assert.strictEqual(inbox.body.conversations[0].unread, 1)
      assert.strictEqual(inbox.body.conversations[0].peer, `0x${alice.address}`)
      const marked = yield* Effect.promise(() =>
        call(running, bob, mark(bob, chatId, `/dialogs/0x${alice.address}/messages`, first.body.hlc))
      )
      assert.strictEqual(marked.status, 202, JSON.stringify(marked.body))
      assert.strictEqual((yield* ask(bob, "GET", "/conversations")).body.conversations[0].unread, 0)
      assert.strictEqual((yield* ask(alice, "GET", "/conversations")).body.conversations[0].unread, 1)
    }).pipe(Effect.scoped))

  it.live("a group is created, grows, speaks, and loses a member", () =>
    Effect.gen(function*() {
      const running = yield* node
      const run = (who: typeof alice, request: Parameters<typeof call>[2]) =>
        Effect.promise(() => call(running, who, request))
      const { chatId, create } = newGroup(running, alice, 7, { targets: [bob.address], title: "plan" })
      assert.strictEqual((yield* run(alice, create)).status, 202)
      const path = `/groups/0x${chatId}/messages`
      assert.strictEqual((yield* run(bob, groupMessage(bob, chatId, { content: "one" }))).status, 202)
      assert.strictEqual((yield* run(carol, groupMessage(carol, chatId, { content: "no" }))).status, 403)
      assert.strictEqual((yield* run(carol, { method: "GET", path })).status, 403)
      const added = yield* run(alice, op(running, alice, chatId, { op: "add", targets: [carol.address] }))
      assert.strictEqual(added.status, 202, JSON.stringify(added.body))
      assert.strictEqual((yield* run(carol, groupMessage(carol, chatId, { content: "two" }))).status, 202)
      const members = yield* run(carol, { method: "GET", path: `/groups/0x${chatId}/members` })
      assert.deepStrictEqual(
        members.body.members.map((member: { role: string }) => member.role).sort(),
        ["admin", "member", "member"]
      )
      assert.strictEqual(members.body.title, "plan")
      const removed = yield* run(alice, op(running, alice, chatId, { op: "remove", targets: [carol.address] }))
      assert.strictEqual(removed.status, 202, JSON.stringify(removed.body))
      assert.strictEqual((yield* run(carol, { method: "GET", path })).status, 403)
      // what she wrote while she was a member stays
      const history = yield* run(bob, { method: "GET", path })
      assert.deepStrictEqual(history.body.messages.map((each: { content: string }) => each.content), ["two", "one"])
      const inbox = yield* run(alice, { method: "GET", path: "/conversations" })
      assert.strictEqual(inbox.body.conversations[0].kind, "group")
      assert.strictEqual(inbox.body.conversations[0].unread, 2)
      assert.strictEqual(inbox.body.conversations[0].title, "plan")
    }).pipe(Effect.scoped))

  it.live("an identity is set, replaced and read by others", () =>
    Effect.gen(function*() {
      const running = yield* node
      const path = `/identity/0x${alice.address}`
      const get = Effect.promise(() => call(running, bob, { method: "GET", path }))
      assert.strictEqual((yield* get).status, 404)
      for (const blob of ["AQID", ""]) {
        const put = yield* Effect.promise(() => call(running, alice, identity(alice, blob)))
        assert.strictEqual(put.status, 202, JSON.stringify(put.body))
        assert.strictEqual((yield* get).body.identity, blob)
      }
    }).pipe(Effect.scoped))
})
