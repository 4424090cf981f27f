/** Changes of bytes that know nothing of what the bytes mean, and the numbers at which code tends to break. */
import * as Bytes from "../../src/domain/bytes.ts"
import type { Dice } from "../domain/records.ts"

/** A changed copy. `other` gives another item of the corpus. */
export type Mutator = (dice: Dice, input: Uint8Array, other: () => Uint8Array) => Uint8Array

/** Edges of heads, of widths, of signs, of safe integers, of limits of the protocol. */
export const numbers: ReadonlyArray<bigint> = [
  0n,
  1n,
  2n,
  3n,
  8n,
  20n,
  23n,
  24n,
  31n,
  32n,
  63n,
  64n,
  65n,
  127n,
  128n,
  255n,
  256n,
  257n,
  4_095n,
  4_096n,
  32_767n,
  32_768n,
  65_535n,
  65_536n,
  2n ** 20n,
  2n ** 24n,
  2n ** 24n + 1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 48n - 1n,
  2n ** 48n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n
]

export const pieces = (input: Uint8Array, from: number, to: number, inside: Uint8Array): Uint8Array =>
  Bytes.concat([input.subarray(0, from), inside, input.subarray(to)])

/** Two places, the lower one first. */
const span = (dice: Dice, length: number, most = length): readonly [number, number] => {
  const from = dice.below(length + 1)
  return [from, Math.min(length, from + dice.below(most + 1))]
}

const numberBytes = (dice: Dice): Uint8Array => {
  const width = dice.pick([1, 2, 4, 8])
  const big = Bytes.u64be(dice.pick(numbers)).subarray(8 - width)
  return dice.coin() ? big : big.toReversed()
}

const flipBits: Mutator = (dice, input) => {
  const out = input.slice()
  for (let n = dice.below(4); n >= 0 && out.length > 0; n--) out[dice.below(out.length)]! ^= 1 << dice.below(8)
  return out
}

const setBytes: Mutator = (dice, input) => {
  const out = input.slice()
  for (let n = dice.below(4); n >= 0 && out.length > 0; n--) {
    out[dice.below(out.length)] = dice.coin() ? dice.below(256) : dice.pick([0, 1, 0x7f, 0x80, 0xff, 0x20, 0x22, 0x2f])
  }
  return out
}

const truncate: Mutator = (dice, input) => input.slice(0, dice.below(input.length + 1))

const remove: Mutator = (dice, input) => pieces(input, ...span(dice, input.length, 64), new Uint8Array())

const insertRandom: Mutator = (dice, input) => {
  const at = dice.below(input.length + 1)
  return pieces(input, at, at, dice.bytes(dice.below(16)))
}

const overwriteNumber: Mutator = (dice, input) => {
  const number = numberBytes(dice)
  const at = dice.below(input.length + 1)
  return pieces(input, at, Math.min(input.length, at + (dice.coin() ? number.length : 0)), number)
}

const duplicate: Mutator = (dice, input) => {
  const [from, to] = span(dice, input.length)
  const at = dice.below(input.length + 1)
  return pieces(input, at, at, input.subarray(from, to))
}

const splice: Mutator = (dice, input, other) => {
  const from = other()
  const [a, b] = span(dice, from.length)
  return pieces(input, ...span(dice, input.length), from.subarray(a, b))
}

const append: Mutator = (_dice, input, other) => Bytes.concat([input, other()])

const random: Mutator = (dice) => dice.bytes(dice.below(dice.pick([4, 32, 256])))

export const byteMutators: ReadonlyArray<Mutator> = [
  flipBits,
  flipBits,
  setBytes,
  truncate,
  remove,
  insertRandom,
  overwriteNumber,
  duplicate,
  splice,
  append,
  random
]

/** One to four changes, one on the other. */
export const mutate = (
  dice: Dice,
  mutators: ReadonlyArray<Mutator>,
  input: Uint8Array,
  other: () => Uint8Array
): Uint8Array => {
  let out = input
  let more = true
  for (let n = 0; n < 4 && more; n++) {
    out = dice.pick(mutators)(dice, out, other)
    more = dice.below(3) === 0
  }
  return out
}
