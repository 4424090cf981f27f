/**
 * Five nodes, people who write through all of them, and what happens to nodes and links in the field. Each scenario ends
 * with the same: all nodes print the same bytes, and every write that is owed is there once (`ledger.ts` has the rule).
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Cluster } from "./harness.ts"

const writesPerSecond = 30
/** More than pings (10 + 15 s), answers and questions of sync (30 and 60 s) and gossip's patience (20 s). */
const frozenSeconds = 70
const idleSeconds = 60

describe.skipIf(process.platform !== "linux")("five nodes agree after", () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start({ nodes: 5 })
    for (const node of cluster.nodes.slice(0, 2)) await cluster.load.found(node)
  })
  afterAll(async () => {
    console.log(
      `${cluster?.ledger.size} answers, ${cluster?.ledger.owed} owed:`,
      Object.fromEntries(cluster?.load.tally ?? [])
    )
    console.log(cluster?.load.odd.join("\n"))
    await cluster?.stop()
  })
  const at = (index: number) => cluster.nodes[index]!
  const settle = async () => {
    await cluster.load.stop()
    for (const node of cluster.nodes) if (!node.running) await cluster.run(node)
    await cluster.connected()
    await cluster.agree()
    assert.strictEqual(cluster.links.strangers(), 0, "somebody connected past the links")
  }

  it("kills at random moments under load (FAILURES 19, 14)", async () => {
    const { load, random } = cluster
    load.start(writesPerSecond)
    for (let kills = 0; kills < 6; kills++) {
      await sleep(random.int(1_500))
      const victim = random.pick(cluster.running)
      await cluster.kill(victim)
      await sleep(random.int(1_500))
      await cluster.run(victim)
    }
    await settle()
  })

  it("one lost all its data, and others that believed it up to date (FAILURES 17)", async () => {
    const { ledger, load } = cluster
    load.start(writesPerSecond)
    await sleep(2_000)
    await cluster.kill(at(2))
    at(2).wipe()
    ledger.lost(2)
    await sleep(1_000)
    await cluster.run(at(2))
    await sleep(1_000)
    await settle()
  })

  it("links that are cut, both ways, one way, and by resets (FAILURES 10, 14)", async () => {
    const { links, load } = cluster
    load.start(writesPerSecond)
    // two against three, silently
    for (const a of [0, 1]) for (const b of [2, 3, 4]) links.both(a, b, "stall")
    await sleep(8_000)
    links.mend()
    // node 3 is heard and hears nothing; node 4 the other way round
    for (const other of [0, 1, 2]) {
      links.set(other, 3, "stall")
      links.set(4, other, "stall")
    }
    await sleep(8_000)
    links.mend()
    links.around(0, "close")
    await sleep(4_000)
    links.mend()
    await load.stop()
    await cluster.connected()
    await cluster.gossips()
    await settle()
  })

  it("one that stood still for longer than all time-outs (FAILURES 12, 15, 18)", async () => {
    const { load } = cluster
    load.start(writesPerSecond)
    await sleep(1_000)
    at(1).freeze()
    await sleep(frozenSeconds * 1_000)
    // the others go on meanwhile
    assert.strictEqual((await load.say(at(0), "meanwhile"))?.status, 201)
    at(1).thaw()
    await load.stop()
    await cluster.connected()
    await cluster.gossips([at(0), at(1)])
    await settle()
  })

  it("an idle pause: gossip is not silent while connected (FAILURES 11, 18)", async () => {
    const before = await Promise.all(cluster.nodes.map((node) => node.peers()))
    await sleep(idleSeconds * 1_000)
    const after = await Promise.all(cluster.nodes.map((node) => node.peers()))
    // nobody was lost meanwhile: it is old connections that carry
    const sinceOf = (all: typeof before) => all.map(({ peers }) => peers.map(({ peer_id, since }) => [peer_id, since]))
    assert.deepStrictEqual(sinceOf(after), sinceOf(before))
    await cluster.gossips(cluster.running, 15)
    await settle()
  })

  it("an old copy of the data was put back", async () => {
    const { ledger, load } = cluster
    const copy = join(cluster.directory, "copy")
    await at(4).end()
    at(4).save(copy)
    await cluster.run(at(4))
    load.start(writesPerSecond)
    await sleep(4_000)
    await at(4).end()
    at(4).restore(copy)
    ledger.lost(4)
    await cluster.run(at(4))
    await sleep(2_000)
    await settle()
  })

  it("two never ran at the same time, with a third between them", async () => {
    const { load } = cluster
    for (const index of [1, 2, 3]) await at(index).end()
    const first = await load.say(at(0), "from 0, which 3 never meets")
    assert.strictEqual(first?.status, 201)
    await at(4).end()
    // 0 and 4 apart; 0 tells 2
    await cluster.run(at(2))
    await cluster.connected([at(0), at(2)])
    load.start(writesPerSecond)
    await sleep(3_000)
    await load.stop()
    await cluster.agree([at(0), at(2)])
    await at(0).end()
    await cluster.run(at(3))
    const second = await load.say(at(3), "from 3, which 0 never meets")
    assert.strictEqual(second?.status, 201)
    await cluster.connected([at(2), at(3)])
    await cluster.agree([at(2), at(3)])
    await at(3).end()
    await cluster.run(at(0))
    await cluster.connected([at(0), at(2)])
    await cluster.agree([at(0), at(2)])
    for (const answer of [first, second]) {
      assert.isTrue(await load.knows(at(0), answer!.body["msg_id"] as string))
    }
    await settle()
  })
})
