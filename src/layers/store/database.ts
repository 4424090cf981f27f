/**
 * Opens the database file, with the settings that its two threads use, and brings the schema up to date.
 *
 * Settings: write-ahead log, so that readers never wait for the writer; `synchronous=NORMAL`, which survives a kill of the
 * process, while a power loss may take the last commits but never the file; checkpoints by the writer only, in pauses or
 * with a commit; free pages go back to the file system when asked for, never by themselves.
 */
import * as Effect from "effect/Effect"
import { chmodSync, existsSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { type Failure, failureOf } from "./errors.ts"
import * as Schema from "./schema.ts"

/** What one thread opens. */
export interface DatabaseOptions {
  readonly path: string
  readonly write: boolean
  /** Bytes that the file may take, its log not counted; absent: what the disk has. */
  readonly bytesMax?: number | undefined
  /** 32 bytes: of the leaf digests, in a network with a key. */
  readonly leafKey?: Uint8Array | undefined
}

/** Of a new file. Half of it, SQLite's default, was no cheaper a message with a million of them, and took more disk. */
const pageBytes = 8192
/** Of each connection. Eight times as much made a commit among a million messages no cheaper: the system caches the file too. */
const cacheKib = 8_192
/** Pages in the log that make a commit checkpoint, where there was no pause for it. More is faster and stalls that commit longer. */
const checkpointPages = 4_000
const logBytesMax = 64 * 1024 * 1024
/** Only start and recovery ever make connections wait for one another. */
const busyMsMax = 10_000

/** What a connection is told to begin with, as pragmas. */
export const settings = (options: DatabaseOptions): ReadonlyArray<string> => [
  `cache_size = -${cacheKib}`,
  "temp_store = MEMORY",
  "trusted_schema = OFF",
  "cell_size_check = ON",
  ...(options.write
    ? [
      `page_size = ${pageBytes}`,
      // counts in a new file only: what the collector frees can be given back a few pages at a time
      "auto_vacuum = INCREMENTAL",
      "journal_mode = WAL",
      "synchronous = NORMAL",
      `wal_autocheckpoint = ${checkpointPages}`,
      `journal_size_limit = ${logBytesMax}`,
      ...(options.bytesMax === undefined
        ? []
        : [`max_page_count = ${Math.max(1, Math.floor(options.bytesMax / pageBytes))}`])
    ]
    : [])
]

/** Throws what node:sqlite throws. */
const connect = (options: DatabaseOptions): DatabaseSync => {
  const isNew = options.write && !existsSync(options.path)
  const db = new DatabaseSync(options.path, {
    readOnly: !options.write,
    timeout: busyMsMax,
    enableForeignKeyConstraints: false
  })
  try {
    // Before the log exists: it takes over the mode of the file.
    if (isNew) chmodSync(options.path, 0o600)
    for (const setting of settings(options)) db.exec(`PRAGMA ${setting}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const misfit = (options: DatabaseOptions, found: number): Failure | undefined => {
  if (found > Schema.version) {
    return {
      reason: "io",
      message: `${options.path}: made by a newer version of this program (schema ${found}, this one knows up to ` +
        `${Schema.version}): run that version, or move the data directory away`
    }
  }
  if (!options.write && found < Schema.version) {
    return {
      reason: "io",
      message: found === 0
        ? `${options.path}: holds no records yet`
        : `${options.path}: has schema ${found}, this program reads ${Schema.version}: start a node on it once`
    }
  }
  return undefined
}

/** An open connection with the schema of this program. Fails with a {@link Failure} and leaves nothing open. */
export const open = (options: DatabaseOptions): Effect.Effect<DatabaseSync, Failure> => {
  const failed = (cause: unknown): Failure => failureOf(rootOf(cause), options.path)
  if (!options.write && !existsSync(options.path)) {
    return Effect.fail({
      reason: "io",
      message: `${options.path}: does not exist; is this the data directory of a node?`
    })
  }
  const ask = <A>(look: () => A) => Effect.try({ try: look, catch: failed })
  return Effect.gen(function*() {
    const db = yield* Effect.try({ try: () => connect(options), catch: failed })
    const prepare = Effect.gen(function*() {
      const found = yield* ask(() => Schema.versionOf(db))
      const problem = misfit(options, found)
      if (problem !== undefined) return yield* Effect.fail(problem)
      if (!options.write || (yield* ask(() => Schema.isCurrent(db)))) return
      // what migrations need is loaded for them alone: most starts need none
      const { migrate } = yield* Effect.promise(() => import("./migrations.ts"))
      yield* migrate(db, found)
      const reached = yield* ask(() => Schema.versionOf(db))
      if (reached === Schema.version) return
      const message = `${options.path}: its schema stays at ${reached}, ${Schema.version} is needed`
      return yield* Effect.fail<Failure>({ reason: "io", message })
    })
    yield* prepare.pipe(
      Effect.mapError((error) => "_tag" in error ? failed(error) : error),
      Effect.onError(() => Effect.sync(() => db.close()))
    )
    return db
  })
}

/** What SQLite said, from inside the errors of the migrator and the client. */
const rootOf = (error: unknown): unknown => {
  if (typeof error !== "object" || error === null || "errcode" in error) return error
  if ("reason" in error && typeof error.reason === "object") return rootOf(error.reason)
  return "cause" in error && error.cause !== undefined ? rootOf(error.cause) : error
}
