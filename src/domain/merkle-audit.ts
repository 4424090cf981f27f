/**
 * Random looks into buckets whose leaves are equal (SPEC §6): the sums of two different sets can be made equal by one who
 * chooses many records of both. A hash over the very digests, with a nonce that nobody could foresee, tells them apart.
 *
 * To forge a sum modulo 2^256 one needs a generalised birthday: with 2^k records in one bucket it takes about 2^(256/(k+1))
 * trials for each. Below a few hundred records in a bucket that is out of reach, with a thousand (k = 10) it is not. So a
 * bucket that is far fuller than the others is looked into always, and some at random.
 */
import * as Bytes from "./bytes.ts"
import type { Hashes } from "./hashing.ts"
import { leavesCount, levelsCount } from "./limits.ts"
import type { MerkleTree } from "./merkle.ts"

/** Fullest buckets that are looked into, besides the random ones. */
export const fullestMax = 2
/** A bucket is far above the mean when it has this many times as many records, and this many more. */
const timesMean = 4
const aboveMean = 128

/**
 * Buckets to look into, ascending, each once: for every two bytes of `random` the first bucket from there on (around the
 * end) that is not empty, and the fullest ones where they stand out. Of an empty tree: the buckets named by `random`.
 */
export const chooseBuckets = (tree: MerkleTree, random: Uint8Array): ReadonlyArray<number> => {
  const chosen = new Set<number>()
  for (let i = 0; i + 1 < random.length; i += 2) {
    const bucket = (random[i]! << 8) | random[i + 1]!
    chosen.add(tree.nextFilled(bucket) ?? bucket)
  }
  const mean = tree.count / leavesCount
  const many = Math.max(mean * timesMean, mean + aboveMean)
  const full = tree.fullerThan(many).map((bucket) => ({ bucket, count: tree.countUnder(levelsCount, bucket) }))
  full.sort((a, b) => b.count - a.count || a.bucket - b.bucket)
  for (const { bucket } of full.slice(0, fullestMax)) chosen.add(bucket)
  return [...chosen].sort((a, b) => a - b)
}

/** BLAKE3(nonce || digests), the digests of one bucket ascending as bytes, 32 bytes each. */
export const auditHash = (hashes: Hashes, nonce: Uint8Array, sortedDigests: ReadonlyArray<Uint8Array>): Uint8Array =>
  hashes.blake3(Bytes.concat([nonce, ...sortedDigests]))
