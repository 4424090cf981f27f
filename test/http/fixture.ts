/**
 * A whole node for tests: real HTTP on a free port, real SQLite in a directory of its own, and a signer that shares no
 * code with the typed client.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Ids from "../../src/domain/ids.ts"
import type { IngestLimits } from "../../src/domain/limits.ts"
import { type Purpose, signedDigest, stringToSign } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { layer, type NodeOptions } from "../../src/layers/node-live.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"

/** Makes a directory under the system's temporary one, removed with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** A user with a private key made of one repeated byte. */
export const user = (byte: number) => {
  const key = new Uint8Array(32).fill(byte)
  const publicKey = secp256k1.getPublicKey(key, false)
  return { key, address: Bytes.toHex(noble.keccak256(publicKey.subarray(1)).subarray(12)) as Ids.Address }
}
export type User = ReturnType<typeof user>

/** r || s || v in hex, v as 27 or 28. */
export const sign = (key: Uint8Array, digest: Uint8Array): string => {
  const signature = secp256k1.Signature.fromBytes(
    secp256k1.sign(digest, key, { prehash: false, format: "recovered" }),
    "recovered"
  )
  return Bytes.toHex(signature.toBytes("compact")) + Bytes.toHex(Bytes.u8(27 + signature.recovery!))
}

export interface Running {
  readonly url: string
  readonly id: Ids.NodeId
}

/** The node `options` describe, on a free port of 127.0.0.1; missing options have defaults. */
export const start = (
  options: Partial<NodeOptions> & { readonly dataDir: string; readonly limits?: Partial<IngestLimits> }
) =>
  Layer.build(layer({ network: "", http: { host: "127.0.0.1", port: 0 }, ...options })).pipe(
    Effect.flatMap((context) =>
      Effect.gen(function*() {
        const server = yield* HttpServer.HttpServer
        const running: Running = { url: HttpServer.formatAddress(server.address), id: (yield* NodeKey).id }
        return { ...running, context }
      }).pipe(Effect.provideContext(context))
    )
  )

export interface Call {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string | undefined }
  /** What the signature covers; absent: the request itself. */
  readonly purpose?: Purpose
  readonly digest?: string
  readonly ts?: number
  readonly version?: 1 | 2
}

let lastTs = 0

/** A time that no other signature of this process has. */
export const freshTs = (): number => lastTs = Math.max(Date.now(), lastTs + 1)

/** The signature headers of a call. */
export const headersOf = (node: Pick<Running, "id">, who: User, call: Call): { readonly [name: string]: string } => {
  const ts = call.ts ?? freshTs()
  const digest = call.digest ?? Ids.requestId(noble, call.method, call.path)
  const text = stringToSign(call.purpose ?? "request", ts, node.id, digest)
  return {
    "X-User": `0x${who.address}`,
    "X-Ts": String(ts),
    "X-Node": node.id,
    "X-Sig": sign(who.key, signedDigest(noble, call.version ?? 1, text)),
    ...(call.version === undefined ? {} : { "X-Sig-Version": String(call.version) })
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever JSON came
  readonly body: any
}

/** Sends `headers` as they are, without those that are undefined; a string or bytes as `body` go out unchanged. */
export const send = async (
  node: Running,
  call: Pick<Call, "method" | "path" | "body">,
  headers: { readonly [name: string]: string | undefined } = {}
): Promise<Answer> => {
  const { body } = call
  const raw = body === undefined || typeof body === "string" || body instanceof Uint8Array
  const response = await fetch(node.url + call.path, {
    method: call.method,
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...Object.fromEntries(
        Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
      )
    },
    ...(body === undefined ? {} : { body: (raw ? body : JSON.stringify(body)) as string })
  })
  const text = await response.text()
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true
  return { status: response.status, headers: response.headers, body: isJson && text !== "" ? JSON.parse(text) : text }
}

/** Signs and sends. `headers` of the call replace signature headers; undefined ones are left out. */
export const call = (node: Running, who: User, request: Call): Promise<Answer> =>
  send(node, request, { ...headersOf(node, who, request), ...request.headers })

interface Draft {
  readonly content: string
  readonly msg_type?: number
  readonly control?: string
}

const messageCall = (chatId: Ids.ChatId, path: string, who: User, draft: Draft, ts: number): Call => ({
  method: "POST",
  path,
  body: draft,
  purpose: "message",
  ts,
  digest: Ids.messageId(noble, {
    chatId,
    sender: who.address,
    ts,
    msgType: draft.msg_type ?? 0,
    content: draft.content,
    ...(draft.control === undefined ? {} : { control: Uint8Array.fromBase64(draft.control) })
  })
})

/** A direct message. */
export const dm = (who: User, peer: User, draft: Draft, ts = freshTs()): Call =>
  messageCall(Ids.dmChatId(noble, who.address, peer.address), `/dialogs/0x${peer.address}/messages`, who, draft, ts)

/** A message to a group. */
export const groupMessage = (who: User, chatId: Ids.ChatId, draft: Draft, ts = freshTs()): Call =>
  messageCall(chatId, `/groups/0x${chatId}/messages`, who, draft, ts)

interface OpDraft {
  readonly op: "create" | "add" | "remove" | "set-title"
  readonly role?: "member" | "admin"
  readonly targets?: ReadonlyArray<Ids.Address>
  readonly title?: string
  readonly nonce?: string
}

/** A membership op, through `node`. */
export const op = (node: Pick<Running, "id">, who: User, chatId: Ids.ChatId, draft: OpDraft, ts = freshTs()): Call => ({
  method: "POST",
  path: `/groups/0x${chatId}/ops`,
  body: draft.targets === undefined ? draft : { ...draft, targets: draft.targets.map((target) => `0x${target}`) },
  purpose: "op",
  ts,
  digest: Ids.opId(noble, {
    chatId,
    actor: who.address,
    ts,
    node: node.id,
    op: (["create", "add", "remove", "set-title"].indexOf(draft.op)) as Ids.OpType,
    role: draft.role === "admin" ? 1 : 0,
    targets: draft.targets ?? [],
    ...(draft.title === undefined ? {} : { title: draft.title }),
    ...(draft.nonce === undefined ? {} : { nonce: draft.nonce as Ids.Nonce })
  })
})

/** A new group of `who`: its id and the call that creates it. */
export const newGroup = (
  node: Pick<Running, "id">,
  who: User,
  nonceByte: number,
  draft: Omit<OpDraft, "op" | "nonce"> = {}
): { readonly chatId: Ids.ChatId; readonly create: Call } => {
  const nonce = Bytes.toHex(new Uint8Array(16).fill(nonceByte))
  const chatId = Ids.groupChatId(noble, who.address, nonce as Ids.Nonce)
  return { chatId, create: op(node, who, chatId, { op: "create", nonce, ...draft }) }
}

/** A read mark in `chatId`, at `path` (without `/read`). */
export const mark = (who: User, chatId: Ids.ChatId, path: string, upTo: string, ts = freshTs()): Call => ({
  method: "POST",
  path: `${path}/read`,
  body: { up_to: upTo },
  purpose: "read",
  ts,
  digest: Ids.readId(noble, { chatId, reader: who.address, ts, upTo: BigInt(`0x${upTo}`) as never })
})

/** An identity, base64. */
export const identity = (who: User, blob: string, ts = freshTs()): Call => ({
  method: "PUT",
  path: "/identity",
  body: { identity: blob },
  purpose: "identity",
  ts,
  digest: Ids.identityId(noble, { address: who.address, ts, blob: Uint8Array.fromBase64(blob) })
})
