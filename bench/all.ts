/**
 * Every bench in order, each alone, and then what was wanted beside what was measured.
 *
 *     node bench/all.ts [--quick] [--turns N] [BENCH …]      all, or those named
 *     node bench/all.ts --summary                            runs nothing: the pages anew from what results there are
 *
 * A bench's tables are kept as bench/results/<name>.md beside its numbers, the summary as summary.md. A full run also puts
 * both into bench/README.md, between its markers, so that no figure there is typed by hand. A bench that fails does not stop
 * the others; the exit code is 1 then.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { execute } from "./report/execute.ts"
import { isQuick } from "./report/measure.ts"
import { type Stored, summarize } from "./report/targets.ts"

const benches = [
  "verify",
  "store",
  "sync",
  "inbox",
  "http",
  "write",
  "spread",
  "catch-up",
  "start",
  "memory",
  "streams",
  "growth",
  "elsewhere"
] as const

type Bench = typeof benches[number]

const ending = isQuick ? ".quick" : ""
const results = new URL("results/", import.meta.url)
const readme = new URL("README.md", import.meta.url)
const fileOf = (name: string, kind: "json" | "md"): URL => new URL(`${name}${ending}.${kind}`, results)

interface Results extends Stored {
  readonly machine: {
    readonly node: string
    readonly cpu: string
    readonly cores: number
    readonly loadAverage: Array<number>
  }
}

const resultsOf = (bench: string): Results | undefined =>
  existsSync(fileOf(bench, "json")) ? JSON.parse(readFileSync(fileOf(bench, "json"), "utf8")) as Results : undefined

const machineOf = ({ date, machine }: Results): string =>
  `${date.slice(0, 10)}, Node ${machine.node.slice(1)}, ${machine.cpu}, ${machine.cores} cores, ` +
  `load average ${machine.loadAverage[0]}`

/** The tables and lists of what a bench printed: the rest is for who waits for it. */
const pageOf = (printed: string): string => {
  const kept = printed.split("\n").map((line) => /^(?:\||- )/.test(line) ? line : "")
  return `${kept.join("\n").replaceAll(/\n{3,}/g, "\n\n").trim()}\n`
}

const run = async (bench: Bench, passed: ReadonlyArray<string>): Promise<boolean> => {
  console.log(`\n── ${bench} ──\n`)
  try {
    const page = pageOf(await execute(bench, passed))
    const stored = resultsOf(bench)
    writeFileSync(fileOf(bench, "md"), `${stored === undefined ? "" : `${machineOf(stored)}:\n\n`}${page}`)
    return true
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return false
  }
}

/** Puts `text` between the markers of `name`; a page without them is left as it is. */
const between = (page: string, name: string, text: string): string => {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  return from < 0 || to < from ? page : `${page.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${page.slice(to)}`
}

const writeReadme = (): void => {
  let page = readFileSync(readme, "utf8")
  for (const name of [...benches, "summary"]) {
    if (existsSync(fileOf(name, "md"))) page = between(page, name, readFileSync(fileOf(name, "md"), "utf8"))
  }
  writeFileSync(readme, page)
  const root = fileURLToPath(new URL("..", import.meta.url))
  execFileSync(join(root, "node_modules/.bin/dprint"), ["fmt", "bench/README.md", "bench/results/*.md"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"]
  })
}

/** What was given, by what it is for: the benches, and this. */
const given = process.argv.slice(2)
const isPassed = (argument: string, i: number): boolean =>
  argument === "--quick" || argument === "--turns" || given[i - 1] === "--turns"
const passed = given.filter(isPassed)
const named = given.filter((argument, i) => !isPassed(argument, i) && argument !== "--summary")

const isBench = (name: string): name is Bench => (benches as ReadonlyArray<string>).includes(name)
const unknownNames = named.filter((name) => !isBench(name))
if (unknownNames.length > 0) throw new Error(`no bench is named ${unknownNames.join(", ")}: ${benches.join(", ")}`)

const chosen = given.includes("--summary") ? [] : named.length > 0 ? named.filter(isBench) : benches
mkdirSync(results, { recursive: true })
const failed: Array<Bench> = []
for (const bench of chosen) if (!await run(bench, passed)) failed.push(bench)

const { markdown, met, missed, unknown } = summarize(resultsOf)
console.log(`\n${markdown}\n\n${met} met, ${missed} missed, ${unknown} not measured`)
writeFileSync(fileOf("summary", "md"), `${markdown}\n`)
if (!isQuick) writeReadme()
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
