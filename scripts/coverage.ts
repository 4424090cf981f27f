/**
 * `npm run coverage`: which lines and branches of src/domain the unit tests run, as a table, and each one that they do
 * not by `file:line`. What is not covered must be named with its reason in test/domain-coverage/exceptions.json, and what is
 * named there must not be covered: else, or when a test fails, the exit code is 1.
 *
 * A line is covered when every statement and function that begins on it ran, a branch when it was taken once: both arms
 * of a condition, each operand of `&&`, `||` and `??`, each case. Comments that hide code from the count are refused.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative, sep } from "node:path"
import { startVitest } from "vitest/node"

interface Position {
  readonly line: number
  readonly column: number
}
interface Location {
  /** Without a line: an `else` that is not written. */
  readonly start: Partial<Position>
}
type Counted<A> = Readonly<Record<string, A>>

/** What istanbul's format says of a file; lines from 1, columns from 0. */
export interface FileCoverage {
  readonly statementMap: Counted<{ readonly start: Position }>
  readonly s: Counted<number>
  readonly fnMap: Counted<{ readonly loc: { readonly start: Position } }>
  readonly f: Counted<number>
  readonly branchMap: Counted<
    { readonly type: string; readonly loc: Location; readonly locations: ReadonlyArray<Location> }
  >
  readonly b: Counted<ReadonlyArray<number>>
}

/** Something that no test runs. */
export interface Gap {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly kind: "line" | "if" | "else" | "arm" | "operand" | "case" | "default"
  /** From where it begins to the end of its line. */
  readonly code: string
}

export interface Exception {
  readonly file: string
  readonly kind: Gap["kind"]
  /** As the report shows it. */
  readonly code: string
  /** What makes it unreachable for a test. */
  readonly reason: string
}

export interface Share {
  readonly covered: number
  readonly total: number
}

export interface FileReport {
  readonly file: string
  readonly lines: Share
  readonly branches: Share
  readonly gaps: ReadonlyArray<Gap>
}

const kindOf = (type: string, arm: number): Gap["kind"] => {
  if (type === "if") return arm === 0 ? "if" : "else"
  return type === "cond-expr" ? "arm" : type === "binary-expr" ? "operand" : type === "switch" ? "case" : "default"
}

export const reportOf = (file: string, source: string, coverage: FileCoverage): FileReport => {
  const texts = source.split("\n")
  const gapAt = (kind: Gap["kind"], { column, line }: Position): Gap => ({
    file,
    line,
    kind,
    code: texts[line - 1]!.slice(column).trim()
  })
  /** By line, the first thing on it that never ran. */
  const lines = new Map<number, Gap | undefined>()
  const countLine = (start: Position, count: number): void => {
    lines.set(start.line, lines.get(start.line) ?? (count === 0 ? gapAt("line", start) : undefined))
  }
  for (const [key, { start }] of Object.entries(coverage.statementMap)) countLine(start, coverage.s[key]!)
  for (const [key, { loc }] of Object.entries(coverage.fnMap)) countLine(loc.start, coverage.f[key]!)
  const branches = Object.entries(coverage.branchMap).flatMap(([key, { loc, locations, type }]) =>
    coverage.b[key]!.map((count, arm) => {
      const start = { ...loc.start, ...locations[arm]!.start } as Position
      return count === 0 ? gapAt(kindOf(type, arm), start) : undefined
    })
  )
  const isGap = (gap: Gap | undefined): gap is Gap => gap !== undefined
  const notRun = [...lines.values()].filter(isGap)
  const notTaken = branches.filter(isGap)
  return {
    file,
    lines: { covered: lines.size - notRun.length, total: lines.size },
    branches: { covered: branches.length - notTaken.length, total: branches.length },
    gaps: [...notRun, ...notTaken].sort((a, b) => a.line - b.line)
  }
}

const fits = (exception: Exception, gap: Gap): boolean =>
  exception.file === gap.file && exception.kind === gap.kind && exception.code === gap.code

/** Gaps with no exception, and exceptions with no gap. An exception stands for one gap. */
export const compare = (
  gaps: ReadonlyArray<Gap>,
  exceptions: ReadonlyArray<Exception>
): { readonly unnamed: ReadonlyArray<Gap>; readonly stale: ReadonlyArray<Exception> } => {
  const stale = [...exceptions]
  const unnamed = gaps.filter((gap) => {
    const index = stale.findIndex((exception) => fits(exception, gap))
    if (index >= 0) stale.splice(index, 1)
    return index < 0
  })
  return { unnamed, stale }
}

/** Lines with a comment that takes code out of the count. */
export const hidden = (source: string): ReadonlyArray<number> =>
  source.split("\n").flatMap((text, i) => /\b(?:v8|c8|istanbul)\s+ignore\b|\bnode:coverage\b/.test(text) ? [i + 1] : [])

const percent = ({ covered, total }: Share): string =>
  total === 0 ? "-" : (Math.floor((covered / total) * 10_000) / 100).toFixed(2)

const sum = (shares: ReadonlyArray<Share>): Share => ({
  covered: shares.reduce((n, { covered }) => n + covered, 0),
  total: shares.reduce((n, { total }) => n + total, 0)
})

const row = (name: string, lines: Share, branches: Share, gaps: ReadonlyArray<Gap>): ReadonlyArray<string> => [
  name,
  percent(lines),
  `${lines.covered}/${lines.total}`,
  percent(branches),
  `${branches.covered}/${branches.total}`,
  [...new Set(gaps.map(({ line }) => line))].join(" ")
]

/** One line a file, a line for all of them at the end. */
export const table = (reports: ReadonlyArray<FileReport>): string => {
  const rows = [
    ["file", "lines %", "", "branches %", "", "not covered"],
    ...reports.map(({ branches, file, gaps, lines }) => row(file, lines, branches, gaps)),
    row("all", sum(reports.map(({ lines }) => lines)), sum(reports.map(({ branches }) => branches)), [])
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)))
  return rows.map((cells) =>
    cells.map((cell, column) =>
      column === 0 || column === cells.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
    ).join("  ").trimEnd()
  ).join("\n")
}

const showGap = ({ code, file, kind, line }: Gap): string => `${file}:${line}  ${kind}  ${code}`

/** Runs the tests. `undefined` when they did not all pass. */
const measure = async (): Promise<Counted<FileCoverage> | undefined> => {
  const directory = mkdtempSync(join(tmpdir(), "p2p-mes-coverage-"))
  let map: unknown
  try {
    const vitest = await startVitest("test", [], {
      config: "test/domain-coverage/vitest.config.ts",
      watch: false,
      reporters: ["minimal", { onCoverage: (coverage: unknown) => void (map = coverage) }],
      coverage: { reporter: [], reportsDirectory: directory }
    })
    const passed = !process.exitCode && vitest.state.getTestModules().every((module) => module.ok())
    await vitest.close()
    return passed && map !== undefined ? JSON.parse(JSON.stringify(map)) as Counted<FileCoverage> : undefined
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const map = await measure()
  const say = (text: string) => process.stdout.write(`${text}\n`)
  if (map === undefined) {
    say("coverage: a test failed, nothing is reported")
    process.exit(1)
  }
  const root = join(import.meta.dirname, "..")
  const files = Object.keys(map).sort().map((path) => ({
    file: relative(root, path).split(sep).join("/"),
    source: readFileSync(path, "utf8"),
    coverage: map[path]!
  }))
  const reports = files.map(({ coverage, file, source }) => reportOf(file, source, coverage))
  const exceptionsFile = "test/domain-coverage/exceptions.json"
  const exceptions = JSON.parse(readFileSync(join(root, exceptionsFile), "utf8")) as ReadonlyArray<Exception>
  const { stale, unnamed } = compare(reports.flatMap(({ gaps }) => gaps), exceptions)
  const problems = [
    ...unnamed.map((gap) => `not covered, and not named in ${exceptionsFile}: ${showGap(gap)}`),
    ...stale.map(({ code, file, kind }) =>
      `named in ${exceptionsFile}, but covered or gone: ${file}  ${kind}  ${code}`
    ),
    ...files.flatMap(({ file, source }) =>
      hidden(source).map((line) => `a comment takes code out of the count: ${file}:${line}`)
    ),
    ...files.length === 0 ? ["no file was measured"] : []
  ]
  say(`\n${table(reports)}\n`)
  for (const { code, file, kind, reason } of exceptions) say(`named: ${file}  ${kind}  ${code}\n       ${reason}`)
  for (const problem of problems) say(problem)
  say(`coverage: ${problems.length === 0 ? "as it should be" : `${problems.length} problems`}`)
  process.exit(problems.length === 0 ? 0 : 1)
}
