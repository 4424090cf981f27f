/**
 * What a store reads: records as they cross to its thread, and rows of a damaged file. Rows are damaged one field at a
 * time, and the file byte by byte; what then reads or saves them must not fail in a way of its own.
 */
import { Effect } from "effect"
import { join } from "node:path"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"
import { isDeepStrictEqual } from "node:util"
import * as Bytes from "../../../src/domain/bytes.ts"
import * as Hlc from "../../../src/domain/hlc.ts"
import type { Record as Rec } from "../../../src/domain/record.ts"
import { makeWriter } from "../../../src/layers/store/commits.ts"
import * as Database from "../../../src/layers/store/database.ts"
import { DamagedRow } from "../../../src/layers/store/errors.ts"
import { inspect } from "../../../src/layers/store/inspect.ts"
import * as Packing from "../../../src/layers/store/packing.ts"
import { makeReads } from "../../../src/layers/store/reads.ts"
import { salvage } from "../../../src/layers/store/salvage.ts"
import { columns } from "../../../src/layers/store/schema.ts"
import { aRecord, Dice, hashes, kinds } from "../../domain/records.ts"
import { temporaryDirectory } from "../../http/fixture.ts"
import { byteMutators, numbers } from "../mutators.ts"
import { must, shapeOf, sizeShape, type Target, Violation } from "../target.ts"

const records: ReadonlyArray<Rec> = [1, 2, 3, 4].flatMap((seed) => kinds.map((kind) => aRecord(kind, new Dice(seed))))

/** The records of `records` that a store keeps: one a slot. */
const kept = [...new Map(records.map((record) => [`${record.kind} ${record.id}`, record])).values()]

export const packing: Target = {
  name: "packing",
  bytesMax: 16 * 1024,
  mutators: byteMutators,
  seeds: [
    ...records.map((record) => new Uint8Array(Packing.packRecords([record]))),
    new Uint8Array(Packing.packRecords(records.slice(0, 6)))
  ],
  shortCases: 2_000,
  run: (input) => {
    let found: ReadonlyArray<Rec>
    try {
      found = Packing.unpackRecords(input.slice().buffer)
    } catch (error) {
      must(error instanceof RangeError, `another error than RangeError: ${String(error)}`)
      return shapeOf(error.message)
    }
    const again = Packing.unpackRecords(Packing.packRecords(found))
    must(isDeepStrictEqual(again, found), "records are unpacked otherwise than they were packed")
    return `ok ${sizeShape(found.length)} ${found[0]?.kind} ${Object.keys(found[0] ?? {}).length}`
  }
}

/** A database without records, as a file of its own makes it. */
const emptyImage = Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const directory = yield* temporaryDirectory
  const db = yield* Database.open({ path: join(directory, "empty.sqlite"), write: true })
  const image = db.serialize()
  db.close()
  // one in memory has no log beside it
  image.fill(1, 18, 20)
  return image
})))

const databaseOf = (image: Uint8Array): DatabaseSync => {
  const db = new DatabaseSync(":memory:")
  db.deserialize(image)
  return db
}

const filledImage = emptyImage.then((image) => {
  const db = databaseOf(image)
  const writer = makeWriter(db, hashes)
  for (const record of kept) writer.commit([record], Hlc.zero)
  const filled = db.serialize()
  db.close()
  return filled
})

const fieldNames = Object.entries(columns).filter(([table]) => table !== "migrations").flatMap(([table, of]) =>
  Object.keys(of).map((column) => [table, column] as const)
)

/** A value of any type, from a few bytes. */
const valueOf = (dice: Dice, bytes: Uint8Array, old: SQLInputValue): SQLInputValue => {
  switch (dice.below(7)) {
    case 0:
      return BigInt.asIntN(64, dice.pick(numbers))
    case 1:
      return -BigInt.asIntN(63, dice.pick(numbers))
    case 2:
      return BigInt(dice.below(12))
    case 3:
      return bytes
    case 4:
      return old instanceof Uint8Array ? dice.pick(byteMutators)(dice, old, () => bytes) : bytes
    case 5:
      return null
    default:
      return dice.coin() ? dice.text(5) : dice.below(1000) / 7
  }
}

/** What SQLite says of a damaged file, or the store of a damaged row. */
const isTold = (error: unknown): boolean =>
  error instanceof DamagedRow || (error instanceof Error && "errcode" in error)

interface Step {
  readonly what: "field" | "image"
  readonly at: number
  readonly dice: Dice
  readonly bytes: Uint8Array
}

/** Eight bytes a damage: what, where, and what becomes of it. */
const stepBytes = 8

const stepsOf = (input: Uint8Array): ReadonlyArray<Step> => {
  const found: Array<Step> = []
  for (let i = 0; i + stepBytes <= input.length && found.length < 6; i += stepBytes) {
    const view = new DataView(input.buffer, input.byteOffset + i, stepBytes)
    found.push({
      what: view.getUint8(0) < 160 ? "field" : "image",
      at: view.getUint16(1),
      dice: new Dice(view.getUint32(3)),
      bytes: input.subarray(i + 4, i + stepBytes)
    })
  }
  return found
}

/** Says what was damaged, for the shape. */
const damageField = (db: DatabaseSync, { at, bytes, dice }: Step): string => {
  const [table, column] = fieldNames[at % fieldNames.length]!
  try {
    const rows = db.prepare(`SELECT ${column} AS old FROM ${table}`)
    rows.setReadBigInts(true)
    const all = rows.all()
    const row = dice.below(Math.max(1, all.length))
    const value = valueOf(dice, bytes, (all[row]?.["old"] ?? null) as SQLInputValue)
    const places = db.prepare(`SELECT ${column} AS old FROM ${table} LIMIT 1 OFFSET ${row}`)
    places.setReadBigInts(true)
    db.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${column} IS ?`).run(value, all[row]?.["old"] as SQLInputValue)
    return `${table}.${column}`
  } catch (error) {
    // the table itself refuses some values, or lies on a page that was damaged before
    if (!(error instanceof Error)) throw error
    return "refused"
  }
}

const damaged = (image: Uint8Array, steps: ReadonlyArray<Step>): readonly [db: DatabaseSync, what: string] => {
  const bytes = image.slice()
  // the first 100 bytes are the file's head: without it nothing is tried
  for (const { at, bytes: [a = 0, b = 0], what } of steps) {
    if (what === "image") bytes[100 + (at * 131 + a) % (bytes.length - 100)]! ^= b || 1
  }
  const db = databaseOf(bytes)
  const what = steps.map((step) => step.what === "image" ? "image" : damageField(db, step))
  return [db, what.join()]
}

/** Runs what may meet damage; what it throws must be `expected`: of SQLite, or damage that is told. */
const told = <A>(name: string, work: () => A, expected = isTold): string => {
  try {
    work()
    return "ok"
  } catch (error) {
    if (error instanceof Violation) throw error
    must(expected(error), `${name}: ${error instanceof Error ? error.stack : String(error)}`)
    return shapeOf((error as Error).message).slice(0, 40)
  }
}

const names = new Set(kept.map(({ id, kind }) => `${kind} ${id}`))

export const rows: Target = {
  name: "rows",
  bytesMax: 6 * stepBytes,
  mutators: byteMutators,
  seeds: fieldNames.map((_, at) => Uint8Array.of(0, at >> 8, at & 0xff, at, 2, 3, 4, 5))
    .concat([Uint8Array.of(255, 1, 2, 3, 4, 5, 6, 7), new Uint8Array()]),
  shortCases: 20,
  run: async (input) => {
    const [image, blank] = await Promise.all([filledImage, emptyImage])
    const steps = stepsOf(input)
    const hasImage = steps.some((step) => step.what === "image")
    const [db, what] = damaged(image, steps)
    const to = databaseOf(blank)
    try {
      const shapes = kinds.map((kind) =>
        told(`reading ${kind}`, () => makeReads(db, hashes, ":memory:").scan({ kind, limit: 1_000 }))
      )
      // looking at everything says what is wrong, and never fails
      for (const kind of kinds) {
        const damages = inspect(db, hashes, kind)
        must(
          damages.every(({ message }) => !message.includes("undefined")),
          `a damage that is not told: ${JSON.stringify(damages)}`
        )
      }
      const saved = told("salvage", () => {
        salvage(db, to, hashes, hashes.blake3, [])
        const after = makeReads(to, hashes, ":memory:")
        for (const kind of kinds) {
          for (const record of after.scan({ kind, limit: 1_000 })) {
            // one damaged field may leave a record that bears out its digest or its id, and no other
            must(Bytes.fromHex(record.id).length === 32 && record.kind === kind, "a record that is none")
          }
          const wrong = inspect(to, hashes, kind).map(({ message }) => message)
          must(wrong.length === 0, `what was saved is damaged: ${wrong.join("; ")}`)
        }
        if (input.length === 0) {
          const left = kinds.flatMap((kind) => after.scan({ kind, limit: 1_000 })).map(({ id, kind }) =>
            `${kind} ${id}`
          )
          must(left.every((name) => names.has(name)), "a sound file is changed")
        }
        // rows are stepped over; only a file that SQLite cannot open at all may end it
      }, (error) => hasImage && !(error instanceof DamagedRow) && isTold(error))
      return `${what.split(",")[0]} ${shapes.join("|")} ${saved}`
    } finally {
      db.close()
      to.close()
    }
  }
}
