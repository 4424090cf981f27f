/**
 * The short way of calls gives what the API's schemas give: status, headers and body, byte for byte, for thousands of valid and
 * invalid requests, at a node's own server and in anyone's router. Three nodes of one key, at one standing time, see the same
 * requests in the same order.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Layer, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { createServer, Server as NodeServer } from "node:http"
import { connect } from "node:net"
import { Inbox, MessagePage } from "../../src/api/NodeApi.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Ids from "../../src/domain/ids.ts"
import { signedDigest, stringToSign } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { FirstServer } from "../../src/layers/http/listener.ts"
import {
  layerApi,
  layerBySchema,
  layerCors,
  layerCounted,
  layerNotFound,
  type RoutesOptions
} from "../../src/layers/http/routes.ts"
import type * as Server from "../../src/layers/http/server.ts"
import { Dice } from "../domain/records.ts"
import { dm, headersOf, newGroup, op, type Running, sign, user } from "./fixture.ts"
import { shared, steered } from "./steered-node.ts"

const startMs = 1_900_000_000_000
const requestsCount = 600
const [alice, bob, carol, stranger] = [user(1), user(2), user(3), user(4)]

/** Any router, without the node's own listener. */
const inRouter = (routes: (options: RoutesOptions) => ReturnType<typeof layerApi> | ReturnType<typeof layerBySchema>) =>
  ((options: Server.ServerOptions) =>
    HttpRouter.serve(Layer.mergeAll(routes(options), layerNotFound, layerCors, layerCounted), {
      disableLogger: true,
      disableListenLog: true
    }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { host: options.host, port: options.port }))
    )) as unknown as typeof Server.layer

const one = { atMs: startMs, seed: new Uint8Array(32).fill(7) }
const bySchema = shared(steered({ ...one, serve: inRouter(layerBySchema) }))
const byMiddleware = shared(steered({ ...one, serve: inRouter(layerApi) }))
const byListener = shared(steered(one))

interface Drawn {
  readonly method: string
  readonly path: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body?: Uint8Array | undefined
  /** Sends the body some time after the head. */
  readonly slow: boolean
}

const bytesOf = ({ body, headers, method, path }: Drawn): readonly [head: Buffer, body: Uint8Array] => [
  Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n` +
      Object.entries(headers).map(([name, value]) => value === undefined ? "" : `${name}: ${value}\r\n`).join("") +
      "\r\n",
    "latin1"
  ),
  body ?? new Uint8Array()
]

/** All that comes back, without the time of day. `between` runs before a slow body is sent. */
const ask = (node: Running, drawn: Drawn, between: () => void = () => {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const [head, body] = bytesOf(drawn)
    const chunks: Array<Buffer> = []
    const socket = connect(Number(new URL(node.url).port), "127.0.0.1", () => {
      socket.setNoDelay(true)
      if (drawn.slow) {
        socket.write(head)
        setTimeout(() => {
          between()
          socket.write(body)
        }, 20)
      } else socket.write(Buffer.concat([head, body]))
    })
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.on("error", reject)
    socket.on("end", () => resolve(Buffer.concat(chunks).toString().replace(/\r\nDate: [^\r]*/, "")))
  })

const texts = ["", "hi", "hällo 😀", "\"\\\n\u0001\u2028", "x".repeat(200), "ä".repeat(16_384), "ä".repeat(16_385)]
const rawBodies = [
  "",
  "null",
  "[]",
  "5",
  "{",
  "{\"content\":\"a\",\"content\":\"b\"}",
  "{\"content\":\"a\",\"con\\u0074ent\":\"b\"}",
  "{\"content\":\"\\ud800\"}",
  "{\"content\":\"a\",\"__proto__\":1}",
  "{\"content\":{\"a\":1}}",
  "\ufeff{\"content\":\"a\"}",
  " {\"content\" : \"a\"} "
]
const queries = [
  "",
  "?limit=1",
  "?limit=500",
  "?limit=2&before=",
  "?after=",
  "?after=&limit=3",
  "?limit=0",
  "?limit=01",
  "?limit=501",
  "?limit=1e2",
  "?limit=1&limit=1",
  "?before=&after=",
  "?before=zz",
  "?before=00",
  `?before=${"f".repeat(80)}`,
  `?before=${"7".repeat(80)}`,
  `?after=${"0".repeat(80)}`,
  `?after=${"A".repeat(80)}`,
  "?",
  "?x=1",
  "?limit",
  "?limit=1#x",
  "?limit=%31"
]

/** Begins with a group, and gives what draws requests about it. */
const drawing = async () => {
  const dice = new Dice(20_261_123)
  const { id } = byListener()
  let ts = startMs
  const { chatId } = newGroup({ id }, alice, 5)
  const nonce = Bytes.toHex(new Uint8Array(16).fill(5))
  const create = op({ id }, alice, chatId, { op: "create", nonce, targets: [bob.address] }, startMs)
  const created = bytesOfCall(create, headersOf({ id }, alice, create))
  for (const node of [bySchema, byMiddleware, byListener]) assert.match(await ask(node(), created), /^HTTP\/1.1 202/)

  const mostly = <A>(usual: A, ...others: ReadonlyArray<A>): A => dice.below(40) > 0 ? usual : dice.pick(others)

  const bodyOf = (): {
    readonly bytes: Uint8Array
    readonly fields: Pick<Ids.MessageFields, "content" | "msgType" | "control">
  } => {
    if (dice.below(6) === 0) {
      const text = dice.pick(rawBodies)
      return { bytes: Bytes.fromText(text), fields: { content: "a", msgType: 0 } }
    }
    const content = dice.pick(texts)
    const msg_type = mostly<unknown>(undefined, 0, 7, 255, 256, -1, 1.5, "1", null)
    const control = mostly<unknown>(undefined, "", "AAE=", "AAE", "AAF=", "#", null, 5)
    const extra = mostly<object>({}, { extra: 1 }, { Content: "x" })
    const bytes = Bytes.fromText(JSON.stringify({ content, msg_type, control, ...extra }))
    const opaque = typeof control === "string" ? Bytes.parseBase64(control) : undefined
    const fields = {
      content,
      msgType: typeof msg_type === "number" && Number.isInteger(msg_type) ? msg_type & 0xff : 0,
      ...(opaque?._tag === "Success" ? { control: opaque.success } : {})
    }
    return dice.below(20) === 0 ? { bytes: Uint8Array.of(...bytes, 0xff), fields } : { bytes, fields }
  }

  const draw = (): Drawn => {
    const who = mostly(alice, bob, carol)
    const peer = mostly(bob, alice, stranger).address
    const isWrite = dice.below(2) === 0
    const inGroup = dice.below(3) === 0
    const chat = inGroup ? mostly(chatId, "ab".repeat(32) as Ids.ChatId) : Ids.dmChatId(noble, who.address, peer)
    const name = inGroup ? chat : peer
    const shown = mostly(`0x${name}`, name, `0X${name}`, `0x${name.toUpperCase()}`, `0x${name.slice(2)}`, `%30x${name}`)
    const kind = inGroup ? "groups" : "dialogs"
    const place = isWrite || dice.below(3) > 0
      ? mostly(`/${kind}/${shown}/messages`, `//${kind}/${shown}/messages`, `/${kind}/${shown}/messages/`)
      : mostly("/conversations", "/conversations/", "/Conversations", "/conversationsx")
    const path = place + (isWrite ? mostly("", "?", "?x=1") : dice.pick(queries))
    const method = mostly(isWrite ? "POST" : "GET", "GET", "HEAD", "PUT", "POST")
    const { bytes, fields } = bodyOf()
    const hasBody = isWrite ? dice.below(30) > 0 : dice.below(30) === 0
    ts += 1
    const at = mostly(ts, startMs - 30_001, startMs + 30_001, startMs + 30_000)
    const digest = isWrite
      ? Ids.messageId(noble, { chatId: chat, sender: who.address, ts: at, ...fields })
      : Ids.requestId(noble, method, path)
    const version = mostly<1 | 2 | undefined>(undefined, 1, 2)
    const text = stringToSign(isWrite ? "message" : "request", at, id, digest)
    const sig = sign(mostly(who, stranger).key, signedDigest(noble, version ?? 1, text))
    const flipped = sig.slice(0, 128) + (sig.endsWith("1b") ? "1c" : "1b")
    return {
      method,
      path,
      slow: hasBody && dice.below(15) === 0,
      headers: {
        "X-User": mostly<string | undefined>(`0x${who.address}`, who.address.toUpperCase(), undefined, "0x12", ""),
        "X-Ts": mostly<string | undefined>(String(at), undefined, `0${at}`, `${at}.0`, "281474976710656"),
        "X-Node": mostly<string | undefined>(id, undefined, `${id.slice(0, -1)}1`, "x"),
        "X-Sig": mostly<string | undefined>(`0x${sig}`, sig, flipped, undefined, "00".repeat(65), sig.slice(2)),
        "X-Sig-Version": mostly<string | undefined>(version?.toString(), "3", ""),
        "Accept": mostly<string | undefined>(
          undefined,
          "*/*",
          "application/json",
          "text/html",
          "application/json;q=0",
          ""
        ),
        "Prefer": mostly<string | undefined>(undefined, "wait=2", "wait=0", "respond-async, wait=1", "wait=x"),
        "Origin": mostly<string | undefined>(undefined, "https://example.org"),
        ...(hasBody
          ? {
            "Content-Type": mostly<string | undefined>(
              "application/json",
              "application/json; charset=utf-8",
              "application/json; charset=latin1",
              "text/plain",
              undefined
            ),
            "Content-Length": String(bytes.length)
          }
          : {})
      },
      body: hasBody ? bytes : undefined
    }
  }

  return draw
}

const bytesOfCall = (call: { readonly method: string; readonly path: string; readonly body?: unknown }, headers: {
  readonly [name: string]: string
}): Drawn => {
  const body = Bytes.fromText(JSON.stringify(call.body))
  return {
    method: call.method,
    path: call.path,
    headers: { ...headers, "Content-Type": "application/json", "Content-Length": String(body.length) },
    body,
    slow: false
  }
}

/** Counts the requests that the listener of a node's own server hands on. */
const handedOn = async (during: () => Promise<void>): Promise<number> => {
  const { emit } = NodeServer.prototype
  let count = 0
  NodeServer.prototype.emit = function(this: NodeServer, event: string | symbol, ...args: Array<never>) {
    if (event === "request" && this instanceof FirstServer) count++
    return Reflect.apply(emit, this, [event, ...args]) as boolean
  } as typeof emit
  try {
    await during()
  } finally {
    NodeServer.prototype.emit = emit
  }
  return count
}

describe("the short way", () => {
  it("answers as the schemas do, whatever comes", async () => {
    const draw = await drawing()
    const seen = new Map<string, number>()
    const passed = await handedOn(async () => {
      for (let i = 0; i < requestsCount; i++) {
        const drawn = draw()
        const expected = await ask(bySchema(), drawn)
        const of = Buffer.concat(bytesOf(drawn)).toString().slice(0, 1_500)
        assert.strictEqual(await ask(byMiddleware(), drawn), expected, `in a router:\n${of}`)
        assert.strictEqual(await ask(byListener(), drawn), expected, `at the server:\n${of}`)
        const status = expected.slice(9, 12)
        seen.set(status, (seen.get(status) ?? 0) + 1)
        assert.notStrictEqual(status, "500", of)
      }
    })
    for (const status of ["200", "202", "201", "400", "401", "404", "405", "406", "415"]) {
      assert.isAbove(seen.get(status) ?? 0, 0, `no answer ${status}: ${JSON.stringify([...seen])}`)
    }
    assert.isAbove(requestsCount - passed, requestsCount / 5, "hardly a request went the short way")
    assert.isAbove(passed, requestsCount / 5, "hardly a request was irregular")
  }, 240_000)

  it("writes pages as the schemas encode them", async () => {
    const pages = [["/conversations", Inbox], [`/dialogs/0x${bob.address}/messages?limit=500`, MessagePage]] as const
    for (const [n, [path, schema]] of pages.entries()) {
      const headers = headersOf(byListener(), alice, { method: "GET", path, ts: startMs + 1 + n })
      const text = await ask(byListener(), { method: "GET", path, headers, slow: false })
      const body = text.slice(text.indexOf("\r\n\r\n") + 4)
      const codec = Schema.toCodecJson(schema as typeof MessagePage)
      const decoded = Schema.decodeSync(codec)(JSON.parse(body) as never)
      assert.strictEqual(JSON.stringify(Schema.encodeSync(codec)(decoded)), body)
    }
  }, 60_000)

  it("looks at the time once, when the head is here: a body may come when it is over", async () => {
    for (const node of [bySchema(), byMiddleware(), byListener()]) {
      node.clock.atMs = startMs + 60_000
      const sent = dm(alice, bob, { content: "slow" }, startMs + 31_000)
      const headers = headersOf(node, alice, sent)
      const text = await ask(node, { ...bytesOfCall(sent, headers), slow: true }, () => {
        node.clock.atMs = startMs + 65_000
      })
      assert.strictEqual(text.slice(9, 12), "202", text)
    }
  })
})
