/**
 * What the page knows of the user's conversations, and how it changes: pure steps from one state to the next, driven by the
 * node's events and by the answers to calls. A step also tells what should be asked of the node because of it ({@link Want}).
 *
 * Rules:
 * 1. A message is there once, whatever brought it and how often; its place is by (hlc, id), as at every node.
 * 2. Memory is bounded: few conversations hold messages, each at most {@link windowMax}; the others only their newest.
 * 3. Counts of unread messages are the node's; between its answers they are kept up by events, and asked for anew whenever
 *    an event does not tell enough.
 */
import type * as Chat from "../client/Chat.ts"
import type { Conversation as InboxEntry, Inbox, Member, Members, Message, MessagePage } from "../client/values.ts"
import type * as Hlc from "../domain/hlc.ts"
import type { Address, ChatId, MessageId, NodeId } from "../domain/ids.ts"

/** Messages of a conversation that are held while it is shown. */
export const windowMax = 600
/** Messages of a page. */
export const pageSize = 50
/** Conversations that keep a page of messages after they were left, so that coming back is at once. */
export const keptChatsMax = 8
/** Conversations that the inbox holds. */
export const chatsMax = 2_000
/** Names that are remembered. */
export const namesMax = 2_000
/** Read from the node: more than this is shown as "999+". */
export const unreadShownMax = 999

/** A message of the user's that is not known to be stored. */
export interface Outgoing {
  /** Of this page only. */
  readonly key: number
  readonly content: string
  readonly atMs: number
  /**
   * `sending`: a node is asked. `waiting`: no node was reached, nothing was written. `unknown`: a node was asked and did not
   * answer, so it may have it. `refused`: a node said no.
   */
  readonly state: "sending" | "waiting" | "unknown" | "refused"
  /** Why it is not sent, for people. */
  readonly problem?: string | undefined
  /** With `unknown`: the id it would have, when it was signed, and the node that was asked. */
  readonly id?: MessageId | undefined
  readonly signedMs?: number | undefined
  readonly url?: string | undefined
  /** A message that came as an event and is most likely this one: shown in its place. */
  readonly match?: MessageId | undefined
}

export interface Conversation {
  readonly chat: Chat.Chat
  readonly chatId: ChatId
  readonly title: string
  readonly newest: Message | undefined
  /** Its place in the inbox. */
  readonly activity: Hlc.Hlc
  readonly unread: number
  /** There are more unread messages than were counted. */
  readonly isCapped: boolean
  /** The user has read up to here, as far as is known. */
  readonly readUpTo: Hlc.Hlc
  /** In a direct conversation: the other one has read up to here, as far as this page was told. */
  readonly seenUpTo: Hlc.Hlc
  /** Oldest first, without gaps. */
  readonly messages: ReadonlyArray<Message>
  /** Cursor of what comes before `messages`; `null`: nothing does; `undefined`: no page was read yet. */
  readonly older: string | null | undefined
  /** Whether `messages` goes on as messages arrive. */
  readonly isLive: boolean
  readonly outgoing: ReadonlyArray<Outgoing>
  readonly members: ReadonlyArray<Member> | undefined
  /** The user is no member any more. */
  readonly isOver: boolean
  /** Whether the inbox shows it: one that was only opened by an address is not there before a message is. */
  readonly isListed: boolean
}

export interface Connection {
  readonly state: "connecting" | "open" | "lost"
  readonly url: string
  readonly nodeId?: NodeId | undefined
  readonly error?: string | undefined
}

export interface State {
  readonly self: Address
  readonly connection: Connection
  readonly chats: ReadonlyMap<ChatId, Conversation>
  /** Conversations that hold messages, the last shown first. */
  readonly held: ReadonlyArray<ChatId>
  /** The one that is shown. */
  readonly shown: ChatId | undefined
  /** Cursor of the conversations that come after; `null`: all are here; `undefined`: the inbox was not read yet. */
  readonly inboxNext: string | null | undefined
  /** Names that users claim; `null`: she has none. */
  readonly names: ReadonlyMap<Address, string | null>
}

export type Action =
  | { readonly type: "message"; readonly chat: Chat.Chat; readonly message: Message }
  | {
    readonly type: "membership"
    readonly chat_id: ChatId
    readonly op: "create" | "add" | "remove" | "set-title"
    readonly targets: ReadonlyArray<Address>
    readonly actor: Address
    readonly hlc: Hlc.Hlc
  }
  | { readonly type: "read"; readonly chat_id: ChatId; readonly reader: Address; readonly up_to: Hlc.Hlc }
  | { readonly type: "name"; readonly address: Address; readonly name: string | null }
  | { readonly type: "reset" }
  | ({ readonly type: "connection" } & Connection)
  /** `chat`: with the id that it has for the user. */
  | { readonly type: "opened"; readonly chat: Chat.Chat; readonly chatId: ChatId }
  | { readonly type: "closed" }
  | { readonly type: "inbox"; readonly page: Inbox; readonly isFirst: boolean }
  | {
    readonly type: "history"
    readonly chatId: ChatId
    readonly page: MessagePage
    /** The cursor that was asked with; absent: the newest page. */
    readonly before?: string | undefined
  }
  | { readonly type: "to-newest"; readonly chatId: ChatId }
  | { readonly type: "members"; readonly members: Members }
  | { readonly type: "over"; readonly chatId: ChatId }
  | { readonly type: "send"; readonly chatId: ChatId; readonly outgoing: Outgoing }
  | {
    readonly type: "sent"
    readonly chatId: ChatId
    readonly key: number
    readonly id: MessageId
    readonly hlc: Hlc.Hlc
  }
  | { readonly type: "outgoing"; readonly chatId: ChatId; readonly outgoing: Outgoing }
  | { readonly type: "discard"; readonly chatId: ChatId; readonly key: number }
  | { readonly type: "mark"; readonly chatId: ChatId; readonly upTo: Hlc.Hlc }

/** Something to ask the node. */
export type Want =
  | { readonly what: "inbox" }
  | { readonly what: "history"; readonly chatId: ChatId }
  | { readonly what: "members"; readonly chatId: ChatId }
  | { readonly what: "name"; readonly address: Address }

export type Step = readonly [state: State, wants: ReadonlyArray<Want>]

export const initial = (self: Address, url: string): State => ({
  self,
  connection: { state: "connecting", url },
  chats: new Map(),
  held: [],
  shown: undefined,
  inboxNext: undefined,
  names: new Map()
})

export const fresh = (chat: Chat.Chat, chatId: ChatId): Conversation => ({
  chat,
  chatId,
  title: "",
  newest: undefined,
  activity: 0n as Hlc.Hlc,
  unread: 0,
  isCapped: false,
  readUpTo: 0n as Hlc.Hlc,
  seenUpTo: 0n as Hlc.Hlc,
  messages: [],
  older: undefined,
  isLive: false,
  outgoing: [],
  members: undefined,
  isOver: false,
  isListed: false
})

/** The state with one conversation changed; it must be there. */
export const withChat = (
  state: State,
  chatId: ChatId,
  change: (conversation: Conversation) => Conversation
): State => {
  const before = state.chats.get(chatId)
  if (before === undefined) return state
  const after = change(before)
  return after === before ? state : { ...state, chats: new Map(state.chats).set(chatId, after) }
}

/** What the inbox shows, newest activity first. */
export const listed = (state: State): ReadonlyArray<Conversation> =>
  [...state.chats.values()].filter(({ isListed }) => isListed)
    .sort((a, b) => a.activity < b.activity ? 1 : a.activity > b.activity ? -1 : 0)

/** Conversations with unread messages. */
export const unreadChats = (state: State): number =>
  [...state.chats.values()].filter(({ isListed, unread }) => isListed && unread > 0).length

/** Whether something of the user's would be lost if the page were closed now. */
export const hasUnsent = (state: State): boolean =>
  [...state.chats.values()].some(({ outgoing }) => outgoing.length > 0)

export type { InboxEntry, Member, Message }
