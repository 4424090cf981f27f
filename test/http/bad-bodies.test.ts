/** Bodies: JSON, keys and types, and every limit just inside, at and just outside (SPEC §2, §8, §10). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as Ids from "../../src/domain/ids.ts"
import {
  type Answer,
  type Call,
  call,
  dm,
  headersOf,
  identity,
  newGroup,
  op,
  start,
  temporaryDirectory,
  user
} from "./fixture.ts"
import { assertRefused, invalid, notFound, raw, type Refusal, shared, unhurried } from "./steered-node.ts"

const [alice, bob] = [user(1), user(2)]
const node = shared(Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir, limits: unhurried })))

const path = `/dialogs/0x${bob.address}/messages`
const ask = (method: string, path: string) => call(node(), alice, { method, path })

const ok = (answer: Answer, status: number, of = ""): Answer => {
  assert.strictEqual(answer.status, status, `${of} ${JSON.stringify(answer.body)}`)
  return answer
}

/** Sends a body that is not what the signature is over: its form is looked at first. */
const post = (body: unknown, headers: { readonly [name: string]: string | undefined } = {}) =>
  call(node(), alice, { ...dm(alice, bob, { content: "x" }), body, headers })

const put = (body: unknown) => call(node(), alice, { ...identity(alice, "AA=="), body })

describe("bodies", () => {
  it("must be JSON, whole, in UTF-8, without repeated keys", async () => {
    const bytes = (...parts: ReadonlyArray<string | number>) =>
      Buffer.concat(parts.map((part) => typeof part === "string" ? Buffer.from(part) : Buffer.of(part)))
    const wrong: ReadonlyArray<readonly [string, string | Uint8Array]> = [
      ["empty", ""],
      ["white space", "  \n"],
      ["cut", "{\"content\":\"x\""],
      ["cut in a string", "{\"content\":\"x"],
      ["more behind it", "{\"content\":\"x\"}{}"],
      ["not JSON", "content=x"],
      ["a comment", "{\"content\":\"x\"/**/}"],
      ["a comma too many", "{\"content\":\"x\",}"],
      ["single quotes", "{'content':'x'}"],
      ["NaN", "{\"content\":\"x\",\"msg_type\":NaN}"],
      ["a control character in a string", "{\"content\":\"a\u0001b\"}"],
      ["a leading zero", "{\"content\":\"x\",\"msg_type\":01}"],
      ["a repeated key", "{\"content\":\"x\",\"content\":\"y\"}"],
      ["a repeated key, escaped", "{\"content\":\"x\",\"\\u0063ontent\":\"y\"}"],
      ["a repeated key further in", "{\"content\":{\"a\":1,\"a\":2}}"],
      ["a byte order mark", bytes(0xef, 0xbb, 0xbf, "{\"content\":\"x\"}")],
      ["invalid UTF-8", bytes("{\"content\":\"", 0xff, "\"}")],
      ["UTF-8 cut short", bytes("{\"content\":\"", 0xe2, 0x82, "\"}")],
      ["overlong UTF-8", bytes("{\"content\":\"", 0xc0, 0x80, "\"}")],
      ["a surrogate in UTF-8", bytes("{\"content\":\"", 0xed, 0xa0, 0x80, "\"}")],
      ["UTF-16", Buffer.from("{\"content\":\"x\"}", "utf16le")],
      ["deep arrays", "[".repeat(100_000)],
      ["deep arrays, closed", "[".repeat(100_000) + "]".repeat(100_000)],
      ["deep objects", "{\"a\":".repeat(40_000) + "1" + "}".repeat(40_000)],
      ["deep content", `{"content":${"[".repeat(100_000)}${"]".repeat(100_000)}}`]
    ]
    for (const [name, body] of wrong) {
      const answer = await post(body)
      assert.strictEqual(answer.status, 400, `${name} ${JSON.stringify(answer.body)}`)
      assert.strictEqual(answer.body._tag, "InvalidRequest", name)
      if (!name.startsWith("deep"))
        assert.strictEqual(answer.body.field, "body", `${name} ${JSON.stringify(answer.body)}`)
      assert.isBelow(answer.body.message.length, 500, name)
    }
    for (const body of ["null", "[]", "1", "\"x\"", "true", "[{\"content\":\"x\"}]"]) {
      assertRefused(await post(body), 400, invalid("body"), body)
    }
  })

  it("lone surrogates are refused in every text, paired ones are not", async () => {
    for (const escape of ["\\ud800", "\\udfff", "\\udc00\\ud800", "a\\ud800b"]) {
      assertRefused(await post(`{"content":"${escape}"}`), 400, invalid("content"), escape)
      const { chatId, create } = newGroup(node(), alice, 91)
      const body = `{"op":"create","nonce":"${"5b".repeat(16)}","title":"${escape}"}`
      assertRefused(await call(node(), alice, { ...create, body }), 400, invalid("title"), escape)
      assert.lengthOf(chatId, 64)
    }
    const paired = dm(alice, bob, { content: "😀" })
    ok(await call(node(), alice, { ...paired, body: "{\"content\":\"\\ud83d\\ude00\"}" }), 202)
  })

  it("keys and types are as documented: the wrong one is named", async () => {
    const { chatId } = newGroup(node(), alice, 92)
    const opCall = op(node(), alice, chatId, { op: "add", targets: [bob.address] })
    const target = `0x${bob.address}`
    const cases: ReadonlyArray<readonly [Call, unknown, string]> = [
      ...([
        [{}, "content"],
        [{ content: 1 }, "content"],
        [{ content: null }, "content"],
        [{ content: ["x"] }, "content"],
        [{ content: "x", extra: 1 }, "extra"],
        [{ content: "x", Content: "x" }, "Content"],
        [{ content: "x", msg_id: "0x11" }, "msg_id"],
        [{ content: "x", control: null }, "control"],
        [{ content: "x", control: 1 }, "control"],
        ...[-1, 256, 1.5, "1", null, true, 1e300].map((msg_type) => [{ content: "x", msg_type }, "msg_type"] as const)
      ] as const).map(([body, field]) => [dm(alice, bob, { content: "x" }), body, field] as const),
      [dm(alice, bob, { content: "x" }), "{\"content\":\"x\",\"__proto__\":{}}", "__proto__"],
      [dm(alice, bob, { content: "x" }), "{\"content\":\"x\",\"constructor\":{}}", "constructor"],
      [dm(alice, bob, { content: "x" }), "{\"content\":\"x\",\"msg_type\":1e999}", "msg_type"],
      [identity(alice, ""), {}, "identity"],
      [identity(alice, ""), { identity: null }, "identity"],
      [identity(alice, ""), { identity: "", more: 1 }, "more"],
      [opCall, { targets: [target] }, "op"],
      [opCall, { op: "rename" }, "op"],
      [opCall, { op: 1, targets: [target] }, "op"],
      [opCall, { op: "add", targets: target }, "targets"],
      [opCall, { op: "add", targets: ["0x12"] }, "targets.0"],
      [opCall, { op: "add", targets: [target, null] }, "targets.1"],
      [opCall, { op: "add", targets: [target], role: "owner" }, "role"],
      [opCall, { op: "add", targets: [target], role: 1 }, "role"],
      [opCall, { op: "create", nonce: "11".repeat(15) }, "nonce"],
      [opCall, { op: "create", nonce: "11".repeat(17) }, "nonce"],
      [opCall, { op: "add", targets: [target], observed: [] }, "observed"],
      ...["", "0".repeat(15), "0".repeat(17), `0x${"0".repeat(16)}`, "g".repeat(16), 1, null].map((up_to) =>
        [{ method: "POST", path: `${path}/read` } as Call, { up_to }, "up_to"] as const
      ),
      [{ method: "POST", path: `${path}/read` }, {}, "up_to"]
    ]
    for (const [request, body, field] of cases) {
      assertRefused(await call(node(), alice, { ...request, body }), 400, invalid(field), JSON.stringify(body))
    }
  })

  it("base64 is padded, standard and exact", async () => {
    for (
      const bad of [
        "AQI",
        "AQ",
        "AQ=",
        "AQ===",
        "_-8=",
        "AQ ==",
        "AQI=\n",
        "AQ==AQ==",
        "AR==",
        "AQJ=",
        "=",
        "A",
        "💥",
        "AQI=="
      ]
    ) {
      assertRefused(await post({ content: "x", control: bad }), 400, invalid("control"), bad)
      assertRefused(await put({ identity: bad }), 400, invalid("identity"), bad)
    }
  })
})

describe("sizes", () => {
  it("256 KiB of body pass, one byte more gets 413, announced or not", async () => {
    const limit = 256 * 1024
    const body = (size: number) => `{"content":"x"${" ".repeat(size - 15)}}`
    const lengths: ReadonlyArray<readonly [number, number, Refusal | undefined]> = [
      [limit - 1, 202, undefined],
      [limit, 202, undefined],
      [limit + 1, 413, { _tag: "TooLarge" }],
      [limit * 8, 413, { _tag: "TooLarge" }]
    ]
    for (const [size, status, refusal] of lengths) {
      const text = body(size)
      assert.lengthOf(text, size)
      const answer = await call(node(), alice, { ...dm(alice, bob, { content: "x" }), body: text })
      ok(answer, status, String(size))
      if (refusal !== undefined) {
        assertRefused(answer, status, refusal)
        assert.strictEqual(answer.body.limit, limit)
      }
      const message = dm(alice, bob, { content: "x" })
      const chunked = await fetch(node().url + path, {
        method: "POST",
        headers: { ...headersOf(node(), alice, message), "Content-Type": "application/json" },
        body: new Blob([text]).stream(),
        duplex: "half"
      } as RequestInit)
      assert.strictEqual(chunked.status, status, `chunked ${size}`)
      await chunked.text()
    }
    // announced only: nothing of it is waited for
    const lines = Object.entries(headersOf(node(), alice, dm(alice, bob, { content: "x" }))).map(([k, v]) =>
      `${k}: ${v}`
    )
    const head = `POST ${path} HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\n${lines.join("\r\n")}\r\n`
    for (const length of ["262145", "99999999999999999999"]) {
      const answer = await raw(node(), `${head}Content-Length: ${length}\r\n\r\n{`)
      assert.match(answer, /^HTTP\/1\.1 (413|400) /, length)
    }
  })

  it("a body that is cut off leaves nothing behind", async () => {
    const message = dm(alice, bob, { content: "cut off" })
    const lines = Object.entries(headersOf(node(), alice, message)).map(([k, v]) => `${k}: ${v}`)
    const head = `POST ${path} HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\n${lines.join("\r\n")}\r\n`
    const half = await raw(node(), `${head}Content-Length: 100\r\n\r\n{"content":"cut off"}`, { end: true })
    assert.notMatch(half, /^HTTP\/1\.1 2/)
    const chunked = await raw(node(), `${head}Transfer-Encoding: chunked\r\n\r\n15\r\n{"content":"cut off"}\r\n`, {
      end: true
    })
    assert.notMatch(chunked, /^HTTP\/1\.1 2/)
    assertRefused(await ask("GET", `${path}/${message.digest}`), 404, notFound)
    // and the same signature still works
    ok(await call(node(), alice, message), 202)
  })

  it("text and bytes have their limits in bytes, not in characters", async () => {
    const kib = 32 * 1024
    const euro = "€"
    const contents: ReadonlyArray<readonly [string, boolean]> = [
      ["", true],
      ["a".repeat(kib - 1), true],
      ["a".repeat(kib), true],
      ["a".repeat(kib + 1), false],
      [`${euro.repeat((kib - 2) / 3)}aa`, true],
      [`${euro.repeat((kib - 2) / 3)}${euro}`, false],
      ["😀".repeat(kib / 4), true],
      [`${"😀".repeat(kib / 4 - 1)}${euro}aa`, false],
      ["\0".repeat(kib), true]
    ]
    for (const [content, fits] of contents) {
      const answer = await call(node(), alice, dm(alice, bob, { content }))
      if (fits) ok(answer, 202, content.slice(0, 3))
      else assertRefused(answer, 400, invalid("content"), content.slice(0, 3))
    }
    for (const [size, fits] of [[kib - 1, true], [kib, true], [kib + 1, false]] as const) {
      const control = new Uint8Array(size).fill(255).toBase64()
      const answer = await call(node(), alice, dm(alice, bob, { content: "", control }))
      if (fits) ok(answer, 202, String(size))
      else assertRefused(answer, 400, invalid("control"), String(size))
    }
    for (const [size, fits] of [[0, true], [127, true], [128, true], [129, false], [4_096, false]] as const) {
      const answer = await call(node(), alice, identity(alice, new Uint8Array(size).toBase64()))
      if (fits) ok(answer, 202, String(size))
      else assertRefused(answer, 400, invalid("identity"), String(size))
    }
    const titles: ReadonlyArray<readonly [string, boolean]> = [
      ["a".repeat(128), true],
      ["a".repeat(129), false],
      [`${euro.repeat(42)}aa`, true],
      [`${euro.repeat(42)}aaa`, false],
      ["😀".repeat(32), true],
      ["😀".repeat(33), false]
    ]
    for (const [i, [title, fits]] of titles.entries()) {
      const answer = await call(node(), alice, newGroup(node(), alice, 100 + i, { title }).create)
      if (fits) ok(answer, 202, title)
      else assertRefused(answer, 400, invalid("title"), title)
    }
    const targets = (count: number) =>
      Array.from({ length: count }, (_, i) => (i + 1).toString(16).padStart(40, "0") as Ids.Address)
    for (const [i, [count, fits]] of ([[255, true], [256, true], [257, false]] as const).entries()) {
      const answer = await call(node(), alice, newGroup(node(), alice, 110 + i, { targets: targets(count) }).create)
      if (fits) ok(answer, 202, String(count))
      else assertRefused(answer, 400, invalid("targets"), String(count))
    }
  })
})
