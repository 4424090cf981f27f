/**
 * The client's stream of events at one node, over real sockets: it resumes where it was, and nothing is told twice
 * (SPEC §8; FAILURES 14, 16, 18).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { heartbeatMs } from "../../src/api/events.ts"
import { Chat, type Ids } from "../../src/client/index.ts"
import { direct, eventText, grouped, hex, stamp, start } from "./events-node.ts"
import { eventOf, open, passing, settled, until, watch } from "./events-watch.ts"

const now = Date.now()

describe("events of one node", () => {
  it.live("are told as they come, each with what it says", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => node.streams.size === 1)
      const [message, inGroup] = [direct(0xb0, now, "grüß 👋"), grouped(0xc0, now)]
      node.take(message)
      node.take(inGroup)
      const op = { chat_id: `0x${hex(0xc0, 32)}`, op_id: `0x${hex(3, 32)}`, op: "add", role: "admin", ts: now }
      node.arrive("membership", { ...op, actor: `0x${hex(5, 20)}`, targets: [`0x${hex(6, 20)}`], hlc: stamp(now) })
      const mark = { kind: "dm", chat_id: `0x${hex(0xb0, 32)}`, peer: `0x${hex(0xb0, 20)}`, up_to: stamp(now), ts: now }
      node.arrive("read", { ...mark, reader: `0x${hex(0xb0, 20)}`, hlc: stamp(now + 1) })
      node.arrive("identity", { address: `0x${hex(7, 20)}`, identity: "AQI=", hlc: stamp(now) })
      yield* until("five events", () => watched.events.length === 6)
      assert.deepStrictEqual(watched.events[0], {
        type: "connection",
        state: "open",
        url: node.url,
        nodeId: node.id
      })
      const [first, second] = [eventOf(watched, "message"), eventOf(watched, "message", 1)]
      assert.deepStrictEqual(first.chat, Chat.dm(hex(0xb0, 20) as Ids.Address))
      assert.deepStrictEqual([first.message.content, first.eventId], ["grüß 👋", node.place(1)])
      assert.deepStrictEqual(second.chat, Chat.group(hex(0xc0, 32) as Ids.ChatId))
      const { op: name, role, targets } = eventOf(watched, "membership")
      assert.deepStrictEqual([name, role, targets], ["add", "admin", [hex(6, 20) as Ids.Address]])
      const { kind, reader, ts } = eventOf(watched, "read")
      assert.deepStrictEqual([kind, reader, ts], ["dm", hex(0xb0, 20) as Ids.Address, now])
      const { eventId, identity } = eventOf(watched, "identity")
      assert.deepStrictEqual([identity, eventId], [Uint8Array.of(1, 2), node.place(5)])
    }))

  it.live("go on behind the last id after a cut, and after the end of a node that comes back", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => node.streams.size === 1)
      node.take(direct(1, now, "a"))
      yield* until("a", () => watched.contents().length === 1)
      node.cut()
      node.take(direct(1, now, "b"), false)
      yield* until("b", () => watched.contents().length === 2)
      node.cut("end")
      node.take(direct(1, now, "c"), false)
      yield* until("c", () => watched.contents().length === 3)
      yield* Effect.promise(() => node.close())
      node.take(direct(1, now, "d"), false)
      yield* Effect.sleep(500)
      yield* Effect.promise(() => node.listen())
      yield* until("d", () => watched.contents().length === 4)
      assert.deepStrictEqual(watched.contents(), ["a", "b", "c", "d"])
      assert.deepStrictEqual(node.opened, [undefined, node.place(1), node.place(2), node.place(3)])
      assert.strictEqual(watched.count("reset"), 0)
      assert.deepStrictEqual(node.read, [])
    }))

  it.live("are not told again when the node says them again, and go on from ids that stand alone", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => node.streams.size === 1)
      const message = direct(1, now, "a")
      node.take(message)
      node.arrive("message", { ...message, message: { ...message.message, hlc: stamp(now - 1) } })
      const mark = { kind: "group", chat_id: `0x${hex(9, 32)}`, reader: `0x${hex(8, 20)}`, up_to: stamp(now), ts: now }
      for (const hlc of [stamp(now), stamp(now), stamp(now + 1)]) node.arrive("read", { ...mark, hlc })
      // others' arrivals move the place too
      node.arrive()
      node.arrive()
      node.say(eventText(node.place()))
      // and what no version knows yet
      node.arrive("wedding", { of: "two" })
      yield* until("two marks", () => watched.count("read") === 2)
      yield* settled
      node.cut()
      yield* until("the next stream", () => node.streams.size === 1)
      assert.deepStrictEqual(watched.contents(), ["a"])
      assert.strictEqual(watched.count("read"), 2)
      assert.strictEqual(node.opened[1], node.place(8))
    }))

  it.live("begin behind the id that the caller kept", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      for (const content of ["old", "new", "newer"]) node.take(direct(1, now, content), false)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events({ resume: node.place(1) }))
      yield* until("two messages", () => watched.contents().length === 2)
      assert.deepStrictEqual(watched.contents(), ["new", "newer"])
      assert.deepStrictEqual(node.opened, [node.place(1)])
    }))

  it.live("come in pieces of one byte, too", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      for (const content of ["é", "👋🏽", "line\nbreak"]) node.take(direct(1, now, content), false)
      node.arrive()
      node.write = (response, text) => {
        // a place alone is at the end
        const bytes = Buffer.from(text + eventText(node.place()))
        const step = (i: number): void => {
          if (i < bytes.length) response.write(bytes.subarray(i, i + 1), () => setImmediate(step, i + 1))
          else response.end()
        }
        step(0)
      }
      const client = yield* open(node.url)
      const watched = yield* watch(client.events({ resume: node.place(0) }))
      yield* until("another stream", () => node.opened.length === 2)
      assert.strictEqual(node.opened[1], node.place(4))
      assert.deepStrictEqual(watched.contents(), ["é", "👋🏽", "line\nbreak"])
    }))

  it.live("close their connection at once when nobody listens any more", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => node.streams.size === 1)
      yield* Fiber.interrupt(watched.fiber)
      yield* until("no stream", () => node.streams.size === 0)
      yield* settled
      assert.strictEqual(node.opened.length, 1)
    }))
})

describe("a stream that says nothing", () => {
  it.effect("is dead after two and a half heartbeats, and alive with any of them", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => node.streams.size === 1)
      for (let beat = 0; beat < 4; beat++) {
        yield* passing("one and a half heartbeats", () => false, 1.5 * heartbeatMs / 1000, 2_500).pipe(Effect.exit)
        node.arrive()
        node.say(eventText(node.place()))
        yield* settled
      }
      assert.deepStrictEqual(watched.connections(), [`open ${node.port}`])
      // from here on nothing comes, and nothing tells that
      const ms = yield* passing("another stream", () => node.opened.length === 2, 120, 500)
      assert.isAtLeast(ms, 2.5 * heartbeatMs)
      assert.isAtMost(ms, 2.5 * heartbeatMs + 2_000)
      assert.deepStrictEqual(node.opened, [undefined, node.place(4)])
    }), 60_000)
})

describe("events that cannot be read", () => {
  const bad = {
    "no JSON": "event: message\ndata: {\n\n",
    "no message": `event: message\ndata: {"kind":"dm"}\n\n`,
    "direct, and with whom is not said": `event: message\ndata: ${
      JSON.stringify({ kind: "dm", message: direct(1, now).message })
    }\n\n`,
    "without an end": `event: message\ndata: ${"x".repeat(1024 * 1024 + 1)}`
  }

  for (const [name, text] of Object.entries(bad)) {
    it.live(`drop the connection, not the stream: ${name}`, () =>
      Effect.gen(function*() {
        const node = yield* start(1)
        const client = yield* open(node.url)
        const watched = yield* watch(client.events())
        yield* until("an open stream", () => node.streams.size === 1)
        const good = direct(1, now, "a")
        node.take(good, false)
        node.say(eventText(node.place(), "message", good) + text)
        yield* until("another stream", () => watched.connections().length === 3)
        node.take(direct(1, now, "b"))
        yield* until("b", () => watched.contents().length === 2)
        assert.deepStrictEqual(watched.contents(), ["a", "b"])
        assert.deepStrictEqual(node.opened, [undefined, node.place(1)])
        assert.match(eventOf(watched, "connection", 1).error!, /event message|size/)
      }))
  }

  it.live("are stepped over the second time, and what they may have told is read", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => node.streams.size === 1)
      node.take(direct(1, now, "a"))
      node.arrive("message", { poisoned: true })
      node.take(direct(1, now, "b"))
      yield* until("b", () => watched.contents().length === 2)
      node.take(direct(1, now, "c"))
      yield* until("c", () => watched.contents().length === 3)
      assert.deepStrictEqual(watched.contents(), ["a", "b", "c"])
      assert.deepStrictEqual(node.opened, [undefined, node.place(1), undefined])
      assert.strictEqual(watched.count("reset"), 1)
    }))
})
