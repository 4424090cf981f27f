/**
 * What the database holds, column by column, and why each may be there (SPEC §1.1, §1.3): `covered` columns are part
 * of a record and so of a Merkle leaf digest; `derived` ones can be computed from those, and `inspect` does; `local` are
 * the few that number the arrivals of records here, which SPEC §8 says is never replicated. A column that is none of
 * these is refused by `test/contract/schema.test.ts`.
 *
 * Shape (DESIGN.md has the trial): names become small integers in three dictionaries, messages lie in order of arrival
 * and have narrow indexes. Kinds that are few are kept as their wire form beside the columns that find them. The rowid of
 * a message, op or read mark is the number of its arrival, and an identity, whose rowid is its user, has a column for it.
 */
import type { DatabaseSync } from "node:sqlite"

/** `covered`: in the digest of these kinds. `derived`: from what. `local`: the node's own, what for. */
export type Standing = { readonly covered: string } | { readonly derived: string } | { readonly local: string }

const covered = (covered: string): Standing => ({ covered })
const derived = (derived: string): Standing => ({ derived })
const local = (local: string): Standing => ({ local })

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
  identities: {
    user: ofRecord,
    hlc: ofRecord,
    prefix: ofRecord,
    id: ofRecord,
    record: covered("identity"),
    digest: leaf,
    arrival: local("the number of its arrival; 0: before all that were numbered")
  },
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
    chats: derived("the highest number ever given to a chat; a checksum guards it"),
    arrivals: local("the highest number ever given to an arrival; a checksum guards it"),
    key_check: derived("a hash with the key of the leaf digests, so that another key is noticed"),
    epoch: local("whose numbers these are: chosen at random with the file; a checksum guards it"),
    checksum: derived("hash of the other columns")
  }
}

/** What the table of migrations must say. */
export const applied: ReadonlyArray<readonly [id: number, name: string]> = [[1, "records"], [2, "sync"], [
  3,
  "arrivals"
]]

/** The newest schema that this program knows. */
export const version = applied.length

/** Version of the open database, 0 when it is empty. A list of migrations that was lost is told by the tables. */
export const versionOf = (db: DatabaseSync): number => {
  const list = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'").get()
  if (list === undefined) return 0
  const row = db.prepare("SELECT max(migration_id) AS said FROM migrations").get() as
    | { readonly said: number | null }
    | undefined
  if (row !== undefined && row.said !== null && row.said > 0) return row.said
  const state = db.prepare("SELECT name FROM pragma_table_info('state')").all().map((column) => column["name"])
  return state.length === 0 ? 0 : state.includes("epoch") ? 3 : state.includes("key_check") ? 2 : 1
}

/** Whether the list of migrations is that of this program. */
export const isCurrent = (db: DatabaseSync): boolean =>
  versionOf(db) === version &&
  JSON.stringify(db.prepare("SELECT migration_id, name, created_at FROM migrations ORDER BY migration_id").all()) ===
    JSON.stringify(applied.map(([id, name]) => ({ migration_id: id, name, created_at: "" })))
