/**
 * Nothing is stored that is neither part of a replicated record nor derived from those (SPEC §1.1, §1.3), but for the numbers
 * of arrivals, which are a node's own (SPEC §8). The table is
 * `columns` in `layers/store/schema.ts`; this test holds it against the real schema, and proves each entry: the column
 * is altered in a file, and the inspection must see it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Kind, Record } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { makeWriter } from "../../src/layers/store/commits.ts"
import * as Database from "../../src/layers/store/database.ts"
import { inspect } from "../../src/layers/store/inspect.ts"
import * as Schema from "../../src/layers/store/schema.ts"
import * as Make from "./store-records.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

/** At least two of everything, so that a value can be taken for that of a neighbour. */
const records: ReadonlyArray<Record> = [1, 2].flatMap((n) => [
  Make.message({ content: `group ${n}`, control: Uint8Array.of(n), hlc: Make.at(n), sender: Make.user(n) }),
  Make.message({ content: `direct ${n}`, peer: Make.user(7 + n), node: Make.nodes[n]!, sigVersion: 2 }),
  Make.op({ targets: [Make.user(n), Make.user(5)], ts: n }),
  Make.op({ chatId: Make.group(n), op: 0, targets: [], nonce: `${n}`.repeat(32) as never, title: "t" }),
  Make.read({ reader: Make.user(n), upTo: Make.at(n), hlc: Make.at(10 + n) }),
  Make.read({ reader: Make.user(n), peer: Make.user(20 + n) }),
  Make.identity({ address: Make.user(n), blob: Uint8Array.of(n) })
])

const open = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-schema-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
).pipe(
  Effect.flatMap((path) =>
    Effect.acquireRelease(
      Database.open({ path: join(path, "messages.sqlite"), write: true }),
      (db) => Effect.sync(() => db.close())
    )
  ),
  Effect.tap((db) => Effect.sync(() => makeWriter(db, noble).commit(records, Hlc.zero)))
)

interface Column {
  readonly table: string
  readonly column: string
  readonly type: string
}

const columnsOf = (db: DatabaseSync): ReadonlyArray<Column> =>
  db.prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view', 'trigger') ORDER BY name").all()
    .flatMap(({ name }) =>
      db.prepare(`PRAGMA table_xinfo("${String(name)}")`).all().map((info) => ({
        table: String(name),
        column: String(info["name"]),
        type: String(info["type"])
      }))
    )

const undeclared = (db: DatabaseSync): ReadonlyArray<string> =>
  columnsOf(db).filter(({ table, column }) => Schema.columns[table]?.[column] === undefined)
    .map(({ table, column }) => `${table}.${column}`)

const damages = (db: DatabaseSync) => kinds.flatMap((kind) => inspect(db, noble, kind))

/** Another value of the column's own type: a neighbour's integer where it is a name, one bit of anything else. */
const alter = (db: DatabaseSync, { table, column, type }: Column): number => {
  const expression = type === "INTEGER"
    ? `CASE WHEN ${column} IS NULL THEN 1 ELSE ${column} + 1000 END`
    : type === "BLOB"
    ? `CAST(coalesce(${column}, x'') || x'00' AS BLOB)`
    : `${column} || 'x'`
  const key = table === "messages" || table === "ops" || table === "reads" ? "rowid" : "*"
  const first = key === "rowid"
    ? `rowid = (SELECT min(rowid) FROM ${table})`
    : `${column} IS (SELECT ${column} FROM ${table} WHERE ${column} IS NOT NULL LIMIT 1)`
  return Number(db.prepare(`UPDATE ${table} SET ${column} = ${expression} WHERE ${first}`).run().changes)
}

describe("schema", () => {
  it.live("declares every column that exists, and no other", () =>
    Effect.scoped(Effect.map(open, (db) => {
      assert.deepStrictEqual(undeclared(db), [])
      const real = new Set(columnsOf(db).map(({ table, column }) => `${table}.${column}`))
      const declared = Object.entries(Schema.columns).flatMap(([table, columns]) =>
        Object.keys(columns).map((column) => `${table}.${column}`)
      )
      assert.deepStrictEqual(declared.filter((name) => !real.has(name)), [])
    })))

  it("keeps nothing of its own but the numbers of arrivals", () => {
    const own = Object.entries(Schema.columns).flatMap(([table, columns]) =>
      Object.entries(columns).flatMap(([column, standing]) => "local" in standing ? [`${table}.${column}`] : [])
    )
    assert.deepStrictEqual(own, ["identities.arrival", "state.arrivals", "state.epoch"])
  })

  it.live("goes red on a column, a table or a generated column that is not declared", () =>
    Effect.scoped(Effect.map(open, (db) => {
      db.exec("ALTER TABLE messages ADD COLUMN seen INTEGER")
      db.exec("ALTER TABLE ops ADD COLUMN twice INTEGER GENERATED ALWAYS AS (hlc * 2)")
      db.exec("CREATE TABLE drafts (text TEXT)")
      assert.deepStrictEqual(undeclared(db), ["drafts.text", "messages.seen", "ops.twice"])
    })))

  it.live("every declared column is seen by the inspection when it is altered", () =>
    Effect.scoped(Effect.map(open, (db) => {
      assert.deepStrictEqual(damages(db), [])
      for (const column of columnsOf(db)) {
        const name = `${column.table}.${column.column}`
        // A check in the schema refuses this one by itself.
        if (name === "state.one") {
          assert.throws(() => alter(db, column), /CHECK/)
          continue
        }
        db.exec("BEGIN")
        assert.isAbove(alter(db, column), 0, name)
        const found = damages(db)
        assert.isNotEmpty(found, `${name} was altered and nothing noticed`)
        const standing = Schema.columns[column.table]?.[column.column]
        // What a leaf covers shows in the digest, or makes the row unreadable as a record.
        if (standing !== undefined && "covered" in standing) {
          assert.isNotEmpty(found.filter(({ kind }) => kind !== "index" && kind !== "file"), name)
        }
        db.exec("ROLLBACK")
      }
      assert.deepStrictEqual(damages(db), [])
    })))

  it.live("rows that were taken away or added, or have numbers not given, are seen", () =>
    Effect.scoped(Effect.map(open, (db) => {
      const changes = [
        ...["messages", "ops", "reads", "identities", "user_chats", "state", "users", "nodes", "chats", "migrations"]
          .map((table) => `DELETE FROM ${table}`),
        "INSERT INTO user_chats SELECT max(num), (SELECT min(num) FROM chats) FROM users",
        "INSERT INTO messages SELECT * FROM messages LIMIT 1",
        ...["messages", "ops", "reads"].map((table) =>
          `UPDATE ${table} SET rowid = rowid + 1000 WHERE rowid = (SELECT max(rowid) FROM ${table})`
        )
      ]
      for (const change of changes) {
        db.exec("BEGIN")
        db.exec(change)
        assert.isNotEmpty(damages(db), change)
        db.exec("ROLLBACK")
      }
    })))
})
