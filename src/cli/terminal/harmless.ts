/**
 * Text that others wrote, made fit for a terminal: an escape sequence in a message could move the cursor, set the title,
 * or answer a question in the reader's name; a bidi override could make a line read as what it is not.
 *
 * Every text of a node or of a user goes through {@link harmless} before it is printed, and JSON through
 * {@link harmlessJson}, whoever reads it.
 */

/**
 * What steers a terminal or the order of what is shown: C0 but the line feed, DEL, C1, separators of lines and
 * paragraphs, and the bidi embeddings, overrides and isolates of UAX #9. Implicit marks, which no Hebrew or Arabic text
 * should miss, only place neighbours and stay.
 */
// oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
const steering = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

const tab = "    "
const sign = "\ufffd"

/** A tab as spaces, ends of lines as line feeds, anything else that steers as a visible sign. New lines are indented. */
export const harmless = (text: string, indent = ""): string =>
  text.toWellFormed()
    .replace(/\r\n|\u2028|\u2029/g, "\n")
    .replace(steering, (found) => found === "\t" ? tab : sign)
    .replaceAll("\n", `\n${indent}`)

/** As {@link harmless}, with ends of lines as visible signs: never more than one line. */
export const harmlessLine = (text: string): string => harmless(text).replace(/ *\n/g, " ↵ ").trimEnd()

/** JSON text that means the same and has nothing in it that steers: JSON's own escapes cover C0 only. */
export const harmlessJson = (json: string): string =>
  json.replace(steering, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`)
