/**
 * The same node key started twice, on two directories: a copied installation. Nothing depends on a node id being of one
 * process only, so that all get everything and agree.
 */
import { describe, it } from "@effect/vitest"
import { setTimeout as sleep } from "node:timers/promises"
import { Cluster } from "./harness.ts"

describe.skipIf(process.platform !== "linux")("two nodes with one key", () => {
  it("agree with each other and with all others", async () => {
    const cluster = await Cluster.start({ nodes: 3 })
    try {
      const { load, nodes: [first] } = cluster
      await load.found(first!)
      const twin = await cluster.add(first)
      await cluster.run(twin)
      load.start(20)
      await sleep(10_000)
      await load.stop()
      await cluster.agree()
    } finally {
      await cluster.stop()
    }
  })
})
