/**
 * How all benches here measure. A number counts only next to the bare library's in the same run on the same machine, so
 * rows are run in turns, several times, and medians are reported: what else the machine does hits all rows alike.
 *
 * A row gives a {@link Sample} per run: units done, wall and CPU time (of the whole process, worker threads included),
 * and where it makes sense the latency of single units.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, totalmem } from "node:os"

export interface Sample {
  readonly units: number
  readonly wallMs: number
  /** User and system time of all threads of this process. */
  readonly cpuMs: number
  /** Milliseconds each single unit took, where measured. */
  readonly latenciesMs?: ReadonlyArray<number>
  /** Whatever else the row knows, reported as the median of its runs. */
  readonly extra?: Readonly<Record<string, number>>
}

export interface Row {
  readonly name: string
  /** The name of the row of the bare library for the same work, if there is one. */
  readonly bare?: string
  readonly run: () => Sample | Promise<Sample>
}

/** What is kept of one turn of a row: a {@link Sample} without the latencies of single units. */
export interface Turn {
  readonly units: number
  readonly wallMs: number
  readonly cpuMs: number
  readonly p50Micros?: number
  readonly p99Micros?: number
  readonly extra?: Readonly<Record<string, number>>
}

/** Medians over the runs of a row; latencies over the units of all runs. */
export interface Measured {
  readonly name: string
  readonly runs: number
  readonly perSecond: number
  readonly cpuMicros: number
  readonly wallMicros: number
  readonly p50Micros?: number
  readonly p99Micros?: number
  readonly extra?: Readonly<Record<string, number>>
  /** Rates of the single runs, to judge the spread. */
  readonly perSecondOfRuns: ReadonlyArray<number>
  /** See {@link Row}. */
  readonly bare?: string
  /** Turn by turn; the n-th of all rows of one run were measured one after the other. */
  readonly turns: ReadonlyArray<Turn>
}

/** A figure that `compare.ts` watches and that is no {@link Measured}; less is better. */
export interface Watched {
  readonly name: string
  readonly unit: string
  /** Turn by turn. */
  readonly values: ReadonlyArray<number>
  /** The same of the bare library, in the same turns. */
  readonly bare?: ReadonlyArray<number>
}

/** `--quick` on the command line: fewer and shorter runs, for a glance and for CI. */
export const isQuick: boolean = process.argv.includes("--quick")

/** The number after `--<name>` on the command line, or `otherwise`. */
export const numberGiven = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  if (at < 0) return otherwise
  const value = Number(process.argv[at + 1])
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0`)
  return value
}

/** The values at `ranks` (0..100) of unsorted numbers, by nearest rank; NaN when there are none. */
export const percentiles = (values: ReadonlyArray<number>, ranks: ReadonlyArray<number>): ReadonlyArray<number> => {
  const sorted = Float64Array.from(values).sort()
  return ranks.map((rank) => sorted[Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)] ?? Number.NaN)
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Wall and CPU time that `f` took, and what it gave. */
export const cpuOf = async <A>(f: () => A | Promise<A>): Promise<{
  readonly value: A
  readonly wallMs: number
  readonly cpuMs: number
}> => {
  const [cpu, wall] = [process.cpuUsage(), performance.now()]
  const value = await f()
  const wallMs = performance.now() - wall
  const { user, system } = process.cpuUsage(cpu)
  return { value, wallMs, cpuMs: (user + system) / 1000 }
}

/** A row that calls a synchronous `f` for `ms`; `latencies` also takes the time of each call. */
export const loop = (name: string, ms: number, f: (i: number) => unknown, latencies = false): Row => ({
  name,
  run: async () => {
    const taken: Array<number> = []
    let units = 0
    const { cpuMs, wallMs } = await cpuOf(() => {
      const end = performance.now() + ms
      let now = performance.now()
      while (now < end) {
        if (latencies) {
          f(units++)
          const after = performance.now()
          taken.push(after - now)
          now = after
        } else {
          for (let i = 0; i < 32; i++) f(units++)
          now = performance.now()
        }
      }
    })
    return latencies ? { units, wallMs, cpuMs, latenciesMs: taken } : { units, wallMs, cpuMs }
  }
})

const medianOfExtras = (samples: ReadonlyArray<Sample>): Readonly<Record<string, number>> | undefined => {
  const names = Object.keys(samples[0]?.extra ?? {})
  return names.length === 0
    ? undefined
    : Object.fromEntries(names.map((name) => [name, median(samples.map(({ extra }) => extra?.[name] ?? Number.NaN))]))
}

const turnOf = ({ cpuMs, extra, latenciesMs, units, wallMs }: Sample): Turn => {
  const [p50, p99] = percentiles(latenciesMs ?? [], [50, 99]) as [number, number]
  return {
    units,
    wallMs,
    cpuMs,
    ...(latenciesMs === undefined ? {} : { p50Micros: p50 * 1000, p99Micros: p99 * 1000 }),
    ...(extra === undefined ? {} : { extra })
  }
}

/** The medians over the runs of a row that was not run by {@link alternate}. */
export const summary = ({ bare, name }: Omit<Row, "run">, samples: ReadonlyArray<Sample>): Measured => {
  const rates = samples.map(({ units, wallMs }) => (units / wallMs) * 1000)
  const latencies = samples.flatMap(({ latenciesMs }) => latenciesMs ?? [])
  const [p50, p99] = percentiles(latencies, [50, 99]) as [number, number]
  const extra = medianOfExtras(samples)
  return {
    name,
    runs: samples.length,
    perSecond: median(rates),
    cpuMicros: median(samples.map(({ cpuMs, units }) => (cpuMs / units) * 1000)),
    wallMicros: median(samples.map(({ units, wallMs }) => (wallMs / units) * 1000)),
    ...(latencies.length === 0 ? {} : { p50Micros: p50 * 1000, p99Micros: p99 * 1000 }),
    ...(extra === undefined ? {} : { extra }),
    perSecondOfRuns: rates.map(Math.round),
    ...(bare === undefined ? {} : { bare }),
    turns: samples.map(turnOf)
  }
}

/**
 * Runs every row once to warm up, then all rows in turns, `runs` times or `--turns` times; the direction changes from turn
 * to turn.
 */
export const alternate = async (rows: ReadonlyArray<Row>, runs: number): Promise<ReadonlyArray<Measured>> => {
  const turns = numberGiven("turns", runs)
  const samples = new Map<Row, Array<Sample>>(rows.map((row) => [row, []]))
  for (const row of rows) await row.run()
  for (let turn = 0; turn < turns; turn++) {
    for (const row of turn % 2 === 0 ? rows : rows.toReversed()) samples.get(row)!.push(await row.run())
  }
  return rows.map((row) => summary(row, samples.get(row)!))
}

const digits = (x: number): string =>
  x >= 100 ? Math.round(x).toLocaleString("en").replaceAll(",", " ") : x >= 10 ? x.toFixed(1) : x.toFixed(2)

/** A markdown table; numbers are rounded to what they are worth, absent ones are a dash. */
export const table = (
  headers: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number | undefined>>
): string =>
  [
    headers,
    headers.map((_, i) => i === 0 ? "---" : "---:"),
    ...rows.map((row) => row.map((cell) => cell === undefined ? "–" : typeof cell === "number" ? digits(cell) : cell))
  ].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

/** The version of an installed package; "?" when it is not there. */
const versionOf = (name: string): string => {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version : "?"
}

/**
 * Writes `bench/results/<name>.json`: what was measured and on what. Nothing in it tells one machine's paths or names.
 * Gives the path from the root of the checkout. A quick run is kept apart from a full one. `watched` is what
 * `compare.ts` is to look at beside the rows of {@link Measured} in `data`, which it finds by itself.
 */
export const writeResults = (
  name: string,
  libraries: ReadonlyArray<string>,
  data: unknown,
  watched: ReadonlyArray<Watched> = []
): string => {
  const file = `${name}${isQuick ? ".quick" : ""}.json`
  const folder = new URL("../results/", import.meta.url)
  const results = {
    bench: name,
    quick: isQuick,
    date: new Date().toISOString(),
    machine: {
      node: process.version,
      openssl: process.versions.openssl,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? "?",
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      // of the last 1, 5 and 15 minutes: above the number of cores, rates are too low, CPU times still hold
      loadAverage: loadavg().map((load) => Number(load.toFixed(2)))
    },
    libraries: Object.fromEntries(libraries.map((library) => [library, versionOf(library)])),
    ...(watched.length === 0 ? {} : { watched }),
    data
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(new URL(file, folder), `${JSON.stringify(results, null, 2)}\n`)
  return `bench/results/${file}`
}
