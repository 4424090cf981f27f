/** A damaged file is made whole: what can be read is kept, everything derived is computed anew (FAILURES 19). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Kind, Record } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { makeWriter } from "../../src/layers/store/commits.ts"
import * as Database from "../../src/layers/store/database.ts"
import { inspect } from "../../src/layers/store/inspect.ts"
import { makeReads } from "../../src/layers/store/reads.ts"
import { salvage } from "../../src/layers/store/salvage.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { Store } from "../../src/services/Store.ts"
import * as Make from "./store-records.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]
const nothing = { message: 0, op: 0, read: 0, identity: 0 }

/** At least two of everything. */
const records: ReadonlyArray<Record> = [1, 2].flatMap((n) => [
  Make.message({ content: `group ${n}`, control: Uint8Array.of(n), hlc: Make.at(n), sender: Make.user(n) }),
  Make.message({ content: `direct ${n}`, peer: Make.user(7 + n), node: Make.nodes[n]!, sigVersion: 2 }),
  Make.op({ targets: [Make.user(n), Make.user(5)], ts: 1_800_000_000_000 + n }),
  Make.op({ chatId: Make.group(n), op: 0, targets: [], nonce: `${n}`.repeat(32) as never, title: "t" }),
  Make.read({ reader: Make.user(n), upTo: Make.at(n), hlc: Make.at(10 + n) }),
  Make.read({ reader: Make.user(n), peer: Make.user(20 + n) }),
  Make.identity({ address: Make.user(n), blob: Uint8Array.of(n) })
])

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-repair-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const database = (path: string) =>
  Effect.acquireRelease(Database.open({ path, write: true }), (db) => Effect.sync(() => db.close()))

/** Salvages into a file of its own, and says what is left and what is wrong there. */
const mended = Effect.fn(function*(db: DatabaseSync, drop: ReadonlyArray<{ kind: Kind; id: string }> = []) {
  const path = join(yield* temporary, "new.sqlite")
  const to = yield* database(path)
  const dropped = salvage(db, to, noble, noble.blake3, drop)
  const reads = makeReads(to, noble, path)
  const left = kinds.flatMap((kind) => reads.scan({ kind, limit: 10_000 }))
  return { dropped, left, damages: kinds.flatMap((kind) => inspect(to, noble, kind)), clock: reads.clock() }
})

const sorted = (list: ReadonlyArray<Record>) =>
  list.toSorted((a, b) => `${a.kind}${a.id}` < `${b.kind}${b.id}` ? -1 : 1)

const test = (what: string, body: () => Effect.Effect<void, unknown, import("effect").Scope.Scope>) =>
  it.live(what, () => Effect.scoped(body()), 120_000)

describe("repair", () => {
  test("of a sound file changes nothing; an hlc that is dropped does not lower the clock", () =>
    Effect.gen(function*() {
      const db = yield* database(join(yield* temporary, "old.sqlite"))
      makeWriter(db, noble).commit(records, Hlc.zero)
      const same = yield* mended(db)
      assert.deepStrictEqual([same.dropped, same.damages], [nothing, []])
      assert.deepStrictEqual(sorted(same.left), sorted(records))
      const newest = records.find(({ hlc }) => hlc === Make.at(12))!
      const less = yield* mended(db, [newest])
      assert.deepStrictEqual(less.dropped, { ...nothing, read: 1 })
      assert.strictEqual(less.clock, Make.at(12))
      db.exec("UPDATE state SET checksum = x'00'")
      assert.strictEqual((yield* mended(db, [newest])).clock, Make.at(12))
    }))

  test("mends every column that is altered, and rows that were taken away or added", () =>
    Effect.gen(function*() {
      const db = yield* database(join(yield* temporary, "old.sqlite"))
      makeWriter(db, noble).commit(records, Hlc.zero)
      const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
      const columns = tables.flatMap(({ name }) =>
        db.prepare(`PRAGMA table_xinfo("${String(name)}")`).all().map((info) => ({
          table: String(name),
          column: String(info["name"]),
          type: String(info["type"])
        }))
      ).filter(({ column }) => column !== "one")
      const altered = columns.map(({ column, table, type }) => {
        const value = type === "INTEGER"
          ? `coalesce(${column} + 1000, 1)`
          : type === "BLOB"
          ? `CAST(coalesce(${column}, x'') || x'00' AS BLOB)`
          : `${column} || 'x'`
        const first = `(SELECT ${column} FROM ${table} WHERE ${column} IS NOT NULL LIMIT 1)`
        const where = ["messages", "ops", "reads"].includes(table)
          ? `rowid = (SELECT min(rowid) FROM ${table})`
          : `${column} IS ${first}`
        return `UPDATE ${table} SET ${column} = ${value} WHERE ${where}`
      })
      const changes = [
        ...altered,
        ...tables.map(({ name }) => `DELETE FROM ${String(name)}`),
        "INSERT INTO user_chats SELECT max(num), (SELECT min(num) FROM chats) FROM users",
        "INSERT INTO messages SELECT * FROM messages LIMIT 1"
      ]
      for (const change of changes) {
        db.exec("BEGIN")
        db.exec(change)
        assert.isNotEmpty(kinds.flatMap((kind) => inspect(db, noble, kind)), change)
        const { damages, dropped, left } = yield* mended(db)
        assert.deepStrictEqual(damages, [], change)
        // Only where names are gone that many records share, many go with them.
        const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
        if (!change.startsWith("DELETE")) assert.isAtMost(lost, 3, change)
        if (/^UPDATE (state|user_chats|migrations)|prefix|digest|\.id/.test(change)) {
          assert.deepStrictEqual(sorted(left), sorted(records), change)
        }
        db.exec("ROLLBACK")
      }
    }))

  test("keeps all but what lay on pages that cannot be read, and replaces the file under an open store", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const file = join(directory, "messages.sqlite")
      const layer = layerSqlite({ directory })
      const filler = Array.from(
        { length: 1_200 },
        (_, i) =>
          Make.message({ content: `filler ${i} ${"-".repeat(200)}`, hlc: Make.at(i), peer: Make.user(2 + i % 9) })
      )
      yield* Effect.provide(Effect.flatMap(Store, (store) => store.commit([...filler, ...records], Hlc.zero)), layer)
      const bytes = readFileSync(file)
      const pageBytes = 8192
      // A leaf of the table in its middle, and one byte of a text elsewhere.
      const page = Math.floor(bytes.indexOf("filler 600 ") / pageBytes)
      bytes.fill(0xff, page * pageBytes, (page + 1) * pageBytes)
      bytes[bytes.indexOf("filler 100 ") + 8]! ^= 1
      writeFileSync(file, bytes)
      yield* Effect.provide(
        Effect.gen(function*() {
          const store = yield* Store
          assert.isNotEmpty(yield* store.inspect("message"))
          const dropped = yield* store.repair([])
          for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
          const left = yield* store.scan({ kind: "message", limit: 10_000 })
          assert.strictEqual(left.length + dropped.message, filler.length + 4)
          assert.isAtLeast(dropped.message, 2)
          assert.isAtMost(dropped.message, 60)
          const all = new Set(filler.map(({ id }) => id as string))
          assert.strictEqual(left.filter(({ id }) => all.has(id)).length, left.length - 4)
          assert.deepStrictEqual({ ...dropped, message: 0 }, nothing)
          // Writer and reader both have the new file.
          const after = Make.message({ content: "after", hlc: Make.at(5_000) })
          assert.deepStrictEqual((yield* store.commit([after], Hlc.zero)).outcomes, ["stored"])
          assert.deepStrictEqual(yield* store.message(after.id), after)
        }),
        layer
      )
      const db = new DatabaseSync(file, { readOnly: true })
      assert.deepStrictEqual(kinds.flatMap((kind) => inspect(db, noble, kind)), [])
      db.close()
    }))

  test("says that the file is damaged when nothing of it can be read, and leaves it alone", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const file = join(directory, "messages.sqlite")
      yield* Effect.provide(
        Effect.flatMap(Store, (store) => store.commit(records, Hlc.zero)),
        layerSqlite({ directory })
      )
      const bytes = readFileSync(file).fill(0xff, 0, 8192)
      writeFileSync(file, bytes)
      const error = yield* Effect.flip(
        Effect.provide(Effect.flatMap(Store, (store) => store.repair([])), layerSqlite({ directory }))
      )
      assert.strictEqual(error.reason, "corrupt")
      assert.isTrue(readFileSync(file).equals(bytes))
    }))
})
