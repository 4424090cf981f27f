import { assert, describe, it } from "@effect/vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import { auditHash, chooseBuckets, fullestMax } from "../../src/domain/merkle-audit.ts"
import { MerkleTree } from "../../src/domain/merkle.ts"
import { digestOf, hashes, items, treeOf } from "./merkle-model.ts"
import { Dice, hashes as reference } from "./records.ts"

const filled = (bucket: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ bucket, digest: digestOf(bucket * 10_000 + n) }))

describe("audit", () => {
  it("looks into the buckets that chance names, or the next that is not empty", () => {
    const random = Uint8Array.of(0, 9, 0xff, 0xff, 0, 3, 0, 4)
    assert.deepStrictEqual(chooseBuckets(new MerkleTree(hashes), random), [3, 4, 9, 0xffff])
    const tree = treeOf([...filled(4, 1), ...filled(0x1234, 1)])
    assert.deepStrictEqual(chooseBuckets(tree, random), [4, 0x1234])
    assert.deepStrictEqual(chooseBuckets(tree, new Uint8Array()), [])
  })

  it("failure 28: a bucket that is far too full is always looked into", () => {
    const even = treeOf(items(new Dice(1), 65_536))
    assert.deepStrictEqual(chooseBuckets(even, new Uint8Array()), [])
    const forged = treeOf([...items(new Dice(1), 65_536), ...filled(77, 400), ...filled(99, 1_000), ...filled(55, 500)])
    assert.deepStrictEqual(chooseBuckets(forged, new Uint8Array()), [55, 99])
    assert.strictEqual(fullestMax, 2)
    assert.deepStrictEqual(chooseBuckets(treeOf(filled(77, 128)), new Uint8Array()), [])
    assert.deepStrictEqual(chooseBuckets(treeOf(filled(77, 130)), new Uint8Array()), [77])
  })

  it("hashes the nonce and the digests as they lie", () => {
    const [nonce, digests] = [new Uint8Array(16).fill(3), [digestOf(1), digestOf(2)]]
    assert.deepStrictEqual(auditHash(hashes, nonce, digests), reference.blake3(Bytes.concat([nonce, ...digests])))
    assert.notDeepEqual(auditHash(hashes, nonce, digests), auditHash(hashes, nonce, digests.toReversed()))
    assert.notDeepEqual(auditHash(hashes, nonce, digests), auditHash(hashes, nonce.fill(4), digests))
  })
})
