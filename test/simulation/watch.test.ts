/** Oracles that watch all the time: a run with faults in which all is well, and what they see at the end of one. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Trees } from "../../src/services/Trees.ts"
import { Writer } from "../../src/services/Writer.ts"
import * as Oracle from "../../src/testing/oracle/oracle.ts"
import { live } from "./watch-chaos.ts"
import { draftOf, on, one, type Stage } from "./watch-stage.ts"

describe("a run with faults in which all is well", () => {
  for (const seed of [1, 2, 3]) {
    on(`seed ${seed}`, (stage) => {
      const { cluster, told, watching } = stage
      live(stage, seed)
      assert.deepStrictEqual(Oracle.recordProblems(cluster.up), [])
      watching.end()
      assert.deepStrictEqual(cluster.findings, [])
      assert.isAbove(cluster.node(0).disk.records().length, 20)
      assert.isAbove(told.accepted, 40)
      assert.isAbove(told.refused, 10)
    }, 3)
  }
})

describe("bounds and forward", () => {
  on("FAILURES 5, 21: sees a queue that is over its bound, and bytes that are left behind", (stage) => {
    const queue = (queued: number, queuedBytes: number) => {
      stage.break(Writer, { stats: () => ({ queued, queuedBytes, committed: 0 }) })
      stage.watching.sample()
    }
    queue(16_384, 1_000)
    assert.deepStrictEqual(stage.found("bounds"), [])
    queue(16_385, 1_000)
    one(stage.found("bounds"), /records queued: 16385, at most 16384/)
    queue(0, 1)
    assert.match(stage.found("bounds")[1]!, /bytes queued: 1, at most 0/)
  })
  on("sees a horizon that goes back, and one that is ahead of its time", (stage) => {
    const wall = stage.node.clock.wallMs
    const horizon = (ms: number) => {
      stage.break(Trees, { horizonMs: () => ms })
      stage.watching.sample()
    }
    const newest = wall - 10_000 - (wall - 10_000) % 5_000
    horizon(newest)
    assert.deepStrictEqual(stage.found("forward"), [])
    horizon(newest - 5_000)
    one(stage.found("forward"), /went back from/)
    horizon(newest + 5_000)
    assert.match(stage.found("forward")[1]!, /is not one of its wall clock's/)
  })
  on("sees a commit that is counted twice", (stage) => {
    stage.write(stage.alice, draftOf(stage), true)
    stage.cluster.time.advance(1_000)
    stage.watching.sample()
    assert.deepStrictEqual(stage.found("forward"), [])
    stage.break(Writer, { stats: () => ({ queued: 0, queuedBytes: 0, committed: 2 }) })
    stage.watching.sample()
    one(stage.found("forward"), /counts 2 commits of records, its disk 1/)
  })
  on("tells so much of one thing and then only counts", (stage) => {
    for (let i = 0; i < 25; i++) stage.committed([stage.message(stage.alice, stage.bob, { atMs: 70_000 + i })])
    assert.strictEqual(stage.found("acceptance").length, 20)
    assert.strictEqual(stage.watching.silenced.get("acceptance"), 5)
  })
})

describe("at the end", () => {
  const two = (what: string, run: (stage: Stage) => Effect.Effect<void>) =>
    on(what, (stage) =>
      Effect.gen(function*() {
        stage.write(stage.alice, draftOf(stage), true)
        stage.cluster.time.advance(40_000)
        const { nodes } = stage.cluster
        assert.deepStrictEqual(Oracle.recordProblems(nodes), [])
        assert.deepStrictEqual(yield* Oracle.treeProblems(stage.cluster), [])
        assert.deepStrictEqual(Oracle.signatureProblems(stage.cluster, nodes[0]!.disk.records()), [])
        yield* run(stage)
      }), 2)

  two("sets that differ are seen", (stage) =>
    Effect.sync(() => {
      const [a, b] = stage.cluster.nodes
      b!.disk.records = () => []
      assert.match(Oracle.recordProblems([a!, b!]).join(), /records of n0 and n1: m[0-9a-f]{16} only at n0/)
    }))
  two(
    "trees that do not stand for their records are seen, though the records are equal",
    (stage) =>
      Effect.gen(function*() {
        const unseen = stage.message(stage.alice, stage.bob, { tsMs: -30_000, atMs: -30_000 })
        // behind the nodes' backs
        for (const { disk } of stage.cluster.nodes) {
          const records = [...disk.records(), unseen]
          disk.records = () => records
        }
        assert.deepStrictEqual(Oracle.recordProblems(stage.cluster.nodes), [])
        const found = yield* Oracle.treeProblems(stage.cluster)
        assert.deepStrictEqual(found, [
          "trees of n0: the root of messages is not that of its records",
          "trees of n1: the root of messages is not that of its records"
        ])
      })
  )
  two("records that nobody signed are seen", (stage) =>
    Effect.sync(() => {
      const [record] = stage.node.disk.records()
      const sig = new Uint8Array(record!.sig)
      sig[7]! ^= 1
      assert.match(Oracle.signatureProblems(stage.cluster, [{ ...record!, sig }]).join(), /not signed by its author/)
    }))
})
