/** Gossip over a mesh: everybody gets everything, for about as many copies as gossipsub takes; without one nothing changed. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import type { NodeId } from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { Network } from "../../src/services/Network.ts"
import {
  Cluster,
  gossipsubMesh,
  Oracle,
  Random,
  SimulatedNetwork,
  VirtualTime,
  Workload
} from "../../src/testing/index.ts"
import type { MeshOptions } from "../../src/testing/index.ts"
import { Trace } from "../../src/testing/trace.ts"
import { Life, MachineClock } from "../../src/testing/virtual-time.ts"

const timeoutMs = 120_000

/** Networks alone, with judges that accept: `count` of them, after `ms` for connections and meshes. */
const ports = (count: number, ms: number, mesh?: MeshOptions) => {
  const time = new VirtualTime(1_000_000)
  const trace = new Trace(time, noble)
  const network = new SimulatedNetwork({ time, hashes: noble, random: new Random("mesh"), trace, mesh })
  const heard = new Map<NodeId, number>()
  const nodes = Array.from({ length: count }, (_, i) => {
    const id = `node ${i}` as NodeId
    trace.name(id, i)
    const life = new Life(time, new MachineClock(time))
    let port: Network["Service"] | undefined
    const built = Layer.buildWithScope(network.layer(id, life), Scope.makeUnsafe())
    life.fork(built, Context.empty(), (exit) => {
      if (exit._tag === "Success") port = Context.get(exit.value, Network)
    })
    time.settle()
    const judge = port!.judge(() => Effect.sync(() => (heard.set(id, (heard.get(id) ?? 0) + 1), "accept")))
    life.fork(judge, Context.make(Scope.Scope, Scope.makeUnsafe()))
    return { id, publish: (byte: number) => life.fork(port!.publish(Uint8Array.of(byte)), Context.empty()) }
  })
  time.advance(ms)
  return { heard, network, nodes, time, trace }
}

describe("a mesh", () => {
  it("keeps its degree, and brings each message to all in a bounded number of copies", () => {
    const count = 40
    const { heard, network, nodes, time } = ports(count, 5_000, gossipsubMesh)
    const degrees = nodes.map(({ id }) => network.degreesOf(id))
    for (const { connections, mesh } of degrees) {
      assert.isAtMost(mesh, gossipsubMesh.degreeMax)
      assert.isAtLeast(mesh, gossipsubMesh.degreeMin)
      assert.isAtLeast(connections, gossipsubMesh.dialed)
    }
    const [author] = nodes
    network.traffic.reset()
    author!.publish(1)
    time.advance(500)
    assert.strictEqual(heard.size, count - 1)
    assert.deepStrictEqual(new Set(heard.values()), new Set([1]))
    const edges = degrees.reduce((sum, { mesh }) => sum + mesh, 0)
    const own = network.degreesOf(author!.id)
    const outside = own.connections - own.mesh
    const { count: copies } = network.traffic.of("message")
    // on every way of the mesh but those by which it came, and all that its author sent beside it
    assert.isAtLeast(copies, edges - (count - 1) + outside)
    assert.isAtMost(copies, edges - (count - 1) + 2 * outside)
    const arrived = nodes.map(({ id }) => network.traffic.copies(id))
    assert.strictEqual(arrived.reduce((sum, { again, first }) => sum + again + first, 0), copies)
  })

  it("lets a peer ask for what the mesh did not bring", () => {
    const { heard, network, nodes, time } = ports(20, 5_000, { ...gossipsubMesh, dialed: 19 })
    const deaf = nodes[7]!.id
    const asked = () => network.traffic.of("notice", deaf).count
    let withheld = true
    network.withhold = (_, to) => withheld && to === deaf
    nodes[3]!.publish(1)
    time.advance(200)
    assert.isFalse(heard.has(deaf))
    withheld = false
    time.advance(4_000)
    assert.strictEqual(heard.get(deaf), 1)
    assert.isAbove(asked(), 0)
  })

  it("that a node leaves is made whole again", () => {
    const { network, nodes, time } = ports(20, 5_000, { ...gossipsubMesh, dialed: 19 })
    const [gone, ...left] = nodes
    network.detach(gone!.id)
    for (const { id } of left.slice(0, 8)) for (const other of left.slice(8)) network.disconnect(id, other.id)
    time.advance(5_000)
    for (const { id } of left) assert.isAtLeast(network.degreesOf(id).mesh, gossipsubMesh.degreeMin)
  })

  it.effect("brings every record of ten whole nodes to all of them", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ seed: "mesh", nodes: 10, mesh: gossipsubMesh })
      const { network, time } = cluster
      const workload = new Workload(cluster, { users: 4 })
      time.advance(5_000)
      const mesh = cluster.nodes.reduce((sum, { id }) => sum + network.degreesOf(id).mesh, 0)
      network.traffic.reset()
      for (let i = 0; i < 40; i++) {
        workload.act()
        time.advance(100)
      }
      time.advance(2_000)
      const published = network.traffic.ofPublished.count
      assert.isAbove(published, 10)
      // at most: all ways of the mesh, and the author's other connections there and back
      const outsideMax = 9 - gossipsubMesh.degreeMin
      assert.isAtMost(network.traffic.of("message").count / published, mesh - 9 + 2 * outsideMax)
      assert.isAbove(network.traffic.of("stream").count, 0)
      assert.isAbove(network.traffic.of("frame").bytes, network.traffic.of("stream").count)
      assert.deepStrictEqual(Oracle.recordProblems(cluster.up), [])
      time.advance(20_000)
      assert.deepStrictEqual([...(yield* Oracle.treeProblems(cluster)), ...cluster.findings], [])
    }), timeoutMs)
})

describe("without a mesh", () => {
  it("everybody is connected, and one history is what it was before there were meshes", () => {
    const { network, nodes, time, trace } = ports(6, 2_000)
    for (const { id } of nodes) assert.deepStrictEqual(network.degreesOf(id), { connections: 5, mesh: 5 })
    nodes[0]!.publish(1)
    network.cut(nodes[1]!.id, nodes[2]!.id)
    time.advance(100)
    nodes[5]!.publish(2)
    network.disconnect(nodes[3]!.id, nodes[4]!.id)
    time.advance(20_000)
    assert.strictEqual(trace.hash, "e4c42e3126c8ff99d387b0fddb709e2dc8b2b7a8c325661fed18576b59455237")
  })
})
