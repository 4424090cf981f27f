/**
 * What a conversation looks like: from its state and the size of the terminal to lines, and the place of the cursor. Pure.
 *
 * There are exactly as many lines as rows, none wider than the terminal, and the cursor is in one of them, whatever the
 * size (`test/cli/chat-view.test.ts`). From the top: the title, the history, the state of things, what is being written.
 */
import * as Hlc from "../../domain/hlc.ts"
import type { Address } from "../../domain/ids.ts"
import { unreadMax } from "../../domain/limits.ts"
import { calledOf } from "../names.ts"
import type { Style } from "../terminal/colour.ts"
import { type Laid, layOut } from "../terminal/editor.ts"
import type { Frame, Line } from "../terminal/frame.ts"
import { harmless, harmlessLine } from "../terminal/harmless.ts"
import { cut, fill, wrap } from "../terminal/width.ts"
import { entriesOf, type Entry, failedFirst, type State, unreadElsewhere } from "./state.ts"

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface View extends Frame {
  /** The newest message that can be seen. */
  readonly shown: Hlc.Hlc | undefined
  /** The first line of all is in sight. */
  readonly atTop: boolean
}

/** Below this the sender has a line of her own. */
const narrowColumns = 56
const nameColumns = 16
const clockColumns = 5
/** Of what is being written, at most; and at most this part of the terminal. */
const inputRowsMax = 8
const inputShare = 3
const prompt = "> "

const two = (value: number): string => String(value).padStart(2, "0")

const day = (ms: number): string => {
  const date = new Date(ms)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

const clock = (ms: number): string => {
  const date = new Date(ms)
  return `${two(date.getHours())}:${two(date.getMinutes())}`
}

const senderStyles: ReadonlyArray<Style> = ["cyan", "green", "magenta", "yellow", "blue"]
const styleOf = (address: Address): Style => senderStyles[Number.parseInt(address.slice(-4), 16) % senderStyles.length]!

interface Post {
  readonly time: string
  readonly sender: Address
  readonly text: string
  readonly mark: string
  readonly markStyle: Style
}

/** One message. Narrow terminals have the sender on a line of her own. */
const postLines = (state: State, post: Post, columns: number): ReadonlyArray<Line> => {
  const { mark, markStyle, sender, text, time } = post
  const called = calledOf(state.self, state.names, sender)
  const style = sender === state.self ? "bold" : styleOf(sender)
  const isNarrow = columns < narrowColumns
  const indent = isNarrow ? 0 : clockColumns + nameColumns + 3
  const body = wrap(mark === "" ? text : `${text} ${mark}`, columns - indent)
  const tail = mark === "" ? "" : body.at(-1)!.endsWith(mark) ? mark : ""
  const lineOf = (line: string, i: number): Line =>
    tail !== "" && i === body.length - 1
      ? [{ text: line.slice(0, line.length - tail.length) }, { text: tail, style: markStyle }]
      : [{ text: line }]
  if (isNarrow) {
    const head: Line = [{ text: cut(`${time} `, columns), style: "faint" }, {
      text: cut(called, Math.max(0, columns - clockColumns - 1)),
      style
    }]
    return [head, ...body.map(lineOf)]
  }
  return body.map((line, i) =>
    i === 0
      ? [{ text: `${time} `, style: "faint" }, { text: `${fill(called, nameColumns)}  `, style }, ...lineOf(line, i)]
      : [{ text: " ".repeat(indent) }, ...lineOf(line, i)]
  )
}

const aboveTexts = {
  more: "PgUp: older messages",
  loading: "reading messages …",
  nothing: "the conversation begins here",
  cut: "older messages: p2p-mes read --all"
} as const

const wordLines = (text: string, columns: number, style: Style): ReadonlyArray<Line> =>
  wrap(text, columns).map((line): Line => [{ text: line, style }])

const msOf = (entry: Entry | undefined): number | undefined =>
  entry?.kind === "message"
    ? Hlc.physicalMs(entry.message.hlc)
    : entry?.kind === "notice"
    ? Hlc.physicalMs(entry.hlc)
    : undefined

/** The lines of one entry; before the first of a day, the day. */
const linesOf = (state: State, entries: ReadonlyArray<Entry>, i: number, columns: number): ReadonlyArray<Line> => {
  const entry = entries[i]!
  const ms = msOf(entry)
  const before = msOf(entries[i - 1])
  const date = ms !== undefined && (before === undefined || day(before) !== day(ms))
    ? wordLines(`— ${day(ms)} —`, columns, "faint")
    : []
  switch (entry.kind) {
    case "top":
      return wordLines(aboveTexts[state.above], columns, "faint")
    case "notice":
      return [...date, ...wordLines(`${clock(ms!)} ${entry.text}`, columns, "faint")]
    case "message": {
      const { content, msg_type, sender } = entry.message
      const isMine = sender === state.self
      const type = msg_type === 0 ? "" : `[type ${msg_type}] `
      const post: Post = {
        time: clock(ms!),
        sender,
        text: type + harmless(content),
        mark: isMine ? "✓" : "",
        markStyle: "green"
      }
      return [...date, ...postLines(state, post, columns)]
    }
    case "outgoing": {
      const { content, reason, state: how } = entry.outgoing
      const isFailed = how === "failed"
      const post: Post = {
        time: "     ",
        sender: state.self,
        text: harmless(content),
        mark: isFailed ? "✗" : "…",
        markStyle: isFailed ? "red" : "faint"
      }
      const why = isFailed ? wordLines(`not sent: ${harmlessLine(reason)}; Ctrl-R sends it again`, columns, "red") : []
      return [...postLines(state, post, columns), ...why]
    }
  }
}

interface Rows {
  readonly header: 0 | 1
  readonly history: number
  readonly status: 0 | 1
  readonly input: number
}

/** Columns for what is written: beside the prompt, where there is room for both. */
const inputColumns = (columns: number): number => columns > prompt.length ? columns - prompt.length : columns

const laidOf = ({ editor }: State, columns: number): Laid => layOut(editor, inputColumns(columns))

/** How the rows are shared out, `wanted` of them for what is written: this first, then history, state, title. */
const rowsOf = (wanted: number, rows: number): Rows => {
  const header = rows >= 4 ? 1 : 0
  const status = rows >= 3 ? 1 : 0
  const input = Math.max(1, Math.min(wanted, inputRowsMax, Math.floor(rows / inputShare)))
  return { header, status, input, history: Math.max(0, rows - header - status - input) }
}

const historyRows = (state: State, { columns, rows }: Size): number =>
  rowsOf(laidOf(state, columns).lines.length, rows).history

/** The entry at the lower edge, and how many of its lines are below that. */
const edgeOf = ({ anchor }: State, entries: ReadonlyArray<Entry>): { readonly i: number; readonly below: number } => {
  const at = anchor === undefined ? -1 : entries.findIndex(({ key }) => key === anchor.key)
  return at === -1 ? { i: entries.length - 1, below: 0 } : { i: at, below: anchor!.below }
}

/** Moves the view by lines, up if positive, and not beyond either end. */
export const scrolled = (state: State, size: Size, lines: number): State => {
  const entries = entriesOf(state)
  const history = historyRows(state, size)
  const height = (i: number): number => linesOf(state, entries, i, size.columns).length
  let { below, i } = edgeOf(state, entries)
  below += lines
  while (below >= height(i) && i > 0) below -= height(i--)
  // the first line stays at the upper edge
  let above = height(i) - below
  for (let j = i - 1; j >= 0 && above < history; j--) above += height(j)
  if (above < history) below -= history - above
  while (below < 0 && i < entries.length - 1) below += height(++i)
  const isEnd = i === entries.length - 1 && below <= 0
  return { ...state, anchor: isEnd ? undefined : { key: entries[i]!.key, below } }
}

export const scrolledPages = (state: State, size: Size, pages: number): State =>
  scrolled(state, size, pages * Math.max(1, historyRows(state, size) - 1))

const historyOf = (state: State, columns: number, rows: number) => {
  const entries = entriesOf(state)
  let { below: hidden, i } = edgeOf(state, entries)
  const lines: Array<Line> = []
  let shown: Hlc.Hlc | undefined
  for (; i >= 0 && lines.length < rows; i--) {
    const entry = entries[i]!
    const own = linesOf(state, entries, i, columns)
    // after a change of the size an entry may have fewer lines than were hidden of it
    const seen = own.slice(0, Math.max(1, own.length - hidden))
    if (entry.kind === "message" && seen.length === own.length) shown ??= entry.message.hlc
    hidden = 0
    lines.unshift(...seen.slice(Math.max(0, seen.length - (rows - lines.length))))
  }
  const padding = Array.from({ length: Math.max(0, rows - lines.length) }, (): Line => [])
  return { lines: [...padding, ...lines], shown, atTop: i < 0 && rows > 0 }
}

/** Text over the whole width. */
const bar = (text: string, columns: number): Line => [{ text: fill(text, columns), style: "inverse" }]

const headerOf = ({ chat, members, names, title }: State, columns: number): Line => {
  const id = chat.kind === "dm" ? chat.peer : chat.chatId
  const name = chat.kind === "dm" ? names.get(chat.peer) ?? "" : harmlessLine(title)
  const count = members === undefined ? "" : members === 1 ? ", 1 member" : `, ${members} members`
  return bar(` ${name === "" ? "" : `${name}  `}0x${id}${count}`, columns)
}

const statusOf = (state: State, columns: number): Line => {
  const { anchor, connection: { error, state: how, url }, hint } = state
  const unread = unreadElsewhere(state)
  const parts = [
    how === "open" ? "live" : how === "lost" ? "reconnecting" : "connecting",
    harmlessLine(url),
    ...(how === "lost" && error !== "" ? [harmlessLine(error)] : []),
    ...(unread > 0 ? [`${unread}${unread === unreadMax ? "+" : ""} unread elsewhere`] : []),
    ...(failedFirst(state) === undefined ? [] : ["Ctrl-R: send again"]),
    ...(anchor === undefined ? [] : ["Esc: to the end"])
  ]
  return bar(` ${hint === "" ? parts.join(" · ") : harmlessLine(hint)}`, columns)
}

/** The lines being written around the cursor, and where it is in them. */
const inputOf = ({ column, lines, row }: Laid, columns: number, rows: number) => {
  const first = Math.max(0, row - rows + 1)
  const indent = columns - inputColumns(columns)
  const shown = lines.slice(first, first + rows).map((line, i): Line =>
    indent === 0
      ? [{ text: line }]
      : [{ text: first + i === 0 ? prompt : " ".repeat(indent), style: "bold" }, { text: line }]
  )
  return { lines: shown, cursor: { row: row - first, column: column + indent } }
}

export const render = (state: State, { columns, rows }: Size): View => {
  const size = { columns: Math.max(1, columns), rows: Math.max(1, rows) }
  const laid = laidOf(state, size.columns)
  const shares = rowsOf(laid.lines.length, size.rows)
  const input = inputOf(laid, size.columns, shares.input)
  const history = historyOf(state, size.columns, shares.history)
  const above = shares.header + shares.history + shares.status
  return {
    lines: [
      ...(shares.header === 1 ? [headerOf(state, size.columns)] : []),
      ...history.lines,
      ...(shares.status === 1 ? [statusOf(state, size.columns)] : []),
      ...input.lines
    ],
    cursor: { row: above + input.cursor.row, column: input.cursor.column },
    shown: history.shown,
    atTop: history.atTop
  }
}
