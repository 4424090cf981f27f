/** The line that says how far long work is. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { percentile } from "../../src/cli/load.ts"
import { progressLine, restText, screenOf } from "../../src/cli/progress.ts"
import { widthOf } from "../../src/cli/terminal/width.ts"
import { Dice, Seed } from "../domain/records.ts"

/** A stream that keeps what is written to it. */
const stream = (isTTY: boolean, columns?: number) => {
  const written: Array<string> = []
  const write = (text: string, done?: () => void): boolean => {
    written.push(text)
    done?.()
    return true
  }
  return { written, stream: { isTTY, columns, write } as unknown as NodeJS.WriteStream }
}

describe("progress", () => {
  it("is a bar with words where there is room, else the share with words", () => {
    assert.strictEqual(
      progressLine("5 of 10 records", 0.5, 80),
      `${"█".repeat(12)}${"░".repeat(12)}  50 % 5 of 10 records`
    )
    assert.strictEqual(progressLine("5 of 10 records", 0.5, 40), "50 % 5 of 10 records")
    assert.strictEqual(progressLine("looking …", undefined, 80), "looking …")
    assert.match(progressLine("x", 1.5, 80), /^█{24} 100 % x$/)
    assert.match(progressLine("x", -1, 80), /^░{24} {3}0 % x$/)
  })

  it.prop("is never wider than the terminal", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const columns = 1 + dice.below(100)
    const text = dice.pick(["", "5 of 10", "世界 ".repeat(20)])
    assert.isAtMost(widthOf(progressLine(text, dice.coin() ? undefined : dice.below(101) / 100, columns)), columns)
  })

  it("says how long the rest takes once that can be told", () => {
    assert.strictEqual(restText(0.5, 1_000), "")
    assert.strictEqual(restText(0.25, 10_000), ", 30 s left")
    assert.strictEqual(restText(1, 10_000), "")
    assert.strictEqual(restText(0, 10_000), "")
  })

  it.effect("is written over on a terminal, and taken away", () =>
    Effect.gen(function*() {
      const { stream: terminal, written } = stream(true, 60)
      const screen = screenOf(terminal)
      yield* screen.clear
      yield* screen.progress("one", 0)
      yield* screen.progress("two at once is not drawn", 0)
      yield* screen.clear
      yield* screen.progress("three")
      assert.strictEqual(written.length, 3)
      assert.strictEqual(written[0], `\r\x1b[K${"░".repeat(24)}   0 % one`)
      assert.deepStrictEqual(written.slice(1), ["\r\x1b[K", "\r\x1b[Kthree"])
    }))

  it.effect("is silent elsewhere for a while", () =>
    Effect.gen(function*() {
      const { stream: pipe, written } = stream(false)
      yield* screenOf(pipe).progress("one", 0.1)
      assert.deepStrictEqual(written, [])
    }))
})

describe("percentiles", () => {
  it("are values that were measured, by nearest rank", () => {
    const values = Array.from({ length: 100 }, (_, i) => i + 1)
    assert.deepStrictEqual([0, 0.5, 0.99, 0.991, 1].map((share) => percentile(values, share)), [1, 50, 99, 100, 100])
    assert.deepStrictEqual([percentile([], 0.5), percentile([7], 0.99)], [0, 7])
  })
})
