/** The report on coverage is shown to go red, and to name the right places, on a measured sample. */
import { assert, describe, it } from "@effect/vitest"
import { compare, type Exception, type FileCoverage, hidden, reportOf, table } from "../../scripts/coverage.ts"

const source = [
  "export const size = (n: number): string => {",
  "  if (n < 0) return \"none\"",
  "  const word = n > 9 ? \"many\" : n ?? 1",
  "  switch (n) {",
  "    case 1:",
  "      return \"one\"",
  "  }",
  "  return [n].map((x) => x + word).join()",
  "}"
].join("\n")
const start = (line: number, column: number) => ({ start: { line, column } })

/** Called with 5 only. */
const coverage: FileCoverage = {
  statementMap: { 0: start(2, 2), 1: start(2, 13), 2: start(3, 15), 3: start(4, 2), 4: start(6, 6), 5: start(8, 2) },
  s: { 0: 1, 1: 0, 2: 1, 3: 1, 4: 0, 5: 1 },
  fnMap: { 0: { loc: start(1, 20) }, 1: { loc: start(8, 17) } },
  f: { 0: 1, 1: 0 },
  branchMap: {
    0: { type: "if", loc: start(2, 2), locations: [start(2, 2), { start: {} }] },
    1: { type: "cond-expr", loc: start(3, 15), locations: [start(3, 23), start(3, 32)] },
    2: { type: "binary-expr", loc: start(3, 32), locations: [start(3, 32), start(3, 37)] },
    3: { type: "switch", loc: start(4, 2), locations: [start(5, 4)] }
  },
  b: { 0: [0, 1], 1: [0, 1], 2: [1, 0], 3: [0] }
}
const report = reportOf("src/domain/size.ts", source, coverage)

const excuse = (kind: Exception["kind"], code: string): Exception => ({
  file: report.file,
  kind,
  code,
  reason: "of the sample"
})

describe("coverage report", () => {
  it("names what did not run: statements, functions on lines that ran, arms, operands, cases", () => {
    assert.deepStrictEqual(report.gaps.map(({ code, kind, line }) => [line, kind, code]), [
      [2, "line", "return \"none\""],
      [2, "if", "if (n < 0) return \"none\""],
      [3, "arm", "\"many\" : n ?? 1"],
      [3, "operand", "1"],
      [5, "case", "case 1:"],
      [6, "line", "return \"one\""],
      [8, "line", "(x) => x + word).join()"]
    ])
    assert.deepStrictEqual(report.lines, { covered: 3, total: 6 })
    assert.deepStrictEqual(report.branches, { covered: 3, total: 7 })
  })

  it("knows an else that is not written", () => {
    const never = reportOf(report.file, source, { ...coverage, b: { ...coverage.b, 0: [1, 0] } })
    assert.deepStrictEqual(never.gaps.filter(({ line }) => line === 2).map(({ kind }) => kind), ["line", "else"])
  })

  it("goes red for what is not named, and for what is named and covered or gone", () => {
    const all = report.gaps.map(({ code, kind }) => excuse(kind, code))
    assert.deepStrictEqual(compare(report.gaps, all), { unnamed: [], stale: [] })
    assert.deepStrictEqual(compare(report.gaps, all.slice(1)), { unnamed: [report.gaps[0]!], stale: [] })
    assert.deepStrictEqual(compare(report.gaps.slice(1), all), { unnamed: [], stale: [all[0]!] })
    // one exception is for one place
    assert.deepStrictEqual(compare([report.gaps[0]!, report.gaps[0]!], [all[0]!]).unnamed, [report.gaps[0]!])
    for (
      const other of [
        { ...all[0]!, file: "src/domain/other.ts" },
        { ...all[0]!, kind: "else" as const },
        { ...all[0]!, code: "return" }
      ]
    ) {
      assert.deepStrictEqual(compare(report.gaps, [other, ...all.slice(1)]), {
        unnamed: [report.gaps[0]!],
        stale: [other]
      })
    }
  })

  it("sees comments that take code out of the count", () => {
    const hints = ["v8", "c8", "istanbul"].map((tool) => `/* ${tool} ignore next */`)
    assert.deepStrictEqual(hidden([...hints, "// to ignore v8", `/* node:${"coverage"} disable */`].join("\n")), [
      1,
      2,
      3,
      5
    ])
  })

  it("is a table of shares that are never rounded up", () => {
    const nearly = { ...report, file: "b.ts", lines: { covered: 29_999, total: 30_000 }, gaps: [] }
    const none = { file: "c.ts", lines: { covered: 0, total: 0 }, branches: { covered: 0, total: 0 }, gaps: [] }
    const rows = table([report, nearly, none]).split("\n").map((line) => line.split(/ {2,}/))
    assert.deepStrictEqual(rows, [
      ["file", "lines %", "branches %", "not covered"],
      ["src/domain/size.ts", "50.00", "3/6", "42.85", "3/7", "2 3 5 6 8"],
      ["b.ts", "99.99", "29999/30000", "42.85", "3/7"],
      ["c.ts", "-", "0/0", "-", "0/0"],
      ["all", "99.98", "30002/30006", "42.85", "6/14"]
    ])
  })
})
