/** What messages look like to this page: which it can show, and how they stand together. */
import { physicalMs } from "../domain/hlc.ts"
import type { Message } from "./state.ts"
import { dayKey } from "./times.ts"

/** Messages of one sender within this stand together, ms. */
const groupedMs = 5 * 60_000

/** Text, as this page writes it; anything else is of a program that this page does not know. */
export const isPlain = ({ control, msg_type }: Message): boolean => msg_type === 0 && control === undefined

export const timeOf = ({ hlc }: Message): number => physicalMs(hlc)

/** How a message stands to the one before it. */
export const placed = (message: Message, before: Message | undefined) => {
  const isNewDay = before === undefined || dayKey(timeOf(before)) !== dayKey(timeOf(message))
  const isFirst = isNewDay || before.sender !== message.sender || timeOf(message) - timeOf(before) > groupedMs
  return { isNewDay, isFirst }
}

/** The first of the newest `unread` messages of others, to be shown with a line above it. */
export const firstUnread = (
  messages: ReadonlyArray<Message>,
  unread: number,
  self: Message["sender"]
): Message["msg_id"] | undefined => {
  let left = unread
  let found: Message["msg_id"] | undefined
  for (let at = messages.length - 1; at >= 0 && left > 0; at--) {
    const { msg_id, sender } = messages[at]!
    if (sender === self) continue
    left--
    found = msg_id
  }
  return found
}
