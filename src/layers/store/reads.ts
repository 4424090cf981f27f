/**
 * The queries of clients and of the command line, over one connection. Those of peers are in `sync-reads.ts`, those of
 * the trees in `tree-reads.ts`.
 *
 * Rule: a statement is read to its end before the next message of the thread is looked at, so that no read transaction
 * outlives a call and the log can always be checkpointed (FAILURES 23).
 */
import { statSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import { type Identity, type Message, type Op, type Read, type Record, sizeOf } from "../../domain/record.ts"
import type {
  ChatHead,
  Header,
  PageQuery,
  ScanQuery,
  SenderCount,
  StoreStats,
  UnreadQuery
} from "../../services/Store.ts"
import { Dictionary } from "./dictionary.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"
import { readState } from "./state.ts"

export interface Reads {
  readonly clock: () => Hlc.Hlc
  readonly page: (query: PageQuery) => ReadonlyArray<Message>
  readonly messages: (ids: ReadonlyArray<Ids.MessageId>) => ReadonlyArray<Message>
  readonly op: (id: Ids.OpId) => Op | undefined
  readonly ops: (chatId: Ids.ChatId) => ReadonlyArray<Op>
  readonly read: (chatId: Ids.ChatId, reader: Ids.Address) => Read | undefined
  readonly identity: (address: Ids.Address) => Identity | undefined
  readonly heads: (user: Ids.Address, floor: Hlc.Hlc) => ReadonlyArray<ChatHead>
  readonly unread: (query: UnreadQuery) => ReadonlyArray<SenderCount>
  readonly headers: (query: UnreadQuery) => ReadonlyArray<Header>
  readonly scan: (query: ScanQuery) => ReadonlyArray<Record>
  readonly stats: () => StoreStats
}

const integerMax = 2n ** 63n - 1n
const integerMin = -(2n ** 63n)
const nothing = new Uint8Array()

const orderOf = { before: "DESC", after: "ASC" } as const

const pageSql = (direction: PageQuery["direction"]): string => {
  const [order, sign] = [orderOf[direction], direction === "before" ? "<" : ">"]
  return `SELECT ${Rows.messageColumns} FROM messages m
    WHERE m.chat = ?1 AND m.hlc >= ?2 AND m.hlc ${sign}= ?3
      AND (m.hlc ${sign} ?3 OR m.prefix ${sign} ?4 OR (m.prefix = ?4 AND m.id ${sign} ?5))
    ORDER BY m.hlc ${order}, m.prefix ${order}, m.id ${order} LIMIT ?6`
}

const makeHeads = (db: DatabaseSync, names: Dictionary): Reads["heads"] => {
  const chats = Rows.prepareRows(
    db,
    `SELECT u.chat, c.id, a.address, b.address FROM user_chats u JOIN chats c ON c.num = u.chat
      LEFT JOIN users a ON a.num = c.a LEFT JOIN users b ON b.num = c.b WHERE u.user = ?`
  )
  const newest = Rows.prepareRows(
    db,
    `SELECT m.hlc, m.id, s.address FROM messages m LEFT JOIN users s ON s.num = m.sender
      WHERE m.chat = ? AND m.hlc >= ? ORDER BY m.hlc DESC, m.prefix DESC, m.id DESC LIMIT 1`
  )
  const mark = Rows.prepareRows(db, "SELECT up_to FROM reads WHERE chat = ? AND reader = ?")
  return (user, floor) => {
    const num = names.findUser(user)
    if (num === undefined) return []
    return chats.all(num).map((row): ChatHead => {
      const chat = Rows.integer(row[0])
      const last = newest.first(chat, Rows.fromStamp(floor))
      const upTo = mark.first(chat, num)
      const direct = row[2] !== null && row[3] !== null
      const a = direct ? Rows.hex<Ids.Address>(row[2]) : undefined
      return {
        chatId: Rows.hex<Ids.ChatId>(row[1]),
        kind: direct ? "dm" : "group",
        ...(a === undefined ? undefined : { peer: a === user ? Rows.hex<Ids.Address>(row[3]) : a }),
        ...(last === undefined ? undefined : {
          newest: {
            position: { hlc: Rows.stamp(last[0]), id: Rows.hex<Ids.MessageId>(last[1]) },
            sender: Rows.hex<Ids.Address>(last[2])
          }
        }),
        ...(upTo === undefined ? undefined : { upTo: Rows.stamp(upTo[0]) })
      }
    })
  }
}

/** What an {@link UnreadQuery} selects: `?1` chat, `?2` above, `?3` floor, `?4` reader, `?5` limit. */
const unreadSql = (columns: string): string =>
  `SELECT ${columns} FROM messages m WHERE m.chat = ?1 AND m.hlc > ?2 AND m.hlc >= ?3 AND m.sender <> ?4
    ORDER BY m.hlc, m.prefix, m.id LIMIT ?5`

const makeUnread = (db: DatabaseSync, names: Dictionary): Pick<Reads, "unread" | "headers"> => {
  const counts = Rows.prepareRows(
    db,
    `SELECT s.address, count(*), min(x.hlc), max(x.hlc) FROM (${unreadSql("m.sender, m.hlc")}) x
      LEFT JOIN users s ON s.num = x.sender GROUP BY x.sender ORDER BY s.address`
  )
  const headers = Rows.prepareRows(
    db,
    `SELECT s.address, x.hlc, x.id FROM (${unreadSql("m.sender, m.hlc, m.prefix, m.id")}) x
      LEFT JOIN users s ON s.num = x.sender ORDER BY x.hlc, x.prefix, x.id`
  )
  const select = (rows: Rows.Rows, query: UnreadQuery): ReadonlyArray<Rows.Row> => {
    const chat = names.findChat(query.chatId)
    if (chat === undefined) return []
    const reader = names.findUser(query.reader) ?? 0
    return rows.all(chat.num, Rows.fromStamp(query.above), Rows.fromStamp(query.floor), reader, query.limit)
  }
  return {
    unread: (query) =>
      select(counts, query).map((row) => ({
        sender: Rows.hex<Ids.Address>(row[0]),
        count: Rows.integer(row[1]),
        first: Rows.stamp(row[2]),
        last: Rows.stamp(row[3])
      })),
    headers: (query) =>
      select(headers, query).map((row) => ({
        sender: Rows.hex<Ids.Address>(row[0]),
        position: { hlc: Rows.stamp(row[1]), id: Rows.hex<Ids.MessageId>(row[2]) }
      }))
  }
}

const makeScan = (db: DatabaseSync, hashes: Hashes, names: Dictionary): Reads["scan"] => {
  const where = "WHERE prefix >= ?1 AND (prefix > ?1 OR m.id > ?2) ORDER BY prefix, m.id LIMIT ?3"
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
  const pages = { before: Rows.prepareIterate(db, pageSql("before")), after: Rows.prepareIterate(db, pageSql("after")) }
  const message = Rows.prepareRows(
    db,
    `SELECT ${Rows.messageColumns} FROM messages m WHERE m.prefix = ? AND m.id = ?`
  )
  const op = Rows.prepareRows(db, "SELECT record FROM ops WHERE prefix = ? AND id = ?")
  const ops = Rows.prepareRows(db, "SELECT record FROM ops WHERE chat = ? ORDER BY hlc, prefix, id")
  const read = Rows.prepareRows(db, "SELECT record FROM reads WHERE chat = ? AND reader = ?")
  const identity = Rows.prepareRows(db, "SELECT record FROM identities WHERE user = ?")
  return {
    clock: () => readState(db)?.clock ?? Hlc.zero,
    page: (query) => {
      const chat = names.findChat(query.chatId)
      if (chat === undefined) return []
      const [hlc, id] = query.from === undefined
        ? [query.direction === "before" ? integerMax : -1n, nothing]
        : [Rows.fromStamp(query.from.hlc), Bytes.fromHex(query.from.id)]
      const prefix = id === nothing ? 0n : prefixOf(id)
      const page: Array<Message> = []
      let bytes = 0
      for (const row of pages[query.direction](chat.num, Rows.fromStamp(query.floor), hlc, prefix, id, query.limit)) {
        const message = Rows.messageOf(names, row)
        page.push(message)
        bytes += sizeOf(message)
        if (bytes >= pageBytesMax) break
      }
      return page
    },
    messages: (ids) =>
      ids.flatMap((hex) => {
        const id = Bytes.fromHex(hex)
        const row = message.first(prefixOf(id), id)
        return row === undefined ? [] : [Rows.messageOf(names, row)]
      }),
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
    heads: makeHeads(db, names),
    ...makeUnread(db, names),
    scan: makeScan(db, hashes, names),
    stats: () => {
      const { identities = 0, messages = 0, ops = 0, reads = 0 } = readState(db) ?? {}
      return { messages, ops, reads, identities, diskBytes: fileBytes(path) + fileBytes(`${path}-wal`) }
    }
  }
}
