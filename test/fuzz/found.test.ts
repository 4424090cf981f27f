/** What fuzzing found, as the least input that shows it. The inputs as they came are in the corpus. */
import { assert, describe, it } from "@effect/vitest"
import { generateKeyPairFromSeed, privateKeyToProtobuf } from "@libp2p/crypto/keys"
import { Cause, Effect, Exit, Layer, Result } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseUrl } from "../../src/client/url.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import * as NodeKeys from "../../src/layers/node/node-key.ts"
import { makeWriter } from "../../src/layers/store/commits.ts"
import * as Database from "../../src/layers/store/database.ts"
import { DamagedRow } from "../../src/layers/store/errors.ts"
import { inspect } from "../../src/layers/store/inspect.ts"
import { unpackRecords } from "../../src/layers/store/packing.ts"
import { makeReads } from "../../src/layers/store/reads.ts"
import { salvage } from "../../src/layers/store/salvage.ts"
import * as Make from "../contract/store-records.ts"
import { temporaryDirectory } from "../http/fixture.ts"

describe("found by fuzzing", () => {
  it.live("a node key whose halves are of two keys is told as damage of its file, not as an internal error", () =>
    Effect.scoped(Effect.gen(function*() {
      const [one, two] = yield* Effect.promise(() =>
        Promise.all([1, 2].map((byte) => generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(byte))))
      )
      const damaged = Bytes.concat([privateKeyToProtobuf(one!).subarray(0, -32), two!.publicKey.raw])
      const file = join(yield* temporaryDirectory, "key")
      writeFileSync(file, Bytes.toBase64(damaged), { mode: 0o600 })
      const exit = yield* Effect.exit(Layer.build(NodeKeys.layer(file)))
      assert.isTrue(Exit.isFailure(exit) && !Cause.hasDies(exit.cause))
      if (Exit.isFailure(exit)) assert.match(String(Cause.squash(exit.cause)), /do not belong together/)
    })))

  it("the address of a node with an empty query or fragment, or a password alone, is none to put a path behind", () => {
    for (const [given, base] of [["http://h?", "http://h"], ["h/a#", "http://h/a"], ["https://h/?#", "https://h"]]) {
      assert.deepStrictEqual(parseUrl(given!), Result.succeed(base!))
    }
    assert.isTrue(Result.isFailure(parseUrl("http://:secret@h")))
  })

  it("a number in a frame of sync is an integer that is written again as itself: a negative zero is none", () => {
    const taken = (number: string): Uint8Array => Bytes.fromHex(`8209${number}`)
    assert.deepStrictEqual(Frames.decode(taken("00")), Result.succeed({ _tag: "Taken", count: 0 }))
    for (const zero of ["fb8000000000000000", "fa80000000", "f98000"]) {
      assert.isTrue(Result.isFailure(Frames.decode(taken(zero))), zero)
    }
  })

  it("packed records that claim more than the buffer holds end at once", () => {
    for (const claimed of [2, 2 ** 24, 2 ** 27, 2 ** 32 - 1]) {
      const packed = new Uint8Array(64)
      new DataView(packed.buffer).setUint32(0, claimed, true)
      assert.throws(() => unpackRecords(packed.buffer), RangeError)
    }
  })

  it.live("failure 19: a number beyond 2^53 in a damaged row is told as damage, and repair steps over it", () =>
    Effect.scoped(Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const database = (name: string) =>
        Effect.acquireRelease(
          Database.open({ path: join(directory, name), write: true }),
          (db) => Effect.sync(() => db.close())
        )
      const [db, to] = [yield* database("damaged.sqlite"), yield* database("new.sqlite")]
      const records = [Make.message({ peer: Make.user(2) }), Make.message({ content: "in a group" })]
      makeWriter(db, noble).commit(records, Hlc.zero)
      db.exec(`UPDATE chats SET a = ${2n ** 53n} WHERE a IS NOT NULL`)
      assert.throws(() => makeReads(db, noble, "").scan({ kind: "message", limit: 9 }), DamagedRow)
      assert.isAbove(inspect(db, noble, "message").length, 0)
      const dropped = salvage(db, to, noble, noble.blake3, [])
      assert.deepStrictEqual(dropped, { message: 1, op: 0, read: 0, identity: 0 })
      assert.deepStrictEqual(makeReads(to, noble, "").scan({ kind: "message", limit: 9 }), [records[1]!])
    })))
})
