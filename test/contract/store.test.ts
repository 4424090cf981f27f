/** The store contract on both adapters, each in a network without a key. */
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerNoble } from "../../src/layers/crypto/hashing.ts"
import { layerMemory } from "../../src/layers/store/memory.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { lend } from "./lent-threads.ts"
import { suite as arrivalsSuite } from "./store-arrivals-suite.ts"
import { suite as inboxSuite } from "./store-inbox-suite.ts"
import { suite } from "./store-suite.ts"
import { suite as syncSuite } from "./store-sync-suite.ts"

const memory = Layer.provide(layerMemory, layerNoble)
const sqlite = Layer.unwrap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-store-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  ).pipe(Effect.map((directory) => layerSqlite({ directory, spawn: lend })))
)

suite("memory", memory)
syncSuite("memory", memory)
inboxSuite("memory", memory)
arrivalsSuite("memory", memory)
suite("sqlite", sqlite)
syncSuite("sqlite", sqlite)
inboxSuite("sqlite", sqlite)
arrivalsSuite("sqlite", sqlite)
