/** Networks that know each other's addresses and stay apart all the same, by name and by key (SPEC §7). */
import { assert, describe, it } from "@effect/vitest"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as NetworkKey from "../../src/layers/network/network-key.ts"
import { Cluster } from "./harness.ts"

const meetSeconds = 20
/** Of a complaint that is told once a minute at most. */
const linesMax = 2

/** Starts three nodes, the last in another network, and lets them meet. */
const apart = async (argsOf: (cluster: Cluster, index: number) => ReadonlyArray<string>, complaint: RegExp) => {
  const cluster = new Cluster({ nodes: 3 })
  try {
    for (let i = 0; i < 3; i++) await cluster.add(undefined, ...argsOf(cluster, i))
    await Promise.all(cluster.nodes.map((node) => cluster.run(node)))
    const [first, second, other] = cluster.nodes as [typeof cluster.nodes[0], ...Array<typeof cluster.nodes[0]>]
    const same = [first!, second!]
    await cluster.connected(same)
    await cluster.load.found(first!)
    await cluster.gossips([first!], 60, same)
    const elsewhere = await cluster.load.say(other!, "in the other network")
    assert.strictEqual(elsewhere?.status, 201)
    await sleep(meetSeconds * 1_000)

    assert.isFalse(await cluster.load.knows(first!, elsewhere!.body["msg_id"] as string))
    assert.deepStrictEqual((await other!.peers()).records, { identity: 0, members: 0, messages: 1 })
    for (const node of same) assert.isFalse((await node.peers()).peers.some(({ peer_id }) => peer_id === other!.id))
    const lines = cluster.nodes.flatMap((node) => node.log.split("\n").filter((line) => complaint.test(line)))
    assert.isAbove(lines.length, 0, `nobody says why: ${other!.log}`)
    for (const node of cluster.nodes) {
      for (const one of cluster.nodes) {
        const said = node.log.split("\n").filter((line) => complaint.test(line) && line.includes(one.id)).length
        assert.isAtMost(said, linesMax, `${node.name} repeats itself: ${node.log}`)
      }
    }
    await other!.end()
    // what the other network has is not owed here
    cluster.ledger.lost(other!.place.index)
    await cluster.agree(same)
  } finally {
    await cluster.stop()
  }
}

describe.skipIf(process.platform !== "linux")("two networks", () => {
  it("of different names do not mix, and say so", () =>
    apart((_, index) => ["--network", index === 2 ? "blue" : "red"], /it belongs to the network \\?"(blue|red)/))

  it("of different keys do not mix, and say so", () =>
    apart((cluster, index) => {
      const file = join(cluster.directory, `key-${index}`)
      const key = new Uint8Array(32).fill(index === 2 ? 2 : 1)
      writeFileSync(file, NetworkKey.textOf(key), { mode: 0o600 })
      return ["--network-key", file]
    }, /is its network key another one\?/))
})
