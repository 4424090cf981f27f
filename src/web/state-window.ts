/**
 * The messages of one conversation that the page holds: a window without gaps, which grows at its end by events and at its
 * beginning by pages (`state.ts`, rules 1 and 2).
 */
import type { Message, MessagePage } from "../client/values.ts"
import { compareText } from "../domain/bytes.ts"
import { compare as compareHlc } from "../domain/hlc.ts"
import { type Conversation, windowMax } from "./state.ts"

/** The order of messages in a chat (SPEC §5.1). */
export const compare = (a: Message, b: Message): number => compareHlc(a.hlc, b.hlc) || compareText(a.msg_id, b.msg_id)

/** `messages`, in their order, with `message` at its place, once. */
const insert = (messages: ReadonlyArray<Message>, message: Message): ReadonlyArray<Message> => {
  const others = messages.some(({ msg_id }) => msg_id === message.msg_id)
    ? messages.filter(({ msg_id }) => msg_id !== message.msg_id)
    : messages
  // most come at the end
  let at = others.length
  while (at > 0 && compare(others[at - 1]!, message) > 0) at--
  return [...others.slice(0, at), message, ...others.slice(at)]
}

/** Takes in a message that arrived, if its place is in the window. */
export const arrived = (conversation: Conversation, message: Message): Conversation => {
  const { isLive, messages, older } = conversation
  const first = messages[0]
  if (!messages.some(({ msg_id }) => msg_id === message.msg_id)) {
    // what lies before the window comes with its page
    const isBefore = typeof older === "string" && first !== undefined && compare(message, first) < 0
    if (!isLive || isBefore) return conversation
    if (messages.length >= windowMax) return { ...conversation, isLive: false }
  }
  return { ...conversation, messages: insert(messages, message) }
}

/** Takes in the newest page: joined to what is there if they meet, else in its place. */
export const newestPage = (conversation: Conversation, page: MessagePage): Conversation => {
  const oldest = page.messages.at(-1)
  const ids = new Set(page.messages.map(({ msg_id }) => msg_id))
  const { messages, older } = conversation
  const doMeet = older !== undefined && messages.some(({ msg_id }) => ids.has(msg_id))
  const isAll = page.next === null
  // where they do not meet, only what came while the page was on its way goes on from it
  const kept = doMeet || isAll
    ? messages
    : messages.filter((message) => oldest !== undefined && compare(message, oldest) > 0)
  return {
    ...conversation,
    messages: page.messages.reduce<ReadonlyArray<Message>>(insert, kept),
    older: isAll ? null : doMeet ? older : page.next,
    isLive: true
  }
}

/** Takes in the page before the window, asked for by `before`. An answer to a question of an earlier window is let go. */
export const olderPage = (conversation: Conversation, page: MessagePage, before: string): Conversation => {
  if (conversation.older !== before) return conversation
  const messages = page.messages.reduce<ReadonlyArray<Message>>(insert, conversation.messages)
  // its end gives way, not its beginning: no cursor leads back to a place within a page
  const isTooMuch = messages.length > windowMax
  return {
    ...conversation,
    messages: isTooMuch ? messages.slice(0, windowMax) : messages,
    older: page.next,
    isLive: conversation.isLive && !isTooMuch
  }
}

/** Without messages: the newest page is to be read when it is shown again. */
export const emptied = (conversation: Conversation): Conversation =>
  conversation.messages.length === 0 && !conversation.isLive
    ? conversation
    : { ...conversation, messages: [], older: undefined, isLive: false }
