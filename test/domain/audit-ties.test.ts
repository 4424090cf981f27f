import { assert, describe, it } from "@effect/vitest"
import { chooseBuckets, fullestMax } from "../../src/domain/merkle-audit.ts"
import { digestOf, treeOf } from "./merkle-model.ts"

describe("audit", () => {
  it("failure 28: of buckets that are equally full it looks into the lowest, whatever came first", () => {
    const full = [900, 7, 65_535, 30]
    for (const order of [full, full.toReversed()]) {
      const records = order.flatMap((bucket) =>
        Array.from({ length: 300 }, (_, n) => ({ bucket, digest: digestOf(bucket * 1_000 + n) }))
      )
      assert.deepStrictEqual(chooseBuckets(treeOf(records), new Uint8Array()), [7, 30])
      // one more record, and that bucket comes first
      const fuller = treeOf([...records, { bucket: 900, digest: digestOf(1) }])
      assert.deepStrictEqual(chooseBuckets(fuller, new Uint8Array()), [7, 900])
    }
    assert.strictEqual(fullestMax, 2)
  })
})
