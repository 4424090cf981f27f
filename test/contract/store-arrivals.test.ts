/** Numbers of arrivals in a file: across restarts, kills, power losses, migrations and copies (FAILURES 16). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Kind, Record } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { type ArrivalReads, makeArrivalReads } from "../../src/layers/store/arrivals.ts"
import { makeWriter } from "../../src/layers/store/commits.ts"
import * as Database from "../../src/layers/store/database.ts"
import { inspect } from "../../src/layers/store/inspect.ts"
import { makeReads } from "../../src/layers/store/reads.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { checksumOver } from "../../src/layers/store/state.ts"
import { Store } from "../../src/services/Store.ts"
import * as Model from "./store-model.ts"
import * as Make from "./store-records.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-arrivals-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const database = (path: string) =>
  Effect.acquireRelease(Database.open({ path, write: true }), (db) => Effect.sync(() => db.close()))

const damages = (db: DatabaseSync) => kinds.flatMap((kind) => inspect(db, noble, kind))

const test = (what: string, body: () => Effect.Effect<void, unknown, import("effect").Scope.Scope>) =>
  it.live(what, () => Effect.scoped(body()), 120_000)

const toUser = (n: number, count: number, from = 0): ReadonlyArray<Record> =>
  Array.from({ length: count }, (_, i) => Make.message({ peer: Make.user(n), content: `${from + i}`, hlc: Make.at(i) }))

const numbersOf = (reads: ArrivalReads, n: number, after = 0): ReadonlyArray<number> => {
  const { last } = reads.log()
  return reads.page({ user: Make.user(n), after, upTo: last, limit: 1_000 }).arrived.map(({ arrival }) => arrival)
}

/** What a file is like before it is opened for the last time, and with how much of that a power loss left. */
const copy = (from: string, to: string): void => {
  for (const end of ["", "-wal"]) copyFileSync(from + end, to + end)
}

/** Turns a file of this program into what schema 2 was, where each table counted its rows for itself. */
const makeOld = (db: DatabaseSync): void => {
  for (const table of ["messages", "ops", "reads"]) {
    const rows = db.prepare(`SELECT rowid AS n FROM ${table} ORDER BY rowid`).all()
    const renumber = db.prepare(`UPDATE ${table} SET rowid = ? WHERE rowid = ?`)
    rows.forEach(({ n }, i) => renumber.run(i + 1, n!))
  }
  db.exec("DROP INDEX identities_by_arrival")
  db.exec("ALTER TABLE identities DROP COLUMN arrival")
  db.exec("ALTER TABLE state DROP COLUMN arrivals")
  db.exec("ALTER TABLE state DROP COLUMN epoch")
  const columns = ["clock", "messages", "ops", "reads", "identities", "chats", "key_check"]
  const read = db.prepare(`SELECT ${columns.join(", ")} FROM state`)
  read.setReadBigInts(true)
  const row = read.get()!
  db.prepare("UPDATE state SET checksum = ?").run(
    checksumOver(noble, columns.map((name) => row[name] as bigint | Uint8Array))
  )
  db.exec("DELETE FROM migrations WHERE migration_id = 3")
}

describe("numbers of arrivals", () => {
  test("go on after a restart, also when the newest records were deleted", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const using = <A, E>(body: (store: Store["Service"]) => Effect.Effect<A, E>) =>
        Effect.scoped(Effect.provide(Effect.flatMap(Store, body), layerSqlite({ directory })))
      const made = yield* using((store) => store.arrivalLog)
      assert.strictEqual(made.last, 0)
      const logs: Array<typeof made> = []
      for (let round = 0; round < 3; round++) {
        const log = yield* using((store) =>
          Effect.gen(function*() {
            const { firstArrival } = yield* store.commit(toUser(2, 10, round * 10), Hlc.zero)
            assert.isAbove(firstArrival, logs.at(-1)?.last ?? 0)
            yield* store.collect(Make.at(99), 100)
            return yield* store.arrivalLog
          })
        )
        assert.strictEqual(log.epoch, made.epoch)
        logs.push(log)
      }
      assert.deepStrictEqual(
        yield* using((store) => store.arrivals({ user: Make.user(2), after: 0, upTo: logs[2]!.last, limit: 9 })),
        { arrived: [], seen: logs[2]!.last }
      )
    }))

  test("are never those that a power loss took back", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const [path, left] = [join(directory, "before.sqlite"), join(directory, "after.sqlite")]
      const db = yield* database(path)
      const writer = makeWriter(db, noble)
      writer.commit(toUser(2, 5), Hlc.zero)
      copy(path, left)
      const lost = writer.commit(toUser(2, 50, 5), Hlc.zero).firstArrival + 49
      const after = yield* database(left)
      const { epoch, last } = makeArrivalReads(db, noble).log()
      assert.strictEqual(last, lost)
      const reads = makeArrivalReads(after, noble)
      assert.strictEqual(reads.log().epoch, epoch)
      assert.isBelow(reads.log().last, lost)
      const { firstArrival } = makeWriter(after, noble).commit(toUser(2, 3, 100), Hlc.zero)
      assert.isAbove(firstArrival, lost)
      // whoever was told of what is lost goes on there, and misses nothing
      assert.deepStrictEqual(numbersOf(reads, 2, lost), [0, 1, 2].map((i) => firstArrival + i))
    }))

  test("last with the first commit since the opening, and the others cost no more than before", () =>
    Effect.gen(function*() {
      const db = yield* database(join(yield* temporary, "messages.sqlite"))
      const writer = makeWriter(db, noble)
      const usual = db.prepare("PRAGMA synchronous").get()
      const said: Array<unknown> = []
      const exec = db.exec.bind(db)
      db.exec = (sql) => {
        exec(sql)
        said.push([sql.slice(0, 20), db.prepare("PRAGMA synchronous").get()?.["synchronous"]])
      }
      db.exec("CREATE TRIGGER no BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END")
      assert.throws(() => writer.commit(toUser(2, 1), Hlc.zero), /no/)
      db.exec("DROP TRIGGER no")
      writer.commit(toUser(2, 1), Hlc.zero)
      writer.commit(toUser(2, 1, 1), Hlc.zero)
      const [full, again] = [["PRAGMA synchronous =", 2], ["PRAGMA synchronous =", usual?.["synchronous"]]]
      const failed = [["CREATE TRIGGER no BE", 1], full, ["ROLLBACK", 2], again]
      assert.deepStrictEqual(said, [...failed, ["DROP TRIGGER no", 1], full, again])
    }))

  test("begin above those of a file of schema 2, whose rows stay where they are", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const [path, spoilt] = [join(directory, "old.sqlite"), join(directory, "spoilt.sqlite")]
      const records = Model.kept(Make.manyRecords(21, 200))
      yield* Effect.scoped(Effect.gen(function*() {
        const db = yield* database(path)
        makeWriter(db, noble).commit(records, Hlc.zero)
        makeOld(db)
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)")
        copyFileSync(path, spoilt)
      }))
      const db = yield* database(path)
      assert.deepStrictEqual(damages(db), [])
      const reads = makeReads(db, noble, path)
      for (const kind of kinds) {
        assert.deepStrictEqual(reads.scan({ kind, limit: 1_000 }), [...Model.ofKind(records, kind)])
      }
      const rows = (table: string) => db.prepare(`SELECT min(rowid) AS low, max(rowid) AS top FROM ${table}`).get()!
      const messages = Model.ofKind(records, "message").length
      assert.deepStrictEqual({ ...rows("messages") }, { low: 1, top: messages })
      const arrivals = makeArrivalReads(db, noble)
      const { epoch, last } = arrivals.log()
      assert.strictEqual(last, messages)
      assert.isTrue(["ops", "reads"].every((table) => Number(rows(table)["top"]) <= last))
      const more = Make.manyRecords(22, 100)
      const { firstArrival, outcomes } = makeWriter(db, noble).commit(more, Hlc.zero)
      assert.isAbove(firstArrival, last)
      assert.deepStrictEqual(damages(db), [])
      const came = outcomes.filter((outcome) => outcome === "stored" || outcome === "replaced").length
      assert.deepStrictEqual(arrivals.log(), { epoch, last: firstArrival + came - 1 })
      // Each file has an epoch of its own, and counters that were wrong are still found to be.
      const raw = new DatabaseSync(spoilt)
      raw.exec("UPDATE state SET messages = messages + 1")
      raw.close()
      const other = yield* database(spoilt)
      assert.notStrictEqual(makeArrivalReads(other, noble).log().epoch, epoch)
      assert.isNotEmpty(damages(other))
    }))

  test("are the same in every copy that SQLite makes of the file", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const path = join(directory, "messages.sqlite")
      const db = yield* database(path)
      const writer = makeWriter(db, noble)
      for (let seed = 1; seed <= 5; seed++) writer.commit(Make.manyRecords(seed, 60), Hlc.zero)
      writer.collect(Make.at(2), 40)
      const reads = makeArrivalReads(db, noble)
      const all = () => [1, 2, 3, 4, 5].map((n) => numbersOf(reads, n))
      const before = all()
      assert.isNotEmpty(before[0])
      db.exec(`VACUUM INTO '${join(directory, "copy.sqlite")}'`)
      const copied = makeArrivalReads(yield* database(join(directory, "copy.sqlite")), noble)
      assert.deepStrictEqual(copied.log(), reads.log())
      assert.deepStrictEqual([1, 2, 3, 4, 5].map((n) => numbersOf(copied, n)), before)
      db.exec("VACUUM")
      assert.deepStrictEqual(all(), before)
    }))

  test("failure 13: are looked through a bounded number at a time, over gaps and strangers' records", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const path = join(directory, "messages.sqlite")
      yield* Effect.scoped(Effect.gen(function*() {
        const db = yield* database(path)
        makeWriter(db, noble).commit(toUser(2, 1), Hlc.zero)
        const writer = makeWriter(db, noble)
        for (let from = 0; from < 20_000; from += 5_000) writer.commit(toUser(3, 5_000, from), Hlc.zero)
        writer.commit(toUser(2, 1, 1), Hlc.zero)
        const reads = makeArrivalReads(db, noble)
        const { last } = reads.log()
        const query = { user: Make.user(2), upTo: last, limit: 10 }
        const first = reads.page({ ...query, after: 0 })
        assert.strictEqual(first.arrived.length, 1)
        const second = reads.page({ ...query, after: first.seen })
        assert.deepStrictEqual(second.arrived, [])
        assert.isBelow(second.seen, last)
        assert.strictEqual(reads.countAfter(0, 30_000), 20_002)
        assert.strictEqual(reads.countAfter(first.seen, 15_000), 15_000)
      }))
      yield* Effect.provide(
        Effect.gen(function*() {
          const store = yield* Store
          const { epoch, last } = yield* store.arrivalLog
          assert.isFalse(Bytes.equal(Bytes.fromHex(epoch), new Uint8Array(8)))
          const query = { user: Make.user(2), upTo: last, limit: 10 }
          const first = yield* store.arrivals({ ...query, after: 0 })
          const second = yield* store.arrivals({ ...query, after: first.seen })
          assert.deepStrictEqual(second.arrived.map(({ arrival }) => arrival), [last])
        }),
        layerSqlite({ directory })
      )
    }))
})
