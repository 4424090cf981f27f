/** Short ways to make the values that the page's state is made of. */
import type * as Chat from "../../src/client/Chat.ts"
import { idOf } from "../../src/client/Chat.ts"
import type { Conversation as InboxEntry, Message, MessagePage } from "../../src/client/values.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address, ChatId, MessageId } from "../../src/domain/ids.ts"
import { reduce } from "../../src/web/reduce.ts"
import { type Action, initial, type Outgoing, type State, type Want } from "../../src/web/state.ts"

const address = (byte: number) => byte.toString(16).padStart(2, "0").repeat(20) as Address
export const [alice, bob, carol] = [address(0xa1), address(0xb0), address(0xc0)] as const
export const group: Chat.Chat = { kind: "group", chatId: "99".repeat(32) as ChatId }
export const dm: Chat.Chat = { kind: "dm", peer: bob }
export const dmId = idOf(dm, alice)
export const groupId = idOf(group, alice)

/** The stamp of second `s`. */
export const at = (s: number, logical = 0): Hlc.Hlc => Hlc.make(1_700_000_000_000 + s * 1000, logical)
export const messageId = (text: string) =>
  [...text].map((char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("").padEnd(64, "0") as MessageId

/** A message whose text is its name. */
export const message = (
  name: string,
  second: number,
  { chat = dm, sender = bob, content = name, ...more }: Partial<Message> & { readonly chat?: Chat.Chat } = {}
): Message => ({
  msg_id: messageId(name),
  chat_id: idOf(chat, alice),
  sender,
  ts: 1_700_000_000_000 + second * 1000,
  hlc: at(second),
  msg_type: 0,
  content,
  ...more
})

/** Newest first, as a node gives it. */
const page = (messages: ReadonlyArray<Message>, next: string | null = null): MessagePage => ({ messages, next })

export const entry = (newest: Message | null, unread: number, chat: Chat.Chat = dm): InboxEntry => ({
  kind: chat.kind,
  chat_id: idOf(chat, alice),
  ...(chat.kind === "dm" ? { peer: chat.peer } : { title: "Team" }),
  newest,
  unread
})

export const outgoing = (key: number, content: string, more: Partial<Outgoing> = {}): Outgoing => ({
  key,
  content,
  atMs: 1_700_000_100_000 + key,
  state: "sending",
  ...more
})

/** Alice's page, and what it wanted to know so far. */
export const make = () => {
  let state: State = initial(alice, "http://own")
  const wants: Array<Want> = []
  return {
    do: (...actions: ReadonlyArray<Action>) => {
      for (const action of actions) {
        const [next, more] = reduce(state, action)
        state = next
        wants.push(...more)
      }
    },
    get state() {
      return state
    },
    chat: (chatId: ChatId = dmId) => state.chats.get(chatId),
    /** The names of the messages that are held. */
    texts: (chatId: ChatId = dmId) => state.chats.get(chatId)?.messages.map(({ content }) => content),
    /** What was wanted since the last time, but for names. */
    wanted: () => wants.splice(0).map(({ what }) => what).filter((what) => what !== "name"),
    /** Whose names were wanted since the last time. */
    wantedNames: () => wants.splice(0).flatMap((want) => want.what === "name" ? [want.address] : [])
  }
}

export const arrives = (message: Message, chat: Chat.Chat = dm): Action => ({ type: "message", chat, message })
export const opens = (chat: Chat.Chat = dm): Action => ({ type: "opened", chat, chatId: idOf(chat, alice) })
export const inbox = (conversations: ReadonlyArray<InboxEntry>, next: string | null = null): Action => ({
  type: "inbox",
  page: { conversations, next },
  isFirst: true
})
export const history = (
  messages: ReadonlyArray<Message>,
  next: string | null = null,
  before?: string,
  chatId: ChatId = dmId
): Action => ({ type: "history", chatId, page: page(messages, next), ...(before === undefined ? {} : { before }) })
