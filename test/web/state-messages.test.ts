/** The messages that the page holds: each once, at its place, without gaps, and not too many. */
import { assert, describe, it } from "@effect/vitest"
import { pageSize, windowMax } from "../../src/web/state.ts"
import { arrives, at, dmId, history, make, message, messageId, opens } from "./fixture.ts"

const series = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => message(`m${from + i}`, from + i))
const names = (from: number, to: number) => series(from, to).map(({ content }) => content)

describe("messages of an open conversation", () => {
  it("are there once, however often and by whatever way they come", () => {
    const it = make()
    const [a, b] = [message("a", 1), message("b", 2)]
    it.do(opens(), arrives(b), history([b, a]), arrives(a), arrives(b), history([b, a]))
    assert.deepStrictEqual(it.texts(), ["a", "b"])
  })

  it("stand in the order of their stamps, then of their ids, whenever they come", () => {
    const it = make()
    const [a, c, b] = [message("a", 1), message("c", 3), message("b", 2)]
    const twin = message("B", 2)
    it.do(opens(), history([c, a]), arrives(b), arrives(twin))
    assert.deepStrictEqual(it.texts(), ["a", "B", "b", "c"])
    assert.isBelow(twin.msg_id < b.msg_id ? -1 : 1, 0)
  })

  it("move when a node stamps the same message again", () => {
    const it = make()
    it.do(opens(), history([message("b", 2), message("a", 1)]), arrives(message("a", 3)))
    assert.deepStrictEqual(it.texts(), ["b", "a"])
  })

  it("that came while the first page was on its way go on from it", () => {
    const it = make()
    it.do(opens(), arrives(message("m53", 53)), history(series(3, 52).reverse(), "older"))
    assert.deepStrictEqual(it.texts(), names(3, 53))
    assert.strictEqual(it.chat()!.older, "older")
  })

  it("that are older than the window come with their page and not before", () => {
    const it = make()
    it.do(opens(), history(series(51, 100).reverse(), "c51"), arrives(message("m7", 7)))
    assert.strictEqual(it.texts()![0], "m51")
    it.do(history(series(1, 50).reverse(), null, "c51"))
    assert.deepStrictEqual(it.texts(), names(1, 100))
    // nothing is before a complete one
    it.do(arrives(message("m0", 0)))
    assert.strictEqual(it.texts()![0], "m0")
  })

  it("take no page twice, nor one that an earlier window was asked for", () => {
    const it = make()
    it.do(opens(), history(series(51, 100).reverse(), "c51"))
    it.do(history(series(40, 50).reverse(), "c40", "c51"), history(series(1, 10).reverse(), null, "c51"))
    assert.deepStrictEqual(it.texts(), names(40, 100))
    assert.strictEqual(it.chat()!.older, "c40")
  })
})

describe("memory", () => {
  it("holds a bounded window: going back lets go of the end, and coming back reads it anew", () => {
    const it = make()
    const all = windowMax + 3 * pageSize
    it.do(opens(), history(series(all - pageSize + 1, all).reverse(), `c${all - pageSize}`))
    for (let end = all - pageSize; end > 0; end -= pageSize) {
      it.do(
        history(series(end - pageSize + 1, end).reverse(), end === pageSize ? null : `c${end - pageSize}`, `c${end}`)
      )
    }
    assert.deepStrictEqual(it.texts(), names(1, windowMax))
    assert.isFalse(it.chat()!.isLive)
    // what arrives is not put behind a gap
    it.do(arrives(message("late", all + 1)))
    assert.strictEqual(it.texts()!.at(-1), `m${windowMax}`)
    assert.strictEqual(it.chat()!.newest!.content, "late")
    it.wanted()
    it.do({ type: "to-newest", chatId: dmId })
    assert.deepStrictEqual(it.wanted(), ["history"])
    it.do(arrives(message("later", all + 2)), history([message("late", all + 1), ...series(100, 148).reverse()], "c"))
    assert.deepStrictEqual(it.texts()!.slice(-2), ["late", "later"])
  })

  it("is bounded when very much arrives at once, too", () => {
    const it = make()
    it.do(opens(), history([]))
    it.do(...series(1, windowMax + 5).map((each) => arrives(each)))
    assert.strictEqual(it.texts()!.length, windowMax)
    assert.isFalse(it.chat()!.isLive)
  })

  it("keeps a page of those that were left lately, and of others only the newest message", () => {
    const it = make()
    const chats = Array.from({ length: 12 }, (_, i) => ({ kind: "dm", peer: `${i}`.padStart(40, "0") } as never))
    for (const chat of chats) {
      const sent = message("x", 1, { chat })
      it.do(opens(chat), arrives(sent, chat), {
        type: "history",
        chatId: sent.chat_id,
        page: { messages: [sent], next: null }
      })
    }
    const holding = [...it.state.chats.values()].filter(({ messages }) => messages.length > 0)
    assert.strictEqual(it.state.chats.size, 12)
    assert.isAtMost(holding.length, 8)
    assert.isTrue([...it.state.chats.values()].every(({ newest }) => newest !== undefined))
  })

  it("holds nothing of conversations that are not open", () => {
    const it = make()
    it.do(arrives(message("a", 1)))
    assert.deepStrictEqual(it.texts(), [])
    assert.strictEqual(it.chat()!.newest!.content, "a")
  })
})

describe("reset", () => {
  it("reads anew what is shown, the inbox and names, and drops what is held of others", () => {
    const it = make()
    it.do(opens(), history([message("a", 1)]), { type: "name", address: message("a", 1).sender, name: "Bob" })
    it.do({ type: "closed" }, opens({ kind: "group", chatId: "99".repeat(32) as never }))
    it.wanted()
    it.do({ type: "reset" })
    assert.deepStrictEqual(it.wanted(), ["inbox", "history", "members"])
    assert.deepStrictEqual(it.texts(), [])
    assert.strictEqual(it.state.names.size, 1)
  })

  it("joins the newest page to what is held where they meet, else starts from it", () => {
    const it = make()
    it.do(opens(), history(series(1, 20).reverse()), { type: "reset" }, history(series(11, 30).reverse(), "c11"))
    assert.deepStrictEqual(it.texts(), names(1, 30))
    assert.isNull(it.chat()!.older)
    it.do({ type: "reset" }, history(series(101, 150).reverse(), "c101"))
    assert.deepStrictEqual(it.texts(), names(101, 150))
    assert.strictEqual(it.chat()!.older, "c101")
  })
})

describe("places", () => {
  it("of the newest message and of the conversation follow what arrives", () => {
    const it = make()
    it.do(arrives(message("b", 2)), arrives(message("a", 1)))
    assert.strictEqual(it.chat()!.newest!.msg_id, messageId("b"))
    assert.strictEqual(it.chat()!.activity, at(2))
  })
})
