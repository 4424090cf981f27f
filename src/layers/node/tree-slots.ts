/**
 * Changes of Merkle leaves by the horizon that sees them first (SPEC §6): those above the newest horizon wait here until it
 * reaches them, and those of the last horizons are kept so that they can be undone. Packed, because there are as many of
 * them as there are writes in a minute and a half.
 */
import * as Hlc from "../../domain/hlc.ts"
import * as Horizon from "../../domain/horizon.ts"
import type { Domain } from "../../domain/record.ts"
import type { LeafChange } from "../../services/Store.ts"

/** A leaf change with what the trees need to know of it. */
export interface Change {
  readonly domain: Domain
  readonly bucket: number
  readonly digest: Uint8Array
  readonly removes: boolean
  readonly ages: boolean
  /** The record's own stamp, ms: by it the record ages. */
  readonly ownMs: number
  /** The first horizon that sees the change. */
  readonly slotMs: number
  /** The commit that brought it. */
  readonly commit: number
}

/** A removal is seen from the higher of two stamps on, but its record ages by its own. */
export const changeOf = (leaf: LeafChange, commit: number): Change => ({
  domain: leaf.domain,
  bucket: leaf.bucket,
  digest: leaf.digest,
  removes: leaf.change === "remove",
  ages: leaf.ages,
  ownMs: Hlc.physicalMs(leaf.recordHlc),
  slotMs: Horizon.seenFromMs(Hlc.physicalMs(leaf.hlc)),
  commit
})

const digestBytes = 32
const entriesFirst = 16
const removesFlag = 1
const agesFlag = 2

/** The changes of one domain that one horizon sees first, in the order they came. 51 bytes each. */
export class ChangeLog {
  #count = 0
  #buckets = new Uint16Array(entriesFirst)
  #flags = new Uint8Array(entriesFirst)
  #ownMs = new Float64Array(entriesFirst)
  #commits = new Float64Array(entriesFirst)
  #digests = new Uint8Array(entriesFirst * digestBytes)

  get count(): number {
    return this.#count
  }

  push(change: Change): void {
    const at = this.#count
    if (at === this.#buckets.length) this.#grow()
    this.#buckets[at] = change.bucket
    this.#flags[at] = (change.removes ? removesFlag : 0) | (change.ages ? agesFlag : 0)
    this.#ownMs[at] = change.ownMs
    this.#commits[at] = change.commit
    this.#digests.set(change.digest, at * digestBytes)
    this.#count++
  }

  bucket(at: number): number {
    return this.#buckets[at]!
  }

  removes(at: number): boolean {
    return (this.#flags[at]! & removesFlag) !== 0
  }

  ages(at: number): boolean {
    return (this.#flags[at]! & agesFlag) !== 0
  }

  ownMs(at: number): number {
    return this.#ownMs[at]!
  }

  commit(at: number): number {
    return this.#commits[at]!
  }

  /** A view: not to be kept or changed. */
  digest(at: number): Uint8Array {
    return this.#digests.subarray(at * digestBytes, (at + 1) * digestBytes)
  }

  #grow(): void {
    const length = this.#buckets.length * 2
    const grown = <A extends Uint8Array | Uint16Array | Float64Array>(into: A, from: A): A => {
      into.set(from)
      return into
    }
    this.#buckets = grown(new Uint16Array(length), this.#buckets)
    this.#flags = grown(new Uint8Array(length), this.#flags)
    this.#ownMs = grown(new Float64Array(length), this.#ownMs)
    this.#commits = grown(new Float64Array(length), this.#commits)
    this.#digests = grown(new Uint8Array(length * digestBytes), this.#digests)
  }
}

/** The logs of one domain by the horizon that sees them first. */
export class Slots {
  readonly #logs = new Map<number, ChangeLog>()

  get(slotMs: number): ChangeLog | undefined {
    return this.#logs.get(slotMs)
  }

  push(change: Change): void {
    let log = this.#logs.get(change.slotMs)
    if (log === undefined) this.#logs.set(change.slotMs, log = new ChangeLog())
    log.push(change)
  }

  /** How many changes went with it. */
  drop(slotMs: number): number {
    const count = this.#logs.get(slotMs)?.count ?? 0
    this.#logs.delete(slotMs)
    return count
  }

  /** In no order. */
  keys(): Iterable<number> {
    return this.#logs.keys()
  }

  entries(): Iterable<readonly [number, ChangeLog]> {
    return this.#logs.entries()
  }
}
