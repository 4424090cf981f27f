/**
 * Reads the text that a node gives at `/metrics`: Prometheus' text format, version 0.0.4. A line that is no sample is left
 * out and counted, so that one bad line does not hide the others.
 */

export interface Sample {
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

export interface Metrics {
  /** By name, in the order of the text; buckets of a histogram are under `<name>_bucket`. */
  readonly samples: ReadonlyMap<string, ReadonlyArray<Sample>>
  /** Lines that are neither a sample nor a comment, and lines past the bound. */
  readonly skippedLines: number
}

/** A node has some two hundred. */
const linesMax = 10_000

const sampleLine = /^([A-Za-z_:][\w:]*)[ \t]*(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*$/
const labelPair = /[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,|$)/y
const escapes: Readonly<Record<string, string>> = { n: "\n", "\\": "\\", "\"": "\"" }
const numbers: Readonly<Record<string, number>> = { NaN, "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity }

/** An escape that the format does not know stands for itself. */
const unescape = (text: string): string => text.replace(/\\(.)/g, (whole, each: string) => escapes[each] ?? whole)

/** `a="b",c="d"`, with a comma at the end or without; undefined when it is something else. */
const labelsOf = (text: string): ReadonlyMap<string, string> | undefined => {
  const labels = new Map<string, string>()
  let place = 0
  while (place < text.length) {
    labelPair.lastIndex = place
    const pair = labelPair.exec(text)
    if (pair === null) return undefined
    labels.set(pair[1]!, unescape(pair[2]!))
    place = labelPair.lastIndex
  }
  return labels
}

const numberOf = (text: string): number | undefined => {
  const value = numbers[text] ?? Number(text)
  return Number.isNaN(value) && text !== "NaN" ? undefined : value
}

export const parse = (text: string): Metrics => {
  const samples = new Map<string, Array<Sample>>()
  const lines = text.split("\n")
  let skippedLines = Math.max(0, lines.length - linesMax)
  for (const line of lines.slice(0, linesMax)) {
    if (line.trim() === "" || line.startsWith("#")) continue
    const match = sampleLine.exec(line)
    const labels = match === null ? undefined : labelsOf(match[2]?.trimEnd() ?? "")
    const value = match === null ? undefined : numberOf(match[3]!)
    if (match === null || labels === undefined || value === undefined) {
      skippedLines++
      continue
    }
    const name = match[1]!
    const found = samples.get(name)
    if (found === undefined) samples.set(name, [{ labels, value }])
    else found.push({ labels, value })
  }
  return { samples, skippedLines }
}

/** What a sample's labels must be: each of these, and whatever else. */
export type Where = Readonly<Record<string, string>>

const fits = ({ labels }: Sample, where: Where): boolean =>
  Object.entries(where).every(([label, value]) => labels.get(label) === value)

/** The sum of the samples of `name` that fit; undefined when there are none. */
export const total = ({ samples }: Metrics, name: string, where: Where = {}): number | undefined => {
  const found = (samples.get(name) ?? []).filter((sample) => fits(sample, where))
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0)
}

export interface Bucket {
  /** Upper bound, inclusive; the last is Infinity. */
  readonly le: number
  /** Observations up to it, since the node's start. */
  readonly count: number
}

/** The buckets of a histogram, ascending; those of several series that fit are added up. Empty when there is none. */
export const buckets = ({ samples }: Metrics, name: string, where: Where = {}): ReadonlyArray<Bucket> => {
  const counts = new Map<number, number>()
  for (const sample of samples.get(`${name}_bucket`) ?? []) {
    const le = numberOf(sample.labels.get("le") ?? "")
    if (le === undefined || Number.isNaN(le) || !fits(sample, where)) continue
    counts.set(le, (counts.get(le) ?? 0) + sample.value)
  }
  return [...counts].map(([le, count]) => ({ le, count })).sort((a, b) => a.le - b.le)
}
