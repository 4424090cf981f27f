/**
 * The values that calls take and give, as types of the API's schemas.
 */
import type * as ApiEvents from "../api/events.ts"
import type * as Api from "../api/index.ts"
import type { Hlc } from "../domain/hlc.ts"
import type { ChatId, IdentityId, MessageId, NodeId, OpId, ReadId } from "../domain/ids.ts"
import type { Chat } from "./Chat.ts"

export type Message = typeof Api.Message.Type
export type MessagePage = typeof Api.MessagePage.Type
export type NewMessage = typeof Api.NewMessage.Type
export type Conversation = typeof Api.Conversation.Type
export type Inbox = typeof Api.Inbox.Type
export type NewOp = typeof Api.NewOp.Type
export type Member = typeof Api.Member.Type
export type Members = typeof Api.Members.Type
export type Identity = typeof Api.Identity.Type

interface Taken {
  readonly hlc: Hlc
  /** True: committed. False: accepted and queued, or found by its id; it may be committed by now. */
  readonly committed: boolean
}

export interface Sent extends Taken {
  readonly msg_id: MessageId
  readonly chat_id: ChatId
}

export interface OpTaken extends Taken {
  readonly op_id: OpId
  readonly chat_id: ChatId
}

export interface ReadTaken extends Taken {
  readonly read_id: ReadId
}

export interface IdentityTaken extends Taken {
  readonly identity_id: IdentityId
}

interface Event {
  /** What `events({ resume })` takes, at the same node. Absent: read from a history, not told by the stream. */
  readonly eventId?: string
}

export interface MessageEvent extends Event {
  readonly type: "message"
  readonly chat: Chat
  readonly message: Message
}

/** What happened to the user, as a node tells it. */
export type NodeEvent =
  | MessageEvent
  | ({ readonly type: "membership" } & Event & typeof ApiEvents.MembershipEvent.Type)
  | ({ readonly type: "read" } & Event & typeof ApiEvents.ReadEvent.Type)
  | ({ readonly type: "identity" } & Event & Identity)

/**
 * There was a gap: members, titles, read marks, identities and the inbox may be other than they were told or read. Read
 * anew what matters. Messages of the gap follow as events.
 */
export interface ResetEvent {
  readonly type: "reset"
}

/** How the stream stands, for showing. It goes on by itself. */
export interface ConnectionEvent {
  readonly type: "connection"
  readonly state: "open" | "lost"
  readonly url: string
  /** With `open`. */
  readonly nodeId?: NodeId
  /** With `lost`, of a stream or of an attempt to open one. */
  readonly error?: string
}

export type ClientEvent = NodeEvent | ResetEvent | ConnectionEvent
