/**
 * The one row of counters: the clock and how many records of each kind there are, so that neither start nor metrics
 * scan the data. It is written in the transaction of every batch.
 *
 * The clock never falls, so it may lie above every stored stamp and cannot be computed again: hence the checksum.
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
}

const empty: State = { clock: Hlc.zero, messages: 0, ops: 0, reads: 0, identities: 0 }

export const stateColumns = "clock, messages, ops, reads, identities, checksum"

export const stateOf = (row: Rows.Row): State => ({
  clock: Rows.stamp(row[0]),
  messages: Rows.integer(row[1]),
  ops: Rows.integer(row[2]),
  reads: Rows.integer(row[3]),
  identities: Rows.integer(row[4])
})

/** {@link empty} before the first commit. */
export const readState = (db: DatabaseSync): State => {
  const row = Rows.prepareRows(db, `SELECT ${stateColumns} FROM state`).first()
  return row === undefined ? empty : stateOf(row)
}

const tag = Bytes.fromText("p2p-mes/store/state")

/** Over what the row says. */
export const checksum = (hashes: Hashes, state: State): Uint8Array =>
  hashes.blake3(
    Bytes.concat([tag, ...[state.clock, state.messages, state.ops, state.reads, state.identities].map(Bytes.u64be)])
  )

export const writeStateSql = `INSERT INTO state (one, ${stateColumns}) VALUES (1, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (one) DO UPDATE SET clock = excluded.clock, messages = excluded.messages, ops = excluded.ops,
    reads = excluded.reads, identities = excluded.identities, checksum = excluded.checksum`

export const writeStateValues = (hashes: Hashes, state: State): ReadonlyArray<SQLInputValue> => [
  Rows.fromStamp(state.clock),
  state.messages,
  state.ops,
  state.reads,
  state.identities,
  checksum(hashes, state)
]
