/** The steps of `state.ts`: which action changes what. */
import type { Chat } from "../client/Chat.ts"
import type { Inbox, Message } from "../client/values.ts"
import * as Hlc from "../domain/hlc.ts"
import type { Address, ChatId } from "../domain/ids.ts"
import * as Outgoings from "./state-outgoing.ts"
import * as Windows from "./state-window.ts"
import {
  type Action,
  chatsMax,
  type Conversation,
  fresh,
  type InboxEntry,
  keptChatsMax,
  namesMax,
  pageSize,
  type State,
  type Step,
  unreadShownMax,
  type Want,
  withChat
} from "./state.ts"

const zero = 0n as Hlc.Hlc

type Of<T extends Action["type"]> = Extract<Action, { readonly type: T }>

const isAfter = (a: Message, b: Message | undefined): boolean => b === undefined || Windows.compare(a, b) > 0

/** Names that are not known yet, each once. */
const unnamed = (state: State, addresses: Iterable<Address>): ReadonlyArray<Want> =>
  [...new Set(addresses)].filter((address) => !state.names.has(address))
    .map((address): Want => ({ what: "name", address }))

const sendersOf = (messages: ReadonlyArray<Message>): ReadonlyArray<Address> => messages.map(({ sender }) => sender)

const message = (state: State, { chat, message }: Of<"message">): Step => {
  const chatId = message.chat_id
  const before = state.chats.get(chatId)
  const known = before ?? fresh(chat, chatId)
  const isNew = isAfter(message, known.newest)
  const isHeld = known.newest?.msg_id === message.msg_id ||
    known.messages.some((each) => each.msg_id === message.msg_id)
  const isUnread = !isHeld && message.sender !== state.self && message.hlc > known.readUpTo
  const counted = isUnread && isNew ? Math.min(unreadShownMax, known.unread + 1) : known.unread
  const after: Conversation = {
    ...Outgoings.matched(Windows.arrived(known, message), message, state.self),
    newest: isNew || known.newest?.msg_id === message.msg_id ? message : known.newest,
    activity: Hlc.max(known.activity, message.hlc),
    unread: counted,
    isCapped: known.isCapped || (isUnread && isNew && known.unread >= unreadShownMax),
    isListed: true
  }
  const next = { ...state, chats: new Map(state.chats).set(chatId, after) }
  // one that came late may have been counted already; of a conversation that was not known, there may be more
  const isUnsure = before === undefined || !before.isListed || (isUnread && !isNew)
  return [next, [
    ...(isUnsure ? [{ what: "inbox" } as const] : []),
    ...unnamed(state, [message.sender, ...(chat.kind === "dm" ? [chat.peer] : [])])
  ]]
}

const membership = (state: State, { actor, chat_id, hlc, op, targets }: Of<"membership">): Step => {
  const isOwn = targets.includes(state.self) || actor === state.self
  const before = state.chats.get(chat_id)
  if (op === "remove" && targets.includes(state.self)) return over(state, chat_id)
  const members: Want = { what: "members", chatId: chat_id }
  if (before === undefined || (before.isOver && isOwn)) {
    const again = { ...(before ?? fresh({ kind: "group", chatId: chat_id }, chat_id)), isOver: false, isListed: true }
    const listed = { ...again, activity: Hlc.max(again.activity, hlc) }
    // what was written in between was not told
    const missed: ReadonlyArray<Want> = state.shown === chat_id ? [{ what: "history", chatId: chat_id }] : []
    return [{ ...state, chats: new Map(state.chats).set(chat_id, listed) }, [{ what: "inbox" }, members, ...missed]]
  }
  return [state, [members]]
}

/** No member any more: what was read stays as long as it is shown, and nothing can be sent. */
const over = (state: State, chatId: ChatId): Step => {
  if (state.shown === chatId) {
    return [withChat(state, chatId, (it) => ({ ...it, isOver: true, isListed: false, unread: 0, members: [] })), []]
  }
  const chats = new Map(state.chats)
  chats.delete(chatId)
  return [{ ...state, chats, held: state.held.filter((each) => each !== chatId) }, []]
}

const read = (state: State, { chat_id, reader, up_to }: Of<"read">): Step => {
  if (reader !== state.self) {
    return [withChat(state, chat_id, (it) => up_to > it.seenUpTo ? { ...it, seenUpTo: up_to } : it), []]
  }
  return mark(state, chat_id, up_to)
}

/** The user's own mark, set here or elsewhere. */
const mark = (state: State, chatId: ChatId, upTo: Hlc.Hlc): Step => {
  const before = state.chats.get(chatId)
  if (before === undefined || upTo <= before.readUpTo) return [state, []]
  const isAll = before.newest === undefined || upTo >= before.newest.hlc
  const marked = withChat(state, chatId, (it) => ({
    ...it,
    readUpTo: upTo,
    ...(isAll ? { unread: 0, isCapped: false } : {})
  }))
  return [marked, isAll || before.unread === 0 ? [] : [{ what: "inbox" }]]
}

/** What an inbox tells of one conversation. */
const entry = (before: Conversation, told: InboxEntry, activity: Hlc.Hlc): Conversation => {
  const listed = { ...before, title: told.title ?? "", isOver: false, isListed: true }
  const newest = told.newest ?? undefined
  // more has come since the node answered, and was counted as it came
  if (before.isListed && before.newest !== undefined && (newest === undefined || isAfter(before.newest, newest))) {
    return listed
  }
  // a mark that was set here may not have reached the node when it answered
  const isRead = newest !== undefined && (told.unread === 0 || before.readUpTo >= newest.hlc)
  return {
    ...listed,
    newest,
    activity,
    unread: isRead ? 0 : told.unread,
    isCapped: !isRead && told.unread_capped === true,
    readUpTo: isRead ? Hlc.max(before.readUpTo, newest.hlc) : before.readUpTo
  }
}

const chatOf = ({ chat_id, kind, peer }: InboxEntry): Chat =>
  kind === "dm" ? { kind, peer: peer! } : { kind, chatId: chat_id }

const inbox = (state: State, { isFirst, page }: Of<"inbox">): Step => {
  const chats = new Map(state.chats)
  // one without messages has no time of its own here: it stays where the node put it
  let activity = page.conversations.find(({ newest }) => newest !== null)?.newest?.hlc ?? zero
  for (const told of page.conversations) {
    const before = chats.get(told.chat_id) ?? fresh(chatOf(told), told.chat_id)
    activity = told.newest?.hlc ?? activity
    if (!chats.has(told.chat_id) && chats.size >= chatsMax) continue
    chats.set(told.chat_id, entry(before, told, Hlc.max(activity, before.activity)))
  }
  const people = page.conversations.flatMap(({ newest, peer }) => [
    ...(peer === undefined ? [] : [peer]),
    ...(newest === null ? [] : [newest.sender])
  ])
  // a page that was read anew does not take back those that follow it
  const isFurther = !isFirst || state.inboxNext === undefined || page.next === null
  return [
    { ...state, chats, inboxNext: isFurther ? page.next : state.inboxNext },
    [...(isFirst ? untold(state, page) : []), ...unnamed(state, people)]
  ]
}

/** Groups that should be on the first page and are not: the node is to say whether the user is still a member. */
const untold = (state: State, { conversations, next }: Inbox): ReadonlyArray<Want> => {
  const told = new Set(conversations.map(({ chat_id }) => chat_id))
  const last = next === null ? zero : conversations.at(-1)?.newest?.hlc ?? zero
  return [...state.chats.values()]
    .filter((it) => it.chat.kind === "group" && it.isListed && it.activity >= last && !told.has(it.chatId))
    .map(({ chatId }) => ({ what: "members", chatId }))
}

const opened = (state: State, { chat, chatId }: Of<"opened">): Step => {
  const left = state.shown === undefined || state.shown === chatId ? state : closed(state)
  const before = left.chats.get(chatId) ?? fresh(chat, chatId)
  // from now on what arrives is held; a window that ends before the newest message would get a gap
  const known = before.isLive ? before : { ...Windows.emptied(before), isLive: true }
  const chats = new Map(left.chats).set(chatId, known)
  const held = [chatId, ...left.held.filter((each) => each !== chatId)]
  for (const each of held.slice(keptChatsMax)) {
    const dropped = chats.get(each)
    if (dropped !== undefined) chats.set(each, Windows.emptied(dropped))
  }
  const wants: Array<Want> = known.older === undefined ? [{ what: "history", chatId }] : []
  if (chat.kind === "group" && known.members === undefined) wants.push({ what: "members", chatId })
  return [
    { ...left, chats, held: held.slice(0, keptChatsMax), shown: chatId },
    [...wants, ...unnamed(left, chat.kind === "dm" ? [chat.peer, left.self] : [left.self])]
  ]
}

/** What was shown is left: it keeps little, and nothing if it is over or was only looked at. */
const closed = (state: State): State => {
  const { shown } = state
  const left = shown === undefined ? undefined : state.chats.get(shown)
  if (shown === undefined || left === undefined) return { ...state, shown: undefined }
  const chats = new Map(state.chats)
  if (!left.isListed && left.outgoing.length === 0) chats.delete(shown)
  else if (left.messages.length > 2 * pageSize || !left.isLive) chats.set(shown, Windows.emptied(left))
  return { ...state, chats, shown: undefined }
}

const history = (state: State, { before, chatId, page }: Of<"history">): Step => {
  const next = withChat(state, chatId, (it) => {
    const windowed = before === undefined ? Windows.newestPage(it, page) : Windows.olderPage(it, page, before)
    const settled = page.messages.reduce((at, each) => Outgoings.settled(at, each.msg_id), windowed)
    const newest = page.messages[0]
    if (before !== undefined || newest === undefined) return settled
    const listed = { ...settled, isListed: !it.isOver }
    return isAfter(newest, it.newest) ? { ...listed, newest, activity: Hlc.max(it.activity, newest.hlc) } : listed
  })
  return [next, unnamed(state, sendersOf(page.messages))]
}

/** After events were missed: all that was read may be old. Missed messages follow as events. */
const reset = (state: State): Step => {
  const shown = state.shown === undefined ? undefined : state.chats.get(state.shown)
  const chats = new Map(
    [...state.chats].map(([chatId, it]) =>
      [chatId, it === shown ? it : { ...Windows.emptied(it), members: undefined }] as const
    )
  )
  const wants: Array<Want> = [{ what: "inbox" }]
  if (shown?.isLive === true) wants.push({ what: "history", chatId: shown.chatId })
  if (shown?.chat.kind === "group") wants.push({ what: "members", chatId: shown.chatId })
  const names = [...state.names.keys()].slice(-pageSize).map((address): Want => ({ what: "name", address }))
  return [{ ...state, chats }, [...wants, ...names]]
}

const name = (state: State, { address, name }: Of<"name">): Step => {
  if (state.names.get(address) === name) return [state, []]
  const names = new Map(state.names).set(address, name)
  for (const oldest of names.keys()) {
    if (names.size <= namesMax) break
    names.delete(oldest)
  }
  return [{ ...state, names }, []]
}

const members = (state: State, { members: told }: Of<"members">): Step => [
  withChat(state, told.chat_id, (it) => ({ ...it, title: told.title, members: told.members, isOver: false })),
  // of a large group, the names of those who write are enough
  unnamed(state, told.members.slice(0, pageSize).map(({ address }) => address))
]

export const reduce = (state: State, action: Action): Step => {
  switch (action.type) {
    case "message":
      return message(state, action)
    case "membership":
      return membership(state, action)
    case "read":
      return read(state, action)
    case "name":
      return name(state, action)
    case "reset":
      return reset(state)
    case "connection": {
      const { error, nodeId, state: now, url } = action
      return [{ ...state, connection: { state: now, url, nodeId, error } }, []]
    }
    case "opened":
      return opened(state, action)
    case "closed":
      return [closed(state), []]
    case "inbox":
      return inbox(state, action)
    case "history":
      return history(state, action)
    case "to-newest":
      return [
        withChat(state, action.chatId, (it) => ({ ...Windows.emptied(it), isLive: true })),
        [{ what: "history", chatId: action.chatId }]
      ]
    case "members":
      return members(state, action)
    case "over":
      return over(state, action.chatId)
    case "send":
      return [withChat(state, action.chatId, (it) => Outgoings.added(it, action.outgoing)), []]
    case "sent":
      return [withChat(state, action.chatId, (it) => Outgoings.sent(it, action, state.self)), []]
    case "outgoing":
      return [withChat(state, action.chatId, (it) => Outgoings.changed(it, action.outgoing)), []]
    case "discard":
      return [withChat(state, action.chatId, (it) => Outgoings.without(it, action.key)), []]
    case "mark":
      return mark(state, action.chatId, action.upTo)
  }
}
