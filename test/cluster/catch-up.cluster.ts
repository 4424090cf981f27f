/**
 * A node that lacks nearly everything gets it from the others, serves its clients meanwhile, says how far it is, and goes on
 * where it was when it is killed in between (FAILURES 3). And local limits play no part in what it takes (FAILURES 27).
 */
import { assert, describe, it } from "@effect/vitest"
import { setTimeout as sleep } from "node:timers/promises"
import { fill } from "./fill.ts"
import { Cluster, until, withCluster } from "./harness.ts"

const records = 24_000
const caughtUpSecondsMax = 180

describe.skipIf(process.platform !== "linux")("a fresh node", () => {
  it(`catches up from ${records} records while it serves, is killed in the middle, and resumes (FAILURES 3)`, async () => {
    const cluster = new Cluster({ nodes: 3 })
    try {
      const full = await cluster.add()
      for (const id of await fill(full.place.directory, full.id, records)) cluster.ledger.trying(id)
      const other = await cluster.add()
      await cluster.run(full)
      await cluster.run(other)
      const { load } = cluster
      const held = (): Promise<number> => other.metric("p2p_mes_records", `kind="message"`)
      const said: Array<string> = []
      let [served, slowest] = [0, 0]
      /** A client of the node that catches up: its writes are taken, and it sees how far the node is. */
      const client = async (): Promise<void> => {
        const startMs = performance.now()
        const answer = await load.say(other, `meanwhile ${startMs}`)
        if (answer?.status === 201) served++
        slowest = Math.max(slowest, performance.now() - startMs)
        const { catch_up, problems, ready } = await other.ready()
        if (catch_up !== undefined && !ready) said.push(...problems)
      }
      const half = await until("half of it came", caughtUpSecondsMax, async () => {
        await client()
        const count = await held()
        return count > records / 4 ? count : undefined
      }, () => cluster.explain())
      assert.isBelow(half, records, "too fast to be killed in the middle: raise the number of records")
      assert.isAbove(served, 0, "no client was served meanwhile")
      assert.match(
        said.join("\n"),
        /catching up with the others \((messages|members|identity)\): [0-9]+ of [0-9]+ records, [0-9]+ %/
      )
      await cluster.kill(other)
      await cluster.run(other)
      // what was committed before the kill is not fetched again
      assert.isAtLeast(await held(), half)
      await until("all of it came", caughtUpSecondsMax, async () => {
        await client()
        return await held() >= records
      }, () => cluster.explain())
      await cluster.agree()
      assert.isBelow(slowest, 8_000, "a client waited long")
      const { ready } = await other.ready()
      assert.isTrue(ready)
    } finally {
      await cluster.stop()
    }
  })
})

describe.skipIf(process.platform !== "linux")("a node with a very small rate for its users", () => {
  it("takes all records of others (FAILURES 27)", () =>
    withCluster({
      nodes: 3,
      argsOf: (index) => index === 2 ? ["--user-rate", "1", "--user-burst", "1", "--max-in-flight", "2"] : []
    }, async (cluster) => {
      const { links, load, nodes: [first, , limited] } = cluster
      await load.found(first!)
      // one half comes by gossip, the other by sync
      load.start(60)
      await sleep(5_000)
      links.around(2, "stall")
      await sleep(5_000)
      await load.stop()
      links.mend()
      await cluster.agree()
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => load.say(limited!, `too many ${i}`)))
      assert.isTrue(
        answers.some((answer) => answer?.status === 429 || answer?.status === 503),
        "the limit holds at its own API"
      )
      await cluster.agree()
    }))
})
