/**
 * Messages and pages of them as the API's JSON, written by hand: pages are mostly messages, and a schema takes several times as
 * long. A test holds them against the API's schemas.
 */
import * as Bytes from "../domain/bytes.ts"
import * as Hlc from "../domain/hlc.ts"
import type { MessageFields, MessageId } from "../domain/ids.ts"

/** What a reader is told of a message. */
export interface ToldMessage extends MessageFields {
  readonly id: MessageId
  readonly hlc: Hlc.Hlc
}

/** The keys and their order are those of the API's schema; absent fields are left out. */
export const messageJson = ({ chatId, content, control, hlc, id, msgType, sender, ts }: ToldMessage): string =>
  `{"msg_id":"0x${id}","chat_id":"0x${chatId}","sender":"0x${sender}","ts":${ts},"hlc":"${Hlc.toText(hlc)}",`
  + `"msg_type":${msgType},"content":${JSON.stringify(content)}`
  + (control === undefined ? "}" : `,"control":"${Bytes.toBase64(control)}"}`)

/** Where the next page begins: a stamp and an id in hex. Clients do not look into it. */
export const cursorOf = (hlc: Hlc.Hlc, id: string): string => `${Hlc.toText(hlc)}${id}`

/** What stands before and after the messages of a page. `next`: a cursor. */
export const pageHead = `{"messages":[`
export const pageTail = (next: string | undefined): string => `],"next":${next === undefined ? "null" : `"${next}"`}}`
