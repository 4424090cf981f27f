/**
 * What an inbox is made of: which chats a user has, in the order of what may have happened last, and how much of them is
 * unread.
 *
 * Rule: the number of rows that leave SQLite is that of the page asked for, not that of the user's chats. Placing a chat
 * takes two steps down an index, which is what a call costs beyond its page.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type * as Ids from "../../domain/ids.ts"
import type {
  ChatHead,
  Header,
  HeaderQuery,
  HeadsQuery,
  InboxPosition,
  SenderCount,
  UnreadQuery
} from "../../services/Store.ts"
import type { Dictionary } from "./dictionary.ts"
import { pageSql, pageValues } from "./page-sql.ts"
import * as Rows from "./rows.ts"

export interface InboxReads {
  readonly heads: (query: HeadsQuery) => ReadonlyArray<ChatHead>
  /** Ids of groups, 32 bytes each. */
  readonly groups: (user: Ids.Address) => ReadonlyArray<Uint8Array>
  /** Addresses, 20 bytes each. */
  readonly peers: (user: Ids.Address) => ReadonlyArray<Uint8Array>
  /** A list for each query. */
  readonly unread: (queries: ReadonlyArray<UnreadQuery>) => ReadonlyArray<ReadonlyArray<SenderCount>>
  readonly headers: (query: HeaderQuery) => ReadonlyArray<Header>
}

/** `?1` user, `?2` floor, `?3` and `?4` the place that direct conversations must be behind, or null, `?5` limit. */
const headsSql = `WITH
  chat AS MATERIALIZED (
    SELECT c.num, c.id, c.a, c.b,
      (SELECT max(m.hlc) FROM messages m WHERE m.chat = c.num AND m.hlc >= ?2) AS newest,
      CASE WHEN c.a IS NULL THEN (SELECT max(o.hlc) FROM ops o WHERE o.chat = c.num) END AS changed
    FROM user_chats u JOIN chats c ON c.num = u.chat WHERE u.user = ?1
  ),
  placed AS (SELECT *, max(ifnull(newest, changed), ifnull(changed, newest)) AS latest FROM chat),
  page AS MATERIALIZED (
    SELECT * FROM placed
    WHERE latest IS NOT NULL AND (a IS NULL OR ?3 IS NULL OR latest < ?3 OR latest = ?3 AND id < ?4)
    ORDER BY latest DESC, id DESC ${Rows.limitBy("?5")}
  )
  SELECT p.id, p.a, p.b, p.latest, r.up_to, m.hlc, m.id, m.sender FROM page p
    LEFT JOIN reads r ON r.chat = p.num AND r.reader = ?1
    LEFT JOIN messages m ON m.rowid = (
      SELECT x.rowid FROM messages x WHERE x.chat = p.num AND x.hlc = p.newest ORDER BY x.prefix DESC, x.id DESC LIMIT 1
    )
    ORDER BY p.latest DESC, p.id DESC`

const placeValues = (place: InboxPosition | undefined) =>
  place === undefined ? [null, null] as const : [Rows.fromStamp(place.activity), Bytes.fromHex(place.chatId)] as const

const makeHeads = (db: DatabaseSync, names: Dictionary): InboxReads["heads"] => {
  const heads = Rows.prepareRows(db, headsSql)
  /** The other party of a direct conversation. */
  const peerOf = (user: number, row: Rows.Row): Ids.Address | undefined => {
    if (row[1] === null || row[2] === null) return undefined
    const a = Rows.integer(row[1])
    return names.userName(a === user ? Rows.integer(row[2]) : a)
  }
  return ({ after, floor, limit, user: address }) => {
    const user = names.findUser(address)
    if (user === undefined) return []
    return heads.all(user, Rows.fromStamp(floor), ...placeValues(after), limit).map((row) => {
      const peer = peerOf(user, row)
      return {
        chatId: Rows.hex<Ids.ChatId>(row[0]),
        kind: peer === undefined ? "group" : "dm",
        latest: Rows.stamp(row[3]),
        ...(peer === undefined ? undefined : { peer }),
        ...(row[5] === null ? undefined : {
          newest: {
            position: { hlc: Rows.stamp(row[5]), id: Rows.hex<Ids.MessageId>(row[6]) },
            sender: names.userName(Rows.integer(row[7]))
          }
        }),
        ...(row[4] === null ? undefined : { upTo: Rows.stamp(row[4]) })
      }
    })
  }
}

const makeGroups = (db: DatabaseSync, names: Dictionary): InboxReads["groups"] => {
  const groups = Rows.prepareRows(
    db,
    "SELECT c.id FROM user_chats u JOIN chats c ON c.num = u.chat WHERE u.user = ? AND c.a IS NULL"
  )
  return (address) => {
    const user = names.findUser(address)
    return user === undefined ? [] : groups.all(user).map((row) => Rows.blob(row[0]))
  }
}

const makePeers = (db: DatabaseSync, names: Dictionary): InboxReads["peers"] => {
  const peers = Rows.prepareRows(
    db,
    `SELECT p.address FROM user_chats u JOIN chats c ON c.num = u.chat
      JOIN users p ON p.num = CASE WHEN c.a = u.user THEN c.b ELSE c.a END WHERE u.user = ?`
  )
  return (address) => {
    const user = names.findUser(address)
    return user === undefined ? [] : peers.all(user).map((row) => Rows.blob(row[0]))
  }
}

/**
 * What an {@link UnreadQuery} selects: `?1` id of the chat, `?2` lowest stamp, `?3` reader, `?4` limit. One bound, for with
 * two the index is entered at either, and that may be the floor.
 */
const unreadSql = (columns: string, order: string): string =>
  `SELECT ${columns} FROM messages m
    WHERE m.chat = ${Rows.chatSql} AND m.hlc >= ?2 AND m.sender <> ?3 ORDER BY ${order} ${Rows.limitBy("?4")}`

/** In place of a user: numbers count from 1. */
const nobody = 0

const inOrder = "m.hlc, m.prefix, m.id"
const counted = "count(*), min(hlc), max(hlc)"

const makeUnread = (db: DatabaseSync, names: Dictionary): InboxReads["unread"] => {
  const atOnce = Rows.makeAtOnce(db)
  // Only a cut can fall between messages of one stamp; without one their order does not matter, and costs a sort.
  const total = Rows.prepareRows(
    db,
    `SELECT ${counted}, min(sender), max(sender) FROM (${unreadSql("m.sender, m.hlc", "m.hlc")})`
  )
  const bySender = Rows.prepareRows(
    db,
    `SELECT ${counted}, sender FROM (${unreadSql("m.sender, m.hlc", inOrder)}) GROUP BY sender`
  )

  const valuesOf = ({ above, chatId, floor, reader }: UnreadQuery) => {
    const lowest = above >= floor ? Rows.above(above) : Rows.fromStamp(floor)
    return [Bytes.fromHex(chatId), lowest, names.findUser(reader) ?? nobody] as const
  }
  const countOf = (row: Rows.Row): SenderCount => ({
    count: Rows.integer(row[0]),
    first: Rows.stamp(row[1]),
    last: Rows.stamp(row[2]),
    sender: names.userName(Rows.integer(row[3]))
  })

  /** Mostly one sender wrote all of it, and then nothing has to be grouped. */
  const unreadOf = (query: UnreadQuery): ReadonlyArray<SenderCount> => {
    const values = valuesOf(query)
    const all = total.first(...values, query.limit + 1)!
    const count = Rows.integer(all[0])
    if (count === 0) return []
    return count <= query.limit && all[3] === all[4]
      ? [countOf(all)]
      : bySender.all(...values, query.limit).map(countOf)
  }
  return (queries) => atOnce(() => queries.map(unreadOf))
}

const makeHeaders = (db: DatabaseSync, names: Dictionary): InboxReads["headers"] => {
  const reading = (direction: HeaderQuery["direction"]) =>
    Rows.prepareRows(db, pageSql("m.sender, m.hlc, m.id, m.rowid", direction, "AND m.sender <> ?7"))
  const readings = { before: reading("before"), after: reading("after") }
  return (query) => {
    const except = query.except === undefined ? undefined : names.findUser(query.except)
    return readings[query.direction].all(...pageValues(query), except ?? nobody).map((row) => ({
      sender: names.userName(Rows.integer(row[0])),
      position: { hlc: Rows.stamp(row[1]), id: Rows.hex<Ids.MessageId>(row[2]) },
      arrival: Rows.integer(row[3])
    }))
  }
}

/** Queries over an open connection. They throw as `makeReads`' do. */
export const makeInboxReads = (db: DatabaseSync, names: Dictionary): InboxReads => ({
  heads: makeHeads(db, names),
  groups: makeGroups(db, names),
  peers: makePeers(db, names),
  unread: makeUnread(db, names),
  headers: makeHeaders(db, names)
})
