/**
 * Makes the stored digests fit the network key that the store is opened with (SPEC §6).
 *
 * Rule: rows are done in short transactions, and the state row says so only when all are: a start that is cut off begins
 * again, and finds most rows done. A row that is no record is left as it is, for the inspection.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import type { Kind } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
import { Dictionary } from "./dictionary.ts"
import { DamagedRow } from "./errors.ts"
import { keyCheck, type LeafHash } from "./leaf.ts"
import * as Rows from "./rows.ts"
import { readState, writeStateSql, writeStateValues } from "./state.ts"

const chunkRows = 1_000

const rekeyKind = (db: DatabaseSync, leaf: LeafHash, kind: Kind): void => {
  const names = new Dictionary(db)
  const table = Rows.tableOf[kind]
  const columns = kind === "message" ? Rows.messageColumns : "m.record"
  const rows = Rows.prepareRows(
    db,
    `SELECT ${columns}, m.digest, m.rowid FROM ${table} m WHERE m.rowid > ? ORDER BY m.rowid LIMIT ?`
  )
  const update = db.prepare(`UPDATE ${table} SET digest = ? WHERE rowid = ?`)
  const rekey = (row: Rows.Row): void => {
    try {
      const bytes = kind === "message" ? Wire.encode(Rows.messageOf(names, row)) : Rows.blob(row[0])
      const digest = Wire.leafDigestOf(leaf, bytes)
      if (!Bytes.equal(digest, Rows.blob(row.at(-2)))) update.run(digest, Rows.integer(row.at(-1)))
    } catch (error) {
      if (!(error instanceof DamagedRow)) throw error
    }
  }
  for (let last = -(2 ** 53);;) {
    const chunk = rows.all(last, chunkRows)
    if (chunk.length === 0) return
    db.exec("BEGIN IMMEDIATE")
    try {
      for (const row of chunk) rekey(row)
      db.exec("COMMIT")
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK")
      throw error
    }
    last = Rows.integer(chunk.at(-1)!.at(-1))
  }
}

/** Whether the stored digests are made with the key of `leaf`, as far as the state row says. */
export const fits = (db: DatabaseSync, leaf: LeafHash): boolean => {
  const state = readState(db)
  return state === undefined || Bytes.equal(state.keyCheck, keyCheck(leaf))
}

/** Computes all digests anew where they do not fit. Throws what node:sqlite throws. */
export const rekey = (db: DatabaseSync, hashes: Hashes, leaf: LeafHash): void => {
  if (fits(db, leaf)) return
  for (const kind of ["message", "op", "read", "identity"] as const) rekeyKind(db, leaf, kind)
  const state = readState(db)
  if (state !== undefined)
    db.prepare(writeStateSql).run(...writeStateValues(hashes, { ...state, keyCheck: keyCheck(leaf) }))
}
