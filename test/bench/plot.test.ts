/** Plots are files that any viewer takes: what is drawn stands where its value is, on logarithmic axes. */
import { assert, describe, it } from "@effect/vitest"
import { type Plot, svgOf } from "../../bench/report/plot.ts"

const plot = (points: Plot["curves"][number]["points"], name = "a curve"): string =>
  svgOf({ title: "Commit", xLabel: "stored messages", yLabel: "CPU µs a message", curves: [{ name, points }] })

const placesIn = (svg: string): ReadonlyArray<readonly [number, number]> =>
  /<polyline [^>]*points="([^"]*)"/.exec(svg)![1]!.split(" ").map((pair) => {
    const [x, y] = pair.split(",").map(Number) as [number, number]
    return [x, y]
  })

describe("a plot", () => {
  it("draws what does not grow as a flat line, and a power of n as a straight one", () => {
    const xs = [10_000, 100_000, 1_000_000]
    const flat = placesIn(plot(xs.map((x) => ({ x, y: 40 })))).map(([, y]) => y)
    assert.strictEqual(new Set(flat).size, 1)
    const [a, b, c] = placesIn(plot(xs.map((x) => ({ x, y: x ** 0.5 })))) as [
      [number, number],
      [number, number],
      [number, number]
    ]
    assert.closeTo(b[0] - a[0], c[0] - b[0], 0.2)
    assert.closeTo(b[1] - a[1], c[1] - b[1], 0.2)
    assert.isBelow(c[1], a[1])
  })

  it("keeps everything inside, also bars of turns far from the median", () => {
    const svg = plot([{ x: 2, y: 100, low: 1, high: 90_000 }, { x: 5, y: 120, low: 110, high: 130 }])
    const numbers = [...svg.matchAll(/ y[12]?="([0-9.-]+)"/g)].map(([, y]) => Number(y))
    assert.isAtLeast(Math.min(...numbers), 0)
    assert.isAtMost(Math.max(...numbers), 440)
  })

  it("names its units, in light and in dark, and lets no name break out", () => {
    const svg = plot([{ x: 10, y: 1 }, { x: 20, y: 2 }], `a < b & "c"`)
    for (
      const part of [
        "stored messages",
        "CPU µs a message",
        "prefers-color-scheme: dark",
        "a &lt; b &amp; &quot;c&quot;"
      ]
    ) {
      assert.include(svg, part)
    }
    assert.notInclude(svg, "a < b")
  })
})
