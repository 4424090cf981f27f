/** Sets of digests for tests, and trees of them. Hashes are counted. */
import { Schema } from "effect"
import { createBLAKE3 } from "hash-wasm"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hashes } from "../../src/domain/hashing.ts"
import { leavesCount } from "../../src/domain/limits.ts"
import { MerkleTree } from "../../src/domain/merkle.ts"
import { type Dice, hashes as reference } from "./records.ts"

const hasher = await createBLAKE3()
let hashed = 0
export const hashes: Hashes = {
  ...reference,
  blake3: (bytes) => {
    hashed++
    return hasher.init().update(bytes).digest("binary")
  }
}
/** Runs `f` and says how many hashes it took. */
export const costOf = (f: () => void): number => {
  const before = hashed
  f()
  return hashed - before
}

export const digestOf = (n: number): Uint8Array => hasher.init().update(Bytes.u64be(n)).digest("binary")
export const size = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
export const runs = (count: number) => ({ arbitrary: { runs: count } })

export interface Item {
  readonly bucket: number
  readonly digest: Uint8Array
}
const item = (dice: Dice, buckets: number, digests: number): Item => ({
  bucket: dice.below(buckets) * Math.floor(leavesCount / buckets),
  digest: digestOf(dice.below(digests))
})
export const items = (dice: Dice, count: number, buckets = leavesCount, digests = 2 ** 31): ReadonlyArray<Item> =>
  Array.from({ length: count }, () => item(dice, buckets, digests))
export const treeOf = (set: ReadonlyArray<Item>, own: Hashes = hashes): MerkleTree => {
  const tree = new MerkleTree(own)
  for (const { bucket, digest } of set) tree.insert(bucket, digest)
  return tree
}
export const rootOf = (tree: MerkleTree): string => Bytes.toHex(tree.root())
