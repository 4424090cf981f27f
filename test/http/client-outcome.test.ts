/**
 * Writes whose answer is lost (SPEC §8): the client finds out what became of them, and never writes twice.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Result } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Chat, Entropy, NodeClient, Signer } from "../../src/client/index.ts"
import type * as Ids from "../../src/domain/ids.ts"
import * as Scripted from "./scripted-node.ts"

const begin = 1_700_000_000_000
const signer = Result.getOrThrow(Signer.fromPrivateKey("11".repeat(32)))
const peer = "22".repeat(20) as Ids.Address
const chat = Chat.dm(peer)
const entropy = Layer.succeed(Entropy, { bytes: (length) => Effect.succeed(new Uint8Array(length).fill(5)) })

const start = Effect.fnUntraced(function*(options: Partial<NodeClient.NodeClientOptions> = {}) {
  yield* TestClock.setTime(begin)
  const { http, node } = Scripted.make()
  const second = Scripted.make()
  second.node.rekey(20)
  const both = HttpClient.make((request, url) => (url.host === "second" ? second.http : http).execute(request))
  const client = yield* NodeClient.make({ url: "http://first", signer, ...options }).pipe(
    Effect.provide(entropy),
    Effect.provideService(HttpClient.HttpClient, both)
  )
  // the handshake is no part of what is lost
  yield* client.conversations()
  node.seen.length = 0
  return { client, node, second: second.node }
})

/** The end of a call, and the test seconds that it took: at most 300. */
const settled = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    let halves = 0
    for (; halves < 600 && fiber.pollUnsafe() === undefined; halves++) yield* TestClock.adjust("500 millis")
    const exit = yield* Fiber.await(fiber)
    return { result: yield* Effect.result(exit), seconds: halves / 2 }
  })

const succeeded = <A, E>({ result }: { readonly result: Result.Result<A, E> }): A => Result.getOrThrow(result)
const isSend = (seen: { readonly method: string }) => seen.method === "POST"
const isLook = (seen: { readonly target: string }) => /\/messages\/0x/.test(seen.target)
const signatures = (node: Scripted.ScriptedNode) => node.seen.filter(isSend).map((seen) => seen.headers["x-sig"])

describe("a write without an answer", () => {
  it.effect("is sent again as it was, and gets its first answer", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      let lost = 0
      node.fault = (seen) => isSend(seen) && lost++ < 2 ? "lose-answer" : undefined
      const sent = succeeded(yield* settled(client.send(chat, "once")))
      assert.strictEqual(node.messages.size, 1)
      assert.isTrue(node.messages.has(sent.msg_id))
      assert.strictEqual(new Set(signatures(node)).size, 1)
      assert.strictEqual(signatures(node).length, 3)
      assert.isFalse(node.seen.some(isLook))
    }))

  it.effect("of any kind is sent again as it was", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      const seen: Array<string | undefined> = []
      let lost = false
      node.fault = (it) => {
        seen.push(it.headers["x-sig"])
        lost = !lost
        return lost ? "lose-answer" : undefined
      }
      const group = succeeded(yield* settled(client.groups.create([peer], { title: "t" })))
      succeeded(yield* settled(client.groups.add(group.chat_id, [peer])))
      succeeded(yield* settled(client.identity.set(Uint8Array.of(1))))
      succeeded(yield* settled(client.markRead(chat, group.hlc)))
      assert.strictEqual(seen.length, 8)
      assert.strictEqual(new Set(seen).size, 4)
    }))

  it.effect("does not ask a wallet again to be sent again", () =>
    Effect.gen(function*() {
      let asked = 0
      const wallet: Signer.Signer = {
        ...signer,
        sign: (text) => Effect.andThen(Effect.sync(() => asked++), signer.sign(text))
      }
      const { client, node } = yield* start({ signer: wallet })
      asked = 0
      node.fault = () => signatures(node).length < 2 ? "lose-answer" : undefined
      succeeded(yield* settled(client.send(chat, "once")))
      assert.deepStrictEqual([asked, signatures(node).length], [1, 3])
    }))

  it.effect("that is too old to send again is asked for by its id, and not signed anew when it is there", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start({ timeoutMs: 26_000 })
      node.fault = (seen) => isSend(seen) ? "lose-answer-silently" : undefined
      const sent = succeeded(yield* settled(client.send(chat, "slow")))
      assert.deepStrictEqual([...node.messages.keys()], [sent.msg_id])
      assert.deepStrictEqual(node.seen.map((seen) => [isSend(seen), isLook(seen)]), [[true, false], [false, true]])
    }))

  it.effect("that the node does not have, and can no longer take, is signed anew", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start({ timeoutMs: 26_000, busyWaitMsMax: 60_000 })
      let lost = 0
      node.fault = (seen) => isSend(seen) && lost++ === 0 ? "lose-request-silently" : undefined
      const call = yield* settled(client.send(chat, "again"))
      assert.deepStrictEqual([...node.messages.keys()], [succeeded(call).msg_id])
      // its absence counts only when no node takes the lost request, and others have brought back what had gone out
      assert.isAbove(call.seconds, 64)
      const [look, second, send] = node.seen
      assert.deepStrictEqual([isLook(look!), isLook(second!), isSend(send!)], [true, true, true])
      assert.isAtLeast(Number(second!.headers["x-ts"]), begin + 65_000)
    }))

  it.effect("that no sending brings through is unknown, with its id, while the node might still take it", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      node.fault = (seen) => isSend(seen) ? "lose-request" : undefined
      const { result, seconds } = yield* settled(client.send(chat, "never"))
      const error = Result.getOrThrow(Result.flip(result))
      assert.deepInclude(error, { _tag: "OutcomeUnknown", kind: "message", ts: begin + 1 })
      assert.match(error.message, /connection reset/)
      assert.isBelow(seconds, 10)
      assert.strictEqual(node.messages.size, 0)
    }))

  it.effect("is found at another node", () =>
    Effect.gen(function*() {
      const { client, node, second } = yield* start({ alternates: ["http://second"] })
      node.fault = (seen) => {
        // the node takes it, replicates it and dies
        if (!isSend(seen)) return "lose-request"
        return "lose-answer"
      }
      const fiber = yield* Effect.forkChild(settled(client.send(chat, "replicated")))
      for (let i = 0; i < 100 && node.messages.size === 0; i++) yield* Effect.yieldNow
      for (const [id, message] of node.messages) second.messages.set(id, message)
      const sent = succeeded(yield* Fiber.join(fiber))
      assert.deepStrictEqual([...second.messages.keys()], [sent.msg_id])
      assert.strictEqual(second.introductions, 1)
      assert.isTrue(second.seen.every((seen) => seen.headers["x-node"] === second.id))
    }))

  it.effect("is not signed anew on the word of another node", () =>
    Effect.gen(function*() {
      const { client, node, second } = yield* start({ alternates: ["http://second"], timeoutMs: 40_000 })
      let isDown = false
      node.fault = (seen) => {
        if (isDown) return "lose-request"
        isDown = isSend(seen)
        return isDown ? "lose-answer-silently" : undefined
      }
      const error = Result.getOrThrow(Result.flip((yield* settled(client.send(chat, "lonely"))).result))
      assert.strictEqual(error._tag, "OutcomeUnknown")
      assert.deepStrictEqual([...node.messages.keys()], error._tag === "OutcomeUnknown" ? [error.id] : [])
      assert.isTrue(second.seen.length > 0 && second.seen.every(isLook))
    }))

  it.effect("is not taken for old by the clock of another node", () =>
    Effect.gen(function*() {
      const { client, node, second } = yield* start({ alternates: ["http://second"] })
      const times = new Set<string | undefined>()
      node.fault = (seen) => {
        if (!isSend(seen)) return undefined
        times.add(seen.headers["x-ts"])
        return "lose-request"
      }
      const expired = { _tag: "Unauthenticated", message: "old", reason: "expired", time: begin + 60_000 }
      second.fault = (seen) =>
        Number(seen.headers["x-ts"]) < begin + 50_000 ? { status: 401, body: expired } : undefined
      const error = Result.getOrThrow(Result.flip((yield* settled(client.send(chat, "under way"))).result))
      assert.strictEqual(error._tag, "OutcomeUnknown")
      assert.strictEqual(times.size, 1)
      assert.isTrue(second.seen.some(isLook))
      assert.strictEqual(yield* client.clockOffsetMs, 0)
    }))

  describe("and whose node has restarted", () => {
    const body = { _tag: "Unauthenticated", message: "older than this node's start", reason: "replayed", time: begin }
    /** It is killed before it has stored the first write; what others then have of it comes back after the first look. */
    const restarts = (node: Scripted.ScriptedNode, brought: (id: string) => object | undefined = () => undefined) => {
      let sends = 0
      node.fault = (seen) => {
        if (isSend(seen)) return ++sends === 1 ? "lose-request" : sends === 2 ? { status: 401, body } : undefined
        const id = /\/messages\/0x(.*)$/.exec(seen.target)?.[1]
        const isFirst = !node.seen.some(isLook)
        const message = id === undefined || isFirst ? undefined : brought(id)
        return message === undefined ? undefined : { status: 200, body: message }
      }
    }

    it.effect("is unknown: that node may have passed it on before it died", () =>
      Effect.gen(function*() {
        const { client, node } = yield* start()
        restarts(node)
        const { result, seconds } = yield* settled(client.send(chat, "restarted"))
        assert.strictEqual(Result.getOrThrow(Result.flip(result))._tag, "OutcomeUnknown")
        assert.isBelow(seconds, 5)
        assert.deepStrictEqual(node.seen.map(isLook), [false, true])
        assert.strictEqual(node.messages.size, 0)
      }))

    it.effect("is found when the others have brought it back, by who waits for that", () =>
      Effect.gen(function*() {
        const { client, node } = yield* start({ busyWaitMsMax: 70_000 })
        const sent = { chat_id: `0x${Chat.idOf(chat, signer.address)}`, sender: `0x${signer.address}`, ts: begin + 1 }
        restarts(node, (id) => ({ ...sent, msg_id: `0x${id}`, hlc: "0".repeat(16), msg_type: 0, content: "restarted" }))
        const call = yield* settled(client.send(chat, "restarted"))
        assert.match(succeeded(call).msg_id, /^[0-9a-f]{64}$/)
        assert.deepStrictEqual(node.seen.map(isLook), [false, true, true])
        assert.strictEqual(node.messages.size, 0)
      }))

    it.effect("is signed anew by who waits, and hears that nobody had it", () =>
      Effect.gen(function*() {
        const { client, node } = yield* start({ busyWaitMsMax: 70_000 })
        restarts(node)
        const call = yield* settled(client.send(chat, "restarted"))
        assert.deepStrictEqual([...node.messages.keys()], [succeeded(call).msg_id])
        assert.isAbove(call.seconds, 60)
        assert.deepStrictEqual(node.seen.map(isLook), [false, true, true, false])
      }))
  })

  it.effect("is not signed anew on the word of a node that has come in the place of the first", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      let sends = 0
      node.fault = (seen) => {
        if (!isSend(seen) || ++sends > 1) return undefined
        // the first node took it; its messages are with another one now
        node.rekey(9)
        return "lose-request"
      }
      const { result } = yield* settled(client.send(chat, "moved"))
      assert.strictEqual(Result.getOrThrow(Result.flip(result))._tag, "OutcomeUnknown")
      assert.strictEqual(node.messages.size, 0)
      // the next write is for the new node
      succeeded(yield* settled(client.send(chat, "after")))
      assert.strictEqual(node.messages.size, 1)
    }))

  it.effect("keeps its signature when the node is then busy", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      let sends = 0
      const busy = { _tag: "Overloaded", message: "busy", reason: "in-flight", retry_after: 1 }
      node.fault = (seen) =>
        !isSend(seen) ? undefined : ++sends === 1 ? "lose-answer" : sends < 4 ? { status: 503, body: busy } : undefined
      const sent = succeeded(yield* settled(client.send(chat, "once")))
      assert.deepStrictEqual([...node.messages.keys()], [sent.msg_id])
      assert.strictEqual(signatures(node).length, 4)
      assert.strictEqual(new Set(signatures(node)).size, 1)
    }))

  it.effect("is lost too when a proxy answers for the node", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      let sends = 0
      node.fault = (seen) => isSend(seen) && ++sends === 1 ? { status: 502, body: "Bad Gateway" } : undefined
      succeeded(yield* settled(client.send(chat, "x")))
      assert.strictEqual(new Set(signatures(node)).size, 1)
      node.fault = () => ({ status: 403, body: "go away" })
      const { result } = yield* settled(client.send(chat, "y"))
      assert.deepInclude(Result.getOrThrow(Result.flip(result)), { _tag: "UnexpectedAnswer", status: 403 })
      assert.strictEqual(signatures(node).length, 3)
    }))

  it.effect("is never signed anew for an op, and always may be for what only says how things are", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      node.fault = (seen) => seen.method === "GET" ? undefined : "lose-request"
      const op = (yield* settled(client.groups.create([]))).result
      assert.deepInclude(Result.getOrThrow(Result.flip(op)), { _tag: "OutcomeUnknown", kind: "op" })

      const times = new Set<string | undefined>()
      node.fault = (seen) => {
        if (seen.method !== "PUT") return undefined
        times.add(seen.headers["x-ts"])
        return times.size === 1 ? "lose-request" : undefined
      }
      succeeded(yield* settled(client.identity.set(Uint8Array.of(1))))
      assert.strictEqual(times.size, 2)
    }))
})

describe("a read without an answer", () => {
  it.effect("is signed again, since the same one would be a replay", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      let lost = 0
      node.fault = () => lost++ < 2 ? "lose-answer" : undefined
      succeeded(yield* settled(client.conversations()))
      assert.strictEqual(new Set(node.seen.map((seen) => seen.headers["x-ts"])).size, 3)
    }))
})
