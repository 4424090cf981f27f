/**
 * Requests to a whole node, byte for byte. An input is a request with names in place of what changes from run to run:
 * `@SIG@` is made over the request as it stands after all changes, so that most inputs get past the proof.
 */
import { Effect, Exit, Scope } from "effect"
import { connect } from "node:net"
import * as Bytes from "../../../src/domain/bytes.ts"
import * as Ids from "../../../src/domain/ids.ts"
import { type Purpose, signedDigest, stringToSign } from "../../../src/domain/signature.ts"
import { noble } from "../../../src/layers/crypto/hashes.ts"
import {
  call,
  freshTs,
  groupMessage,
  newGroup,
  type Running,
  sign,
  start,
  temporaryDirectory,
  user
} from "../../http/fixture.ts"
import { unhurried } from "../../http/steered-node.ts"
import type { Mutator } from "../mutators.ts"
import { must, shapeOf, type Target } from "../target.ts"
import { jsonMutators, textMutators, textOf } from "../text.ts"

const [alice, bob] = [user(1), user(2)]
const utf8 = new TextEncoder()

/** The lines of a signed request; what follows is its body. */
const request = (line: string, body = "", more: ReadonlyArray<string> = []): Uint8Array =>
  utf8.encode([
    `${line} HTTP/1.1`,
    "Host: node",
    "Connection: close",
    "X-User: @USER@",
    "X-Ts: @TS@",
    "X-Node: @NODE@",
    "X-Sig: @SIG@",
    ...more,
    ...(body === "" ? [] : ["Content-Type: application/json", "Content-Length: @LEN@"]),
    "",
    body
  ].join("\n"))

const seeds: ReadonlyArray<Uint8Array> = [
  request("POST /dialogs/@PEER@/messages", `{"content":"h\\u00e9llo","msg_type":7,"control":"AQID"}`, [
    "Prefer: wait=1"
  ]),
  request("POST /groups/@GROUP@/messages", `{"content":"x"}`, ["X-Sig-Version: 1"]),
  request("POST /groups/@GROUP@/messages/read", `{"up_to":"@HLC@"}`),
  request("POST /groups/@GROUP@/ops", `{"op":"set-title","title":"t"}`),
  request("POST /groups/@GROUP@/ops", `{"op":"add","targets":["@PEER@"],"role":"admin"}`),
  request("POST /groups/@GROUP@/ops", `{"op":"remove","targets":["@PEER@"]}`),
  request("POST /groups/@NEW@/ops", `{"op":"create","targets":["@PEER@"],"title":"n","nonce":"${"02".repeat(16)}"}`),
  request("DELETE /groups/@GROUP@/membership"),
  request("PUT /identity", `{"identity":"AQID"}`),
  request("GET /identity/@USER@"),
  request("GET /dialogs/@PEER@/messages?limit=10&after="),
  request(`GET /groups/@GROUP@/messages?before=@HLC@${"0".repeat(64)}`, "", ["Accept: application/json"]),
  request(`GET /groups/@GROUP@/messages?after=7fffffffffffffff${"f".repeat(64)}`),
  request(`GET /conversations?after=ffffffffffffffff${"0".repeat(64)}`),
  request("GET /groups/@GROUP@/messages/@MSG@"),
  request("GET /groups/@GROUP@/members"),
  request("GET /conversations?limit=5&after="),
  request(`GET /node?challenge=${"11".repeat(32)}`),
  request("GET /readyz"),
  request("OPTIONS /conversations", "", ["Origin: http://a", "Access-Control-Request-Headers: x-sig"]),
  request("HEAD /metrics"),
  request("POST /dialogs/@PEER@/messages", `{"content":"x"}`, ["Transfer-Encoding: chunked", "Expect: 100-continue"])
]

/** A header more, twice, folded, or of a strange form. */
const changeHeader: Mutator = (dice, input) => {
  const lines = textOf(input).split("\n")
  const end = Math.max(1, lines.indexOf(""))
  lines.splice(
    1 + dice.below(end),
    dice.below(2),
    dice.pick([
      lines[1 + dice.below(Math.max(1, end - 1))] ?? "",
      "Content-Length: 5",
      "Content-Length: 18446744073709551616",
      "Content-Length: -1",
      "Content-Length: 0x10",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: gzip, chunked",
      "Transfer-Encoding : chunked",
      "Content-Encoding: gzip",
      "Content-Type: application/json; charset=utf-16",
      "Content-Type: multipart/form-data; boundary=x",
      "Content-Type: application/x-www-form-urlencoded",
      "Expect: 100-continue",
      "Expect: x",
      "Upgrade: websocket",
      "Connection: upgrade, keep-alive",
      "Accept: text/html;q=0",
      "Accept: */*;q=x",
      "Prefer: wait=99999999999999999999",
      "Prefer: wait=\"3\"; a, wait=",
      "X-Sig-Version: 2",
      "X-Sig-Version: 3",
      "X-User:",
      "X-Ts: 0281474976710656",
      "X-Ts: 281474976710656",
      " folded: yes",
      ": no name",
      "no colon",
      "Cookie: a=b; __proto__=c",
      `X-Long: ${"a".repeat(20_000)}`,
      "__proto__: x",
      "Host: a\0b",
      "Range: bytes=0-1"
    ])
  )
  return utf8.encode(lines.join("\n"))
}

/** What comes after the first empty line, changed as JSON. */
const changeBody: Mutator = (dice, input, other) => {
  const text = textOf(input)
  const at = text.indexOf("\n\n") + 2
  if (at < 2 || at >= text.length) return dice.pick(textMutators)(dice, input, other)
  const body = dice.pick(jsonMutators)(dice, utf8.encode(text.slice(at)), other)
  return Bytes.concat([utf8.encode(text.slice(0, at)), body])
}

interface Names {
  readonly [name: string]: string
}

const replaced = (text: string, names: Names): string =>
  text.replace(/@([A-Z]+)@/g, (whole, name: string) => Object.hasOwn(names, name) ? names[name]! : whole)

/** What the caller signs: the record that her request makes, if it makes one, else the request. */
const signedAs = (
  method: string,
  path: string,
  body: string,
  ts: number,
  node: Ids.NodeId
): readonly [Purpose, string] => {
  const isRequest = ["request", Ids.requestId(noble, method, path)] as const
  const place = /^\/(dialogs|groups)\/(?:0x)?([0-9a-f]+)\/(messages\/read|messages|ops|membership)$/.exec(path)
  try {
    const hexOf = (text: unknown): string => String(text).replace(/^0x/, "")
    // oxlint-disable-next-line typescript/no-explicit-any -- whatever JSON is there; what does not fit signs the request
    const value: any = body === "" ? {} : JSON.parse(body)
    if (method === "PUT" && path === "/identity") {
      const blob = Uint8Array.fromBase64(value.identity)
      return ["identity", Ids.identityId(noble, { address: alice.address, ts, blob })]
    }
    if (place === null) return isRequest
    const id = place[2] as Ids.Address
    const chatId = place[1] === "groups" ? id as string as Ids.ChatId : Ids.dmChatId(noble, alice.address, id)
    if (method === "POST" && place[3] === "messages") {
      const control = value.control === undefined ? {} : { control: Uint8Array.fromBase64(value.control) }
      const fields = { chatId, sender: alice.address, ts, msgType: value.msg_type ?? 0, content: value.content }
      return ["message", Ids.messageId(noble, { ...fields, ...control })]
    }
    if (method === "POST" && place[3] === "messages/read") {
      const upTo = BigInt(`0x${value.up_to}`) as Ids.ReadFields["upTo"]
      return ["read", Ids.readId(noble, { chatId, reader: alice.address, ts, upTo })]
    }
    const leaves = method === "DELETE" && place[3] === "membership"
    if (!leaves && place[3] !== "ops") return isRequest
    const op = leaves ? 2 : ["create", "add", "remove", "set-title"].indexOf(value.op)
    const targets = leaves ? [alice.address] : (value.targets ?? []).map(hexOf)
    return [
      "op",
      Ids.opId(noble, {
        chatId,
        actor: alice.address,
        ts,
        node,
        op: op as Ids.OpType,
        role: value.role === "admin" ? 1 : 0,
        targets,
        ...(value.title === undefined ? {} : { title: value.title }),
        ...(value.nonce === undefined ? {} : { nonce: hexOf(value.nonce) as Ids.Nonce })
      })
    ]
  } catch {
    return isRequest
  }
}

/** The bytes to send: names filled in, lines ended as HTTP wants them, signed as they then are. */
const written = (input: Uint8Array, node: Running, names: Names): Uint8Array => {
  const split = Buffer.from(input).indexOf("\n\n")
  const headBytes = split < 0 ? input : input.subarray(0, split)
  const rawBody = split < 0 ? new Uint8Array() : input.subarray(split + 2)
  const bodyText = Bytes.toText(rawBody)
  const body = bodyText === undefined ? rawBody : utf8.encode(replaced(bodyText, names))
  const ts = freshTs()
  const head = textOf(headBytes)
  const [method = "", target = ""] = replaced(head.split("\n")[0]!, names).split(" ")
  const [purpose, digest] = signedAs(method, target, Bytes.toText(body) ?? "", ts, node.id)
  const sig = sign(alice.key, signedDigest(noble, 1, stringToSign(purpose, ts, node.id, digest)))
  const whole = replaced(head, { ...names, TS: String(ts), SIG: sig, LEN: String(body.length) })
  // bytes that are no text go out as they came
  const lines = Bytes.toText(headBytes) === undefined ? Buffer.from(whole, "latin1") : Buffer.from(whole, "utf8")
  return Bytes.concat([Buffer.from(lines.toString("latin1").replaceAll("\n", "\r\n") + "\r\n\r\n", "latin1"), body])
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** The longest that a node lets a caller wait for one answer, and time for a busy machine. */
const answerMsMax = 25_000

/** The first answer; nothing when the node hung up without one. Fails when it does neither. */
const answerTo = (node: Running, bytes: Uint8Array): Promise<Answer | undefined> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(node.url)
    // both halves: nothing more will come, so that a body which is cut off ends
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.end(bytes))
    let text = ""
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      const final = text.replace(/^(?:HTTP\/1\.1 1[0-9]{2}.*?\r\n\r\n)+/s, "")
      const found = /^HTTP\/1\.1 ([0-9]{3})[^\r]*\r\n(.*?)\r\n\r\n(.*)$/s.exec(final)
      if (found === null) return resolve(undefined)
      const type = /^content-type: *([^\r;]*)/im.exec(found[2]!)?.[1] ?? ""
      resolve({ status: Number(found[1]), type, body: found[3]! })
    }
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no answer within ${answerMsMax} ms`))
    }, answerMsMax)
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => text += String(chunk))
    socket.on("close", done)
    socket.on("error", () => {})
  })

const looksLikeAStack = /\n\s+at |node:internal|file:\/\//

export const http = async (): Promise<Target> => {
  const scope = Scope.makeUnsafe()
  const node = await Effect.runPromise(
    Scope.provide(Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir, limits: unhurried })), scope)
  )
  const { chatId, create } = newGroup(node, alice, 1, { targets: [bob.address] })
  must((await call(node, alice, create)).status === 202, "no group")
  const first = await call(node, alice, groupMessage(alice, chatId, { content: "x" }))
  const names: Names = {
    USER: `0x${alice.address}`,
    PEER: bob.address,
    NODE: node.id,
    GROUP: chatId,
    NEW: Ids.groupChatId(noble, alice.address, "02".repeat(16) as Ids.Nonce),
    HLC: first.body.hlc,
    MSG: first.body.msg_id.slice(2)
  }
  const run = async (input: Uint8Array): Promise<string> => {
    const answer = await answerTo(node, written(input, node, names))
    if (answer === undefined) return "hung up"
    const { body, status, type } = answer
    const said = `${status}: ${body.slice(0, 500)}`
    must(status < 500 || status === 503, said)
    must(type !== "application/json" || !looksLikeAStack.test(body), `a stack trace in ${said}`)
    const tag = /"_tag":"([A-Za-z]+)"/.exec(body)?.[1] ?? ""
    must(status !== 503 || tag === "Overloaded" || body.includes("\"ready\":false"), `not told why: ${said}`)
    const reason = /"(?:reason|field)":"([^"]{1,24})"/.exec(body)?.[1] ?? ""
    const message = /"message":"([^"]*)"/.exec(body)?.[1] ?? ""
    return `${status} ${tag} ${shapeOf(reason)} ${shapeOf(message.replace(/\\n.*/s, "")).slice(0, 40)}`
  }
  const close = async (): Promise<void> => {
    try {
      // it still works
      const health = await fetch(`${node.url}/healthz`)
      must(health.status === 200, `afterwards it is not well: ${health.status}`)
      const after = await call(
        node,
        alice,
        groupMessage(alice, newGroup(node, alice, 1).chatId, { content: "still here" })
      )
      must([202, 403].includes(after.status), `afterwards a message is answered by ${after.status}`)
    } finally {
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
  return {
    name: "http",
    bytesMax: 32 * 1024,
    mutators: [
      ...textMutators,
      ...Array.from({ length: 6 }, () => changeHeader),
      ...Array.from({ length: 12 }, () => changeBody)
    ],
    seeds,
    shortCases: 80,
    run,
    close
  }
}
