/** Messages on their way: shown from the start, never twice, never lost. */
import { assert, describe, it } from "@effect/vitest"
import * as Outgoings from "../../src/web/state-outgoing.ts"
import { hasUnsent } from "../../src/web/state.ts"
import { alice, arrives, at, dmId, history, make, message, messageId, opens, outgoing } from "./fixture.ts"

const own = (name: string, second: number, content = name) => message(name, second, { sender: alice, content })
const opened = () => {
  const it = make()
  it.do(opens(), history([]))
  return {
    ...it,
    do: it.do,
    send: (key: number, content: string) => it.do({ type: "send", chatId: dmId, outgoing: outgoing(key, content) }),
    sent: (key: number, name: string, second: number) =>
      it.do({ type: "sent", chatId: dmId, key, id: messageId(name), hlc: at(second) }),
    /** What stands there, in its order. */
    seen: () => [...it.texts()!, ...Outgoings.shown(it.chat()!).map(({ content, state }) => `${content} (${state})`)],
    get state() {
      return it.state
    }
  }
}

describe("a message on its way", () => {
  it("is there at once, and in its place once a node took it", () => {
    const it = opened()
    it.send(1, "hi")
    assert.deepStrictEqual(it.seen(), ["hi (sending)"])
    assert.isTrue(hasUnsent(it.state))
    it.sent(1, "x", 1)
    assert.deepStrictEqual(it.seen(), ["hi"])
    assert.isFalse(hasUnsent(it.state))
    it.do(arrives(own("x", 1, "hi")))
    assert.deepStrictEqual(it.seen(), ["hi"])
  })

  it("is there once when its event comes before its answer", () => {
    const it = opened()
    it.send(1, "hi")
    it.do(arrives(own("x", 1, "hi")))
    assert.deepStrictEqual(it.seen(), ["hi"])
    it.sent(1, "x", 1)
    assert.deepStrictEqual(it.seen(), ["hi"])
  })

  it("is not confused with one of the same text, sent before or elsewhere", () => {
    const it = opened()
    it.do(arrives(own("before", 1, "hi")))
    it.send(1, "hi")
    it.send(2, "hi")
    assert.deepStrictEqual(it.seen(), ["hi", "hi (sending)", "hi (sending)"])
    it.do(arrives(own("elsewhere", 2, "hi")))
    it.sent(1, "x", 3)
    it.sent(2, "y", 4)
    assert.deepStrictEqual(it.seen(), ["hi", "hi", "hi", "hi"])
  })

  it("is told from another one of the same text that is on its way too", () => {
    const it = opened()
    it.send(1, "hi")
    it.send(2, "hi")
    it.do(arrives(own("x", 1, "hi")), arrives(own("y", 2, "hi")))
    assert.deepStrictEqual(it.seen(), ["hi", "hi"])
    it.sent(2, "y", 2)
    it.sent(1, "x", 1)
    assert.deepStrictEqual(it.seen(), ["hi", "hi"])
  })

  it("comes back when a node refused it, though one like it had come", () => {
    const it = opened()
    it.send(1, "hi")
    it.do(arrives(own("elsewhere", 2, "hi")))
    it.do({ type: "outgoing", chatId: dmId, outgoing: outgoing(1, "hi", { state: "refused" }) })
    assert.deepStrictEqual(it.seen(), ["hi", "hi (refused)"])
    it.do({ type: "discard", chatId: dmId, key: 1 })
    assert.deepStrictEqual(it.seen(), ["hi"])
  })

  const unknown = outgoing(1, "hi", { state: "unknown", id: messageId("x"), signedMs: 1, url: "http://own" })

  it("whose outcome is unknown is settled by its id, by an event or a page", () => {
    for (const action of [arrives(own("x", 1, "hi")), history([own("x", 1, "hi")])]) {
      const it = opened()
      it.send(1, "hi")
      it.do({ type: "outgoing", chatId: dmId, outgoing: unknown })
      assert.deepStrictEqual(it.seen(), ["hi (unknown)"])
      it.do(action)
      assert.deepStrictEqual(it.seen(), ["hi"])
    }
  })

  it("whose outcome is unknown is settled at once when the message is there already", () => {
    const it = opened()
    it.send(1, "hi")
    it.do(arrives(own("x", 1, "hi")), { type: "outgoing", chatId: dmId, outgoing: unknown })
    assert.deepStrictEqual(it.seen(), ["hi"])
  })

  it("outlives that the conversation is left", () => {
    const it = opened()
    it.send(1, "hi")
    it.do({ type: "closed" })
    assert.isTrue(hasUnsent(it.state))
    it.sent(1, "x", 1)
    assert.strictEqual(it.chat()!.newest!.content, "hi")
  })
})
