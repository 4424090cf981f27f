import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Hashes } from "../../src/domain/hashing.ts"
import { branchCount, leavesCount, levelsCount } from "../../src/domain/limits.ts"
import * as Descent from "../../src/domain/merkle-descent.ts"
import { MerkleTree, type PrefixBytes, widthOf } from "../../src/domain/merkle.ts"
import { digestOf, hashes, items, rootOf, runs, size, treeOf } from "./merkle-model.ts"
import { Dice, Seed } from "./records.ts"

/** Carries a descent of `mine` to its end; `reply` stands for the peer. */
const descend = (
  mine: MerkleTree,
  bytes: PrefixBytes,
  reply: (ask: ReadonlyArray<Descent.NodeRef>) => ReadonlyArray<Uint8Array>
) => {
  let next = Descent.start(bytes)
  const asked: Array<string> = []
  let rounds = 0
  while (next._tag === "Ask") {
    rounds++
    if (rounds > 100) throw new Error("a descent without end")
    assert.isAtMost(next.ask.length, Descent.nodesMax(bytes))
    asked.push(...next.ask.map(({ index, level }) => `${level}/${index}`))
    next = Result.getOrThrow(Descent.step(mine, next.state, reply(next.ask)))
  }
  return { buckets: next.buckets, rounds, asked }
}
const honest = (theirs: MerkleTree, bytes: PrefixBytes) => (ask: ReadonlyArray<Descent.NodeRef>) =>
  Result.getOrThrow(Descent.answer(theirs, ask, bytes))

describe("descent", () => {
  for (const bytes of [8, 32] as const) {
    for (const differences of [0, 1, 10, 1_000, leavesCount]) {
      it(`finds exactly the buckets that differ: ${differences}, ${bytes} bytes of each hash`, () => {
        const dice = new Dice(differences + bytes)
        const mine = treeOf(items(dice, 2_000))
        const theirs = new MerkleTree(hashes)
        for (let bucket = 0; bucket < leavesCount; bucket++) {
          const { count, sum } = mine.leaf(bucket)
          if (count > 0) theirs.addLeaf(bucket, sum, count)
        }
        const different = new Set<number>()
        while (different.size < differences) {
          const bucket = differences === leavesCount ? different.size : dice.below(leavesCount)
          if (different.has(bucket)) continue
          different.add(bucket)
          const tree = dice.coin() ? mine : theirs
          tree.insert(bucket, digestOf(2 ** 40 + bucket))
        }
        const { asked, buckets, rounds } = descend(mine, bytes, honest(theirs, bytes))
        assert.deepStrictEqual(buckets, [...different].sort((a, b) => a - b))
        // In the other direction the same is found.
        assert.deepStrictEqual(descend(theirs, bytes, honest(mine, bytes)).buckets, buckets)
        // A round a level, but for a whole level of long hashes, which does not fit one answer.
        assert.isAtMost(rounds, bytes === 32 && differences === leavesCount ? 7 : levelsCount)
        assert.strictEqual(new Set(asked).size, asked.length)
        assert.isAtMost(asked.length, 1 + 3 * Math.max(differences, 1))
      })
    }
  }

  it("one difference costs four answers of 128 bytes", () => {
    const theirs = treeOf([{ bucket: 0xabcd, digest: digestOf(1) }])
    let bytes = 0
    const { buckets } = descend(new MerkleTree(hashes), 8, (ask) => {
      const answers = honest(theirs, 8)(ask)
      for (const answer of answers) bytes += answer.length
      return answers
    })
    assert.deepStrictEqual(buckets, [0xabcd])
    assert.strictEqual(bytes, 512)
  })

  it("prefixes that are equal by chance are told apart with all 32 bytes", () => {
    const weak: Hashes = { ...hashes, blake3: (bytes) => hashes.blake3(bytes).fill(0, 0, 8) }
    const mine = treeOf([{ bucket: 77, digest: digestOf(1) }], weak)
    const theirs = treeOf([{ bucket: 77, digest: digestOf(2) }], weak)
    assert.notStrictEqual(rootOf(mine), rootOf(theirs))
    assert.deepStrictEqual(descend(mine, 8, honest(theirs, 8)).buckets, [])
    assert.deepStrictEqual(descend(mine, 32, honest(theirs, 32)).buckets, [77])
  })

  it.prop("whatever a peer answers, it ends: no node is asked for twice", [Seed, size(0, 100)], ([seed, percent]) => {
    const dice = new Dice(seed)
    const bytes = dice.pick([8, 32] as const)
    const mine = treeOf(items(dice, 50))
    const { asked, buckets, rounds } = descend(mine, bytes, (ask) =>
      ask.map(({ index, level }) => {
        const answer = mine.children(level, index, bytes)
        for (let child = 0; child < branchCount; child++) {
          if (dice.below(100) < percent) answer[child * bytes]! ^= 1 + dice.below(255)
        }
        return answer
      }))
    assert.isAtMost(rounds, 7)
    assert.strictEqual(new Set(asked).size, asked.length)
    assert.isAtMost(asked.length, 1 + 16 + 256 + 4096)
    assert.isTrue(buckets.every((bucket, i) => bucket < leavesCount && (i === 0 || buckets[i - 1]! < bucket)))
  }, runs(12))

  it("FAILURES 24: refuses answers of another form than was asked for", () => {
    const tree = treeOf(items(new Dice(3), 10))
    const first = Descent.start(8)
    if (first._tag !== "Ask") throw new Error("a descent begins with a question")
    const good = new Uint8Array(branchCount * 8)
    for (
      const bad of [
        [],
        [good, good],
        [new Uint8Array()],
        [good.subarray(1)],
        [new Uint8Array(branchCount * 8 + 1)],
        [new Uint8Array(branchCount * 32)]
      ]
    ) {
      const result = Descent.step(tree, first.state, bad)
      assert.isTrue(Result.isFailure(result) && result.failure._tag === "MalformedDescent")
    }
    assert.isTrue(Result.isSuccess(Descent.step(tree, first.state, [good])))
  })

  it("FAILURES 24: refuses questions that no node has an answer to", () => {
    const tree = new MerkleTree(hashes)
    const nowhere = [[4, 0], [5, 0], [-1, 0], [0.5, 0], [0, 1], [1, 16], [3, 4096], [3, -1], [1, 0.5], [
      0,
      NaN
    ]] as const
    for (const [level, index] of nowhere) {
      const result = Descent.answer(tree, [{ level: 0, index: 0 }, { level, index }], 8)
      assert.isTrue(Result.isFailure(result) && result.failure._tag === "MalformedDescent", `${level} ${index}`)
    }
    const many = Array.from({ length: widthOf(3) }, (_, index) => ({ level: 3, index }))
    assert.isTrue(Result.isSuccess(Descent.answer(tree, many, 8)))
    assert.isTrue(Result.isFailure(Descent.answer(tree, [...many, many[0]!], 8)))
    assert.isTrue(Result.isFailure(Descent.answer(tree, many, 32)))
  })
})
