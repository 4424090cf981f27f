/**
 * The last quarter of an hour of every line, from readings of `/metrics`. A reading that had no answer leaves a gap. Bounded
 * in time and in number; only the readings of the last minute are kept whole, for rates and quantiles.
 */
import { bucketsOver, increaseOver, quantile } from "./counting.ts"
import type { Plot, Reading } from "./plots.ts"
import { buckets, type Metrics, total } from "./prometheus.ts"

/** What is shown, ms. */
export const shownMs = 15 * 60_000
/** A quarter of an hour at an answer a second. */
const rowsMax = 900
/** The longest window of a rate, ms. */
const wholeMs = 60_000
/** A minute at an answer a second. */
const wholeMax = 60
/** Longer between two readings than this, and nothing is drawn between them, ms. */
const gapMs = 15_000

/** Of its window a rate needs this much, or one event would look like many. */
const windowShareMin = 0.25

interface Scrape {
  readonly atMs: number
  readonly metrics: Metrics
}

export interface History {
  /** When each row was read, by this computer's clock, ms, ascending. */
  readonly times: ReadonlyArray<number>
  /** By the key of the plot, for each of its lines one value a row; null where there is none. */
  readonly columns: ReadonlyMap<string, ReadonlyArray<ReadonlyArray<number | null>>>
  /** The last readings with an answer, ascending. */
  readonly recent: ReadonlyArray<Scrape>
  /** When a counter that only grows was seen to begin anew: the node was started again. */
  readonly restartedMs?: number | undefined
}

export const empty: History = { times: [], columns: new Map(), recent: [] }

/** Counts with every request, those of this page among them. */
const alwaysGrows = "p2p_mes_http_requests_total"

const value = (recent: ReadonlyArray<Scrape>, reading: Reading): number | null => {
  const last = recent.at(-1)!
  if (reading.how === "gauge") return total(last.metrics, reading.name, reading.where) ?? reading.unset ?? null
  const within = recent.filter(({ atMs }) => atMs >= last.atMs - reading.windowMs)
  if (within.length < 2) return null
  if (reading.how === "quantile") {
    return quantile(bucketsOver(within.map(({ metrics }) => buckets(metrics, reading.name))), reading.q) ?? null
  }
  const overMs = last.atMs - within[0]!.atMs
  if (overMs < reading.windowMs * windowShareMin) return null
  const counts = within.map(({ metrics }) => total(metrics, reading.name, reading.where) ?? 0)
  return increaseOver(counts) / (overMs / reading.perMs)
}

/** The rows of `history` with `row` at the end, which is a gap where nothing is given. */
const append = (
  { columns, times }: History,
  plots: ReadonlyArray<Plot>,
  atMs: number,
  row?: (reading: Reading) => number | null
): Pick<History, "times" | "columns"> => {
  const old = times.findIndex((time) => time >= atMs - shownMs)
  const from = Math.max(old < 0 ? times.length : old, times.length + 1 - rowsMax)
  return {
    times: [...times.slice(from), atMs],
    columns: new Map(plots.map((plot) => [
      plot.key,
      plot.lines.map(({ reading }, i) => [
        // a plot is the same from the first row to the last
        ...(columns.get(plot.key)?.[i]?.slice(from) ?? []),
        row?.(reading) ?? null
      ])
    ]))
  }
}

/** Takes in what `/metrics` gave at `atMs`, or that there was no answer. */
export const advance = (
  history: History,
  plots: ReadonlyArray<Plot>,
  atMs: number,
  metrics: Metrics | undefined
): History => {
  const lastMs = history.times.at(-1)
  const gapped = lastMs !== undefined && atMs - lastMs > gapMs
    ? { ...history, ...append(history, plots, lastMs + 1) }
    : history
  if (metrics === undefined) return { ...gapped, ...append(gapped, plots, atMs) }
  const before = history.recent.at(-1)
  const isAnew = before !== undefined
    && (total(metrics, alwaysGrows) ?? 0) < (total(before.metrics, alwaysGrows) ?? 0)
  const recent = [
    ...history.recent.slice(-wholeMax).filter((scrape) => scrape.atMs >= atMs - wholeMs),
    { atMs, metrics }
  ]
  return {
    ...append(gapped, plots, atMs, (reading) => value(recent, reading)),
    recent,
    restartedMs: isAnew ? atMs : history.restartedMs
  }
}

/** Whether the node has what the plot needs. */
export const has = ({ recent }: History, { needs }: Plot): boolean => {
  if (needs === undefined) return true
  const samples = recent.at(-1)?.metrics.samples
  return samples?.has(needs) === true || samples?.has(`${needs}_bucket`) === true
}

/** The latest value of each line of a plot, or those of the row at `index`. */
export const valuesAt = (
  { columns }: History,
  { key, lines }: Plot,
  index = -1
): ReadonlyArray<number | null> => lines.map((_, i) => columns.get(key)?.[i]?.at(index) ?? null)

/** By how much the lines of a plot grew together, from the first row that has all of them to the last row. */
export const growth = (
  { columns, times }: History,
  { key }: Plot
): { readonly by: number; readonly overMs: number } | undefined => {
  const lines = columns.get(key) ?? []
  const sumAt = (row: number): number => lines.reduce((sum, line) => sum + (line[row] ?? Number.NaN), 0)
  const first = times.findIndex((_, row) => !Number.isNaN(sumAt(row)))
  const last = times.length - 1
  const by = sumAt(last) - sumAt(first)
  return first < 0 || first >= last || Number.isNaN(by) ? undefined : { by, overMs: times[last]! - times[first]! }
}
