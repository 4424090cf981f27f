/** What keys do to the text being written, and how it is laid out. */
import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { emitKeypressEvents, type Key } from "node:readline"
import { PassThrough } from "node:stream"
import { type Editor, empty, erase, insert, layOut, type Move, move } from "../../src/cli/terminal/editor.ts"
import { type Command, Keys } from "../../src/cli/terminal/keys.ts"
import { graphemes, widthOf } from "../../src/cli/terminal/width.ts"
import { contentBytesMax } from "../../src/domain/limits.ts"
import { Dice, Seed } from "../domain/records.ts"

const moves: ReadonlyArray<Move> = ["left", "right", "word-left", "word-right", "line-start", "line-end"]
const pieces = [
  "hello",
  " ",
  "\n",
  "a",
  "世界",
  "e",
  "\u0301",
  "🙂",
  "\u200d",
  "👧",
  "❤️",
  "🇨",
  "🇭",
  "שלום",
  "\t",
  "\u202e",
  "\r\n"
]

/** A few strokes. */
const written = (dice: Dice): Editor => {
  let editor = empty
  for (let i = dice.below(20); i > 0; i--) {
    const to = dice.pick(moves)
    const by = dice.below(10)
    editor = by < 6 ? insert(editor, dice.pick(pieces))! : by < 9 ? move(editor, to) : erase(editor, to)
  }
  return editor
}

/** `|` is the cursor. */
const editorOf = (text: string): Editor => ({ text: text.replace("|", ""), cursor: text.indexOf("|") })
const show = ({ cursor, text }: Editor): string => `${text.slice(0, cursor)}|${text.slice(cursor)}`

describe("the editor", () => {
  it("moves and erases by characters, words and lines", () => {
    for (
      const [before, to, moved, erased] of [
        ["ab|c", "left", "a|bc", "a|c"],
        ["|abc", "left", "|abc", "|abc"],
        ["ab|c", "right", "abc|", "ab|"],
        ["one two|", "word-left", "one |two", "one |"],
        ["one two  |", "word-left", "one |two  ", "one |"],
        ["one| two", "word-right", "one two|", "one|"],
        ["a\nbc|d\ne", "line-start", "a\n|bcd\ne", "a\n|d\ne"],
        ["a\n|bcd\ne", "line-end", "a\nbcd|\ne", "a\n|\ne"],
        ["\n|", "line-start", "\n|", "\n|"],
        ["👨‍👩‍👧|", "left", "|👨‍👩‍👧", "|"],
        ["e\u0301|x", "left", "|e\u0301x", "|x"]
      ] as const
    ) {
      assert.strictEqual(show(move(editorOf(before), to)), moved, `${before} ${to}`)
      assert.strictEqual(show(erase(editorOf(before), to)), erased, `${before} ${to}`)
    }
    assert.strictEqual(show(insert(editorOf("a|b"), "x\r\ny")!), "ax\ny|b")
  })

  it("takes what a message may hold, and not a byte more", () => {
    const full = insert(empty, "é".repeat(contentBytesMax / 2))!
    assert.strictEqual(full.text.length, contentBytesMax / 2)
    assert.isUndefined(insert(full, "x"))
    assert.isDefined(insert(erase(full, "left"), "x"))
  })

  it.prop("keeps the cursor between characters, and in sight", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const editor = written(dice)
    const starts = [...graphemes(editor.text)].map(({ index }) => index)
    assert.include([...starts, editor.text.length], editor.cursor)
    const columns = 1 + dice.below(20)
    const { column, lines, row } = layOut(editor, columns)
    for (const line of lines) assert.isAtMost(widthOf(line), columns)
    assert.isBelow(row, lines.length)
    assert.isBelow(column, columns)
    // where there is room, it stands exactly behind what is before it
    const before = editor.text.slice(0, editor.cursor)
    if (/^[a-z]*$/.test(editor.text))
      assert.deepStrictEqual([row, column], [Math.floor(before.length / columns), before.length % columns])
  })
})

/** What the terminal sends, as the keys that Node reads from it. */
const typed = (...chunks: ReadonlyArray<string>): ReadonlyArray<Command> => {
  const input = new PassThrough()
  const keys = new Keys()
  const commands: Array<Command> = []
  emitKeypressEvents(input)
  input.on("keypress", (text: string | undefined, { ctrl = false, meta = false, name = "", shift = false }: Key) => {
    const command = keys.read({ input: Option.fromUndefinedOr(text), key: { name, ctrl, meta, shift } })
    if (command !== undefined) commands.push(command)
  })
  for (const chunk of chunks) input.emit("data", Buffer.from(chunk))
  return commands
}

describe("keys", () => {
  it("write, edit, scroll and send", () => {
    const insertOf = (text: string): Command => ({ type: "insert", text })
    assert.deepStrictEqual(typed("aÄ世🙂"), [..."aÄ世🙂"].map(insertOf))
    assert.deepStrictEqual(typed("\r", "\n", "\x1b\r"), [{ type: "send" }, insertOf("\n"), insertOf("\n")])
    assert.deepStrictEqual(typed("\x1b[D", "\x1b[1;5C", "\x1bb", "\x01", "\x1b[F"), [
      { type: "move", to: "left" },
      { type: "move", to: "word-right" },
      { type: "move", to: "word-left" },
      { type: "move", to: "line-start" },
      { type: "move", to: "line-end" }
    ])
    assert.deepStrictEqual(typed("\x7f", "\x17", "\x1b[3~", "\x0b"), [
      { type: "erase", to: "left" },
      { type: "erase", to: "word-left" },
      { type: "erase", to: "right" },
      { type: "erase", to: "line-end" }
    ])
    assert.deepStrictEqual(typed("\x1b[5~", "\x1b[6~", "\x12", "\x0c", "\x03"), [
      { type: "scroll", pages: 1 },
      { type: "scroll", pages: -1 },
      { type: "retry" },
      { type: "redraw" },
      { type: "quit" }
    ])
    assert.deepStrictEqual(typed("\x07", "\x1b[20~", "\x1bq", "\x00"), [])
    // characters that come in parts
    const bytes = Buffer.from("世")
    const input = new PassThrough()
    let text = ""
    emitKeypressEvents(input)
    input.on("keypress", (part: string) => text += part)
    for (const byte of bytes) input.emit("data", Buffer.of(byte))
    assert.strictEqual(text, "世")
  })

  it("that are pasted are text, whatever they would do otherwise", () => {
    const pasted = typed("\x1b[200~", "a\r\nb\rc\n\td\x03\x0c\x7f", "\x1b[201~", "\r")
    assert.deepStrictEqual(pasted.at(-1), { type: "send" })
    const inserted = pasted.slice(0, -1).map((each) => each.type === "insert" ? each.text : each.type)
    assert.strictEqual(inserted.join(""), "a\nb\nc\n\td")
  })
})
