/** What the operator page reads from `/metrics`: the format, counters over a while, a quarter of an hour of lines. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { bucketsOver, increase, increaseOver, quantile } from "../../src/web/status/counting.ts"
import * as History from "../../src/web/status/history.ts"
import { type Plot, plots } from "../../src/web/status/plots.ts"
import { type Bucket, buckets, parse, total } from "../../src/web/status/prometheus.ts"

describe("the parser of Prometheus text", () => {
  const only = (line: string) => {
    const { samples, skippedLines } = parse(line)
    assert.strictEqual(skippedLines, 0, line)
    const [name, [sample]] = [...samples][0] as [string, ReadonlyArray<{ labels: Map<string, string>; value: number }>]
    return { name, labels: Object.fromEntries(sample!.labels), value: sample!.value }
  }

  it("reads names, labels, values and times", () => {
    assert.deepStrictEqual(only("a_b:c 1"), { name: "a_b:c", labels: {}, value: 1 })
    assert.deepStrictEqual(only("a{} -1.5e3"), { name: "a", labels: {}, value: -1_500 })
    assert.deepStrictEqual(only(`a{x="1",y="2"} 3 1700000000000`), { name: "a", labels: { x: "1", y: "2" }, value: 3 })
    assert.deepStrictEqual(only(`a { x = "1" , y="2", }\t3 `), {
      name: "a",
      labels: { x: "1", y: "2" },
      value: 3
    })
    for (const [text, value] of [["NaN", NaN], ["+Inf", Infinity], ["-Inf", -Infinity], ["Inf", Infinity]] as const) {
      assert.deepStrictEqual(only(`a ${text}`).value, value)
    }
  })

  it("takes escapes, braces, commas and equals signs in label values as what they stand for", () => {
    assert.deepStrictEqual(only(String.raw`a{x="\\n",y="l1\nl2",z="\"} 5 {b=\"c\",",w="\q"} 7`).labels, {
      x: "\\n",
      y: "l1\nl2",
      z: `"} 5 {b="c",`,
      w: "\\q"
    })
    assert.strictEqual(parse(`a{__proto__="x"} 1`).samples.get("a")![0]!.labels.get("__proto__"), "x")
  })

  it.effect.prop(
    "gives back what a node writes",
    // infinite ones too
    // @effect-diagnostics-next-line schemaNumber:off
    [Schema.String, Schema.Number],
    ([label, value]) =>
      Effect.gen(function*() {
        const gauge = Metric.withAttributes(Metric.gauge("some_gauge", { description: label }), { label })
        yield* Metric.update(gauge, value)
        const { samples, skippedLines } = parse(yield* PrometheusMetrics.format())
        assert.strictEqual(skippedLines, 0)
        const [sample] = samples.get("some_gauge")!
        assert.strictEqual(sample!.labels.get("label"), label)
        // the format has one zero
        assert.deepStrictEqual(sample!.value, Object.is(value, -0) ? 0 : value)
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )

  it("leaves out and counts what is no sample", () => {
    const bad = ["1a 1", "a", "a x", "a 1 x", `a{x} 1`, `a{x="1} 1`, `a{x="1"y="2"} 1`, `a{x="1"`, "<html>", "a 0x"]
    const { samples, skippedLines } = parse(["# HELP a text", "# TYPE a gauge", "", ...bad, "b 2"].join("\n"))
    assert.strictEqual(skippedLines, bad.length)
    assert.deepStrictEqual([...samples.keys()], ["b"])
    assert.strictEqual(parse("a 1\n".repeat(10_010)).skippedLines, 11)
  })

  it("adds up the series that fit", () => {
    const metrics = parse(`a{k="x",l="1"} 1\na{k="x",l="2"} 2\na{k="y"} 4`)
    assert.strictEqual(total(metrics, "a"), 7)
    assert.strictEqual(total(metrics, "a", { k: "x" }), 3)
    assert.strictEqual(total(metrics, "a", { k: "x", l: "2" }), 2)
    assert.strictEqual(total(metrics, "a", { k: "z" }), undefined)
    assert.strictEqual(total(metrics, "b"), undefined)
  })
})

describe("counters over a while", () => {
  it("grow by what was counted, through restarts too", () => {
    assert.strictEqual(increase(3, 5), 2)
    assert.strictEqual(increase(5, 5), 0)
    assert.strictEqual(increase(5, 2), 2)
    assert.strictEqual(increaseOver([1, 4, 9, 2, 3]), 3 + 5 + 2 + 1)
    assert.strictEqual(increaseOver([7]), 0)
    assert.strictEqual(increaseOver([]), 0)
  })

  const histogram = (...counts: ReadonlyArray<number>): ReadonlyArray<Bucket> => {
    const bounds = [1, 2, 5, Infinity]
    let sum = 0
    return counts.map((count, i) => ({ le: bounds[i]!, count: sum += count }))
  }

  it("of a histogram begin anew as one", () => {
    assert.deepStrictEqual(bucketsOver([histogram(1, 1, 0, 0), histogram(3, 1, 0, 1)]), histogram(2, 0, 0, 1))
    // the first bucket has as many as before the restart, all of them new
    assert.deepStrictEqual(bucketsOver([histogram(2, 5, 0, 0), histogram(2, 0, 0, 0)]), histogram(2, 0, 0, 0))
    assert.deepStrictEqual(bucketsOver([[], histogram(1, 2, 3, 4)]), histogram(1, 2, 3, 4))
    assert.deepStrictEqual(bucketsOver([histogram(1, 2, 3, 4)]), [])
  })

  it("give quantiles, as if evenly spread in a bucket", () => {
    assert.strictEqual(quantile(histogram(10, 0, 0, 0), 0.5), 0.5)
    assert.strictEqual(quantile(histogram(0, 10, 0, 0), 0.5), 1.5)
    assert.strictEqual(quantile(histogram(5, 5, 0, 0), 0.5), 1)
    assert.strictEqual(quantile(histogram(5, 5, 0, 0), 0.75), 1.5)
    assert.strictEqual(quantile(histogram(0, 0, 100, 0), 0.99), 2 + 3 * 0.99)
    assert.strictEqual(quantile(histogram(0, 0, 0, 3), 0.5), 5)
    assert.strictEqual(quantile(histogram(0, 0, 0, 0), 0.5), undefined)
    assert.strictEqual(quantile([], 0.5), undefined)
    assert.strictEqual(quantile(histogram(0, 4, 0, 0), 0), 1)
  })

  const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))
  const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

  it.prop(
    "give quantiles that lie between the bounds, and rise with the share",
    [Schema.Tuple([Count, Count, Count, Count]), Share, Share],
    ([counts, a, b]) => {
      const all = histogram(...counts)
      const low = quantile(all, Math.min(a, b))
      const high = quantile(all, Math.max(a, b))
      if (low === undefined || high === undefined) return counts.every((count) => count === 0)
      return low >= 0 && high <= 5 && low <= high
    }
  )

  it("are read from the text of a histogram", () => {
    const text = `h_bucket{le="+Inf"} 3\nh_bucket{le="10"} 2\nh_bucket{le="1"} 1\nh_sum 5\nh_count 3`
    assert.deepStrictEqual(buckets(parse(text), "h"), [
      { le: 1, count: 1 },
      { le: 10, count: 2 },
      { le: Infinity, count: 3 }
    ])
  })
})

describe("the history", () => {
  const unit = { text: String, tick: String }
  const plot: Plot = {
    key: "p",
    title: "",
    about: "",
    unit,
    lines: [
      { label: "gauge", reading: { how: "gauge", name: "g" } },
      { label: "rate", reading: { how: "rate", name: "c", perMs: 1_000, windowMs: 10_000 } },
      { label: "half", reading: { how: "quantile", name: "h", q: 0.5, windowMs: 30_000 } },
      { label: "unset", reading: { how: "gauge", name: "never", unset: 0 } }
    ]
  }
  const take = (history: History.History, atMs: number, text?: string) =>
    History.advance(history, [plot], atMs, text === undefined ? undefined : parse(text))
  const column = (history: History.History, index: number) => [...history.columns.get("p")![index]!]

  it("turns readings into gauges, rates and quantiles", () => {
    let history = take(History.empty, 0, "g 5")
    // the counter comes with its first count, and two seconds tell little of ten
    history = take(history, 2_000, `g 6\nc 10\nh_bucket{le="4"} 2\nh_bucket{le="+Inf"} 2`)
    history = take(history, 4_000, `g 7\nc 10\nh_bucket{le="4"} 2\nh_bucket{le="+Inf"} 2`)
    assert.deepStrictEqual(column(history, 0), [5, 6, 7])
    assert.deepStrictEqual(column(history, 1), [null, null, 2.5])
    assert.deepStrictEqual(column(history, 2), [null, 2, 2])
    assert.deepStrictEqual(column(history, 3), [0, 0, 0])
    assert.deepStrictEqual(History.valuesAt(history, plot), [7, 2.5, 2, 0])
    assert.deepStrictEqual(History.valuesAt(history, plot, 1), [6, null, 2, 0])
  })

  it("leaves a gap where there was no answer or nobody asked, and goes on after a restart of the node", () => {
    let history = take(History.empty, 0, "c 100\np2p_mes_http_requests_total 9")
    history = take(history, 2_000)
    history = take(history, 4_000, "c 6\np2p_mes_http_requests_total 2")
    assert.deepStrictEqual(column(history, 1), [null, null, 1.5])
    assert.strictEqual(history.restartedMs, 4_000)
    history = take(history, 60_000, "c 8\np2p_mes_http_requests_total 3")
    history = take(history, 62_000, "c 10\np2p_mes_http_requests_total 4")
    history = take(history, 64_000, "c 14\np2p_mes_http_requests_total 5")
    assert.deepStrictEqual(history.times, [0, 2_000, 4_000, 4_001, 60_000, 62_000, 64_000])
    assert.deepStrictEqual(column(history, 1), [null, null, 1.5, null, null, null, 1.5])
    assert.strictEqual(history.restartedMs, 4_000)
  })

  it("is bounded in time and number", () => {
    let history = History.empty
    for (let i = 0; i <= 1_000; i++) history = take(history, i * 2_000, `g ${i}`)
    assert.strictEqual(history.times.length, History.shownMs / 2_000 + 1)
    assert.strictEqual(history.times[0], 1_000 * 2_000 - History.shownMs)
    assert.strictEqual(column(history, 0)[0], history.times[0]! / 2_000)
    assert.isAtMost(history.recent.length, 32)
    for (let i = 0; i <= 3_000; i++) history = take(history, 2_000_000 + i, "g 1")
    assert.strictEqual(history.times.length, 900)
    for (const each of history.columns.get("p")!) assert.strictEqual(each.length, 900)
    assert.strictEqual(history.recent.length, 61)
  })

  it("tells by how much lines grew together", () => {
    const grown = (...texts: ReadonlyArray<string | undefined>) => {
      const sizes: Plot = {
        ...plot,
        lines: ["a", "b"].map((name) => ({ label: name, reading: { how: "gauge", name } }))
      }
      const history = texts.reduce(
        (all, text, i) => History.advance(all, [sizes], i * 2_000, text === undefined ? undefined : parse(text)),
        History.empty
      )
      return History.growth(history, sizes)
    }
    assert.strictEqual(grown(), undefined)
    assert.strictEqual(grown("a 1\nb 1"), undefined)
    assert.strictEqual(grown("a 1", "a 1"), undefined)
    assert.deepStrictEqual(grown("a 1", "a 1\nb 1", undefined, "a 3\nb 0"), { by: 1, overMs: 4_000 })
    assert.strictEqual(grown("a 1\nb 1", undefined), undefined)
  })

  it("shows what the node does not have in no plot", () => {
    const history = take(History.empty, 0, `x 1\ny_bucket{le="+Inf"} 1`)
    assert.deepStrictEqual(
      ["x", "y", "z"].map((needs) => History.has(history, { ...plot, needs })),
      [true, true, false]
    )
    assert.isTrue(History.has(history, plot))
  })
})

describe("the plots", () => {
  it("have keys of their own and a colour for each line", () => {
    assert.strictEqual(new Set(plots.map(({ key }) => key)).size, plots.length)
    for (const { lines } of plots) assert.isTrue(lines.length >= 1 && lines.length <= 4)
  })
})
