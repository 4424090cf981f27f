/** Between the domain's values and the API's: places, cursors, and the answers of writes and reads. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import { cursorOf, messageJson } from "../../api/message-json.ts"
import * as Bytes from "../../domain/bytes.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { ChatId, MessageId } from "../../domain/ids.ts"
import { waitSecondsMax } from "../../domain/limits.ts"
import type { Message } from "../../domain/record.ts"
import { InvalidRequest } from "../../domain/refusal.ts"
import type { Receipt } from "../../services/Ingest.ts"
import type { Position } from "../../services/Store.ts"
import type { Conversation, InboxPosition, Views } from "../../services/Views.ts"
import { Writer } from "../../services/Writer.ts"
import { Draining } from "./draining.ts"

/** What a call is answered: JSON as text or in UTF-8, so that nobody builds objects which are only to be written down. */
export interface Answer {
  readonly status: number
  readonly body: string | Uint8Array
  /** Of `Prefer: wait`, when it was asked for: how long, s. */
  readonly waitedSeconds?: number | undefined
  /** s. */
  readonly retryAfter?: number | undefined
}

/** The headers of an answer, beside those of its body. */
export const headersOf = ({ retryAfter, waitedSeconds }: Answer): { readonly [name: string]: string } | undefined =>
  waitedSeconds !== undefined
    ? { "preference-applied": `wait=${waitedSeconds}` }
    : retryAfter !== undefined
    ? { "retry-after": String(retryAfter) }
    : undefined

export const contentType = "application/json"

/** An answer as a server of Effect sends it. */
export const toResponse = (answer: Answer): HttpServerResponse.HttpServerResponse => {
  const headers = headersOf(answer)
  const options = { status: answer.status, contentType, ...(headers === undefined ? {} : { headers }) }
  return typeof answer.body === "string"
    ? HttpServerResponse.text(answer.body, options)
    : HttpServerResponse.uint8Array(answer.body, options)
}

/** The keys and their order are those of the API's schema; absent fields are left out. */
const conversationJson = ({ capped, newest, place, title, unread }: Conversation): string =>
  `{"kind":"${place.kind}","chat_id":"0x${place.chatId}"`
  + (place.kind === "dm" ? `,"peer":"0x${place.peer}"` : "")
  + (title === undefined || title === "" ? "" : `,"title":${JSON.stringify(title)}`)
  + `,"newest":${newest === undefined ? "null" : messageJson(newest)},"unread":${unread}`
  + (capped ? `,"unread_capped":true}` : "}")

const nextJson = (cursor: string | undefined): string => cursor === undefined ? "null" : `"${cursor}"`

/** A page of messages, which is JSON already. */
export const historyAnswer = (page: string | Uint8Array): Answer => ({ status: 200, body: page })

type Inbox = Effect.Success<ReturnType<Views["Service"]["conversations"]>>

/** A page of the inbox. */
export const inboxAnswer = ({ conversations, next }: Inbox): Answer => ({
  status: 200,
  body: `{"conversations":[${conversations.map(conversationJson).join(",")}],"next":${
    nextJson(next && inboxCursor(next))
  }}`
})

export const messageAnswer = (message: Message): Answer => ({ status: 200, body: messageJson(message) })

/** No node stamps as late (the year 6429), and stores keep stamps as signed numbers of 64 bits. */
const stampEnd = 1n << 63n

export const inboxCursor = (position: InboxPosition): string => cursorOf(position.activity, position.chatId)

const readCursor = (
  field: string,
  cursor: string
): Effect.Effect<{ readonly hlc: Hlc.Hlc; readonly id: string }, InvalidRequest> => {
  const hlc = Hlc.parse(cursor.slice(0, 16))
  const id = Bytes.parseHex(cursor.slice(16), 32)
  return Result.isSuccess(hlc) && hlc.success < stampEnd && Result.isSuccess(id)
    ? Effect.succeed({ hlc: hlc.success, id: id.success })
    : Effect.fail(new InvalidRequest({ field, message: `${field} is not a cursor that a node gave: start without it` }))
}

/** An empty cursor is the start. */
export const readPosition = (field: string, cursor: string): Effect.Effect<Position | undefined, InvalidRequest> =>
  cursor === ""
    ? Effect.undefined
    : Effect.map(readCursor(field, cursor), ({ hlc, id }) => ({ hlc, id: id as MessageId }))

export const readInboxPosition = (cursor: string): Effect.Effect<InboxPosition | undefined, InvalidRequest> =>
  cursor === ""
    ? Effect.undefined
    : Effect.map(readCursor("after", cursor), ({ hlc, id }) => ({ activity: hlc, chatId: id as ChatId }))

/** Seconds of `Prefer: wait=<seconds>` (RFC 7240), capped; 0 when not asked for. Other preferences are not for us. */
const waitSeconds = (prefer: string | undefined): number => {
  if (prefer === undefined) return 0
  for (const preference of prefer.split(",")) {
    const found = /^\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(;.*)?$/i.exec(preference)
    if (found !== null) return Math.min(Number(found[1]), waitSecondsMax)
  }
  return 0
}

/** Answers writes: 202 at once, or 201 after the commit when the caller waits for it, and it comes in time and before the
 * server ends. `ids`: the keys before the stamp, and their hex. */
export const makeTaken = Effect.gen(function*() {
  const writer = yield* Writer
  const { over } = yield* Draining
  return (
    receipt: Receipt<string>,
    ids: { readonly [key: string]: string },
    prefer: string | undefined
  ): Effect.Effect<Answer> => {
    let body = "{"
    for (const key in ids) body += `"${key}":"0x${ids[key]}",`
    body += `"hlc":"${Hlc.toText(receipt.hlc)}"}`
    const seconds = waitSeconds(prefer)
    if (seconds === 0) return Effect.succeed({ status: 202, body })
    return writer.committed(receipt.ticket).pipe(
      Effect.as(201),
      Effect.raceFirst(Effect.as(over, 202)),
      Effect.timeoutOrElse({ duration: seconds * 1_000, orElse: () => Effect.succeed(202) }),
      Effect.map((status) => ({ status, body, waitedSeconds: seconds }))
    )
  }
})
