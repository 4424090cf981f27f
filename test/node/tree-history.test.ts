import { assert, describe, it } from "@effect/vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import { type Domain, domains } from "../../src/domain/record.ts"
import { TreeHistory } from "../../src/layers/node/tree-history.ts"
import { Snapshots } from "../../src/layers/node/tree-snapshots.ts"
import { stepsCount } from "../../src/layers/node/tree-sums.ts"
import { digestOf, hashes } from "../domain/merkle-model.ts"

const start = 500_000 * 3_600_000

let hashed = 0
const counting = {
  ...hashes,
  blake3: (bytes: Uint8Array) => {
    hashed++
    return hashes.blake3(bytes)
  }
}
/** How many hashes it takes. */
const hashesOf = (f: () => unknown): number => {
  const before = hashed
  f()
  return hashed - before
}

/** Read from an empty store, at most `max` changes held. */
const history = (max: number, bucketOf = (number: number) => number) => {
  const left: Array<number> = []
  const changed: Array<Domain> = []
  const made = new TreeHistory(counting, {
    changing: (domain) => changed.push(domain),
    leaving: (oldestMs) => left.push(oldestMs)
  }, max)
  made.reset(start + 600_000)
  made.listen()
  made.begin({ commit: 0, value: [] })
  for (const domain of domains) {
    for (let step = 0; step < stepsCount; step++) {
      made.listen()
      made.merge(made.line(domain).base, domain, step, { commit: 0, value: [] })
    }
  }
  let number = 0
  const insert = (ms: number, domain: Domain = "identity") =>
    made.apply({
      number: ++number,
      outcomes: [],
      firstArrival: number,
      leaves: [{
        domain,
        bucket: bucketOf(number),
        digest: digestOf(number),
        hlc: Hlc.make(ms, 0),
        recordHlc: Hlc.make(ms, 0),
        change: "insert",
        ages: false
      }]
    })
  return { made, insert, left, changed, newest: start + 600_000 }
}

describe("tree history", () => {
  it("failure 5: what is kept for older horizons is bounded: the oldest are given up", () => {
    const { insert, left, made, newest } = history(10)
    for (let i = 0; i < 10; i++) insert(newest - 5_000 * i)
    assert.strictEqual(made.oldestMs, newest - 85_000)
    assert.strictEqual(made.changes, 10)
    insert(newest - 1)
    assert.strictEqual(made.changes, 10)
    assert.strictEqual(made.oldestMs, newest - 45_000)
    assert.deepStrictEqual(left, [newest - 45_000])
    assert.strictEqual(made.treeAt("identity", made.oldestMs).count, 1)
    assert.strictEqual(made.treeAt("identity", newest).count, 11)
  })

  it("failure 5: what is far ahead is bounded: the horizon goes up to it, and then all is read anew", () => {
    const { insert, made, newest } = history(10)
    for (let i = 1; i <= 30; i++) insert(newest + 5_000 * i)
    assert.strictEqual(made.changes, 10)
    insert(newest + 5_000 * 20)
    assert.strictEqual(made.changes, 10)
    assert.strictEqual(made.advance(newest + 50_000)._tag, "Current")
    assert.strictEqual(made.line("identity").base.tree.count, 10)
    assert.strictEqual(made.advance(newest + 55_000)._tag, "Rebuild")
    assert.strictEqual(made.newestMs, newest + 50_000)
  })

  it("tells who stands on a horizon before it changes", () => {
    const { changed, insert, left, made, newest } = history(10)
    insert(newest + 1, "messages")
    assert.deepStrictEqual(changed, [])
    insert(newest, "members")
    assert.deepStrictEqual(changed, ["members"])
    made.advance(newest + 5_000)
    assert.deepStrictEqual(left, [newest - 80_000])
  })

  it("failure 13: a snapshot is hashed some nodes at a time, and its roots take the nodes above them", () => {
    // a node of the last inner level each, with 16 leaves
    const { insert, made, newest } = history(10_000, (number) => number * 16)
    const snapshots = new Snapshots(made)
    const atOnce = 50
    const upper = 273
    for (let i = 0; i < 500; i++) insert(newest - 20_000)
    for (let i = 0; i < 500; i++) insert(newest - 1)
    for (const [horizon, records] of [[newest, 1_000], [newest - 10_000, 500]] as const) {
      const snapshot = snapshots.at(horizon)
      let done = false
      for (let steps = 0; !done; steps++) {
        assert.isBelow(steps, 50)
        const hashes = hashesOf(() => done = snapshot.refresh(atOnce))
        // for the copy of an older horizon also those above in what is copied
        assert.isAtMost(hashes, 2 * atOnce * 17 + upper)
      }
      assert.isAtMost(hashesOf(() => domains.map((domain) => snapshot.root(domain))), upper)
      assert.strictEqual(snapshot.count("identity"), records)
      assert.deepStrictEqual(snapshot.root("identity"), made.treeAt("identity", horizon).root())
      assert.strictEqual(hashesOf(() => snapshot.refresh(atOnce)), 0)
    }
  })

  it("an answer older than the first, and a step read twice, are defects", () => {
    const { made } = history(10)
    made.reset(start)
    made.listen()
    made.begin({ commit: 3, value: [] })
    const sums = made.line("identity").base
    made.listen()
    assert.throws(() => made.merge(sums, "identity", 0, { commit: 2, value: [] }), /older than the first/)
    made.listen()
    made.merge(sums, "identity", 0, { commit: 3, value: [] })
    made.listen()
    assert.throws(() => made.merge(sums, "identity", 0, { commit: 3, value: [] }), /read twice/)
  })
})
