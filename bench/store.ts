/**
 * What does a stored message cost, and how much of that is this project's layer?
 *
 * Three stores take the same 300-byte messages, preloaded with `--messages N` (100 000) each: the layer as a node uses it
 * (two threads, slots decided, digests computed), bare prepared statements on its schema (ready rows in one thread, no
 * question asked), and a naive layout with every key a blob (body by id, by place, by sender, by bucket). Same settings
 * of SQLite for all. Then pages of 50 messages are read.
 */
import { Context, Effect, Layer } from "effect"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Bytes from "../src/domain/bytes.ts"
import type { Hashes } from "../src/domain/hashing.ts"
import * as Hlc from "../src/domain/hlc.ts"
import * as Ids from "../src/domain/ids.ts"
import type { Message } from "../src/domain/record.ts"
import * as Wire from "../src/domain/wire.ts"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import * as Database from "../src/layers/store/database.ts"
import { prefixOf } from "../src/layers/store/packing.ts"
import { layerSqlite } from "../src/layers/store/sqlite.ts"
import { Store } from "../src/services/Store.ts"
import { alternate, cpuOf, isQuick, type Row, table, writeResults } from "./measure.ts"

const given = process.argv.indexOf("--messages")
const preloaded = given > 0 ? Number(process.argv[given + 1]) : isQuick ? 5_000 : 100_000
const runs = isQuick ? 1 : 3
const userCount = 1_000
/** So that a chat has about a page when 100 000 are loaded. */
const chatCount = isQuick ? 100 : 2_000

const user = (n: number): Ids.Address => Bytes.toHex(noiseOf(n, 20)) as Ids.Address

/** Bytes that look random and depend on `n` only. */
const noiseOf = (n: number, length: number): Uint8Array => {
  let state = (n + 1) * 0x9e3779b1 >>> 0
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 >>> 0
    return state >>> 11
  })
}

const makeMessages = (hashes: Hashes) => {
  const chats = Array.from({ length: chatCount }, (_, n) => {
    const [a, b] = [user(n % userCount), user((n * 7 + 1) % userCount)]
    return { a, b, chatId: Ids.dmChatId(hashes, a, b) }
  })
  const one = (n: number): Message => {
    const chat = chats[(Math.imul(n, 0x9e3779b1) >>> 8) % chatCount]!
    const fields = {
      node: "12D3KooWGRUzVgkGbtAdVg7oFbuzDtQYMDxXJfYXxKJAXmQ1Vv1Z" as Ids.NodeId,
      sig: noiseOf(n, 65),
      sigVersion: 1 as const,
      hlc: Hlc.make(1_800_000_000_000 + n, 0),
      chatId: chat.chatId,
      sender: n % 2 === 0 ? chat.a : chat.b,
      peer: n % 2 === 0 ? chat.b : chat.a,
      ts: 1_800_000_000_000 + n,
      msgType: 0,
      content: Bytes.toBase64(noiseOf(n, 225))
    }
    return { kind: "message", id: Ids.messageId(hashes, fields), ...fields }
  }
  return { chats, many: (from: number, count: number) => Array.from({ length: count }, (_, i) => one(from + i)) }
}

/** A store under test. Batches are prepared before the clock runs. */
interface Subject {
  readonly name: string
  readonly prepare: (batch: ReadonlyArray<Message>) => () => unknown
  readonly page: (chatId: Ids.ChatId) => ReadonlyArray<unknown> | Promise<ReadonlyArray<unknown>>
  readonly bytes: () => number
}

const settle = (db: DatabaseSync, path: string) => (): number => {
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  return statSync(path).size
}

const inTransaction = (db: DatabaseSync) => {
  const [begin, commit] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT")]
  return (work: () => void) => () => {
    begin.run()
    work()
    commit.run()
  }
}

/** Bare statements on the project's schema; names are numbered before the clock runs. */
const bare = (db: DatabaseSync, path: string, hashes: Hashes): Subject => {
  const transaction = inTransaction(db)
  const insert = db.prepare(
    `INSERT INTO messages (chat, hlc, prefix, id, sender, ts, msg_type, content, control, node, sig_version, sig, digest)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, 1, ?, ?, ?)`
  )
  const numbers = new Map<string, number>()
  const numberOf = (name: string) => {
    if (!numbers.has(name)) numbers.set(name, numbers.size + 1)
    return numbers.get(name)!
  }
  const page = db.prepare("SELECT * FROM messages WHERE chat = ? ORDER BY hlc DESC, prefix DESC, id DESC LIMIT 50")
  page.setReadBigInts(true)
  return {
    name: "bare statements, same schema",
    prepare: (batch) => {
      const rows = batch.map((m) => {
        const id = Bytes.fromHex(m.id)
        const digest = Wire.leafDigest(hashes.blake3, m)
        return [
          numberOf(m.chatId),
          m.hlc,
          prefixOf(id),
          id,
          numberOf(m.sender),
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
    page: (chatId) => page.all(numberOf(chatId)),
    bytes: settle(db, path)
  }
}

/** Every key a blob, every table clustered by it. */
const naive = (path: string): Subject => {
  const db = new DatabaseSync(path)
  db.exec(`PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536;
    CREATE TABLE body (id BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE by_place (key BLOB PRIMARY KEY, id BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE by_sender (key BLOB PRIMARY KEY, id BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE by_bucket (key BLOB PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID`)
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
    },
    bytes: settle(db, path)
  }
}

const layered = (store: Store["Service"], path: string): Subject => ({
  name: "the layer",
  prepare: (batch) => () => Effect.runPromise(store.commit(batch, Hlc.zero)),
  page: (chatId) => Effect.runPromise(store.page({ chatId, direction: "before", floor: Hlc.zero, limit: 50 })),
  // Through the log, which only the layer's own thread may bring into the file.
  bytes: () => {
    const db = new DatabaseSync(path, { readOnly: true })
    const row = db.prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size").get()
    db.close()
    return Number(row?.["bytes"])
  }
})

const bench = Effect.gen(function*() {
  const hashes = yield* loadWasm
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const store = Context.get(yield* Layer.build(layerSqlite({ directory })), Store)
  const barePath = join(directory, "bare.sqlite")
  const bareDb = yield* Database.open({ path: barePath, write: true })
  const subjects = [
    layered(store, join(directory, "messages.sqlite")),
    bare(bareDb, barePath, hashes),
    naive(join(directory, "naive.sqlite"))
  ]
  return yield* Effect.promise(() => measure(makeMessages(hashes), subjects))
})

const measure = async (source: ReturnType<typeof makeMessages>, subjects: ReadonlyArray<Subject>) => {
  for (let from = 0; from < preloaded; from += 1_000) {
    const batch = source.many(from, Math.min(1_000, preloaded - from))
    for (const subject of subjects) await subject.prepare(batch)()
  }
  const bytes = subjects.map((subject) => subject.bytes() / preloaded)
  const next = new Map(subjects.map((subject) => [subject, preloaded]))
  const sizes = [{ size: 1, batches: isQuick ? 100 : 300 }, { size: 100, batches: isQuick ? 5 : 20 }, {
    size: 1_000,
    batches: isQuick ? 2 : 5
  }]
  const rows = sizes.flatMap(({ size, batches }) =>
    subjects.map((subject): Row => ({
      name: `${subject.name}, batches of ${size}`,
      run: async () => {
        const from = next.get(subject)!
        next.set(subject, from + size * batches)
        const ready = Array.from({ length: batches }, (_, i) => subject.prepare(source.many(from + i * size, size)))
        const latenciesMs: Array<number> = []
        const { cpuMs, wallMs } = await cpuOf(async () => {
          for (const commit of ready) {
            const start = performance.now()
            await commit()
            latenciesMs.push(performance.now() - start)
          }
        })
        return { units: size * batches, cpuMs, wallMs, latenciesMs }
      }
    }))
  )
  const pages = subjects.map((subject): Row => ({
    name: `${subject.name}, pages of 50`,
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
    ["commit", "messages/s", "CPU µs a message", "p50 ms a batch", "p99 ms a batch"],
    commits.map((
      row
    ) => [row.name, row.perSecond, row.cpuMicros, (row.p50Micros ?? 0) / 1000, (row.p99Micros ?? 0) / 1000])
  ))
  console.log(table(
    ["read", "pages/s", "CPU µs", "p50 µs", "p99 µs", "messages a page"],
    reads.map((
      row
    ) => [row.name, row.perSecond, row.cpuMicros, row.p50Micros, row.p99Micros, row.extra?.["messagesPerPage"]])
  ))
  const disk = subjects.map(({ name }, i) => ({ name, bytesPerMessage: bytes[i]! }))
  console.log(table(["disk", "bytes a message"], disk.map(({ name, bytesPerMessage }) => [name, bytesPerMessage])))
  console.log(writeResults("store", ["effect", "node"], { preloaded, disk, commits, reads }))
}

await Effect.runPromise(Effect.scoped(bench))
