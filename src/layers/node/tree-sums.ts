/**
 * A Merkle tree over part of the records that is read from the store in steps, while commits go on, and is exact whatever
 * the order in which answers and commits arrive: each answer tells which commits it holds (`InLine.commit`).
 *
 * The rule: the tree is the sum of the changes of its part that the newest horizon sees. A step of the store holds every
 * change of its commits, seen or not. So a removal that the horizon does not see yet is undone in what was read, and done
 * again when the horizon reaches it.
 */
import type { Hashes } from "../../domain/hashing.ts"
import { leavesCount } from "../../domain/limits.ts"
import { MerkleTree } from "../../domain/merkle.ts"
import type { InLine, Leaf } from "../../services/Store.ts"
import type { Change, ChangeLog, Slots } from "./tree-slots.ts"

/** Buckets read at a time: short enough that commits do not wait long. */
export const stepBuckets = 1_024
export const stepsCount = leavesCount / stepBuckets

/** Which records are summed: those that age with own stamps above `aboveMs` up to `upToMs`, and the others if wanted. */
export interface Part {
  readonly aboveMs: number
  readonly upToMs: number
  readonly ageingOnly: boolean
}

const unread = -1

export class TreeSums {
  readonly tree: MerkleTree
  part: Part
  /** Where reading ended: stamps in the store's answers go up to here, ms. */
  readonly #readUpToMs: number
  /** By step: the last commit that was in it when it was read. */
  readonly #readAt: Array<number>
  #read = 0
  #latest = 0

  constructor(hashes: Hashes, part: Part, readUpToMs: number) {
    this.tree = new MerkleTree(hashes)
    this.part = part
    this.#readUpToMs = readUpToMs
    this.#readAt = Array.from({ length: stepsCount }, () => unread)
  }

  get stepsRead(): number {
    return this.#read
  }

  /** Whether all buckets have been read. */
  get complete(): boolean {
    return this.#read === stepsCount
  }

  /** Whether it says the same as a tree that was told all commits up to `applied`: all is read, and no further than that. */
  inLine(applied: number): boolean {
    return this.complete && this.#latest <= applied
  }

  #covers(ages: boolean, ownMs: number): boolean {
    return ages ? ownMs > this.part.aboveMs && ownMs <= this.part.upToMs : !this.part.ageingOnly
  }

  #put(bucket: number, digest: Uint8Array, remove: boolean): void {
    if (remove) this.tree.remove(bucket, digest)
    else this.tree.insert(bucket, digest)
  }

  /** Takes in what a commit changed. `seen`: the newest horizon sees it; otherwise {@link reach} will bring it. */
  take(change: Change, seen: boolean): void {
    if (!this.#covers(change.ages, change.ownMs)) return
    const readAt = this.#readAt[Math.trunc(change.bucket / stepBuckets)]!
    if (readAt === unread) return
    const held = change.commit <= readAt && change.ownMs <= this.#readUpToMs
    if (seen && !held) this.#put(change.bucket, change.digest, change.removes)
    // a removal that the horizon does not see yet is in what was read
    if (!seen && held && change.removes) this.tree.insert(change.bucket, change.digest)
  }

  /** The newest horizon has reached these changes. */
  reach(log: ChangeLog): void {
    for (let i = 0; i < log.count; i++) {
      const bucket = log.bucket(i)
      if (this.#readAt[Math.trunc(bucket / stepBuckets)] === unread || !this.#covers(log.ages(i), log.ownMs(i)))
        continue
      this.#put(bucket, log.digest(i), log.removes(i))
    }
  }

  /**
   * Takes in a step that was read. `meanwhile`: changes of the domain that came while it was on its way; `waiting`: those
   * that the newest horizon does not see.
   */
  merge(
    step: number,
    answer: InLine<ReadonlyArray<Leaf>>,
    meanwhile: ReadonlyArray<Change>,
    waiting: Slots,
    newestMs: number
  ): void {
    if (this.#readAt[step] !== unread) throw new Error(`buckets of step ${step} were read twice`)
    const inStep = (bucket: number): boolean => Math.trunc(bucket / stepBuckets) === step
    for (const leaf of answer.value) {
      if (!inStep(leaf.bucket)) throw new Error(`bucket ${leaf.bucket} was not asked for`)
      this.tree.addLeaf(leaf.bucket, leaf.sum, leaf.count)
    }
    this.#readAt[step] = answer.commit
    this.#latest = Math.max(this.#latest, answer.commit)
    this.#read++
    for (const [slotMs, log] of waiting.entries()) {
      if (slotMs <= newestMs) continue
      for (let i = 0; i < log.count; i++) {
        const bucket = log.bucket(i)
        if (!inStep(bucket) || log.commit(i) > answer.commit || !this.#covers(log.ages(i), log.ownMs(i))) continue
        if (log.removes(i) && log.ownMs(i) <= this.#readUpToMs) this.tree.insert(bucket, log.digest(i))
      }
    }
    for (const change of meanwhile) {
      if (inStep(change.bucket) && change.slotMs <= newestMs) this.take(change, true)
    }
  }
}
