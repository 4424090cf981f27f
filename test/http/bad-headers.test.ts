/** The signature headers (SPEC §3): every shape, every refusal, and which of two faults is told. */
import { assert, describe, it } from "@effect/vitest"
import { peerIdFromString } from "@libp2p/peer-id"
import { Effect } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { Store } from "../../src/services/Store.ts"
import refusedSignatures from "../vectors/signature-headers.json" with { type: "json" }
import { call, dm, freshTs, groupMessage, headersOf, send, start, temporaryDirectory, user } from "./fixture.ts"
import {
  assertRefused,
  invalid,
  parseRaw,
  raw,
  shared,
  steered,
  unauthenticated,
  unhurried,
  using
} from "./steered-node.ts"

const [alice, bob] = [user(1), user(2)]
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

const node = shared(Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir, limits: unhurried })))

const inbox = { method: "GET", path: "/conversations" }
const headers = (call = inbox) => headersOf(node(), alice, call)

/** Asks for the inbox with some headers replaced. */
const ask = (replaced: { readonly [name: string]: string | undefined }) =>
  send(node(), inbox, { ...headers(), ...replaced })

const malformed = (field: string) => unauthenticated("malformed-header", field)

describe("shape of the signature headers", () => {
  it("each is needed, and an empty one is a missing one", async () => {
    for (const name of ["X-User", "X-Ts", "X-Node", "X-Sig"]) {
      assertRefused(await ask({ [name]: undefined }), 401, unauthenticated("missing-header", name), name)
      assertRefused(await ask({ [name]: "" }), 401, unauthenticated("missing-header", name), name)
    }
    assertRefused(
      await send(node(), dm(alice, bob, { content: "x" })),
      401,
      unauthenticated("missing-header", "X-User")
    )
  })

  it("X-User is 20 bytes in hex, in any case, with or without 0x", async () => {
    const { address } = alice
    for (const value of [address, address.toUpperCase(), `0x${address.toUpperCase()}`, `0X${address}`]) {
      assert.strictEqual((await ask({ "X-User": value })).status, 200, value)
    }
    const wrong = [address.slice(1), `0x${address.slice(1)}`, `${address}0`, `${address}00`, `0x0x${address}`]
    for (const value of [...wrong, "0x", "alice", `${address.slice(1)}g`, `${address.slice(2)} 0`]) {
      assertRefused(await ask({ "X-User": value }), 401, malformed("X-User"), value)
    }
  })

  it("X-Ts is a plain number below 2^48", async () => {
    const wrong = [
      "0",
      "01",
      "-1",
      "+1",
      "1.5",
      "1e3",
      "0x10",
      "NaN",
      "Infinity",
      "1 2",
      "١",
      `${2 ** 48}`,
      "9".repeat(40)
    ]
    for (const value of wrong) {
      assertRefused(
        await ask({ "X-Ts": encodeURI(value).includes("%") ? "%D9%A1" : value }),
        401,
        malformed("X-Ts"),
        value
      )
    }
    for (const value of [`${2 ** 48 - 1}`, "1"]) {
      assertRefused(await ask({ "X-Ts": value }), 401, unauthenticated("expired"), value)
    }
  })

  it("X-Node is a node id in the text that printing it gives", async () => {
    const { id } = node()
    const cid = peerIdFromString(id).toCID().toString()
    const wrong = [cid, "garbage", "0OIl", `1${id}`, id.slice(1), id.slice(0, -1), "1".repeat(65), "Q".repeat(5_000)]
    for (const value of wrong) {
      assertRefused(await ask({ "X-Node": value }), 401, malformed("X-Node"), value)
    }
    // RSA, whose key is not in the id
    assertRefused(await ask({ "X-Node": "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N" }), 401, malformed("X-Node"))
  })

  it("X-Sig is 65 bytes in hex with r, s and v in range", async () => {
    const good = (value: (sig: string) => string) => {
      const all = headers()
      return send(node(), inbox, { ...all, "X-Sig": value(all["X-Sig"]!) })
    }
    const zeroOrOne = (sig: string) => `${sig.slice(0, 128)}0${Number.parseInt(sig.slice(128), 16) - 27}`
    for (const change of [(s: string) => `0x${s}`, (s: string) => s.toUpperCase(), zeroOrOne, (s: string) => s]) {
      const answer = await good(change)
      assert.strictEqual(answer.status, 200, JSON.stringify(answer.body))
    }
    const zero = "00".repeat(32)
    const n = order.toString(16)
    const wrong: ReadonlyArray<readonly [string, (sig: string) => string]> = [
      ["63 bytes", (s) => s.slice(0, 126)],
      ["64 bytes", (s) => s.slice(0, 128)],
      ["66 bytes", (s) => `${s}00`],
      ["an odd digit", (s) => s.slice(1)],
      ["an odd digit more", (s) => `${s}0`],
      ["no hex", (s) => `${s.slice(0, -1)}g`],
      ["r is zero", (s) => zero + s.slice(64)],
      ["s is zero", (s) => s.slice(0, 64) + zero + s.slice(128)],
      ["r is n", (s) => n + s.slice(64)],
      ["s is n", (s) => s.slice(0, 64) + n + s.slice(128)],
      ["r is the highest number", (s) => "ff".repeat(32) + s.slice(64)],
      [
        "s is high, v flipped: the other signature of the same key",
        (s) =>
          s.slice(0, 64) + (order - BigInt(`0x${s.slice(64, 128)}`)).toString(16).padStart(64, "0") +
          (s.slice(128) === "1b" ? "1c" : "1b")
      ],
      ...["02", "1a", "1d", "ff"].map((v) => [`v is ${v}`, (s: string) => s.slice(0, 128) + v] as const)
    ]
    for (const [name, change] of wrong) assertRefused(await good(change), 401, malformed("X-Sig"), name)
    for (const { header, reason } of refusedSignatures.refused) {
      if (header !== "") assertRefused(await good(() => header), 401, malformed("X-Sig"), reason)
    }
  })

  it("X-Sig-Version is 1 or 2, and 1 when it is absent", async () => {
    for (const version of ["0", "3", "01", "1.0", "", "one", "1, 1"]) {
      assertRefused(await ask({ "X-Sig-Version": version }), 401, malformed("X-Sig-Version"), version)
    }
    assert.strictEqual((await ask({ "X-Sig-Version": "1" })).status, 200)
    assert.strictEqual((await call(node(), alice, { ...inbox, version: 2 })).status, 200)
    // a signature of one version is none of the other
    assertRefused(await ask({ "X-Sig-Version": "2" }), 401, unauthenticated("bad-signature"))
    const signed = headersOf(node(), alice, { ...inbox, version: 2 })
    assertRefused(await send(node(), inbox, { ...signed, "X-Sig-Version": "1" }), 401, unauthenticated("bad-signature"))
  })

  it("a header that comes twice is malformed", async () => {
    for (const twice of ["X-User", "X-Ts", "X-Node", "X-Sig", "X-Sig-Version"]) {
      const lines = Object.entries({ ...headers(), "X-Sig-Version": "1" }).flatMap(([name, value]) =>
        name === twice ? [`${name}: ${value}`, `${name}: ${value}`] : [`${name}: ${value}`]
      )
      const text = await raw(node(), `GET /conversations HTTP/1.1\r\nHost: n\r\n${lines.join("\r\n")}\r\n\r\n`)
      assertRefused(parseRaw(text), 401, malformed(twice), twice)
    }
  })
})

describe("what is signed", () => {
  it("only the signer's own key will do", async () => {
    const signed = headersOf(node(), bob, inbox)
    assertRefused(
      await send(node(), inbox, { ...signed, "X-User": alice.address }),
      401,
      unauthenticated("bad-signature")
    )
  })

  it("a request is signed for its method, path and query", async () => {
    const signedFor = [
      { method: "GET", path: "/conversations?limit=1" },
      { method: "GET", path: "/conversations?" },
      { method: "GET", path: "/conversations/" },
      { method: "POST", path: "/conversations" },
      { method: "get", path: "/conversations" },
      { method: "GET", path: `${node().url}/conversations` }
    ]
    for (const other of signedFor) {
      const answer = await send(node(), inbox, headersOf(node(), alice, other))
      assertRefused(answer, 401, unauthenticated("bad-signature"), `${other.method} ${other.path}`)
    }
    const answer = await send(node(), { ...inbox, path: "/conversations?limit=2" }, headers())
    assertRefused(answer, 401, unauthenticated("bad-signature"))
  })

  it("a write is signed for its record: text, type, control, chat, purpose and time", async () => {
    const ts = freshTs()
    const good = dm(alice, bob, { content: "as signed", msg_type: 1, control: "AA==" }, ts)
    const signed = headersOf(node(), alice, good)
    const path = `/dialogs/0x${alice.address}/messages`
    const changed = [
      { ...good, body: { content: "as signed.", msg_type: 1, control: "AA==" } },
      { ...good, body: { content: "as signed", msg_type: 2, control: "AA==" } },
      { ...good, body: { content: "as signed", msg_type: 1, control: "AQ==" } },
      { ...good, body: { content: "as signed", msg_type: 1, control: "" } },
      { ...good, body: { content: "as signed", msg_type: 1 } },
      { ...good, path }
    ]
    for (const each of changed) {
      assertRefused(await send(node(), each, signed), 401, unauthenticated("bad-signature"), JSON.stringify(each.body))
    }
    const later = { ...signed, "X-Ts": String(ts + 1) }
    assertRefused(await send(node(), good, later), 401, unauthenticated("bad-signature"))
    for (const purpose of ["request", "op", "read", "identity"] as const) {
      assertRefused(await call(node(), alice, { ...good, purpose }), 401, unauthenticated("bad-signature"), purpose)
    }
    // none of the refused ones spoiled the good one
    assert.strictEqual((await send(node(), good, signed)).status, 202)
  })

  it("a write may not be asked for with a request's signature, nor the reverse", async () => {
    const message = dm(alice, bob, { content: "x" })
    const { digest: _digest, purpose: _purpose, ...asRequest } = message
    assertRefused(await call(node(), alice, asRequest), 401, unauthenticated("bad-signature"))
    const digest = Ids.requestId(noble, "GET", "/conversations")
    for (const purpose of ["message", "op", "read", "identity"] as const) {
      assertRefused(await call(node(), alice, { ...inbox, purpose, digest }), 401, unauthenticated("bad-signature"))
    }
  })

  it("a flipped v is mended once, and stored as the v that worked", async () => {
    for (const version of [1, 2] as const) {
      const message = { ...dm(alice, bob, { content: `flipped ${version}` }), version }
      const signed = headersOf(node(), alice, message)
      const sig = signed["X-Sig"]!
      const flipped = sig.slice(0, 128) + (sig.slice(128) === "1b" ? "1c" : "1b")
      const answer = await send(node(), message, { ...signed, "X-Sig": flipped, Prefer: "wait=10" })
      assert.strictEqual(answer.status, 201, JSON.stringify(answer.body))
      const stored = await Effect.runPromise(
        Effect.flatMap(Store, (store) => store.message(message.digest as Ids.MessageId)).pipe(
          Effect.provideContext(node().context)
        )
      )
      assert.strictEqual(stored?.sig[64], Number.parseInt(sig.slice(128), 16) - 27)
      assert.strictEqual(Bytes.toHex(stored!.sig.subarray(0, 64)), sig.slice(0, 128))
      assert.strictEqual(stored?.sigVersion, version)
    }
  })

  it("r that is no point of the curve is a bad signature, not a failure of the node", async () => {
    for (const r of [`${"00".repeat(31)}05`, (order - 1n).toString(16)]) {
      const answer = await ask({ "X-Sig": `${r}${"00".repeat(31)}01${"1b"}` })
      assertRefused(answer, 401, unauthenticated("bad-signature"), r)
    }
  })

  it("another node refuses it and names itself; the signature does not pass with X-Node changed either", () =>
    using(steered(), async (other) => {
      const message = dm(alice, bob, { content: "for the first node" })
      for (const each of [inbox, message]) {
        const signed = headersOf(node(), alice, each)
        const answer = await send(other, each, signed)
        assertRefused(answer, 401, unauthenticated("wrong-node"))
        assert.strictEqual(answer.body.node, other.id)
        assertRefused(await send(other, each, { ...signed, "X-Node": other.id }), 401, unauthenticated("bad-signature"))
      }
    }))
})

describe("of several faults the first in the order of checks is told", () => {
  const other = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
  const old = String(Date.now() - 3_600_000)
  const target = () => dm(alice, bob, { content: "x" })

  it("shape, node, window, body, signature, authority", async () => {
    const post = (body: unknown, replaced: { readonly [name: string]: string | undefined }) => {
      const message = target()
      return send(node(), { ...message, body }, { ...headersOf(node(), alice, message), ...replaced })
    }
    const badSig = { "X-Sig": "11".repeat(64) + "00" }
    const broken = "{"
    assertRefused(await post(broken, { "X-Sig": "00", "X-Node": other, "X-Ts": old }), 401, malformed("X-Sig"))
    assertRefused(await post(broken, { ...badSig, "X-Node": other, "X-Ts": old }), 401, unauthenticated("wrong-node"))
    assertRefused(await post(broken, { ...badSig, "X-Ts": old }), 401, unauthenticated("expired"))
    assertRefused(await post(broken, badSig), 400, invalid("body"))
    assertRefused(await post({ content: 1 }, badSig), 400, invalid("content"))
    assertRefused(await post({ content: "x" }, badSig), 401, unauthenticated("bad-signature"))
    const nowhere = groupMessage(alice, "11".repeat(32) as Ids.ChatId, { content: "x" })
    assertRefused(
      await send(node(), nowhere, { ...headersOf(node(), alice, nowhere), ...badSig }),
      401,
      unauthenticated("bad-signature")
    )
    assertRefused(await call(node(), alice, nowhere), 404, { _tag: "NotFound" })
  })

  it("a bad path or query is told after the headers and before the signature", async () => {
    for (const path of ["/identity/0x12", "/conversations?limit=0", "/dialogs/zz/messages"]) {
      const bad = { method: "GET", path }
      assertRefused(await send(node(), bad), 401, unauthenticated("missing-header", "X-User"), path)
      const answer = await send(node(), bad, { ...headersOf(node(), alice, bad), "X-Sig": "11".repeat(64) + "00" })
      assert.strictEqual(answer.status, 400, path)
    }
  })
})
