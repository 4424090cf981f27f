/**
 * An inbox and a page as somebody would answer them who needs these two and nothing else: statements written for them, on one
 * connection to the node's own file, objects made of their rows, `JSON.stringify`. It waits for no writer, folds no group,
 * knows no retention and sends nothing between threads.
 */
import { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../src/domain/bytes.ts"
import type * as Ids from "../../src/domain/ids.ts"
import { pageDefault } from "../../src/domain/limits.ts"

const messageColumns = "m.id, m.hlc, m.ts, m.msg_type, m.content, m.control, s.address AS sender"

const text = new TextDecoder()

export const byHand = (path: string) => {
  const db = new DatabaseSync(path, { readOnly: true })
  db.exec("PRAGMA cache_size = -8192")
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    return statement
  }
  const number = prepare("SELECT num FROM users WHERE address = ?")
  const chats = prepare(
    `SELECT c.num, c.id, p.address AS peer, r.up_to,
      (SELECT max(m.hlc) FROM messages m WHERE m.chat = c.num AND m.hlc >= ?2) AS newest
    FROM user_chats u JOIN chats c ON c.num = u.chat JOIN users p ON p.num = iif(c.a = ?1, c.b, c.a)
      LEFT JOIN reads r ON r.chat = c.num AND r.reader = ?1
    WHERE u.user = ?1 ORDER BY newest DESC LIMIT ?3`
  )
  const newest = prepare(
    `SELECT ${messageColumns} FROM messages m JOIN users s ON s.num = m.sender WHERE m.chat = ? AND m.hlc = ?`
  )
  const unread = prepare(
    "SELECT count(*) AS count FROM (SELECT 1 FROM messages WHERE chat = ? AND hlc > ? AND sender <> ? LIMIT 1000)"
  )
  const page = prepare(
    `SELECT ${messageColumns} FROM messages m JOIN users s ON s.num = m.sender JOIN chats c ON c.num = m.chat
      WHERE c.id = ? AND m.hlc >= ? ORDER BY m.hlc DESC LIMIT ?`
  )
  const hex = (value: unknown) => `0x${Bytes.toHex(value as Uint8Array)}`
  const message = (row: { readonly [column: string]: unknown }, chatId: string) => ({
    msg_id: hex(row["id"]),
    chat_id: chatId,
    sender: hex(row["sender"]),
    ts: Number(row["ts"]),
    hlc: (row["hlc"] as bigint).toString(16).padStart(16, "0"),
    msg_type: Number(row["msg_type"]),
    content: text.decode(row["content"] as Uint8Array),
    control: row["control"] === null ? undefined : Bytes.toBase64(row["control"] as Uint8Array)
  })
  return {
    inbox: (address: Ids.Address): string => {
      const num = number.get(Bytes.fromHex(address))!["num"]!
      const found = chats.all(num, 0n, pageDefault + 1)
      const conversations = found.slice(0, pageDefault).map((chat) => {
        const chatId = hex(chat["id"])
        return {
          kind: "dm",
          chat_id: chatId,
          peer: hex(chat["peer"]),
          newest: message(newest.get(chat["num"]!, chat["newest"]!)!, chatId),
          unread: Number(unread.get(chat["num"]!, chat["up_to"] ?? 0n, num)!["count"])
        }
      })
      const last = conversations.at(-1)
      const next = found.length > pageDefault && last !== undefined ? last.newest.hlc + last.chat_id.slice(2) : null
      return JSON.stringify({ conversations, next })
    },
    history: (chatId: Ids.ChatId): string =>
      JSON.stringify({
        messages: page.all(Bytes.fromHex(chatId), 0n, pageDefault).map((row) => message(row, `0x${chatId}`)),
        next: null
      })
  }
}
