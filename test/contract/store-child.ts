/**
 * A process of its own that holds a store: `node store-child.ts DIRECTORY open|burst`. Prints "open" when it has it, then for
 * `burst` every acknowledged id and the number of its arrival; or the reason and message of the failure.
 */
import { Effect } from "effect"
import { writeSync } from "node:fs"
import * as Hlc from "../../src/domain/hlc.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { Store } from "../../src/services/Store.ts"
import * as Make from "./store-records.ts"

const [directory = "", mode] = process.argv.slice(2)
const print = (line: string) => Effect.sync(() => writeSync(1, `${line}\n`))

const burst = Effect.gen(function*() {
  const store = yield* Store
  for (let i = 0;; i++) {
    const batch = Array.from({ length: 20 }, (_, j) => Make.message({ content: `${i}.${j}`, hlc: Make.at(i, j) }))
    const { firstArrival } = yield* store.commit(batch, Hlc.zero)
    yield* print(batch.map(({ id }, j) => `${id} ${firstArrival + j}`).join("\n"))
  }
})

const main = Effect.gen(function*() {
  yield* Store
  yield* print("open")
  return yield* mode === "burst" ? burst : Effect.never
})

Effect.runPromise(
  main.pipe(
    Effect.provide(layerSqlite({ directory })),
    Effect.catch((error) => print(`${error.reason} ${error.message}`))
  )
)
