/** What only a file can get wrong: kills, locks, rights, space, damage (FAILURES 15, 19). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { spawn } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Kind, Message, Record } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { failureOf } from "../../src/layers/store/errors.ts"
import { inspect } from "../../src/layers/store/inspect.ts"
import { layerSqlite, type SqliteOptions } from "../../src/layers/store/sqlite.ts"
import * as Thread from "../../src/layers/store/thread.ts"
import { type Damage, Store, StoreError } from "../../src/services/Store.ts"
import { everything } from "./store-model.ts"
import * as Make from "./store-records.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-store-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const using = <A, E>(options: SqliteOptions, body: (store: Store["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.provide(Effect.flatMap(Store, body), layerSqlite(options)))

const failureTo = (options: SqliteOptions): Effect.Effect<StoreError> =>
  Effect.orDie(Effect.flip(using(options, () => Effect.void)))

/** What all inspections find, in this thread: quicker than a thread each. */
const inspectAll = (file: string): ReadonlyArray<Damage> => {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return kinds.flatMap((kind) => inspect(db, noble, kind))
  } finally {
    db.close()
  }
}

/** A child process, its output line by line. `kill` waits for its end. */
const child = (directory: string, mode: string, uid?: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = fileURLToPath(new URL("./store-child.ts", import.meta.url))
      const process_ = spawn(process.execPath, [path, directory, mode], {
        stdio: ["ignore", "pipe", "inherit"],
        ...(uid === undefined ? {} : { uid })
      })
      const ended = new Promise<void>((resolve) => process_.on("exit", () => resolve()))
      let text = ""
      const watchers = new Set<() => void>()
      process_.stdout.on("data", (data) => {
        text += String(data)
        for (const watch of watchers) watch()
      })
      // The last line may be cut.
      const lines = () => text.split("\n").slice(0, -1)
      const atLeast = (count: number) =>
        new Promise<ReadonlyArray<string>>((resolve, reject) => {
          const watch = () => lines().length >= count && resolve(lines())
          watchers.add(watch)
          void ended.then(() => lines().length >= count ? resolve(lines()) : reject(new Error(`ended: ${text}`)))
          watch()
        })
      const kill = async () => {
        process_.kill("SIGKILL")
        await ended
        return lines()
      }
      return {
        pid: process_.pid!,
        atLeast: (n: number) => Effect.promise(() => atLeast(n)),
        kill: Effect.promise(kill)
      }
    }),
    ({ kill }) => kill
  )

const all = (store: Store["Service"], kind: Kind) => store.scan({ kind, limit: 100_000 })
const test = (what: string, body: () => Effect.Effect<void, unknown, import("effect").Scope.Scope>) =>
  it.live(what, () => Effect.scoped(body()), 60_000)

describe("sqlite store", () => {
  test("is the same after it was closed, and keeps others out of its files", () =>
    Effect.gen(function*() {
      const path = join(yield* directory, "new", "data")
      const records = Make.manyRecords(5, 300)
      const members = { domain: "members", from: 0, to: 65_536, span: everything, ageingOnly: false } as const
      const read = (store: Store["Service"]) =>
        Effect.all([
          store.clock,
          Effect.forEach(kinds, (kind) => all(store, kind)),
          Effect.map(store.leaves(members), ({ value }) => value)
        ])
      const before = yield* using({ directory: path }, (store) =>
        Effect.andThen(store.commit(records, Hlc.zero), read(store)))
      assert.deepStrictEqual(yield* using({ directory: path }, read), before)
      assert.strictEqual(statSync(path).mode & 0o777, 0o700)
      assert.strictEqual(statSync(join(path, "messages.sqlite")).mode & 0o777, 0o600)
      assert.isUndefined(statSync(join(path, "messages.sqlite-wal"), { throwIfNoEntry: false }))
      assert.deepStrictEqual(yield* using({ directory: path, access: "read" }, read), before)
    }))

  test("keeps everything acknowledged, and its number, when the process is killed in a burst", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const burst = yield* child(path, "burst")
      yield* burst.atLeast(400)
      const acknowledged = (yield* burst.kill).slice(1)
      assert.isAtLeast(acknowledged.length, 399)
      yield* using({ directory: path }, (store) =>
        Effect.gen(function*() {
          const kept = yield* all(store, "message")
          const chat = { chatId: Make.group(0), direction: "after", floor: Hlc.zero, limit: 100_000 } as const
          const told = (yield* store.headers(chat)).map(({ arrival, position }) => `${position.id} ${arrival}`)
          const known = new Set(told)
          assert.strictEqual(known.size, kept.length)
          assert.deepStrictEqual(acknowledged.filter((line) => !known.has(line)), [])
          // Batches are whole.
          assert.strictEqual(kept.length % 20, 0)
          assert.strictEqual((yield* store.stats).messages, kept.length)
          assert.deepStrictEqual(yield* store.inspect("message"), [])
          const next = yield* store.commit([Make.message({ content: "after" })], Hlc.zero)
          assert.deepStrictEqual(next.outcomes, ["stored"])
          assert.isAbove(next.firstArrival, Number(told.at(-1)!.split(" ")[1]))
        }))
    }))

  test("belongs to one process until that ends, however it ends; readers may look", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const holder = yield* child(path, "open")
      yield* holder.atLeast(1)
      const error = yield* failureTo({ directory: path })
      assert.strictEqual(error.reason, "locked")
      assert.include(error.message, path)
      assert.include(error.message, `process ${holder.pid}`)
      yield* using({ directory: path, access: "read" }, (store) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* store.stats).messages, 0)
          assert.strictEqual((yield* Effect.flip(store.commit([Make.message({})], Hlc.zero))).reason, "readonly")
        }))
      yield* holder.kill
      yield* using({ directory: path }, () => failureTo({ directory: path })).pipe(
        Effect.map((error) => assert.strictEqual(error.reason, "locked"))
      )
      yield* using({ directory: path }, (store) => store.commit([Make.message({})], Hlc.zero))
    }))

  test("a reader beside a node sees what it commits", () =>
    Effect.gen(function*() {
      const path = yield* directory
      yield* using({ directory: path }, (node) =>
        using({ directory: path, access: "read" }, (reader) =>
          Effect.gen(function*() {
            yield* node.commit([Make.message({ hlc: Make.at(4) })], Hlc.zero)
            assert.strictEqual((yield* all(reader, "message")).length, 1)
            assert.strictEqual(yield* reader.clock, Make.at(4))
          })))
    }))

  test("says so when it may not write there", () =>
    Effect.gen(function*() {
      const path = yield* directory
      chmodSync(path, 0o555)
      // Rights do not bind root: the child is nobody.
      const nobody = yield* child(path, "open", process.getuid?.() === 0 ? 65_534 : undefined)
      const [line = ""] = yield* nobody.atLeast(1)
      assert.match(line, /^readonly /)
      assert.include(line, path)
      assert.strictEqual((yield* failureTo({ directory: join(fileURLToPath(import.meta.url), "x") })).reason, "io")
    }))

  test("refuses a batch that does not fit, wholly, and goes on", () =>
    Effect.gen(function*() {
      const path = yield* directory
      yield* using({ directory: path, bytesMax: 1024 * 1024 }, (store) =>
        Effect.gen(function*() {
          const before = [Make.message({ content: "before" }), Make.identity({})]
          yield* store.commit(before, Hlc.zero)
          const big = Array.from(
            { length: 100 },
            (_, i) => Make.message({ content: `${i}`.repeat(8_000), peer: Make.user(100 + i), hlc: Make.at(i) })
          )
          const error = yield* Effect.flip(store.commit(big, Hlc.zero))
          assert.strictEqual(error.reason, "full")
          assert.include(error.message, path)
          assert.deepStrictEqual(yield* all(store, "message"), [before[0]!])
          assert.strictEqual(yield* store.clock, before[0]!.hlc)
          assert.deepStrictEqual(yield* store.heads({ user: Make.user(100), floor: Hlc.zero, limit: 9 }), [])
          // Names of the failed batch are not remembered.
          const after = Make.message({ content: "after", peer: Make.user(100) })
          assert.deepStrictEqual((yield* store.commit([after], Hlc.zero)).outcomes, ["stored"])
          assert.deepStrictEqual(yield* store.message(after.id), after)
          for (const kind of kinds) assert.deepStrictEqual(yield* store.inspect(kind), [])
        }))
      yield* using({ directory: path }, (store) =>
        Effect.map(store.commit([Make.message({ content: "x".repeat(900_000) })], Hlc.zero), ({ outcomes }) =>
          assert.deepStrictEqual(outcomes, ["stored"])))
    }))

  test("finds a flipped byte wherever it matters", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const file = join(path, "messages.sqlite")
      const marked = Make.message({
        content: "the quick brown fox jumps over the lazy dog",
        control: new Uint8Array(40).fill(0xc7),
        sig: Uint8Array.from({ length: 65 }, (_, i) => 200 - i)
      })
      const filler = Array.from({ length: 300 }, (_, i) => Make.message({ content: `filler ${i}`, hlc: Make.at(i) }))
      const own: ReadonlyArray<Record> = [Make.op({}), Make.read({}), Make.identity({})]
      yield* using({ directory: path }, (store) => store.commit([...filler, marked, ...own], Hlc.zero))
      const healthy = readFileSync(file)
      const db = new DatabaseSync(file, { readOnly: true })
      const root = (name: string) =>
        Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(name)!["rootpage"])
      const pageSize = Number(db.prepare("PRAGMA page_size").get()!["page_size"])
      // The last bytes of a page are in its first cell: a key of the index.
      const indexes = ["messages_by_id", "messages_by_place", "ops_by_id"].map((name) => ({
        what: name,
        at: root(name) * pageSize - 2
      }))
      db.close()
      const offsetOf = (bytes: Uint8Array | string) => healthy.indexOf(bytes)
      const targets = [
        { what: "content", at: offsetOf(marked.content) + 10 },
        { what: "control", at: offsetOf(marked.control!) + 10 },
        { what: "sig", at: offsetOf(marked.sig) + 64 },
        { what: "id", at: offsetOf(Uint8Array.fromHex(marked.id)) + 20 },
        { what: "digest", at: offsetOf(Make.digestOf(marked)) + 31 },
        { what: "op", at: offsetOf(Make.op({}).stamp) + 5 },
        { what: "identity", at: offsetOf(Make.digestOf(own[2]!)) },
        { what: "chat", at: offsetOf(Uint8Array.fromHex(marked.chatId)) },
        ...indexes
      ]
      for (const { what, at } of targets) {
        assert.isAbove(at, 100, what)
        const damaged = Uint8Array.from(healthy)
        damaged[at]! ^= 0x10
        writeFileSync(file, damaged)
        assert.isNotEmpty(inspectAll(file), what)
      }
      // A reader is told, not given a changed message.
      const damaged = Uint8Array.from(healthy)
      damaged[targets[0]!.at] = 0xff
      writeFileSync(file, damaged)
      yield* using({ directory: path, access: "read" }, (store) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* Effect.flip(store.message(marked.id))).reason, "corrupt")
          assert.isNotEmpty(yield* store.inspect("message"))
        }))
      writeFileSync(file, healthy)
      assert.deepStrictEqual(inspectAll(file), [])
    }))

  test("refuses a file that is no database, a newer one, and none", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const file = join(path, "messages.sqlite")
      assert.include((yield* failureTo({ directory: path, access: "read" })).message, "does not exist")
      yield* using({ directory: path }, () => Effect.void)
      const db = new DatabaseSync(file)
      db.exec("INSERT INTO migrations (migration_id, name) VALUES (7, 'later')")
      db.close()
      for (const access of ["read", "write"] as const) {
        const error = yield* failureTo({ directory: path, access })
        assert.include(error.message, file)
        assert.include(error.message, "newer version")
      }
      writeFileSync(file, "this is no database at all".repeat(1000))
      const error = yield* failureTo({ directory: path })
      assert.strictEqual(error.reason, "corrupt")
      assert.include(error.message, file)
    }))

  test("fails open and later calls when a thread dies", () =>
    Effect.gen(function*() {
      const spawns = [
        "require('node:worker_threads').parentPort.on('message', () => process.exit(3))",
        "require('node:worker_threads').parentPort.on('message', () => { throw new Error('boom') })"
      ]
      for (const code of spawns) {
        const thread = yield* Thread.start("somewhere", () => new Worker(code, { eval: true }))
        const calls = yield* Effect.forEach(
          [1, 2, 3],
          () => Effect.forkChild(Effect.exit(thread.call("clock", undefined)), { startImmediately: true })
        )
        for (const call of calls) assert.isTrue(Exit.isFailure(yield* Fiber.join(call)))
        const error = yield* Effect.flip(thread.call("stats", undefined))
        assert.instanceOf(error, StoreError)
        assert.include(error.message, "stopped")
      }
    }))

  it("names what the system refused", () => {
    const reasons = [
      [13, "full"],
      [8, "readonly"],
      [14, "readonly"],
      [1032, "readonly"],
      [11, "corrupt"],
      [267, "corrupt"],
      [26, "corrupt"],
      [5, "locked"],
      [10, "io"],
      [1, "io"]
    ] as const
    for (const [errcode, reason] of reasons) {
      const failure = failureOf(Object.assign(new Error("x"), { code: "ERR_SQLITE_ERROR", errcode }), "/data/a")
      assert.strictEqual(failure.reason, reason)
      assert.include(failure.message, "/data/a")
    }
    for (const [code, reason] of [["EACCES", "readonly"], ["EROFS", "readonly"], ["ENOSPC", "full"], ["EIO", "io"]]) {
      assert.strictEqual(failureOf(Object.assign(new Error("x"), { code }), "p").reason, reason)
    }
  })

  test("does not mix up messages of one stamp in many chats", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const messages: ReadonlyArray<Message> = Array.from({ length: 200 }, (_, i) =>
        Make.message({ peer: Make.user(2 + (i % 50)), content: `${i}`, hlc: Make.at(i % 3) }))
      yield* using({ directory: path }, (store) =>
        Effect.gen(function*() {
          yield* store.commit(messages, Hlc.zero)
          const heads = yield* store.heads({ user: Make.user(1), floor: Hlc.zero, limit: 100 })
          assert.strictEqual(heads.length, 50)
          for (const head of heads) {
            const page = yield* store.page({ chatId: head.chatId, direction: "before", floor: Hlc.zero, limit: 10 })
            assert.strictEqual(page.length, 4)
            assert.strictEqual(page[0]!.id, head.newest!.position.id)
          }
        }))
    }))
})
