/**
 * When is a bench slower than it was? Pure: results in, verdicts out; `compare.ts` reads and writes the files.
 *
 * What is compared of a row is its CPU time a unit, turn by turn, divided by that of the bare library in the same turn, where
 * there is one: what else the machine did then hit both. A row is flagged when its median is more than 5 % above the
 * baseline's and its whole interval lies above the baseline's. The intervals are of order statistics: between the j-th
 * smallest and the j-th largest of n turns the true median lies with a chance that is known whatever the distribution, so
 * none is assumed, and nothing is drawn by chance. Below six turns no such interval reaches 95 %, and nothing is judged.
 */
import type { Measured, Turn, Watched } from "./measure.ts"
import { median } from "./measure.ts"

/** What is kept of a row: less is better. */
export interface Series {
  readonly name: string
  readonly unit: string
  /** Whether `values` are ratios to the bare row of the same turn. */
  readonly relative: boolean
  readonly values: ReadonlyArray<number>
}

export interface Results {
  readonly bench: string
  readonly date: string
  readonly quick: boolean
  readonly machine: { readonly node: string; readonly cpu: string; readonly cores: number }
  readonly watched?: ReadonlyArray<Watched>
  readonly data: unknown
}

const slowerMin = 1.05
export const confidence = 0.95
export const turnsMin = 6

/** Chance that a fair coin shows at most `k` heads in `n` throws. */
const atMostHeads = (k: number, n: number): number => {
  let [term, sum] = [0.5 ** n, 0]
  for (let i = 0; i <= k; i++) {
    sum += term
    term *= (n - i) / (i + 1)
  }
  return sum
}

export interface Interval {
  readonly low: number
  readonly high: number
  /** Chance that the true median lies in it. */
  readonly coverage: number
}

/** The narrowest interval of order statistics that holds the median with {@link confidence}; the widest when none does. */
export const intervalOf = (values: ReadonlyArray<number>): Interval => {
  const sorted = values.toSorted((a, b) => a - b)
  const n = sorted.length
  const coverageOf = (j: number): number => 1 - 2 * atMostHeads(j - 1, n)
  let j = 1
  while (j + 1 <= n / 2 && coverageOf(j + 1) >= confidence) j++
  return { low: sorted[j - 1] ?? Number.NaN, high: sorted[n - j] ?? Number.NaN, coverage: n === 0 ? 0 : coverageOf(j) }
}

export interface Verdict {
  readonly name: string
  readonly unit: string
  readonly before: number
  readonly now: number
  readonly interval: Interval
  readonly intervalBefore: Interval
  readonly outcome: "slower" | "faster" | "same" | "too few turns"
}

/** `now` beside the baseline of the same row. */
export const judge = (before: Series, now: Series): Verdict => {
  const [was, is] = [median(before.values), median(now.values)]
  const [intervalBefore, interval] = [intervalOf(before.values), intervalOf(now.values)]
  const enough = Math.min(before.values.length, now.values.length) >= turnsMin
  const outcome = !enough
    ? "too few turns"
    : is > was * slowerMin && interval.low > intervalBefore.high
    ? "slower"
    : was > is * slowerMin && interval.high < intervalBefore.low
    ? "faster"
    : "same"
  return { name: now.name, unit: now.unit, before: was, now: is, interval, intervalBefore, outcome }
}

/** Which bare row belongs to a row that does not name its own: by what of the name is put for what. */
const bareOf: ReadonlyArray<readonly [RegExp, string]> = [
  [/: node$/, ": bare"],
  [/: our backend$/, ": bare library"],
  [/^the layer, /, "bare statements, same schema, "],
  [/^Ed25519: ours$/, "Ed25519: bare node:crypto, key kept"],
  [/: ours, /, ": hash-wasm, "],
  [/^Verifier, .*$/, "recovery, native: bare library"]
]

const isTurn = (value: Partial<Turn>): boolean => typeof value.cpuMs === "number" && typeof value.units === "number"

const isMeasured = (value: unknown): value is Measured =>
  typeof value === "object" && value !== null && "name" in value && "turns" in value &&
  Array.isArray(value.turns) && value.turns.length > 0 && (value.turns as ReadonlyArray<Partial<Turn>>).every(isTurn)

/** Every list of measured rows in a tree of data, with the names on the way to it. */
const tablesIn = (data: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<{
  readonly path: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Measured>
}> => {
  if (typeof data !== "object" || data === null) return []
  if (Array.isArray(data) && data.length > 0 && data.every(isMeasured)) return [{ path, rows: data }]
  return Object.entries(data).flatMap(([key, value]) => tablesIn(value, [...path, key]))
}

const cpuMicros = ({ cpuMs, units }: Turn): number => cpuMs * 1000 / units

const bareRowOf = (row: Measured, rows: ReadonlyMap<string, Measured>): Measured | undefined => {
  if (row.bare !== undefined) return rows.get(row.bare)
  for (const [pattern, put] of bareOf) if (pattern.test(row.name)) return rows.get(row.name.replace(pattern, put))
  return undefined
}

const ratios = (values: ReadonlyArray<number>, bare: ReadonlyArray<number>): ReadonlyArray<number> =>
  values.slice(0, bare.length).map((value, turn) => value / bare[turn]!)

/** What of a bench's results is compared. Bare rows themselves are not: they are the measure. */
export const seriesOf = (results: Results): ReadonlyArray<Series> => {
  const tables = tablesIn(results.data)
  const rows = new Map(tables.flatMap((table) => table.rows.map((row) => [row.name, row])))
  const bareRows = new Set([...rows.values()].map((row) => bareRowOf(row, rows)?.name))
  const ofRows = tables.flatMap((table) =>
    table.rows.filter((row) => !bareRows.has(row.name)).map((row): Series => {
      const bare = bareRowOf(row, rows)
      const values = row.turns.map(cpuMicros)
      return {
        name: [results.bench, ...table.path, row.name].join(" / "),
        unit: bare === undefined ? "CPU µs" : "CPU, in bare ones",
        relative: bare !== undefined,
        values: bare === undefined ? values : ratios(values, bare.turns.map(cpuMicros))
      }
    })
  )
  const ofWatched = (results.watched ?? []).map(({ bare, name, unit, values }): Series => ({
    name: `${results.bench} / ${name}`,
    unit: bare === undefined ? unit : `${unit}, in bare ones`,
    relative: bare !== undefined,
    values: bare === undefined ? values : ratios(values, bare)
  }))
  return [...ofRows, ...ofWatched]
}
