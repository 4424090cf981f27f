/**
 * One node a data directory. The lock is SQLite's own on a file beside the data, so the system drops it with the
 * process, however that ends; a file with a process id alone would outlive a kill.
 *
 * The holder keeps a write transaction open that changes nothing. Others can still read who it is.
 */
import { chmodSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Directories from "../directories.ts"
import { type Failure, failureOf } from "./errors.ts"

export interface Lock {
  readonly release: () => void
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" && (error.errcode & 0xff) === 5

const holderOf = (db: DatabaseSync): string => {
  try {
    const row = db.prepare("SELECT pid FROM holder").get()
    return row === undefined ? "another process" : `process ${String(row["pid"])}`
  } catch {
    return "another process"
  }
}

/** Makes the directory where it is missing, and locks it for `pid`, or says who holds it. */
export const acquire = (directory: string, pid: number): Lock | Failure => {
  const path = join(directory, "lock.sqlite")
  try {
    Directories.make(directory)
  } catch (error) {
    return failureOf(error, directory)
  }
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { timeout: 0 })
    chmodSync(path, 0o600)
    db.exec("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
    db.exec("CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER NOT NULL) STRICT")
    db.prepare("INSERT INTO holder VALUES (1, ?) ON CONFLICT DO UPDATE SET pid = excluded.pid").run(pid)
    db.exec("BEGIN IMMEDIATE")
    const held = db
    return { release: () => held.close() }
  } catch (error) {
    const failure: Failure = db !== undefined && isBusy(error)
      ? {
        reason: "locked",
        message:
          `${directory}: in use by ${holderOf(db)}; a data directory serves one node at a time: stop that one, ` +
          "or give this one a directory of its own"
      }
      : failureOf(error, path)
    db?.close()
    return failure
  }
}
