/** What reaches a terminal: harmless, as wide as was asked for, cut and wrapped between characters. */
import { assert, describe, it } from "@effect/vitest"
import { createInterface } from "node:readline"
import { PassThrough } from "node:stream"
import { paints } from "../../src/cli/terminal/colour.ts"
import { harmless, harmlessJson, harmlessLine } from "../../src/cli/terminal/harmless.ts"
import { codePointWidth, cut, fill, graphemes, widthOf, wrap } from "../../src/cli/terminal/width.ts"
import { Dice, Seed } from "../domain/records.ts"

/** Pieces that text of people and of attackers is made of. */
const pieces = [
  "hello",
  " ",
  "  ",
  "\n",
  "a",
  "wörld",
  "世界",
  "한국어",
  "e\u0301",
  "🙂",
  "👨‍👩‍👧",
  "❤️",
  "🇨🇭",
  "1️⃣",
  "שלום",
  "नमस्ते",
  "\t",
  "\r\n",
  "\r",
  "\x1b[2J",
  "\x1b]0;title\x07",
  "\x9b31m",
  "\x00",
  "\x7f",
  "\x08",
  "\u202e",
  "\u2066",
  "\u2028",
  "\ud83d",
  "\udc00",
  "\u200d",
  "\u0301".repeat(5),
  "ﷺ",
  "…",
  "x".repeat(30)
]
const textOf = (dice: Dice): string => Array.from({ length: dice.below(24) }, () => dice.pick(pieces)).join("")

/** Said here again, and otherwise than in the code: by categories and names of Unicode. */
const steers = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u
const implicitMarks = /[\u061c\u200e\u200f]/g

describe("text of others", () => {
  it.prop("has nothing in it that steers a terminal", [Seed], ([seed]) => {
    const text = textOf(new Dice(seed))
    assert.notMatch(harmless(text).replaceAll("\n", "").replace(implicitMarks, ""), steers)
    assert.notMatch(harmlessLine(text).replace(implicitMarks, ""), steers)
  })

  it("stays as it is when there is nothing of that kind in it", () => {
    // the rest of the planes has neither controls nor separators
    for (let code = 0x20; code < 0x1_2000; code++) {
      const character = String.fromCodePoint(code)
      const isFine = !steers.test(character.replace(implicitMarks, ""))
      if ((harmless(character) === character) !== isFine) assert.fail(`U+${code.toString(16)}`)
    }
    assert.strictEqual(harmless("a\tb\r\nc", "  "), "a    b\n  c")
    assert.strictEqual(harmlessLine("a \nb\n\n"), "a ↵ b ↵  ↵")
    assert.strictEqual(harmless("\x1b[31mred\x9b0m"), "\ufffd[31mred\ufffd0m")
  })

  it.prop("means the same as JSON, and steers nothing there", [Seed], ([seed]) => {
    const value = { text: textOf(new Dice(seed)) }
    const json = harmlessJson(JSON.stringify(value))
    assert.deepStrictEqual(JSON.parse(json), value)
    assert.notMatch(json.replace(implicitMarks, ""), steers)
  })
})

describe("widths", () => {
  it("are those of the engine's own tables, character by character", () => {
    const line = createInterface({ input: new PassThrough(), terminal: false, prompt: "" })
    const engine = (text: string): number => {
      Object.assign(line, { line: text, cursor: text.length })
      return line.getCursorPos().cols
    }
    // parts of Hangul syllables join what is before them; so do marks that the engine takes for letters; a soft hyphen is not seen
    const joins = /[\u1160-\u11ff\ud7b0-\ud7fb\p{Mn}\u00ad]/u
    const wrong: Array<string> = []
    for (let code = 0x20; code < 0x3_1400; code++) {
      const character = String.fromCodePoint(code)
      if (/[\p{Cn}\p{Cs}\p{Co}\p{Cc}]/u.test(character)) continue
      const expected = joins.test(character) ? 0 : engine(character)
      // tally marks and the like of later versions of Unicode are wide in some engines and not in others
      if (codePointWidth(character) !== expected && !/[\u{1d15e}-\u{1d1c0}]/u.test(character))
        wrong.push(code.toString(16))
    }
    line.close()
    assert.deepStrictEqual(wrong, [])
  })

  it("of what people take for one character", () => {
    for (
      const [text, width] of [
        ["", 0],
        ["abc", 3],
        ["世界", 4],
        ["한국", 4],
        ["e\u0301", 1],
        ["👨‍👩‍👧", 2],
        ["🇨🇭", 2],
        ["❤️", 2],
        ["1️⃣", 2],
        ["各국", 4],
        ["각", 2]
      ] as const
    ) assert.strictEqual(widthOf(text), width, text)
    // no one stacks a hundred marks on a letter
    assert.isBelow([...graphemes(`a${"\u0301".repeat(500)}`)][0]!.text.length, 40)
  })

  it.prop("are kept when text is cut, filled and wrapped, and nothing but spaces is lost", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const text = harmless(textOf(dice))
    const columns = 1 + dice.below(24)
    const line = harmlessLine(text)
    assert.isAtMost(widthOf(cut(line, columns)), columns)
    assert.strictEqual(cut(line, widthOf(line)), [...graphemes(line)].map((each) => each.text).join(""))
    assert.strictEqual(widthOf(fill(line, columns)), columns)
    const lines = wrap(text, columns)
    for (const each of lines) assert.isAtMost(widthOf(each), columns)
    const dense = (all: string) => all.replaceAll(/\s/g, "")
    // a character that is wider than the terminal is lost
    if (columns > 8) assert.strictEqual(dense(lines.join("")), dense(text))
  })

  it("break at spaces where there are some", () => {
    assert.deepStrictEqual(wrap("one two three", 8), ["one two", "three"])
    assert.deepStrictEqual(wrap("one two three", 7), ["one two", "three"])
    assert.deepStrictEqual(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"])
    assert.deepStrictEqual(wrap("a\n\nb", 4), ["a", "", "b"])
    assert.deepStrictEqual(wrap("世界世界", 3), ["世", "界", "世", "界"])
    assert.deepStrictEqual(wrap("世", 1), ["\ufffd"])
    assert.deepStrictEqual(wrap("", 4), [""])
    assert.strictEqual(cut("hello", 4), "hel…")
    assert.strictEqual(cut("世界", 3), "世…")
    assert.strictEqual(cut("世界", 2), "…")
  })
})

describe("colour", () => {
  it("is for terminals that can, unless it is unwanted; and where it is asked for", () => {
    const [terminal, pipe] = [{ isTTY: true }, {}]
    assert.isTrue(paints(terminal, {}))
    assert.isTrue(paints(terminal, { NO_COLOR: "" }))
    assert.isFalse(paints(terminal, { NO_COLOR: "1" }))
    assert.isFalse(paints(terminal, { TERM: "dumb", FORCE_COLOR: "1" }))
    assert.isFalse(paints(pipe, {}))
    assert.isTrue(paints(pipe, { FORCE_COLOR: "1" }))
    assert.isFalse(paints(pipe, { FORCE_COLOR: "0" }))
    assert.isFalse(paints(pipe, { FORCE_COLOR: "1", NO_COLOR: "1" }))
  })
})
