/**
 * Is anything slower than the kept baseline?
 *
 *     node bench/compare.ts [BENCH …]             the latest results beside the baseline; exit code 1 when a row is slower
 *     node bench/compare.ts --run [BENCH …]       runs the benches first, with as many turns as a verdict needs
 *     node bench/compare.ts --keep [BENCH …]      makes the latest results (with --run: new ones) the baseline
 *
 * What "slower" means is in `regression.ts`. Without names, all benches are meant that have a baseline, or with --keep all
 * that have results. Exit code 2: nothing could be judged.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { execute } from "./report/execute.ts"
import { isQuick, table } from "./report/measure.ts"
import { confidence, judge, type Results, type Series, seriesOf, turnsMin, type Verdict } from "./report/regression.ts"

/** A baseline: of the results no more than what is compared. */
interface Baseline extends Pick<Results, "bench" | "date" | "machine"> {
  readonly series: ReadonlyArray<Series>
}

const resultsDirectory = new URL("results/", import.meta.url)
const baselineDirectory = new URL("baseline/", import.meta.url)
const ending = isQuick ? ".quick.json" : ".json"

const read = <A>(file: URL): A | undefined => existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) as A : undefined

const resultsOf = (bench: string) => read<Results>(new URL(`${bench}${ending}`, resultsDirectory))
const baselineOf = (bench: string) => read<Baseline>(new URL(`${bench}${ending}`, baselineDirectory))

const namesIn = (directory: URL): ReadonlyArray<string> =>
  !existsSync(directory) ? [] : readdirSync(directory)
    .filter((file) => file.endsWith(ending) && (isQuick || !file.endsWith(".quick.json")))
    .map((file) => file.slice(0, -ending.length)).sort()

const keep = (bench: string): void => {
  const results = resultsOf(bench)
  if (results === undefined) throw new Error(`no results of ${bench}: run it first`)
  const { date, machine } = results
  const series = seriesOf(results)
  if (series.length === 0) return console.log(`${bench}: nothing to compare in its results`)
  mkdirSync(baselineDirectory, { recursive: true })
  const baseline: Baseline = { bench, date, machine, series }
  writeFileSync(new URL(`${bench}${ending}`, baselineDirectory), `${JSON.stringify(baseline, null, 2)}\n`)
  const few = series.filter(({ values }) => values.length < turnsMin).length
  console.log(`${bench}: ${series.length} rows kept${few === 0 ? "" : `, ${few} of them of too few turns to judge by`}`)
}

const sameMachine = (a: Results["machine"], b: Results["machine"]): boolean =>
  a.cpu === b.cpu && a.cores === b.cores && a.node === b.node

interface Comparison {
  readonly verdicts: ReadonlyArray<Verdict>
  /** Why rows were not compared. */
  readonly left: ReadonlyArray<string>
}

const compare = (bench: string): Comparison => {
  const [before, results] = [baselineOf(bench), resultsOf(bench)]
  if (before === undefined) return { verdicts: [], left: [`${bench}: no baseline`] }
  if (results === undefined) return { verdicts: [], left: [`${bench}: no results`] }
  const now = new Map(seriesOf(results).map((series) => [series.name, series]))
  const like = sameMachine(before.machine, results.machine)
  const verdicts: Array<Verdict> = []
  const left: Array<string> = []
  for (const series of before.series) {
    const present = now.get(series.name)
    now.delete(series.name)
    if (present === undefined) left.push(`${series.name}: gone`)
    else if (present.relative !== series.relative) left.push(`${series.name}: measured in another way`)
    else if (!series.relative && !like) left.push(`${series.name}: no bare row, and another machine or Node`)
    else verdicts.push(judge(series, present))
  }
  return { verdicts, left: [...left, ...[...now.keys()].map((name) => `${name}: new`)] }
}

const rounded = (value: number): string => String(Number(value.toPrecision(4)))

const span = ({ high, low }: Verdict["interval"]): string => `${rounded(low)} – ${rounded(high)}`

const report = ({ left, verdicts }: Comparison): number => {
  const changed = verdicts.filter(({ outcome }) => outcome === "slower" || outcome === "faster")
  if (changed.length > 0) {
    console.log(table(
      ["row", "unit", "before", `${confidence * 100} %`, "now", `${confidence * 100} %`, "now / before", ""],
      changed.map((verdict) => [
        verdict.name,
        verdict.unit,
        verdict.before,
        span(verdict.intervalBefore),
        verdict.now,
        span(verdict.interval),
        verdict.now / verdict.before,
        verdict.outcome
      ])
    ))
  }
  for (const line of left) console.log(`not compared: ${line}`)
  const count = (outcome: Verdict["outcome"]): number =>
    verdicts.filter((verdict) => verdict.outcome === outcome).length
  const [slower, few] = [count("slower"), count("too few turns")]
  console.log(
    `${slower} slower, ${count("faster")} faster, ${count("same")} the same, ${few} of fewer than ${turnsMin} turns, ` +
      `${left.length} not compared`
  )
  return slower > 0 ? 1 : verdicts.length === few ? 2 : 0
}

const given = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))
const keeps = process.argv.includes("--keep")
const benches = given.length > 0 ? given : namesIn(keeps ? resultsDirectory : baselineDirectory)

if (process.argv.includes("--run")) {
  for (const bench of benches) await execute(bench, ["--turns", String(turnsMin), ...(isQuick ? ["--quick"] : [])])
}
if (keeps) { for (const bench of benches) keep(bench) }
else {
  const all = benches.map(compare)
  process.exitCode = report({
    verdicts: all.flatMap(({ verdicts }) => verdicts),
    left: all.flatMap(({ left }) => left)
  })
}
