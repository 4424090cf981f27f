/**
 * The Merkle roots that a set of records must have, after the words of SPEC §6 and without the code of `domain/merkle`: slow,
 * with sums as plain integers. Trees that a node keeps are held against it.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import { type Domain, domainOf, type Record } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
import { ages, cutoffAt } from "./ageing.ts"

/** 16-way, from 65 536 leaves to one root. */
const arity = 16
const levels = 4
const modulus = 1n << 256n

const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Bytes.toHex(bytes)}`)

const bytesOf = (number: bigint, length: number): Uint8Array =>
  Bytes.fromHex(number.toString(16).padStart(length * 2, "0"))

/** A leaf: the sum of its digests and how many there are. */
interface Leaf {
  readonly sum: bigint
  readonly count: number
}

export class ModelTrees {
  readonly #hashes: Hashes
  readonly #digests = new WeakMap<Record, bigint>()
  /** The hash of a tree without records, by height above the leaves. */
  readonly #empty: ReadonlyArray<Uint8Array>

  constructor(hashes: Hashes) {
    this.#hashes = hashes
    const empty = [this.#leafHash({ sum: 0n, count: 0 })]
    for (let level = 0; level < levels; level++) {
      const below = empty[level]!
      empty.push(hashes.blake3(Bytes.concat(Array.from({ length: arity }, () => below))))
    }
    this.#empty = empty
  }

  #leafHash({ count, sum }: Leaf): Uint8Array {
    return this.#hashes.blake3(Bytes.concat([bytesOf(sum, 32), bytesOf(BigInt(count), 4)]))
  }

  #digestOf(record: Record): bigint {
    const known = this.#digests.get(record)
    if (known !== undefined) return known
    const prefix = Bytes.fromText("p2p-mes/leaf/v1")
    const digest = numberOf(this.#hashes.blake3(Bytes.concat([prefix, Wire.encode(record)])))
    this.#digests.set(record, digest)
    return digest
  }

  /**
   * The root of one domain, 64 hex digits, at a horizon: over the records stamped at or before it, and, of those that age,
   * after the start of its hour less 30 days.
   */
  rootOf(records: ReadonlyArray<Record>, domain: Domain, horizonMs: number): string {
    const cutoffMs = cutoffAt(horizonMs)
    const leaves = new Map<number, Leaf>()
    for (const record of records) {
      const ms = Hlc.physicalMs(record.hlc)
      if (domainOf(record) !== domain || ms > horizonMs || (ages(record) && ms <= cutoffMs)) continue
      const bucket = Number.parseInt(record.id.slice(0, 4), 16)
      const { count, sum } = leaves.get(bucket) ?? { sum: 0n, count: 0 }
      leaves.set(bucket, { sum: (sum + this.#digestOf(record)) % modulus, count: count + 1 })
    }
    let hashes = new Map([...leaves].map(([bucket, leaf]) => [bucket, this.#leafHash(leaf)]))
    for (let level = 0; level < levels; level++) {
      const parents = new Set([...hashes.keys()].map((place) => Math.floor(place / arity)))
      const below = hashes
      hashes = new Map([...parents].map((parent) => {
        const children = Array.from({ length: arity }, (_, i) => below.get(parent * arity + i) ?? this.#empty[level]!)
        return [parent, this.#hashes.blake3(Bytes.concat(children))]
      }))
    }
    return Bytes.toHex(hashes.get(0) ?? this.#empty[levels]!)
  }
}
