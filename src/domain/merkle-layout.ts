/**
 * How a Merkle tree lies in memory: one array of 32-bit words, so that a copy is one copy of bytes, and a tree with few
 * records takes little.
 *
 * A head, then pages. The head has the nodes of levels 0 to 2: their hashes, counts, and whether the hash is out of date (a
 * node above such a one is so too). Then the table of level 3: where each node's page begins, 0 when nothing has ever been
 * under it, and whether its hash is out of date. A page has the 16 leaves under such a node, and its hash.
 *
 * Rule: only `merkle.ts` reads and writes by these numbers.
 */
import * as Bytes from "./bytes.ts"
import type { Hashes } from "./hashing.ts"
import { branchCount, leavesCount, levelsCount } from "./limits.ts"
import { sumWords } from "./merkle-sums.ts"

export const hashBytes = 32
const hashWords = 8

/** A power a level. */
const widths: ReadonlyArray<number> = Array.from({ length: levelsCount + 1 }, (_, level) => branchCount ** level)

/** How many nodes a level has. */
export const widthOf = (level: number): number => widths[level]!

/** The last inner level: its nodes have the pages. */
export const pageLevel = levelsCount - 1
export const pagesMax = leavesCount / branchCount

/** Where the nodes of levels 0 to 2 begin when they are laid out from the root down. */
export const offsets: ReadonlyArray<number> = [0, 1, 17]
const upperCount = 273

/** In words, from the beginning; the hashes of the upper nodes come first. */
export const upperCounts = upperCount * hashWords
export const upperStale = upperCounts + upperCount
export const pageTable = upperStale + upperCount
/** Rounded up to 32 bytes. */
export const headWords = Math.ceil((pageTable + pagesMax) / 8) * 8
/** An item of the table: the highest bit says that the hash is out of date, the others where the page is. */
export const staleBit = 0x80000000
export const placeBits = 0x7fffffff

/** A leaf: the sum, its highest word first, and the count. A page: its leaves, and the hash of the node above them. */
export const leafWords = sumWords + 1
export const pageHash = branchCount * leafWords
export const pageWords = pageHash + hashWords
/** Room is made for so many pages at first, and for twice as many each time it is used up. */
const pagesFirst = 8

/** `words` with room for another page behind its pages, all of which are in use. */
export const grown = (words: Uint32Array): Uint32Array => {
  const pages = (words.length - headWords) / pageWords
  const more = new Uint32Array(headWords + Math.min(pagesMax, Math.max(pagesFirst, pages * 2)) * pageWords)
  more.set(words)
  return more
}

/** What is the same in all trees of one hash function. */
export interface Empty {
  /** The hash of a node with nothing under it, by level. */
  readonly hashes: ReadonlyArray<Uint8Array>
  /** A tree without pages, shared by all that are empty: the first change needs a page, and so an array of its own. */
  readonly words: Uint32Array
}

const emptyTrees = new WeakMap<Hashes, Empty>()

export const emptyOf = (hashes: Hashes): Empty => {
  const known = emptyTrees.get(hashes)
  if (known !== undefined) return known
  const nodes = [hashes.blake3(new Uint8Array(hashBytes + 4))]
  for (let level = levelsCount - 1; level >= 0; level--) {
    nodes.unshift(hashes.blake3(Bytes.concat(Array.from({ length: branchCount }, () => nodes[0]!))))
  }
  const words = new Uint32Array(headWords)
  const upper = offsets.flatMap((_, level) => Array.from({ length: widthOf(level) }, () => nodes[level]!))
  new Uint8Array(words.buffer).set(Bytes.concat(upper))
  const empty = { hashes: nodes, words }
  emptyTrees.set(hashes, empty)
  return empty
}

/** Byte by byte: for a hash that is quicker than a view of it. */
export const copy = (from: Uint8Array, at: number, into: Uint8Array, to: number, length: number): void => {
  for (let i = 0; i < length; i++) into[to + i] = from[at + i]!
}
