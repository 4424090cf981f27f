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
import { jsonOf } from "../../src/layers/store/page-json.ts"
import { makeReads } from "../../src/layers/store/reads.ts"
import * as Make from "./store-records.ts"

const chatId = Make.dm(Make.user(1), Make.user(2))
const query = { chatId, direction: "before", floor: Hlc.zero, limit: 50 } as const

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-page-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const outcome = (run: () => string): string => {
  try {
    return run()
  } catch (error) {
    return `failed: ${(error as Error).message}`
  }
}

describe("pages written by SQLite", () => {
  for (
    const [what, change] of [
      ["content that is no text", "content = x'c328'"],
      [
        "a sender who is neither party",
        "sender = (SELECT num FROM users WHERE num NOT IN (SELECT sender FROM messages WHERE chat = 1))"
      ],
      ["a sender who is not there", "sender = sender + 1000"],
      ["a stamp of 64 bits", "hlc = -1"]
    ] as const
  ) {
    it.live(what, () =>
      Effect.gen(function*() {
        const path = join(yield* temporary, "messages.sqlite")
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
        db.exec(`UPDATE messages SET ${change} WHERE hlc = ${Make.at(2)}`)
        const reads = makeReads(db, noble, path)
        const expected = outcome(() => jsonOf(reads.pageText({ ...query, limit: query.limit + 1 }), query))
        assert.strictEqual(outcome(() => Buffer.from(reads.pageJson(query)).toString()), expected)
        assert.include(expected, what.startsWith("content") || what.endsWith("not there") ? "failed:" : "messages")
      }).pipe(Effect.scoped))
  }
})
