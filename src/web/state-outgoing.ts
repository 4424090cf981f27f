/**
 * Messages on their way: shown from the moment they are sent, and gone when the message itself is there.
 *
 * The id of a message is made where it is signed, so the page learns it with the answer, and the event may come before. Until
 * then a message of the user's with the same text is taken for the one on its way; the answer decides.
 */
import type { Message } from "../client/values.ts"
import * as Hlc from "../domain/hlc.ts"
import type { Address, MessageId } from "../domain/ids.ts"
import * as Windows from "./state-window.ts"
import type { Conversation, Outgoing } from "./state.ts"

export const added = (conversation: Conversation, outgoing: Outgoing): Conversation => ({
  ...conversation,
  outgoing: [...conversation.outgoing, outgoing]
})

export const without = (conversation: Conversation, key: number): Conversation => ({
  ...conversation,
  outgoing: conversation.outgoing.filter((each) => each.key !== key)
})

/** The message `id` is there, so none is on its way by that id. */
export const settled = (conversation: Conversation, id: MessageId): Conversation =>
  conversation.outgoing.some((each) => each.id === id)
    ? { ...conversation, outgoing: conversation.outgoing.filter((each) => each.id !== id) }
    : conversation

/** An event: a message of the user's may be one that is on its way. */
export const matched = (conversation: Conversation, message: Message, self: Address): Conversation => {
  if (message.sender !== self || conversation.outgoing.length === 0) return conversation
  const rest = settled(conversation, message.msg_id)
  if (rest !== conversation || rest.outgoing.some(({ match }) => match === message.msg_id)) return rest
  const like = rest.outgoing.find(({ content, match, state }) =>
    state === "sending" && match === undefined && content === message.content
  )
  if (like === undefined || message.msg_type !== 0 || message.control !== undefined) return rest
  return {
    ...rest,
    outgoing: rest.outgoing.map((each) => each === like ? { ...each, match: message.msg_id } : each)
  }
}

/** A node took it: the message stands in its place, made of the answer unless an event has brought it. */
export const sent = (
  conversation: Conversation,
  { hlc, id, key }: { readonly key: number; readonly id: MessageId; readonly hlc: Hlc.Hlc },
  self: Address
): Conversation => {
  const outgoing = conversation.outgoing.find((each) => each.key === key)
  const rest = without(conversation, key)
  if (outgoing === undefined || conversation.messages.some(({ msg_id }) => msg_id === id)) return rest
  const message: Message = {
    msg_id: id,
    chat_id: conversation.chatId,
    sender: self,
    ts: outgoing.atMs,
    hlc,
    msg_type: 0,
    content: outgoing.content
  }
  const isNew = rest.newest === undefined || Windows.compare(message, rest.newest) > 0
  return {
    ...Windows.arrived(rest, message),
    newest: isNew ? message : rest.newest,
    activity: Hlc.max(rest.activity, hlc),
    isListed: true
  }
}

/** It has another state now; what was taken for it is not, unless that is still possible. */
export const changed = (conversation: Conversation, outgoing: Outgoing): Conversation => {
  if (outgoing.id !== undefined && conversation.messages.some(({ msg_id }) => msg_id === outgoing.id)) {
    return without(conversation, outgoing.key)
  }
  return {
    ...conversation,
    outgoing: conversation.outgoing.map((each) => each.key === outgoing.key ? outgoing : each)
  }
}

/** Those to be shown below the messages. */
export const shown = ({ messages, outgoing }: Conversation): ReadonlyArray<Outgoing> =>
  outgoing.filter(({ match }) => match === undefined || !messages.some(({ msg_id }) => msg_id === match))
