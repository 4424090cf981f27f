/** The regression guard's judgement: a real slow-down is flagged, noise is not, and the intervals are what they claim. */
import { assert, describe, it } from "@effect/vitest"
import type { Measured } from "../../bench/report/measure.ts"
import { intervalOf, judge, type Results, type Series, seriesOf, turnsMin } from "../../bench/report/regression.ts"

/** Numbers from 0 to 1 that depend on the seed only. */
const chances = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 >>> 0
    state = Math.imul(state ^ (state >>> 13), 0x297a2d39) + 0x85ebca6b >>> 0
    return (state >>> 4) / 2 ** 28
  }
}

const series = (values: ReadonlyArray<number>): Series => ({ name: "a row", unit: "CPU µs", relative: false, values })

/** Turns of about `level`, as noisy as a shared machine: mostly within 10 %, now and then far above. */
const noisy = (chance: () => number, level: number, turns: number): Series =>
  series(Array.from({ length: turns }, () => level * (0.95 + chance() * 0.1) * (chance() < 0.1 ? 1.6 : 1)))

const flaggedOf = (trials: number, slowDown: number, turns: number): number => {
  const chance = chances(slowDown * 1_000 + turns)
  let flagged = 0
  for (let i = 0; i < trials; i++) {
    if (judge(noisy(chance, 100, turns), noisy(chance, 100 * slowDown, turns)).outcome === "slower") flagged++
  }
  return flagged
}

describe("the interval of a median", () => {
  it("is of the ranks that hold it with 95 %", () => {
    const upTo = (n: number) => Array.from({ length: n }, (_, i) => n - i)
    assert.deepStrictEqual(intervalOf(upTo(6)), { low: 1, high: 6, coverage: 1 - 2 / 64 })
    assert.deepStrictEqual(intervalOf(upTo(8)), { low: 1, high: 8, coverage: 1 - 2 / 256 })
    // from tables of the sign test: ranks 2 and 8 of 9, 6 and 15 of 20
    assert.strictEqual(intervalOf(upTo(9)).low, 2)
    assert.strictEqual(intervalOf(upTo(9)).high, 8)
    assert.strictEqual(intervalOf(upTo(20)).low, 6)
    assert.strictEqual(intervalOf(upTo(20)).high, 15)
  })

  it("says when it holds less than that", () => {
    assert.deepStrictEqual(intervalOf([3, 1, 2]), { low: 1, high: 3, coverage: 0.75 })
    assert.isBelow(intervalOf([1, 2, 3, 4, 5]).coverage, 0.95)
    assert.isAtLeast(intervalOf([1, 2, 3, 4, 5, 6]).coverage, 0.95)
    assert.strictEqual(intervalOf([]).coverage, 0)
  })

  it("holds the true median as often as it claims", () => {
    const chance = chances(7)
    const trials = 2_000
    let held = 0
    for (let i = 0; i < trials; i++) {
      const { high, low } = intervalOf(Array.from({ length: 12 }, () => chance() ** 3))
      if (low <= 0.125 && 0.125 <= high) held++
    }
    assert.isAtLeast(held / trials, 0.94)
  })
})

describe("a verdict", () => {
  it("flags a real slow-down", () => {
    assert.strictEqual(
      judge(series([100, 101, 99, 100, 102, 98]), series([120, 121, 119, 122, 118, 120])).outcome,
      "slower"
    )
    // what is missed had three bad turns of twelve in the baseline
    assert.isAtLeast(flaggedOf(400, 1.3, 12), 340)
  })

  it("does not flag noise", () => {
    // by chance all six turns are above all six: once in 924
    assert.isAtMost(flaggedOf(2_000, 1, turnsMin), 6)
    assert.isAtMost(flaggedOf(2_000, 1.02, 12), 40)
  })

  it("needs both: the median above 5 %, and the intervals apart", () => {
    const before = series([100, 100.1, 99.9, 100, 100.2, 99.8])
    // apart, but by 4 %
    assert.strictEqual(judge(before, series([104, 104.1, 103.9, 104, 104.2, 103.8])).outcome, "same")
    // by 20 %, but one turn was as fast as before
    assert.strictEqual(judge(before, series([120, 121, 119, 120, 100, 122])).outcome, "same")
  })

  it("tells what became faster, and judges nothing by few turns", () => {
    const [slow, fast] = [series([120, 121, 119, 122, 118, 120]), series([100, 101, 99, 100, 102, 98])]
    assert.strictEqual(judge(slow, fast).outcome, "faster")
    assert.strictEqual(judge(series([100, 100, 100]), series([200, 200, 200])).outcome, "too few turns")
  })
})

describe("what is compared", () => {
  const measured = (name: string, cpuMs: ReadonlyArray<number>, bare?: string): Measured => ({
    name,
    runs: cpuMs.length,
    perSecond: 1,
    cpuMicros: 1,
    wallMicros: 1,
    perSecondOfRuns: [],
    ...(bare === undefined ? {} : { bare }),
    turns: cpuMs.map((each) => ({ units: 10, wallMs: 1, cpuMs: each }))
  })
  const results = (data: unknown): Results => ({
    bench: "b",
    date: "",
    quick: false,
    machine: { node: "", cpu: "", cores: 2 },
    data
  })

  it("is a row's CPU time in that of its bare row, turn by turn", () => {
    const rows = [measured("a write: node", [20, 90]), measured("a write: bare", [10, 30])]
    assert.deepStrictEqual(seriesOf(results({ note: "", measured: rows })), [
      { name: "b / measured / a write: node", unit: "CPU, in bare ones", relative: true, values: [2, 3] }
    ])
  })

  it("takes the bare row that a row names, also for several", () => {
    const rows = [measured("x", [4], "z"), measured("y", [6], "z"), measured("z", [2])]
    assert.deepStrictEqual(seriesOf(results(rows)).map(({ values }) => values), [[2], [3]])
  })

  it("is the CPU time itself where nothing is bare, and figures that a bench names", () => {
    const watched = [{ name: "bytes", unit: "bytes", values: [30, 40], bare: [10, 10] }]
    const found = seriesOf({ ...results({ deep: { rows: [measured("alone", [3])] }, other: [1, "x", null] }), watched })
    assert.deepStrictEqual(found, [
      { name: "b / deep / rows / alone", unit: "CPU µs", relative: false, values: [300] },
      { name: "b / bytes", unit: "bytes, in bare ones", relative: true, values: [3, 4] }
    ])
  })
})
