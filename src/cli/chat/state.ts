/**
 * What `chat` knows of one conversation, and how it changes. Pure: time, keys and calls are in `session.ts`, what it looks
 * like in `view.ts`.
 *
 * Messages are in the order of the protocol, (hlc, msg_id), each once however it came. What was just written stands behind
 * them until a node has taken it. Everything here is bounded.
 */
import type { Chat } from "../../client/Chat.ts"
import type { Conversation, Identity, Members, Message, MessagePage, Sent } from "../../client/values.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { Address, ChatId, MessageId } from "../../domain/ids.ts"
import { unreadMax } from "../../domain/limits.ts"
import { nameOf } from "../names.ts"
import { type Editor, empty } from "../terminal/editor.ts"

/** Messages and notices kept; and their text, in code units. Older ones are read with `p2p-mes read --all`. */
const keptMax = 2_000
const keptUnitsMax = 8 * 1024 * 1024
/** Names of senders, and other conversations, that are kept. */
const knownMax = 10_000

/** Something written here that no node has yet confirmed. */
export interface Outgoing {
  readonly key: string
  readonly content: string
  readonly state: "sending" | "failed"
  /** Why it failed. */
  readonly reason: string
  /** It was sent and nothing tells whether it was taken: what to look for before it is sent again, and its time, ms. */
  readonly unknown?: { readonly id: MessageId; readonly ts: number } | undefined
  /** It came back as an event before the answer did; kept from being shown twice. */
  readonly seen: boolean
}

export type Entry =
  | { readonly kind: "top"; readonly key: "top" }
  | { readonly kind: "message"; readonly key: string; readonly message: Message }
  | { readonly kind: "notice"; readonly key: string; readonly hlc: Hlc.Hlc; readonly text: string }
  | { readonly kind: "outgoing"; readonly key: string; readonly outgoing: Outgoing }

export type Placed = Extract<Entry, { readonly kind: "message" | "notice" }>

/** What is above: more, at the node; more, being read; nothing; or more than is kept here. */
export type Above = "more" | "loading" | "nothing" | "cut"

export interface Elsewhere {
  readonly count: number
  readonly newest: Hlc.Hlc
}

/** Which line is at the lower edge: so many above the last one of an entry. */
export interface Anchor {
  readonly key: string
  readonly below: number
}

export interface State {
  readonly self: Address
  readonly chat: Chat
  readonly chatId: ChatId
  readonly title: string
  /** Of a group, once known. */
  readonly members: number | undefined
  /** Names that users gave themselves. */
  readonly names: ReadonlyMap<Address, string>
  /** By ascending place. */
  readonly placed: ReadonlyArray<Placed>
  readonly outgoing: ReadonlyArray<Outgoing>
  readonly above: Above
  /** Cursor of the page above. */
  readonly cursor: string | undefined
  readonly elsewhere: ReadonlyMap<ChatId, Elsewhere>
  readonly connection: {
    readonly state: "connecting" | "open" | "lost"
    readonly url: string
    readonly error: string
  }
  readonly editor: Editor
  /** Absent: the end of the conversation is shown, and what comes. */
  readonly anchor: Anchor | undefined
  /** Something to say, until the next key. */
  readonly hint: string
}

export const initial = (self: Address, chat: Chat, chatId: ChatId, url: string): State => ({
  self,
  chat,
  chatId,
  title: "",
  members: undefined,
  names: new Map(),
  placed: [],
  outgoing: [],
  above: "loading",
  cursor: undefined,
  elsewhere: new Map(),
  connection: { state: "connecting", url, error: "" },
  editor: empty,
  anchor: undefined,
  hint: ""
})

const hlcOf = (entry: Placed): Hlc.Hlc => entry.kind === "message" ? entry.message.hlc : entry.hlc

const byPlace = (a: Placed, b: Placed): number =>
  Hlc.compare(hlcOf(a), hlcOf(b)) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

const unitsOf = (entry: Placed): number => entry.kind === "message" ? entry.message.content.length : entry.text.length

const entryOf = (message: Message): Placed => ({ kind: "message", key: message.msg_id, message })

/** The newest that may be kept. */
const kept = (placed: ReadonlyArray<Placed>): ReadonlyArray<Placed> => {
  let units = 0
  let from = placed.length
  while (from > 0 && placed.length - from < keptMax && units <= keptUnitsMax) units += unitsOf(placed[--from]!)
  return from === 0 ? placed : placed.slice(from)
}

/**
 * Adds entries; one that is there already, by its key, is replaced: it may have another place now. What was sent without an
 * answer, and is among them, has arrived.
 */
const place = (state: State, more: ReadonlyArray<Placed>): State => {
  const keys = new Set(more.map(({ key }) => key))
  const all = [...state.placed.filter(({ key }) => !keys.has(key)), ...more].sort(byPlace)
  const placed = kept(all)
  const outgoing = state.outgoing.filter(({ unknown }) => unknown === undefined || !keys.has(unknown.id))
  return { ...state, placed, outgoing, above: placed === all ? state.above : "cut" }
}

const limited = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> => {
  const next = new Map(map)
  next.delete(key)
  next.set(key, value)
  if (next.size > knownMax) next.delete(next.keys().next().value!)
  return next
}

/** A page above what is there, newest first, as `history` gives it. */
export const withPage = (state: State, { messages, next }: MessagePage): State =>
  place({ ...state, above: next === null ? "nothing" : "more", cursor: next ?? undefined }, messages.map(entryOf))

/** The newest page, read again or for the first time. What lies between it and what is there comes as events. */
export const withNewest = (state: State, page: MessagePage): State =>
  state.cursor === undefined && (state.above === "loading" || state.above === "more")
    ? withPage(state, page)
    : place(state, page.messages.map(entryOf))

const withoutFirst = <A>(items: ReadonlyArray<A>, isIt: (item: A) => boolean): ReadonlyArray<A> => {
  const at = items.findIndex(isIt)
  return at === -1 ? items : items.toSpliced(at, 1)
}

/** Counts a message of another conversation. */
const elsewhere = (state: State, { chat_id, hlc, sender }: Message): State => {
  if (sender === state.self) return state
  const before = state.elsewhere.get(chat_id) ?? { count: 0, newest: Hlc.zero }
  // the same message may come again
  if (hlc <= before.newest) return state
  const now = { count: Math.min(unreadMax, before.count + 1), newest: hlc }
  return { ...state, elsewhere: limited(state.elsewhere, chat_id, now) }
}

/** A message that came as an event. */
export const withMessage = (state: State, message: Message): State => {
  if (message.chat_id !== state.chatId) return elsewhere(state, message)
  const entry = entryOf(message)
  const first = state.placed[0]
  // it comes with its page, or is further up than is kept
  const isAbove = state.above !== "nothing" && first !== undefined && byPlace(entry, first) < 0
  const known = state.placed.some(({ key }) => key === message.msg_id)
  if (isAbove && !known) return state
  const mine = message.sender === state.self && !known
    ? state.outgoing.find(({ content, seen, state }) => !seen && state === "sending" && content === message.content)
    : undefined
  const outgoing = mine === undefined
    ? state.outgoing
    : state.outgoing.map((each) => each === mine ? { ...each, seen: true } : each)
  return place({ ...state, outgoing }, [entry])
}

/** A membership event of this conversation, in words. */
export const withNotice = (state: State, key: string, hlc: Hlc.Hlc, text: string): State =>
  place(state, [{ kind: "notice", key, hlc, text }])

/** A read mark of the user herself, set here or anywhere. */
export const withRead = (state: State, chatId: ChatId, upTo: Hlc.Hlc): State => {
  const there = state.elsewhere.get(chatId)
  return there === undefined || upTo < there.newest
    ? state
    : { ...state, elsewhere: limited(state.elsewhere, chatId, { ...there, count: 0 }) }
}

export const withIdentity = (state: State, { address, identity }: Pick<Identity, "address" | "identity">): State => ({
  ...state,
  names: limited(state.names, address, nameOf(identity))
})

export const withMembers = (state: State, { members, title }: Members): State => ({
  ...state,
  title,
  members: members.length
})

/** The first page of the inbox: what is unread in other conversations. */
export const withInbox = (state: State, conversations: ReadonlyArray<Conversation>): State => ({
  ...state,
  elsewhere: new Map(
    conversations.filter(({ chat_id }) => chat_id !== state.chatId).map(({ chat_id, newest, unread }) => [
      chat_id,
      { count: unread, newest: newest?.hlc ?? Hlc.zero }
    ])
  )
})

export const unreadElsewhere = ({ elsewhere: all }: State): number => {
  let sum = 0
  for (const { count } of all.values()) sum += count
  return Math.min(unreadMax, sum)
}

/** What was written is on its way. Whoever sends something wants to see it. */
export const withOutgoing = (state: State, key: string, content: string): State => ({
  ...state,
  anchor: undefined,
  outgoing: [...state.outgoing, { key, content, state: "sending", reason: "", seen: false }]
})

/** A node has taken it. */
export const withSent = (
  state: State,
  key: string,
  { chat_id, hlc, msg_id }: Pick<Sent, "chat_id" | "hlc" | "msg_id">,
  ts: number
): State => {
  const sent = state.outgoing.find((each) => each.key === key)
  if (sent === undefined) return state
  const rest = { ...state, outgoing: withoutFirst(state.outgoing, (each) => each === sent) }
  if (state.placed.some((entry) => entry.key === msg_id)) return rest
  return place(rest, [entryOf({ msg_id, chat_id, hlc, sender: state.self, ts, msg_type: 0, content: sent.content })])
}

export const withFailed = (state: State, key: string, reason: string, unknown?: Outgoing["unknown"]): State => ({
  ...state,
  outgoing: state.outgoing.map((each) =>
    each.key === key ? { ...each, state: "failed", reason, unknown, seen: false } : each
  )
})

/** The one that has waited longest to be sent again. */
export const failedFirst = ({ outgoing }: State): Outgoing | undefined =>
  outgoing.find((each) => each.state === "failed")

export const withRetry = (state: State, key: string): State => ({
  ...state,
  outgoing: state.outgoing.map((each) => each.key === key ? { ...each, state: "sending", reason: "" } : each)
})

/** From the top down: what there is to show. */
export const entriesOf = ({ outgoing, placed }: State): ReadonlyArray<Entry> => [
  { kind: "top", key: "top" },
  ...placed,
  ...outgoing.filter(({ seen }) => !seen).map((each): Entry => ({ kind: "outgoing", key: each.key, outgoing: each }))
]
