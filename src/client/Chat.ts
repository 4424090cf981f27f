/**
 * How a client names a conversation: a direct one by the other party, a group by its id. And how ids look to people:
 * with `0x`, as in JSON.
 */
import * as Result from "effect/Result"
import type * as Hlc from "../domain/hlc.ts"
import { physicalMs } from "../domain/hlc.ts"
import * as Ids from "../domain/ids.ts"
import { hashes } from "./hashing.ts"

export type Chat =
  | { readonly kind: "dm"; readonly peer: Ids.Address }
  | { readonly kind: "group"; readonly chatId: Ids.ChatId }

export const dm = (peer: Ids.Address): Chat => ({ kind: "dm", peer })

export const group = (chatId: Ids.ChatId): Chat => ({ kind: "group", chatId })

/** Reads an address (40 hex digits: a direct conversation) or a group's chat id (64), with or without `0x`. */
export const parse = (input: string): Result.Result<Chat, string> => {
  const digits = input.replace(/^0x/i, "").length
  if (digits === 40) return Result.map(Ids.parseAddress(input), dm)
  if (digits === 64) return Result.map(Ids.parseChatId(input), group)
  return Result.fail("expected an address (0x and 40 hex digits) or a group's chat id (0x and 64)")
}

/** The conversation that a node means; none when it calls it direct and does not say with whom. */
export const told = (chatId: Ids.ChatId, kind: Chat["kind"], peer: Ids.Address | undefined): Chat | undefined =>
  kind === "group" ? group(chatId) : peer === undefined ? undefined : dm(peer)

/** The chat id, as seen by `user`. */
export const idOf = (chat: Chat, user: Ids.Address): Ids.ChatId =>
  chat.kind === "group" ? chat.chatId : Ids.dmChatId(hashes, user, chat.peer)

/** An id or address with `0x`. */
export const show = (id: Ids.Address | Ids.ChatId | Ids.MessageId | Ids.OpId | Ids.ReadId | Ids.IdentityId): string =>
  `0x${id}`

/** When a stamp was given, ms since the epoch. */
export const timeOf = (hlc: Hlc.Hlc): number => physicalMs(hlc)
