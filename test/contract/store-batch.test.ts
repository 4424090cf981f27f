/** How a batch gets into the tables: slots looked up for all of it at once, names from a cache, changes told briefly. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import * as Answers from "../../src/layers/store/answers.ts"
import { makeWriter } from "../../src/layers/store/commits.ts"
import * as Database from "../../src/layers/store/database.ts"
import { Dictionary } from "../../src/layers/store/dictionary.ts"
import { Memory } from "../../src/layers/store/memory-records.ts"
import { packBatch, Packer, unpackBatch } from "../../src/layers/store/packing.ts"
import { makeSlots } from "../../src/layers/store/slots.ts"
import type { Commit } from "../../src/services/Store.ts"
import * as Make from "./store-records.ts"

const database = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-batch-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  return yield* Effect.acquireRelease(
    Database.open({ path: join(directory, "messages.sqlite"), write: true }),
    (db) => Effect.sync(() => db.close())
  )
})

const shown = ({ leaves, number, outcomes }: Commit) => ({
  number,
  outcomes,
  leaves: leaves.map((leaf) => ({ ...leaf, digest: Bytes.toHex(leaf.digest) }))
})

describe("a batch", () => {
  it.live(
    "of records that share slots with each other and with what is stored is decided one after the other",
    () =>
      Effect.gen(function*() {
        const writer = makeWriter(yield* database, noble)
        const memory = new Memory(noble.blake3)
        const seen = new Set<string>()
        for (let seed = 1; seed <= 60; seed++) {
          // below and above the size from which slots are looked up together
          const batch = Make.manyRecords(seed % 40, 1 + (seed * 7) % 40)
          const { aged, records } = unpackBatch(packBatch(batch, Hlc.zero))
          const commit = Answers.unpackCommit(Answers.packCommit(writer.write(records, aged)), batch)
          assert.deepStrictEqual(shown(commit), shown(memory.commit(batch, Hlc.zero)))
          for (const outcome of commit.outcomes) seen.add(outcome)
        }
        assert.deepStrictEqual([...seen].sort(), ["known", "replaced", "stored", "superseded"])
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("finds the messages that are stored, at both ends of the order of ids too", () =>
    Effect.gen(function*() {
      const db = yield* database
      const insert = db.prepare(
        `INSERT INTO messages (chat, hlc, prefix, id, sender, ts, msg_type, content, node, sig_version, sig, digest)
         VALUES (1, 1, ?, x'00', 1, 1, 1, x'', 1, 1, x'', x'')`
      )
      const stored = [-(2n ** 63n), -(2n ** 63n) + 1n, -(2n ** 53n) - 1n, -1n, 0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n]
      for (const prefix of stored) insert.run(prefix)
      const slots = makeSlots(db, noble, new Dictionary(db))
      const absent = [-(2n ** 63n) + 2n, -(2n ** 53n), -2n, 2n, 2n ** 53n, 2n ** 53n + 2n, 2n ** 63n - 2n]
      const found = slots.taken([...absent, ...stored])
      assert.sameMembers([...found], stored)
    }).pipe(Effect.scoped))

  it.live(
    "names users and chats by the same numbers when more are active than are remembered",
    () =>
      Effect.gen(function*() {
        const db = yield* database
        const names = new Dictionary(db, "writer")
        const count = 70_000
        db.exec("BEGIN")
        const numbers = Array.from({ length: count }, (_, i) => names.user(Make.user(i + 1)))
        for (const i of [0, 1, 40_000, count - 1, 0]) assert.strictEqual(names.user(Make.user(i + 1)), numbers[i])
        const chat = names.chat(Make.dm(Make.user(1), Make.user(2)), Make.user(2), Make.user(1))
        assert.deepStrictEqual([chat.a, chat.b], [numbers[0], numbers[1]])
        db.exec("COMMIT")
        assert.strictEqual(db.prepare("SELECT count(*) AS n FROM users").get()?.["n"], count)
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("packers", () => {
  it("share no room while both are written to, and none with what was finished", () => {
    const [first, second] = [new Packer(), new Packer()]
    first.u32(1)
    second.u32(2)
    const one = first.finish()
    const third = new Packer()
    third.u32(3)
    const [two, three] = [second.finish(), third.finish()]
    assert.deepStrictEqual([one, two, three].map((buffer) => [...new Uint32Array(buffer)]), [[1], [2], [3]])
  })
})
