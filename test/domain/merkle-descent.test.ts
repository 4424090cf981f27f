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
  return { ranges: next.ranges, rounds, asked }
}
/** Rounds that it takes when everything differs. */
const roundsMax = (bytes: PrefixBytes): number =>
  [0, 1, 2, 3].reduce((sum, level) => sum + Math.ceil(widthOf(level) / Descent.nodesMax(bytes)), 0)
/** Whether ranges are ascending and apart, and of one bucket or the 16 of a sparse node. */
const assertForm = (mine: MerkleTree, ranges: ReadonlyArray<Descent.BucketRange>) => {
  for (const [i, { from, to }] of ranges.entries()) {
    assert.isTrue(from >= (ranges[i - 1]?.to ?? 0) && to <= leavesCount)
    if (to === from + 1) continue
    assert.isTrue(to === from + branchCount && from % branchCount === 0)
    assert.isAtMost(mine.countUnder(levelsCount - 1, from / branchCount), Descent.sparseMax)
  }
}
/** The ranges in which `buckets` lie, if every one holds at least one of them. */
const rangesOf = (mine: MerkleTree, buckets: Iterable<number>): ReadonlyArray<Descent.BucketRange> => {
  const ranges = new Map<number, Descent.BucketRange>()
  for (const bucket of buckets) {
    const node = Math.trunc(bucket / branchCount)
    const sparse = mine.countUnder(levelsCount - 1, node) <= Descent.sparseMax
    const from = sparse ? node * branchCount : bucket
    ranges.set(from, { from, to: from + (sparse ? branchCount : 1) })
  }
  return [...ranges.values()].sort((a, b) => a.from - b.from)
}
const honest = (theirs: MerkleTree, bytes: PrefixBytes) => (ask: ReadonlyArray<Descent.NodeRef>) =>
  Result.getOrThrow(Descent.answer(theirs, ask, bytes))

describe("descent", () => {
  for (const bytes of [8, 32] as const) {
    for (const records of [2_000, 70_000]) {
      for (const differences of records === 2_000 ? [0, 1, 10, 1_000, leavesCount] : [10, 1_000]) {
        it(
          `finds exactly where ${differences} buckets of ${records} records differ, ${bytes} bytes of each hash`,
          () => {
            const dice = new Dice(differences + bytes)
            const mine = treeOf(items(dice, records))
            const theirs = mine.clone()
            const different = new Set<number>()
            while (different.size < differences) {
              const bucket = differences === leavesCount ? different.size : dice.below(leavesCount)
              if (different.has(bucket)) continue
              different.add(bucket)
              const tree = dice.coin() ? mine : theirs
              tree.insert(bucket, digestOf(2 ** 40 + bucket))
            }
            for (const [one, other] of [[mine, theirs], [theirs, mine]] as const) {
              const { asked, ranges, rounds } = descend(one, bytes, honest(other, bytes))
              assert.deepStrictEqual(ranges, rangesOf(one, different))
              assertForm(one, ranges)
              // A round a level, but for levels of which more nodes differ than one question may name.
              assert.isAtMost(rounds, differences <= 10 ? levelsCount : roundsMax(bytes))
              assert.strictEqual(new Set(asked).size, asked.length)
              assert.isAtMost(asked.length, 1 + 3 * Math.max(differences, 1))
            }
          },
          60_000
        )
      }
    }
  }

  it("a difference under a sparse node costs three answers of 128 bytes, under a full one four", () => {
    const cost = (mine: MerkleTree) => {
      const theirs = mine.clone()
      theirs.insert(0xabcd, digestOf(1))
      let bytes = 0
      const { ranges } = descend(mine, 8, (ask) => {
        const answers = honest(theirs, 8)(ask)
        for (const answer of answers) bytes += answer.length
        return answers
      })
      return { ranges, bytes }
    }
    const around = (count: number) =>
      treeOf(Array.from({ length: count }, (_, n) => ({ bucket: 0xabc0 + n % 16, digest: digestOf(9 + n) })))
    for (const count of [0, 16]) {
      assert.deepStrictEqual(cost(around(count)), { ranges: [{ from: 0xabc0, to: 0xabd0 }], bytes: 384 })
    }
    assert.deepStrictEqual(cost(around(17)), { ranges: [{ from: 0xabcd, to: 0xabce }], bytes: 512 })
  })

  it("a level may hold sparse and full nodes: both are found, in order", () => {
    const full = Array.from({ length: 20 }, (_, n) => ({ bucket: 0x0100, digest: digestOf(n) }))
    const mine = treeOf(full)
    const theirs = mine.clone()
    for (const bucket of [0x0003, 0x0005, 0x0102, 0x010f, 0xffff]) theirs.insert(bucket, digestOf(bucket))
    assert.deepStrictEqual(descend(mine, 8, honest(theirs, 8)).ranges, [
      { from: 0, to: 16 },
      { from: 0x0102, to: 0x0103 },
      { from: 0x010f, to: 0x0110 },
      { from: 0xfff0, to: 0x10000 }
    ])
  })

  it("prefixes that are equal by chance are told apart with all 32 bytes", () => {
    const weak: Hashes = { ...hashes, blake3: (bytes) => hashes.blake3(bytes).fill(0, 0, 8) }
    const mine = treeOf([{ bucket: 77, digest: digestOf(1) }], weak)
    const theirs = treeOf([{ bucket: 77, digest: digestOf(2) }], weak)
    assert.notStrictEqual(rootOf(mine), rootOf(theirs))
    assert.deepStrictEqual(descend(mine, 8, honest(theirs, 8)).ranges, [])
    assert.deepStrictEqual(descend(mine, 32, honest(theirs, 32)).ranges, [{ from: 64, to: 80 }])
  })

  it.prop("whatever a peer answers, it ends: no node is asked for twice", [Seed, size(0, 100)], ([seed, percent]) => {
    const dice = new Dice(seed)
    const bytes = dice.pick([8, 32] as const)
    const mine = treeOf(items(dice, dice.pick([50, 50, 20_000])))
    const { asked, ranges, rounds } = descend(mine, bytes, (ask) =>
      ask.map(({ index, level }) => {
        const answer = mine.children(level, index, bytes)
        for (let child = 0; child < branchCount; child++) {
          if (dice.below(100) < percent) answer[child * bytes]! ^= 1 + dice.below(255)
        }
        return answer
      }))
    assert.isAtMost(rounds, roundsMax(bytes))
    assert.strictEqual(new Set(asked).size, asked.length)
    assert.isAtMost(asked.length, 1 + 16 + 256 + 4096)
    assertForm(mine, ranges)
  }, { timeout: 60_000, ...runs(12) })

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
    const many = Array.from({ length: Descent.nodesMax(8) }, (_, index) => ({ level: 3, index }))
    assert.isTrue(Result.isSuccess(Descent.answer(tree, many, 8)))
    assert.isTrue(Result.isFailure(Descent.answer(tree, [...many, many[0]!], 8)))
    assert.isTrue(Result.isFailure(Descent.answer(tree, many, 32)))
  })
})
