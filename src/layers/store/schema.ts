/**
 * What the database holds, column by column, and why each may be there (SPEC §1.1, §1.3): `covered` columns are part
 * of a record and so of a Merkle leaf digest; `derived` ones can be computed from those, and `inspect` does. A column
 * that is neither is refused by `test/contract/schema.test.ts`.
 *
 * Shape (DESIGN.md has the trial): names become small integers in three dictionaries, messages lie in order of arrival
 * and have two narrow indexes. Kinds that are few are kept as their wire form beside the columns that find them.
 */
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"

/** `covered`: in the digest of these kinds. `derived`: from what. */
export type Standing = { readonly covered: string } | { readonly derived: string }

const covered = (covered: string): Standing => ({ covered })
const derived = (derived: string): Standing => ({ derived })

const number = derived("a number in place of the name beside it; a wrong one names something else")
const leaf = derived("the leaf digest of the record, compared with what the row says now")
const ofRecord = derived("a field of `record`, for searching")
const counted = derived("rows of the table; a checksum guards it")

/** Every column of every table. */
export const columns: { readonly [table: string]: { readonly [column: string]: Standing } } = {
  migrations: {
    migration_id: derived("the migrations of this program"),
    name: derived("the migrations of this program"),
    created_at: derived("always empty: a store keeps no time of its own")
  },
  users: { num: number, address: covered("message sender and peer; in other kinds derived from `record`") },
  nodes: { num: number, node: covered("message") },
  chats: {
    num: number,
    id: covered("message; in other kinds derived from `record`"),
    a: derived("the smaller party of a direct conversation: `id` is the hash of both, and a message names them"),
    b: derived("the greater party")
  },
  messages: {
    chat: covered("message"),
    hlc: covered("message"),
    prefix: derived("the first 8 bytes of the id, as an integer of the same order"),
    id: derived("hash of the message's fields"),
    sender: covered("message"),
    ts: covered("message"),
    msg_type: covered("message"),
    content: covered("message"),
    control: covered("message"),
    node: covered("message"),
    sig_version: covered("message"),
    sig: covered("message"),
    digest: leaf
  },
  ops: { chat: ofRecord, hlc: ofRecord, prefix: ofRecord, id: ofRecord, record: covered("op"), digest: leaf },
  reads: {
    chat: ofRecord,
    reader: ofRecord,
    up_to: ofRecord,
    hlc: ofRecord,
    prefix: ofRecord,
    id: ofRecord,
    record: covered("read"),
    digest: leaf
  },
  identities: { user: ofRecord, prefix: ofRecord, id: ofRecord, record: covered("identity"), digest: leaf },
  user_chats: {
    user: derived("both parties of a direct conversation; the actor and targets of every op of a group"),
    chat: derived("as `user`")
  },
  state: {
    one: derived("always 1"),
    clock: derived("the highest stamp of every record ever committed; a checksum guards it"),
    messages: counted,
    ops: counted,
    reads: counted,
    identities: counted,
    checksum: derived("hash of the other columns")
  }
}

const statements: ReadonlyArray<string> = [
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

const run = (texts: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* Effect.forEach(texts, (text) => sql.unsafe(text), { discard: true })
  })

const migrations = { "1_records": run(statements) }

/** What the table of migrations must say. */
export const applied: ReadonlyArray<readonly [id: number, name: string]> = [[1, "records"]]

/** The newest schema that this program knows. */
export const version = applied.length

/** Brings the schema up to {@link version}, in one transaction. Never called on a newer one. */
export const migrate = Effect.gen(function*() {
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "migrations" })
  const sql = yield* SqlClient
  yield* sql`UPDATE migrations SET created_at = '' WHERE created_at <> ''`
})

/** Version of the open database, 0 when it is empty. */
export const currentVersion = Effect.gen(function*() {
  const sql = yield* SqlClient
  const tables = yield* sql`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'`
  if (tables.length === 0) return 0
  const rows = yield* sql<{ version: number | null }>`SELECT max(migration_id) AS version FROM migrations`
  return rows[0]?.version ?? 0
})
