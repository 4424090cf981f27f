/** Changes of text: words where others stood, and what JSON, headers, options and addresses are made of. */
import * as Bytes from "../../src/domain/bytes.ts"
import type { Dice } from "../domain/records.ts"
import { byteMutators, type Mutator, numbers, pieces } from "./mutators.ts"

/** Any bytes as text, one way: what is not UTF-8 becomes lone surrogates or the characters of its bytes. */
export const textOf = (bytes: Uint8Array): string => {
  const strict = Bytes.toText(bytes)
  if (strict !== undefined) return strict
  let out = ""
  for (let i = 0; i < bytes.length; i++) {
    const [a, b, c] = [bytes[i]!, bytes[i + 1] ?? 0, bytes[i + 2] ?? 0]
    const isSurrogate = a === 0xed && b >= 0xa0 && b < 0xc0 && c >= 0x80 && c < 0xc0
    out += String.fromCharCode(isSurrogate ? 0xd000 | ((b & 0x3f) << 6) | (c & 0x3f) : a)
    if (isSurrogate) i += 2
  }
  return out
}

const words = [
  "",
  "\0",
  "%00",
  "%",
  "%zz",
  "%2e%2e",
  "..",
  "//",
  "\t",
  "\n",
  "\r\n",
  " ",
  "\u00a0",
  "\ufeff",
  "\u0661",
  "\u202e",
  "é",
  "😀",
  "ﷺ",
  "null",
  "undefined",
  "NaN",
  "Infinity",
  "true",
  "-0",
  "-1",
  "+1",
  "1e3",
  "1e999",
  "0x",
  "0X",
  "0x10",
  "1.0",
  "00",
  "__proto__",
  "constructor",
  "toString",
  "\"",
  "'",
  "\\",
  "\\u0000",
  "\\ud800",
  "\\udc00\\ud800",
  "\\u00",
  ",",
  ";",
  ":",
  "=",
  "==",
  "&",
  "?",
  "#",
  "@",
  "--",
  "-",
  "--=",
  "{}",
  "[]",
  "ffffffffffffffff",
  "7fffffffffffffff",
  "::1",
  "[::1]:0",
  "0.0.0.0:65536",
  "/ip4/127.0.0.1/tcp/0",
  "/p2p/12D3KooW"
]

/** Where a word or a number begins or ends. */
const places = (text: string): ReadonlyArray<number> => {
  const found = [0, text.length]
  for (const { index, 0: word } of text.matchAll(/[\p{L}\p{N}_+-]+/gu)) found.push(index, index + word.length)
  return found
}

const onText = (change: (dice: Dice, text: string, other: () => string) => string): Mutator => (dice, input, other) => {
  const text = Bytes.toText(input)
  if (text === undefined) return dice.pick(byteMutators)(dice, input, other)
  return Bytes.fromText(change(dice, text, () => textOf(other())))
}

const anyWord = (dice: Dice): string =>
  dice.below(4) === 0
    ? String(dice.pick(numbers))
    : dice.below(8) === 0
    ? dice.pick(["a", "0", "[", "-", "é", "/"]).repeat(dice.pick([33, 65, 300, 5_000]))
    : dice.pick(words)

const putWord = onText((dice, text) => {
  const at = dice.pick(places(text))
  return text.slice(0, at) + anyWord(dice) + text.slice(at)
})

const replaceWord = onText((dice, text, other) => {
  const found = [...text.matchAll(/[\p{L}\p{N}_+-]+/gu)]
  if (found.length === 0) return anyWord(dice)
  const { index, 0: word } = dice.pick(found)
  const pool = dice.below(4) === 0 ? other().match(/[\p{L}\p{N}_+-]+/gu) ?? [""] : undefined
  return text.slice(0, index) + (pool === undefined ? anyWord(dice) : dice.pick(pool)) + text.slice(index + word.length)
})

const changeCase = onText((dice, text) => dice.coin() ? text.toUpperCase() : text.toLowerCase())

const dropLine = onText((dice, text) => {
  const lines = text.split("\n")
  lines.splice(dice.below(lines.length), 1)
  return lines.join("\n")
})

const repeatLine = onText((dice, text) => {
  const lines = text.split("\n")
  lines.splice(dice.below(lines.length + 1), 0, dice.pick(lines))
  return lines.join("\n")
})

const takeLine = onText((dice, text, other) => {
  const lines = text.split("\n")
  lines.splice(dice.below(lines.length + 1), dice.below(2), dice.pick(other().split("\n")))
  return lines.join("\n")
})

export const textMutators: ReadonlyArray<Mutator> = [
  ...byteMutators,
  putWord,
  putWord,
  putWord,
  replaceWord,
  replaceWord,
  replaceWord,
  replaceWord,
  changeCase,
  dropLine,
  repeatLine,
  takeLine
]

/** Where a JSON value stands in plain text: enough to cut one out and put another in. */
const values = (text: string): ReadonlyArray<readonly [from: number, to: number]> =>
  [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|\{[^{}]*\}|\[[^[\]]*\]/g)]
    .map(({ index, 0: found }) => [index, index + found.length] as const)

const oddValues = [
  "{}",
  "[]",
  "null",
  "true",
  "-0",
  "1e400",
  "1E-400",
  "01",
  ".5",
  "9007199254740993",
  "\"\\ud800\"",
  "\"\\udc00\\ud800\"",
  "\"\ufeff\"",
  "\"\\u0000\"",
  "\"__proto__\"",
  "{\"__proto__\":1}",
  "{\"__proto__\":{\"a\":1}}",
  "{\"a\":1,\"a\":2}",
  "{\"a\":1,\"\\u0061\":2}",
  "{\"constructor\":{\"prototype\":1}}",
  "[1,]",
  "{,}",
  "\"\n\"",
  "'a'",
  "//",
  "NaN"
]

const swapValue = onText((dice, text, other) => {
  const own = values(text)
  if (own.length === 0) return dice.pick(oddValues)
  const [from, to] = dice.pick(own)
  const theirs = dice.below(3) === 0 ? other() : ""
  const [a, b] = theirs === "" ? [0, 0] : dice.pick([...values(theirs), [0, theirs.length] as const])
  return text.slice(0, from) + (theirs === "" ? dice.pick(oddValues) : theirs.slice(a, b)) + text.slice(to)
})

/** An entry of an object once more, or one that nobody asked for. */
const addEntry = onText((dice, text) => {
  const entries = [...text.matchAll(/"(?:[^"\\]|\\.)*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[^\s{}[\],]+)/g)]
  const made = entries.length > 0 && dice.coin()
    ? dice.pick(entries)[0]
    : `${JSON.stringify(anyWord(dice))}:${dice.pick(oddValues)}`
  const opens = [...text.matchAll(/\{/g)]
  if (opens.length === 0) return `{${made}}`
  const at = dice.pick(opens).index + 1
  const tail = text.slice(at)
  return text.slice(0, at) + made + (/^\s*\}/.test(tail) ? "" : ",") + tail
})

const nest = onText((dice, text) => {
  const depth = dice.pick([1, 2, 62, 63, 64, 65, 1_000, 20_000])
  const [open, close] = dice.pick([["[", "]"], ["{\"a\":", "}"]])
  const found = values(text)
  const [from, to] = found.length > 0 && dice.coin() ? dice.pick(found) : [0, text.length]
  return text.slice(0, from) + open!.repeat(depth) + text.slice(from, to) +
    close!.repeat(dice.pick([depth, depth, 0])) +
    text.slice(to)
})

/** White space where it may be, and where it may not. */
const space = onText((dice, text) => {
  const at = dice.below(text.length + 1)
  return text.slice(0, at) + dice.pick([" ", "\n", "\t", "\r", "\f", "\u00a0", "\ufeff", "\u2028"]) + text.slice(at)
})

export const jsonMutators: ReadonlyArray<Mutator> = [
  ...textMutators,
  swapValue,
  swapValue,
  swapValue,
  swapValue,
  addEntry,
  addEntry,
  addEntry,
  nest,
  space
]

/** A surrogate in bytes that are no UTF-8, as a careless program would write it. */
export const surrogate: Mutator = (dice, input) => {
  const at = dice.below(input.length + 1)
  return pieces(input, at, at, Uint8Array.of(0xed, 0xa0 + dice.below(32), 0x80 + dice.below(64)))
}
