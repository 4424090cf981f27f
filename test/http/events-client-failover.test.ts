/**
 * The client's stream of events over several nodes, and over gaps at one: what no stream told is read, once and in order
 * (SPEC §8; FAILURES 14, 16).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Hlc } from "../../src/client/index.ts"
import { direct, type EventsNode, grouped, hex, type Shown, stamp, start } from "./events-node.ts"
import { open, settled, until, watch } from "./events-watch.ts"

/** Ahead of the clock: after the beginning of every stream. */
const now = Date.now() + 600_000
const hour = 3_600_000
const hlcAt = (ms: number) => Hlc.make(ms, 0)

/** All of these nodes have these messages; the first has told them. */
const everywhere = (nodes: ReadonlyArray<EventsNode>, ...messages: ReadonlyArray<Shown>): void => {
  for (const message of messages) for (const [i, node] of nodes.entries()) node.take(message, i === 0)
}

const nodesOf = (...seeds: ReadonlyArray<number>) => Effect.forEach(seeds, start)

describe("events when the node is gone", () => {
  it.live("go on at another: reset, then what was missed, oldest first, then what comes", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url] })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      everywhere([a, b], direct(1, now, "a"), direct(2, now + 1, "b"))
      yield* until("two messages", () => watched.contents().length === 2)
      yield* Effect.promise(() => a.close())
      // the last one is late: stamped before what was told
      for (const shown of [direct(1, now + 2, "c"), direct(1, now + 4, "e"), direct(1, now - 1, "late")]) b.take(shown)
      b.take(direct(1, now + 3, "d"))
      yield* until("what was missed", () => watched.contents().length === 6)
      b.take(direct(2, now + 5, "f"))
      yield* until("what comes", () => watched.contents().length === 7)
      yield* settled
      assert.deepStrictEqual(watched.contents(), ["a", "b", "late", "c", "d", "e", "f"])
      assert.deepStrictEqual(watched.connections(), [
        `open ${a.port}`,
        `lost ${a.port}`,
        `lost ${a.port}`,
        `lost ${a.port}`,
        `open ${b.port}`
      ])
      assert.strictEqual(watched.events.findIndex(({ type }) => type === "reset"), 7)
      // ids are a node's own
      assert.deepStrictEqual(b.opened, [undefined])
    }))

  it.live("stay there while it answers, and come back the same way", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url)
      const watched = yield* watch(client.events({ nodes: [b.url] }))
      yield* until("an open stream", () => a.streams.size === 1)
      everywhere([a, b], direct(1, now, "a"))
      yield* until("a", () => watched.contents().length === 1)
      yield* Effect.promise(() => a.close())
      yield* until("a stream at b", () => b.streams.size === 1)
      yield* Effect.promise(() => a.listen())
      everywhere([b, a], direct(1, now + 1, "b"))
      yield* until("b", () => watched.contents().length === 2)
      b.cut()
      yield* until("b again", () => b.streams.size === 1)
      assert.deepStrictEqual(b.opened, [undefined, b.place(2)])
      yield* Effect.promise(() => b.close())
      everywhere([a], direct(1, now + 2, "c"))
      yield* until("c", () => watched.contents().length === 3)
      yield* settled
      assert.deepStrictEqual(watched.contents(), ["a", "b", "c"])
      assert.strictEqual(watched.count("reset"), 2)
      // the place at b is not sent to a, and the old one at a is behind
      assert.deepStrictEqual(a.opened, [undefined, undefined])
    }))

  it.live("leave out a node that does not prove its id", () =>
    Effect.gen(function*() {
      const [a, liar, c] = yield* nodesOf(1, 2, 3) as Effect.Effect<[EventsNode, EventsNode, EventsNode]>
      liar.id = c.id
      const client = yield* open(a.url, { alternates: [liar.url, c.url] })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      yield* Effect.promise(() => a.close())
      yield* until("a stream at c", () => c.streams.size === 1)
      assert.strictEqual(liar.opened.length, 0)
      assert.include(watched.connections(), `lost ${liar.port}`)
    }))

  it.live("tell once what comes while the gap is read, by history and stream", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url] })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      yield* Effect.promise(() => a.close())
      b.take(direct(1, now, "missed"))
      b.beforeRead = (path) => {
        if (path.startsWith("/dialogs") && b.shown.length === 1) b.take(direct(1, now + 1, "meanwhile"))
        if (path.startsWith("/dialogs"))
          b.arrive("identity", { address: `0x${hex(1, 20)}`, identity: "", hlc: hex(1, 8) })
      }
      yield* until("an event held meanwhile", () => watched.count("identity") === 1)
      yield* settled
      assert.deepStrictEqual(watched.contents(), ["missed", "meanwhile"])
      assert.strictEqual(watched.events.at(-1)?.type, "identity")
    }))

  it.live("find a conversation that moved up in the inbox while it was read", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url] })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      yield* Effect.promise(() => a.close())
      for (let chat = 1; chat <= 150; chat++) b.take(direct(chat, now + 1000 - chat, `${chat}`))
      let pages = 0
      b.beforeRead = (path) => {
        // between the two pages of the first reading, the last conversation becomes the first
        if (path === "/conversations" && ++pages === 2) b.take(direct(150, now + 2000, "moved"), false)
      }
      yield* until("all", () => watched.contents().length === 151)
      yield* settled
      assert.strictEqual(new Set(watched.contents()).size, 151)
      assert.isBelow(watched.contents().indexOf("150"), watched.contents().indexOf("moved"))
    }))

  it.live("read a long gap page by page, oldest first", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url] })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      yield* Effect.promise(() => a.close())
      // older ones belong to what the caller has read by itself
      for (let i = 0; i < 700; i++) b.take(grouped(9, now - hour + i, "old"))
      const contents = Array.from({ length: 1_300 }, (_, i) => `${i}`)
      for (const [i, content] of contents.entries()) b.take(grouped(9, now + i, content))
      yield* until("all", () => watched.contents().length >= 1_300)
      yield* settled
      assert.deepStrictEqual(watched.contents(), contents)
    }))

  it.live("read a gap anew that could not be read to its end, and tell nothing twice", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* nodesOf(1, 2, 3) as Effect.Effect<[EventsNode, EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url, c.url], timeoutMs: 1_000 })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      yield* Effect.promise(() => a.close())
      // the newest conversation is read first; its stamps lie far above those of the other
      everywhere([b, c], direct(1, now, "older"), direct(2, now + 2 * hour, "newer"))
      b.beforeRead = async (path) => {
        if (path === `/dialogs/0x${hex(1, 20)}/messages`) await b.close()
      }
      yield* until("both", () => watched.contents().length === 2)
      yield* settled
      assert.deepStrictEqual(watched.contents(), ["newer", "older"])
      assert.strictEqual(c.streams.size, 1)
      assert.strictEqual(watched.count("reset"), 2)
    }), 60_000)

  it.live("pass over a group that may not be read any more", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url] })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      yield* Effect.promise(() => a.close())
      everywhere([b], direct(1, now, "mine"), grouped(2, now + 1, "theirs"))
      b.beforeRead = (path) =>
        path.startsWith("/groups") ? { status: 403, body: { _tag: "Forbidden", message: "removed" } } : undefined
      yield* until("the message", () => watched.contents().length === 1)
      assert.deepStrictEqual(watched.contents(), ["mine"])
    }))

  it.live("find what is late by less than the margin, and no more", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url] })
      const watched = yield* watch(client.events({ rereadMarginMs: hour, since: hlcAt(now - 3 * hour) }))
      yield* until("an open stream", () => a.streams.size === 1)
      const told = direct(1, now - hour, "told")
      everywhere([a, b], told)
      yield* until("told", () => watched.contents().length === 1)
      // the gap from `since` is read to its end
      yield* settled
      yield* Effect.promise(() => a.close())
      // what was told, less the margin
      const place = now - 2 * hour
      for (
        const [hlc, content] of [[stamp(place - 1, 9), "-1"], [stamp(place), "0"], [stamp(place, 1), "+1"]] as const
      ) {
        const { message, ...where } = direct(2, place, content)
        b.take({ ...where, message: { ...message, hlc } })
      }
      yield* until("late", () => watched.contents().length === 2)
      yield* settled
      assert.deepStrictEqual(watched.contents(), ["told", "+1"])
    }))

  it.live("find what was missed though a message bears tomorrow's stamp", () =>
    Effect.gen(function*() {
      const [a, b] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(a.url, { alternates: [b.url] })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => a.streams.size === 1)
      everywhere([a, b], direct(1, now + 24 * hour, "from tomorrow"))
      yield* until("told", () => watched.contents().length === 1)
      yield* Effect.promise(() => a.close())
      b.take(direct(2, now, "missed"))
      yield* until("what was missed", () => watched.contents().length === 2)
    }))
})

describe("events of a node that cannot go on", () => {
  for (const reason of ["expired", "unknown"] as const) {
    it.live(`say so, and what was missed: ${reason}`, () =>
      Effect.gen(function*() {
        const node = yield* start(1)
        const client = yield* open(node.url)
        const watched = yield* watch(client.events())
        yield* until("an open stream", () => node.streams.size === 1)
        node.take(direct(1, now, "a"))
        yield* until("a", () => watched.contents().length === 1)
        node.cut()
        node.take(direct(1, now + 1, "b"), false)
        if (reason === "expired") node.expired = 1
        else node.epoch = hex(0xee, 8)
        yield* until("b", () => watched.contents().length === 2)
        node.take(direct(1, now + 2, "c"))
        yield* until("c", () => watched.contents().length === 3)
        assert.deepStrictEqual(watched.contents(), ["a", "b", "c"])
        assert.strictEqual(watched.count("reset"), 1)
        assert.strictEqual(node.opened[1], `${hex(1, 8)}-1`)
      }))
  }

  it.live("and has another key and id now, that it proves", () =>
    Effect.gen(function*() {
      const [before, after] = yield* nodesOf(1, 2) as Effect.Effect<[EventsNode, EventsNode]>
      const client = yield* open(before.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => before.streams.size === 1)
      everywhere([before, after], direct(1, now, "a"))
      yield* until("a", () => watched.contents().length === 1)
      yield* Effect.promise(() => before.close())
      yield* Effect.promise(() => after.close())
      after.port = before.port
      after.take(direct(1, now + 1, "b"))
      yield* Effect.promise(() => after.listen())
      yield* until("b", () => watched.contents().length === 2)
      assert.deepStrictEqual(watched.contents(), ["a", "b"])
      assert.deepStrictEqual(after.opened, [undefined])
      assert.strictEqual(watched.count("reset"), 1)
    }))

  it.live("are caught up from the stamp that the caller kept", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const contents = ["behind the margin", "in the margin", "new"]
      for (const [i, content] of contents.entries()) node.take(direct(1, now - (2 - i) * hour, content))
      const client = yield* open(node.url)
      const since = hlcAt(now - hour / 2)
      const watched = yield* watch(client.events({ resume: `${hex(7, 8)}-5`, since }))
      yield* until("the last", () => watched.contents().includes("new"))
      assert.deepStrictEqual(watched.contents(), ["in the margin", "new"])
      assert.deepStrictEqual(node.opened, [`${hex(7, 8)}-5`])
    }))
})
