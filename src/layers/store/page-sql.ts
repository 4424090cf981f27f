/**
 * The messages of a chat from a place on, either way: one scan of the index on (chat, stamp), that begins at the place and
 * ends with the page. Only messages of one stamp are sorted.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { PageQuery } from "../../services/Store.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"

const nothing = new Uint8Array()

const orderOf = { before: "DESC", after: "ASC" } as const

/**
 * `?1` id of the chat, `?2` lowest stamp, `?3` to `?5` a place, `?6` limit; `m` is the row, of which `more` may ask more.
 * Forward, `?2` is all that bounds stamps from below: with the place's too, the index might be entered at the floor, and a page
 * cost as much as all pages before it.
 */
export const pageSql = (columns: string, direction: PageQuery["direction"], more = ""): string => {
  const [order, sign] = [orderOf[direction], direction === "before" ? "<" : ">"]
  return `SELECT ${columns} FROM messages m
    WHERE m.chat = ${Rows.chatSql} AND m.hlc >= ?2 ${direction === "before" ? "AND m.hlc <= ?3" : ""}
      AND (m.hlc ${sign} ?3 OR m.prefix ${sign} ?4 OR (m.prefix = ?4 AND m.id ${sign} ?5)) ${more}
    ORDER BY m.hlc ${order}, m.prefix ${order}, m.id ${order} ${Rows.limitBy("?6")}`
}

/** `?1` to `?6` of {@link pageSql}. */
export const pageValues = ({ chatId, direction, floor, from, limit }: PageQuery) => {
  const [hlc, id] = from === undefined
    ? [direction === "before" ? Rows.integerMax : -1n, nothing]
    : [Rows.fromStamp(from.hlc), Bytes.fromHex(from.id)]
  const bound = Rows.fromStamp(floor)
  const lowest = direction === "after" && hlc > bound ? hlc : bound
  return [Bytes.fromHex(chatId), lowest, hlc, id === nothing ? 0n : prefixOf(id), id, limit] as const
}
