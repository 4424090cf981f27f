/**
 * Puts a salvaged copy (`salvage.ts`) in the place of a damaged file.
 *
 * Rule: the old file is replaced in one step, when the copy is on the disk as a whole; whatever fails before leaves it as
 * it was. Takes as much free space as the records do.
 */
import * as Effect from "effect/Effect"
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import type { Hashes } from "../../domain/hashing.ts"
import * as Database from "./database.ts"
import { type Failure, failureOf } from "./errors.ts"
import type { LeafHash } from "./leaf.ts"
import type { Named } from "./protocol.ts"
import { type Dropped, salvage } from "./salvage.ts"

const logOf = (path: string): ReadonlyArray<string> => [`${path}-wal`, `${path}-shm`]

const remove = (paths: ReadonlyArray<string>): void => {
  for (const path of paths) rmSync(path, { force: true })
}

const sync = (path: string): void => {
  const file = openSync(path, "r")
  fsyncSync(file)
  closeSync(file)
}

/** The log into its file, as far as the damage lets it. */
const settle = (db: DatabaseSync): void => {
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  } catch {
    // its records are in the copy already
  }
  db.close()
}

/**
 * Closes `db`, the only connection to the file, and leaves a whole file in its place: to be opened anew. When it fails
 * before that, `db` is still open.
 */
export const repair = (
  db: DatabaseSync,
  database: Database.DatabaseOptions,
  hashes: Hashes,
  leaf: LeafHash,
  drop: ReadonlyArray<Named>
): Effect.Effect<Dropped, Failure> => {
  const copy = `${database.path}.repaired`
  const attempt = <A>(work: () => A) => Effect.try({ try: work, catch: (error) => failureOf(error, database.path) })
  const copied = Effect.acquireUseRelease(
    Database.open({ ...database, path: copy }),
    (to) => attempt(() => salvage(db, to, hashes, leaf, drop)),
    (to) => Effect.sync(() => to.close())
  )
  return Effect.gen(function*() {
    yield* attempt(() => remove([copy, ...logOf(copy)]))
    const dropped = yield* copied
    yield* attempt(() => sync(copy))
    yield* attempt(() => {
      settle(db)
      // A log beside another file would be taken for that file's.
      remove(logOf(database.path))
      renameSync(copy, database.path)
      sync(dirname(database.path))
    })
    return dropped
  }).pipe(Effect.onError(() => Effect.sync(() => remove([copy, ...logOf(copy)]))))
}
