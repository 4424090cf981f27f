/** The summary: what was wanted beside what the results say. */
import { assert, describe, it } from "@effect/vitest"
import { type Stored, summarize } from "../../bench/report/targets.ts"

const stored = (data: unknown): Stored => ({ date: "2026-01-02T03:04:05.000Z", data })
const of = (given: Readonly<Record<string, unknown>>) =>
  summarize((bench) => given[bench] === undefined ? undefined : stored(given[bench]))
const lineOf = (markdown: string, ...parts: ReadonlyArray<string>): string =>
  markdown.split("\n").find((line) => parts.every((part) => line.includes(part))) ?? ""

describe("the summary", () => {
  it("says of each figure whether it is met", () => {
    const store = (layer: number) => ({
      commits: [
        { name: "the layer, batches of 100", perSecond: layer, cpuMicros: 50 },
        { name: "bare statements, same schema, batches of 100", perSecond: 1, cpuMicros: 25 },
        { name: "naive layout, blob keys, batches of 100", perSecond: 1_000, cpuMicros: 9 }
      ],
      disk: [{ name: "the layer", bytesPerMessage: 701 }]
    })
    const [enough, few] = [of({ store: store(2_000) }), of({ store: store(1_990) })]
    assert.match(lineOf(enough.markdown, "storage ingest"), /2\.00 .* 2\.00 .* yes .* store, 2026-01-02/)
    assert.match(lineOf(few.markdown, "storage ingest"), /1\.99 .* no /)
    assert.match(lineOf(few.markdown, "storage, 300-byte"), /701 .* no /)
    assert.strictEqual(enough.met, 1)
    assert.strictEqual(few.missed, 2)
  })

  it("shows a dash for what was not measured, and counts it", () => {
    const { markdown, met, missed, unknown } = of({ write: { free: { cpuMicros: null } }, spread: 7 })
    assert.strictEqual(met + missed, 0)
    assert.strictEqual(unknown, markdown.split("\n").length - 2)
    assert.match(lineOf(markdown, "150 µs CPU"), /\| – \| – \| – \| write/)
  })

  it("takes nodes that never agreed for a miss, and a count of none for a figure", () => {
    const rows = [{ perSecond: 1_600, equal: { horizonsLate: 0 } }, { perSecond: 1_700 }]
    const { markdown } = of({ spread: { rows }, write: { account: { lost: 0 } } })
    assert.match(lineOf(markdown, "equal roots"), /\| never \| – \| no \|/)
    assert.match(lineOf(markdown, "1500 writes/s"), /1 700 .* yes/)
    assert.match(lineOf(markdown, "writes lost"), /\| 0 \| – \| yes/)
  })
})
