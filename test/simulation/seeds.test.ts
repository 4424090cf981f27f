/** Nodes that live through faults and then agree, run after run; and an oracle that sees when they do not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Cluster, describe as told, Oracle, type ProfileName, simulate, Workload } from "../../src/testing/index.ts"

const timeoutMs = 300_000

const sound = (profile: ProfileName, seed: number, steps = 12) =>
  Effect.gen(function*() {
    const report = yield* simulate({ seed, profile, steps, nodes: 3 + seed % 2 })
    assert.deepStrictEqual(report.problems, [], told(report))
    assert.isAbove(report.records, 5, told(report))
    assert.isAbove(report.acknowledged, 5, told(report))
  })

describe("after all was healed, every node has every record and shows the same", () => {
  const seeds: ReadonlyArray<readonly [ProfileName, count: number]> = [
    ["calm", 5],
    ["lossy", 8],
    ["partition", 8],
    ["crash", 9]
  ]
  for (const [profile, count] of seeds) {
    it.effect(
      `${profile}, ${count} seeds`,
      () =>
        Effect.forEach(Array.from({ length: count }, (_, i) => i + 1), (seed) => sound(profile, seed), {
          discard: true
        }),
      timeoutMs
    )
  }
})

describe("one seed", () => {
  it.effect("gives one history, and another seed another", () =>
    Effect.gen(function*() {
      const run = (seed: number) => simulate({ seed, profile: "crash", steps: 15 })
      const [first, again, other] = [yield* run(40), yield* run(40), yield* run(41)]
      assert.isAbove(first.events, 100)
      assert.strictEqual(again.events, first.events)
      assert.strictEqual(again.history, first.history)
      assert.notStrictEqual(other.history, first.history)
    }), timeoutMs)
})

describe("the oracle goes red", () => {
  it.effect("when records are withheld from a node, and tells the step", () =>
    Effect.gen(function*() {
      const report = yield* simulate({
        seed: 50,
        profile: "calm",
        steps: 6,
        prepare: ({ network, nodes }) => {
          const alone = nodes[2]!.id
          network.withhold = (_, to) => to === alone
          network.refuse = (from, to) => from === alone || to === alone
        }
      })
      assert.isUndefined(report.convergedMs)
      assert.strictEqual(report.troubleStep, 6)
      const all = told(report)
      for (const what of [/records of n0 and n2: /, /views of n0 and n2: /, /lost: .* is not at n2/, /seed: 50/]) {
        assert.match(all, what)
      }
      assert.notMatch(all, /records of n0 and n1/)
    }), timeoutMs)

  it.effect("when gossip is withheld only, sync mends it", () =>
    Effect.gen(function*() {
      const report = yield* simulate({
        seed: 51,
        profile: "calm",
        steps: 6,
        prepare: ({ network }) => {
          network.withhold = () => true
        }
      })
      assert.deepStrictEqual(report.problems, [], told(report))
    }), timeoutMs)

  it.effect("on a record that nobody signed, and on a promise that was not kept", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ seed: "promises", nodes: 1 })
      const workload = new Workload(cluster, { users: 3 })
      for (let i = 0; i < 8; i++) workload.act()
      cluster.time.advance(1_000)
      const records = cluster.node(0).disk.records()
      assert.isAbove(records.length, 2)
      assert.deepStrictEqual(yield* Oracle.signatureProblems(cluster, records), [])
      const forged = records.map((record) => ({ ...record, ts: record.ts + 1 }))
      assert.match((yield* Oracle.signatureProblems(cluster, forged)).join(), /not signed by its author/)

      const { acknowledged } = workload
      const kept = (each: typeof acknowledged, crashed: ReadonlyArray<string> = []) =>
        Oracle.promiseProblems(cluster, each, new Set(crashed))
      assert.deepStrictEqual(kept(acknowledged), [])
      const never = { ...acknowledged[0]!, id: "ab".repeat(32), committed: false }
      assert.match(kept([never]).join(), /accepted at n0, was never on a disk/)
      assert.deepStrictEqual(kept([never], ["0/1"]), [], "a kill may lose what was not committed")
      assert.match(kept([{ ...never, committed: true }], ["0/1"]).join(), /committed at n0, was never on a disk/)
    }), timeoutMs)
})
