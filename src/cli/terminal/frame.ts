/**
 * What is on the whole screen at one time, and the bytes that bring a terminal from one frame to the next: only lines that
 * differ are written. Pure; raw ANSI is in this file and `colour.ts` alone.
 */
import { type Style, styled } from "./colour.ts"

export interface Span {
  readonly text: string
  readonly style?: Style
}

export type Line = ReadonlyArray<Span>

export interface Frame {
  /** As many as the terminal has rows, none wider than it. */
  readonly lines: ReadonlyArray<Line>
  /** From 0. */
  readonly cursor: { readonly row: number; readonly column: number }
}

/**
 * The other screen, so that what was there comes back; pasted text with marks around it; and no wrapping, so that a
 * character which this terminal draws wider than its neighbours do spoils one line at most.
 */
export const enter = "\x1b[?1049h\x1b[?2004h\x1b[?7l"

/** Everything as it was: wrapping, paste, cursor, colours, screen. */
export const leave = "\x1b[?7h\x1b[?2004l\x1b[?25h\x1b[0m\x1b[?1049l"

/** What is drawn between these is shown at once, where a terminal knows them. */
const [begin, end] = ["\x1b[?2026h", "\x1b[?2026l"]
const [hideCursor, showCursor] = ["\x1b[?25l", "\x1b[?25h"]
const clearScreen = "\x1b[2J"
const clearLine = "\x1b[2K"
const at = (row: number, column: number): string => `\x1b[${row + 1};${column + 1}H`

const lineText = (line: Line, colours: boolean): string =>
  line.map(({ style, text }) => colours && style !== undefined && text !== "" ? styled(text, style) : text).join("")

const equal = (a: Line, b: Line): boolean =>
  a.length === b.length && a.every((span, i) => span.text === b[i]!.text && span.style === b[i]!.style)

/** From one frame to the next. Without a frame before, or after one of another height, everything is drawn. */
export const changes = (before: Frame | undefined, next: Frame, colours: boolean): string => {
  const isNew = before === undefined || before.lines.length !== next.lines.length
  const lines = next.lines.map((line, row) =>
    !isNew && equal(before.lines[row]!, line) ? "" : `${at(row, 0)}${clearLine}${lineText(line, colours)}`
  )
  const { column, row } = next.cursor
  return [begin, hideCursor, isNew ? clearScreen : "", ...lines, at(row, column), showCursor, end].join("")
}
