/**
 * What ends the client's stream of events, what it waits for, and how long (SPEC §3, §8; FAILURES 8). Sockets are real,
 * time is the test's.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { SignerError } from "../../src/client/index.ts"
import { direct, eventText, type Refusal, start } from "./events-node.ts"
import { open, passing, settled, signer, until, watch } from "./events-watch.ts"

const now = 1_700_000_000_000
const refusal = (status: number, _tag: string, fields: object = {}): Refusal => ({
  status,
  body: { _tag, message: `scripted ${_tag}`, ...fields }
})

describe("a stream of events ends", () => {
  const final = {
    "a bad signature": [401, { _tag: "Unauthenticated", reason: "bad-signature" }],
    "a malformed header": [401, { _tag: "Unauthenticated", reason: "malformed-header", field: "x-user" }],
    "an invalid request": [400, { _tag: "InvalidRequest", field: "last-event-id" }],
    "a user who is not let in": [403, { _tag: "UnexpectedAnswer", status: 403 }]
  } as const

  for (const [name, [status, expected]] of Object.entries(final)) {
    it.effect(`with ${name}, at once and as a typed failure`, () =>
      Effect.gen(function*() {
        const [node, other] = [yield* start(1), yield* start(2)]
        node.refuse = () => ({ status, body: { message: "scripted", ...expected } })
        const client = yield* open(node.url, { alternates: [other.url] })
        const watched = yield* watch(client.events())
        assert.deepInclude(yield* watched.failure, expected as object)
        assert.deepStrictEqual([node.opened.length, other.opened.length, watched.events.length], [1, 0, 0])
      }))
  }

  it.effect("with a signer that does not sign", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const silent = { ...signer, sign: () => Effect.fail(new SignerError({ message: "the wallet is locked" })) }
      const client = yield* open(node.url, { signer: silent })
      const watched = yield* watch(client.events())
      assert.instanceOf(yield* watched.failure, SignerError)
      assert.strictEqual(node.opened.length, 0)
    }))

  it.effect("with another node than the pinned one, also after a good while", () =>
    Effect.gen(function*() {
      const [before, after] = [yield* start(1), yield* start(2)]
      const client = yield* open(before.url, { pin: before.id })
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => before.streams.size === 1)
      yield* Effect.promise(async () => {
        await before.close()
        await after.close()
        after.port = before.port
        await after.listen()
      })
      yield* passing("the end", () => watched.fiber.pollUnsafe() !== undefined, 10)
      assert.deepInclude(yield* watched.failure, { _tag: "NodeChanged", expected: before.id, actual: after.id })
    }))
})

describe("a stream of events goes on", () => {
  const passingRefusals = {
    "a proxy without a node": { status: 502, body: "Bad Gateway" },
    "a page in place of events": { status: 200, body: "<html>" },
    "an answer of no node": { status: 418, body: "teapot" },
    "a time that is refused twice": refusal(401, "Unauthenticated", { reason: "expired", time: now }),
    "a busy node": refusal(503, "Overloaded", { reason: "in-flight", retry_after: 1 })
  }

  for (const [name, answer] of Object.entries(passingRefusals)) {
    it.effect(`after ${name}`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now)
        const node = yield* start(1)
        node.refuse = (n) => n <= 4 ? answer : undefined
        const client = yield* open(node.url)
        const watched = yield* watch(client.events())
        yield* passing("an open stream", () => node.streams.size === 1, 30)
        node.take(direct(1, now))
        yield* until("a message", () => watched.contents().length === 1)
        assert.strictEqual(watched.count("reset"), 0)
      }))
  }

  it.effect("when a page answers that does not end, and leaves it", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      node.refuse = (n) => n === 1 ? { status: 200, body: "<html>", isEndless: true } : undefined
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("the loss", () => watched.connections().length === 1)
      yield* until("the page left", () => node.streams.size === 0)
      yield* passing("an open stream", () => node.streams.size === 1, 5)
    }))

  for (const [status, tag, fields] of [[429, "RateLimited", {}], [503, "Overloaded", { reason: "queue" }]] as const) {
    it.effect(`not before the node wants it: ${status}`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now)
        const node = yield* start(1)
        node.refuse = (n) => n === 1 ? refusal(status, tag, { ...fields, retry_after: 60 }) : undefined
        const client = yield* open(node.url)
        yield* watch(client.events())
        yield* until("the refusal", () => node.opened.length === 1)
        yield* settled
        yield* TestClock.adjust("59 seconds")
        yield* settled
        assert.strictEqual(node.opened.length, 1)
        yield* passing("another attempt", () => node.streams.size === 1, 5)
      }))
  }

  it.effect("at another node meanwhile, if there is one", () =>
    Effect.gen(function*() {
      const [busy, other] = [yield* start(1), yield* start(2)]
      busy.refuse = () => refusal(503, "Overloaded", { reason: "queue", retry_after: 60 })
      const client = yield* open(busy.url, { alternates: [other.url] })
      yield* watch(client.events())
      assert.isBelow(yield* passing("a stream at the other", () => other.streams.size === 1, 10), 1_000)
    }))

  it.effect("with pauses that grow to ten seconds, and are short again after good times", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const client = yield* open(node.url)
      const watched = yield* watch(client.events())
      yield* until("an open stream", () => node.streams.size === 1)
      yield* Effect.promise(() => node.close())
      yield* passing("a dozen attempts", () => watched.connections().length >= 13, 120)
      const pauses = watched.times.slice(2).map((ms, i) => ms - watched.times[i + 1]!)
      assert.isBelow(Math.max(...pauses.slice(0, 3)), 1_000)
      for (const ms of pauses) assert.isAtMost(ms, 10_500)
      for (const ms of pauses.slice(-3)) assert.isAtLeast(ms, 5_000)
      yield* Effect.promise(() => node.listen())
      yield* passing("an open stream", () => node.streams.size === 1, 15)
      node.arrive()
      node.say(eventText(node.place()))
      yield* settled
      node.cut()
      yield* settled
      assert.isBelow(yield* passing("an open stream", () => node.streams.size === 1, 15), 500)
    }))
})

describe("a slow consumer", () => {
  it.live("stops the node from sending, and gets everything in the end", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      const count = 20_000
      const padding = "x".repeat(2_000)
      for (let i = 0; i < count; i++) node.take(direct(1, Date.now(), `${i} ${padding}`), false)
      let written = 0
      let isDone = false
      node.write = (response) => {
        const step = (i: number): void => {
          for (let at = i; at < count; at++) {
            const { data, name, number } = node.arrivals[at]!
            const text = eventText(node.place(number), name, data)
            written += text.length
            if (!response.write(text)) return void response.once("drain", () => step(at + 1))
          }
          isDone = true
        }
        step(0)
      }
      const client = yield* open(node.url)
      let taken = 0
      let isSlow = true
      const fiber = yield* client.events({ resume: node.place(0) }).pipe(
        Stream.filter((event) => event.type === "message"),
        Stream.take(count),
        Stream.runForEach((event) =>
          Effect.gen(function*() {
            assert.isTrue(event.message.content.startsWith(`${taken} `))
            if (++taken === 10) { while (isSlow) yield* Effect.sleep(10) }
          })
        ),
        Effect.forkScoped
      )
      yield* until("ten messages", () => taken === 10)
      let before = -1
      for (let i = 0; i < 20 && before !== written; i++) {
        before = written
        yield* Effect.sleep(150)
      }
      // what the client holds, and what both sides' sockets do: far less than the 48 MB that there are
      assert.isFalse(isDone)
      assert.isBelow(written, 16_000_000)
      isSlow = false
      yield* Fiber.join(fiber)
      assert.strictEqual(taken, count)
    }), 60_000)
})
