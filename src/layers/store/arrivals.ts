/**
 * Records in the order in which this store took them in, for streams of events that go on where they were cut (SPEC §8).
 *
 * Rule: a call looks at a bounded number of numbers, whoever's records have them, and reads a record only where it may
 * concern the user. Tables lie in order of arrival, so this is one walk over neighbouring pages; texts that take pages of
 * their own are not touched.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import { type Kind, sizeOf } from "../../domain/record.ts"
import type { Arrival, ArrivalLog, ArrivalPage, ArrivalQuery, Arrived } from "../../services/Store.ts"
import { Dictionary } from "./dictionary.ts"
import { DamagedRow } from "./errors.ts"
import * as Rows from "./rows.ts"
import { makeSlots } from "./slots.ts"
import { readState } from "./state.ts"

export interface ArrivalReads {
  readonly log: () => ArrivalLog
  /** `seen` may lie below `upTo` with no record found: the rest is for the next call. */
  readonly page: (query: ArrivalQuery) => ArrivalPage
  readonly countAfter: (after: Arrival, limit: number) => number
}

/** Numbers that one call looks at. */
const numbersAtOnceMax = 16_384

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

/** The column with the number of an arrival. */
const numberOf = (kind: Kind): string => kind === "identity" ? "arrival" : "rowid"

/** Never chat by chat: what is old in a chat is not passed over then. */
const inOrder = (kind: Kind): string => kind === "identity" ? "INDEXED BY identities_by_arrival" : "NOT INDEXED"

/** For each kind a text, put together. */
const each = (text: (kind: Kind, table: string, number: string) => string, between: string): string =>
  kinds.map((kind) => text(kind, Rows.tableOf[kind], numberOf(kind))).join(between)

/**
 * What may concern user `?1`. Her chats are put together once a table, when a row is asked about: a third of the price of
 * looking for each row's chat by itself. Identities are asked from the other side: one has as many chats as it has, while she may have
 * many thousand, and that for each of many identities.
 */
const concerns = (kind: Kind): string =>
  kind === "identity"
    ? `(t.user = ?1 OR EXISTS (SELECT 1 FROM user_chats theirs CROSS JOIN user_chats hers
        WHERE theirs.user = t.user AND hers.user = ?1 AND hers.chat = theirs.chat))`
    : "t.chat IN (SELECT chat FROM user_chats WHERE user = ?1)"

/** Bits for kinds, in the order of {@link kinds}. */
const maskOf = (wanted: ReadonlyArray<Kind>): number =>
  kinds.reduce((mask, kind, i) => wanted.includes(kind) ? mask | 1 << i : mask, 0)

/** Whether a mask has a kind: says nothing of a row, so it is asked once a table. */
const isIn = (mask: string, kind: Kind): string => `(${mask} & ${maskOf([kind])})`

/** `?1` user, `?2` the number before the first, `?3` the last, `?4` limit, `?5` kinds. */
const pageSql = `${
  each((kind, table, number) =>
    `SELECT t.${number} AS number, ${kinds.indexOf(kind)}, t.rowid FROM ${table} t ${inOrder(kind)}
      WHERE t.${number} > ?2 AND t.${number} <= ?3 AND ${isIn("?5", kind)} AND ${concerns(kind)}`, " UNION ALL ")
} ORDER BY number ${Rows.limitBy("?4")}`

/** The lowest number above `?1` of kinds `?2`: the sequence has great gaps. */
const nextSql = `SELECT min(number) FROM (${
  each((kind, table, number) =>
    `SELECT min(${number}) AS number FROM ${table} WHERE ${number} > ?1 AND ${isIn("?2", kind)}`, " UNION ALL ")
})`

const countSql = `SELECT count(*) FROM (${
  each((_, table, number) => `SELECT 1 FROM ${table} WHERE ${number} > ?1`, " UNION ALL ")
} ${Rows.limitBy("?2")})`

/** Queries over an open connection. They throw as `makeReads`' do. */
export const makeArrivalReads = (db: DatabaseSync, hashes: Hashes): ArrivalReads => {
  const names = new Dictionary(db)
  const slots = makeSlots(db, hashes, names)
  const atOnce = Rows.makeAtOnce(db)
  const page = Rows.prepareRows(db, pageSql)
  const next = Rows.prepareRows(db, nextSql)
  const count = Rows.prepareRows(db, countSql)

  /** The records of some rows, up to the one that reaches the bound in bytes. */
  const load = (rows: ReadonlyArray<Rows.Row>): ReadonlyArray<Arrived> => {
    const arrived: Array<Arrived> = []
    let bytes = 0
    for (const [number, kind, rowid] of rows) {
      const record = slots.load(kinds[Rows.integer(kind)]!, { rowid: Rows.integer(rowid) })
      arrived.push({ arrival: Rows.integer(number), record })
      bytes += sizeOf(record)
      if (bytes >= pageBytesMax) break
    }
    return arrived
  }

  return {
    log: () => {
      const state = readState(db)
      if (state === undefined) throw new DamagedRow("the counters are gone: run verify")
      return { epoch: Bytes.toHex(state.epoch), last: state.arrivals }
    },
    page: ({ after, kinds: wanted = kinds, limit, upTo, user: address }) =>
      atOnce(() => {
        const user = names.findUser(address)
        const mask = maskOf(wanted)
        const first = next.first(after, mask)?.[0]
        if (user === undefined || typeof first !== "bigint" || first > upTo) return { arrived: [], seen: upTo }
        const before = Number(first) - 1
        const last = Math.min(upTo, before + numbersAtOnceMax)
        const rows = page.all(user, before, last, limit, mask)
        const arrived = load(rows)
        const isWhole = rows.length < limit && arrived.length === rows.length
        return { arrived, seen: isWhole ? last : arrived.at(-1)?.arrival ?? after }
      }),
    countAfter: (after, limit) => Rows.integer(count.first(after, limit)?.[0])
  }
}
