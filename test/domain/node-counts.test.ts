import { assert, describe, it } from "@effect/vitest"
import { leavesCount, levelsCount } from "../../src/domain/limits.ts"
import { MerkleTree, widthOf } from "../../src/domain/merkle.ts"
import { digestOf, hashes, treeOf } from "./merkle-model.ts"

/** What a tree of these buckets counts under a node, the slow way. */
const counted = (buckets: ReadonlyArray<number>, level: number, index: number): number => {
  const width = leavesCount / widthOf(level)
  return buckets.filter((bucket) => Math.floor(bucket / width) === index).length
}

describe("records under a node", () => {
  it("are counted on every level: none where none ever were, nor beside others, nor where they left", () => {
    // spread over the whole tree, some side by side
    const buckets = [...Array.from({ length: 400 }, (_, i) => (i * 163) % leavesCount), 16, 17, 17, leavesCount - 1]
    const records = buckets.map((bucket, i) => ({ bucket, digest: digestOf(i) }))
    const left = treeOf(records)
    for (const { bucket, digest } of records) left.remove(bucket, digest)
    const full = treeOf(records)
    const empty = new MerkleTree(hashes)
    for (let level = 0; level <= levelsCount; level++) {
      const step = level === levelsCount ? 7 : 1
      for (let index = 0; index < widthOf(level); index += step) {
        assert.strictEqual(full.countUnder(level, index), counted(buckets, level, index), `${level}/${index}`)
        assert.strictEqual(empty.countUnder(level, index), 0)
        assert.strictEqual(left.countUnder(level, index), 0)
      }
    }
  })
})
