/** A disk that fills up (FAILURES 4, 19, 21): writes are refused with a reason, reads go on, nothing stored is harmed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { defaultIngestLimits } from "../../src/domain/limits.ts"
import * as Hashing from "../../src/layers/crypto/hashing.ts"
import * as Verifier from "../../src/layers/crypto/verifier.ts"
import * as Server from "../../src/layers/http/server.ts"
import { layerAlone, layerCore } from "../../src/layers/node-live.ts"
import * as NodeKeyFile from "../../src/layers/node/node-key.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { Store } from "../../src/services/Store.ts"
import { call, dm, type Running, send, temporaryDirectory, user } from "../http/fixture.ts"

const [alice, bob] = [user(1), user(2)]
const limits = { ...defaultIngestLimits, queueRecordsMax: 20 }
/** Enough for the schema and some messages. */
const bytesMax = 600_000

const node = (dataDir: string) =>
  Layer.build(
    Server.layer({ host: "127.0.0.1", port: 0, network: "", limits }).pipe(
      Layer.provideMerge(layerCore(limits)),
      Layer.provideMerge(layerSqlite({ directory: dataDir, bytesMax })),
      Layer.provideMerge(Layer.merge(layerAlone, NodeKeyFile.layer(`${dataDir}/node.key`))),
      Layer.provideMerge(Verifier.layer({ workers: 0 })),
      Layer.provideMerge(Hashing.layer)
    )
  ).pipe(
    Effect.flatMap((context) =>
      Effect.gen(function*() {
        const server = yield* HttpServer.HttpServer
        return { url: HttpServer.formatAddress(server.address), id: (yield* NodeKey).id } satisfies Running
      }).pipe(Effect.provideContext(context))
    )
  )

describe("a full disk", () => {
  it.live(
    "refuses writes with 503 queue, says so, goes on reading, and keeps what it had",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const stored = yield* Effect.scoped(Effect.gen(function*() {
          const running = yield* node(dataDir)
          return yield* Effect.promise(async () => {
            const kept: Array<string> = []
            const text = "x".repeat(10_000)
            for (let i = 0; i < 200; i++) {
              const request = { ...dm(alice, bob, { content: `${i} ${text}` }), headers: { Prefer: "wait=1" } }
              const answer = await call(running, alice, request)
              if (answer.status === 201) kept.push(answer.body.msg_id)
              else break
            }
            assert.isAbove(kept.length, 3, "nothing could be written at all")
            // the queue takes some more, and then no more
            let last = await call(running, alice, dm(alice, bob, { content: text }))
            for (let i = 0; i < limits.queueRecordsMax && last.status === 202; i++) {
              last = await call(running, alice, dm(alice, bob, { content: text }))
            }
            assert.deepStrictEqual([last.status, last.body._tag, last.body.reason], [503, "Overloaded", "queue"])
            assert.include(last.body.message, "full")
            assert.isNotNull(last.headers.get("retry-after"))
            const ready = await send(running, { method: "GET", path: "/readyz" })
            assert.strictEqual(ready.status, 503)
            assert.match(ready.body.problems.join(), /full/)
            const path = `/dialogs/0x${bob.address}/messages/${kept.at(-1)}`
            assert.strictEqual((await call(running, alice, { method: "GET", path })).status, 200)
            return kept
          })
        }))
        // opened again with room: all that was answered 201 is there, and nothing is damaged
        yield* Effect.gen(function*() {
          const store = yield* Store
          for (const id of stored) assert.isDefined(yield* store.message(id.slice(2) as never), `${id} is lost`)
          assert.deepStrictEqual(yield* store.inspect("message"), [])
        }).pipe(Effect.provide(layerSqlite({ directory: dataDir })))
      }).pipe(Effect.scoped),
    60_000
  )
})
