/** A conversation at work, with a terminal and a node that are played: what keys do, what is asked and sent, what is drawn. */
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Fiber, Option, Queue, Stream, Terminal } from "effect"
import { TestClock } from "effect/testing"
import { converse } from "../../src/cli/chat/session.ts"
import { Chat, type NodeClient, NodeUnreachable, NotFound, OutcomeUnknown } from "../../src/client/index.ts"
import type { ClientEvent, Message } from "../../src/client/values.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address, ChatId, MessageId, OpId } from "../../src/domain/ids.ts"

const self = "aa".repeat(20) as Address
const peer = "bb".repeat(20) as Address
const dm = Chat.dm(peer)
const chatId = Chat.idOf(dm, self)
const groupId = "cc".repeat(32) as ChatId
const url = "http://127.0.0.1:4280"
const start = Date.UTC(2026, 10, 23, 10)

const message = (n: number, content: string, sender: Address = peer): Message => ({
  msg_id: n.toString(16).padStart(64, "0") as MessageId,
  chat_id: chatId,
  sender,
  ts: start + n,
  hlc: Hlc.make(start + n * 1_000, 0),
  msg_type: 0,
  content
})

/** What a screen of lines would show after what was written to it. */
const screenOf = (written: ReadonlyArray<string>): string => {
  const rows: Array<string> = []
  // oxlint-disable-next-line no-control-regex -- escape sequences are what is read
  for (const [, row, text] of written.join("").matchAll(/\x1b\[(\d+);1H\x1b\[2K([^\x1b]*)/g))
    rows[Number(row) - 1] = text!
  return rows.join("\n")
}

const opened: ClientEvent = { type: "connection", state: "open", url }

interface Answers {
  readonly chat?: Chat.Chat
  /** What the stream of events begins with. */
  readonly opening?: ReadonlyArray<ClientEvent>
  readonly history?: ReadonlyArray<Message>
  readonly send?: (content: string) => ReturnType<NodeClient.NodeClient["send"]>
}

/** Everything that is played, and what was seen of it. */
const stage = Effect.fnUntraced(function*({ chat = dm, history = [], opening = [opened], send }: Answers = {}) {
  const written: Array<string> = []
  const calls: Array<string> = []
  const inputs = yield* Queue.make<Terminal.UserInput, Cause.Done>()
  const sizes = yield* Queue.make<Terminal.Size, Cause.Done>()
  const events = yield* Queue.unbounded<ClientEvent>()
  const terminal = Terminal.make({
    columns: Effect.succeed(80),
    rows: Effect.succeed(20),
    size: Effect.succeed(sizes),
    readInput: Effect.succeed(inputs),
    readLine: Effect.die("unused"),
    display: (text) => Effect.sync(() => void written.push(text))
  })
  const suspend = Effect.sync(() => void calls.push("suspend"))
  let sent = 100
  const answer = (content: string) =>
    Effect.sync(() => {
      const { chat_id, hlc, msg_id } = message(++sent, content, self)
      return { chat_id, hlc, msg_id, committed: true }
    })
  const client = (name: string) => ({
    address: self,
    clockOffsetMs: Effect.succeed(0),
    events: () => Stream.fromQueue(events),
    history: (_: unknown, { before }: { readonly before?: string } = {}) =>
      Effect.sync(() => {
        calls.push(`${name} history ${before ?? "newest"}`)
        const newestFirst = [...history].reverse()
        return before === undefined
          ? { messages: newestFirst.slice(0, 30), next: history.length > 30 ? "older" : null }
          : { messages: newestFirst.slice(30), next: null }
      }),
    groups: {
      members: (chat_id: ChatId) =>
        Effect.sync(() => {
          calls.push(`${name} members`)
          const member = { role: "member", since: Hlc.zero }
          return { chat_id, title: "plan", members: [{ ...member, address: self }, { ...member, address: peer }] }
        })
    },
    conversations: () => Effect.succeed({ conversations: [], next: null }),
    identity: {
      get: (address: Address) => Effect.succeed({ address, identity: new TextEncoder().encode("Bob"), hlc: Hlc.zero })
    },
    markRead: (_: unknown, upTo: Hlc.Hlc) =>
      Effect.sync(() => void calls.push(`${name} read ${Hlc.physicalMs(upTo) - start}`)),
    message: (_: unknown, id: MessageId) =>
      Effect.suspend(() => {
        calls.push(`${name} message ${Number.parseInt(id, 16)}`)
        return Effect.fail(new NotFound({ message: "not here" }))
      }),
    send: (_: unknown, content: string) =>
      Effect.suspend(() => {
        calls.push(`${name} send ${content}`)
        return (send ?? answer)(content)
      })
  } as unknown as NodeClient.NodeClient)
  const [first, second] = [client("first"), client("second")]
  const running = yield* converse(
    { terminal, suspend },
    { first, at: (at) => at === url ? first : second },
    chat,
    url,
    false
  ).pipe(
    Effect.forkChild
  )
  /** Lets everything happen that happens by itself within a moment. */
  const settle = TestClock.adjust(50)
  const key = (name: string, more: Partial<Terminal.Key> = {}, text?: string) =>
    Queue.offer(inputs, {
      input: Option.fromUndefinedOr(text),
      key: { name, ctrl: false, meta: false, shift: false, ...more }
    })
  const type = (text: string) => Effect.forEach([...text], (each) => key(each, {}, each))
  yield* Queue.offerAll(events, opening)
  yield* settle
  return {
    calls,
    written,
    inputs,
    events,
    sizes,
    running,
    settle,
    key,
    type,
    screen: () => screenOf(written),
    quit: Effect.andThen(key("c", { ctrl: true }), Fiber.join(running))
  }
})

describe("chat", () => {
  it.effect("shows the history and what comes, by name, and marks it as read once", () =>
    Effect.gen(function*() {
      const played = yield* stage({ history: [message(1, "one"), message(2, "two")] })
      assert.match(played.screen(), /Bob …bbbb +one\n.*Bob …bbbb +two/)
      assert.match(played.screen(), /live · http:\/\/127\.0\.0\.1:4280/)
      yield* TestClock.adjust(2_000)
      yield* Queue.offer(played.events, { type: "message", chat: dm, message: message(3, "three\x1b[2J") })
      yield* TestClock.adjust(2_000)
      assert.match(played.screen(), /three\ufffd\[2J/)
      assert.deepStrictEqual(played.calls, ["first history newest", "first read 2000", "first read 3000"])
      assert.deepStrictEqual(yield* played.quit, [])
    }))

  it.effect("sends what is written, in order, and shows each once", () =>
    Effect.gen(function*() {
      const played = yield* stage()
      yield* played.type("hi")
      yield* played.key("return", {}, "\r")
      yield* played.type("there")
      yield* played.key("b", { ctrl: true })
      yield* played.type("X")
      yield* played.settle
      assert.match(played.screen(), /> therXe/)
      yield* played.key("return", {}, "\r")
      yield* played.settle
      assert.deepStrictEqual(played.calls.slice(1), ["first send hi", "first send therXe"])
      yield* Queue.offer(played.events, { type: "message", chat: dm, message: message(101, "hi", self) })
      yield* played.settle
      assert.deepStrictEqual(played.screen().match(/you.*/g)?.map((line) => line.trim()), [
        "you               hi ✓",
        "you               therXe ✓"
      ])
      // an empty message is none
      yield* played.key("return", {}, "\r")
      yield* played.settle
      assert.strictEqual(played.calls.length, 3)
      assert.deepStrictEqual(yield* played.quit, [])
    }))

  it.effect("says what was not sent, and sends it again when asked", () =>
    Effect.gen(function*() {
      let isDown = true
      const played = yield* stage({
        send: (content) =>
          isDown
            ? Effect.fail(new NodeUnreachable({ url: "http://n", message: `no answer about ${content}` }))
            : Effect.succeed({
              msg_id: message(9, "").msg_id,
              chat_id: chatId,
              hlc: message(9, "").hlc,
              committed: true
            })
      })
      yield* played.type("hi")
      yield* played.key("return", {}, "\r")
      yield* played.settle
      assert.match(played.screen(), /hi ✗\nnot sent: no answer about hi/)
      isDown = false
      yield* played.key("r", { ctrl: true })
      yield* played.settle
      assert.match(played.screen(), /hi ✓/)
      assert.notInclude(played.screen(), "not sent")
      yield* played.key("r", { ctrl: true })
      yield* played.settle
      assert.match(played.screen(), /every message was sent/)
      yield* played.quit
    }))

  const unanswered = (content: string) => {
    let times = 0
    const { chat_id, hlc, msg_id } = message(9, content, self)
    return () =>
      times++ === 0
        ? Effect.fail(new OutcomeUnknown({ kind: "message", id: message(77, "").msg_id, ts: 0, message: "cut" }))
        : Effect.succeed({ msg_id, chat_id, hlc, committed: true })
  }

  it.effect("looks whether a message came that had no answer, and sends it again when it is surely nowhere", () =>
    Effect.gen(function*() {
      const played = yield* stage({ send: unanswered("hi") })
      yield* played.type("hi")
      yield* played.key("return", {}, "\r")
      yield* played.settle
      yield* played.key("r", { ctrl: true })
      yield* played.settle
      assert.match(played.screen(), /it may still come: try again in 6\d s/)
      yield* TestClock.adjust("66 seconds")
      yield* played.key("r", { ctrl: true })
      yield* played.settle
      const asked = played.calls.filter((call) => / (send|message) /.test(call))
      assert.deepStrictEqual(asked, ["first send hi", "first message 77", "first message 77", "first send hi"])
      assert.match(played.screen(), /hi ✓/)
      yield* played.quit
    }))

  it.effect("takes a message that had no answer for sent when it comes as an event", () =>
    Effect.gen(function*() {
      const played = yield* stage({ send: unanswered("hi") })
      yield* played.type("hi")
      yield* played.key("return", {}, "\r")
      yield* played.settle
      assert.match(played.screen(), /did not|cut/)
      yield* Queue.offer(played.events, { type: "message", chat: dm, message: message(77, "hi", self) })
      yield* played.settle
      yield* played.key("r", { ctrl: true })
      yield* played.settle
      assert.match(played.screen(), /every message was sent/)
      assert.strictEqual(played.screen().match(/ hi /g)?.length, 1)
      assert.deepStrictEqual(played.calls.filter((call) => / (send|message) /.test(call)), ["first send hi"])
      yield* played.quit
    }))

  it.effect("goes on at the node whose events come, and reads anew what was missed", () =>
    Effect.gen(function*() {
      const played = yield* stage()
      yield* Queue.offer(played.events, { type: "connection", state: "lost", url, error: "cut off" })
      yield* played.settle
      assert.match(played.screen(), /reconnecting · .* · cut off/)
      yield* Queue.offerAll(played.events, [{ type: "connection", state: "open", url: "http://second" }, {
        type: "reset"
      }])
      yield* played.settle
      assert.match(played.screen(), /live · http:\/\/second/)
      yield* played.type("x")
      yield* played.key("return", {}, "\r")
      yield* played.settle
      assert.deepStrictEqual(played.calls.slice(1), ["second history newest", "second send x"])
      yield* played.quit
    }))

  it.effect("tells in words what changes in a group, and who is in it", () =>
    Effect.gen(function*() {
      const played = yield* stage({ chat: Chat.group(groupId) })
      assert.match(played.screen(), /^ plan {2}0x(cc){32}, 2/)
      const op = { chat_id: groupId, op_id: "11".repeat(32) as OpId, ts: start, hlc: Hlc.make(start, 0) }
      yield* Queue.offer(played.events, { type: "membership", ...op, op: "add", actor: self, targets: [peer] })
      yield* played.settle
      assert.match(played.screen(), /you added 0xbbbbbb…bbbb/)
      assert.deepStrictEqual(played.calls, ["first history newest", "first members", "first members"])
      yield* played.quit
    }))

  it.effect("begins at another node when the first is not there", () =>
    Effect.gen(function*() {
      const lost: ClientEvent = { type: "connection", state: "lost", url, error: "nobody there" }
      const played = yield* stage({ opening: [lost, { ...opened, url: "http://second" }] })
      assert.deepStrictEqual(played.calls, ["second history newest"])
      yield* played.quit
    }))

  it.effect("reads older pages at the top, and draws anew when the size changes", () =>
    Effect.gen(function*() {
      const history = Array.from({ length: 40 }, (_, i) => message(i, `line ${i}`))
      const played = yield* stage({ history })
      for (let i = 0; i < 3; i++) {
        yield* played.key("pageup")
        yield* played.settle
      }
      assert.include(played.calls, "first history older")
      yield* played.key("pageup")
      yield* played.settle
      assert.match(played.screen(), /line 0\b/)
      yield* Queue.offer(played.sizes, { columns: 30, rows: 8 })
      yield* played.settle
      assert.match(played.screen(), /PgUp|begins here|line/)
      yield* played.quit
    }))

  it.effect("is drawn anew after it was suspended, and ends with its keys", () =>
    Effect.gen(function*() {
      const played = yield* stage()
      const before = played.written.length
      yield* played.key("z", { ctrl: true })
      yield* played.settle
      assert.strictEqual(played.calls.at(-1), "suspend")
      assert.include(played.written.slice(before).join(""), "\x1b[2J")
      yield* Queue.end(played.inputs)
      assert.deepStrictEqual(yield* Fiber.join(played.running), [])
    }))

  it.effect("tells what was not sent when it ends", () =>
    Effect.gen(function*() {
      const played = yield* stage({ send: () => Effect.never })
      yield* played.type("hi")
      yield* played.key("return", {}, "\r")
      yield* played.settle
      const [unsent] = yield* played.quit
      assert.deepInclude(unsent, { content: "hi", state: "sending" })
    }))
})
