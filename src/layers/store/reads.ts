/**
 * The queries of clients and of the command line, over one connection. Those of inboxes are in `inbox-reads.ts`, those of
 * peers in `sync-reads.ts`, those of the trees in `tree-reads.ts`.
 *
 * Rule: a statement is read to its end before the next message of the thread is looked at, so that no read transaction
 * outlives a call and the log can always be checkpointed (FAILURES 23).
 */
import { statSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { messageJson } from "../../api/message-json.ts"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import {
  type Identity,
  type Message,
  type Op,
  type Read,
  type Record,
  sizeOf,
  sizeOfMessage
} from "../../domain/record.ts"
import type { PageQuery, ScanQuery, StoreStats, TextRow } from "../../services/Store.ts"
import { Dictionary } from "./dictionary.ts"
import { type InboxReads, makeInboxReads } from "./inbox-reads.ts"
import { prefixOf } from "./packing.ts"
import { makePageJson } from "./page-json.ts"
import { pageSql, pageValues } from "./page-sql.ts"
import * as Rows from "./rows.ts"
import { readState } from "./state.ts"

export interface Reads extends InboxReads {
  readonly clock: () => Hlc.Hlc
  readonly page: (query: PageQuery) => ReadonlyArray<Message>
  readonly pageJson: (query: PageQuery) => ArrayBuffer
  readonly pageText: (query: PageQuery) => ReadonlyArray<TextRow>
  readonly messages: (ids: ReadonlyArray<Ids.MessageId>) => ReadonlyArray<Message>
  readonly op: (id: Ids.OpId) => Op | undefined
  readonly ops: (chatId: Ids.ChatId) => ReadonlyArray<Op>
  readonly read: (chatId: Ids.ChatId, reader: Ids.Address) => Read | undefined
  readonly identity: (address: Ids.Address) => Identity | undefined
  readonly scan: (query: ScanQuery) => ReadonlyArray<Record>
  readonly stats: () => StoreStats
}

const integerMin = -(2n ** 63n)
const nothing = new Uint8Array()

/** Pages of a chat: rows with these columns, read as `of` says, up to the one that reaches the bound in bytes. */
const makePage = <A>(
  db: DatabaseSync,
  columns: string,
  of: (query: PageQuery, row: Rows.Row) => A,
  size: (item: A) => number
) => {
  const reading = (direction: PageQuery["direction"]) => {
    const sql = pageSql(columns, direction)
    return { few: Rows.prepareRows(db, sql).all, many: Rows.prepareIterate(db, sql) }
  }
  const readings = { before: reading("before"), after: reading("after") }
  return (query: PageQuery): ReadonlyArray<A> => {
    const { direction, limit } = query
    const read = readings[direction][limit <= Rows.atOnceMax ? "few" : "many"]
    const page: Array<A> = []
    let bytes = 0
    for (const row of read(...pageValues(query))) {
      const item = of(query, row)
      page.push(item)
      bytes += size(item)
      if (bytes >= pageBytesMax) break
    }
    return page
  }
}

const textOf = (names: Dictionary) => ({ chatId }: PageQuery, row: Rows.Row): TextRow => {
  const message = Rows.toldOf(names, chatId, row)
  const { hlc, id, sender } = message
  return { hlc, id, sender, size: sizeOfMessage(message), json: messageJson(message) }
}

const makeScan = (db: DatabaseSync, hashes: Hashes, names: Dictionary): Reads["scan"] => {
  const where = `WHERE prefix >= ?1 AND (prefix > ?1 OR m.id > ?2) ORDER BY prefix, m.id ${Rows.limitBy("?3")}`
  const messages = Rows.prepareRows(db, `SELECT ${Rows.messageColumns} FROM messages m ${where}`)
  const wired = (kind: "op" | "read" | "identity") =>
    Rows.prepareRows(db, `SELECT m.record FROM ${Rows.tableOf[kind]} m ${where}`)
  const byKind = { op: wired("op"), read: wired("read"), identity: wired("identity") }
  return (query) => {
    const after = query.afterId === undefined ? nothing : Bytes.fromHex(query.afterId)
    const start = query.afterId === undefined ? integerMin : prefixOf(after)
    const { kind, limit } = query
    return kind === "message"
      ? messages.all(start, after, limit).map((row) => Rows.messageOf(names, row))
      : byKind[kind].all(start, after, limit).map((row) => Rows.wireOf(hashes, kind, row[0]))
  }
}

const fileBytes = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Queries over an open connection; `path` is its file. They throw what node:sqlite throws, and `DamagedRow`. */
export const makeReads = (db: DatabaseSync, hashes: Hashes, path: string): Reads => {
  const names = new Dictionary(db)
  const atOnce = Rows.makeAtOnce(db)
  const message = Rows.prepareRows(
    db,
    `SELECT ${Rows.messageColumns} FROM messages m WHERE m.prefix = ? AND m.id = ?`
  )
  const op = Rows.prepareRows(db, "SELECT record FROM ops WHERE prefix = ? AND id = ?")
  const ops = Rows.prepareRows(db, "SELECT record FROM ops WHERE chat = ? ORDER BY hlc, prefix, id")
  const read = Rows.prepareRows(db, "SELECT record FROM reads WHERE chat = ? AND reader = ?")
  const identity = Rows.prepareRows(db, "SELECT record FROM identities WHERE user = ?")
  const pageText = makePage(db, Rows.toldColumns, textOf(names), ({ size }) => size)
  return {
    clock: () => readState(db)?.clock ?? Hlc.zero,
    page: makePage(db, Rows.messageColumns, (_, row) => Rows.messageOf(names, row), sizeOf),
    pageJson: makePageJson(db, names, pageText),
    pageText,
    messages: (ids) =>
      atOnce(() =>
        ids.flatMap((hex) => {
          const id = Bytes.fromHex(hex)
          const row = message.first(prefixOf(id), id)
          return row === undefined ? [] : [Rows.messageOf(names, row)]
        })
      ),
    op: (hex) => {
      const id = Bytes.fromHex(hex)
      const row = op.first(prefixOf(id), id)
      return row === undefined ? undefined : Rows.wireOf(hashes, "op", row[0])
    },
    ops: (chatId) => {
      const chat = names.findChat(chatId)
      return chat === undefined ? [] : ops.all(chat.num).map((row) => Rows.wireOf(hashes, "op", row[0]))
    },
    read: (chatId, reader) => {
      const [chat, user] = [names.findChat(chatId), names.findUser(reader)]
      const row = chat === undefined || user === undefined ? undefined : read.first(chat.num, user)
      return row === undefined ? undefined : Rows.wireOf(hashes, "read", row[0])
    },
    identity: (address) => {
      const user = names.findUser(address)
      const row = user === undefined ? undefined : identity.first(user)
      return row === undefined ? undefined : Rows.wireOf(hashes, "identity", row[0])
    },
    ...makeInboxReads(db, names),
    scan: makeScan(db, hashes, names),
    stats: () => {
      const { identities = 0, messages = 0, ops = 0, reads = 0 } = readState(db) ?? {}
      return { messages, ops, reads, identities, diskBytes: fileBytes(path) + fileBytes(`${path}-wal`) }
    }
  }
}
