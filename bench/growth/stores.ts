/**
 * Stores of different sizes for `growth.ts`: filled once, straight through the store layer, copied to two sides that differ by
 * {@link differences} records, and opened in this process as a node opens them: store, trees, both ends of a sync round.
 *
 * A chat has 50 messages whatever the size, and they come in turns, so that a page is spread over the file as it is where
 * many people talk at once. Signatures are noise: nothing here verifies.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hashes } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { MerkleTree } from "../../src/domain/merkle.ts"
import type { Message } from "../../src/domain/record.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import type * as Rounds from "../../src/layers/sync/rounds.ts"
import { Store } from "../../src/services/Store.ts"
import { noiseMessage, noiseOf } from "../load/records.ts"
import { databaseOf } from "../nodes/processes.ts"
import { buildTrees, Ground, openSide, round } from "../nodes/sides.ts"
import { cpuOf, type Row } from "../report/measure.ts"

export const differences = 100
const chatMessages = 50
const [pageMessages, batchMessages] = [50, 100]
/** Spread over this long before now, so that no record is above a horizon or aged. */
const spreadMs = 24 * 3_600_000
const startMs = Date.now() - spreadMs - 120_000

/** Makes the n-th message of a store that has `size` of them, or of what is added to it later. */
const maker = (hashes: Hashes, size: number) => {
  const chats = Array.from({ length: Math.max(1, Math.floor(size / chatMessages)) }, (_, n) => {
    const [a, b] = [noiseOf(2 * n, 20), noiseOf(2 * n + 1, 20)].map(Bytes.toHex) as [Ids.Address, Ids.Address]
    return { a, b, chatId: Ids.dmChatId(hashes, a, b) }
  })
  const one = (n: number): Message => {
    const { a, b, chatId } = chats[n % chats.length]!
    const ms = startMs + Math.floor(n / (size * 1.5) * spreadMs)
    const [sender, peer] = n % 2 === 0 ? [a, b] : [b, a]
    return noiseMessage(hashes, n, ms, { chatId, sender, peer })
  }
  const many = (from: number, count: number) => Array.from({ length: count }, (_, i) => one(from + i))
  return { chatIds: chats.map(({ chatId }) => chatId), many }
}

type Maker = ReturnType<typeof maker>

const fill = (directory: string, size: number, { many }: Maker) =>
  Effect.gen(function*() {
    const store = Context.get(yield* Layer.build(layerSqlite({ directory })), Store)
    for (let at = 0; at < size; at += 1_000) yield* store.commit(many(at, Math.min(1_000, size - at)), Hlc.zero)
  }).pipe(Effect.scoped)

export interface Rows {
  readonly commit: Row
  readonly page: Row
  readonly reconcile: Row
}

/**
 * The rows of one size. Leaves the filled directory as it is for who else wants to copy it. Reconciling compares what was
 * there before anything was committed here: commits go to a third copy.
 */
export const rowsOf = Effect.fnUntraced(function*(
  hashes: Hashes,
  directory: string,
  size: number
): Effect.fn.Return<Rows, unknown, Scope.Scope> {
  const messages = maker(hashes, size)
  const filled = join(directory, "filled")
  mkdirSync(filled, { recursive: true })
  yield* fill(filled, size, messages)
  const copied = (name: string): string => {
    mkdirSync(join(directory, name))
    copyFileSync(databaseOf(filled), databaseOf(join(directory, name)))
    return join(directory, name)
  }
  const sides = yield* Effect.forEach(["a", "b"], (name) => openSide(copied(name)))
  for (const [i, side] of sides.entries()) {
    const half = differences / 2
    yield* Context.get(side, Store).commit(messages.many(size + i * half, half), Hlc.zero)
    yield* buildTrees(Context.get(side, Ground))
  }
  const [a, b] = sides.map((side) => Context.get(side, Ground)) as [Rounds.Ground, Rounds.Ground]
  const store = Context.get(yield* Layer.build(layerSqlite({ directory: copied("store") })), Store)
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  let [next, read] = [size, 0]
  const chatOf = (n: number) => messages.chatIds[(Math.imul(n, 0x9e3779b1) >>> 0) % messages.chatIds.length]!
  return {
    commit: {
      name: `commit of ${batchMessages}, ${size}`,
      run: async () => {
        const batches = Array.from({ length: 20 }, (_, i) => messages.many(next + i * batchMessages, batchMessages))
        next += 20 * batchMessages
        const { cpuMs, wallMs } = await cpuOf(async () => {
          for (const batch of batches) await run(store.commit(batch, Hlc.zero))
        })
        return { units: 20 * batchMessages, cpuMs, wallMs }
      }
    },
    page: {
      name: `page of ${pageMessages}, ${size}`,
      run: async () => {
        let found = 0
        const { cpuMs, wallMs } = await cpuOf(async () => {
          for (let i = 0; i < 200; i++) {
            const query = { direction: "before" as const, floor: Hlc.zero, limit: pageMessages, chatId: chatOf(read++) }
            found += (await run(store.page(query))).length
          }
        })
        return { units: 200, cpuMs, wallMs, extra: { messagesPerPage: found / 200 } }
      }
    },
    reconcile: {
      name: `round with ${differences} differences, ${size}`,
      run: async () => {
        const { cpuMs, value, wallMs } = await cpuOf(() => run(round(a, b)))
        if (value.found !== differences) throw new Error(`${differences} records differ, ${value.found} were found`)
        return { units: 1, cpuMs, wallMs }
      }
    }
  }
})

/** A tree of `size` records: one more, and the root of all. */
export const treeRow = (hashes: Hashes, size: number): Row => {
  const tree = new MerkleTree(hashes)
  const insert = (n: number): void => tree.insert((Math.imul(n, 0x9e3779b1) >>> 8) & 0xffff, noiseOf(n, 32))
  for (let n = 0; n < size; n++) insert(n)
  tree.root()
  let next = size
  return {
    name: `tree, insert and root, ${size}`,
    run: async () => {
      const count = 2_000
      const { cpuMs, wallMs } = await cpuOf(() => {
        for (let i = 0; i < count; i++) {
          insert(next++)
          tree.root()
        }
      })
      return { units: count, cpuMs, wallMs }
    }
  }
}
