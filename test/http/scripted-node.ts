/**
 * A node of a few lines behind an `HttpClient`, for tests of the client alone: it holds a real key, checks every
 * signature by the book, keeps messages, and loses requests or answers on demand.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { Clock, Effect, Result } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Ids from "../../src/domain/ids.ts"
import { nodeIdOf } from "../../src/domain/node-id.ts"
import type { SigVersion } from "../../src/domain/record.ts"
import * as Signature from "../../src/domain/signature.ts"
import { backend } from "../../src/layers/crypto/backend-noble.ts"
import { noble as hashes } from "../../src/layers/crypto/hashes.ts"

export interface Seen {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: { readonly [key: string]: unknown }
  /** The id that the signature covered; absent: the call was not signed. */
  readonly signed?: string | undefined
}

/**
 * What becomes of one exchange: the request is lost, or its answer is, by a cut or by silence; or something else is
 * answered instead.
 */
export type Fault =
  | `lose-${"request" | "answer"}${"" | "-silently"}`
  | { readonly status: number; readonly body: unknown }
  | undefined

interface Answer {
  readonly status: number
  readonly body: unknown
}

export interface ScriptedNode {
  id: Ids.NodeId
  /** Ahead of the test clock, ms. */
  skewMs: number
  /** Decides about an exchange before it happens; `n` counts from 1 the exchanges of this node. */
  fault: (seen: Seen, n: number) => Fault
  /** Every exchange that reached the node, in order, GET /node left out. */
  readonly seen: Array<Seen>
  readonly messages: Map<string, unknown>
  /** GET /node so far. */
  introductions: number
  /** Gets another key, and so another id. */
  rekey(seed: number): void
  /** Signs challenges with a key that is not that of its id. */
  lie: boolean
}

const hexId = (value: unknown, length: number): string => Result.getOrThrow(Bytes.parseHex(String(value), length))
const base64 = (value: unknown): Uint8Array | undefined =>
  typeof value === "string" ? Result.getOrThrow(Bytes.parseBase64(value)) : undefined

/** The id of the record that a write creates, from what was sent alone (SPEC §2, §8). */
const recordId = (seen: Omit<Seen, "signed">, user: Ids.Address, ts: number, node: Ids.NodeId) => {
  const [, zone, name, rest, last] = seen.target.split("?")[0]!.split("/")
  const { body } = seen
  const chatId = () =>
    zone === "groups"
      ? hexId(name, 32) as Ids.ChatId
      : Ids.dmChatId(hashes, user, hexId(name, 20) as Ids.Address)
  const ops = { create: 0, add: 1, remove: 2, "set-title": 3 } as const
  if (seen.method === "POST" && rest === "messages" && last === "read") {
    const upTo = BigInt(`0x${body["up_to"] as string}`) as never
    return ["read", Ids.readId(hashes, { chatId: chatId(), reader: user, ts, upTo })] as const
  }
  if (seen.method === "POST" && rest === "messages") {
    return [
      "message",
      Ids.messageId(hashes, {
        chatId: chatId(),
        sender: user,
        ts,
        msgType: (body["msg_type"] as number | undefined) ?? 0,
        content: body["content"] as string,
        control: base64(body["control"])
      })
    ] as const
  }
  if (seen.method === "PUT") {
    return ["identity", Ids.identityId(hashes, { address: user, ts, blob: base64(body["identity"])! })] as const
  }
  if (rest === "ops" || seen.method === "DELETE") {
    const leave = seen.method === "DELETE"
    return [
      "op",
      Ids.opId(hashes, {
        chatId: chatId(),
        actor: user,
        ts,
        node,
        op: leave ? 2 : ops[body["op"] as keyof typeof ops],
        role: body["role"] === "admin" ? 1 : 0,
        targets: leave
          ? [user]
          : ((body["targets"] as Array<string> | undefined) ?? []).map((t) => hexId(t, 20) as never),
        title: body["title"] as string | undefined,
        nonce: body["nonce"] === undefined ? undefined : hexId(body["nonce"], 16) as Ids.Nonce
      })
    ] as const
  }
  return undefined
}

const refuse = (status: number, _tag: string, fields: object): Answer => ({
  status,
  body: { _tag, message: `scripted ${_tag}`, ...fields }
})

export const make = (): { readonly node: ScriptedNode; readonly http: HttpClient.HttpClient } => {
  let secret = new Uint8Array(32).fill(7)
  const idOf = () => nodeIdOf({ type: "ed25519", publicKey: ed25519.getPublicKey(secret) })
  const first = new Map<string, Answer>()
  const requests = new Set<string>()
  let exchanges = 0
  const node: ScriptedNode = {
    id: idOf(),
    skewMs: 0,
    fault: () => undefined,
    seen: [],
    messages: new Map(),
    introductions: 0,
    rekey: (seed) => {
      secret = new Uint8Array(32).fill(seed)
      node.id = idOf()
    },
    lie: false
  }

  const introduce = (url: URL, now: number): Answer => {
    node.introductions++
    const challenge = Bytes.fromHex(url.searchParams.get("challenge")!)
    const key = node.lie ? new Uint8Array(32).fill(99) : secret
    const signature = Bytes.toHex(ed25519.sign(Signature.challengeBytes(challenge, node.id), key))
    return {
      status: 200,
      body: { peer_id: node.id, addresses: [], version: "0", network: "", time: now, limits: {}, signature }
    }
  }

  const answer = (seen: Omit<Seen, "signed">, now: number): readonly [Answer, signed?: string] => {
    const { headers } = seen
    const user = hexId(headers["x-user"], 20) as Ids.Address
    const ts = Number(headers["x-ts"])
    if (headers["x-node"] !== node.id) return [refuse(401, "Unauthenticated", { reason: "wrong-node", node: node.id })]
    if (Math.abs(ts - now) > 30_000) return [refuse(401, "Unauthenticated", { reason: "expired", time: now })]
    const record = recordId(seen, user, ts, node.id)
    const [purpose, id] = record ?? ["request" as const, Ids.requestId(hashes, seen.method, seen.target)]
    const sig = Result.getOrThrow(Signature.parseSignature(headers["x-sig"]!))
    const text = Signature.stringToSign(purpose, ts, node.id, id)
    const digest = Signature.signedDigest(hashes, Number(headers["x-sig-version"] ?? 1) as SigVersion, text)
    if (backend.recover(digest, sig.subarray(0, 64), sig[64] as 0 | 1) !== user) {
      return [refuse(401, "Unauthenticated", { reason: "bad-signature" }), id]
    }
    if (record === undefined) {
      if (requests.has(headers["x-sig"]!)) return [refuse(401, "Unauthenticated", { reason: "replayed" }), id]
      requests.add(headers["x-sig"]!)
      return [look(seen), id]
    }
    const known = first.get(id)
    if (known !== undefined) return [known, id]
    const made = take(seen, user, ts, now, record)
    first.set(id, made)
    return [made, id]
  }

  const take = (
    seen: Omit<Seen, "signed">,
    user: Ids.Address,
    ts: number,
    now: number,
    [kind, id]: NonNullable<ReturnType<typeof recordId>>
  ): Answer => {
    const hlc = (BigInt(now) << 16n).toString(16).padStart(16, "0")
    const status = seen.headers["prefer"] === undefined ? 202 : 201
    if (kind !== "message") return { status, body: { [`${kind}_id`]: `0x${id}`, hlc } }
    const peer = hexId(seen.target.split("/")[2], 20) as Ids.Address
    const chat_id = `0x${Ids.dmChatId(hashes, user, peer)}`
    node.messages.set(id, { msg_type: 0, ...seen.body, msg_id: `0x${id}`, chat_id, sender: `0x${user}`, ts, hlc })
    return { status, body: { msg_id: `0x${id}`, chat_id, hlc } }
  }

  const look = (seen: Omit<Seen, "signed">): Answer => {
    const url = new URL(seen.target, "http://node")
    const one = /\/messages\/0x([0-9a-f]{64})$/.exec(url.pathname)?.[1]
    if (one !== undefined) {
      const message = node.messages.get(one)
      return message === undefined ? refuse(404, "NotFound", {}) : { status: 200, body: message }
    }
    if (url.pathname.endsWith("/messages")) {
      const [limit, from] = [Number(url.searchParams.get("limit") ?? 50), Number(url.searchParams.get("before") ?? 0)]
      const newestFirst = [...node.messages.values()].reverse().slice(from, from + limit)
      const next = from + limit < node.messages.size ? String(from + limit) : null
      return { status: 200, body: { messages: newestFirst, next } }
    }
    return { status: 200, body: { conversations: [], next: null } }
  }

  const lost = (request: HttpClientRequest.HttpClientRequest) =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.TransportError({ request, cause: new Error("connection reset") })
    })

  const http = HttpClient.make(Effect.fnUntraced(function*(request, url) {
    const sent = {
      method: request.method,
      target: url.pathname + url.search,
      headers: request.headers,
      body: request.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : {}
    }
    const fault = node.fault(sent, ++exchanges)
    const now = (yield* Clock.currentTimeMillis) + node.skewMs
    if (fault === "lose-request") return yield* Effect.fail(lost(request))
    if (fault === "lose-request-silently") return yield* Effect.never
    let result: Answer
    if (url.pathname === "/node") result = introduce(url, now)
    else {
      const [made, signed] = typeof fault === "object" ? [fault] : answer(sent, now)
      node.seen.push({ ...sent, signed })
      result = made
    }
    if (fault === "lose-answer") return yield* Effect.fail(lost(request))
    if (fault === "lose-answer-silently") return yield* Effect.never
    return HttpClientResponse.fromWeb(request, Response.json(result.body, { status: result.status }))
  }))
  return { node, http }
}
