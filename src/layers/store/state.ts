/**
 * The one row of counters: the clock and how many records of each kind there are, so that neither start nor metrics
 * scan the data. It is there from the making of the file on, and is written in the transaction of every batch.
 *
 * The clock never falls, so it may lie above every stored stamp and cannot be computed again; nor can the highest number
 * ever given to a chat or an arrival, which is never given again. Hence the checksum.
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
  /** The highest number given to an arrival so far: a rowid of messages, ops and reads, `arrival` of identities. */
  readonly arrivals: number
  /** `leaf.keyCheck` of what made the stored digests. */
  readonly keyCheck: Uint8Array
  /** Whose numbers arrivals have, 8 bytes. */
  readonly epoch: Uint8Array
}

/** A state that a transaction is working on. */
export type Draft = { -readonly [K in keyof State]: State[K] }

/** In place of a row that was lost: an epoch that nobody knows. */
export const empty = (db: DatabaseSync, keyCheck: Uint8Array): State => ({
  clock: Hlc.zero,
  messages: 0,
  ops: 0,
  reads: 0,
  identities: 0,
  chats: 0,
  arrivals: 0,
  keyCheck,
  epoch: Rows.blob(Rows.prepareRows(db, "SELECT randomblob(8)").first()?.[0])
})

const columns = [
  "clock",
  "messages",
  "ops",
  "reads",
  "identities",
  "chats",
  "arrivals",
  "key_check",
  "epoch",
  "checksum"
]
export const stateColumns = columns.join(", ")

/** Reads {@link stateColumns}. */
export const stateOf = (row: Rows.Row): State => ({
  clock: Rows.stamp(row[0]),
  messages: Rows.integer(row[1]),
  ops: Rows.integer(row[2]),
  reads: Rows.integer(row[3]),
  identities: Rows.integer(row[4]),
  chats: Rows.integer(row[5]),
  arrivals: Rows.integer(row[6]),
  keyCheck: Rows.blob(row[7]),
  epoch: Rows.blob(row[8])
})

/** The checksum of {@link stateColumns}. */
export const checksumOf = (row: Rows.Row): Uint8Array => Rows.blob(row[9])

/** `undefined` where the row was lost. */
export const readState = (db: DatabaseSync): State | undefined => {
  const row = Rows.prepareRows(db, `SELECT ${stateColumns} FROM state`).first()
  return row === undefined ? undefined : stateOf(row)
}

/** What the row says where its checksum bears it out. */
export const trustedState = (db: DatabaseSync, hashes: Hashes): State | undefined => {
  const row = Rows.prepareRows(db, `SELECT ${stateColumns} FROM state`).first()
  if (row === undefined) return undefined
  const state = stateOf(row)
  return Bytes.equal(checksumOf(row), checksum(hashes, state)) ? state : undefined
}

const tag = Bytes.fromText("p2p-mes/store/state")

/** Hash of what a row says, value by value. */
export const checksumOver = (hashes: Hashes, values: ReadonlyArray<bigint | number | Uint8Array>): Uint8Array =>
  hashes.blake3(Bytes.concat([tag, ...values.map((value) => value instanceof Uint8Array ? value : Bytes.u64be(value))]))

/** Over what the row says. */
export const checksum = (hashes: Hashes, state: State): Uint8Array =>
  checksumOver(hashes, [
    state.clock,
    state.messages,
    state.ops,
    state.reads,
    state.identities,
    state.chats,
    state.arrivals,
    state.keyCheck,
    state.epoch
  ])

export const writeStateSql = `INSERT INTO state (one, ${stateColumns}) VALUES (1, ${columns.map(() => "?").join(", ")})
  ON CONFLICT (one) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(", ")}`

export const writeStateValues = (hashes: Hashes, state: State): ReadonlyArray<SQLInputValue> => [
  Rows.fromStamp(state.clock),
  state.messages,
  state.ops,
  state.reads,
  state.identities,
  state.chats,
  state.arrivals,
  state.keyCheck,
  state.epoch,
  checksum(hashes, state)
]
