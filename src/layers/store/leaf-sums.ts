/**
 * Adds up leaf digests by bucket (SPEC §6): sums modulo 2^256 of digests read as big-endian integers.
 */
import type { Leaf } from "../../services/Store.ts"

/** Buckets `from` to `to`, exclusive. Holds 36 bytes a bucket. */
export class LeafSums {
  readonly #from: number
  readonly #sums: Uint8Array
  readonly #counts: Uint32Array

  constructor(from: number, to: number) {
    const length = Math.max(0, to - from)
    this.#from = from
    this.#sums = new Uint8Array(length * 32)
    this.#counts = new Uint32Array(length)
  }

  /** A bucket outside the range is ignored. */
  add(bucket: number, digest: Uint8Array): void {
    const slot = bucket - this.#from
    if (slot < 0 || slot >= this.#counts.length) return
    const base = slot * 32
    let carry = 0
    for (let i = 31; i >= 0; i--) {
      carry += this.#sums[base + i]! + digest[i]!
      this.#sums[base + i] = carry
      carry >>>= 8
    }
    this.#counts[slot]!++
  }

  /** The buckets that are not empty, ascending. */
  leaves(): ReadonlyArray<Leaf> {
    const leaves: Array<Leaf> = []
    for (let slot = 0; slot < this.#counts.length; slot++) {
      const count = this.#counts[slot]!
      if (count > 0) leaves.push({ bucket: this.#from + slot, sum: this.#sums.slice(slot * 32, slot * 32 + 32), count })
    }
    return leaves
  }
}
