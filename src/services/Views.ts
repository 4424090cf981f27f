/**
 * Reading at this node (SPEC §5.1–5.4, §8): everything here is derived when it is asked for, from stored records and the
 * membership fold, and sees what this node has itself accepted.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Hlc } from "../domain/hlc.ts"
import type * as Ids from "../domain/ids.ts"
import type { Identity, Message } from "../domain/record.ts"
import type { Forbidden, NotFound, Overloaded } from "../domain/refusal.ts"
import type { Place } from "./Ingest.ts"
import type { InboxPosition, Position } from "./Store.ts"

export type { InboxPosition } from "./Store.ts"

export interface HistoryQuery {
  readonly direction: "before" | "after"
  readonly from?: Position | undefined
  readonly limit: number
}

export interface History {
  readonly messages: ReadonlyArray<Message>
  /** Where the next page starts; absent at the end. */
  readonly next?: Position | undefined
}

export interface Conversation {
  readonly place: Place
  /** Of a group; "" when it has none. */
  readonly title?: string | undefined
  readonly newest?: Message | undefined
  /** Orders the inbox: the newest shown message, else when the reader joined. */
  readonly activity: Hlc
  readonly unread: number
  /** Whether there are more than `unread` says. */
  readonly capped: boolean
}

export interface Members {
  readonly chatId: Ids.ChatId
  readonly title: string
  readonly members: ReadonlyArray<{
    readonly address: Ids.Address
    readonly role: Ids.RoleCode
    readonly since: Hlc
  }>
}

export class Views extends Context.Service<Views, {
  history(
    user: Ids.Address,
    place: Place,
    query: HistoryQuery
  ): Effect.Effect<History, Forbidden | NotFound | Overloaded>
  /** The same page as the API's JSON, as text or in UTF-8, written where it was read: a server hands it on as it is. */
  historyJson(
    user: Ids.Address,
    place: Place,
    query: HistoryQuery
  ): Effect.Effect<string | Uint8Array, Forbidden | NotFound | Overloaded>
  message(
    user: Ids.Address,
    place: Place,
    id: Ids.MessageId
  ): Effect.Effect<Message, Forbidden | NotFound | Overloaded>
  conversations(
    user: Ids.Address,
    query: { readonly after?: InboxPosition | undefined; readonly limit: number }
  ): Effect.Effect<
    { readonly conversations: ReadonlyArray<Conversation>; readonly next?: InboxPosition | undefined },
    Overloaded
  >
  members(user: Ids.Address, chatId: Ids.ChatId): Effect.Effect<Members, Forbidden | NotFound | Overloaded>
  identity(address: Ids.Address): Effect.Effect<Identity, NotFound | Overloaded>
}>()("p2p-mes/services/Views") {}
