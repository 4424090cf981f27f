/**
 * The calls of conversations and of the inbox, from fields that were read and a claim still to be proven to the answer. The
 * API's handlers call them, and so does the short way of `direct.ts`: there is one of each.
 */
import * as Effect from "effect/Effect"
import type { SignedHeaders } from "../../api/Authentication.ts"
import type { NewMessage } from "../../api/NodeApi.ts"
import { Hashing } from "../../domain/hashing.ts"
import type { Hlc } from "../../domain/hlc.ts"
import * as Ids from "../../domain/ids.ts"
import { pageDefault } from "../../domain/limits.ts"
import {
  type Conflict,
  type Forbidden,
  InvalidRequest,
  type NotFound,
  type Overloaded,
  type RateLimited,
  type Unauthenticated
} from "../../domain/refusal.ts"
import { Authenticator, type Proof } from "../../services/Authenticator.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Ingest, type Place } from "../../services/Ingest.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { Views } from "../../services/Views.ts"
import { opProblem, upToProblem } from "../node/ingest.ts"
import * as Answers from "./answers.ts"

/** Who calls, and what was signed of a call that creates no record. */
export interface Caller {
  readonly claim: SignedHeaders
  readonly method: string
  /** In origin form, the path and query as sent. */
  readonly target: string
}

export interface PageQuery {
  readonly limit?: number | undefined
  readonly before?: string | undefined
  readonly after?: string | undefined
}

type Unproven = Unauthenticated | RateLimited | Overloaded
type Answered<E> = Effect.Effect<Answers.Answer, E | Unproven>

/** Raw bytes above 127 would have to be signed as sent, and a server shows them as characters. */
const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

export const make = Effect.gen(function*() {
  const authenticator = yield* Authenticator
  const hashes = yield* Hashing
  const ingest = yield* Ingest
  const views = yield* Views
  const node = yield* NodeKey
  const clock = yield* HybridClock
  const taken = yield* Answers.makeTaken

  /** Proves a call that reads: its method and target are what was signed. */
  const prove = ({ claim, method, target }: Caller): Effect.Effect<Proof, InvalidRequest | Unproven> =>
    isAscii(target)
      ? authenticator.request(claim, Ids.requestId(hashes, method, target))
      : Effect.fail(new InvalidRequest({ field: "path", message: "a target is ASCII: percent-encode what is not" }))

  const send = (
    place: Place,
    claim: SignedHeaders,
    payload: typeof NewMessage.Type,
    prefer: string | undefined
  ): Answered<Forbidden | NotFound> => {
    const fields: Ids.MessageFields = {
      chatId: place.chatId,
      sender: claim.user,
      ts: claim.ts,
      msgType: payload.msg_type ?? 0,
      content: payload.content,
      ...(payload.control === undefined ? {} : { control: payload.control })
    }
    const id = Ids.messageId(hashes, fields)
    return Effect.flatMap(
      authenticator.write(
        claim,
        "message",
        id,
        (proof: Proof) => ingest.message(place, fields, proof),
        ingest.receipt({ kind: "message", id })
      ),
      (receipt) => taken(receipt, { msg_id: id, chat_id: place.chatId }, prefer)
    )
  }

  const read = (
    place: Place,
    claim: SignedHeaders,
    upTo: Hlc,
    prefer: string | undefined
  ): Answered<InvalidRequest | Forbidden | NotFound> => {
    const problem = upToProblem(upTo, clock.wall())
    if (problem !== undefined) return Effect.fail(problem)
    const fields: Ids.ReadFields = { chatId: place.chatId, reader: claim.user, ts: claim.ts, upTo }
    const id = Ids.readId(hashes, fields)
    return Effect.flatMap(
      authenticator.write(
        claim,
        "read",
        id,
        (proof: Proof) => ingest.read(place, fields, proof),
        ingest.receipt({ kind: "read", id, chatId: place.chatId, reader: claim.user })
      ),
      (receipt) => taken(receipt, { read_id: id }, prefer)
    )
  }

  const op = (
    chatId: Ids.ChatId,
    claim: SignedHeaders,
    change: Pick<Ids.OpFields, "op" | "role" | "targets" | "title" | "nonce">,
    prefer: string | undefined
  ): Answered<InvalidRequest | Forbidden | NotFound | Conflict> => {
    const fields: Ids.OpFields = { chatId, actor: claim.user, ts: claim.ts, node: node.id, ...change }
    const problem = opProblem(hashes, fields)
    if (problem !== undefined) return Effect.fail(problem)
    const id = Ids.opId(hashes, fields)
    return Effect.flatMap(
      authenticator.write(
        claim,
        "op",
        id,
        (proof: Proof) => ingest.op(fields, proof),
        ingest.receipt({ kind: "op", id })
      ),
      (receipt) => taken(receipt, { op_id: id }, prefer)
    )
  }

  const setIdentity = (claim: SignedHeaders, blob: Uint8Array, prefer: string | undefined): Answered<never> => {
    const fields: Ids.IdentityFields = { address: claim.user, ts: claim.ts, blob }
    const id = Ids.identityId(hashes, fields)
    return Effect.flatMap(
      authenticator.write(
        claim,
        "identity",
        id,
        (proof: Proof) => ingest.identity(fields, proof),
        ingest.receipt({ kind: "identity", id, address: claim.user, ts: claim.ts })
      ),
      (receipt) => taken(receipt, { identity_id: id }, prefer)
    )
  }

  const history = (
    place: Place,
    caller: Caller,
    query: PageQuery
  ): Answered<InvalidRequest | Forbidden | NotFound> => {
    if (query.before !== undefined && query.after !== undefined) {
      return Effect.fail(new InvalidRequest({ field: "after", message: "before and after exclude each other" }))
    }
    const direction = query.after === undefined ? "before" : "after"
    return Effect.flatMap(
      Answers.readPosition(direction, query[direction] ?? ""),
      (from) =>
        Effect.flatMap(prove(caller), ({ user }) =>
          Effect.map(
            views.historyJson(user, place, { direction, from, limit: query.limit ?? pageDefault }),
            Answers.historyAnswer
          ))
    )
  }

  const message = (
    place: Place,
    caller: Caller,
    id: Ids.MessageId
  ): Answered<InvalidRequest | Forbidden | NotFound> =>
    Effect.flatMap(prove(caller), ({ user }) => Effect.map(views.message(user, place, id), Answers.messageAnswer))

  const inbox = (caller: Caller, query: Pick<PageQuery, "limit" | "after">): Answered<InvalidRequest> =>
    Effect.flatMap(
      Answers.readInboxPosition(query.after ?? ""),
      (after) =>
        Effect.flatMap(prove(caller), ({ user }) =>
          Effect.map(views.conversations(user, { after, limit: query.limit ?? pageDefault }), Answers.inboxAnswer))
    )

  /** The chat of the caller and `peer`. */
  const dialog = (claim: SignedHeaders, peer: Ids.Address): Place => ({
    kind: "dm",
    chatId: Ids.dmChatId(hashes, claim.user, peer),
    peer
  })

  const group = (chatId: Ids.ChatId): Place => ({ kind: "group", chatId })

  return { prove, send, read, op, setIdentity, history, message, inbox, dialog, group }
})
