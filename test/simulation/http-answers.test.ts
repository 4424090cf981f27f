/** What the door of a simulated node gives is what a server sends, byte for byte, and no other answer passes for one. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import type { Hlc } from "../../src/domain/hlc.ts"
import { defaultIngestLimits } from "../../src/domain/limits.ts"
import * as UserSigning from "../../src/layers/crypto/user-signing.ts"
import { layer as layerServer } from "../../src/layers/http/server.ts"
import * as Answers from "../../src/testing/http/answers.ts"
import type { HttpAnswer, HttpAsk } from "../../src/testing/http/door.ts"
import { layerServices } from "../../src/testing/node.ts"
import * as Users from "../../src/testing/users.ts"
import { timeoutMs, world } from "./http-world.ts"

describe("answers outside the API", () => {
  const json = (status: number, body: unknown, headers: HttpAnswer["headers"] = {}): HttpAnswer => ({
    status,
    headers: { "content-type": "application/json", ...headers },
    body: new TextEncoder().encode(JSON.stringify(body))
  })
  const id = "ab".repeat(32)
  const taken = { identity_id: `0x${id}`, hlc: "018bcfe568000001" }
  const busy = { _tag: "Overloaded", message: "m", reason: "queue", retry_after: 2 }

  it.effect("are told from all others", () =>
    Effect.gen(function*() {
      const kindOf = (answer: HttpAnswer, waits = true) =>
        Effect.map(
          Answers.readWrite("users.setIdentity", answer, { id, waits }),
          (outcome) => outcome.kind === "broken" ? outcome.why : outcome.kind
        )
      assert.strictEqual(yield* kindOf(json(202, taken)), "accepted")
      assert.strictEqual(yield* kindOf(json(201, taken)), "accepted")
      assert.strictEqual(yield* kindOf(json(503, busy, { "retry-after": "2" })), "refused")
      for (
        const [answer, why] of [
          [{ status: 500, headers: {}, body: new Uint8Array() }, /a status that users.setIdentity does not have/],
          [json(500, {}), /a status/],
          [json(200, taken), /a status/],
          [json(404, { _tag: "NotFound", message: "m" }), /a status/],
          [json(202, { ...taken, more: 1 }), /more/],
          [json(202, { hlc: taken.hlc }), /identity_id/],
          [json(202, { ...taken, hlc: 7 }), /hlc/],
          [json(202, { ...taken, identity_id: `0x${"cd".repeat(32)}` }), /it took cdcd/],
          [{ ...json(202, taken), headers: { "content-type": "text/html" } }, /a body of type text\/html/],
          [{ ...json(202, taken), body: Uint8Array.of(123) }, /not JSON/],
          [{ ...json(202, taken), body: Uint8Array.of(255) }, /not UTF-8/],
          [json(503, busy), /retry-after undefined/],
          [json(503, { ...busy, reason: "sun" }, { "retry-after": "2" }), /reason/],
          [json(401, busy), /users.setIdentity: /]
        ] as const
      ) assert.match(yield* kindOf(answer), why)
      assert.match(yield* kindOf(json(201, taken), false), /nobody asked/)
    }))
})

describe("one seed", () => {
  it("signs the same with either library", () => {
    assert.isDefined(UserSigning.native, "libsecp256k1 does not load here: signing is ten times slower")
    for (let i = 1; i < 40; i++) {
      const [digest, key] = [new Uint8Array(32).fill(i * 5), new Uint8Array(32).fill(i)]
      assert.deepStrictEqual(UserSigning.native!(digest, key), UserSigning.noble(digest, key))
    }
  })

  it.effect("gives the same bytes", () =>
    Effect.gen(function*() {
      const run = (seed: number) =>
        Effect.gen(function*() {
          const { alice, ask, bob, cluster, create, dm, group, hashes, message, node, write } = yield* world({ seed })
          const answers: Array<HttpAnswer> = []
          for (const draft of [create(bob), message(alice, group, "a"), message(alice, dm(alice, bob), "b")]) {
            answers.push(yield* ask(yield* Users.requestOf(hashes, node.id, alice, draft, { wait: true })))
          }
          yield* write(bob, message(bob, dm(bob, alice), "c"))
          answers.push(yield* ask({ method: "GET", target: "/node" }))
          answers.push(yield* ask({ method: "GET", target: "/node/peers" }))
          return { answers, history: cluster.trace.hash }
        }).pipe(Effect.scoped)
      const first = yield* run(5)
      assert.deepStrictEqual(yield* run(5), first)
      assert.notStrictEqual((yield* run(6)).history, first.history)
    }), timeoutMs)
})

describe("a server on a socket", () => {
  it.live("gives the same answers", () =>
    Effect.gen(function*() {
      // both nodes have the key of seed 1
      const options = { host: "127.0.0.1", port: 0, network: "", limits: defaultIngestLimits }
      const server = yield* Layer.build(layerServer(options).pipe(Layer.provideMerge(layerServices(1))))
      const url = HttpServer.formatAddress(Context.get(server, HttpServer.HttpServer).address)
      const { alice, ask, bob, dm, group, hashes, message, node, read } = yield* world({ startMs: Date.now() })
      const signed = (draft: Users.Draft, options?: Users.WriteOptions) =>
        Users.requestOf(hashes, node.id, alice, draft, options)
      const good = yield* signed(message(alice, dm(alice, bob), "x"))
      const text = new TextEncoder()
      const requests: ReadonlyArray<HttpAsk> = [
        { method: "GET", target: "/healthz" },
        { method: "HEAD", target: "/healthz" },
        { method: "GET", target: "/healthz", headers: { accept: "text/html" } },
        {
          method: "OPTIONS",
          target: "/identity",
          headers: { origin: "http://a", "access-control-request-method": "PUT" }
        },
        { method: "PATCH", target: "/identity" },
        { method: "GET", target: "/nowhere?x=%20" },
        { method: "GET", target: "/dialogs//messages" },
        { method: "GET", target: "/node?challenge=zz" },
        { method: "GET", target: "/openapi.json" },
        { method: "GET", target: "/conversations" },
        { method: "GET", target: "/conversations", headers: { ...good.headers, "x-node": "someone" } },
        { ...good, headers: { ...good.headers, "content-type": "text/plain" } },
        { ...good, body: text.encode(`{"content":"x","content":"y"}`) },
        { ...good, body: text.encode(`{"content":"x","key":1}`) },
        { ...good, body: new Uint8Array(defaultIngestLimits.bodyBytesMax + 1) },
        { ...good, target: `/dialogs/0x12/messages` },
        { ...good, target: `${good.target}?x=1` },
        { ...good, body: text.encode(`{"content":"other"}`) },
        { ...good, method: "DELETE", target: `/groups/0x${group.chatId}/membership` },
        yield* signed(message(alice, group, "x")),
        yield* signed(read(alice, group, 1n as Hlc), { wait: true })
      ]
      const own = new Set(["connection", "date", "keep-alive", "transfer-encoding"])
      for (const request of requests) {
        const { body, headers = {}, method, target } = request
        const given = yield* Effect.promise(async () => {
          const response = await fetch(`${url}${target}`, {
            method,
            headers,
            ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> })
          })
          return {
            status: response.status,
            headers: Object.fromEntries([...response.headers].filter(([name]) => !own.has(name))),
            body: new Uint8Array(await response.arrayBuffer())
          }
        })
        const shown = ({ body, ...rest }: HttpAnswer) => ({ ...rest, body: new TextDecoder().decode(body) })
        assert.deepStrictEqual(shown(yield* ask(request)), shown(given), `${method} ${target}`)
      }
    }), timeoutMs)
})
