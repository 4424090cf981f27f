/** Handlers of direct messages and groups: they differ in where a conversation is and in nothing else. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import { Credentials } from "../../api/Authentication.ts"
import { type NewMessage, type NewOp, NodeApi } from "../../api/NodeApi.ts"
import { Hashing } from "../../domain/hashing.ts"
import type { Hlc } from "../../domain/hlc.ts"
import * as Ids from "../../domain/ids.ts"
import { pageDefault } from "../../domain/limits.ts"
import { opTypes, roles } from "../../domain/record.ts"
import { Forbidden, InvalidRequest, NotFound } from "../../domain/refusal.ts"
import { Authenticator, type Claim } from "../../services/Authenticator.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Ingest, type Place, type Receipt } from "../../services/Ingest.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { Views } from "../../services/Views.ts"
import { opProblem, upToProblem } from "../node/ingest.ts"
import * as Answers from "./answers.ts"

type PageQuery = {
  readonly limit?: number | undefined
  readonly before?: string | undefined
  readonly after?: string | undefined
}

/** The target in origin form, the path and query as sent: the server may show it with scheme and host. */
export const originForm = (url: string): string =>
  url.startsWith("/") ? url : url.replace(/^[a-z]+:\/\/[^/?#]*/i, "") || "/"

/** Raw bytes above 127 would have to be signed as sent, and a server shows them as characters. */
const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

/** Proves a call that reads: its method and target are what was signed. */
export const proveRequest = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  const claim = yield* Credentials
  const hashes = yield* Hashing
  const target = originForm(request.originalUrl)
  if (!isAscii(target)) {
    return yield* new InvalidRequest({ field: "path", message: "a target is ASCII: percent-encode what is not" })
  }
  const digest = Ids.requestId(hashes, request.method, target)
  return yield* (yield* Authenticator).request(claim, digest)
})

/** What both kinds of conversation have in common. */
const make = Effect.gen(function*() {
  const authenticator = yield* Authenticator
  const hashes = yield* Hashing
  const ingest = yield* Ingest
  const views = yield* Views
  const node = yield* NodeKey
  const clock = yield* HybridClock

  const send = Effect.fnUntraced(function*(
    place: Place,
    payload: typeof NewMessage.Type,
    prefer: string | undefined
  ) {
    const claim = yield* Credentials
    const fields: Ids.MessageFields = {
      chatId: place.chatId,
      sender: claim.user,
      ts: claim.ts,
      msgType: payload.msg_type ?? 0,
      content: payload.content,
      ...(payload.control === undefined ? {} : { control: payload.control })
    }
    const id = Ids.messageId(hashes, fields)
    const receipt: Receipt<string> = yield* authenticator.write(
      claim,
      "message",
      id,
      (proof) => ingest.message(place, fields, proof),
      ingest.receipt({ kind: "message", id })
    )
    return yield* Answers.taken(receipt, { msg_id: `0x${id}`, chat_id: `0x${place.chatId}` }, prefer)
  })

  const read = Effect.fnUntraced(function*(place: Place, upTo: Hlc, prefer: string | undefined) {
    const problem = upToProblem(upTo, clock.wall())
    if (problem !== undefined) return yield* problem
    const claim = yield* Credentials
    const fields: Ids.ReadFields = { chatId: place.chatId, reader: claim.user, ts: claim.ts, upTo }
    const id = Ids.readId(hashes, fields)
    const receipt: Receipt<string> = yield* authenticator.write(
      claim,
      "read",
      id,
      (proof) => ingest.read(place, fields, proof),
      ingest.receipt({ kind: "read", id, chatId: place.chatId, reader: claim.user })
    )
    return yield* Answers.taken(receipt, { read_id: `0x${id}` }, prefer)
  })

  const history = Effect.fnUntraced(function*(place: Place, query: PageQuery) {
    if (query.before !== undefined && query.after !== undefined) {
      return yield* new InvalidRequest({ field: "after", message: "before and after exclude each other" })
    }
    const direction = query.after === undefined ? "before" : "after"
    const from = yield* Answers.readPosition(direction, query[direction] ?? "")
    const { user } = yield* proveRequest
    const page = yield* views.history(user, place, { direction, from, limit: query.limit ?? pageDefault })
    return {
      messages: page.messages.map(Answers.messageOf),
      next: page.next === undefined ? null : Answers.positionCursor(page.next)
    }
  })

  const message = Effect.fnUntraced(function*(place: Place, id: Ids.MessageId) {
    const { user } = yield* proveRequest
    return Answers.messageOf(yield* views.message(user, place, id))
  })

  const op = Effect.fnUntraced(function*(
    chatId: Ids.ChatId,
    claim: Claim,
    change: Pick<Ids.OpFields, "op" | "role" | "targets" | "title" | "nonce">,
    prefer: string | undefined
  ) {
    const fields: Ids.OpFields = { chatId, actor: claim.user, ts: claim.ts, node: node.id, ...change }
    const problem = opProblem(hashes, fields)
    if (problem !== undefined) return yield* problem
    const id = Ids.opId(hashes, fields)
    const receipt: Receipt<string> = yield* authenticator.write(
      claim,
      "op",
      id,
      (proof) => ingest.op(fields, proof),
      ingest.receipt({ kind: "op", id })
    )
    return yield* Answers.taken(receipt, { op_id: `0x${id}` }, prefer)
  })

  /** The chat of the caller and `peer`. */
  const dialog = (peer: Ids.Address) =>
    Effect.map(Credentials, ({ user }): Place => ({ kind: "dm", chatId: Ids.dmChatId(hashes, user, peer), peer }))

  return { send, read, history, message, op, dialog, views }
})

/** A direct conversation is open to its two parties, and a caller is always one of them. */
const neverForbidden = <A, E, R>(
  self: Effect.Effect<A, E | Forbidden, R>
): Effect.Effect<A, Exclude<E, Forbidden>, R> =>
  Effect.catchIf(self, (error) => error instanceof Forbidden, Effect.die) as Effect.Effect<A, Exclude<E, Forbidden>, R>
const neverRefused = <A, E, R>(
  self: Effect.Effect<A, E | Forbidden | NotFound, R>
): Effect.Effect<A, Exclude<E, Forbidden | NotFound>, R> =>
  Effect.catchIf(neverForbidden(self), (error) => error instanceof NotFound, Effect.die) as Effect.Effect<
    A,
    Exclude<E, Forbidden | NotFound>,
    R
  >

const group = (chatId: Ids.ChatId): Place => ({ kind: "group", chatId })

export const layerDialogs = HttpApiBuilder.group(
  NodeApi,
  "dialogs",
  Effect.fn(function*(handlers) {
    const { dialog, history, message, read, send } = yield* make
    return handlers.handleAll({
      send: ({ headers, params, payload }) =>
        Effect.flatMap(dialog(params.peer), (place) => send(place, payload, headers.prefer)).pipe(neverRefused),
      history: ({ params, query }) =>
        Effect.flatMap(dialog(params.peer), (place) => history(place, query)).pipe(neverRefused),
      message: ({ params }) =>
        Effect.flatMap(dialog(params.peer), (place) => message(place, params.msg_id)).pipe(neverForbidden),
      read: ({ headers, params, payload }) =>
        Effect.flatMap(dialog(params.peer), (place) => read(place, payload.up_to, headers.prefer)).pipe(
          neverRefused
        )
    })
  })
)

const opCodes = { create: opTypes.create, add: opTypes.add, remove: opTypes.remove, "set-title": opTypes.setTitle }

/** The fields of an op as they are signed. A role makes sense with add only. */
const changeOf = (payload: typeof NewOp.Type): Pick<Ids.OpFields, "op" | "role" | "targets" | "title" | "nonce"> => ({
  op: opCodes[payload.op],
  role: roles[payload.role ?? "member"],
  targets: payload.targets ?? [],
  ...(payload.title === undefined ? {} : { title: payload.title }),
  ...(payload.nonce === undefined ? {} : { nonce: payload.nonce })
})

export const layerGroups = HttpApiBuilder.group(
  NodeApi,
  "groups",
  Effect.fn(function*(handlers) {
    const { history, message, op, read, send, views } = yield* make
    return handlers.handleAll({
      send: ({ headers, params, payload }) => send(group(params.chat_id), payload, headers.prefer),
      history: ({ params, query }) => history(group(params.chat_id), query),
      message: ({ params }) => message(group(params.chat_id), params.msg_id),
      read: ({ headers, params, payload }) => read(group(params.chat_id), payload.up_to, headers.prefer),
      op: ({ headers, params, payload }) =>
        Effect.flatMap(Credentials, (claim) => op(params.chat_id, claim, changeOf(payload), headers.prefer)),
      leave: ({ headers, params }) =>
        Effect.flatMap(
          Credentials,
          (claim) => op(params.chat_id, claim, { op: opTypes.remove, role: 0, targets: [claim.user] }, headers.prefer)
        ),
      members: Effect.fnUntraced(function*({ params }) {
        const { user } = yield* proveRequest
        const { members, title } = yield* views.members(user, params.chat_id)
        return {
          chat_id: params.chat_id,
          title,
          members: members.map(({ address, role, since }) => ({
            address,
            role: role === roles.admin ? "admin" as const : "member" as const,
            since
          }))
        }
      })
    })
  })
)
