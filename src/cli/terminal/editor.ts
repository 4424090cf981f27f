/**
 * The text that somebody is writing, and the place of the cursor in it. Pure; what a key does is in `keys.ts`.
 *
 * The cursor stands between graphemes, never in one. The text is at most what a message may hold.
 */
import { textLength } from "../../domain/bytes.ts"
import { contentBytesMax } from "../../domain/limits.ts"
import { harmless } from "./harmless.ts"
import { graphemeEnd, graphemes, graphemeStart, widthOf } from "./width.ts"

export interface Editor {
  readonly text: string
  /** Code units before the cursor. */
  readonly cursor: number
}

export const empty: Editor = { text: "", cursor: 0 }

const replaced = ({ text }: Editor, from: number, to: number, by: string): Editor => {
  const whole = text.slice(0, from) + by + text.slice(to)
  const cursor = from + by.length
  // what was put in may join with what follows
  const start = graphemeStart(whole, cursor)
  return { text: whole, cursor: start === cursor ? cursor : graphemeEnd(whole, cursor) }
}

/** Puts text in at the cursor; `undefined` when a message could not hold it. Ends of lines become line feeds. */
export const insert = (editor: Editor, text: string): Editor | undefined => {
  const next = replaced(editor, editor.cursor, editor.cursor, text.replace(/\r\n?/g, "\n"))
  return textLength(next.text) > contentBytesMax ? undefined : next
}

const isSpace = (character: string | undefined): boolean => character !== undefined && /\s/.test(character)

const wordLeft = ({ cursor, text }: Editor): number => {
  let at = cursor
  while (at > 0 && isSpace(text[at - 1])) at--
  while (at > 0 && !isSpace(text[at - 1])) at--
  return graphemeStart(text, at)
}

const wordRight = ({ cursor, text }: Editor): number => {
  let at = cursor
  while (at < text.length && isSpace(text[at])) at++
  while (at < text.length && !isSpace(text[at])) at++
  return graphemeStart(text, at)
}

const left = ({ cursor, text }: Editor): number => cursor === 0 ? 0 : graphemeStart(text, cursor - 1)
const right = ({ cursor, text }: Editor): number => graphemeEnd(text, cursor)
const lineStart = ({ cursor, text }: Editor): number => cursor === 0 ? 0 : text.lastIndexOf("\n", cursor - 1) + 1
const lineEnd = ({ cursor, text }: Editor): number => {
  const found = text.indexOf("\n", cursor)
  return found === -1 ? text.length : found
}

const moves = {
  left,
  right,
  "word-left": wordLeft,
  "word-right": wordRight,
  "line-start": lineStart,
  "line-end": lineEnd
}

export type Move = keyof typeof moves

export const move = (editor: Editor, to: Move): Editor => ({ ...editor, cursor: moves[to](editor) })

/** Deletes from the cursor to where the move would lead. */
export const erase = (editor: Editor, to: Move): Editor => {
  const target = moves[to](editor)
  return replaced(editor, Math.min(target, editor.cursor), Math.max(target, editor.cursor), "")
}

export interface Laid {
  /** At least one; each at most so wide as was asked for. */
  readonly lines: ReadonlyArray<string>
  /** Of the cursor in them. */
  readonly row: number
  readonly column: number
}

/** A grapheme as it is shown: nothing that steers the terminal, and nothing wider than it. */
const cellOf = (text: string, width: number, columns: number): { readonly text: string; readonly width: number } => {
  const shown = /^[\x20-\x7e]$/.test(text) ? text : harmless(text)
  const cell = { text: shown, width: shown === text ? width : widthOf(shown) }
  return cell.width > columns ? { text: "\ufffd", width: 1 } : cell
}

/** The text in lines of at most `columns` (1 or more), and where the cursor is, always within them. */
export const layOut = ({ cursor, text }: Editor, columns: number): Laid => {
  const lines: Array<string> = []
  let line = ""
  let width = 0
  let place: { readonly row: number; readonly column: number } | undefined
  const end = (): void => {
    lines.push(line)
    line = ""
    width = 0
  }
  for (const each of graphemes(text)) {
    const cell = each.text === "\n" ? undefined : cellOf(each.text, each.width, columns)
    if (cell !== undefined && width + cell.width > columns) end()
    if (each.index >= cursor) place ??= { row: lines.length, column: width }
    if (cell === undefined) end()
    else {
      line += cell.text
      width += cell.width
    }
  }
  place ??= { row: lines.length, column: width }
  end()
  if (place.column < columns) return { lines, ...place }
  // after a full line the cursor is at the start of the next
  if (place.row === lines.length - 1) lines.push("")
  return { lines, row: place.row + 1, column: 0 }
}
