/**
 * Conversations and messages as one node shows them. The same calls serve the client's own node and those that it turns
 * to when that one has no answer.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Ids from "../domain/ids.ts"
import { type CallOptions, read } from "./calls.ts"
import type * as Chat from "./Chat.ts"
import type { Connection } from "./Connection.ts"
import type { ReadError } from "./errors.ts"
import type { Conversation, Inbox, Message, MessagePage } from "./values.ts"

export interface PageOptions {
  /** 1 to 500; the node's default is 50. */
  readonly limit?: number | undefined
  /** A cursor: older than it, newest first. */
  readonly before?: string | undefined
  /** A cursor: newer than it, oldest first. Messages that arrive late, stamped earlier, are not seen this way. */
  readonly after?: string | undefined
}

export type InboxOptions = Pick<PageOptions, "limit" | "after">

export interface Reads {
  /** One page. `next` is the cursor of the following page in the same direction. */
  history(chat: Chat.Chat, options?: PageOptions): Effect.Effect<MessagePage, ReadError>
  /** All pages from `before` or `after` on; without either the whole chat, newest first. `limit` is that of a page. */
  historyAll(chat: Chat.Chat, options?: PageOptions): Stream.Stream<Message, ReadError>
  /** One message; `NotFound` when the node does not have it. */
  message(chat: Chat.Chat, id: Ids.MessageId): Effect.Effect<Message, ReadError>
  conversations(options?: InboxOptions): Effect.Effect<Inbox, ReadError>
  conversationsAll(options?: InboxOptions): Stream.Stream<Conversation, ReadError>
}

/** Without the keys whose value is `undefined`, which the schema of a query does not take. */
export const defined = <A extends object>(
  options: A
): { readonly [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never

const pages = <A, E>(
  from: PageOptions,
  get: (options: PageOptions) => Effect.Effect<readonly [items: ReadonlyArray<A>, next: string | null], E>,
  continueBy: "before" | "after"
): Stream.Stream<A, E> =>
  Stream.paginate(
    from,
    (options) =>
      Effect.map(get(options), ([items, next]) =>
        [items, next === null ? Option.none() : Option.some({ ...options, [continueBy]: next })] as const)
  )

export const make = (connection: Connection, options: CallOptions): Reads => {
  const { api } = connection
  const reading = <A>(run: Effect.Effect<A, unknown>) => read(connection, options, run)

  const history: Reads["history"] = (chat, query = {}) =>
    reading(
      chat.kind === "dm"
        ? api.dialogs.history({ params: { peer: chat.peer }, query: defined(query) })
        : api.groups.history({ params: { chat_id: chat.chatId }, query: defined(query) })
    )

  const conversations: Reads["conversations"] = (query = {}) => reading(api.conversations({ query: defined(query) }))

  return {
    history,
    historyAll: (chat, query = {}) =>
      pages(
        query,
        (query) => Effect.map(history(chat, query), ({ messages, next }) => [messages, next]),
        query.after === undefined ? "before" : "after"
      ),
    message: (chat, id) =>
      reading(
        chat.kind === "dm"
          ? api.dialogs.message({ params: { peer: chat.peer, msg_id: id } })
          : api.groups.message({ params: { chat_id: chat.chatId, msg_id: id } })
      ),
    conversations,
    conversationsAll: (query = {}) =>
      pages(
        query,
        (query) => Effect.map(conversations(query), ({ conversations, next }) => [conversations, next]),
        "after"
      )
  }
}
