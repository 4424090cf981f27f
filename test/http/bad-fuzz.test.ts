/** No input gives a 500 (SPEC §8): valid calls, changed at random, byte for byte. A failing seed is printed with its request. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "node:net"
import {
  type Call,
  call,
  dm,
  groupMessage,
  headersOf,
  identity,
  mark,
  newGroup,
  op,
  send,
  start,
  temporaryDirectory,
  user
} from "./fixture.ts"
import { shared, unhurried } from "./steered-node.ts"

const [alice, bob] = [user(1), user(2)]
const node = shared(Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir, limits: unhurried })))

/** mulberry32: small, and the same everywhere. */
const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

const junk = [
  "",
  "\0",
  "%00",
  "%",
  "%zz",
  "%ff",
  "..",
  "//",
  "é",
  "😀",
  "\ud800",
  "null",
  "undefined",
  "NaN",
  "-1",
  "0",
  "1e999",
  "__proto__",
  "constructor",
  "toString",
  "' OR 1=1 --",
  "${x}",
  "{{x}}",
  "<script>",
  "a".repeat(300),
  "a".repeat(9_000),
  "0x",
  "[]",
  "{}",
  "\"",
  "\\",
  "\\u0000",
  ",",
  ";",
  "=",
  "&",
  "?",
  "#",
  "\t",
  "ﷺ",
  "١",
  "9007199254740993",
  "18446744073709551615",
  "ffffffffffffffff",
  "Infinity",
  "true"
]

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly body: Uint8Array
  readonly announced: number
}

/** One line of a request's head may hold anything but what ends it. */
const line = (text: string) => Buffer.from(text.replaceAll(/[\r\n]/g, ""), "utf8")

const bytesOf = ({ body, headers, method, path }: Sent): Uint8Array =>
  Buffer.concat([
    line(`${method} ${path} HTTP/1.1`),
    ...headers.flatMap(([name, value]) => [Buffer.from("\r\n"), line(`${name}: ${value}`)]),
    Buffer.from("\r\n\r\n"),
    body
  ])

/** The status of the answer, or nothing when the node hung up or waits for more than was sent. */
const statusOf = (sent: Sent): Promise<number | undefined> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(node().url)
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(bytesOf(sent))
      // a body that is shorter than announced: a half-closed connection says that no more comes
      if (sent.announced > sent.body.length) socket.end()
    })
    let text = ""
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      const status = /^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1]
      resolve(status === undefined ? undefined : Number(status))
    }
    const timer = setTimeout(done, 5_000)
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      text += String(chunk)
      if (text.includes("\r\n\r\n")) done()
    })
    socket.on("end", done)
    socket.on("error", done)
  })

describe("random requests", () => {
  it("are answered below 500, or with a documented 503, and the node still works", async () => {
    const { chatId, create } = newGroup(node(), alice, 1, { targets: [bob.address] })
    assert.strictEqual((await call(node(), alice, create)).status, 202)
    const first = await call(node(), alice, groupMessage(alice, chatId, { content: "x" }))
    const calls: ReadonlyArray<() => Call> = [
      () => dm(alice, bob, { content: "héllo", msg_type: 7, control: "AQID" }),
      () => groupMessage(alice, chatId, { content: "x" }),
      () => op(node(), alice, chatId, { op: "set-title", title: "t" }),
      () => op(node(), alice, chatId, { op: "add", targets: [user(9).address] }),
      () => newGroup(node(), alice, 2).create,
      () => mark(alice, chatId, `/groups/${chatId}/messages`, first.body.hlc),
      () => identity(alice, "AQID"),
      () => ({ method: "GET", path: `/dialogs/${bob.address}/messages?limit=10&after=` }),
      () => ({ method: "GET", path: `/groups/${chatId}/messages?before=${first.body.hlc}${"0".repeat(64)}` }),
      () => ({ method: "GET", path: `/groups/${chatId}/messages/${first.body.msg_id}` }),
      () => ({ method: "GET", path: `/groups/${chatId}/members` }),
      () => ({ method: "DELETE", path: `/groups/${chatId}/membership` }),
      () => ({ method: "GET", path: "/conversations?limit=5" }),
      () => ({ method: "GET", path: `/identity/${alice.address}` }),
      () => ({ method: "GET", path: `/node?challenge=${"11".repeat(32)}` }),
      () => ({ method: "GET", path: "/readyz" })
    ]
    const counts = new Map<string, number>()
    for (let seed = 1; seed <= 320; seed++) {
      const random = randomOf(seed)
      const below = (end: number) => Math.floor(random() * end)
      const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
      /** Cuts a piece out of `text`, and puts junk or a piece of itself in its place. */
      const mutated = (text: string): string => {
        const from = below(text.length + 1)
        const to = Math.min(text.length, from + below(4))
        return text.slice(0, from) + (random() < 0.7 ? pick(junk) : text.slice(0, below(10))) + text.slice(to)
      }
      const request = pick(calls)()
      let path = random() < 0.35 ? mutated(request.path) : request.path
      if (random() < 0.1) path += `${path.includes("?") ? "&" : "?"}${pick(junk)}=${pick(junk)}`
      path = path.replaceAll(/[ \t\0]/g, "%20")
      // half of what is changed in the path is signed as changed, so that it gets further than the signature
      const signedCall = request.purpose === undefined && random() < 0.7 ? { ...request, path } : request
      let body = Buffer.from(request.body === undefined ? "" : JSON.stringify(request.body))
      if (random() < 0.45 && body.length > 0) {
        body = random() < 0.5
          ? Buffer.from(mutated(body.toString()))
          : Buffer.concat([
            body.subarray(0, below(body.length)),
            Buffer.of(below(256), below(256)),
            body.subarray(below(body.length))
          ])
      }
      const announced = random() < 0.05 ? below(1_000) : body.length
      const headers: Array<readonly [string, string]> = [
        ["Host", "node"],
        ["Connection", "close"],
        ...Object.entries(headersOf(node(), alice, signedCall)).map(([name, value]) =>
          [name, random() < 0.08 ? mutated(value) : value] as const
        ),
        ...(body.length === 0
          ? []
          : [["Content-Type", random() < 0.1 ? mutated("application/json") : "application/json"] as const]),
        ...(random() < 0.2 ? [["Prefer", mutated("wait=1")] as const] : []),
        ...(random() < 0.1
          ? [[pick(["Accept", "X-Sig-Version", "Last-Event-ID", "Expect", "X-User"]), pick(junk)] as const]
          : []),
        ["Content-Length", String(announced)]
      ]
      const sent = {
        method: random() < 0.08
          ? pick(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"])
          : request.method,
        path,
        headers,
        body,
        announced
      }
      const status = await statusOf(sent)
      const name = status === undefined ? "none" : String(status)
      counts.set(name, (counts.get(name) ?? 0) + 1)
      assert.isTrue(
        status === undefined || status < 500 || (status === 503 && request.path === "/readyz"),
        `seed ${seed}: ${status} to ${Buffer.from(bytesOf(sent)).toString("utf8").slice(0, 2_000)}`
      )
    }
    // the changes are neither all harmless nor all fatal
    for (const status of ["200", "202", "400", "401", "404"])
      assert.isAbove(counts.get(status) ?? 0, 0, JSON.stringify([...counts]))
    assert.isBelow(counts.get("none") ?? 0, 20, JSON.stringify([...counts]))
    assert.strictEqual((await send(node(), { method: "GET", path: "/healthz" })).status, 200)
    const after = dm(alice, bob, { content: "still here" })
    assert.strictEqual((await call(node(), alice, { ...after, headers: { Prefer: "wait=10" } })).status, 201)
    const history = await call(node(), bob, { method: "GET", path: `/dialogs/${alice.address}/messages?limit=1` })
    assert.strictEqual(history.body.messages[0].content, "still here")
  }, 60_000)
})
