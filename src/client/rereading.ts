/**
 * Messages that came while no stream told of them, read from the histories of one node.
 *
 * Rules:
 * 1. The stream of that node is open before the first call, so what comes later is told; what is told twice the caller
 *    leaves out.
 * 2. A chat is read back to `floor`, then told oldest first, a page in memory at a time.
 * 3. A message can move its chat up in the inbox, past the page that is being read; so the inbox is read again until it
 *    has nothing new.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Hlc from "../domain/hlc.ts"
import type { ChatId } from "../domain/ids.ts"
import { pageMax } from "../domain/limits.ts"
import * as Chat from "./Chat.ts"
import type { ReadError } from "./errors.ts"
import type { Reads } from "./reads.ts"
import type { MessageEvent, MessagePage } from "./values.ts"

/** Conversations a page of the inbox: mostly all that are newer than the floor. */
const inboxLimit = 100
/** The reading that finds nothing new is the last; so many at most. */
const inboxReadingsMax = 5

/** Everything in a chat above the floor, oldest first. */
const chatMissed = (reads: Reads, chat: Chat.Chat, floor: Hlc.Hlc): Stream.Stream<MessageEvent, ReadError> => {
  const reaches = ({ messages, next }: MessagePage) => next === null || (messages.at(-1)?.hlc ?? floor + 1n) <= floor
  const read = Effect.gen(function*() {
    let page = yield* reads.history(chat)
    if (reaches(page)) return Stream.fromIterable([...page.messages].reverse())
    // too much for one page: down to the floor, keeping nothing but the place, and from there up again
    while (!reaches(page) && page.next !== null) {
      page = yield* reads.history(chat, { before: page.next, limit: pageMax })
    }
    return reads.historyAll(chat, { after: page.next ?? "", limit: pageMax })
  })
  return Stream.unwrap(read).pipe(
    Stream.filter((message) => message.hlc > floor),
    Stream.map((message): MessageEvent => ({ type: "message", chat, message })),
    // she was removed meanwhile: nothing of it is hers to read
    Stream.catchTags({ Forbidden: () => Stream.empty, NotFound: () => Stream.empty })
  )
}

/** All messages above `floor` that the user may read at a node: chat by chat, oldest first in each. */
export const missed = (reads: Reads, floor: Hlc.Hlc): Stream.Stream<MessageEvent, ReadError> =>
  Stream.suspend(() => {
    const done = new Set<ChatId>()
    const inbox = reads.conversationsAll({ limit: inboxLimit }).pipe(
      Stream.takeWhile(({ newest }) => newest === null || newest.hlc > floor),
      Stream.filter(({ chat_id, newest }) => newest !== null && !done.has(chat_id)),
      Stream.flatMap(({ chat_id, kind, peer }) => {
        done.add(chat_id)
        const chat = Chat.told(chat_id, kind, peer)
        return chat === undefined ? Stream.empty : chatMissed(reads, chat, floor)
      })
    )
    const readings = (left: number): Stream.Stream<MessageEvent, ReadError> =>
      Stream.suspend(() => {
        const before = done.size
        const more = Stream.suspend(() => left > 1 && done.size > before ? readings(left - 1) : Stream.empty)
        return Stream.concat(inbox, more)
      })
    return readings(inboxReadingsMax)
  })
