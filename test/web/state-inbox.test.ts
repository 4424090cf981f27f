/** The inbox: order, unread counts, read marks of this and other devices, and groups that are left. */
import { assert, describe, it } from "@effect/vitest"
import type { Members } from "../../src/client/values.ts"
import { listed, unreadChats } from "../../src/web/state.ts"
import {
  alice,
  arrives,
  at,
  bob,
  carol,
  dm,
  dmId,
  entry,
  group,
  groupId,
  history,
  inbox,
  make,
  message,
  opens
} from "./fixture.ts"

const other = { kind: "dm", peer: carol } as const

const op = (
  kind: "create" | "add" | "remove" | "set-title",
  targets: ReadonlyArray<typeof alice>,
  second = 50,
  actor = bob
) => ({ type: "membership", op: kind, chat_id: groupId, targets, actor, hlc: at(second) } as const)

describe("unread", () => {
  it("is what the node counted, and one more for each message of others since", () => {
    const it = make()
    it.do(inbox([entry(message("a", 1), 3)]), arrives(message("b", 2)), arrives(message("c", 3)))
    assert.strictEqual(it.chat()!.unread, 5)
    assert.strictEqual(unreadChats(it.state), 1)
  })

  it("does not count the user's own messages, nor one twice", () => {
    const it = make()
    const b = message("b", 2)
    it.do(inbox([entry(message("a", 1), 0)]), arrives(message("own", 3, { sender: alice })), arrives(b))
    it.do(opens(), history([message("own", 3, { sender: alice }), b, message("a", 1)]), arrives(b))
    assert.strictEqual(it.chat()!.unread, 0)
  })

  it("is asked for again when an event does not tell enough", () => {
    const it = make()
    it.do(inbox([]))
    it.wanted()
    it.do(arrives(message("a", 5)))
    assert.deepStrictEqual([it.chat()!.unread, it.wanted().includes("inbox")], [1, true])
    it.do(inbox([entry(message("a", 5), 4)]))
    it.wanted()
    // one that came late may have been counted by the node, or not
    it.do(arrives(message("late", 2)))
    assert.deepStrictEqual([it.chat()!.unread, it.wanted()], [4, ["inbox"]])
  })

  it("keeps what came after the node answered", () => {
    const it = make()
    it.do(inbox([entry(message("a", 1), 1)]), arrives(message("b", 2)), inbox([entry(message("a", 1), 1)]))
    assert.deepStrictEqual([it.chat()!.unread, it.chat()!.newest!.content], [2, "b"])
  })

  it("is capped as the node caps it", () => {
    const it = make()
    it.do(inbox([entry(message("a", 1), 999)]))
    assert.isFalse(it.chat()!.isCapped)
    it.do(arrives(message("b", 2)))
    assert.deepStrictEqual([it.chat()!.unread, it.chat()!.isCapped], [999, true])
  })
})

describe("read marks", () => {
  it("of another device of the user clear the count; one in between asks the node", () => {
    const it = make()
    it.do(inbox([entry(message("b", 2), 2)]))
    it.wanted()
    it.do({ type: "read", chat_id: dmId, reader: alice, up_to: at(1) })
    assert.deepStrictEqual([it.chat()!.unread, it.wanted()], [2, ["inbox"]])
    it.do({ type: "read", chat_id: dmId, reader: alice, up_to: at(2) })
    assert.deepStrictEqual([it.chat()!.unread, it.wanted()], [0, []])
    // an older mark, told late, changes nothing
    it.do(arrives(message("c", 3)), { type: "read", chat_id: dmId, reader: alice, up_to: at(1) })
    assert.strictEqual(it.chat()!.unread, 1)
  })

  it("set here hold against an inbox that the node answered before it had them", () => {
    const it = make()
    it.do(inbox([entry(message("b", 2), 2)]), { type: "mark", chatId: dmId, upTo: at(2) })
    it.do(inbox([entry(message("b", 2), 2)]))
    assert.strictEqual(it.chat()!.unread, 0)
    it.do(inbox([entry(message("c", 3), 1)]))
    assert.strictEqual(it.chat()!.unread, 1)
  })

  it("of the other one say what she has seen, and never less", () => {
    const it = make()
    it.do(inbox([entry(message("b", 2), 1)]))
    it.do({ type: "read", chat_id: dmId, reader: bob, up_to: at(2) }, {
      type: "read",
      chat_id: dmId,
      reader: bob,
      up_to: at(1)
    })
    assert.deepStrictEqual([it.chat()!.seenUpTo, it.chat()!.unread], [at(2), 1])
  })
})

describe("the order of conversations", () => {
  const order = (it: ReturnType<typeof make>) =>
    listed(it.state).map(({ chat }) => chat.kind === "dm" ? chat.peer : "group")

  it("is that of the newest activity, by the node and by events", () => {
    const it = make()
    it.do(inbox([entry(message("b", 9, { chat: other }), 0, other), entry(message("a", 5), 0)]))
    assert.deepStrictEqual(order(it), [carol, bob])
    it.do(arrives(message("c", 10)))
    assert.deepStrictEqual(order(it), [bob, carol])
  })

  it("has groups without messages where the node put them", () => {
    const it = make()
    it.do(inbox([entry(message("b", 9, { chat: other }), 0, other), entry(null, 0, group), entry(message("a", 5), 0)]))
    assert.deepStrictEqual(order(it), [carol, "group", bob])
  })

  it("has no conversation that was only looked at", () => {
    const it = make()
    it.do(inbox([]), opens(dm), history([]))
    assert.deepStrictEqual(order(it), [])
    it.do({ type: "closed" })
    assert.strictEqual(it.state.chats.size, 0)
  })
})

describe("groups", () => {
  const members = (
    ...addresses: ReadonlyArray<typeof alice>
  ): { readonly type: "members"; readonly members: Members } => ({
    type: "members",
    members: {
      chat_id: groupId,
      title: "Team",
      members: addresses.map((address) => ({ address, role: "member", since: at(1) }))
    }
  })

  it("that the user is added to are listed at once, and read", () => {
    const it = make()
    it.do(inbox([]))
    it.wanted()
    it.do(op("add", [alice]))
    assert.isTrue(it.chat(groupId)!.isListed)
    assert.deepStrictEqual(it.wanted(), ["inbox", "members"])
    it.do(members(alice, bob))
    assert.deepStrictEqual([it.chat(groupId)!.title, it.chat(groupId)!.members!.length], ["Team", 2])
  })

  it("that the user is removed from vanish; one that is open stays to be read, and is over", () => {
    const it = make()
    it.do(inbox([entry(message("a", 1, { chat: group }), 2, group)]), op("remove", [alice]))
    assert.isUndefined(it.chat(groupId))
    it.do(op("add", [alice]), opens(group), history([message("a", 1, { chat: group })], null, undefined, groupId))
    it.do(op("remove", [alice], 60))
    assert.deepStrictEqual([it.chat(groupId)!.isOver, it.chat(groupId)!.isListed, it.texts(groupId)], [true, false, [
      "a"
    ]])
    it.do(op("add", [alice], 70))
    assert.deepStrictEqual([it.chat(groupId)!.isOver, it.chat(groupId)!.isListed], [false, true])
  })

  it("ask for members again when others come, go or change the title", () => {
    const it = make()
    it.do(inbox([entry(message("a", 1, { chat: group }), 0, group)]), members(alice, bob))
    it.wanted()
    it.do(op("remove", [bob]), op("set-title", []), op("add", [carol]))
    assert.deepStrictEqual(it.wanted(), ["members", "members", "members"])
  })

  it("that the inbox does not tell any more are asked for, and are over when the node says so", () => {
    const it = make()
    it.do(inbox([entry(message("a", 1, { chat: group }), 0, group), entry(message("b", 1), 0)]))
    it.wanted()
    it.do(inbox([entry(message("b", 1), 0)]))
    assert.deepStrictEqual(it.wanted(), ["members"])
    it.do({ type: "over", chatId: groupId })
    assert.isUndefined(it.chat(groupId))
  })
})

describe("names", () => {
  it("are asked for once, and followed", () => {
    const it = make()
    it.do(inbox([entry(message("a", 1), 0)]))
    assert.deepStrictEqual(it.wantedNames(), [bob])
    it.do({ type: "name", address: bob, name: "Bob" }, arrives(message("b", 2)))
    assert.deepStrictEqual(it.wantedNames(), [])
    it.do({ type: "name", address: bob, name: "Robert" })
    assert.strictEqual(it.state.names.get(bob), "Robert")
  })
})
