/** Media types, methods and paths that the API does not have (SPEC §8). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import {
  type Answer,
  type Call,
  call,
  dm,
  headersOf,
  newGroup,
  send,
  start,
  temporaryDirectory,
  user
} from "./fixture.ts"
import { assertRefused, invalid, notFound, parseRaw, raw, shared, unauthenticated, unhurried } from "./steered-node.ts"

const [alice, bob] = [user(1), user(2)]
const node = shared(Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir, limits: unhurried })))

const path = `/dialogs/0x${bob.address}/messages`

const ok = (answer: Answer, status: number, of = ""): Answer => {
  assert.strictEqual(answer.status, status, `${of} ${JSON.stringify(answer.body)}`)
  return answer
}

/** Sends a body that is not what the signature is over: its form is looked at first. */
const post = (body: unknown, headers: { readonly [name: string]: string | undefined } = {}) =>
  call(node(), alice, { ...dm(alice, bob, { content: "x" }), body, headers })

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
    for (const each of ["/nothing", "/dialogs", `/${"x".repeat(9_000)}`, "/node/x", "/identity/a/b"]) {
      assertRefused(await send(node(), { method: "GET", path: each }), 404, notFound, each)
    }
  })

  it("HEAD answers as GET does, without the body", async () => {
    for (const [each, status] of [["/node", 200], ["/healthz", 200], ["/nothing", 404], ["/identity", 405]] as const) {
      const answer = await send(node(), { method: "HEAD", path: each })
      assert.strictEqual(answer.status, status, each)
      assert.isTrue(answer.body === "" || answer.body === undefined || answer.body === null, each)
    }
    // signed as what it is
    const path = "/conversations"
    assert.strictEqual((await call(node(), alice, { method: "HEAD", path })).status, 200)
    const asGet = await call(node(), alice, { method: "HEAD", path, digest: Ids.requestId(noble, "GET", path) })
    assert.strictEqual(asGet.status, 401)
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
