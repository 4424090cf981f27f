/** Lists that a stranger sent: whatever is met while one is read, the end is a result. */
import { assert, describe, it } from "@effect/vitest"
import { encode as cbor } from "cborg"
import { Result } from "effect"
import { type Items, readList } from "../../src/domain/cbor-items.ts"

const failureOf = <A>(list: unknown, itemsMax: number, read: (items: Items) => A): string => {
  const result = readList(cbor(list), itemsMax, read)
  assert.isTrue(Result.isFailure(result))
  return Result.isFailure(result) ? result.failure : ""
}
const numbers = (items: Items) => items.all((each) => each.uint(9))

describe("lists of CBOR", () => {
  it("failure 24: anything thrown while reading is a failure that says it, errors or not", () => {
    for (const thrown of ["no error at all", new RangeError("no error at all")] as ReadonlyArray<unknown>) {
      const message = failureOf([1], 9, () => {
        throw thrown
      })
      assert.strictEqual(message, "no error at all")
    }
    const message = failureOf([1], 9, () => {
      throw new Error("x".repeat(1_000))
    })
    assert.strictEqual(message, "x".repeat(200))
  })

  it("failure 7: hold as many items as were granted, the list itself and lists in it counted", () => {
    assert.deepStrictEqual(Result.getOrThrow(readList(cbor([1, 2, 3]), 4, numbers)), [1, 2, 3])
    assert.match(failureOf([1, 2, 3], 3, numbers), /too many items/)
    const nested = (items: Items) => items.all((each) => numbers(each.list()))
    assert.deepStrictEqual(Result.getOrThrow(readList(cbor([[1], [2, 3]]), 6, nested)), [[1], [2, 3]])
    assert.match(failureOf([[1], [2, 3]], 5, nested), /too many items/)
  })

  it("are read to their end, and are lists", () => {
    assert.match(failureOf([1, 2], 9, (items) => items.uint(9)), /items too many/)
    assert.match(failureOf({}, 9, numbers), /expected a list/)
    assert.match(failureOf(7, 9, numbers), /expected a list/)
  })
})
