/** Bodies, paths and queries: media types, sizes, JSON, and every limit just inside, at and just outside (SPEC §2, §8, §10). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import {
  type Answer,
  type Call,
  call,
  dm,
  freshTs,
  headersOf,
  identity,
  newGroup,
  op,
  send,
  start,
  temporaryDirectory,
  user
} from "./fixture.ts"
import {
  assertRefused,
  invalid,
  notFound,
  parseRaw,
  raw,
  type Refusal,
  shared,
  unauthenticated,
  unhurried
} from "./steered-node.ts"

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

describe("media types and methods", () => {
  it("a body is JSON in UTF-8: 415 names what is taken", async () => {
    const wrong = [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonx",
      "application/problem+json",
      "application/json; charset=utf-16",
      "application/json;charset=latin1",
      "json",
      ";",
      ""
    ]
    for (const type of wrong) {
      const answer = await post({ content: "x" }, { "Content-Type": type })
      assertRefused(answer, 415, invalid("Content-Type"), type)
      assert.deepStrictEqual(answer.body.allowed, ["application/json"])
    }
    for (
      const type of [
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/json;charset=\"utf-8\""
      ]
    ) {
      ok(
        await call(node(), alice, { ...dm(alice, bob, { content: type }), headers: { "Content-Type": type } }),
        202,
        type
      )
    }
    const { "X-User": _user, ...rest } = headersOf(node(), alice, { method: "POST", path })
    assertRefused(
      await send(node(), { method: "POST", path, body: "{}" }, rest),
      401,
      unauthenticated("missing-header", "X-User")
    )
    const lines = Object.entries(headersOf(node(), alice, dm(alice, bob, { content: "x" }))).map(([k, v]) =>
      `${k}: ${v}`
    )
    const absent = await raw(
      node(),
      `POST ${path} HTTP/1.1\r\nHost: n\r\nContent-Length: 2\r\n${lines.join("\r\n")}\r\n\r\n{}`
    )
    assertRefused(parseRaw(absent), 415, invalid("Content-Type"))
  })

  it("answers are JSON, whoever wants another type gets 406", async () => {
    for (const accept of ["text/html", "application/xml, text/*", "application/json;q=0", "*/*;q=0.0", "image/*"]) {
      for (const each of ["/node", "/conversations", "/healthz", `/identity/${alice.address}`]) {
        const answer = await call(node(), alice, { method: "GET", path: each, headers: { Accept: accept } })
        assertRefused(answer, 406, invalid("Accept"), accept)
        assert.deepStrictEqual(answer.body.allowed, ["application/json"])
      }
    }
    for (const accept of ["*/*", "application/*", "text/html, application/json;q=0.1", "APPLICATION/JSON", ""]) {
      ok(await send(node(), { method: "GET", path: "/node" }, { Accept: accept }), 200, accept)
    }
    ok(await send(node(), { method: "GET", path: "/metrics" }, { Accept: "text/plain" }), 200)
    assertRefused(
      await send(node(), { method: "GET", path: "/metrics" }, { Accept: "application/json" }),
      406,
      invalid("Accept")
    )
  })

  it("other methods get 405 with Allow, other paths 404, both as JSON", async () => {
    const id = "11".repeat(32)
    const paths: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      [path, ["GET", "POST"]],
      [`${path}/${id}`, ["GET"]],
      [`${path}/read`, ["POST"]],
      [`/groups/${id}/messages`, ["GET", "POST"]],
      [`/groups/${id}/messages/${id}`, ["GET"]],
      [`/groups/${id}/messages/read`, ["POST"]],
      [`/groups/${id}/ops`, ["POST"]],
      [`/groups/${id}/membership`, ["DELETE"]],
      [`/groups/${id}/members`, ["GET"]],
      ["/conversations", ["GET"]],
      ["/identity", ["PUT"]],
      [`/identity/${alice.address}`, ["GET"]],
      ["/node", ["GET"]],
      ["/healthz", ["GET"]],
      ["/readyz", ["GET"]],
      ["/metrics", ["GET"]],
      ["/openapi.json", ["GET"]],
      ["/docs", ["GET"]]
    ]
    for (const [each, allowed] of paths) {
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
        if (allowed.includes(method) || (each.endsWith("/read") && method === "GET")) continue
        const answer = await send(node(), { method, path: each })
        assertRefused(answer, 405, invalid("method"), `${method} ${each}`)
        for (const one of allowed) {
          assert.include(answer.headers.get("allow")!.split(", "), one, `${method} ${each}`)
          assert.include(answer.body.allowed, one)
        }
      }
    }
    const unknown = [
      "/",
      "/nothing",
      "/dialogs",
      "/dialogs/",
      `/dialogs/${bob.address}`,
      "/groups",
      "/identity/a/b",
      "/node/x",
      "/%",
      "/%zz",
      "/dialogs/%ff/messages",
      "/dialogs/%/messages",
      `/${"x".repeat(9_000)}`,
      "/../etc/passwd"
    ]
    for (const each of unknown) {
      for (const method of ["GET", "POST", "DELETE"]) {
        const text = await raw(node(), `${method} ${each} HTTP/1.1\r\nHost: n\r\nContent-Length: 0\r\n\r\n`)
        const answer = parseRaw(text)
        assert.include([404, 400, 401, 405], answer.status, `${method} ${each.slice(0, 40)} ${text.slice(0, 300)}`)
        assert.isString(answer.body._tag, `${method} ${each.slice(0, 40)} ${text.slice(0, 300)}`)
      }
    }
    for (const each of ["/", "/nothing", "/dialogs", `/${"x".repeat(9_000)}`, "/node/x", "/identity/a/b"]) {
      assertRefused(await send(node(), { method: "GET", path: each }), 404, notFound, each)
    }
  })

  it("HEAD is a method like the others that have no route", async () => {
    for (const [each, status] of [["/node", 405], ["/healthz", 405], ["/nothing", 404], ["/identity", 405]] as const) {
      assert.strictEqual((await send(node(), { method: "HEAD", path: each })).status, status, each)
    }
  })

  it("a body where none is taken is refused, and not dropped in silence", async () => {
    const { chatId } = newGroup(node(), alice, 90)
    const leave: Call = { method: "DELETE", path: `/groups/${chatId}/membership`, body: { reason: "bored" } }
    assertRefused(await call(node(), alice, leave), 400, invalid("body"))
    const lines = Object.entries(headersOf(node(), alice, { method: "GET", path: "/conversations" })).map(([k, v]) =>
      `${k}: ${v}`
    )
    const get = `GET /conversations HTTP/1.1\r\nHost: n\r\n${lines.join("\r\n")}\r\n`
    assertRefused(parseRaw(await raw(node(), `${get}Content-Length: 2\r\n\r\n{}`)), 400, invalid("body"))
    assertRefused(
      parseRaw(await raw(node(), `${get}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`)),
      400,
      invalid("body")
    )
    assert.strictEqual(parseRaw(await raw(node(), `${get}Content-Length: 0\r\n\r\n`)).status, 200)
  })
})

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

describe("paths and queries", () => {
  it("ids in paths are hex of their length, in any case, with or without 0x", async () => {
    const id = "ab".repeat(32)
    const good = [
      id,
      id.toUpperCase(),
      `0x${id}`,
      `0X${id}`,
      `0x${id.toUpperCase()}`,
      `%30x${id}`,
      id.replace("ab", "%61b")
    ]
    for (const each of good) {
      assertRefused(await ask("GET", `/groups/${each}/members`), 404, notFound, each)
      assertRefused(await ask("GET", `${path}/${each}`), 404, notFound, each)
    }
    const bad = [
      id.slice(1),
      `${id}a`,
      `0x${id.slice(1)}`,
      `0x${id}a`,
      `${id}ab`,
      `${id.slice(1)}g`,
      `0x0x${id}`,
      "0x",
      `${id}%20`,
      `%00${id}`,
      `${id.slice(2)}%C3%A9`,
      "%F0%9F%98%80",
      `0b${id}`
    ]
    for (const each of bad) {
      assertRefused(await ask("GET", `/groups/${each}/members`), 400, invalid("chat_id"), each)
      assertRefused(await ask("GET", `${path}/${each}`), 400, invalid("msg_id"), each)
    }
    const { address } = bob
    for (const each of [address.slice(1), `${address}0`, `${address.slice(1)}g`, `${address}00`, id]) {
      assertRefused(await ask("GET", `/identity/${each}`), 400, invalid("address"), each)
      assertRefused(await ask("GET", `/dialogs/${each}/messages`), 400, invalid("peer"), each)
    }
    // the router gives up on what is far too long
    assertRefused(await ask("GET", `/identity/${"a".repeat(5_000)}`), 404, notFound)
  })

  it("limit is a whole number from 1 to 500", async () => {
    for (const each of ["/conversations", path]) {
      for (const limit of ["1", "500", "050"]) {
        const answer = await ask("GET", `${each}?limit=${limit}`)
        if (limit !== "050") ok(answer, 200, limit)
        else assertRefused(answer, 400, invalid("limit"))
      }
      for (
        const limit of ["0", "501", "-1", "1.5", "1e2", "abc", "", "0x10", "+1", "%201", "9".repeat(30), "1&limit=2"]
      ) {
        const answer = await ask("GET", `${each}?limit=${limit}`)
        assert.match(String(answer.body.field), /^limit/, limit)
        assert.strictEqual(answer.status, 400, limit)
        assert.strictEqual(answer.body._tag, "InvalidRequest")
      }
    }
  })

  it("a cursor is one that a node gave; both directions at once are refused", async () => {
    const from = dm(alice, user(40), { content: "1" })
    const chat = `/dialogs/${user(40).address}/messages`
    ok(await call(node(), alice, from), 202)
    ok(await call(node(), alice, dm(alice, user(40), { content: "2" })), 202)
    const cursor = ok(await ask("GET", `${chat}?limit=1`), 200).body.next as string
    assert.strictEqual(ok(await ask("GET", `${chat}?before=${cursor}`), 200).body.messages[0].content, "1")
    assertRefused(await ask("GET", `${chat}?before=${cursor}&after=${cursor}`), 400, invalid("after"))
    assertRefused(await ask("GET", `${chat}?before=&after=`), 400, invalid("after"))
    for (
      const junk of [
        "x",
        "0",
        cursor.slice(1),
        `${cursor}0`,
        cursor.replace(/.$/, "g"),
        "%00",
        "null",
        "a".repeat(10_000)
      ]
    ) {
      assertRefused(await ask("GET", `${chat}?before=${junk}`), 400, invalid("before"), junk)
      assertRefused(await ask("GET", `${chat}?after=${junk}`), 400, invalid("after"), junk)
      assertRefused(await ask("GET", `/conversations?after=${junk}`), 400, invalid("after"), junk)
    }
    // an empty cursor is the start
    assert.deepStrictEqual(
      ok(await ask("GET", `${chat}?after=`), 200).body.messages.map((each: { content: string }) => each.content),
      ["1", "2"]
    )
    ok(await ask("GET", "/conversations?after="), 200)
    // well formed but later than any stamp
    const never = "ff".repeat(40)
    assertRefused(await ask("GET", `${chat}?after=${never}`), 400, invalid("after"))
    assertRefused(await ask("GET", `/conversations?after=8${"0".repeat(79)}`), 400, invalid("after"))
    // well formed but of nothing: the end, not a failure
    const end = `7${"f".repeat(79)}`
    assert.deepStrictEqual(ok(await ask("GET", `${chat}?after=${end}`), 200).body.messages, [])
    assert.lengthOf(ok(await ask("GET", `${chat}?before=${end}`), 200).body.messages, 2)
    ok(await ask("GET", `/conversations?after=${end}`), 200)
  })

  it("unknown query parameters are refused and named, on every signed call", async () => {
    const { chatId, create } = newGroup(node(), alice, 120)
    const known: ReadonlyArray<Call> = [
      { method: "GET", path },
      { method: "GET", path: "/conversations" },
      { method: "GET", path: `${path}/${"11".repeat(32)}` },
      { method: "GET", path: `/identity/${alice.address}` },
      { method: "GET", path: `/groups/${chatId}/members` },
      { method: "DELETE", path: `/groups/${chatId}/membership` },
      dm(alice, bob, { content: "x" }),
      identity(alice, ""),
      create
    ]
    for (const request of known) {
      for (const key of ["extra", "Limit", "__proto__"]) {
        const answer = await call(node(), alice, { ...request, path: `${request.path}?${key}=1` })
        assertRefused(answer, 400, invalid(key), `${request.method} ${request.path}?${key}`)
      }
    }
    assertRefused(await send(node(), { method: "GET", path: "/node?extra=1" }), 400, invalid("extra"))
    for (const challenge of ["", "11", "11".repeat(31), "11".repeat(33), "zz".repeat(32)]) {
      assertRefused(
        await send(node(), { method: "GET", path: `/node?challenge=${challenge}` }),
        400,
        invalid("challenge")
      )
    }
    for (
      const odd of [
        "/conversations?%",
        "/conversations?%zz=1",
        "/conversations?=",
        "/conversations?&&",
        "/conversations?limit"
      ]
    ) {
      assert.include([200, 400], (await ask("GET", odd)).status, odd)
    }
  })
})

describe("what comes back is what was sent, byte for byte", () => {
  it("every type, any control bytes, any text", async () => {
    const peer = user(41)
    const texts = [
      "",
      "\0",
      "a\0b",
      "😀👩‍👩‍👧‍👦",
      "e\u0301",
      "\u00e9",
      "\ufeffbom",
      "\u2028\u2029",
      "\"\\/\b\f\n\r\t",
      "\u{10ffff}\uffff",
      "مرحبا",
      " x "
    ]
    const sent: Array<{ readonly content: string; readonly msg_type: number; readonly control?: string }> = []
    for (let type = 0; type < 256; type++) {
      const bytes = Uint8Array.from({ length: type }, (_, i) => (i * 31 + type) & 255)
      sent.push({
        content: texts[type % texts.length]!,
        msg_type: type,
        ...(type % 3 === 2 ? {} : { control: bytes.toBase64() })
      })
    }
    for (let i = 0; i < sent.length; i += 16) {
      const drafts = sent.slice(i, i + 16).map((draft) => dm(alice, peer, draft, freshTs()))
      for (const answer of await Promise.all(drafts.map((each) => call(node(), alice, each)))) ok(answer, 202)
    }
    const page = await call(node(), peer, { method: "GET", path: `/dialogs/${alice.address}/messages?limit=500` })
    const shape = (each: { content: string; msg_type: number; control?: string }) => ({
      content: each.content,
      msg_type: each.msg_type,
      ...("control" in each ? { control: each.control } : {})
    })
    assert.deepStrictEqual(
      page.body.messages.map(shape).sort((a: { msg_type: number }, b: { msg_type: number }) => a.msg_type - b.msg_type),
      sent
    )
    const chatId = Ids.dmChatId(noble, alice.address, peer.address)
    assert.isTrue(page.body.messages.every((each: { chat_id: string }) => each.chat_id === `0x${chatId}`))
  })
})
