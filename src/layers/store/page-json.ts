/**
 * Pages of direct conversations as the API's JSON, which SQLite writes itself: bytes that go from the file to the caller
 * without being a row, an object or a string on their way. It takes 40 % of the time (`bench/http.ts`). `api/message-json.ts`
 * says what it looks like, and a contract holds both against each other.
 */
import { isUtf8 } from "node:buffer"
import type { DatabaseSync } from "node:sqlite"
import { cursorOf, pageHead, pageTail } from "../../api/message-json.ts"
import * as Bytes from "../../domain/bytes.ts"
import type * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import { sizeOfMessage } from "../../domain/record.ts"
import type { PageQuery, TextRow } from "../../services/Store.ts"
import type { Chat, Dictionary } from "./dictionary.ts"
import { pageSql, pageValues } from "./page-sql.ts"
import * as Rows from "./rows.ts"

/** The page that `rows` are, which were read for one more than its limit. */
export const jsonOf = (rows: ReadonlyArray<TextRow>, { direction, limit }: PageQuery): string => {
  const isMore = rows.length > limit || rows.reduce((sum, { size }) => sum + size, 0) >= pageBytesMax
  const page = rows.slice(0, limit)
  const last = isMore || direction === "after" ? page.at(-1) : undefined
  return pageHead + page.map(({ json }) => json).join(",") + pageTail(last && cursorOf(last.hlc, last.id))
}

const rowSizeMin = sizeOfMessage({ content: "" })

/** Bytes of a field of which as many as {@link Rows.atOnceMax} make a page that is not too long: a larger one is not written here. */
const fieldBytesMax = pageBytesMax / Rows.atOnceMax

/** Of one message: id and stamp in hex, and its content as JSON. `odd`: a row that is damaged, as far as types tell, or too large. */
const columns = `lower(hex(m.id)) AS id, printf('%016x', m.hlc) AS hlc, m.sender, m.ts, m.msg_type,
  CASE WHEN octet_length(m.content) <= ${fieldBytesMax} THEN json_quote(CAST(m.content AS TEXT)) END AS content,
  CASE WHEN octet_length(m.control) <= ${fieldBytesMax} THEN m.control END AS control,
  typeof(m.id) <> 'blob' OR typeof(m.hlc) <> 'integer' OR m.hlc < 0 OR typeof(m.ts) <> 'integer' OR typeof(m.msg_type) <> 'integer'
    OR typeof(m.content) <> 'blob' OR octet_length(m.content) > ${fieldBytesMax}
    OR typeof(m.control) NOT IN ('blob', 'null') OR ifnull(octet_length(m.control), 0) > ${fieldBytesMax} AS odd`

/** `?7` what follows an id, `?8` number and `?9` address of one party, `?10` and `?11` of the other. */
const messageSql = `concat('{"msg_id":"0x', id, ?7, CASE sender WHEN ?8 THEN ?9 ELSE ?11 END,
  '","ts":', ts, ',"hlc":"', hlc, '","msg_type":', msg_type, ',"content":', content,
  CASE WHEN control IS NULL THEN '}' ELSE concat(',"control":"', to_base64(control), '"}') END)`

const allSql = (direction: PageQuery["direction"]): string =>
  `SELECT count(*), ${
    direction === "before" ? "min" : "max"
  }(concat(hlc, id)), max(odd OR sender IS NOT ?8 AND sender IS NOT ?10),
    CAST(group_concat(${messageSql}, ',') AS BLOB) FROM (${pageSql(columns, direction)})`

const joined = (head: string, messages: Uint8Array | undefined, tail: string): ArrayBuffer => {
  const length = messages?.length ?? 0
  const page = new Uint8Array(head.length + length + tail.length)
  // both are ASCII
  new TextEncoder().encodeInto(head, page)
  if (messages !== undefined) page.set(messages, head.length)
  new TextEncoder().encodeInto(tail, page.subarray(head.length + length))
  return page.buffer
}

/** `rowsOf` reads a page the long way: where it is long, of a group, or seems damaged, which may throw then. */
export const makePageJson = (
  db: DatabaseSync,
  names: Dictionary,
  rowsOf: (query: PageQuery) => ReadonlyArray<TextRow>
): (query: PageQuery) => ArrayBuffer => {
  db.function("to_base64", { deterministic: true }, (bytes) => Bytes.toBase64(Rows.blob(bytes)))
  const readings = {
    before: Rows.prepareRows(db, allSql("before")),
    after: Rows.prepareRows(db, allSql("after"))
  }
  const beyond = Rows.prepareRows(db, pageSql("1", "before"))

  const short = (query: PageQuery, { a, b }: Chat): ArrayBuffer | undefined => {
    const { chatId, direction, limit } = query
    if (a === undefined || b === undefined || limit > Rows.atOnceMax) return undefined
    const between = `","chat_id":"0x${chatId}","sender":"0x`
    const row = readings[direction].first(...pageValues(query), between, a, names.userName(a), b, names.userName(b))!
    const count = Rows.integer(row[0])
    if (count === 0) return joined(pageHead, undefined, pageTail(undefined))
    const [, cursor, odd, messages] = row as [bigint, string, bigint, Uint8Array]
    if (odd !== 0n || messages.length + count * rowSizeMin >= pageBytesMax || !isUtf8(messages)) return undefined
    const isMore = direction === "after" || count === limit && beyond.first(...pageValues({
            ...query,
            from: { hlc: BigInt(`0x${cursor.slice(0, 16)}`) as Hlc.Hlc, id: cursor.slice(16) as Ids.MessageId },
            limit: 1
          })) !== undefined
    return joined(pageHead, messages, pageTail(isMore ? cursor : undefined))
  }

  return (query) => {
    const chat = names.findChat(query.chatId)
    if (chat === undefined) return joined(pageHead, undefined, pageTail(undefined))
    return short(query, chat) ??
      Bytes.fromText(jsonOf(rowsOf({ ...query, limit: query.limit + 1 }), query)).slice().buffer
  }
}
