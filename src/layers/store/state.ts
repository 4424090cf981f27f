/**
 * The one row of counters: the clock and how many records of each kind there are, so that neither start nor metrics
 * scan the data. It is written in the transaction of every batch.
 *
 * The clock never falls, so it may lie above every stored stamp and cannot be computed again; nor can the highest number
 * ever given to a chat, which is never given again. Hence the checksum.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import * as Rows from "./rows.ts"

export interface State {
  readonly clock: Hlc.Hlc
  readonly messages: number
  readonly ops: number
  readonly reads: number
  readonly identities: number
  /** The highest number given to a chat so far. */
  readonly chats: number
  /** `leaf.keyCheck` of what made the stored digests. */
  readonly keyCheck: Uint8Array
}

/** A state that a transaction is working on. */
export type Draft = { -readonly [K in keyof State]: State[K] }

/** Before the first commit. */
export const empty = (keyCheck: Uint8Array): State => ({
  clock: Hlc.zero,
  messages: 0,
  ops: 0,
  reads: 0,
  identities: 0,
  chats: 0,
  keyCheck
})

export const stateColumns = "clock, messages, ops, reads, identities, chats, key_check, checksum"

/** Reads {@link stateColumns}. */
export const stateOf = (row: Rows.Row): State => ({
  clock: Rows.stamp(row[0]),
  messages: Rows.integer(row[1]),
  ops: Rows.integer(row[2]),
  reads: Rows.integer(row[3]),
  identities: Rows.integer(row[4]),
  chats: Rows.integer(row[5]),
  keyCheck: Rows.blob(row[6])
})

/** `undefined` before the first commit. */
export const readState = (db: DatabaseSync): State | undefined => {
  const row = Rows.prepareRows(db, `SELECT ${stateColumns} FROM state`).first()
  return row === undefined ? undefined : stateOf(row)
}

/** What the row says where its checksum bears it out. */
export const trustedState = (db: DatabaseSync, hashes: Hashes): State | undefined => {
  const row = Rows.prepareRows(db, `SELECT ${stateColumns} FROM state`).first()
  if (row === undefined) return undefined
  const state = stateOf(row)
  return Bytes.equal(Rows.blob(row[7]), checksum(hashes, state)) ? state : undefined
}

const tag = Bytes.fromText("p2p-mes/store/state")

/** Over what the row says. */
export const checksum = (hashes: Hashes, state: State): Uint8Array =>
  hashes.blake3(
    Bytes.concat([
      tag,
      ...[state.clock, state.messages, state.ops, state.reads, state.identities, state.chats].map(Bytes.u64be),
      state.keyCheck
    ])
  )

/** What schema 1 put in the row's checksum. */
export const checksumOf1 = (hashes: Hashes, clock: bigint, counts: ReadonlyArray<bigint>): Uint8Array =>
  hashes.blake3(Bytes.concat([tag, ...[clock, ...counts].map(Bytes.u64be)]))

export const writeStateSql = `INSERT INTO state (one, ${stateColumns}) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (one) DO UPDATE SET clock = excluded.clock, messages = excluded.messages, ops = excluded.ops,
    reads = excluded.reads, identities = excluded.identities, chats = excluded.chats, key_check = excluded.key_check,
    checksum = excluded.checksum`

export const writeStateValues = (hashes: Hashes, state: State): ReadonlyArray<SQLInputValue> => [
  Rows.fromStamp(state.clock),
  state.messages,
  state.ops,
  state.reads,
  state.identities,
  state.chats,
  state.keyCheck,
  checksum(hashes, state)
]
