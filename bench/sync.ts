/**
 * What does it cost two nodes to find what differs between them, in bytes, rounds and time, beside negentropy (range-based
 * reconciliation, `nip77` of `nostr-tools`) on the same sets?
 *
 * Ours: both sides of a round as nodes run it (stores in SQLite, trees, frames), over a line in memory; judging and
 * storing what came is left out, as negentropy does neither. Bytes are those of frames before encryption, less records,
 * hello and audits. Negentropy: ids are the leaf digests, times the stamps in seconds; its storage is in memory, built and
 * sorted before the clock runs. Half of the differences are missing on either side.
 */
import { Context, Effect, References } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { nip77 } from "nostr-tools"
import * as Bytes from "../src/domain/bytes.ts"
import type { Hashes } from "../src/domain/hashing.ts"
import * as Hlc from "../src/domain/hlc.ts"
import * as Ids from "../src/domain/ids.ts"
import type { Message } from "../src/domain/record.ts"
import * as Wire from "../src/domain/wire.ts"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import type * as Rounds from "../src/layers/sync/rounds.ts"
import { Store } from "../src/services/Store.ts"
import { noiseMessage, noiseOf } from "./load/records.ts"
import { buildTrees, Ground, openSide, round } from "./nodes/sides.ts"
import { cpuOf, isQuick, median, table, writeResults } from "./report/measure.ts"

const sizes = isQuick ? [10_000] : [10_000, 100_000]
const differences = [1, 10, 100, 1_000]
const runs = isQuick ? 1 : 5
/** Spread over this long before now, so that no record is above a horizon or aged. */
const spreadMs = 24 * 3_600_000
const startMs = Date.now() - spreadMs - 60_000

const messageOf = (hashes: Hashes, n: number): Message => {
  const [sender, peer] = [noiseOf(n % 500, 20), noiseOf(500 + n % 499, 20)].map(Bytes.toHex) as [
    Ids.Address,
    Ids.Address
  ]
  const ms = startMs + Math.floor((Math.imul(n, 0x9e3779b1) >>> 0) / 2 ** 32 * spreadMs)
  return noiseMessage(hashes, n, ms, { chatId: Ids.dmChatId(hashes, sender, peer), sender, peer })
}

const { Negentropy, NegentropyStorageVector } = nip77
type Vector = InstanceType<typeof NegentropyStorageVector>

const fill = Effect.fnUntraced(function*(store: Store["Service"], hashes: Hashes, from: number, to: number) {
  for (let at = from; at < to; at += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, to - at) }, (_, i) => messageOf(hashes, at + i))
    yield* store.commit(batch, Hlc.zero)
  }
})

interface Round {
  readonly bytes: number
  /** Questions and answers. */
  readonly trips: number
  readonly wallMs: number
  readonly cpuMs: number
  readonly found: number
}

const ours = Effect.fnUntraced(function*(a: Rounds.Ground, b: Rounds.Ground) {
  const { cpuMs, value, wallMs } = yield* Effect.promise(() => cpuOf(() => Effect.runPromise(round(a, b))))
  const { bytes, besideBytes, frames, recordBytes } = value.tally
  return {
    bytes: bytes - besideBytes - recordBytes,
    trips: frames / 2,
    wallMs,
    cpuMs,
    found: value.found
  } satisfies Round
})

const vectorOf = (items: ReadonlyArray<readonly [seconds: number, id: string]>): Vector => {
  const storage = new NegentropyStorageVector()
  for (const [seconds, id] of items) storage.insert(seconds, id)
  storage.seal()
  return storage
}

const theirs = async (a: Vector, b: Vector): Promise<Round> => {
  let bytes = 0
  let trips = 0
  let found = 0
  const { cpuMs, wallMs } = await cpuOf(() => {
    const [one, two] = [new Negentropy(a), new Negentropy(b)]
    let message: string | null = one.initiate()
    while (message !== null && trips < 10_000) {
      bytes += message.length / 2
      trips++
      // whoever gets a list of ids learns the differences, and need not answer it
      const answer: string | null = two.reconcile(message, () => found++, () => found++)
      if (answer === null) break
      bytes += answer.length / 2
      message = one.reconcile(answer, () => found++, () => found++)
    }
  })
  return { bytes, trips, wallMs, cpuMs, found }
}

const measure = (size: number, difference: number) =>
  Effect.gen(function*() {
    const directory = mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
    const hashes = yield* loadWasm
    const common = size - difference
    const half = Math.ceil(difference / 2)
    const sides = yield* Effect.all([openSide(join(directory, "a")), openSide(join(directory, "b"))])
    const ranges = [[[0, common], [common, common + half]], [[0, common], [common + half, size]]] as const
    for (const [i, context] of sides.entries()) {
      for (const [from, to] of ranges[i]!) yield* fill(Context.get(context, Store), hashes, from, to)
    }
    const [a, b] = sides.map((context) => Context.get(context, Ground)) as [Rounds.Ground, Rounds.Ground]
    for (const ground of [a, b]) yield* buildTrees(ground)
    const vectors = ranges.map((spans) =>
      vectorOf(spans.flatMap(([from, to]) =>
        Array.from({ length: to - from }, (_, i) => {
          const message = messageOf(hashes, from + i)
          return [
            Math.floor(message.ts / 1000),
            Bytes.toHex(Wire.leafDigest(hashes.blake3, message))
          ] as const
        })
      ))
    ) as [Vector, Vector]
    const rounds: { ours: Array<Round>; theirs: Array<Round> } = { ours: [], theirs: [] }
    yield* ours(a, b)
    yield* Effect.promise(() => theirs(...vectors))
    for (let run = 0; run < runs; run++) {
      rounds.ours.push(yield* ours(a, b))
      rounds.theirs.push(yield* Effect.promise(() => theirs(...vectors)))
    }
    for (const [who, all] of Object.entries(rounds)) {
      for (const { found } of all) {
        if (found !== difference) throw new Error(`${difference} records differ, ${who} found ${found}`)
      }
    }
    return { size, difference, ...rounds }
  }).pipe(Effect.scoped)

const medians = (rounds: ReadonlyArray<Round>) => ({
  bytes: median(rounds.map(({ bytes }) => bytes)),
  trips: median(rounds.map(({ trips }) => trips)),
  wallMs: median(rounds.map(({ wallMs }) => wallMs)),
  cpuMs: median(rounds.map(({ cpuMs }) => cpuMs))
})

const results = []
for (const size of sizes) {
  for (const difference of differences) {
    const { ours, theirs } = await Effect.runPromise(
      Effect.provideService(measure(size, difference), References.MinimumLogLevel, "None")
    )
    results.push({ size, difference, ours: medians(ours), negentropy: medians(theirs), raw: { ours, theirs } })
  }
}

process.stdout.write(`${
  table(
    [
      "records",
      "differences",
      "bytes",
      "negentropy",
      "ratio",
      "round trips",
      "negentropy",
      "ms",
      "negentropy",
      "ratio"
    ],
    results.map(({ difference, negentropy, ours, size }) => [
      String(size),
      String(difference),
      ours.bytes,
      negentropy.bytes,
      ours.bytes / negentropy.bytes,
      ours.trips,
      negentropy.trips,
      ours.wallMs,
      negentropy.wallMs,
      ours.wallMs / negentropy.wallMs
    ])
  )
}\n${writeResults("sync", ["nostr-tools", "effect"], results)}\n`)
