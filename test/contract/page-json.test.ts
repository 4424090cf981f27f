/** A page that SQLite writes itself says of damaged rows what the page of rows says, or fails as it does (FAILURES 19). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Hlc from "../../src/domain/hlc.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { makeWriter } from "../../src/layers/store/commits.ts"
import * as Database from "../../src/layers/store/database.ts"
import { Dictionary } from "../../src/layers/store/dictionary.ts"
import { jsonOf, makePageJson } from "../../src/layers/store/page-json.ts"
import { makeReads } from "../../src/layers/store/reads.ts"
import * as Make from "./store-records.ts"

const chatId = Make.dm(Make.user(1), Make.user(2))
/** A floor below every stamp that fits a row. */
const query = { chatId, direction: "before", floor: (1n << 63n) as Hlc.Hlc, limit: 50 } as const

/** Three messages of two users, and one of others. */
const stored = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-page-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const path = join(directory, "messages.sqlite")
  const db = yield* Effect.acquireRelease(
    Database.open({ path, write: true }),
    (db) => Effect.sync(() => db.close())
  )
  makeWriter(db, noble).commit([
    ...[1, 2, 3].map((n) =>
      Make.message({ sender: Make.user(1 + n % 2), peer: Make.user(2 - n % 2), content: `${n}`, hlc: Make.at(n) })
    ),
    Make.message({ sender: Make.user(5), peer: Make.user(6), content: "others" })
  ], Hlc.zero)
  return { db, path }
})

const outcome = (run: () => string): string => {
  try {
    return run()
  } catch (error) {
    return `failed: ${(error as Error).message}`
  }
}

describe("pages written by SQLite", () => {
  it.live("do without rows where nothing is odd", () =>
    Effect.gen(function*() {
      const { db } = yield* stored
      const read = makePageJson(db, new Dictionary(db), () => assert.fail("rows were asked for"))
      assert.strictEqual(JSON.parse(Buffer.from(read(query)).toString()).messages.length, 3)
    }).pipe(Effect.scoped))

  for (
    const [what, change] of [
      ["content that is no text", "content = x'c328'"],
      ["content that is large", "content = zeroblob(20000)"],
      ["control bytes that are large", "control = zeroblob(20000)"],
      ["a sender who is neither party", "sender = (SELECT max(num) FROM users)"],
      ["a sender who is not there", "sender = sender + 1000"],
      ["a stamp of 64 bits", "hlc = -1"],
      ["nothing where a number was", "msg_type = NULL"]
    ] as const
  ) {
    it.live(`tell as rows do: ${what}`, () =>
      Effect.gen(function*() {
        const { db, path } = yield* stored
        // the schema keeps statements from what damage can do
        db.enableDefensive(false)
        db.exec(`PRAGMA writable_schema = ON;
          UPDATE sqlite_schema SET sql = replace(replace(sql, 'NOT NULL', ''), 'STRICT', '') WHERE name = 'messages';
          PRAGMA writable_schema = RESET`)
        db.exec(`UPDATE messages SET ${change} WHERE hlc = ${Make.at(2)}`)
        const reads = makeReads(db, noble, path)
        const expected = outcome(() => jsonOf(reads.pageText({ ...query, limit: query.limit + 1 }), query))
        assert.strictEqual(outcome(() => Buffer.from(reads.pageJson(query)).toString()), expected)
        assert.include(expected, /no text|not there|number was/.test(what) ? "failed:" : "messages")
      }).pipe(Effect.scoped))
  }
})
