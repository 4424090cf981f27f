/**
 * CBOR as a tree that keeps the form it was written in, so that a mutator can write the same item in another form, and an
 * oracle can tell the one canonical form (RFC 8949 §4.2). Shares no code with what it checks.
 */
import * as Bytes from "../../src/domain/bytes.ts"
import type { Dice } from "../domain/records.ts"
import { byteMutators, type Mutator, numbers } from "./mutators.ts"

/** Bytes of a head's argument: 0 is in the first byte, 31 an indefinite length. */
type Width = 0 | 1 | 2 | 4 | 8 | 31

/** One item. `argument` is a value, a length, a count or a tag, as it stands in the head. */
export interface Item {
  major: number
  width: Width
  argument: bigint
  /** Of strings. */
  bytes: Uint8Array
  /** Of arrays and tags; of maps keys and values in turn; chunks of indefinite strings. */
  items: Array<Item>
}

const depthMax = 256
const empty = new Uint8Array()
const item = (major: number, argument: bigint, rest: Partial<Item> = {}): Item => ({
  major,
  width: least(argument),
  argument,
  bytes: empty,
  items: [],
  ...rest
})

const least = (argument: bigint): Width =>
  argument < 24n ? 0 : argument < 0x100n ? 1 : argument < 0x10000n ? 2 : argument < 0x100000000n ? 4 : 8

/** Reads one item; `undefined` when there is none, or it is cut off. */
const parseAt = (
  bytes: Uint8Array,
  start: number,
  depth = 0
): { readonly item: Item; readonly end: number } | undefined => {
  const first = bytes[start]
  if (first === undefined || depth > depthMax) return undefined
  const [major, minor] = [first >>> 5, first & 31]
  if (minor > 27 && minor < 31) return undefined
  const width: Width = minor === 31 ? 31 : minor < 24 ? 0 : (1 << (minor - 24)) as Width
  let at = start + 1 + (width === 31 ? 0 : width)
  if (at > bytes.length) return undefined
  let argument = BigInt(minor)
  if (width !== 0 && width !== 31) {
    argument = 0n
    for (let i = start + 1; i < at; i++) argument = argument * 256n + BigInt(bytes[i]!)
  }
  const made: Item = { major, width, argument, bytes: empty, items: [] }
  const done = () => ({ item: made, end: at })
  if (width === 31) {
    if (major < 2 || major > 5) return undefined
    while (bytes[at] !== 0xff) {
      const inner = parseAt(bytes, at, depth + 1)
      if (inner === undefined) return undefined
      made.items.push(inner.item)
      at = inner.end
    }
    at++
    return done()
  }
  if (major === 2 || major === 3) {
    if (argument > BigInt(bytes.length - at)) return undefined
    made.bytes = bytes.subarray(at, at + Number(argument))
    at += Number(argument)
    return done()
  }
  const count = major === 4 ? argument : major === 5 ? argument * 2n : major === 6 ? 1n : 0n
  for (let i = 0n; i < count; i++) {
    const inner = parseAt(bytes, at, depth + 1)
    if (inner === undefined) return undefined
    made.items.push(inner.item)
    at = inner.end
  }
  return done()
}

export const parse = (bytes: Uint8Array): Item | undefined => {
  const found = parseAt(bytes, 0)
  return found?.end === bytes.length ? found.item : undefined
}

const printHead = (major: number, width: Width, argument: bigint): Uint8Array => {
  if (width === 31) return Uint8Array.of((major << 5) | 31)
  if (width === 0) return Uint8Array.of((major << 5) | Number(argument & 31n))
  return Bytes.concat([
    Uint8Array.of((major << 5) | (24 + Math.log2(width))),
    Bytes.u64be(BigInt.asUintN(64, argument)).subarray(8 - width)
  ])
}

/** Writes an item as it says, true or not: what its head claims need not be what follows. */
const print = (it: Item): Uint8Array =>
  Bytes.concat([
    printHead(it.major, it.width, it.argument),
    it.bytes,
    ...it.items.map(print),
    it.width === 31 ? Uint8Array.of(0xff) : empty
  ])

/** Whether these bytes are one item in the one form of RFC 8949 §4.2.1, without floats, tags and simple values. */
export const isCanonical = (it: Item): boolean => {
  if (it.major > 5 || it.width !== least(it.argument)) return false
  if (it.major === 3 && Bytes.toText(it.bytes) === undefined) return false
  if (!it.items.every(isCanonical)) return false
  if (it.major !== 5) return true
  const keys = it.items.filter((_, i) => i % 2 === 0).map(print)
  return keys.every((key, i) => i === 0 || Bytes.compare(keys[i - 1]!, key) < 0)
}

/** The entries of a map whose keys are text, or nothing when it is something else. */
export const entriesOf = (it: Item): Map<string, Item> | undefined => {
  if (it.major !== 5) return undefined
  const found = new Map<string, Item>()
  for (let i = 0; i < it.items.length; i += 2) {
    const key = it.items[i]!
    if (key.major !== 3) return undefined
    found.set(Bytes.toText(key.bytes) ?? "", it.items[i + 1]!)
  }
  return found
}

const everyItem = (it: Item, out: Array<Item> = []): Array<Item> => {
  out.push(it)
  for (const inner of it.items) everyItem(inner, out)
  return out
}

/** The counts say what is there. */
const recount = (it: Item): void => {
  if (it.major !== 4 && it.major !== 5) return
  it.argument = BigInt(it.major === 4 ? it.items.length : it.items.length >> 1)
  if (it.width !== 31) it.width = least(it.argument)
}

const text = (value: string): Item => {
  const bytes = Bytes.fromText(value)
  return item(3, BigInt(bytes.length), { bytes })
}

const raw = (hex: string): Item => parse(Bytes.fromHex(hex))!

/** What no record, payload or frame has in this place, or only seldom. */
const odd: ReadonlyArray<(dice: Dice) => Item> = [
  (dice) => item(0, dice.pick(numbers)),
  (dice) => item(1, dice.pick(numbers)),
  (dice) => {
    const bytes = dice.bytes(dice.pick([0, 1, 7, 8, 9, 16, 20, 31, 32, 33, 64, 65, 66]))
    return item(2, BigInt(bytes.length), { bytes })
  },
  (dice) => text(dice.text(6)),
  () => text("\ufeff"),
  () => text("__proto__"),
  () => item(3, 2n, { bytes: Uint8Array.of(0xc3, 0x28) }),
  () => item(3, 3n, { bytes: Uint8Array.of(0xed, 0xa0, 0x80) }),
  () => item(4, 0n),
  () => item(5, 0n),
  (dice) => raw(dice.pick(["f4", "f5", "f6", "f7", "e0", "f8ff", "f90000", "f97e00", "f97c00", "fa3f800000"])),
  () => raw("fb3ff0000000000000"),
  () => raw("fb4340000000000000"),
  (dice) => item(6, dice.pick(numbers), { items: [item(0, 1n)] })
]

const changes: ReadonlyArray<(dice: Dice, it: Item, other: () => Item | undefined) => void> = [
  // a longer head than needed
  (dice, it) => {
    it.width = dice.pick([1, 2, 4, 8] as const)
  },
  // a claim that is not kept
  (dice, it) => {
    it.argument = dice.pick(numbers)
    it.width = least(it.argument)
  },
  // an indefinite length
  (_dice, it) => {
    if (it.major === 2 || it.major === 3) it.items = [{ ...it, items: [] }]
    if (it.major >= 2 && it.major <= 5) [it.width, it.bytes] = [31, empty]
  },
  // another item in this place
  (dice, it) => Object.assign(it, dice.pick(odd)(dice)),
  (_dice, it, other) => Object.assign(it, other() ?? {}),
  // one more or one less off
  (dice, it) => {
    if (it.major > 1) return
    it.argument = BigInt.asUintN(64, it.argument + dice.pick([1n, -1n, 2n, 16n]))
    it.width = least(it.argument)
  },
  // a string of another length
  (dice, it) => {
    if (it.major !== 2 && it.major !== 3) return
    it.bytes = dice.coin() ? it.bytes.subarray(0, dice.below(it.bytes.length + 1)) : Bytes.concat([it.bytes, it.bytes])
    it.argument = BigInt(it.bytes.length)
    it.width = least(it.argument)
  },
  // other bytes in a string
  (dice, it) => {
    if (it.bytes.length === 0) return
    it.bytes = dice.pick(byteMutators)(dice, it.bytes, () => it.bytes)
    it.argument = BigInt(it.bytes.length)
    it.width = least(it.argument)
  },
  // two keys or items change places
  (dice, it) => {
    const step = it.major === 5 ? 2 : 1
    if (it.items.length < 2 * step) return
    const at = dice.below(it.items.length / step - 1) * step
    it.items.push(...it.items.splice(at, step))
  },
  // one twice
  (dice, it) => {
    const step = it.major === 5 ? 2 : 1
    if (it.items.length < step) return
    const at = dice.below(it.items.length / step) * step
    const again = it.items.slice(at, at + step).map((each) => structuredClone(each))
    it.items.splice(dice.coin() ? at : it.items.length, 0, ...again)
    recount(it)
  },
  // one gone
  (dice, it) => {
    const step = it.major === 5 ? 2 : 1
    if (it.items.length < step) return
    it.items.splice(dice.below(it.items.length / step) * step, step)
    recount(it)
  },
  // one more
  (dice, it) => {
    if (it.major !== 4 && it.major !== 5) return
    if (it.major === 5)
      it.items.push(text(dice.pick(["peer", "control", "title", "nonce", "observed", "id", "", "Batch"])))
    it.items.push(dice.pick(odd)(dice))
    recount(it)
  },
  // wrapped
  (dice, it) => {
    const inner = { ...it }
    const made = dice.coin()
      ? item(4, 1n, { items: [inner] })
      : dice.coin()
      ? item(6, dice.pick([0n, 2n, 24n, 55_799n]), { items: [inner] })
      : item(5, 1n, { items: [text("a"), inner] })
    Object.assign(it, made)
  },
  // deep
  (dice, it) => {
    for (let n = dice.pick([8, 64, 200]); n > 0; n--) Object.assign(it, item(4, 1n, { items: [{ ...it }] }))
  }
]

/** Changes one item of the tree; bytes that are no CBOR are changed as bytes. */
const changeItem: Mutator = (dice, input, other) => {
  const tree = parse(input)
  if (tree === undefined) return dice.pick(byteMutators)(dice, input, other)
  const elsewhere = (): Item | undefined => {
    const found = parse(other())
    return found === undefined ? undefined : structuredClone(dice.pick(everyItem(found)))
  }
  dice.pick(changes)(dice, dice.pick(everyItem(tree)), elsewhere)
  return print(tree)
}

/** Changes what is nested as bytes: records within frames. */
const changeInside: Mutator = (dice, input, other) => {
  const tree = parse(input)
  const nested = tree === undefined
    ? []
    : everyItem(tree).filter((it) => it.major === 2 && parse(it.bytes)?.major === 5)
  if (tree === undefined || nested.length === 0) return changeItem(dice, input, other)
  const it = dice.pick(nested)
  it.bytes = changeItem(dice, it.bytes, other)
  it.argument = BigInt(it.bytes.length)
  it.width = least(it.argument)
  return print(tree)
}

/** Keys in their order and heads at their least: a changed record is often a record again. */
const tidy: Mutator = (_dice, input) => {
  const tree = parse(input)
  if (tree === undefined) return input
  for (const it of everyItem(tree)) {
    if (it.width !== 31) it.width = least(it.argument)
    if (it.major !== 5) continue
    const pairs = Array.from({ length: it.items.length >> 1 }, (_, i) => it.items.slice(2 * i, 2 * i + 2))
    it.items = pairs.sort(([a], [b]) => Bytes.compare(print(a!), print(b!))).flat()
  }
  return print(tree)
}

export const cborMutators: ReadonlyArray<Mutator> = [
  ...byteMutators,
  ...Array.from({ length: 10 }, () => changeItem),
  changeInside,
  changeInside,
  (dice, input, other) => tidy(dice, changeItem(dice, input, other), other),
  (dice, input, other) => tidy(dice, changeItem(dice, input, other), other),
  (dice, input, other) => tidy(dice, changeItem(dice, input, other), other)
]
