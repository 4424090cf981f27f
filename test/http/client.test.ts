/**
 * The client against a scripted node: what it signs, when it signs again, and that it never writes twice
 * (SPEC §3, §8; FAILURES 8).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Result, Stream } from "effect"
import { HttpClient, HttpClientError } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { TestClock } from "effect/testing"
import { NodeApi } from "../../src/api/index.ts"
import { Chat, Entropy, NodeClient, Signer } from "../../src/client/index.ts"
import * as Signing from "../../src/client/signing.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import type * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { noble as hashes } from "../../src/layers/crypto/hashes.ts"
import vectors from "../vectors/shared.json" with { type: "json" }
import * as Scripted from "./scripted-node.ts"

const address = (hex: string) => Result.getOrThrow(Ids.parseAddress(hex))
const [a, b] = vectors.keys.map((key) => address(key.address)) as [Ids.Address, Ids.Address]
const [keyA, keyB] = vectors.keys.map((key) => key.private_key) as [string, string]
const signerA = Result.getOrThrow(Signer.fromPrivateKey(keyA))
const toB = Chat.dm(b)
const entropy = Layer.succeed(Entropy, { bytes: (length) => Effect.succeed(Uint8Array.from({ length }, (_, i) => i)) })

/** Runs a call to its end, moving the test clock whenever it sleeps: at most `seconds`. */
const settle = <A, E, R>(effect: Effect.Effect<A, E, R>, seconds = 120) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    for (let i = 0; i < seconds * 2 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("500 millis")
    return yield* Fiber.join(fiber)
  })

const start = Effect.fnUntraced(function*(options: Partial<NodeClient.NodeClientOptions> = {}) {
  yield* TestClock.setTime(vectors.ts)
  const { http, node } = Scripted.make()
  const another = NodeClient.make({ url: "http://node:1/", signer: signerA, ...options }).pipe(
    Effect.provide(entropy),
    Effect.provideService(HttpClient.HttpClient, http)
  )
  return { another, client: yield* another, node }
})

const isSend = (seen: { readonly method: string; readonly target: string }) =>
  seen.method === "POST" && seen.target.endsWith("/messages")

describe("signatures", () => {
  const texts = [...vectors.messages, vectors.op, vectors.identity, vectors.request, { ...vectors.read, key: keyB }]

  for (const vector of texts) {
    it.effect(`v${vector.sig_version} of ${vector.string_to_sign.split("\n")[1]}`, () =>
      Effect.gen(function*() {
        const version = vector.sig_version as 1 | 2
        const signer = Result.getOrThrow(Signer.fromPrivateKey("key" in vector ? vector.key : keyA, { version }))
        assert.strictEqual(Bytes.toHex(yield* signer.sign(vector.string_to_sign)), vector.signature)
      }))
  }

  it.effect("cover the path and query as sent, and go in headers", () =>
    Effect.gen(function*() {
      let headers: { readonly [name: string]: string | undefined } = {}
      const http = HttpClient.make((request) => {
        headers = request.headers
        return Effect.fail(
          new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request }) })
        )
      })
      const api = yield* HttpApiClient.make(NodeApi, { baseUrl: "http://node:1" }).pipe(
        Effect.provide(Signing.layer(signerA)),
        Effect.provideService(HttpClient.HttpClient, http)
      )
      const attempt: Signing.Attempt = { node: vectors.node as Ids.NodeId, ts: vectors.ts }
      yield* api.conversations({ query: { limit: 10 } }).pipe(
        Effect.provideService(Signing.CurrentAttempt, attempt),
        Effect.ignore
      )
      assert.deepInclude(headers, {
        "x-user": `0x${a}`,
        "x-ts": String(vectors.ts),
        "x-node": vectors.node,
        "x-sig": vectors.request.signature,
        "x-sig-version": "1"
      })
    }))

  it.effect("cover the id of the record that a write creates", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      const sent = yield* client.send(toB, "héllo")
      assert.strictEqual(`0x${sent.msg_id}`, vectors.messages[0]!.msg_id)
      assert.strictEqual(`0x${sent.chat_id}`, vectors.dm_chat_id.out)
      assert.isFalse(sent.committed)

      yield* TestClock.setTime(vectors.ts + 10)
      const identity = yield* client.identity.set(Uint8Array.of(1, 2, 3), { wait: 5 })
      assert.isTrue(identity.committed)
      assert.strictEqual(node.seen.at(-1)!.headers["prefer"], "wait=5")
      assert.strictEqual(
        identity.identity_id,
        Ids.identityId(hashes, { address: a, ts: vectors.ts + 10, blob: Uint8Array.of(1, 2, 3) })
      )

      // targets in any order, twice, and with the creator: the node recomputes the id from what was sent
      const group = yield* client.groups.create([b, a, b], { title: "plan" })
      assert.strictEqual(`0x${group.chat_id}`, vectors.group_chat_id.out)
      assert.deepStrictEqual(node.seen.at(-1)!.body, {
        op: "create",
        targets: [`0x${b}`],
        title: "plan",
        nonce: vectors.group_chat_id.nonce
      })
      yield* client.groups.add(group.chat_id, [b, a], { role: "admin" })
      assert.deepStrictEqual(node.seen.at(-1)!.body["targets"], [b, a].sort().map((x) => `0x${x}`))
      yield* client.groups.remove(group.chat_id, [b])
      yield* client.groups.setTitle(group.chat_id, "")
      yield* client.groups.leave(group.chat_id)
      yield* client.markRead(toB, BigInt(`0x${vectors.read.up_to}`) as Hlc.Hlc)
      yield* client.send(toB, { content: "", msg_type: 200, control: Uint8Array.of(0, 255) })
      assert.strictEqual(node.introductions, 1)
    }))

  it.effect("of version 2 come from a wallet, whose account is checked", () =>
    Effect.gen(function*() {
      const key = Result.getOrThrow(Signer.fromPrivateKey(keyA, { version: 2 }))
      let [asked, offset] = ["", 0]
      const personalSign = (text: string) => {
        asked = text
        return Effect.runPromise(Effect.map(key.sign(text), (sig) => {
          sig[64]! -= offset
          return `0x${Bytes.toHex(sig)}`
        }))
      }
      const wallet = Result.getOrThrow(Signer.fromWallet({ address: `0x${a.toUpperCase()}`, personalSign }))
      const vector = vectors.messages[1]!
      assert.strictEqual(Bytes.toHex(yield* wallet.sign(vector.string_to_sign)), vector.signature)
      assert.strictEqual(asked, vector.string_to_sign)
      offset = 27 // some wallets write 0 and 1
      assert.strictEqual(Bytes.toHex(yield* wallet.sign(vector.string_to_sign)), vector.signature)

      const other = Result.getOrThrow(Signer.fromWallet({ address: b, personalSign }))
      const { client, node } = yield* start({ signer: other })
      const error = yield* Effect.flip(client.send(toB, "x"))
      assert.strictEqual(error._tag, "SignerError")
      assert.match(error.message, /another account/)
      assert.strictEqual(node.seen.length, 0)
    }))

  it("take only private keys", () => {
    for (const key of ["", "0x11", "zz".repeat(32), "00".repeat(32), "ff".repeat(32)]) {
      assert.isTrue(Result.isFailure(Signer.fromPrivateKey(key)), key)
    }
    assert.isTrue(Result.isFailure(Signer.fromPrivateKey(new Uint8Array(31).fill(1))))
    assert.strictEqual(signerA.address, a)
    assert.notInclude(JSON.stringify(signerA), "1111")
  })
})

describe("times", () => {
  it.effect("never repeat and never go back, many calls in one millisecond", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      yield* Effect.all(Array.from({ length: 20 }, () => client.send(toB, "same text")), { concurrency: 5 })
      const times = node.seen.map((seen) => Number(seen.headers["x-ts"]))
      assert.strictEqual(node.messages.size, 20)
      assert.strictEqual(new Set(times).size, 20)
      assert.isTrue(times.every((ts) => ts >= vectors.ts && ts < vectors.ts + 20))
      assert.strictEqual(node.introductions, 1)
    }))

  for (const skewMs of [3_600_000, -3_600_000, 30_001, -30_001]) {
    it.effect(`8: a clock that is ${skewMs} ms off is corrected by the node's, and the call signed again once`, () =>
      Effect.gen(function*() {
        const { client, node } = yield* start()
        node.skewMs = skewMs
        const sent = yield* client.send(toB, "late")
        assert.strictEqual(node.seen.length, 2)
        assert.strictEqual(node.messages.size, 1)
        assert.isTrue(node.messages.has(sent.msg_id))
        assert.strictEqual(yield* client.clockOffsetMs, skewMs)
        yield* client.send(toB, "next")
        assert.strictEqual(node.seen.length, 3)
      }))
  }

  it.effect("8: a clock that cannot be corrected is a clear failure, not a loop", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      node.fault = (seen) => {
        if (isSend(seen)) node.skewMs += 3_600_000
        return undefined
      }
      const error = yield* Effect.flip(client.send(toB, "x"))
      assert.deepInclude(error, { _tag: "Unauthenticated", reason: "expired" })
      assert.strictEqual(node.seen.length, 2)
    }))

  it.effect("are renewed when another process of this user signed the same", () =>
    Effect.gen(function*() {
      const { another, client, node } = yield* start()
      yield* client.conversations()
      // another client with the same key at the same time: its first signature is known to the node
      yield* (yield* another).conversations()
      assert.strictEqual(node.seen.length, 3)
      assert.strictEqual(node.seen[0]!.headers["x-sig"], node.seen[1]!.headers["x-sig"])
    }))
})

describe("the node", () => {
  it.effect("must prove its id before anything is signed", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      node.lie = true
      assert.strictEqual((yield* Effect.flip(client.send(toB, "x")))._tag, "NodeUnproven")
      node.lie = false
      yield* client.send(toB, "x")
      assert.strictEqual(node.seen.length, 1)
    }))

  it.effect("may change where nobody pinned it, and is proven anew", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      yield* client.send(toB, "1")
      node.rekey(8)
      yield* client.send(toB, "2")
      assert.strictEqual(node.introductions, 2)
      assert.strictEqual(node.messages.size, 2)
      node.rekey(9)
      node.lie = true
      assert.strictEqual((yield* Effect.flip(client.send(toB, "3")))._tag, "NodeUnproven")
    }))

  it.effect("may not change where it is pinned", () =>
    Effect.gen(function*() {
      const { id } = Scripted.make().node
      const { client, node } = yield* start({ pin: id })
      yield* client.send(toB, "1")
      node.rekey(8)
      assert.deepInclude(yield* Effect.flip(client.send(toB, "2")), {
        _tag: "NodeChanged",
        expected: id,
        actual: node.id
      })
      assert.deepInclude(yield* Effect.flip(client.node), { _tag: "NodeChanged", expected: id, actual: node.id })
      assert.strictEqual(node.messages.size, 1)
    }))

  it.effect("is unreachable, said so with its address", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      node.fault = () => "lose-request"
      const error = yield* settle(Effect.flip(client.conversations()))
      assert.strictEqual(error._tag, "NodeUnreachable")
      assert.match(error.message, /http:\/\/node:1: connection reset/)
    }))

  it.effect("that is busy is waited for, a few times", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      const busy = (retry_after: number) => ({
        status: 503,
        body: { _tag: "Overloaded", message: "busy", reason: "queue", retry_after }
      })
      let left = 2
      node.fault = (seen) => isSend(seen) && left-- > 0 ? busy(2) : undefined
      yield* settle(client.send(toB, "patient"))
      const times = node.seen.map((seen) => Number(seen.headers["x-ts"]))
      assert.strictEqual(times.length, 3)
      assert.isTrue(times[2]! - times[0]! >= 4000, String(times))

      left = 100
      const error = yield* settle(Effect.flip(client.send(toB, "give up")))
      assert.deepInclude(error, { _tag: "Overloaded", reason: "queue" })
      assert.strictEqual(node.seen.length, 3 + 4)
      node.fault = () => busy(3600)
      assert.strictEqual((yield* Effect.flip(client.conversations()))._tag, "Overloaded")
      assert.strictEqual(node.seen.length, 3 + 4 + 1)
    }))
})

describe("values", () => {
  it.effect("that no node would take are refused before they are signed", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      for (const message of ["x".repeat(32 * 1024 + 1), "\ud800", { content: "x", msg_type: 256 }]) {
        const error = yield* Effect.flip(client.send(toB, message))
        const field = typeof message === "string" ? "content" : "msg_type"
        assert.deepInclude(error, { _tag: "InvalidRequest", field })
        assert.match(error.message, new RegExp(`^${field}: [^\\n]+$`))
      }
      assert.strictEqual((yield* Effect.flip(client.identity.set(new Uint8Array(129))))._tag, "InvalidRequest")
      assert.strictEqual(node.seen.length, 0)
    }))

  it.effect("come in pages, and all of them as a stream", () =>
    Effect.gen(function*() {
      const { client, node } = yield* start()
      for (let i = 0; i < 7; i++) yield* client.send(toB, `m${i}`)
      node.seen.length = 0
      const all = yield* Stream.runCollect(client.historyAll(toB, { limit: 3 }))
      assert.deepStrictEqual(all.map((m) => m.content), ["m6", "m5", "m4", "m3", "m2", "m1", "m0"])
      assert.deepStrictEqual(node.seen.map((seen) => seen.target.split("?")[1]), [
        "limit=3",
        "limit=3&before=3",
        "limit=3&before=6"
      ])
      node.seen.length = 0
      assert.strictEqual(
        (yield* Stream.runCollect(client.historyAll(toB, { limit: 3 }).pipe(Stream.take(2)))).length,
        2
      )
      assert.strictEqual(node.seen.length, 1)
      const error = yield* Effect.flip(client.message(toB, "0".repeat(64) as Ids.MessageId))
      assert.strictEqual(error._tag, "NotFound")
    }))

  it("name a chat by an address or a group id", () => {
    assert.deepStrictEqual(Chat.parse(`0x${b.toUpperCase()}`), Result.succeed(toB))
    assert.deepStrictEqual(Chat.parse("1f".repeat(32)), Result.succeed(Chat.group("1f".repeat(32) as Ids.ChatId)))
    for (const bad of ["", "0x12", `0x${"g".repeat(40)}`, "bob"]) assert.isTrue(Result.isFailure(Chat.parse(bad)), bad)
  })
})
