/**
 * Users with keys, and what they ask of nodes: signed as a client signs (SPEC §3), sent as HTTP requests, and the answers
 * read by the API's schemas. So every record of a simulation carries proofs that any node can check, and came the way that
 * records come.
 *
 * What asks runs at the node that it asks. It does not end when that node does not answer: how long to wait for an answer
 * is the caller's to say.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Api from "../api/index.ts"
import type * as Node from "../api/Node.ts"
import * as Bytes from "../domain/bytes.ts"
import { type Hashes, Hashing } from "../domain/hashing.ts"
import * as Ids from "../domain/ids.ts"
import { waitSecondsMax } from "../domain/limits.ts"
import { opTypes, roles, type SigVersion } from "../domain/record.ts"
import { type Purpose, signedDigest, stringToSign } from "../domain/signature.ts"
import { signDigest } from "../layers/crypto/user-signing.ts"
import type { Claim } from "../services/Authenticator.ts"
import type { Place } from "../services/Ingest.ts"
import { NodeKey } from "../services/NodeKey.ts"
import * as Answers from "./http/answers.ts"
import { type HttpAsk, HttpDoor } from "./http/door.ts"

export * from "./http/answers.ts"

export interface User {
  readonly name: string
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly address: Ids.Address
}

/** The user of this name: the same in all runs. */
export const makeUser = (hashes: Hashes, name: string): User => {
  // any 32 bytes below the order will do, and nearly all are
  const key = hashes.blake3(Bytes.fromText(`p2p-mes testing user ${name}`))
  const publicKey = secp256k1.getPublicKey(key, false)
  return { name, key, address: Bytes.toHex(hashes.keccak256(publicKey.subarray(1)).subarray(12)) as Ids.Address }
}

/** What a user wants written. Fields name the author; an op's also the node that it is for. */
export type Draft =
  | { readonly kind: "message"; readonly place: Place; readonly fields: Ids.MessageFields }
  | { readonly kind: "op"; readonly fields: Ids.OpFields }
  | { readonly kind: "read"; readonly place: Place; readonly fields: Ids.ReadFields }
  | { readonly kind: "identity"; readonly fields: Ids.IdentityFields }

export const idOf = (hashes: Hashes, draft: Draft): string => {
  switch (draft.kind) {
    case "message":
      return Ids.messageId(hashes, draft.fields)
    case "op":
      return Ids.opId(hashes, draft.fields)
    case "read":
      return Ids.readId(hashes, draft.fields)
    case "identity":
      return Ids.identityId(hashes, draft.fields)
  }
}

/** A direct conversation, seen from one side. */
export const directPlace = (hashes: Hashes, user: User, peer: User): Place => ({
  kind: "dm",
  chatId: Ids.dmChatId(hashes, user.address, peer.address),
  peer: peer.address
})

/** What a user signed for a node: `id` is that of the record, or of the request. */
export const signClaim = (
  hashes: Hashes,
  user: User,
  what: { readonly kind: Purpose; readonly ts: number; readonly node: Ids.NodeId; readonly id: string },
  sigVersion: SigVersion = 1
): Claim => {
  const digest = signedDigest(hashes, sigVersion, stringToSign(what.kind, what.ts, what.node, what.id))
  return { user: user.address, ts: what.ts, sig: signDigest(digest, user.key), sigVersion }
}

/** The headers that carry a signature for `node`. */
export const signedHeaders = (node: Ids.NodeId, claim: Claim): { readonly [name: string]: string } => ({
  "x-user": `0x${claim.user}`,
  "x-ts": String(claim.ts),
  "x-node": node,
  "x-sig": `0x${Bytes.toHex(claim.sig)}`,
  "x-sig-version": String(claim.sigVersion)
})

/** Users may send what the API refuses: limits are the node's to check. */
const encoder = <S extends Schema.Codec<unknown, unknown>>(schema: S) => {
  const encode = Schema.encodeUnknownEffect(schema, { disableChecks: true })
  return (value: S["Type"]): Effect.Effect<Uint8Array> =>
    encode(value).pipe(Effect.map((json) => Bytes.fromText(JSON.stringify(json))), Effect.orDie)
}
const encodeMessage = encoder(Api.NewMessage)
const encodeOp = encoder(Api.NewOp)
const encodeRead = encoder(Api.NewReadMark)
const encodeIdentity = encoder(Api.NewIdentity)

const opNames = ["create", "add", "remove", "set-title"] as const

const pathOf = (place: Place): string =>
  place.kind === "dm" ? `/dialogs/0x${place.peer}/messages` : `/groups/0x${place.chatId}/messages`
const groupOf = (place: Place): "dialogs" | "groups" => place.kind === "dm" ? "dialogs" : "groups"

/** A call and the endpoint, by its name, that it goes to. */
interface Call {
  readonly endpoint: string
  readonly method: string
  readonly target: string
  readonly body?: Uint8Array | undefined
}

const isLeave = ({ actor, op, targets }: Ids.OpFields): boolean =>
  op === opTypes.remove && targets.length === 1 && targets[0] === actor

const bodyOfOp = ({ nonce, op, role, targets, title }: Ids.OpFields): Effect.Effect<Uint8Array> =>
  encodeOp({
    op: opNames[op],
    ...(targets.length === 0 ? {} : { targets }),
    ...(role === roles.admin ? { role: "admin" } : {}),
    ...(title === undefined ? {} : { title }),
    ...(nonce === undefined ? {} : { nonce })
  })

const callOf = (draft: Draft, leaveBy: "membership" | "ops"): Effect.Effect<Call> => {
  switch (draft.kind) {
    case "message": {
      const { content, control, msgType } = draft.fields
      return Effect.map(
        encodeMessage({
          content,
          ...(msgType === 0 ? {} : { msg_type: msgType }),
          ...(control === undefined ? {} : { control })
        }),
        (body) => ({ endpoint: `${groupOf(draft.place)}.send`, method: "POST", target: pathOf(draft.place), body })
      )
    }
    case "op": {
      const group = `/groups/0x${draft.fields.chatId}`
      if (leaveBy === "membership" && isLeave(draft.fields)) {
        return Effect.succeed({ endpoint: "groups.leave", method: "DELETE", target: `${group}/membership` })
      }
      return Effect.map(
        bodyOfOp(draft.fields),
        (body) => ({ endpoint: "groups.op", method: "POST", target: `${group}/ops`, body })
      )
    }
    case "read":
      return Effect.map(encodeRead({ up_to: draft.fields.upTo }), (body) => ({
        endpoint: `${groupOf(draft.place)}.read`,
        method: "POST",
        target: `${pathOf(draft.place)}/read`,
        body
      }))
    case "identity":
      return Effect.map(
        encodeIdentity({ identity: draft.fields.blob }),
        (body) => ({ endpoint: "users.setIdentity", method: "PUT", target: "/identity", body })
      )
  }
}

export interface WriteOptions {
  /** Asks for the answer after the commit, for as long as a node waits at most. */
  readonly wait?: boolean | undefined
  readonly sigVersion?: SigVersion | undefined
  /** How a removal of oneself alone is sent; both ways make the same record. Default: by `DELETE …/membership`. */
  readonly leaveBy?: "membership" | "ops" | undefined
}

/** The request of a write at `node`. An op's fields must name that node, or its signature does not hold. */
export const requestOf = (
  hashes: Hashes,
  node: Ids.NodeId,
  user: User,
  draft: Draft,
  options: WriteOptions = {}
): Effect.Effect<HttpAsk & { readonly endpoint: string }> => {
  const { leaveBy = "membership", sigVersion, wait } = options
  const { kind } = draft
  const claim = signClaim(hashes, user, { kind, ts: draft.fields.ts, node, id: idOf(hashes, draft) }, sigVersion)
  return Effect.map(callOf(draft, leaveBy), ({ body, endpoint, method, target }) => ({
    endpoint,
    method,
    target,
    headers: {
      ...signedHeaders(node, claim),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(wait === true ? { prefer: `wait=${waitSecondsMax}` } : {})
    },
    body
  }))
}

/** Writes at the node that runs this, at the time that the draft's fields say. */
export const write = Effect.fnUntraced(
  function*(user: User, draft: Draft, options: WriteOptions = {}) {
    const hashes = yield* Hashing
    const { id: node } = yield* NodeKey
    const request = yield* requestOf(hashes, node, user, draft, options)
    const answer = yield* (yield* HttpDoor).ask(request)
    return yield* Answers.readWrite(request.endpoint, answer, {
      id: idOf(hashes, draft),
      chatId: draft.kind === "message" ? draft.place.chatId : undefined,
      waits: options.wait === true
    })
  }
)

export interface ReadOptions {
  /** ms; default: the node's wall clock. The same user, target and time are taken once. */
  readonly ts?: number | undefined
  readonly sigVersion?: SigVersion | undefined
}

/** One page: from a cursor, as `next` gave it, or from the end, or the start with an empty `after`. */
export interface PageOptions extends ReadOptions {
  readonly limit?: number | undefined
  readonly before?: string | undefined
  readonly after?: string | undefined
}

const query = (parameters: { readonly [name: string]: string | number | undefined }): string => {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return given.length === 0
    ? ""
    : `?${given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&")}`
}

const readAt = <A>() =>
  Effect.fnUntraced(function*(user: User, endpoint: string, target: string, { sigVersion, ts }: ReadOptions) {
    const hashes = yield* Hashing
    const { id: node } = yield* NodeKey
    const method = "GET"
    const what = {
      kind: "request",
      ts: ts ?? (yield* Clock.currentTimeMillis),
      node,
      id: Ids.requestId(hashes, method, target)
    } as const
    const headers = signedHeaders(node, signClaim(hashes, user, what, sigVersion))
    const answer = yield* (yield* HttpDoor).ask({ method, target, headers })
    return yield* Answers.read<A>(endpoint, answer)
  })

const inboxAt = readAt<typeof Api.Inbox.Type>()
const pageAt = readAt<typeof Api.MessagePage.Type>()
const messageAt = readAt<typeof Api.Message.Type>()
const membersAt = readAt<typeof Api.Members.Type>()
const identityAt = readAt<typeof Api.Identity.Type>()

/** The inbox, from the newest activity on, or after a cursor. */
export const readConversations = (user: User, options: Omit<PageOptions, "before"> = {}) =>
  inboxAt(
    user,
    "users.conversations",
    `/conversations${query({ limit: options.limit, after: options.after })}`,
    options
  )

/** A page of a conversation, newest first, or with `after` oldest first. */
export const readHistory = (user: User, place: Place, options: PageOptions = {}) =>
  pageAt(
    user,
    `${groupOf(place)}.history`,
    `${pathOf(place)}${query({ limit: options.limit, before: options.before, after: options.after })}`,
    options
  )

export const readMessage = (user: User, place: Place, id: Ids.MessageId, options: ReadOptions = {}) =>
  messageAt(user, `${groupOf(place)}.message`, `${pathOf(place)}/0x${id}`, options)

export const readMembers = (user: User, chatId: Ids.ChatId, options: ReadOptions = {}) =>
  membersAt(user, "groups.members", `/groups/0x${chatId}/members`, options)

/** The identity of `address`, asked for by `user`. */
export const readIdentity = (user: User, address: Ids.Address, options: ReadOptions = {}) =>
  identityAt(user, "users.identity", `/identity/0x${address}`, options)

const readUnsigned = <A>(endpoint: string, target: string) =>
  Effect.flatMap(HttpDoor, (door) => door.ask({ method: "GET", target })).pipe(
    Effect.flatMap((answer) => Answers.read<A>(endpoint, answer))
  )

export const readHealth = readUnsigned<typeof Node.Health.Type>("node.healthz", "/healthz")

/** Found with status 200 when the node is ready, and 503 when it is not. */
export const readReadiness = readUnsigned<typeof Node.Readiness.Type>("node.readyz", "/readyz")

/** Who the node is; it signs a `challenge` of 32 bytes in hex. */
export const readNode = (challenge?: string) =>
  readUnsigned<typeof Node.NodeInfo.Type>("node.node", `/node${query({ challenge })}`)
