/**
 * What does a stored message cost, and how much of that is this project's layer?
 *
 * Three stores take the same 300-byte messages, preloaded with `--messages N` (100 000) each: the layer as a node uses it
 * (two threads, slots decided, digests computed), bare prepared statements on its schema (ready rows in one thread, no
 * question asked), and a naive layout with every key a blob (body by id, by place, by sender, by bucket). Same settings
 * of SQLite for all. Then pages of 50 messages are read.
 *
 * What is loaded before goes in by large transactions, without a log, in the order and shape of any other: a million
 * messages in a minute or two. Then the files are opened as usual.
 */
import { Context, Effect, Layer } from "effect"
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { DatabaseSync } from "node:sqlite"
import * as Bytes from "../src/domain/bytes.ts"
import type { Hashes } from "../src/domain/hashing.ts"
import * as Hlc from "../src/domain/hlc.ts"
import * as Ids from "../src/domain/ids.ts"
import type { Message } from "../src/domain/record.ts"
import * as Wire from "../src/domain/wire.ts"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import { makeWriter } from "../src/layers/store/commits.ts"
import * as Database from "../src/layers/store/database.ts"
import { Dictionary } from "../src/layers/store/dictionary.ts"
import { prefixOf } from "../src/layers/store/packing.ts"
import { layerSqlite } from "../src/layers/store/sqlite.ts"
import { Store } from "../src/services/Store.ts"
import { noiseMessage, noiseOf } from "./load/records.ts"
import { alternate, cpuOf, isQuick, numberGiven, percentiles, type Row, table, writeResults } from "./report/measure.ts"

const preloaded = numberGiven("messages", isQuick ? 5_000 : 100_000)
const runs = isQuick ? 1 : 3
/** So that a chat has about a page. */
const chatCount = Math.max(100, Math.trunc(preloaded / 50))
const userCount = Math.max(50, Math.trunc(chatCount / 2))
/** Messages in a transaction while loading: most pages are then written a few times only. */
const loadedAtOnce = 50_000

const user = (n: number): Ids.Address => Bytes.toHex(noiseOf(n, 20)) as Ids.Address

const makeMessages = (hashes: Hashes) => {
  const chats = Array.from({ length: chatCount }, (_, n) => {
    const [a, b] = [user(n % userCount), user((n * 7 + 1) % userCount)]
    return { a, b, chatId: Ids.dmChatId(hashes, a, b) }
  })
  const one = (n: number): Message => {
    const chat = chats[(Math.imul(n, 0x9e3779b1) >>> 8) % chatCount]!
    const [sender, peer] = n % 2 === 0 ? [chat.a, chat.b] : [chat.b, chat.a]
    return noiseMessage(hashes, n, 1_800_000_000_000 + n, { chatId: chat.chatId, sender, peer })
  }
  return { chats, many: (from: number, count: number) => Array.from({ length: count }, (_, i) => one(from + i)) }
}

const layerName = "the layer"
const bareName = "bare statements, same schema"

/** A store under test. Batches are prepared before the clock runs. */
interface Subject {
  readonly name: string
  readonly prepare: (batch: ReadonlyArray<Message>) => () => unknown
  readonly page: (chatId: Ids.ChatId) => ReadonlyArray<unknown> | Promise<ReadonlyArray<unknown>>
}

const inTransaction = (db: DatabaseSync) => {
  const [begin, commit] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT")]
  return (work: () => void) => () => {
    begin.run()
    work()
    commit.run()
  }
}

/** The settings of a node, whatever the layout. */
const connect = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path)
  for (const setting of Database.settings({ path, write: true })) db.exec(`PRAGMA ${setting}`)
  return db
}

/** Bare statements on a copy of the layer's file; names are numbered before the clock runs. */
const bare = (hashes: Hashes) => (db: DatabaseSync): Subject => {
  const transaction = inTransaction(db)
  const insert = db.prepare(
    `INSERT INTO messages (chat, hlc, prefix, id, sender, ts, msg_type, content, control, node, sig_version, sig, digest)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, 1, ?, ?, ?)`
  )
  const names = new Dictionary(db, "writer")
  names.chatTop = Number(db.prepare("SELECT max(num) AS top FROM chats").get()?.["top"] ?? 0)
  const page = db.prepare("SELECT * FROM messages WHERE chat = ? ORDER BY hlc DESC, prefix DESC, id DESC LIMIT 50")
  page.setReadBigInts(true)
  return {
    name: bareName,
    prepare: (batch) => {
      const rows = batch.map((m) => {
        const id = Bytes.fromHex(m.id)
        const digest = Wire.leafDigest(hashes.blake3, m)
        return [
          names.chat(m.chatId, m.sender, m.peer).num,
          m.hlc,
          prefixOf(id),
          id,
          names.user(m.sender),
          m.ts,
          m.msgType,
          Bytes.fromText(m.content),
          m.sigVersion,
          m.sig,
          digest
        ] as const
      })
      return transaction(() => {
        for (const row of rows) insert.run(...row)
      })
    },
    page: (chatId) => page.all(names.findChat(chatId)?.num ?? 0)
  }
}

/** Every key a blob, every table clustered by it. */
const naive = (db: DatabaseSync): Subject => {
  db.exec(`CREATE TABLE IF NOT EXISTS body (id BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS by_place (key BLOB PRIMARY KEY, id BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS by_sender (key BLOB PRIMARY KEY, id BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS by_bucket (key BLOB PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID`)
  const transaction = inTransaction(db)
  const [body, place, sender, bucket] = ["body", "by_place", "by_sender", "by_bucket"].map((name) =>
    db.prepare(`INSERT INTO ${name} VALUES (?, ?)`)
  )
  const page = db.prepare(
    "SELECT b.record FROM by_place p JOIN body b ON b.id = p.id WHERE p.key BETWEEN ? AND ? ORDER BY p.key DESC LIMIT 50"
  )
  return {
    name: "naive layout, blob keys",
    prepare: (batch) => {
      const rows = batch.map((m) => {
        const [id, chat, from, hlc] = [
          Bytes.fromHex(m.id),
          Bytes.fromHex(m.chatId),
          Bytes.fromHex(m.sender),
          Bytes.u64be(m.hlc)
        ]
        return {
          id,
          record: Wire.encode(m),
          place: Bytes.concat([chat, hlc, id]),
          sender: Bytes.concat([from, hlc, id]),
          bucket: Bytes.concat([id.subarray(0, 2), hlc, id])
        }
      })
      return transaction(() => {
        for (const row of rows) {
          body!.run(row.id, row.record)
          place!.run(row.place, row.id)
          sender!.run(row.sender, row.id)
          bucket!.run(row.bucket, row.id)
        }
      })
    },
    page: (chatId) => {
      const chat = Bytes.fromHex(chatId)
      return page.all(chat, Bytes.concat([chat, new Uint8Array(40).fill(0xff)]))
    }
  }
}

const layered = (store: Store["Service"]): Subject => ({
  name: layerName,
  prepare: (batch) => () => Effect.runPromise(store.commit(batch, Hlc.zero)),
  page: (chatId) => Effect.runPromise(store.page({ chatId, direction: "before", floor: Hlc.zero, limit: 50 }))
})

/** For loading: without a log, and with all pages in memory. Made good when the file is closed and opened anew. */
const hurry = (db: DatabaseSync): DatabaseSync => {
  for (const setting of ["journal_mode = MEMORY", "synchronous = OFF", "cache_size = -2000000"]) {
    db.exec(`PRAGMA ${setting}`)
  }
  return db
}

const bench = Effect.gen(function*() {
  const hashes = yield* loadWasm
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const source = makeMessages(hashes)
  const [layerPath, barePath, naivePath] = ["messages", "bare", "naive"].map((name) =>
    join(directory, `${name}.sqlite`)
  ) as [string, string, string]
  const [layerDb, naiveDb] = [hurry(yield* Database.open({ path: layerPath, write: true })), hurry(connect(naivePath))]
  const writer = makeWriter(layerDb, hashes)
  const { prepare } = naive(naiveDb)
  for (let from = 0; from < preloaded; from += loadedAtOnce) {
    const batch = source.many(from, Math.min(loadedAtOnce, preloaded - from))
    writer.commit(batch, Hlc.zero)
    prepare(batch)()
  }
  layerDb.close()
  naiveDb.close()
  copyFileSync(layerPath, barePath)
  const store = Context.get(yield* Layer.build(layerSqlite({ directory })), Store)
  const subjects = [layered(store), bare(hashes)(connect(barePath)), naive(connect(naivePath))]
  const disk = subjects.map(({ name }, i) => ({
    name,
    bytesPerMessage: statSync([layerPath, barePath, naivePath][i]!).size / preloaded
  }))
  return yield* Effect.promise(() => measure(source, subjects, disk))
})

/** The row that a row of the layer is compared with. */
const beside = ({ name }: Subject, what: string) => name === layerName ? { bare: `${bareName}, ${what}` } : undefined

interface Disk {
  readonly name: string
  readonly bytesPerMessage: number
}

const measure = async (
  source: ReturnType<typeof makeMessages>,
  subjects: ReadonlyArray<Subject>,
  disk: ReadonlyArray<Disk>
) => {
  const next = new Map(subjects.map((subject) => [subject, preloaded]))
  const sizes = [
    { size: 1, batches: isQuick ? 100 : 300 },
    { size: 100, batches: isQuick ? 5 : 60 },
    { size: 1_000, batches: isQuick ? 2 : 6 }
  ]
  const rows = sizes.flatMap(({ size, batches }) =>
    subjects.map((subject): Row => ({
      name: `${subject.name}, batches of ${size}`,
      ...beside(subject, `batches of ${size}`),
      run: async () => {
        const from = next.get(subject)!
        next.set(subject, from + size * batches)
        const ready = Array.from({ length: batches }, (_, i) => subject.prepare(source.many(from + i * size, size)))
        const latenciesMs: Array<number> = []
        const loop = monitorEventLoopDelay({ resolution: 1 })
        // a turn of its own: what came before is not charged
        await new Promise((resume) => setImmediate(resume))
        loop.enable()
        const { cpuMs, wallMs } = await cpuOf(async () => {
          for (const commit of ready) {
            const start = performance.now()
            await commit()
            latenciesMs.push(performance.now() - start)
          }
        })
        loop.disable()
        const [p90] = percentiles(latenciesMs, [90]) as [number]
        const extra = { p90Ms: p90, maxMs: Math.max(...latenciesMs), loopDelayMaxMs: loop.max / 1e6 }
        return { units: size * batches, cpuMs, wallMs, latenciesMs, extra }
      }
    }))
  )
  const pages = subjects.map((subject): Row => ({
    name: `${subject.name}, pages of 50`,
    ...beside(subject, "pages of 50"),
    run: async () => {
      const count = isQuick ? 100 : 1_000
      const latenciesMs: Array<number> = []
      let read = 0
      const { cpuMs, wallMs } = await cpuOf(async () => {
        for (let i = 0; i < count; i++) {
          const start = performance.now()
          read += (await subject.page(source.chats[(i * 31) % chatCount]!.chatId)).length
          latenciesMs.push(performance.now() - start)
        }
      })
      return { units: count, cpuMs, wallMs, latenciesMs, extra: { messagesPerPage: read / count } }
    }
  }))
  const [commits, reads] = [await alternate(rows, runs), await alternate(pages, runs)]
  console.log(table(
    ["commit", "messages/s", "CPU µs a message", "p50 ms a batch", "p90", "p99", "max", "loop delay max ms"],
    commits.map((row) => [
      row.name,
      row.perSecond,
      row.cpuMicros,
      (row.p50Micros ?? 0) / 1000,
      row.extra?.["p90Ms"],
      (row.p99Micros ?? 0) / 1000,
      row.extra?.["maxMs"],
      row.name.startsWith(layerName) ? row.extra?.["loopDelayMaxMs"] : undefined
    ])
  ))
  console.log(table(
    ["read", "pages/s", "CPU µs", "p50 µs", "p99 µs", "messages a page"],
    reads.map((
      row
    ) => [row.name, row.perSecond, row.cpuMicros, row.p50Micros, row.p99Micros, row.extra?.["messagesPerPage"]])
  ))
  console.log(table(["disk", "bytes a message"], disk.map(({ name, bytesPerMessage }) => [name, bytesPerMessage])))
  console.log(writeResults("store", ["effect", "node"], { preloaded, disk, commits, reads }))
}

await Effect.runPromise(Effect.scoped(bench))
