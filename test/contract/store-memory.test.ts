/** What the store in memory keeps beside its records, so that trees and peers find them by bucket. */
import { assert, describe, it } from "@effect/vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import { leavesCount } from "../../src/domain/limits.ts"
import { bucketOf } from "../../src/domain/merkle.ts"
import { domainOf, domains } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { Memory } from "../../src/layers/store/memory-records.ts"
import * as Make from "./store-records.ts"

const inLine = (memory: Memory): void => {
  const all = [...memory.slots.values()]
  for (const domain of domains) {
    for (const [from, to] of [[0, leavesCount], [0x0101, 0x8000], [0x8000, 0x8001], [9, 9]] as const) {
      const found: Array<string> = []
      memory.shelves.visit(domain, from, to, ({ record }, bucket) => {
        assert.strictEqual(bucket, bucketOf(record.id))
        found.push(record.id)
      })
      const expected = all.map(({ record }) => record)
        .filter((record) => domainOf(record) === domain && bucketOf(record.id) >= from && bucketOf(record.id) < to)
      assert.deepStrictEqual(found.sort(), expected.map(({ id }) => id).sort(), `${domain} ${from}`)
    }
  }
}

describe("Memory", () => {
  it("finds by bucket just what is stored, after commits, collection and repair", () => {
    const memory = new Memory(noble.blake3)
    const records = Make.manyRecords(7, 300)
    const outcomes = memory.commit(records, Hlc.zero).outcomes
    assert.include(outcomes, "replaced")
    inLine(memory)
    const { messages, reads } = memory.collect(Make.at(20), 1_000)
    assert.isAbove(messages + reads, 0)
    inLine(memory)
    memory.repair([...memory.slots.values()].slice(0, 5).map(({ record }) => ({ kind: record.kind, id: record.id })))
    assert.isAbove(memory.slots.size, 10)
    inLine(memory)
    memory.commit(records, Hlc.zero)
    inLine(memory)
  })
})
