/**
 * Brings every record that can still be read into a new, empty database, where all that is derived is made afresh. So no
 * damage of an index, a counter or a list needs a cure of its own, and the damaged file stays as it is until the new
 * one is whole.
 *
 * What counts as readable: a row whose fields make a record that bears out its stored id or its stored digest. Which of
 * the two was damaged then, the caller finds out by the signature, and names the record to be dropped.
 *
 * Arrivals are numbered anew, and the new file has an epoch of its own: what clients know of the old one means nothing.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import * as Ids from "../../domain/ids.ts"
import { stampMsMax } from "../../domain/limits.ts"
import type { Kind, Message, Record } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
import { makeWriter } from "./commits.ts"
import { Dictionary } from "./dictionary.ts"
import { DamagedRow } from "./errors.ts"
import type { LeafHash } from "./leaf.ts"
import type { Named } from "./protocol.ts"
import * as Rows from "./rows.ts"
import { type State, trustedState } from "./state.ts"

export type Dropped = { readonly [K in Kind]: number }

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]
const chunkRows = 500

/** An error of SQLite that another row may not have. */
const isDamage = (error: unknown): boolean =>
  error instanceof DamagedRow ||
  (error instanceof Error && "errcode" in error && typeof error.errcode === "number" && (error.errcode & 0xff) === 11)

const attempt = <A>(work: () => A): A | undefined => {
  try {
    return work()
  } catch (error) {
    if (!isDamage(error)) throw error
    return undefined
  }
}

/** Steps over unreadable pages are tried up to this row number. */
const rowidMax = 2 ** 52

/** Calls `visit` for every row that SQLite can read, by ascending row number, which is the last column. */
const everyReadable = (db: DatabaseSync, sql: string, visit: (row: Rows.Row) => void): void => {
  const rows = Rows.prepareRows(db, sql)
  const after = (last: number, limit: number) => attempt(() => rows.all(last, limit))
  /** The lowest place that reading goes on from: found by doubling the step, then by halving it. */
  const beyond = (last: number): number | undefined => {
    let step = 1
    while (after(last + step, 1) === undefined) {
      step *= 2
      if (last + step > rowidMax) return undefined
    }
    let [low, high] = [last + Math.floor(step / 2), last + step]
    while (low + 1 < high) {
      const middle = Math.floor((low + high) / 2)
      if (after(middle, 1) === undefined) low = middle
      else high = middle
    }
    return high
  }
  let last = -1
  for (;;) {
    const chunk = after(last, chunkRows) ?? after(last, 1)
    if (chunk === undefined) {
      const next = beyond(last)
      if (next === undefined) return
      last = next
      continue
    }
    for (const row of chunk) visit(row)
    if (chunk.length === 0) return
    last = Rows.integer(chunk.at(-1)!.at(-1))
  }
}

/** The id that a message's fields make. */
const renamed = (hashes: Hashes, message: Message): Message => ({ ...message, id: Ids.messageId(hashes, message) })

/** With the peer that makes its chat id, in a direct conversation; nothing when none of the parties does. */
const directed = (hashes: Hashes, message: Message, parties: ReadonlyArray<Ids.Address>): Message | undefined => {
  if (parties.length === 0) return message
  const { peer: _, ...rest } = message
  const peer = [message.peer, ...parties].find((party) =>
    party !== undefined && Ids.dmChatId(hashes, message.sender, party) === message.chatId
  )
  return peer === undefined ? undefined : { ...rest, peer }
}

/** Reads the rows of one kind as records; `undefined` for one that is none. */
const reader = (db: DatabaseSync, hashes: Hashes, leaf: LeafHash, kind: Kind) => {
  const names = new Dictionary(db)
  const parties = (chat: number): ReadonlyArray<Ids.Address> => {
    const { a, b } = names.chatName(chat)
    return [a, b].filter((party) => party !== undefined)
  }
  const columns = kind === "message" ? Rows.messageColumns : "m.record, m.id"
  const sql = `SELECT ${columns}, m.digest, m.rowid FROM ${
    Rows.tableOf[kind]
  } m NOT INDEXED WHERE m.rowid > ? ORDER BY m.rowid LIMIT ?`
  const recordOf = (row: Rows.Row): Record | undefined => {
    if (kind !== "message") return Rows.wireOf(hashes, kind, row[0])
    const message = directed(hashes, Rows.messageOf(names, row), parties(Rows.integer(row[1])))
    return message === undefined ? undefined : renamed(hashes, message)
  }
  const idOf = (row: Rows.Row): string => Rows.hex(kind === "message" ? row[0] : row[1])
  const read = (row: Rows.Row): { readonly record: Record; readonly storedId: string } | undefined => {
    const record = recordOf(row)
    if (record === undefined) return undefined
    const storedId = idOf(row)
    const borneOut = record.id === storedId || Bytes.equal(Wire.leafDigest(leaf, record), Rows.blob(row.at(-2)))
    return borneOut ? { record, storedId } : undefined
  }
  return { sql, read: (row: Rows.Row) => attempt(() => read(row)) }
}

/** A stamp that its record's time bears out: one that is damaged must not carry the clock away. */
const isSane = ({ hlc, ts }: Record): boolean => Math.abs(Hlc.physicalMs(hlc) - ts) <= stampMsMax

const counterOf = Rows.tableOf

/** Copies from `from` to `to`, an empty database, all but what is named in `drop`. Throws what node:sqlite throws. */
export const salvage = (
  from: DatabaseSync,
  to: DatabaseSync,
  hashes: Hashes,
  leaf: LeafHash,
  drop: ReadonlyArray<Named>
): Dropped => {
  const unwanted = new Set(drop.map(({ id, kind }) => `${kind} ${id}`))
  const trusted: State | undefined = attempt(() => trustedState(from, hashes))
  const writer = makeWriter(to, hashes, leaf)
  const dropped = { message: 0, op: 0, read: 0, identity: 0 }
  let clock = trusted?.clock ?? Hlc.zero

  /** One by one where a batch does not fit together: two records may say different things of one chat. */
  const keep = (batch: ReadonlyArray<Record>): void => {
    try {
      writer.commit(batch, Hlc.zero)
    } catch (error) {
      if (error instanceof Error && "errcode" in error) throw error
      if (batch.length > 1) { for (const record of batch) keep([record]) }
      else for (const { kind } of batch) dropped[kind]++
    }
  }

  for (const kind of kinds) {
    const { read, sql } = reader(from, hashes, leaf, kind)
    let batch: Array<Record> = []
    let seen = 0
    everyReadable(from, sql, (row) => {
      seen++
      const found = read(row)
      if (found !== undefined && isSane(found.record)) clock = Hlc.max(clock, found.record.hlc)
      if (
        found === undefined || unwanted.has(`${kind} ${found.record.id}`) || unwanted.has(`${kind} ${found.storedId}`)
      ) {
        dropped[kind]++
        return
      }
      batch.push(found.record)
      if (batch.length < chunkRows) return
      keep(batch)
      batch = []
    })
    keep(batch)
    // what stood on pages that cannot be read, and went unseen
    if (trusted !== undefined) dropped[kind] += Math.max(0, trusted[counterOf[kind]] - seen)
  }
  writer.raise({ clock, chats: trusted?.chats ?? 0, arrivals: trusted?.arrivals ?? 0 })
  return dropped
}
