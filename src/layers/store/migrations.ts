/**
 * How a file of any earlier schema becomes one of this program's, in one transaction.
 *
 * Rule: a migration never changes once it was released, so it says all it does by itself.
 */
import { decode } from "cborg"
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import { noble } from "../crypto/hashes.ts"
import { keyCheck } from "./leaf.ts"
import * as Schema from "./schema.ts"
import * as Client from "./sql-client.ts"
import { checksumOver } from "./state.ts"

/** Schema 1. */
export const records: ReadonlyArray<string> = [
  "CREATE TABLE users (num INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE) STRICT",
  "CREATE TABLE nodes (num INTEGER PRIMARY KEY, node TEXT NOT NULL UNIQUE) STRICT",
  "CREATE TABLE chats (num INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, a INTEGER, b INTEGER) STRICT",
  // Content is a BLOB of UTF-8: text is decoded leniently when read, which could hide a damaged byte.
  `CREATE TABLE messages (
    chat INTEGER NOT NULL, hlc INTEGER NOT NULL, prefix INTEGER NOT NULL, id BLOB NOT NULL, sender INTEGER NOT NULL,
    ts INTEGER NOT NULL, msg_type INTEGER NOT NULL, content BLOB NOT NULL, control BLOB, node INTEGER NOT NULL,
    sig_version INTEGER NOT NULL, sig BLOB NOT NULL, digest BLOB NOT NULL
  ) STRICT`,
  "CREATE INDEX messages_by_place ON messages (chat, hlc)",
  "CREATE INDEX messages_by_id ON messages (prefix)",
  `CREATE TABLE ops (
    chat INTEGER NOT NULL, hlc INTEGER NOT NULL, prefix INTEGER NOT NULL, id BLOB NOT NULL, record BLOB NOT NULL,
    digest BLOB NOT NULL
  ) STRICT`,
  "CREATE INDEX ops_by_place ON ops (chat, hlc)",
  "CREATE INDEX ops_by_id ON ops (prefix)",
  `CREATE TABLE reads (
    chat INTEGER NOT NULL, reader INTEGER NOT NULL, up_to INTEGER NOT NULL, hlc INTEGER NOT NULL,
    prefix INTEGER NOT NULL, id BLOB NOT NULL, record BLOB NOT NULL, digest BLOB NOT NULL, UNIQUE (chat, reader)
  ) STRICT`,
  "CREATE INDEX reads_by_id ON reads (prefix)",
  `CREATE TABLE identities (
    user INTEGER PRIMARY KEY, prefix INTEGER NOT NULL, id BLOB NOT NULL, record BLOB NOT NULL, digest BLOB NOT NULL
  ) STRICT`,
  "CREATE INDEX identities_by_id ON identities (prefix)",
  "CREATE TABLE user_chats (user INTEGER, chat INTEGER, PRIMARY KEY (user, chat)) STRICT, WITHOUT ROWID",
  `CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), clock INTEGER NOT NULL, messages INTEGER NOT NULL, ops INTEGER NOT NULL,
    reads INTEGER NOT NULL, identities INTEGER NOT NULL, checksum BLOB NOT NULL
  ) STRICT`
]

/**
 * Schema 2: everything is found by stamp, for trees at a horizon and for the collector; a state row that knows the key of
 * the digests. Indexes on stamps grow at their end, which costs little. That of messages by bucket holds what trees and
 * peers ask for, so that neither start-up nor a round looks up rows all over the table: for a million messages 1 s of work
 * in place of 5 s, for a tenth more work a write.
 */
const sync: ReadonlyArray<string> = [
  "CREATE INDEX messages_by_hlc ON messages (hlc)",
  "CREATE INDEX ops_by_hlc ON ops (hlc, prefix)",
  "CREATE INDEX reads_by_hlc ON reads (hlc)",
  "DROP INDEX messages_by_id",
  "CREATE INDEX messages_by_id ON messages (prefix, hlc, digest)",
  "ALTER TABLE identities ADD COLUMN hlc INTEGER NOT NULL DEFAULT 0",
  "UPDATE identities SET hlc = stamp_of(record)",
  "CREATE INDEX identities_by_hlc ON identities (hlc)",
  "ALTER TABLE state ADD COLUMN chats INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE state ADD COLUMN key_check BLOB NOT NULL DEFAULT x''",
  "UPDATE state SET chats = coalesce((SELECT max(num) FROM chats), 0), key_check = unkeyed()",
  "UPDATE state SET checksum = next_checksum(clock, messages, ops, reads, identities, chats, key_check, checksum)"
]

/**
 * Schema 3: arrivals are numbered (`schema.ts`). What is there stays where it is, so the sequence begins at the greatest rowid
 * of all; the epoch is new, so nobody asks for what came before. The state row is made with the file, for the epoch's sake.
 */
const arrivals: ReadonlyArray<string> = [
  "ALTER TABLE identities ADD COLUMN arrival INTEGER NOT NULL DEFAULT 0",
  "CREATE INDEX identities_by_arrival ON identities (arrival)",
  `INSERT INTO state (one, clock, messages, ops, reads, identities, chats, key_check, checksum)
    SELECT 1, 0, 0, 0, 0, 0, 0, unkeyed(), checksum_over(0, 0, 0, 0, 0, 0, unkeyed())
    WHERE NOT EXISTS (SELECT 1 FROM state)`,
  "ALTER TABLE state ADD COLUMN arrivals INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE state ADD COLUMN epoch BLOB NOT NULL DEFAULT x''",
  `UPDATE state SET epoch = randomblob(8), arrivals = max(
    (SELECT coalesce(max(rowid), 0) FROM messages), (SELECT coalesce(max(rowid), 0) FROM ops),
    (SELECT coalesce(max(rowid), 0) FROM reads))`,
  `UPDATE state SET checksum = checksum_over(clock, messages, ops, reads, identities, chats, arrivals, key_check, epoch)
    WHERE checksum = checksum_over(clock, messages, ops, reads, identities, chats, key_check)`
]

/** The stamp in a record's wire form; 0 where it cannot be read, which the inspection then tells. */
const stampOf = (record: unknown): bigint => {
  try {
    const map: unknown = decode(record as Uint8Array, { useMaps: true })
    const hlc: unknown = map instanceof Map ? map.get("hlc") : undefined
    return hlc instanceof Uint8Array && hlc.length === 8 ? BigInt.asIntN(64, Bytes.readU64be(hlc)) : 0n
  } catch {
    return 0n
  }
}

/** What SQL hands over: integers as bigints. */
type Value = bigint | Uint8Array

/** How many columns the checksum of schema 1 was over. */
const summedIn1 = 5

/** The checksum of schema 2, `values` but the last, where that of schema 1 was right; a wrong one stays, to be found. */
const nextChecksum = (...values: ReadonlyArray<Value>): Value => {
  const old = values.at(-1) as Uint8Array
  return Bytes.equal(old, checksumOver(noble, values.slice(0, summedIn1)))
    ? checksumOver(noble, values.slice(0, -1))
    : old
}

const addFunctions = (db: DatabaseSync): void => {
  const options = { deterministic: true, useBigIntArguments: true, varargs: true }
  const functions: { readonly [name: string]: (...values: ReadonlyArray<Value>) => Value } = {
    stamp_of: (record) => stampOf(record),
    unkeyed: () => keyCheck(noble.blake3),
    next_checksum: nextChecksum,
    checksum_over: (...values) => checksumOver(noble, values)
  }
  for (const [name, run] of Object.entries(functions)) db.function(name, options, run as never)
}

const run = (texts: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* Effect.forEach(texts, (text) => sql.unsafe(text), { discard: true })
  })

const migrations = { "1_records": run(records), "2_sync": run(sync), "3_arrivals": run(arrivals) }

/** Brings the schema of `found` up to that of this program, in one transaction. Never called on a newer one. */
export const migrate = (db: DatabaseSync, found: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    // what the tables tell, where the list was lost
    yield* Effect.forEach(found === 0 ? [] : Schema.applied.slice(0, found), ([id, name]) =>
      sql`INSERT OR IGNORE INTO migrations (migration_id, name, created_at) VALUES (${id}, ${name}, '')`)
    if (found < Schema.version)
      yield* Effect.sync(() =>
        addFunctions(db)
      )
    yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "migrations" })
    yield* sql`UPDATE migrations SET created_at = '' WHERE created_at <> ''`
  }).pipe(Effect.provide(Client.layer(db)))
