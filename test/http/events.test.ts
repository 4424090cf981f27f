/** `GET /events` of a whole node, read as any client would: SPEC §8. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Scope } from "effect"
import { once } from "node:events"
import { connect } from "node:net"
import { eventSchemas } from "../../src/api/events.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import {
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
  type User,
  user
} from "./fixture.ts"

const [alice, bob, carol] = [user(1), user(2), user(3)]
const events = { method: "GET", path: "/events" }

interface Seen {
  readonly id: string | undefined
  readonly name: string | undefined
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever JSON came
  readonly data: any
}

const readBlock = (block: string): Seen => {
  const field = (name: string) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
  const data = field("data")
  return { id: field("id"), name: field("event"), data: data === undefined ? undefined : JSON.parse(data) }
}

/** A stream over plain fetch; closed with the scope. */
const open = Effect.fnUntraced(function*(node: Running, who: User, lastId?: string) {
  const abort = new AbortController()
  const response = yield* Effect.promise(() =>
    fetch(`${node.url}/events`, {
      signal: abort.signal,
      headers: {
        Accept: "text/event-stream",
        ...headersOf(node, who, events),
        ...(lastId === undefined ? {} : { "Last-Event-ID": lastId })
      }
    })
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => abort.abort()))
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const seen: Array<Seen> = []
  let text = ""
  let ended = false
  /** Reads until `count` events, or places, have come in all. */
  const until = (count: number) =>
    Effect.promise(async () => {
      while (seen.length < count && !ended) {
        const { done, value } = await reader.read().catch(() => ({ done: true, value: "" }))
        ended = done
        text += value ?? ""
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          seen.push(readBlock(text.slice(0, end)))
          text = text.slice(end + 2)
        }
      }
      return seen
    }).pipe(Effect.timeout(20_000))
  return { response, seen, until, isEnded: () => ended }
})

const accepted = (node: Running, who: User, request: Parameters<typeof call>[2]) =>
  Effect.promise(async () => {
    const answer = await call(node, who, { ...request, headers: { Prefer: "wait=5" } })
    assert.strictEqual(answer.status, 201, JSON.stringify(answer.body))
    return answer.body
  })

describe("GET /events", () => {
  it.live(
    "tells each kind of event in the form of its schema, and resumes behind any of them, also after a restart",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const first = yield* Scope.make()
        const node = yield* start({ dataDir }).pipe(Scope.provide(first))
        const stream = yield* open(node, bob)
        assert.strictEqual(stream.response.headers.get("content-type"), "text/event-stream")
        yield* stream.until(1)
        assert.match(stream.seen[0]!.id!, /^[0-9a-f]{16}-0$/)

        const sent = yield* accepted(
          node,
          alice,
          dm(alice, bob, { content: "zwölf\n\ndata: Boxkämpfer", control: "AAE=" })
        )
        yield* accepted(node, alice, mark(alice, sent.chat_id.slice(2), `/dialogs/0x${bob.address}/messages`, sent.hlc))
        yield* accepted(node, alice, identity(alice, "AQI="))
        const { chatId, create } = newGroup(node, alice, 9, { targets: [bob.address], title: "us" })
        yield* accepted(node, alice, create)
        yield* accepted(node, alice, groupMessage(alice, chatId, { content: "hello all" }))
        const add = op(node, alice, chatId, { op: "add", targets: [carol.address], role: "admin" })
        yield* accepted(node, alice, add)
        yield* accepted(node, alice, op(node, alice, chatId, { op: "remove", targets: [bob.address] }))
        yield* accepted(node, alice, groupMessage(alice, chatId, { content: "without bob" }))
        yield* accepted(node, bob, dm(bob, bob, { content: "to myself" }))
        const seen = yield* stream.until(9)

        assert.deepStrictEqual(seen.slice(1).map(({ name }) => name), [
          "message",
          "read",
          "identity",
          "membership",
          "message",
          "membership",
          "membership",
          "message"
        ])
        for (const { data, name } of seen.slice(1)) {
          const schema = eventSchemas[name as keyof typeof eventSchemas]
          // strictly: no key that the schema does not have
          Schema.decodeUnknownSync(schema as Schema.Codec<unknown, unknown>, { onExcessProperty: "error" })(data)
        }
        assert.deepInclude(seen[1]!.data, { kind: "dm", peer: `0x${alice.address}` })
        assert.deepInclude(seen[1]!.data.message, { msg_id: sent.msg_id, content: "zwölf\n\ndata: Boxkämpfer" })
        assert.deepInclude(seen[2]!.data, { reader: `0x${alice.address}`, peer: `0x${alice.address}`, up_to: sent.hlc })
        assert.deepInclude(seen[4]!.data, { op: "create", title: "us", targets: [`0x${bob.address}`] })
        assert.deepInclude(seen[5]!.data, { kind: "group" })
        assert.notProperty(seen[5]!.data, "peer")
        assert.deepInclude(seen[6]!.data, { op: "add", role: "admin" })
        assert.deepInclude(seen[8]!.data, { kind: "dm", peer: `0x${bob.address}` })

        // each from every place; of the group bob is told no more than that he was put out
        const restOf = (from: number) =>
          seen.slice(from + 1).filter(({ data, name }) => name === "message" ? data.kind === "dm" : true)
            .filter(({ data, name }) => name !== "membership" || data.op === "remove")
        const check = Effect.fnUntraced(function*(node: Running) {
          for (const [i, { id }] of seen.entries()) {
            const again = yield* open(node, bob, id!)
            const rest = restOf(i)
            const came = (yield* again.until(rest.length + 1)).filter(({ name }) => name !== undefined)
            assert.deepStrictEqual(came, rest)
          }
        })
        yield* check(node).pipe(Effect.scoped)
        yield* Scope.close(first, yield* Effect.exit(Effect.void))
        yield* stream.until(100)
        assert.isTrue(stream.isEnded(), "a stream outlived its node")
        yield* check(yield* start({ dataDir })).pipe(Effect.scoped)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("resets who comes with an id of another node, or with none that is one", () =>
    Effect.gen(function*() {
      const node = yield* start({ dataDir: yield* temporaryDirectory })
      for (const id of ["0123456789abcdef-5", "nonsense", "-1", "0123456789abcdef-99999999999999999"]) {
        const stream = yield* open(node, bob, id)
        const [reset] = yield* stream.until(1)
        assert.deepInclude(reset, { name: "reset", data: { reason: "unknown" } })
        assert.isDefined(reset!.id)
      }
    }).pipe(Effect.scoped))

  it.live("is signed like every request, answers errors as JSON, and is bounded", () =>
    Effect.gen(function*() {
      const node = yield* start({ dataDir: yield* temporaryDirectory, limits: { streamsMax: 3 } })
      const ask = (headers: { readonly [name: string]: string | undefined }) =>
        Effect.promise(() => send(node, events, headers))
      assert.deepInclude((yield* ask({})).body, { _tag: "Unauthenticated", reason: "missing-header" })
      const forged = headersOf(node, bob, { method: "GET", path: "/conversations" })
      assert.deepInclude((yield* ask(forged)).body, { reason: "bad-signature" })
      const wrongType = yield* ask({ ...headersOf(node, bob, events), Accept: "application/json" })
      assert.deepInclude(wrongType, { status: 406 })
      const used = headersOf(node, bob, events)
      const [one, two] = [yield* open(node, bob), yield* open(node, bob)]
      yield* Effect.all([one.until(1), two.until(1)])
      const third = yield* open(node, alice)
      yield* third.until(1)
      const refused = yield* ask({ ...used, Accept: "*/*" })
      assert.deepInclude(refused.body, { _tag: "Overloaded", reason: "in-flight" })
      assert.strictEqual(refused.headers.get("retry-after"), "10")
      assert.deepInclude((yield* ask(used)).body, { reason: "replayed" })
    }).pipe(Effect.scoped))

  it.live("leaves nothing behind on a connection that is kept alive, however often it is asked by HEAD", () =>
    Effect.gen(function*() {
      const node = yield* start({ dataDir: yield* temporaryDirectory })
      const warnings: Array<string> = []
      const warn = ({ message }: Error) => void warnings.push(message)
      process.on("warning", warn)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.off("warning", warn)))
      const head = { method: "HEAD", path: "/events" }
      const socket = connect(Number(new URL(node.url).port), "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      for (let i = 0; i < 12; i++) {
        const lines = Object.entries({ Host: "n", ...headersOf(node, bob, head) }).map(([name, value]) =>
          `${name}: ${value}`
        )
        socket.write(`HEAD /events HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`)
        const [answer] = yield* Effect.promise(() => once(socket, "data"))
        assert.match(String(answer), /^HTTP\/1\.1 200 /)
      }
      assert.deepStrictEqual(warnings, [])
    }).pipe(Effect.scoped))

  it.live("sees a message at the same time as everyone else: no event comes before it can be read", () =>
    Effect.gen(function*() {
      const node = yield* start({ dataDir: yield* temporaryDirectory })
      const stream = yield* open(node, bob)
      yield* stream.until(1)
      const fields = dm(alice, bob, { content: "now" })
      yield* Effect.promise(() => call(node, alice, fields))
      const [, event] = yield* stream.until(2)
      const page = yield* Effect.promise(() =>
        call(node, bob, { method: "GET", path: `/dialogs/0x${alice.address}/messages` })
      )
      assert.strictEqual(page.body.messages[0].msg_id, event!.data.message.msg_id)
      assert.strictEqual(page.body.messages[0].hlc, event!.data.message.hlc)
      assert.strictEqual(Ids.dmChatId(noble, alice.address, bob.address), page.body.messages[0].chat_id.slice(2))
      assert.isTrue(Hlc.parse(event!.data.message.hlc)._tag === "Success")
    }).pipe(Effect.scoped))
})
