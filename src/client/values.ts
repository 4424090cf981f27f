/**
 * The values that calls take and give, as types of the API's schemas.
 */
import type * as Api from "../api/index.ts"
import type { Hlc } from "../domain/hlc.ts"
import type { ChatId, IdentityId, MessageId, OpId, ReadId } from "../domain/ids.ts"

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
