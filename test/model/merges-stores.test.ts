/**
 * Every row of up to three variants of a record put into a store: one by one, and two of them in one batch. What
 * stays is the winner, each step says rightly what it did, and what it says of the leaves adds up to what is stored.
 *
 * Each row has a slot of its own, so that one database takes them all. The variants are those in which each field decides
 * against all after it; `merges.test.ts` takes the rule itself through all the others.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Hashing } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import { bucketOf, MerkleTree } from "../../src/domain/merkle.ts"
import { type Domain, domainOf, domains, type Kind, type Record } from "../../src/domain/record.ts"
import { layerMemory } from "../../src/layers/store/memory.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { type Commit, type Outcome, Store } from "../../src/services/Store.ts"
import { demand, isDeep, rows, same, timeoutMs } from "./orders.ts"
import { bytesOf, type Choice, digestOf, everyChoice, hashes, shouldWin, stairsOf, variantOf } from "./slot-variants.ts"

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]
const batchMax = 1_000

/** A slot and what comes for it, in order. */
interface Case {
  readonly records: ReadonlyArray<Record>
  readonly outcomes: ReadonlyArray<Outcome>
  readonly winner: Record
}

const caseOf = (records: ReadonlyArray<Record>): Case => {
  let held: Record | undefined
  const outcomes = records.map((record): Outcome => {
    if (held === undefined || shouldWin(record, held)) {
      const outcome = held === undefined ? "stored" : "replaced"
      held = record
      return outcome
    }
    return bytesOf(held) === bytesOf(record) ? "known" : "superseded"
  })
  return { records, outcomes, winner: held! }
}

/** Each is high in one field alone, and no two are the same. */
const inThrees = (row: ReadonlyArray<Choice>): boolean =>
  new Set(row).size === row.length && row.every((choice) => choice.reduce((a, b) => a + b) === 1)

/** Of the triples but some, unless in the deep level: a store looks at two records at a time, and all pairs are here. */
function* casesOf(
  choices: (kind: Kind) => ReadonlyArray<Choice>,
  firstSlot: number,
  longest: number
): Generator<Case> {
  let slot = firstSlot
  for (const kind of kinds) {
    for (let length = 1; length <= longest; length++) {
      for (const row of rows(choices(kind), length)) {
        if (length === 3 && !isDeep && !inThrees(row)) continue
        yield caseOf(row.map((choice) => variantOf(kind, slot, choice)))
        slot++
      }
    }
  }
}

const inSlices = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / batchMax) }, (_, i) => items.slice(i * batchMax, (i + 1) * batchMax))

const everything = { floor: Hlc.zero, ceiling: Hlc.make(2 ** 48 - 1, 0) }

/** What commits have said of the leaves, held against the records. */
const ledger = () => {
  const trees = new Map<Domain, MerkleTree>(domains.map((domain) => [domain, new MerkleTree(hashes)]))
  const leaves = new Set<string>()
  /** Each change is of a record of the batch, or of one that was there, and says what that is. */
  const note = (commit: Commit, known: ReadonlyMap<string, Record>): void => {
    for (const [i, change] of commit.leaves.entries()) {
      const digest = change.digest.toHex()
      const record = known.get(digest)
      if (record === undefined) throw new Error("a leaf of no record")
      const next = commit.leaves[i + 1]
      const shown = change.change === "insert" ? record.hlc : Hlc.max(record.hlc, next!.hlc)
      demand(
        change.domain === domainOf(record) && change.bucket === bucketOf(record.id) &&
          change.recordHlc === record.hlc &&
          change.hlc === shown && change.ages === (record.kind === "message" || record.kind === "read"),
        () => `a leaf that does not tell of its record: ${bytesOf(record)}`
      )
      const tree = trees.get(change.domain)!
      if (change.change === "insert") {
        demand(!leaves.has(digest), () => `a leaf came twice: ${bytesOf(record)}`)
        leaves.add(digest)
        tree.insert(change.bucket, change.digest)
      } else {
        demand(leaves.delete(digest), () => `a leaf left that was not there: ${bytesOf(record)}`)
        tree.remove(change.bucket, change.digest)
      }
    }
  }
  return { trees, leaves, note }
}

/** Puts all cases into the store. How many slots, and records that were put. */
const check = Effect.fn(function*(apart: ReadonlyArray<Case>, together: ReadonlyArray<Case>) {
  const store = yield* Store
  const books = ledger()
  const all = [...apart, ...together]
  const known = new Map(all.flatMap(({ records }) => records).map((record) => [digestOf(record).toHex(), record]))
  let puts = 0

  const put = Effect.fnUntraced(function*(pairs: ReadonlyArray<readonly [Record, Outcome]>) {
    const commit = yield* store.commit(pairs.map(([record]) => record), Hlc.zero)
    for (const [i, [record, outcome]] of pairs.entries()) {
      same(`${commit.outcomes[i]}`, outcome, () => bytesOf(record))
    }
    books.note(commit, known)
    puts += pairs.length
    return commit.leaves.length
  })

  for (const step of [0, 1, 2]) {
    const pairs = apart.flatMap(({ outcomes, records }) =>
      records[step] === undefined ? [] : [[records[step], outcomes[step]!] as const]
    )
    for (const slice of inSlices(pairs)) yield* put(slice)
  }
  for (const slice of inSlices(together)) {
    yield* put(slice.flatMap(({ outcomes, records }) => records.map((record, i) => [record, outcomes[i]!] as const)))
  }

  const assertStored = Effect.gen(function*() {
    const stored = (yield* Effect.forEach(kinds, (kind) => store.scan({ kind, limit: 1_000_000 }))).flat()
    same(
      stored.map(bytesOf).sort().join(),
      all.map(({ winner }) => bytesOf(winner)).sort().join(),
      () => "what is stored"
    )
    const digests = all.map(({ winner }) => digestOf(winner).toHex()).sort().join()
    same([...books.leaves].sort().join(), digests, () => "leaves")
    for (const domain of domains) {
      const tree = new MerkleTree(hashes)
      const { value } = yield* store.leaves({ domain, from: 0, to: 65_536, span: everything, ageingOnly: false })
      for (const { bucket, count, sum } of value) tree.addLeaf(bucket, sum, count)
      same(books.trees.get(domain)!.root().toHex(), tree.root().toHex(), () => `sums of ${domain}`)
    }
  })
  yield* assertStored

  // once more, the other way round: nothing moves
  const again = all.flatMap(({ records, winner }) =>
    records.map((record) => [record, bytesOf(record) === bytesOf(winner) ? "known" : "superseded"] as const)
  )
  let moved = 0
  for (const slice of inSlices(again.reverse())) moved += yield* put(slice)
  assert.strictEqual(moved, 0)
  yield* assertStored
  return [all.length, puts]
})

/** One after the other, and, the first two at least, in one batch. */
const both = (choices: (kind: Kind) => ReadonlyArray<Choice>) => {
  const apart = [...casesOf(choices, 0x1_0000, 3)]
  return check(apart, [...casesOf(choices, 0x1_0000 + apart.length, isDeep ? 3 : 2)])
}

const sqlite = Layer.unwrap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-model-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  ).pipe(Effect.map((directory) => layerSqlite({ directory })))
)
const memory = Layer.provide(layerMemory, Layer.succeed(Hashing, hashes))

/** Slots, and records put. */
type Counts = readonly [slots: number, puts: number]

const stairs: Counts = isDeep ? [9_376, 54_304] : [1_406, 6_484]
/** All variants of a message, which are few. */
const most = (kind: Kind) => kind === "message" ? everyChoice(kind) : stairsOf(kind)

const small = [
  ["in memory", memory, stairsOf, stairs],
  ["on disk", sqlite, stairsOf, stairs]
] as const
const large = [["deep: on disk, all variants of a message", sqlite, most, [37_056, 218_208]]] as const

describe("model: merges of variants in a store", () => {
  it.effect.each<typeof small[number] | typeof large[number]>(isDeep ? [...small, ...large] : small)(
    "%s",
    ([, layer, choices, expected]) =>
      Effect.map(Effect.provide(both(choices), layer), (counts) => assert.deepStrictEqual(counts, [...expected])),
    timeoutMs
  )
})
