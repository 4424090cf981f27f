/** What a node refuses to protect itself, what goes on meanwhile, and what writers see of their own writes (SPEC §8, §10). */
import { assert, describe, it } from "@effect/vitest"
import { connect } from "node:net"
import { setTimeout as pause } from "node:timers/promises"
import {
  type Answer,
  type Call,
  call,
  dm,
  freshTs,
  groupMessage,
  headersOf,
  identity,
  mark,
  newGroup,
  op,
  send,
  user
} from "./fixture.ts"
import { assertRefused, overloaded, shared, type Steered, steered, unauthenticated, using } from "./steered-node.ts"

const [alice, bob, carol] = [user(1), user(2), user(3)]
const node = shared(steered())

const ok = (answer: Answer, status: number): Answer => {
  assert.strictEqual(answer.status, status, JSON.stringify(answer.body))
  return answer
}

const waiting = (seconds: string | number, request: Call): Call => ({
  ...request,
  headers: { Prefer: typeof seconds === "string" ? seconds : `wait=${seconds}` }
})

/** Asks again until the answer has this status: what was let go takes a moment to be noticed. */
const eventually = async (ask: () => Promise<Answer>, status: number): Promise<Answer> => {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await ask()
    if (answer.status === status) return answer
    await pause(50)
  }
  return ok(await ask(), status)
}

const assertRetryAfter = (answer: Answer): void => {
  const header = answer.headers.get("retry-after")
  assert.match(String(header), /^[1-9][0-9]*$/)
  assert.strictEqual(answer.body.retry_after, Number(header))
}

const gauge = async (running: Steered, name: string): Promise<number> => {
  const { body } = ok(await send(running, { method: "GET", path: "/metrics" }), 200)
  return Number(new RegExp(`^${name} ([0-9.e+]+)$`, "m").exec(body)?.[1])
}

describe("requests in flight", () => {
  it("beyond the limit get 503, unsigned ones are answered, and slots come back", () =>
    using(steered({ limits: { inFlightMax: 2 } }), async (small) => {
      const inbox = { method: "GET", path: "/conversations" }
      small.hold()
      const held = [1, 2].map((n) => call(small, alice, waiting(10, dm(alice, bob, { content: `${n}` }))))
      const refused = await eventually(() => call(small, carol, inbox), 503)
      assertRefused(refused, 503, overloaded("in-flight"))
      assertRetryAfter(refused)
      assertRefused(await call(small, carol, dm(carol, bob, { content: "x" })), 503, overloaded("in-flight"))
      for (const path of ["/healthz", "/node", "/metrics", "/openapi.json", "/docs"]) {
        ok(await send(small, { method: "GET", path }), 200)
      }
      small.release()
      for (const each of held) ok(await each, 201)
      ok(await call(small, carol, inbox), 200)
      // callers who hang up, in the middle of a body or while they wait, leave nothing behind
      small.hold()
      const lines = Object.entries(headersOf(small, alice, dm(alice, bob, { content: "x" }))).map(([k, v]) =>
        `${k}: ${v}`
      )
      const { hostname, port } = new URL(small.url)
      const half = connect({ host: hostname, port: Number(port) })
      half.write(
        `POST /dialogs/${bob.address}/messages HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\n` +
          `Content-Length: 50\r\n${lines.join("\r\n")}\r\n\r\n{"cont`
      )
      const request = waiting(10, dm(alice, bob, { content: "y" }))
      const controller = new AbortController()
      const aborted = fetch(small.url + request.path, {
        method: "POST",
        headers: { ...headersOf(small, alice, request), Prefer: "wait=10", "Content-Type": "application/json" },
        body: JSON.stringify(request.body),
        signal: controller.signal
      }).then(() => "answered", () => "aborted")
      await eventually(() => call(small, carol, inbox), 503)
      half.destroy()
      controller.abort()
      assert.strictEqual(await aborted, "aborted")
      await eventually(() => call(small, carol, inbox), 200)
      small.release()
      // what was accepted before its caller hung up is kept
      const message = { method: "GET", path: `/dialogs/${bob.address}/messages/${request.digest}` }
      ok(await eventually(() => call(small, alice, message), 200), 200)
      assert.strictEqual(await gauge(small, "p2p_mes_http_in_flight"), 0)
    }))
})

describe("requests of one user", () => {
  it("beyond her rate get 429, others go on, and her tokens come back", () => {
    const now = 1_900_000_000_000
    const limits = { userRequestsBurst: 3, userRequestsPerSecond: 0.5 }
    return using(steered({ atMs: now, limits }), async (strict) => {
      let ts = now
      const inbox = () => ({ method: "GET", path: "/conversations", ts: ++ts })
      const first = dm(alice, bob, { content: "first" }, ++ts)
      const answered = ok(await call(strict, alice, first), 202)
      ok(await call(strict, alice, inbox()), 200)
      ok(await call(strict, alice, inbox()), 200)
      for (const request of [inbox(), dm(alice, bob, { content: "x" }, ++ts)]) {
        const answer = await call(strict, alice, request)
        assertRefused(answer, 429, { _tag: "RateLimited" })
        assertRetryAfter(answer)
        assert.strictEqual(answer.body.retry_after, 2)
      }
      // a repeated write is no new one
      assert.deepStrictEqual((await call(strict, alice, first)).body, answered.body)
      ok(await call(strict, bob, inbox()), 200)
      // nobody spends the tokens of another
      for (let n = 0; n < 5; n++) {
        const forged = { ...headersOf(strict, carol, inbox()), "X-User": bob.address, "X-Ts": String(++ts) }
        assertRefused(await send(strict, inbox(), forged), 401, unauthenticated("bad-signature"))
      }
      ok(await call(strict, bob, inbox()), 200)
      // what was refused was not used up: the same signature works later
      const again = inbox()
      assertRefused(await call(strict, alice, again), 429, { _tag: "RateLimited" })
      strict.clock.atMs = now + 2_000
      ok(await call(strict, alice, again), 200)
      assertRefused(await call(strict, alice, inbox()), 429, { _tag: "RateLimited" })
    })
  })
})

describe("a full queue", () => {
  it("refuses writes of every kind with 503, answers reads, and takes up again", () =>
    using(steered({ limits: { queueRecordsMax: 4 } }), async (small) => {
      const { chatId, create } = newGroup(small, alice, 1, { targets: [bob.address] })
      const known = ok(await call(small, alice, waiting(10, create)), 201)
      const other = ok(await call(small, bob, waiting(10, dm(bob, bob, { content: "note" }))), 201)
      small.hold()
      const taken = [1, 2, 3, 4].map((n) => dm(alice, carol, { content: `${n}` }))
      for (const each of taken) ok(await call(small, alice, each), 202)
      const refused: ReadonlyArray<readonly [typeof alice, Call]> = [
        [carol, dm(carol, bob, { content: "x" })],
        [bob, groupMessage(bob, chatId, { content: "x" })],
        [alice, op(small, alice, chatId, { op: "set-title", title: "x" })],
        [bob, mark(bob, chatId, `/groups/${chatId}/messages`, known.body.hlc)],
        [carol, identity(carol, "AQ==")]
      ]
      const headers = refused.map(([who, request]) => headersOf(small, who, request))
      for (const [i, [, request]] of refused.entries()) {
        const answer = await send(small, request, headers[i])
        assertRefused(answer, 503, overloaded("queue"), request.path)
        assertRetryAfter(answer)
      }
      // reads of what is not waiting go on, and so do repeats of what was accepted
      assert.strictEqual(
        ok(await call(small, bob, { method: "GET", path: `/dialogs/${bob.address}/messages` }), 200).body.messages[0]
          .msg_id,
        other.body.msg_id
      )
      ok(await call(small, bob, { method: "GET", path: `/groups/${chatId}/members` }), 200)
      ok(await call(small, bob, { method: "GET", path: "/conversations" }), 200)
      ok(await call(small, alice, taken[0]!), 202)
      assert.strictEqual(await gauge(small, "p2p_mes_writer_queued"), 4)
      small.release()
      const history = ok(await call(small, carol, { method: "GET", path: `/dialogs/${alice.address}/messages` }), 200)
      assert.deepStrictEqual(history.body.messages.map((each: { content: string }) => each.content), [
        "4",
        "3",
        "2",
        "1"
      ])
      // the very same calls work now: nothing of them was kept
      for (const [i, [, request]] of refused.entries()) {
        await eventually(() => send(small, request, headers[i]), 202)
      }
    }))
})

describe("Prefer: wait", () => {
  it("201 once it is committed, 202 when that does not come in time", async () => {
    const running = node()
    const committed = await call(running, alice, waiting(5, dm(alice, bob, { content: "1" })))
    ok(committed, 201)
    assert.strictEqual(committed.headers.get("preference-applied"), "wait=5")
    running.hold()
    const request = dm(alice, bob, { content: "2" })
    const late = await call(running, alice, waiting(1, request))
    ok(late, 202)
    running.release()
    // waiting on the repeat of a write tells when that is on disk
    const repeated = await call(running, alice, waiting(10, request))
    ok(repeated, 201)
    assert.deepStrictEqual(repeated.body, late.body)
  })

  it("is capped, and what is no number of seconds is not asked for", async () => {
    const asked: ReadonlyArray<readonly [string, number, string | null]> = [
      ["wait=0", 202, null],
      ["wait=99999", 201, "wait=10"],
      ["wait=999999999999999", 202, null],
      ["wait=11", 201, "wait=10"],
      ["wait=10", 201, "wait=10"],
      ["WAIT=3", 201, "wait=3"],
      ["wait=\"3\"", 201, "wait=3"],
      ["respond-async, wait=3", 201, "wait=3"],
      ["return=minimal;wait=9", 202, null],
      ["wait", 202, null],
      ["wait=", 202, null],
      ["wait=-1", 202, null],
      ["wait=1.5", 202, null],
      ["wait=abc", 202, null],
      ["waiting=5", 202, null],
      [",;=,", 202, null],
      ["x".repeat(8_000), 202, null]
    ]
    for (const [prefer, status, applied] of asked) {
      const answer = await call(node(), alice, waiting(prefer, dm(alice, bob, { content: prefer })))
      assert.strictEqual(answer.status, status, `${prefer.slice(0, 40)} ${JSON.stringify(answer.body)}`)
      assert.strictEqual(answer.headers.get("preference-applied"), applied, prefer.slice(0, 40))
    }
  })
})

describe("a writer sees her own writes before they are on disk", () => {
  /** What `ask` is told while nothing is committed: it may wait, and goes on when the disk does. */
  const whileHeld = async (write: () => Promise<void>, ask: () => Promise<Answer>): Promise<Answer> => {
    node().hold()
    await write()
    const answer = ask()
    await Promise.race([answer, pause(100)])
    node().release()
    return await answer
  }
  const get = (who: typeof alice, path: string) => () => call(node(), who, { method: "GET", path })

  it("create, then send, then read; also by those who were just added", async () => {
    const { chatId, create } = newGroup(node(), alice, 2, { targets: [bob.address] })
    const history = await whileHeld(async () => {
      ok(await call(node(), alice, create), 202)
      ok(await call(node(), alice, groupMessage(alice, chatId, { content: "1" })), 202)
      ok(await call(node(), bob, groupMessage(bob, chatId, { content: "2" })), 202)
      ok(await call(node(), alice, op(node(), alice, chatId, { op: "add", targets: [carol.address] })), 202)
      ok(await call(node(), carol, groupMessage(carol, chatId, { content: "3" })), 202)
      ok(await call(node(), alice, op(node(), alice, chatId, { op: "remove", targets: [bob.address] })), 202)
      assertRefused(await call(node(), bob, groupMessage(bob, chatId, { content: "4" })), 403, { _tag: "Forbidden" })
      const { members } = ok(await call(node(), carol, { method: "GET", path: `/groups/${chatId}/members` }), 200).body
      assert.lengthOf(members, 2)
    }, get(carol, `/groups/${chatId}/messages`))
    assert.deepStrictEqual(ok(history, 200).body.messages.map((each: { content: string }) => each.content), [
      "3",
      "2",
      "1"
    ])
  })

  it("send, then read: the history, the message, the inbox of both", async () => {
    const erin = user(7)
    const path = `/dialogs/${erin.address}/messages`
    const write = (content: string, request = dm(alice, erin, { content })) => async () => {
      ok(await call(node(), alice, request), 202)
    }
    const history = ok(await whileHeld(write("1"), get(alice, path)), 200)
    assert.strictEqual(history.body.messages[0].content, "1")
    const request = dm(alice, erin, { content: "2" })
    const message = ok(await whileHeld(write("2", request), get(alice, `${path}/${request.digest}`)), 200)
    assert.strictEqual(message.body.content, "2")
    const mine = ok(await whileHeld(write("3"), get(alice, "/conversations?limit=1")), 200)
    assert.strictEqual(mine.body.conversations[0].newest.content, "3")
    const hers = ok(await whileHeld(write("4"), get(erin, "/conversations")), 200)
    assert.deepStrictEqual([hers.body.conversations[0].newest.content, hers.body.conversations[0].unread], ["4", 4])
  })

  it("identity and read mark, then get", async () => {
    const frank = user(8)
    const put = async () => void ok(await call(node(), frank, identity(frank, "AQID")), 202)
    assert.strictEqual(ok(await whileHeld(put, get(alice, `/identity/${frank.address}`)), 200).body.identity, "AQID")
    const sent = ok(await call(node(), alice, dm(alice, frank, { content: "x" }, freshTs())), 202).body
    const read = async () =>
      void ok(
        await call(node(), frank, mark(frank, sent.chat_id.slice(2), `/dialogs/${alice.address}/messages`, sent.hlc)),
        202
      )
    const inbox = ok(await whileHeld(read, get(frank, "/conversations")), 200)
    assert.strictEqual(inbox.body.conversations[0].unread, 0)
  })
})
