/**
 * How wide text is on a terminal, and what fits there: in columns, by graphemes. Widths are those of Unicode's East Asian
 * Width as terminals use it (UAX #11): two columns for wide and full-width characters and for emoji, none for marks that
 * join the character before, one for the rest. `test/cli/terminal.test.ts` holds this beside the engine's own tables.
 *
 * Text is harmless (`harmless.ts`) before it comes here.
 */

const ascii = /^[\x20-\x7e]*$/

/** What Unicode says of characters. Made when it is first asked: most commands never do, and it takes some 30 ms. */
const makeTables = () => ({
  graphemes: new Intl.Segmenter(undefined, { granularity: "grapheme" }),
  emoji: new RegExp("^\\p{RGI_Emoji}", "v"),
  /** Marks, format characters, and the vowels and finals of Hangul syllables written in parts. */
  joining: new RegExp("^[\\p{Mn}\\p{Me}\\p{Cf}\\u1160-\\u11ff\\ud7b0-\\ud7fb]$", "u"),
  /** Ranges of East Asian Width W and F beside what is shown as emoji anyway. */
  wide: new RegExp(
    "^[\\p{Emoji_Presentation}\\u1100-\\u115f\\u2329\\u232a\\u2630-\\u2637\\u268a-\\u268f\\u2e80-\\u303e\\u3041-\\u3247"
      + "\\u3250-\\ua4c6\\ua960-\\ua97c\\uac00-\\ud7a3\\uf900-\\ufad9\\ufe10-\\ufe19\\ufe30-\\ufe6b\\uff01-\\uff60"
      + "\\uffe0-\\uffe6\\u{16fe0}-\\u{1b2fb}\\u{1d300}-\\u{1d376}\\u{1f200}-\\u{1f265}\\u{20000}-\\u{3fffd}]$",
    "u"
  )
})

let made: ReturnType<typeof makeTables> | undefined
const tables = () => made ??= makeTables()

const segments = (text: string): Intl.Segments => tables().graphemes.segment(text)

/** Of one code point: 0, 1 or 2. */
export const codePointWidth = (character: string): number =>
  ascii.test(character) ? 1 : tables().joining.test(character) ? 0 : tables().wide.test(character) ? 2 : 1

/** Code units of one grapheme; more is somebody's play with marks, and is cut. */
const graphemeUnitsMax = 32

const graphemeWidth = (grapheme: string): number => {
  if (ascii.test(grapheme)) return grapheme.length
  const picture = tables().emoji.exec(grapheme)?.[0].length ?? 0
  let width = picture === 0 ? 0 : 2
  for (const character of grapheme.slice(picture)) width += codePointWidth(character)
  return width
}

interface Grapheme {
  readonly text: string
  readonly width: number
  /** Where it begins in the text, in code units. */
  readonly index: number
}

/** What people take for one character each, with its columns. */
export function* graphemes(text: string): Generator<Grapheme> {
  if (ascii.test(text)) {
    for (let index = 0; index < text.length; index++) yield { text: text[index]!, width: 1, index }
    return
  }
  for (const { index, segment } of segments(text)) {
    const shown = segment.slice(0, graphemeUnitsMax).toWellFormed()
    yield { text: shown, width: graphemeWidth(shown), index }
  }
}

/** Where the grapheme begins that `index` lies in; the length at the end. */
export const graphemeStart = (text: string, index: number): number =>
  index >= text.length ? text.length : segments(text).containing(index)!.index

/** Where the next grapheme begins. */
export const graphemeEnd = (text: string, index: number): number => {
  if (index >= text.length) return text.length
  const found = segments(text).containing(index)!
  return found.index + found.segment.length
}

/** Columns that one line of text takes. */
export const widthOf = (text: string): number => {
  if (ascii.test(text)) return text.length
  let width = 0
  for (const each of graphemes(text)) width += each.width
  return width
}

/** One line of text in at most `columns`; what is left out shows as `…`. */
export const cut = (text: string, columns: number): string => {
  let width = 0
  let kept = ""
  let beforeDots = ""
  for (const each of graphemes(text)) {
    width += each.width
    if (width > columns) return columns < 1 ? "" : `${beforeDots}…`
    kept += each.text
    if (width < columns) beforeDots = kept
  }
  return kept
}

/** Cut, or filled up with spaces, to exactly `columns`. */
export const fill = (text: string, columns: number): string => {
  const shown = cut(text, columns)
  return shown + " ".repeat(Math.max(0, columns - widthOf(shown)))
}

/** What stands for a character that is wider than the terminal. */
const tooWide = "\ufffd"

const nowhere = { units: 0, columns: 0 }

/** One line as lines of at most `columns`, broken at spaces where there are some, else anywhere. */
function* wrapLine(text: string, columns: number): Generator<string> {
  let line = ""
  let width = 0
  /** Up to and with the last space of the line: where it may be broken. */
  let space = nowhere
  for (const each of graphemes(text)) {
    const shown = each.width > columns ? { text: tooWide, width: 1 } : each
    const isSpace = shown.text === " "
    if (isSpace && width === columns) {
      // the space that does not fit is the break
      yield line.trimEnd()
      line = ""
      width = 0
      space = nowhere
      continue
    }
    // broken at a space, the rest of the line may still be too long
    while (width + shown.width > columns) {
      const at = space.units > 0 ? space : { units: line.length, columns: width }
      yield line.slice(0, at.units).trimEnd()
      line = line.slice(at.units)
      width -= at.columns
      space = nowhere
    }
    line += shown.text
    width += shown.width
    if (isSpace) space = { units: line.length, columns: width }
  }
  yield line
}

/** Text as lines of at most `columns` (1 or more). Its own ends of lines stay. Never empty. */
export const wrap = (text: string, columns: number): ReadonlyArray<string> =>
  text.split("\n").flatMap((line) => [...wrapLine(line, columns)])
