/**
 * The fingerprint of a set of records (SPEC §6): equal roots mean equal sets, and where roots differ the tree tells in
 * which buckets. 65 536 leaves, one a bucket of ids, under inner nodes of 16 children.
 *
 * A leaf is the sum of its records' digests modulo 2^256, and their count: it does not depend on order, and takes a
 * record in or out in constant time. The sum is not XOR: a set of ids that cancels under XOR is found by linear algebra
 * (FAILURES 28). Hashes of leaves are not stored, and those of inner nodes are computed when asked for, so a write costs a
 * few additions, and memory is fixed at about 2.5 MB a tree.
 *
 * Levels count from the root: 0 is the root, 1 to 3 have 16, 256 and 4 096 inner nodes, 4 the leaves.
 */
import * as Bytes from "./bytes.ts"
import type { Hashes } from "./hashing.ts"
import { branchCount, leavesCount, levelsCount } from "./limits.ts"

const hashBytes = 32
const sumWords = 8

/** A power a level; a table, since this is asked for every leaf of a tree. */
const widths: ReadonlyArray<number> = Array.from({ length: levelsCount + 1 }, (_, level) => branchCount ** level)

/** How many nodes a level has. */
export const widthOf = (level: number): number => widths[level]!

/** Where a level's nodes begin when the inner nodes are laid out from the root down. */
const offsets: ReadonlyArray<number> = [0, 1, 17, 273]
const innerCount = 4369

/** The bucket of a record: the first two bytes of its id. */
export const bucketOf = (id: string): number => Number.parseInt(id.slice(0, 4), 16)

/** How many bytes of each hash are compared: 8, or all 32 when 8 did not find what differs. */
export type PrefixBytes = 8 | 32

export interface LeafValue {
  /** 32 big-endian bytes. */
  readonly sum: Uint8Array
  readonly count: number
}

export class MerkleTree {
  private readonly hashes: Hashes
  private readonly sums: Uint32Array
  private readonly counts: Uint32Array
  /** Hashes of inner nodes, out of date where `stale` says so. A node above a stale one is stale. */
  private readonly inner: Uint8Array
  private readonly stale: Uint8Array
  /** The hash of a node with nothing under it, by level. */
  private readonly empty: ReadonlyArray<Uint8Array>
  private total = 0

  /** Empty, or as `from` is now: see {@link clone}. */
  constructor(hashes: Hashes, from?: MerkleTree) {
    this.hashes = hashes
    if (from !== undefined) {
      this.sums = from.sums.slice()
      this.counts = from.counts.slice()
      this.inner = from.inner.slice()
      this.stale = from.stale.slice()
      this.empty = from.empty
      this.total = from.total
      return
    }
    this.sums = new Uint32Array(leavesCount * sumWords)
    this.counts = new Uint32Array(leavesCount)
    this.inner = new Uint8Array(innerCount * hashBytes)
    this.stale = new Uint8Array(innerCount)
    const empty = [hashes.blake3(new Uint8Array(hashBytes + 4))]
    for (let level = levelsCount - 1; level >= 0; level--) {
      empty.unshift(hashes.blake3(Bytes.concat(Array.from({ length: branchCount }, () => empty[0]!))))
    }
    this.empty = empty
    this.clear()
  }

  /** Records in the set. */
  get count(): number {
    return this.total
  }

  /** What the tree keeps in memory. */
  get byteLength(): number {
    return this.sums.byteLength + this.counts.byteLength + this.inner.byteLength + this.stale.byteLength
  }

  /** An independent copy: four copies of arrays, hashes that are known included. */
  clone(): MerkleTree {
    return new MerkleTree(this.hashes, this)
  }

  insert(bucket: number, digest: Uint8Array): void {
    this.addLeaf(bucket, digest, 1)
  }

  /** Takes out a digest that is in. One that provably is not is a defect, and changes nothing. */
  remove(bucket: number, digest: Uint8Array): void {
    this.removeLeaf(bucket, digest, 1)
  }

  /** Adds `count` digests whose sum is known: how a tree is built from stored sums. */
  addLeaf(bucket: number, sum: Uint8Array, count: number): void {
    this.check(bucket, sum, count)
    this.add(bucket, wordsOf(sum), 0, count)
  }

  /**
   * Takes out `count` digests with this sum, all of which are in: undoes {@link addLeaf}. Those that provably are not in
   * are a defect, and change nothing.
   */
  removeLeaf(bucket: number, sum: Uint8Array, count: number): void {
    this.check(bucket, sum, count)
    const words = wordsOf(sum)
    this.checkHeld(bucket, words, 0, count)
    this.subtract(bucket, words, 0, count)
  }

  /** Adds everything that `other` holds. */
  addTree(other: MerkleTree): void {
    for (let bucket = 0; bucket < leavesCount; bucket++) {
      if (other.counts[bucket]! > 0) this.add(bucket, other.sums, bucket * sumWords, other.counts[bucket]!)
    }
  }

  /** Takes out everything that `other` holds, all of which is in; else it is a defect, and changes nothing. */
  removeTree(other: MerkleTree): void {
    for (let bucket = 0; bucket < leavesCount; bucket++) {
      if (other.counts[bucket]! > 0) this.checkHeld(bucket, other.sums, bucket * sumWords, other.counts[bucket]!)
    }
    for (let bucket = 0; bucket < leavesCount; bucket++) {
      if (other.counts[bucket]! > 0) this.subtract(bucket, other.sums, bucket * sumWords, other.counts[bucket]!)
    }
  }

  clear(): void {
    this.sums.fill(0)
    this.counts.fill(0)
    this.stale.fill(0)
    this.total = 0
    for (let level = 0; level < levelsCount; level++) {
      const first = offsets[level]! * hashBytes
      const length = widthOf(level) * hashBytes
      this.inner.set(this.empty[level]!, first)
      // twice as much a time
      for (let done = hashBytes; done < length; done *= 2) {
        this.inner.copyWithin(first + done, first, first + Math.min(done, length - done))
      }
    }
  }

  /**
   * Hashes leaves below up to `limit` nodes that are out of date; true when none is left, so that {@link root} has at
   * most 273 inner nodes to do. For a caller that must not hold its event loop for 65 536 leaves.
   */
  refresh(limit: number): boolean {
    let index = 0
    for (let done = 0; done < limit; done++) {
      index = this.nextStale(index)
      if (index === -1) return true
      this.hashOf(levelsCount - 1, index)
    }
    return this.nextStale(index) === -1
  }

  /** 32 bytes, the caller's own. Equal for equal sets of digests and counts, by bucket. */
  root(): Uint8Array {
    return this.hash(0, 0)
  }

  /** The hash of a node, 32 bytes, the caller's own. */
  hash(level: number, index: number): Uint8Array {
    if (!isNode(level, index)) throw new Error(`there is no node ${index} on level ${level}`)
    return this.hashOf(level, index).slice()
  }

  /** The first `bytes` of the hash of each child of an inner node, joined: 16 times `bytes`. */
  children(level: number, index: number, bytes: PrefixBytes = hashBytes): Uint8Array {
    if (level >= levelsCount || !isNode(level, index)) {
      throw new Error(`there is no inner node ${index} on level ${level}`)
    }
    const out = new Uint8Array(branchCount * bytes)
    for (let child = 0; child < branchCount; child++) {
      out.set(this.hashOf(level + 1, index * branchCount + child).subarray(0, bytes), child * bytes)
    }
    return out
  }

  leaf(bucket: number): LeafValue {
    return { sum: this.sumOf(bucket), count: this.counts[bucket]! }
  }

  /** Records under a node, a leaf included. */
  countUnder(level: number, index: number): number {
    if (!isNode(level, index)) throw new Error(`there is no node ${index} on level ${level}`)
    if (level === 0) return this.total
    const width = leavesCount / widthOf(level)
    let count = 0
    for (let bucket = index * width; bucket < (index + 1) * width; bucket++) count += this.counts[bucket]!
    return count
  }

  private check(bucket: number, sum: Uint8Array, count: number): void {
    if (!isNode(levelsCount, bucket)) throw new Error(`there is no bucket ${bucket}`)
    if (sum.length !== hashBytes) throw new Error(`a digest has ${hashBytes} bytes, not ${sum.length}`)
    if (!Number.isInteger(count) || count < 1) throw new Error(`bucket ${bucket} cannot take or give ${count} digests`)
  }

  private checkHeld(bucket: number, words: Uint32Array, at: number, count: number): void {
    const held = this.counts[bucket]!
    if (held === 0) throw new Error(`bucket ${bucket} is empty, nothing can leave it`)
    if (held < count) throw new Error(`bucket ${bucket} holds ${held} digests, ${count} cannot leave it`)
    if (held > count) return
    for (let i = 0; i < sumWords; i++) {
      if (this.sums[bucket * sumWords + i] !== words[at + i]) {
        throw new Error(`bucket ${bucket} holds ${held} digests, and not the ones to remove`)
      }
    }
  }

  /** `words` from `at` on: a sum, its highest word first. */
  private add(bucket: number, words: Uint32Array, at: number, count: number): void {
    let carry = 0
    for (let i = sumWords - 1; i >= 0; i--) {
      const value = this.sums[bucket * sumWords + i]! + words[at + i]! + carry
      this.sums[bucket * sumWords + i] = value
      carry = value > 0xffffffff ? 1 : 0
    }
    this.counts[bucket] = this.counts[bucket]! + count
    this.total += count
    this.touch(bucket)
  }

  private subtract(bucket: number, words: Uint32Array, at: number, count: number): void {
    let borrow = 0
    for (let i = sumWords - 1; i >= 0; i--) {
      const difference = this.sums[bucket * sumWords + i]! - words[at + i]! - borrow
      this.sums[bucket * sumWords + i] = difference
      borrow = difference < 0 ? 1 : 0
    }
    this.counts[bucket] = this.counts[bucket]! - count
    this.total -= count
    this.touch(bucket)
  }

  /** What is above a changed leaf is out of date. */
  private touch(bucket: number): void {
    let index = bucket
    for (let level = levelsCount - 1; level >= 0; level--) {
      index >>>= 4
      const node = offsets[level]! + index
      if (this.stale[node] === 1) return
      this.stale[node] = 1
    }
  }

  /** The first node of the lowest inner level, from `index` on, that is out of date; or -1. */
  private nextStale(index: number): number {
    const offset = offsets[levelsCount - 1]!
    const node = this.stale.indexOf(1, offset + index)
    return node === -1 ? -1 : node - offset
  }

  private sumOf(bucket: number): Uint8Array {
    const sum = new Uint8Array(hashBytes)
    const words = viewOf(sum)
    for (let i = 0; i < sumWords; i++) words.setUint32(i * 4, this.sums[bucket * sumWords + i]!)
    return sum
  }

  /** Not to be kept or changed: a view of what the tree holds. */
  private hashOf(level: number, index: number): Uint8Array {
    if (level === levelsCount) return this.leafHash(index)
    const node = offsets[level]! + index
    const own = this.inner.subarray(node * hashBytes, (node + 1) * hashBytes)
    if (this.stale[node] === 1) {
      if (level + 1 < levelsCount) {
        for (let child = 0; child < branchCount; child++) this.hashOf(level + 1, index * branchCount + child)
        // children of a node lie side by side
        const first = (offsets[level + 1]! + index * branchCount) * hashBytes
        own.set(this.hashes.blake3(this.inner.subarray(first, first + branchCount * hashBytes)))
      } else {
        for (let child = 0; child < branchCount; child++) {
          leavesJoined.set(this.leafHash(index * branchCount + child), child * hashBytes)
        }
        own.set(this.hashes.blake3(leavesJoined))
      }
      this.stale[node] = 0
    }
    return own
  }

  private leafHash(bucket: number): Uint8Array {
    const count = this.counts[bucket]!
    if (count === 0) return this.empty[levelsCount]!
    for (let i = 0; i < sumWords; i++) leafView.setUint32(i * 4, this.sums[bucket * sumWords + i]!)
    leafView.setUint32(hashBytes, count)
    return this.hashes.blake3(leafBytes)
  }
}

/** Whether a tree has this node, a leaf included. */
export const isNode = (level: number, index: number): boolean =>
  Number.isInteger(level) && level >= 0 && level <= levelsCount &&
  Number.isInteger(index) && index >= 0 && index < widthOf(level)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const scratch = new Uint32Array(sumWords)

/** What is hashed most, filled anew for each hash: arrays made for each cost more than the hashing. */
const leafBytes = new Uint8Array(hashBytes + 4)
const leafView = viewOf(leafBytes)
const leavesJoined = new Uint8Array(branchCount * hashBytes)

/** The words of a sum, highest first, until the next call. */
const wordsOf = (sum: Uint8Array): Uint32Array => {
  for (let i = 0; i < sumWords; i++) {
    const at = i * 4
    scratch[i] = (sum[at]! << 24) | (sum[at + 1]! << 16) | (sum[at + 2]! << 8) | sum[at + 3]!
  }
  return scratch
}
