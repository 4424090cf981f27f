/** What docs/simulator.md shows; its test holds the page to it. */
import * as Effect from "effect/Effect"
import { Cluster, Oracle, Workload } from "../../src/testing/index.ts"

export const story = Effect.gen(function*() {
  const cluster = yield* Cluster.make({ seed: "my story", nodes: 3 })
  const workload = new Workload(cluster, { users: 4 })
  cluster.partition([0], [1, 2])
  for (let i = 0; i < 50; i++) workload.act()
  cluster.time.advance(10_000)
  cluster.node(1).crash()
  cluster.heal()
  cluster.node(1).start()
  cluster.time.advance(60_000)
  return [...Oracle.recordProblems(cluster.up), ...(yield* Oracle.treeProblems(cluster))]
})
