/** The screen of a conversation: what its state becomes, and that it fits, whatever the size. */
import { assert, describe, it } from "@effect/vitest"
import * as ChatState from "../../src/cli/chat/state.ts"
import { render, scrolled, scrolledPages, type Size, type View } from "../../src/cli/chat/view.ts"
import { insert } from "../../src/cli/terminal/editor.ts"
import { changes, type Frame } from "../../src/cli/terminal/frame.ts"
import { widthOf } from "../../src/cli/terminal/width.ts"
import type { Message } from "../../src/client/values.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address, ChatId, MessageId } from "../../src/domain/ids.ts"
import { Dice, Seed } from "../domain/records.ts"

const self = "aa".repeat(20) as Address
const peer = "bb".repeat(20) as Address
const chatId = "cc".repeat(32) as ChatId
const otherId = "dd".repeat(32) as ChatId
const start = Date.UTC(2026, 10, 23, 10)

const message = (n: number, content: string, more: Partial<Message> = {}): Message => ({
  msg_id: n.toString(16).padStart(64, "0") as MessageId,
  chat_id: chatId,
  sender: peer,
  ts: start + n,
  hlc: Hlc.make(start + n * 60_000, 0),
  msg_type: 0,
  content,
  ...more
})

const initial = ChatState.initial(self, { kind: "dm", peer }, chatId, "http://127.0.0.1:4280")
const withMessages = (state: ChatState.State, ...messages: ReadonlyArray<Message>): ChatState.State =>
  messages.reduce(ChatState.withMessage, state)
const many = (count: number, from = 0): ReadonlyArray<Message> =>
  Array.from({ length: count }, (_, i) => message(from + i, `line ${from + i}`))

const textOf = (view: Frame): ReadonlyArray<string> => view.lines.map((line) => line.map(({ text }) => text).join(""))
const contentsOf = (state: ChatState.State): ReadonlyArray<string> =>
  ChatState.entriesOf(state).map((entry) =>
    entry.kind === "message"
      ? entry.message.content
      : entry.kind === "outgoing"
      ? `${entry.outgoing.content} (${entry.outgoing.state})`
      : entry.kind
  )

describe("a conversation", () => {
  it("has each message once and in its place, however it comes", () => {
    const [a, b, c] = [message(1, "a"), message(2, "b"), message(3, "c")]
    let state = ChatState.withPage(initial, { messages: [b, a], next: null })
    state = withMessages(state, c, b, a, message(0, "late"))
    assert.deepStrictEqual(contentsOf(state), ["top", "late", "a", "b", "c"])
    // shown again under another stamp: it moves
    state = withMessages(state, { ...a, hlc: Hlc.make(start + 150_000, 0) })
    assert.deepStrictEqual(contentsOf(state), ["top", "late", "b", "a", "c"])
  })

  it("leaves what lies above the pages that were read to those pages", () => {
    const state = ChatState.withPage(initial, { messages: [message(9, "i"), message(8, "h")], next: "cursor" })
    assert.deepStrictEqual(contentsOf(withMessages(state, message(1, "a"))), ["top", "h", "i"])
    const all = ChatState.withPage(state, { messages: [message(1, "a")], next: null })
    assert.deepStrictEqual([contentsOf(all), all.above], [["top", "a", "h", "i"], "nothing"])
  })

  it("shows what is written at once, and once", () => {
    const sent = { ...message(5, "hi", { sender: self }), committed: true }
    const written = ChatState.withOutgoing(initial, "k", "hi")
    assert.deepStrictEqual(contentsOf(written), ["top", "hi (sending)"])
    const answered = ChatState.withSent(written, "k", sent, 0)
    assert.deepStrictEqual(contentsOf(answered), ["top", "hi"])
    assert.deepStrictEqual(contentsOf(withMessages(answered, sent)), ["top", "hi"])
    // the event first, the answer later
    const seen = withMessages(written, sent)
    assert.deepStrictEqual(contentsOf(seen), ["top", "hi"])
    assert.deepStrictEqual(contentsOf(ChatState.withSent(seen, "k", sent, 0)), ["top", "hi"])
    // the same words from another device are not the answer
    const other = withMessages(written, message(4, "hi", { sender: self }))
    assert.deepStrictEqual(contentsOf(ChatState.withSent(other, "k", sent, 0)), ["top", "hi", "hi"])
    assert.deepStrictEqual(contentsOf(ChatState.withFailed(other, "k", "gone")), ["top", "hi", "hi (failed)"])
  })

  it("says why something was not sent, and sends it again", () => {
    const failed = ChatState.withFailed(ChatState.withOutgoing(initial, "k", "hi"), "k", "no \x1b answer")
    assert.strictEqual(ChatState.failedFirst(failed)?.key, "k")
    const screen = textOf(render(failed, { columns: 80, rows: 10 })).join("\n")
    assert.match(screen, /hi ✗/)
    assert.match(screen, /not sent: no \ufffd answer; Ctrl-R sends it again/)
    const again = ChatState.withRetry(failed, "k")
    assert.isUndefined(ChatState.failedFirst(again))
    assert.match(textOf(render(again, { columns: 80, rows: 10 })).join("\n"), /hi …/)
  })

  it("counts what comes elsewhere until it is read there", () => {
    const other = (n: number) => message(n, "x", { chat_id: otherId })
    let state = withMessages(initial, other(1), other(2), other(2), message(3, "x", { chat_id: otherId, sender: self }))
    assert.strictEqual(ChatState.unreadElsewhere(state), 2)
    assert.match(textOf(render(state, { columns: 80, rows: 10 })).at(-2)!, /2 unread elsewhere/)
    state = ChatState.withRead(state, otherId, Hlc.make(start + 60_000, 0))
    assert.strictEqual(ChatState.unreadElsewhere(state), 2)
    state = ChatState.withRead(state, otherId, Hlc.make(start + 120_000, 0))
    assert.strictEqual(ChatState.unreadElsewhere(state), 0)
  })

  it("keeps a bounded number of messages, the newest, and says so", () => {
    const state = ChatState.withPage(initial, { messages: [...many(2_100)].reverse(), next: "more" })
    assert.deepStrictEqual([state.placed.length, state.above], [2_000, "cut"])
    assert.strictEqual(contentsOf(state).at(-1), "line 2099")
    const large = ChatState.withPage(initial, {
      messages: many(400).map((each) => ({ ...each, content: "x".repeat(32_768) })),
      next: null
    })
    assert.isBelow(large.placed.length, 300)
  })
})

const pieces = ["hello ", "世界", "🙂", "\x1b[31m", "e\u0301", "\n", "x".repeat(40), "\u202e", "\t", "👨‍👩‍👧", " "]
const someText = (dice: Dice): string => Array.from({ length: dice.below(12) }, () => dice.pick(pieces)).join("")

/** A state as it may come to be. */
const someState = (dice: Dice): ChatState.State => {
  let state = dice.coin() ? initial : ChatState.initial(self, { kind: "group", chatId }, chatId, "http://n")
  for (let i = dice.below(15); i > 0; i--) {
    state = withMessages(state, message(dice.below(3_000), someText(dice), dice.coin() ? { sender: self } : {}))
  }
  if (dice.coin()) state = ChatState.withNotice(state, "n", Hlc.make(start, 0), "somebody came")
  if (dice.coin()) state = ChatState.withOutgoing(state, "o", someText(dice))
  if (dice.coin()) state = ChatState.withFailed(state, "o", someText(dice))
  if (dice.coin())
    state = ChatState.withIdentity(state, {
      address: peer,
      identity: new TextEncoder().encode(someText(dice).slice(0, 60))
    })
  if (dice.coin()) state = { ...state, title: someText(dice), hint: dice.coin() ? someText(dice) : "" }
  for (let i = dice.below(8); i > 0; i--) {
    const editor = insert(state.editor, someText(dice))
    state = editor === undefined ? state : { ...state, editor: { ...editor } }
  }
  return state
}

describe("the screen", () => {
  it.prop("has as many lines as the terminal, none wider, and the cursor in them", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    let state = someState(dice)
    for (let i = 0; i < 4; i++) {
      const size: Size = { columns: 1 + dice.below(dice.coin() ? 8 : 120), rows: 1 + dice.below(dice.coin() ? 6 : 40) }
      const view = render(state, size)
      assert.strictEqual(view.lines.length, size.rows)
      for (const line of view.lines) {
        assert.isAtMost(line.reduce((sum, { text }) => sum + widthOf(text), 0), size.columns)
        for (const { text } of line) assert.notMatch(text, /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
      }
      assert.isBelow(view.cursor.row, size.rows)
      assert.isBelow(view.cursor.column, size.columns)
      state = dice.coin() ? scrolledPages(state, size, dice.pick([1, 2, -1])) : scrolled(state, size, dice.below(9) - 4)
    }
  })

  const size = { columns: 80, rows: 14 }
  const history = (view: View): ReadonlyArray<string> => textOf(view).slice(1, -2)

  it("shows who wrote what and when, wrapped under itself", () => {
    const state = withMessages(
      ChatState.withIdentity(initial, { address: peer, identity: new TextEncoder().encode("Bob") }),
      message(1, `${"word ".repeat(20)}end`),
      message(2, "one\ntwo", { sender: self, msg_type: 7 })
    )
    const lines = textOf(render(state, size))
    assert.match(lines[0]!, /^ Bob  0x(bb){20} +$/)
    assert.strictEqual(widthOf(lines[0]!), 80)
    const shown = lines.join("\n")
    assert.match(shown, /\d\d:01 Bob …bbbb {9}word word/)
    assert.match(shown, /\n {24}word .*end\n/)
    assert.match(shown, /\d\d:02 you {15}\[type 7\] one\n {24}two ✓/)
    assert.match(lines.at(-2)!, /connecting · http:\/\/127\.0\.0\.1:4280/)
  })

  it("scrolls by pages to the top and back, and stays where it is while messages come", () => {
    let state = ChatState.withPage(initial, { messages: [...many(50)].reverse(), next: null })
    const end = render(state, size)
    assert.match(history(end).at(-1)!, /line 49/)
    assert.strictEqual(end.shown, Hlc.make(start + 49 * 60_000, 0))
    state = scrolledPages(state, size, 1)
    const up = render(state, size)
    // one line of the page before stays in sight
    assert.strictEqual(history(up).at(-1), history(end)[0])
    state = withMessages(state, ...many(5, 50))
    assert.deepStrictEqual(history(render(state, size)), history(up))
    assert.match(textOf(render(state, size)).at(-2)!, /Esc: to the end/)
    for (let i = 0; i < 20; i++) state = scrolledPages(state, size, 1)
    const top = render(state, size)
    assert.isTrue(top.atTop)
    assert.match(history(top)[0]!, /the conversation begins here/)
    assert.match(history(top)[1]!, /2026-11-23/)
    state = scrolled(state, size, 1)
    assert.deepStrictEqual(history(render(state, size)), history(top))
    for (let i = 0; i < 20; i++) state = scrolledPages(state, size, -1)
    assert.isUndefined(state.anchor)
    assert.match(history(render(state, size)).at(-1)!, /line 54/)
    // what one writes is seen
    assert.isUndefined(ChatState.withOutgoing(scrolledPages(state, size, 2), "k", "x").anchor)
  })

  it("is written line by line where it differs", () => {
    const before = render(withMessages(initial, message(1, "one")), size)
    const after = render(withMessages(initial, message(1, "one"), message(2, "two")), size)
    const all = changes(undefined, after, false)
    assert.strictEqual(all.split("\x1b[2K").length - 1, size.rows)
    assert.include(all, "\x1b[2J")
    assert.notInclude(changes(before, before, false), "\x1b[2K")
    // the history moved up by one line; title, state and input did not
    const some = changes(before, after, false)
    assert.include(some, "two")
    assert.notInclude(some, "connecting")
    assert.notInclude(all, "\x1b[7m")
    assert.include(changes(undefined, after, true), "\x1b[7m")
  })
})
