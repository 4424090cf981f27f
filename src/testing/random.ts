/**
 * Chance from a seed, so that a run can be repeated. Each part of a simulation draws from a generator of its own, named
 * after it: one part that draws more often does not change what the others get.
 *
 * The generator is small and fast, good for tests, and no source of secrets.
 */
import * as Bytes from "../domain/bytes.ts"

/** Mixes text into 32 bits (FNV-1a, then a finish that spreads every bit). */
const mix = (text: string): number => {
  let hash = 0x811c9dc5
  for (const byte of Bytes.fromText(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Draws thrown away at the start, until the seed has spread over the state. */
const warmUp = 12

/** A generator of the family called sfc32: three words that are shuffled, and a counter that forbids short cycles. */
export class Random {
  readonly #name: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** `name` is the seed; the same name gives the same numbers. */
  constructor(name: string) {
    this.#name = name
    this.#a = mix(`${name}/a`)
    this.#b = mix(`${name}/b`)
    this.#c = mix(`${name}/c`)
    for (let i = 0; i < warmUp; i++) this.word()
  }

  /** A generator of its own for a part, whatever was drawn here. */
  part(name: string): Random {
    return new Random(`${this.#name}/${name}`)
  }

  /** 32 bits. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** From 0, below 1, with 53 bits. */
  unit(): number {
    return ((this.word() >>> 5) * 0x4000000 + (this.word() >>> 6)) / 2 ** 53
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.unit() * (max - min + 1))
  }

  /** True in this share of the cases, 0 to 1. */
  chance(share: number): boolean {
    return share > 0 && this.unit() < share
  }

  /** One of several; a defect when there is none. */
  pick<A>(items: ReadonlyArray<A>): A {
    if (items.length === 0) throw new Error("nothing to pick from")
    return items[this.between(0, items.length - 1)]!
  }

  /** One of several by weight; a defect when all weights are 0. */
  weighted<A>(items: ReadonlyArray<readonly [weight: number, item: A]>): A {
    const sum = items.reduce((total, [weight]) => total + weight, 0)
    let at = this.unit() * sum
    for (const [weight, item] of items) {
      if (weight > 0 && at < weight) return item
      at -= weight
    }
    const last = items.findLast(([weight]) => weight > 0)
    if (last === undefined) throw new Error("nothing to pick from")
    return last[1]
  }

  /** Another order of the same. */
  shuffle<A>(items: ReadonlyArray<A>): Array<A> {
    const copy = [...items]
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.between(0, i)
      const held = copy[i]!
      copy[i] = copy[j]!
      copy[j] = held
    }
    return copy
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.word() & 0xff)
  }
}
