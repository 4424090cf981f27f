/** Between the domain's values and the API's: places, cursors, and the answers of writes and reads. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import type { Conversation as ConversationJson, Message as MessageJson } from "../../api/NodeApi.ts"
import * as Bytes from "../../domain/bytes.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { ChatId, MessageId } from "../../domain/ids.ts"
import { waitSecondsMax } from "../../domain/limits.ts"
import type { Message } from "../../domain/record.ts"
import { InvalidRequest } from "../../domain/refusal.ts"
import type { Receipt } from "../../services/Ingest.ts"
import type { Position } from "../../services/Store.ts"
import type { Conversation, InboxPosition } from "../../services/Views.ts"
import { Writer } from "../../services/Writer.ts"
import { Draining } from "./draining.ts"

/** A record's own keys, without those that are undefined: absent fields are left out of answers. */
const present = <A extends object>(fields: A): A =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as A

export const messageOf = (message: Message): typeof MessageJson.Type =>
  present({
    msg_id: message.id,
    chat_id: message.chatId,
    sender: message.sender,
    ts: message.ts,
    hlc: message.hlc,
    msg_type: message.msgType,
    content: message.content,
    control: message.control
  }) as typeof MessageJson.Type

export const conversationOf = (conversation: Conversation): typeof ConversationJson.Type =>
  present({
    kind: conversation.place.kind,
    chat_id: conversation.place.chatId,
    peer: conversation.place.kind === "dm" ? conversation.place.peer : undefined,
    title: conversation.title === "" ? undefined : conversation.title,
    newest: conversation.newest === undefined ? null : messageOf(conversation.newest),
    unread: conversation.unread,
    unread_capped: conversation.capped ? true : undefined
  }) as typeof ConversationJson.Type

/** No node stamps as late (the year 6429), and stores keep stamps as signed numbers of 64 bits. */
const stampEnd = 1n << 63n

/** A cursor is a stamp and an id in hex. Clients do not look into it. */
const cursorOf = (hlc: Hlc.Hlc, id: string): string => `${Hlc.toText(hlc)}${id}`

export const positionCursor = (position: Position): string => cursorOf(position.hlc, position.id)
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
  for (const preference of prefer?.split(",") ?? []) {
    const found = /^\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(;.*)?$/i.exec(preference)
    if (found !== null) return Math.min(Number(found[1]), waitSecondsMax)
  }
  return 0
}

/** Answers a write: 202 at once, or 201 after its commit when the caller waits for it, and it comes in time and before the
 * server ends. */
export const taken = Effect.fnUntraced(function*(
  receipt: Receipt<string>,
  body: { readonly [key: string]: string },
  prefer: string | undefined
) {
  const seconds = waitSeconds(prefer)
  const writer = yield* Writer
  const { over } = yield* Draining
  const committed = seconds > 0 && (yield* writer.committed(receipt.ticket).pipe(
    Effect.as(true),
    Effect.raceFirst(Effect.as(over, false)),
    Effect.timeoutOrElse({ duration: seconds * 1_000, orElse: () => Effect.succeed(false) })
  ))
  const answer = HttpServerResponse.jsonUnsafe(
    { ...body, hlc: Hlc.toText(receipt.hlc) },
    { status: committed ? 201 : 202 }
  )
  return seconds > 0 ? HttpServerResponse.setHeader(answer, "preference-applied", `wait=${seconds}`) : answer
})
