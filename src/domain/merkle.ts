/**
 * The fingerprint of a set of records (SPEC §6): equal roots mean equal sets, and where roots differ the tree tells in
 * which buckets. 65 536 leaves, one a bucket of ids, under inner nodes of 16 children.
 *
 * A leaf is the sum of its records' digests modulo 2^256, and their count: it does not depend on order, and takes a
 * record in or out in constant time. The sum is not XOR: a set of ids that cancels under XOR is found by linear algebra
 * (FAILURES 28). Hashes of leaves are not stored, and those of inner nodes are computed when asked for, so a write costs a
 * few additions.
 *
 * What is empty costs nothing, neither memory nor time: leaves are kept by sixteens (`merkle-layout.ts`), made when the
 * first record comes, and counts are kept for inner nodes too. A tree takes 27 KB, and 608 bytes for each sixteen that is in
 * use: 200 records up to 150 KB, a full tree 2.5 MB.
 *
 * Levels count from the root: 0 is the root, 1 to 3 have 16, 256 and 4 096 inner nodes, 4 the leaves.
 */
import type { Hashes } from "./hashing.ts"
import { branchCount, leavesCount, levelsCount } from "./limits.ts"
import * as Layout from "./merkle-layout.ts"
import { copy, hashBytes, leafWords, offsets, pageLevel, upperStale, widthOf } from "./merkle-layout.ts"
import * as Sums from "./merkle-sums.ts"
import { sumWords } from "./merkle-sums.ts"

export { widthOf } from "./merkle-layout.ts"

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
  private readonly empty: Layout.Empty
  private words: Uint32Array
  /** The same memory. */
  private bytes: Uint8Array
  /** Where the pages end in `words`: there may be room for more. */
  private end: number

  /** Empty, or as `from` is now: see {@link clone}. */
  constructor(hashes: Hashes, from?: MerkleTree) {
    this.hashes = hashes
    this.empty = from === undefined ? Layout.emptyOf(hashes) : from.empty
    this.end = from === undefined ? Layout.headWords : from.end
    const isEmpty = from === undefined || from.end === Layout.headWords
    this.words = isEmpty ? this.empty.words : from.words.slice(0, from.end)
    this.bytes = new Uint8Array(this.words.buffer)
  }

  /** Records in the set. */
  get count(): number {
    return this.words[Layout.upperCounts]!
  }

  /** What the tree keeps in memory. */
  get byteLength(): number {
    return this.words.byteLength
  }

  /** An independent copy, hashes that are known included. */
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
    check(bucket, sum, count)
    this.add(bucket, Sums.wordsOf(sum), 0, count)
  }

  /**
   * Takes out `count` digests with this sum, all of which are in: undoes {@link addLeaf}. Those that provably are not in
   * are a defect, and change nothing.
   */
  removeLeaf(bucket: number, sum: Uint8Array, count: number): void {
    check(bucket, sum, count)
    const words = Sums.wordsOf(sum)
    this.checkHeld(bucket, words, 0, count)
    this.subtract(bucket, words, 0, count)
  }

  /** Adds everything that `other` holds. */
  addTree(other: MerkleTree): void {
    for (const bucket of other.fullerThan(0)) {
      const at = other.leafOf(bucket)
      this.add(bucket, other.words, at, other.words[at + sumWords]!)
    }
  }

  /** Takes out everything that `other` holds, all of which is in; else it is a defect, and changes nothing. */
  removeTree(other: MerkleTree): void {
    const buckets = other.fullerThan(0)
    for (const bucket of buckets) {
      const at = other.leafOf(bucket)
      this.checkHeld(bucket, other.words, at, other.words[at + sumWords]!)
    }
    for (const bucket of buckets) {
      const at = other.leafOf(bucket)
      this.subtract(bucket, other.words, at, other.words[at + sumWords]!)
    }
  }

  clear(): void {
    this.words = this.empty.words
    this.bytes = new Uint8Array(this.words.buffer)
    this.end = Layout.headWords
  }

  /**
   * Hashes leaves below up to `limit` nodes that are out of date; true when none is left, so that {@link root} has at
   * most 273 inner nodes to do. For a caller that must not hold its event loop for 65 536 leaves.
   */
  refresh(limit: number): boolean {
    if (this.words[upperStale] === 0) return true
    let done = 0
    for (let node = 0; node < Layout.pagesMax; node++) {
      if (this.words[Layout.pageTable + node]! < Layout.staleBit) continue
      if (done === limit) return false
      this.hashPage(node)
      done++
    }
    return true
  }

  /** 32 bytes, the caller's own. Equal for equal sets of digests and counts, by bucket. */
  root(): Uint8Array {
    return this.hash(0, 0)
  }

  /** The hash of a node, 32 bytes, the caller's own. */
  hash(level: number, index: number): Uint8Array {
    if (!isNode(level, index)) throw new Error(`there is no node ${index} on level ${level}`)
    const out = new Uint8Array(hashBytes)
    this.copyHash(level, index, out, 0, hashBytes)
    return out
  }

  /** The first `bytes` of the hash of each child of an inner node, joined: 16 times `bytes`. */
  children(level: number, index: number, bytes: PrefixBytes = hashBytes): Uint8Array {
    if (level >= levelsCount || !isNode(level, index)) {
      throw new Error(`there is no inner node ${index} on level ${level}`)
    }
    const out = new Uint8Array(branchCount * bytes)
    for (let child = 0; child < branchCount; child++) {
      this.copyHash(level + 1, index * branchCount + child, out, child * bytes, bytes)
    }
    return out
  }

  leaf(bucket: number): LeafValue {
    const at = this.leafOf(bucket)
    if (at === 0) return { sum: new Uint8Array(hashBytes), count: 0 }
    this.readLeaf(at)
    return { sum: leafBytes.slice(0, hashBytes), count: this.words[at + sumWords]! }
  }

  /** Records under a node, a leaf included. */
  countUnder(level: number, index: number): number {
    if (!isNode(level, index)) throw new Error(`there is no node ${index} on level ${level}`)
    return this.countAt(level, index)
  }

  /** The first bucket from `from` on, around the end, that is not empty; `undefined` in an empty tree. */
  nextFilled(from: number): number | undefined {
    if (!isNode(levelsCount, from)) throw new Error(`there is no bucket ${from}`)
    if (this.count === 0) return undefined
    let bucket = from
    let passed = 0
    for (let level = 1; level <= levelsCount;) {
      const width = leavesCount / widthOf(level)
      const index = Math.trunc(bucket / width)
      if (this.countAt(level, index) > 0) level++
      else {
        const next = (index + 1) * width
        passed += next - bucket
        if (passed > 2 * leavesCount) throw new Error(`${this.count} records are counted, and none is in a bucket`)
        bucket = next % leavesCount
        level = 1
      }
    }
    return bucket
  }

  /** The buckets with more records than `than`, ascending. */
  fullerThan(than: number): ReadonlyArray<number> {
    const found: Array<number> = []
    for (let upper = 0; upper < widthOf(pageLevel - 1); upper++) {
      if (this.countAt(pageLevel - 1, upper) <= than) continue
      for (let node = upper * branchCount; node < (upper + 1) * branchCount; node++) {
        const page = this.pageOf(node)
        if (page === 0) continue
        for (let i = 0; i < branchCount; i++) {
          if (this.words[page + i * leafWords + sumWords]! > than) found.push(node * branchCount + i)
        }
      }
    }
    return found
  }

  /** Where the page of a node is in `words`, or 0. */
  private pageOf(node: number): number {
    return this.words[Layout.pageTable + node]! & Layout.placeBits
  }

  /** Where a leaf is, or 0. */
  private leafOf(bucket: number): number {
    const page = this.pageOf(bucket >>> 4)
    return page === 0 ? 0 : page + (bucket & 15) * leafWords
  }

  private countAt(level: number, index: number): number {
    if (level < pageLevel) return this.words[Layout.upperCounts + offsets[level]! + index]!
    if (level === levelsCount) {
      const at = this.leafOf(index)
      return at === 0 ? 0 : this.words[at + sumWords]!
    }
    const page = this.pageOf(index)
    let count = 0
    if (page !== 0) { for (let i = 0; i < branchCount; i++) count += this.words[page + i * leafWords + sumWords]! }
    return count
  }

  private checkHeld(bucket: number, from: Uint32Array, at: number, count: number): void {
    const held = this.countAt(levelsCount, bucket)
    if (held === 0) throw new Error(`bucket ${bucket} is empty, nothing can leave it`)
    if (held < count) throw new Error(`bucket ${bucket} holds ${held} digests, ${count} cannot leave it`)
    if (held > count) return
    const leaf = this.leafOf(bucket)
    for (let i = 0; i < sumWords; i++) {
      if (this.words[leaf + i] !== from[at + i]) {
        throw new Error(`bucket ${bucket} holds ${held} digests, and not the ones to remove`)
      }
    }
  }

  /** Adds the sum that is at `at` of `from`. */
  private add(bucket: number, from: Uint32Array, at: number, count: number): void {
    const leaf = this.leafOf(bucket) || this.newLeaf(bucket)
    Sums.add(this.words, leaf, from, at)
    this.changed(bucket, leaf, count)
  }

  /** The opposite, of a bucket that holds it. */
  private subtract(bucket: number, from: Uint32Array, at: number, count: number): void {
    const leaf = this.leafOf(bucket)
    Sums.subtract(this.words, leaf, from, at)
    this.changed(bucket, leaf, -count)
  }

  /** Counts in a leaf and above it, where all is out of date. */
  private changed(bucket: number, leaf: number, by: number): void {
    const words = this.words
    words[leaf + sumWords]! += by
    words[Layout.pageTable + (bucket >>> 4)]! |= Layout.staleBit
    for (let level = pageLevel - 1, index = bucket >>> 8; level >= 0; level--, index >>>= 4) {
      const node = offsets[level]! + index
      words[Layout.upperCounts + node]! += by
      words[upperStale + node] = 1
    }
  }

  /** Makes the page of a leaf. */
  private newLeaf(bucket: number): number {
    if (this.end === this.words.length) {
      this.words = Layout.grown(this.words)
      this.bytes = new Uint8Array(this.words.buffer)
    }
    this.words[Layout.pageTable + (bucket >>> 4)] = this.end
    this.end += Layout.pageWords
    return this.leafOf(bucket)
  }

  /** Writes the first `length` bytes of the hash of a node, brought up to date. */
  private copyHash(level: number, index: number, into: Uint8Array, to: number, length: number): void {
    this.freshen(level, index)
    if (level < pageLevel) return copy(this.bytes, (offsets[level]! + index) * hashBytes, into, to, length)
    if (level === levelsCount) return copy(this.leafHash(this.leafOf(index)), 0, into, to, length)
    const page = this.pageOf(index)
    if (page === 0) copy(this.empty.hashes[level]!, 0, into, to, length)
    else copy(this.bytes, (page + Layout.pageHash) * 4, into, to, length)
  }

  /** Brings the hash of an inner node up to date. */
  private freshen(level: number, index: number): void {
    if (level < pageLevel) {
      if (this.words[upperStale + offsets[level]! + index] === 1) this.hashUpper(level, index)
    } else if (level === pageLevel && this.words[Layout.pageTable + index]! >= Layout.staleBit) this.hashPage(index)
  }

  private hashUpper(level: number, index: number): void {
    const node = offsets[level]! + index
    const first = index * branchCount
    // all of them before any is joined: theirs are joined in the same place
    for (let child = 0; child < branchCount; child++) this.freshen(level + 1, first + child)
    for (let child = 0; child < branchCount; child++) {
      this.copyHash(level + 1, first + child, joined, child * hashBytes, hashBytes)
    }
    this.bytes.set(this.hashes.blake3(joined), node * hashBytes)
    this.words[upperStale + node] = 0
  }

  /** Of a node that has a page. */
  private hashPage(node: number): void {
    const page = this.pageOf(node)
    for (let i = 0; i < branchCount; i++) copy(this.leafHash(page + i * leafWords), 0, joined, i * hashBytes, hashBytes)
    this.bytes.set(this.hashes.blake3(joined), (page + Layout.pageHash) * 4)
    this.words[Layout.pageTable + node] = page
  }

  /** Of the leaf at `at`; 0: of one that is empty. */
  private leafHash(at: number): Uint8Array {
    if (at === 0 || this.words[at + sumWords] === 0) return this.empty.hashes[levelsCount]!
    this.readLeaf(at)
    return this.hashes.blake3(leafBytes)
  }

  /** Into {@link leafBytes}. */
  private readLeaf(at: number): void {
    for (let i = 0; i < leafWords; i++) leafView.setUint32(i * 4, this.words[at + i]!)
  }
}

/** Whether a tree has this node, a leaf included. */
export const isNode = (level: number, index: number): boolean =>
  Number.isInteger(level) && level >= 0 && level <= levelsCount &&
  Number.isInteger(index) && index >= 0 && index < widthOf(level)

const check = (bucket: number, sum: Uint8Array, count: number): void => {
  if (!isNode(levelsCount, bucket)) throw new Error(`there is no bucket ${bucket}`)
  if (sum.length !== hashBytes) throw new Error(`a digest has ${hashBytes} bytes, not ${sum.length}`)
  if (!Number.isInteger(count) || count < 1) throw new Error(`bucket ${bucket} cannot take or give ${count} digests`)
}

/** What is hashed most, filled anew for each hash: arrays made for each cost more than the hashing. */
const leafBytes = new Uint8Array(leafWords * 4)
const leafView = new DataView(leafBytes.buffer)
const joined = new Uint8Array(branchCount * hashBytes)
