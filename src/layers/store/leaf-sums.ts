/**
 * Adds up leaf digests by bucket (SPEC §6). Holds only buckets that are not empty: a small store has one in some hundred.
 */
import * as Sums from "../../domain/merkle-sums.ts"
import type { Leaf } from "../../services/Store.ts"

const sumsFirst = 8

/** Of buckets `from` to `to`, exclusive. Holds some 50 to 100 bytes for each that is not empty. */
export class LeafSums {
  readonly #from: number
  readonly #to: number
  /** By bucket: which of the sums it has. */
  readonly #places = new Map<number, number>()
  #sums = new Uint32Array(sumsFirst * Sums.sumWords)
  #counts = new Uint32Array(sumsFirst)
  /** The last bucket that was added to: digests mostly come bucket by bucket. */
  #bucket = -1
  #place = 0

  constructor(from: number, to: number) {
    this.#from = from
    this.#to = to
  }

  /** `digest`: 32 bytes. A bucket outside the range is ignored. */
  add(bucket: number, digest: Uint8Array): void {
    if (bucket < this.#from || bucket >= this.#to) return
    if (bucket !== this.#bucket) {
      this.#place = this.#places.get(bucket) ?? this.#newPlace(bucket)
      this.#bucket = bucket
    }
    Sums.add(this.#sums, this.#place * Sums.sumWords, Sums.wordsOf(digest), 0)
    this.#counts[this.#place]!++
  }

  #newPlace(bucket: number): number {
    const place = this.#places.size
    if (place === this.#counts.length) {
      const [sums, counts] = [this.#sums, this.#counts]
      this.#sums = new Uint32Array(sums.length * 2)
      this.#sums.set(sums)
      this.#counts = new Uint32Array(counts.length * 2)
      this.#counts.set(counts)
    }
    this.#places.set(bucket, place)
    return place
  }

  /** The buckets that are not empty, ascending. */
  leaves(): ReadonlyArray<Leaf> {
    return [...this.#places].sort(([a], [b]) => a - b).map(([bucket, place]) => ({
      bucket,
      sum: Sums.bytesOf(this.#sums, place * Sums.sumWords),
      count: this.#counts[place]!
    }))
  }
}
