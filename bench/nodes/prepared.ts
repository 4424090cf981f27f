/**
 * A store with many signed messages, made once by direct ingestion into the store layer (no HTTP, no node) and kept in the
 * system's temporary directory under a key of schema, shape and count. Benches take copies.
 *
 * Its messages are spread over a week before it was made; it is made anew before they age.
 */
import { Context, Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { constants, copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Worker } from "node:worker_threads"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Message } from "../../src/domain/record.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { Store } from "../../src/services/Store.ts"
import type { Wanted } from "./prepared.worker.ts"
import { databaseOf } from "./processes.ts"
import { cores } from "./threads.ts"

/** Of what `people.ts` and the worker make. */
const shape = 1
const [hourMs, dayMs] = [3_600_000, 86_400_000]
const spreadMs = 7 * dayMs
const keptMs = 14 * dayMs
const batchRecords = 1_000

/** Messages in order, made by some threads ahead of who takes them. */
async function* made(count: number, startMs: number, stepMs: number): AsyncGenerator<ReadonlyArray<Message>> {
  const workers = Array.from(
    { length: Math.min(4, cores) },
    () => new Worker(new URL("prepared.worker.ts", import.meta.url))
  )
  try {
    let asked = 0
    const ask = async (worker: Worker): Promise<ReadonlyArray<Message>> => {
      const wanted: Wanted = { from: asked, to: Math.min(count, asked + batchRecords), startMs, stepMs }
      asked = wanted.to
      worker.postMessage(wanted, [])
      return (await once(worker, "message"))[0] as ReadonlyArray<Message>
    }
    const waiting = workers.map((worker) => ({ worker, batch: ask(worker) }))
    for (let taken = 0; taken < count;) {
      const { batch, worker } = waiting.shift()!
      const messages = await batch
      if (asked < count) waiting.push({ worker, batch: ask(worker) })
      taken += messages.length
      yield messages
    }
  } finally {
    for (const worker of workers) await worker.terminate()
  }
}

const ingest = (directory: string, count: number, startMs: number, stepMs: number): Promise<void> =>
  Effect.runPromise(
    Effect.gen(function*() {
      const store = Context.get(yield* Layer.build(layerSqlite({ directory })), Store)
      const commit = (batch: ReadonlyArray<Message>) => Effect.runPromise(store.commit(batch, Hlc.zero))
      yield* Effect.promise(async () => {
        for await (const batch of made(count, startMs, stepMs)) await commit(batch)
      })
    }).pipe(Effect.scoped)
  )

/** A hash of the tables and indexes that a store makes. */
const schemaOf = async (directory: string): Promise<string> => {
  await Effect.runPromise(Effect.scoped(Effect.asVoid(Layer.build(layerSqlite({ directory })))))
  const db = new DatabaseSync(databaseOf(directory), { readOnly: true })
  const rows = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all()
  const { page_size: page } = db.prepare("PRAGMA page_size").get() as { readonly page_size: number }
  db.close()
  return createHash("sha256").update(JSON.stringify([shape, page, rows])).digest("hex").slice(0, 12)
}

const fresh = (path: string): boolean => existsSync(path) && Date.now() - statSync(path).mtimeMs < keptMs

/** Path of a database of `count` messages. */
export const prepared = async (count: number): Promise<string> => {
  const home = join(tmpdir(), "p2p-mes-bench-stores")
  mkdirSync(home, { recursive: true })
  const making = mkdtempSync(join(home, "making-"))
  try {
    const path = join(home, `${await schemaOf(join(making, "empty"))}-${count}.sqlite`)
    if (fresh(path)) return path
    const directory = join(making, "full")
    const begunMs = performance.now()
    console.error(`a store of ${count} messages is made, once: ${path}`)
    await ingest(directory, count, Date.now() - spreadMs - hourMs, spreadMs / count)
    renameSync(databaseOf(directory), path)
    console.error(`made in ${Math.round((performance.now() - begunMs) / 1_000)} s`)
    return path
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

/** A data directory with a copy of a prepared database. */
export const copyOf = (path: string, dataDir: string): string => {
  mkdirSync(dataDir, { recursive: true })
  copyFileSync(path, databaseOf(dataDir), constants.COPYFILE_FICLONE)
  return dataDir
}

/** Adds `count` messages to a data directory that no node has open, all of them past retention (SPEC §9). */
export const addAged = (dataDir: string, count: number): Promise<void> =>
  ingest(dataDir, count, Date.now() - 30 * dayMs - 4 * hourMs, hourMs / count)
