/**
 * Retention (SPEC §9): deletes what is aged, the oldest first, and the rows that only stood for it.
 *
 * Rule: one step is one short transaction that finds its rows by the indexes on stamps and never scans, so that commits
 * and reads wait little (FAILURES 13, 22). Names of users and nodes stay: nothing cheap tells that one is unused.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Hlc } from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import type { Collected } from "../../services/Store.ts"
import type { Dictionary } from "./dictionary.ts"
import * as Rows from "./rows.ts"
import type { Draft } from "./state.ts"

interface Aged {
  readonly table: "messages" | "reads"
  readonly rowid: number
  readonly hlc: bigint
  readonly chat: number
}

/** Gives a step, to be called within a transaction. */
export const makeCollect = (
  db: DatabaseSync,
  names: Dictionary
): (next: Draft, aged: Hlc, limit: number) => Collected => {
  const oldest = (table: Aged["table"]) => {
    const rows = Rows.prepareRows(
      db,
      `SELECT rowid, hlc, chat FROM ${table} INDEXED BY ${table}_by_hlc WHERE hlc >= 0 AND hlc <= ?
        ORDER BY hlc LIMIT ?`
    )
    return (aged: Hlc, limit: number): ReadonlyArray<Aged> =>
      rows.all(Rows.boundOf(aged), limit).map((row) => ({
        table,
        rowid: Rows.integer(row[0]),
        hlc: Rows.stamp(row[1]),
        chat: Rows.integer(row[2])
      }))
  }
  const messages = oldest("messages")
  const reads = oldest("reads")
  const remove = {
    messages: db.prepare("DELETE FROM messages WHERE rowid = ?"),
    reads: db.prepare("DELETE FROM reads WHERE rowid = ?")
  }
  const unused = Rows.prepareRows(
    db,
    `SELECT id, a, b FROM chats WHERE num = ?1 AND NOT EXISTS (SELECT 1 FROM messages WHERE chat = ?1)
      AND NOT EXISTS (SELECT 1 FROM reads WHERE chat = ?1) AND NOT EXISTS (SELECT 1 FROM ops WHERE chat = ?1)`
  )
  const unlink = db.prepare("DELETE FROM user_chats WHERE user = ? AND chat = ?")
  const removeChat = db.prepare("DELETE FROM chats WHERE num = ?")

  const dropUnused = (chat: number): void => {
    const row = unused.first(chat)
    if (row === undefined) return
    for (const party of [row[1], row[2]]) {
      if (party !== null && party !== undefined) unlink.run(party, chat)
    }
    removeChat.run(chat)
    names.dropChat(Rows.hex<Ids.ChatId>(row[0]), chat)
  }

  return (next, aged, limit) => {
    // Both lists are in order: the first of their merger are the oldest of all.
    const rows = [...messages(aged, limit), ...reads(aged, limit)]
      .sort((a, b) => a.hlc < b.hlc ? -1 : a.hlc > b.hlc ? 1 : 0).slice(0, limit)
    const collected = { messages: 0, reads: 0 }
    const chats = new Set<number>()
    for (const { chat, rowid, table } of rows) {
      remove[table].run(rowid)
      collected[table]++
      chats.add(chat)
    }
    next.messages -= collected.messages
    next.reads -= collected.reads
    for (const chat of chats) dropUnused(chat)
    return collected
  }
}
