/** Time window, replay and first answers (SPEC §3), on nodes whose clock the test sets; also across a restart. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { defaultIngestLimits, type IngestLimits } from "../../src/domain/limits.ts"
import {
  type Answer,
  type Call,
  call,
  dm,
  groupMessage,
  headersOf,
  identity,
  mark,
  newGroup,
  op,
  type Running,
  send,
  start,
  temporaryDirectory,
  user
} from "./fixture.ts"
import {
  assertRefused,
  forbidden,
  overloaded,
  shared,
  steered,
  SteeredClock,
  unauthenticated,
  unhurried,
  using
} from "./steered-node.ts"

const [alice, bob, carol] = [user(1), user(2), user(3)]
const startMs = 1_900_000_000_000

/** A node whose clock stands at `startMs` until a test moves it. */
const node = shared(steered({ atMs: startMs }))

const inbox = { method: "GET", path: "/conversations" }

const ok = (answer: Answer, status: number): Answer => {
  assert.strictEqual(answer.status, status, JSON.stringify(answer.body))
  return answer
}

/** Moves the clock far enough that nothing of earlier tests is in the window, and gives the new time. */
const later = (): number => node().clock.atMs = node().clock.atMs! + 200_000

/** Signs once; what is sent later is the same request. */
const signedOnce = (running: Running, who: typeof alice, request: Call) => {
  const headers = headersOf(running, who, request)
  return (replaced: { readonly [name: string]: string } = {}) => send(running, request, { ...headers, ...replaced })
}

describe("the window", () => {
  it("takes what is 30 000 ms off either way, and nothing beyond", async () => {
    const now = later()
    for (const ts of [now - 30_000, now + 30_000, now]) {
      ok(await call(node(), alice, { ...inbox, ts }), 200)
      ok(await call(node(), alice, dm(alice, bob, { content: "in time" }, ts)), 202)
    }
    for (const ts of [now - 30_001, now + 30_001, now - 2_000_000, 1, 2 ** 48 - 1]) {
      for (const request of [{ ...inbox, ts }, dm(alice, bob, { content: "out of time" }, ts)]) {
        const answer = await call(node(), alice, request)
        assertRefused(answer, 401, unauthenticated("expired"), String(ts))
        assert.strictEqual(answer.body.time, now)
      }
    }
  })
})

describe("a request", () => {
  it("works once, whatever is changed about the form of its signature", async () => {
    const ts = later()
    const headers = headersOf(node(), alice, { ...inbox, ts })
    ok(await send(node(), inbox, headers), 200)
    const sig = headers["X-Sig"]!
    const forms = [
      sig,
      `0x${sig.toUpperCase()}`,
      `${sig.slice(0, 128)}0${Number.parseInt(sig.slice(128), 16) - 27}`,
      sig.slice(0, 128) + (sig.slice(128) === "1b" ? "1c" : "1b")
    ]
    for (const form of forms) {
      assertRefused(await send(node(), inbox, { ...headers, "X-Sig": form }), 401, unauthenticated("replayed"), form)
    }
    const wallet = headersOf(node(), alice, { ...inbox, ts, version: 2 })
    assertRefused(await send(node(), inbox, wallet), 401, unauthenticated("replayed"))
    // another user and another time are other requests
    ok(await call(node(), bob, { ...inbox, ts }), 200)
    ok(await call(node(), alice, { ...inbox, ts: ts + 1 }), 200)
  })

  it("is refused to the end of its window, and of two at once one works", async () => {
    const ts = later() + 30_000
    const again = signedOnce(node(), alice, { ...inbox, ts })
    const both = await Promise.all([again(), again()])
    assert.deepStrictEqual(both.map(({ status }) => status).sort(), [200, 401])
    for (const passed of [0, 29_999, 30_000, 45_000, 59_999, 60_000]) {
      node().clock.atMs = ts - 30_000 + passed
      assertRefused(await again(), 401, unauthenticated("replayed"), String(passed))
    }
    node().clock.atMs = ts + 30_001
    assertRefused(await again(), 401, unauthenticated("expired"))
  })

  it("that was refused for its form may be sent again", async () => {
    const ts = later()
    const headers = headersOf(node(), alice, { ...inbox, ts })
    assertRefused(
      await send(node(), inbox, { ...headers, "X-User": bob.address }),
      401,
      unauthenticated("bad-signature")
    )
    ok(await send(node(), inbox, headers), 200)
  })
})

describe("a repeated write", () => {
  const writes = (ts: number): ReadonlyArray<readonly [string, Call]> => {
    const nonce = Buffer.alloc(16, ts % 251).toString("hex")
    const { chatId } = newGroup(node(), alice, ts % 251)
    return [
      ["message", dm(alice, carol, { content: "once", control: "" }, ts)],
      ["op", op(node(), alice, chatId, { op: "create", nonce }, ts)],
      ["identity", identity(alice, "AQID", ts)]
    ]
  }

  it("gets its first answer: one after the other, at once, signed the other way, and late", async () => {
    const ts = later() + 30_000
    for (const [name, request] of writes(ts)) {
      const again = signedOnce(node(), alice, request)
      const [first, second] = await Promise.all([again(), again()])
      ok(first, 202)
      assert.deepStrictEqual(second, { ...first, headers: second.headers }, name)
      node().clock.atMs = ts + 30_000
      assert.deepStrictEqual((await again()).body, first.body, name)
      assert.deepStrictEqual((await again({ Prefer: "wait=10" })).body, first.body, name)
      const wallet = await call(node(), alice, { ...request, version: 2 })
      assert.deepStrictEqual(wallet.body, first.body, name)
      node().clock.atMs = ts - 30_000
    }
    const history = await call(node(), alice, { method: "GET", path: `/dialogs/${carol.address}/messages`, ts })
    assert.strictEqual(history.body.messages.length, 1)
  })

  it("of a read mark too", async () => {
    const ts = later()
    const sent = ok(await call(node(), alice, dm(alice, bob, { content: "read me" }, ts)), 202)
    const request = mark(bob, sent.body.chat_id.slice(2), `/dialogs/${alice.address}/messages`, sent.body.hlc, ts)
    const again = signedOnce(node(), bob, request)
    const [first, second] = await Promise.all([again(), again()])
    ok(first, 202)
    assert.deepStrictEqual(second.body, first.body)
    assert.deepStrictEqual((await again()).body, first.body)
  })

  it("whose first try was refused is looked at again", async () => {
    const ts = later()
    const { chatId } = newGroup(node(), alice, 77)
    const create = op(node(), alice, chatId, { op: "create", nonce: "4d".repeat(16) }, ts)
    ok(await call(node(), alice, create), 202)
    const again = signedOnce(node(), bob, groupMessage(bob, chatId, { content: "let me in" }, ts))
    assertRefused(await again(), 403, forbidden)
    assertRefused(await again(), 403, forbidden)
    ok(await call(node(), alice, op(node(), alice, chatId, { op: "add", targets: [bob.address] }, ts + 1)), 202)
    ok(await again(), 202)
  })
})

describe("what a node cannot remember", () => {
  it("a full memory refuses with 503 and drops nothing inside the window", () =>
    using(steered({ atMs: startMs, limits: { replayEntriesMax: 3 } }), async (small) => {
      const again = [1, 2, 3].map((ts) => signedOnce(small, alice, { ...inbox, ts: startMs + ts }))
      for (const each of again) ok(await each(), 200)
      for (const request of [{ ...inbox, ts: startMs + 4 }, dm(alice, bob, { content: "x" }, startMs + 5)]) {
        const answer = await call(small, alice, request)
        assertRefused(answer, 503, overloaded("replay-cache"))
        assert.match(answer.headers.get("retry-after")!, /^[1-9][0-9]*$/)
        assert.strictEqual(answer.body.retry_after, Number(answer.headers.get("retry-after")))
      }
      for (const each of again) assertRefused(await each(), 401, unauthenticated("replayed"))
      // a bad signature takes no room and tells nothing of it
      const bad = headersOf(small, bob, { ...inbox, ts: startMs + 6 })
      assertRefused(
        await send(small, inbox, { ...bad, "X-User": alice.address }),
        401,
        unauthenticated("bad-signature")
      )
      small.clock.atMs = startMs + 41_000
      ok(await call(small, alice, { ...inbox, ts: startMs + 41_000 }), 200)
    }))

  /** A node on files that can be started again; its clock stands at `atMs`. */
  const onFiles = (dataDir: string, atMs: number, limits: Partial<IngestLimits> = {}) =>
    Effect.gen(function*() {
      const clock = new SteeredClock(yield* Clock.Clock, atMs)
      const running = yield* start({ dataDir, limits: { ...defaultIngestLimits, ...unhurried, ...limits } }).pipe(
        Effect.provideService(Clock.Clock, clock)
      )
      return { ...running, clock }
    })

  it("after a restart a stored write gets its first answer, and older signatures are refused", () =>
    using(temporaryDirectory, async (dataDir) => {
      const ts = startMs + 1_000
      const message = dm(alice, bob, { content: "before the restart" }, ts)
      const nonce = "0b".repeat(16)
      const kept: Array<readonly [string, Call, Answer]> = []
      await using(onFiles(dataDir, startMs), async (first) => {
        const { chatId } = newGroup(first, alice, 11)
        const sent = ok(await call(first, alice, { ...message, headers: { Prefer: "wait=10" } }), 201)
        kept.push(["message", message, sent])
        const create = op(first, alice, chatId, { op: "create", nonce }, ts)
        kept.push(["op", create, ok(await call(first, alice, create), 202)])
        const read = mark(alice, sent.body.chat_id.slice(2), `/dialogs/${bob.address}/messages`, sent.body.hlc, ts)
        kept.push(["read", read, ok(await call(first, alice, read), 202)])
        const put = identity(alice, "AQID", ts)
        kept.push(["identity", put, ok(await call(first, alice, put), 202)])
        ok(await call(first, alice, { ...inbox, ts }), 200)
      })
      await using(onFiles(dataDir, startMs + 5_000), async (second) => {
        for (const [name, request, first] of kept) {
          const repeated = await call(second, alice, request)
          assert.deepStrictEqual([repeated.status, repeated.body], [202, first.body], name)
          const waited = await call(second, alice, { ...request, headers: { Prefer: "wait=10" } })
          assert.deepStrictEqual([waited.status, waited.body], [201, first.body], name)
        }
        // perhaps used before: the node cannot know
        assertRefused(await call(second, alice, { ...inbox, ts }), 401, unauthenticated("replayed"))
        assertRefused(await call(second, alice, { ...inbox, ts: startMs + 4_999 }), 401, unauthenticated("replayed"))
        const unknown = dm(alice, bob, { content: "never came" }, ts)
        assertRefused(await call(second, alice, unknown), 401, unauthenticated("replayed"))
        ok(await call(second, alice, { ...inbox, ts: startMs + 5_000 }), 200)
        ok(await call(second, alice, dm(alice, bob, { content: "after" }, startMs + 5_000)), 202)
        const history = await call(second, alice, {
          method: "GET",
          path: `/dialogs/${bob.address}/messages`,
          ts: startMs + 5_001
        })
        assert.deepStrictEqual(
          history.body.messages.map((each: { content: string }) => each.content),
          ["after", "before the restart"]
        )
      })
    }))
})
