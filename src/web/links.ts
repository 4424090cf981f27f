/** Addresses of pages in a text, so that they can be clicked. Only http and https: whatever else looks like one stays text. */

export type Segment = { readonly text: string; readonly href?: string }

const candidate = /\bhttps?:\/\/[^\s<>"`{}|\\^]+/giu
/** What ends a sentence rather than an address. */
const trailing = new Set(".,;:!?'’”»…*_~")
const closing: { readonly [close: string]: string } = { ")": "(", "]": "[" }

const countOf = (text: string, char: string): number => {
  let count = 0
  for (const each of text) if (each === char) count++
  return count
}

/** The address without what follows it in a sentence; a closing bracket stays if it was opened inside. */
const trimmed = (match: string): string => {
  const surplus = new Map(
    Object.entries(closing).map(([close, open]) => [close, countOf(match, close) - countOf(match, open)])
  )
  let end = match.length
  while (end > 0) {
    const char = match[end - 1]!
    const extra = surplus.get(char) ?? 0
    if (extra > 0) surplus.set(char, extra - 1)
    else if (!trailing.has(char)) break
    end--
  }
  return match.slice(0, end)
}

/** The parts of `text` in their order; together they are `text`. */
export const segments = (text: string): ReadonlyArray<Segment> => {
  const found: Array<Segment> = []
  let end = 0
  for (const match of text.matchAll(candidate)) {
    const shown = trimmed(match[0])
    const url = URL.parse(shown)
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") continue
    if (match.index > end) found.push({ text: text.slice(end, match.index) })
    found.push({ text: shown, href: url.href })
    end = match.index + shown.length
  }
  if (end < text.length) found.push({ text: text.slice(end) })
  return found
}
