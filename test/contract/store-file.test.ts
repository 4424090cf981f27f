/** What becomes of the file over time: older schemas, another network key, its log, its free pages, its start. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Kind, Record } from "../../src/domain/record.ts"
import * as Wire from "../../src/domain/wire.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { pausePages } from "../../src/layers/store/checkpoints.ts"
import { makeWriter } from "../../src/layers/store/commits.ts"
import * as Database from "../../src/layers/store/database.ts"
import { inspect } from "../../src/layers/store/inspect.ts"
import { Memory } from "../../src/layers/store/memory-records.ts"
import * as MemorySync from "../../src/layers/store/memory-sync.ts"
import { records as firstSchema } from "../../src/layers/store/migrations.ts"
import { makeReads } from "../../src/layers/store/reads.ts"
import { reclaim } from "../../src/layers/store/reclaim.ts"
import { layerSqlite, type SqliteOptions } from "../../src/layers/store/sqlite.ts"
import { checksumOver } from "../../src/layers/store/state.ts"
import { makeSyncReads } from "../../src/layers/store/sync-reads.ts"
import { makeTreeReads } from "../../src/layers/store/tree-reads.ts"
import { Store } from "../../src/services/Store.ts"
import * as Model from "./store-model.ts"
import * as Make from "./store-records.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-file-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const database = (path: string) =>
  Effect.acquireRelease(Database.open({ path, write: true }), (db) => Effect.sync(() => db.close()))

const damages = (db: DatabaseSync) => kinds.flatMap((kind) => inspect(db, noble, kind))

const using = <A, E>(options: SqliteOptions, body: (store: Store["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.provide(Effect.flatMap(Store, body), layerSqlite(options)))

const test = (what: string, body: () => Effect.Effect<void, unknown, import("effect").Scope.Scope>) =>
  it.live(what, () => Effect.scoped(body()), 120_000)

const filler = (count: number, from = 0) =>
  Array.from(
    { length: count },
    (_, i) => Make.message({ content: `filler ${from + i} ${"-".repeat(300)}`, hlc: Make.at(from + i) })
  )

/** Turns a file of this program into what schema 1 was: its statements run anew, and the rows it would have had. */
const makeOld = (path: string, records: ReadonlyArray<Record>) =>
  Effect.scoped(Effect.gen(function*() {
    const now = yield* database(`${path}.new`)
    makeWriter(now, noble).commit(records, Hlc.zero)
    const db = new DatabaseSync(path)
    db.exec("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL")
    for (const statement of firstSchema) db.exec(statement)
    db.exec(`CREATE TABLE migrations (migration_id integer PRIMARY KEY NOT NULL,
      created_at datetime NOT NULL DEFAULT current_timestamp, name VARCHAR(255) NOT NULL)`)
    db.exec("INSERT INTO migrations (migration_id, name, created_at) VALUES (1, 'records', '')")
    db.exec(`ATTACH '${path}.new' AS n`)
    for (const table of ["users", "nodes", "chats", "messages", "ops", "reads", "user_chats"]) {
      db.exec(`INSERT INTO main.${table} SELECT * FROM n.${table}`)
    }
    db.exec("INSERT INTO main.identities SELECT user, prefix, id, record, digest FROM n.identities")
    db.exec(`INSERT INTO main.state SELECT one, clock, messages, ops, reads, identities, x'' FROM n.state`)
    const read = db.prepare("SELECT clock, messages, ops, reads, identities FROM state")
    read.setReadBigInts(true)
    const row = read.get()!
    const counts = ["messages", "ops", "reads", "identities"].map((name) => row[name] as bigint)
    db.prepare("UPDATE state SET checksum = ?").run(checksumOver(noble, [row["clock"] as bigint, ...counts]))
    db.exec("DETACH n")
    db.close()
  }))

describe("the file of a store", () => {
  test("of schema 1 is brought up to date, with nothing lost; wrong counters are still found", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const path = join(directory, "old.sqlite")
      const records = Model.kept(Make.manyRecords(21, 200))
      yield* makeOld(path, records)
      const spoilt = join(directory, "spoilt.sqlite")
      writeFileSync(spoilt, readFileSync(path))
      const db = yield* database(path)
      assert.deepStrictEqual(damages(db), [])
      const reads = makeReads(db, noble, path)
      for (const kind of kinds) {
        assert.deepStrictEqual(reads.scan({ kind, limit: 1_000 }), [...Model.ofKind(records, kind)])
      }
      const more = Make.manyRecords(22, 100)
      makeWriter(db, noble).commit(more, Hlc.zero)
      assert.deepStrictEqual(damages(db), [])
      assert.strictEqual(reads.stats().messages, Model.ofKind(Model.kept([...records, ...more]), "message").length)
      // Such a file cannot give pages back, and says nothing is to be had.
      makeWriter(db, noble).collect(Make.at(100), 10_000)
      assert.isAbove(Number(db.prepare("PRAGMA freelist_count").get()!["freelist_count"]), 0)
      assert.strictEqual(reclaim(db, 10), 0)
      const raw = new DatabaseSync(spoilt)
      raw.exec("UPDATE state SET messages = messages + 1")
      raw.close()
      assert.isNotEmpty(damages(yield* database(spoilt)))
    }))

  test("failure 13: what leaves at a turn of the hour is summed the same, however many records that hour holds", () =>
    Effect.gen(function*() {
      const db = yield* database(join(yield* temporary, "full-hour.sqlite"))
      const records = filler(3_000)
      makeWriter(db, noble).commit(records, Hlc.zero)
      const trees = makeTreeReads(db)
      // a few of them, half, and all
      for (const ceiling of [Make.at(500), Make.at(1_500), Make.at(3_000)]) {
        const span = { floor: Make.at(20), ceiling }
        const expected = Model.leavesOf(Model.within(records, span, true), "messages")
        for (const [from, to] of [[0, 1_024], [0, 30_000], [0, 65_536]] as const) {
          const query = { domain: "messages", from, to, span, ageingOnly: true } as const
          assert.deepStrictEqual(Model.leavesText(trees.leaves(query)), expected.text(from, to))
        }
      }
      const plan = (sql: string) => db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all().map(({ detail }) => String(detail))
      for (const columns of ["digest", "prefix >> 48, count(*), group_concat(digest, '')"]) {
        const sql = `SELECT ${columns} FROM messages INDEXED BY messages_by_id WHERE prefix BETWEEN 1 AND 2 AND hlc > 3`
        assert.match(plan(`${sql} GROUP BY prefix >> 48`)[0]!, /COVERING INDEX messages_by_id/)
      }
    }))

  test("failure 3: a page of a stream that goes on has records, however many that have aged lie before the next", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const records = filler(9_000)
      const span = { floor: Make.at(8_997), ceiling: Model.everything.ceiling }
      yield* using({ directory }, (store) =>
        Effect.gen(function*() {
          yield* store.commit(records, Hlc.zero)
          let found = 0
          for (let cursor: Uint8Array | undefined;;) {
            const page = yield* store.stream({ kind: "message", span, from: 0, to: 65_536, cursor, bytesMax: 1 })
            assert.isTrue(page.records.length > 0 || page.next === undefined)
            found += page.records.length
            cursor = page.next
            if (cursor === undefined) break
          }
          assert.strictEqual(found, Model.within(records, span).length)
          assert.isAbove(found, 0)
        }))
    }))

  test("takes another network key, also when cut off on the way; readers must have the right one", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const key = (n: number) => new Uint8Array(32).fill(n)
      const records = Model.kept(Make.manyRecords(23, 120))
      const sums = (store: Store["Service"]) =>
        Effect.map(
          store.leaves({ domain: "messages", from: 0, to: 65_536, span: Model.everything, ageingOnly: false }),
          ({ value }) => Model.leavesText(value)
        )
      const expected = (leafKey: Uint8Array) => {
        const leaves = new Model.Leaves()
        const hash = noble.blake3Keyed(leafKey)
        for (const record of Model.ofKind(records, "message")) {
          leaves.add(Model.bucketOf(record), Wire.leafDigest(hash, record), 1)
        }
        return leaves.text()
      }
      const open = yield* using({ directory }, (store) => Effect.andThen(store.commit(records, Hlc.zero), sums(store)))
      assert.deepStrictEqual(open, Model.leavesOf(records, "messages").text())
      const keyed = yield* using({ directory, leafKey: key(1) }, (store) =>
        Effect.gen(function*() {
          for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
          assert.deepStrictEqual((yield* store.commit([records[0]!], Hlc.zero)).outcomes, ["known"])
          return yield* sums(store)
        }))
      assert.deepStrictEqual(keyed, expected(key(1)))
      for (const leafKey of [key(2), undefined]) {
        const error = yield* Effect.orDie(Effect.flip(using({ directory, access: "read", leafKey }, sums)))
        assert.include(error.message, "another key")
      }
      assert.deepStrictEqual(yield* using({ directory, access: "read", leafKey: key(1) }, sums), keyed)
      // Half of the rows of a change of key that was cut off: the state row still says the old one.
      const db = new DatabaseSync(join(directory, "messages.sqlite"))
      db.exec("UPDATE messages SET digest = zeroblob(32) WHERE rowid % 2 = 0")
      db.close()
      assert.deepStrictEqual(yield* using({ directory, leafKey: key(2) }, sums), expected(key(2)))
    }))

  test("has its log brought in when writing pauses, so that no commit has to wait for that: FAILURES 13", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const waiting = (log: DatabaseSync) => {
        const { checkpointed, log: pages } = log.prepare("PRAGMA wal_checkpoint(NOOP)").get() as {
          [name: string]: number
        }
        return pages! - checkpointed!
      }
      const layer = layerSqlite({ directory })
      const seen = yield* Effect.gen(function*() {
        const store = yield* Store
        const log = yield* Effect.acquireRelease(
          Effect.sync(() => new DatabaseSync(join(directory, "messages.sqlite"))),
          (db) => Effect.sync(() => db.close())
        )
        yield* store.commit(filler(400), Hlc.zero)
        yield* Effect.sleep(50)
        const few = waiting(log)
        for (let i = 1; i <= 40; i++) yield* store.commit(filler(200, 1_000 * i), Hlc.zero)
        let left = waiting(log)
        for (let tries = 0; tries < 100 && left >= pausePages; tries++) {
          yield* Effect.sleep(20)
          left = waiting(log)
        }
        return { few, left }
      }).pipe(Effect.scoped, Effect.provide(layer))
      assert.isAbove(seen.few, 0)
      assert.isBelow(seen.few, pausePages)
      assert.isBelow(seen.left, pausePages)
    }))

  test("has a log that reading everything, page by page, does not hold up: FAILURES 23", () =>
    Effect.gen(function*() {
      const path = join(yield* temporary, "messages.sqlite")
      const db = yield* database(path)
      const writer = makeWriter(db, noble)
      writer.commit([...filler(600), ...Make.manyRecords(24, 200)], Hlc.zero)
      const reader = yield* Effect.acquireRelease(
        Database.open({ path, write: false }),
        (db) => Effect.sync(() => db.close())
      )
      /** Whether everything in the log can go into the file at this moment. */
      const free = () => {
        writer.commit(filler(5, 10_000 + Math.floor(performance.now() * 1_000)), Hlc.zero)
        const row = db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()!
        return row["log"] === row["checkpointed"]
      }
      const [reads, peers] = [makeReads(reader, noble, path), makeSyncReads(reader, noble, noble.blake3)]
      const span = Model.everything
      let pages = 0
      for (const kind of kinds) {
        for (let afterId: string | undefined, left = 40; left > 0; left--) {
          const page = reads.scan({ kind, afterId, limit: 50 })
          assert.isTrue(free(), `scan of ${kind}`)
          pages++
          if (page.length < 50) break
          afterId = page.at(-1)!.id
        }
        for (let cursor: Uint8Array | undefined, left = 40; left > 0; left--) {
          cursor = peers.stream({ kind, span, from: 0, to: 65_536, cursor, bytesMax: 10_000 }).next
          assert.isTrue(free(), `stream of ${kind}`)
          pages++
          if (cursor === undefined) break
        }
      }
      assert.isAbove(pages, 30)
      const buckets = Array.from({ length: 2_000 }, (_, i) => i * 32)
      peers.digests({ domain: "messages", span, buckets, limit: 3 })
      assert.isTrue(free(), "digests")
      // The proof that this would be seen: a reading that is left open.
      const left = reader.prepare("SELECT content FROM messages").iterate()
      left.next()
      assert.isFalse(free())
      left.return?.()
      assert.isTrue(free())
    }))

  test("is opened without a look at the data: FAILURES 20", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const path = join(directory, "messages.sqlite")
      yield* using({ directory }, (store) => store.commit([...filler(2_000), ...Make.manyRecords(25, 50)], Hlc.zero))
      const bytes = readFileSync(path)
      const pageBytes = 8192
      let spoilt = 0
      for (let at = pageBytes; at < bytes.length; at += pageBytes) {
        if (!bytes.subarray(at, at + pageBytes).includes("filler ")) continue
        bytes.fill(0xff, at, at + pageBytes)
        spoilt++
      }
      assert.isAbove(spoilt, 50)
      writeFileSync(path, bytes)
      yield* using({ directory }, (store) =>
        Effect.gen(function*() {
          assert.isAbove((yield* store.stats).messages, 2_000)
          assert.strictEqual(yield* store.clock, Make.at(1_999))
          assert.strictEqual((yield* Effect.flip(store.scan({ kind: "message", limit: 3_000 }))).reason, "corrupt")
        }))
    }))

  test("uses the pages again that the collector freed, or gives them back: FAILURES 22, 4", () =>
    Effect.gen(function*() {
      const path = join(yield* temporary, "messages.sqlite")
      const db = yield* database(path)
      const writer = makeWriter(db, noble)
      const settled = () => {
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)")
        return statSync(path).size
      }
      writer.commit(filler(3_000), Hlc.zero)
      const full = settled()
      for (let round = 1; round <= 4; round++) {
        while (writer.collect(Make.at(3_000 * round - 1), 500).messages > 0);
        writer.commit(filler(3_000, 3_000 * round), Hlc.zero)
      }
      assert.isBelow(settled(), full * 1.3)
      while (writer.collect(Make.at(99_999), 500).messages > 0);
      assert.strictEqual(settled(), settled())
      const free = reclaim(db, 0)
      assert.isAbove(free, 50)
      assert.strictEqual(reclaim(db, 10), free - 10)
      while (reclaim(db, 20) > 0);
      assert.isBelow(settled(), full / 4)
      assert.deepStrictEqual(damages(db), [])
    }))

  test("gives every record that a pick may mean, where digests begin alike", () =>
    Effect.gen(function*() {
      /** A hash as an adversary would like it: one value in the first 8 bytes. */
      const weak = (bytes: Uint8Array) => noble.blake3(bytes).fill(7, 0, 8)
      const path = join(yield* temporary, "messages.sqlite")
      const db = yield* database(path)
      const messages = Array.from({ length: 5 }, (_, i) => {
        const message = Make.message({ content: `${i}` })
        return { ...message, id: `00ff${message.id.slice(4)}` as typeof message.id }
      })
      makeWriter(db, noble, weak).commit(messages, Hlc.zero)
      const memory = new Memory(weak)
      memory.commit(messages, Hlc.zero)
      const digest = (record: Record) => Wire.leafDigest(weak, record)
      const ordered = messages.toSorted((a, b) => Bytes.compare(digest(a), digest(b)))
      const texts = (list: ReadonlyArray<Record>) => list.map((record) => Wire.encode(record).toHex())
      const one = ordered[3]!
      const picks = [8, 32].map((length) => ({ bucket: 0xff, digest: digest(one).slice(0, length) }))
      const peers = makeSyncReads(db, noble, weak)
      for (
        const found of [
          peers.pick("messages", Model.everything, picks),
          MemorySync.pick(memory, "messages", Model.everything, picks)
        ]
      ) {
        assert.strictEqual(found.done, 2)
        assert.deepStrictEqual(found.records.map(({ bytes }) => bytes.toHex()), [...texts(ordered), ...texts([one])])
      }
    }))
})
