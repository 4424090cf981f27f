import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import type { NodeId } from "../../src/domain/ids.ts"
import { address, inside, stranger } from "./insides.ts"
import { build, bytes, eventually, isConnected, joined, listen, start, type TestNode } from "./nodes.ts"

const portOf = (node: TestNode): number => Number(/\/tcp\/(\d+)/.exec(node.network.addresses()[0]!)![1])

const listenOn = (port: number) => [`/ip4/127.0.0.1/tcp/${port}`]

/** Whether gossip and sync work from one node to the other. */
const works = Effect.fn(function*(from: TestNode, to: TestNode, text: string) {
  const heard = yield* listen(to)
  yield* to.network.serve((channel) =>
    Effect.forever(Effect.flatMap(channel.receive, channel.send)).pipe(Effect.ignore)
  )
  yield* from.network.publish(bytes(text))
  yield* eventually(`gossip works: ${text}`, () => heard.some((one) => one.text === text))
  const channel = yield* from.network.open(to.id)
  yield* channel.send(bytes(text))
  assert.deepStrictEqual(yield* channel.receive, bytes(text))
}, Effect.scoped)

/** A node in another process, as `child.ts` tells of it. */
const child = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly process: ChildProcess; readonly id: NodeId; readonly addresses: ReadonlyArray<string> }>(
      (resume) => {
        const process = spawn("node_modules/.bin/node", ["test/network/child.ts", ...args], {
          stdio: ["ignore", "pipe", "inherit"]
        })
        createInterface({ input: process.stdout! }).once("line", (line) => {
          resume(Effect.succeed({ process, ...JSON.parse(line) }))
        })
      }
    ),
    ({ process }) => Effect.sync(() => process.kill("SIGKILL"))
  )

describe("staying connected over libp2p", () => {
  it.live("FAILURES 10: a peer that comes back is found again, and gossip and sync work", () =>
    Effect.gen(function*() {
      const b = yield* start({ seed: 2 })
      const a = yield* start({ seed: 1, bootstrap: b.network.addresses() })
      yield* joined(a, b)
      yield* works(a, b, "before")
      const port = portOf(b)
      yield* b.stop
      yield* eventually("it is gone", () => a.network.peers().length === 0)
      yield* Effect.sleep(500)
      const again = yield* start({ seed: 2, listen: listenOn(port) })
      yield* joined(a, again)
      yield* works(a, again, "after")
      yield* works(again, a, "back")
    }).pipe(Effect.scoped))

  it.live("FAILURES 10: a peer that comes back at another port is found through others", () =>
    Effect.gen(function*() {
      const c = yield* start({ seed: 3 })
      const b = yield* start({ seed: 2, bootstrap: c.network.addresses() })
      const a = yield* start({ seed: 1, bootstrap: [...b.network.addresses(), ...c.network.addresses()] })
      yield* joined(a, b)
      yield* joined(a, c)
      const port = portOf(b)
      yield* b.stop
      yield* eventually("it is gone", () => !isConnected(a, b, false))
      const again = yield* start({
        seed: 2,
        bootstrap: c.network.addresses(),
        limits: { connectionsWanted: 0 }
      })
      assert.notStrictEqual(portOf(again), port)
      yield* joined(a, again, 20_000)
      yield* works(a, again, "after")
    }).pipe(Effect.scoped))

  it.live("nodes that know one node find each other", () =>
    Effect.gen(function*() {
      const root = yield* start({ seed: 1 })
      const others = yield* Effect.forEach(
        [2, 3, 4, 5],
        (seed) => start({ seed, bootstrap: root.network.addresses() }),
        { concurrency: "unbounded" }
      )
      for (const a of others) for (const b of others) if (a !== b) yield* joined(a, b, 20_000)
      yield* works(others[0]!, others[3]!, "hello")
    }).pipe(Effect.scoped))

  it.live("peers are remembered between starts", () =>
    Effect.gen(function*() {
      const { mkdtempSync, rmSync } = yield* Effect.promise(() => import("node:fs"))
      const dataDir = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync("/tmp/p2p-mes-peers-")),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const b = yield* start({ seed: 2 })
      const a = yield* start({ seed: 1, bootstrap: b.network.addresses(), dataDir })
      yield* joined(a, b)
      yield* a.stop
      const again = yield* start({ seed: 1, dataDir, listen: [] })
      yield* joined(again, b)
    }).pipe(Effect.scoped))

  it.live("FAILURES 10, 24: a peer that stops answering holds up nobody, is noticed, and is joined when it is back", () =>
    Effect.gen(function*() {
      const other = yield* child("7", "-", "/ip4/127.0.0.1/tcp/0")
      const a = yield* start({ seed: 1, bootstrap: other.addresses, limits: { pingMs: 2_000, pingMsMax: 5_000 } })
      const there = () => a.network.peers().some(({ id, gossips }) => id === other.id && gossips)
      yield* eventually("they are joined", there)
      other.process.kill("SIGSTOP")
      const began = Date.now()
      const error = yield* Effect.flip(Effect.scoped(a.network.open(other.id)))
      assert.include(["closed", "unreachable"], error.reason)
      assert.isBelow(Date.now() - began, 8_000)
      yield* eventually("it is noticed", () => a.network.peers().length === 0, 12_000)
      other.process.kill("SIGCONT")
      yield* eventually("it is back", there)
    }).pipe(Effect.scoped))

  it.live("FAILURES 10, 18: a connection is tried on while the hash table tries it too, and is not given up for that", () =>
    Effect.gen(function*() {
      const { node } = yield* inside({ seed: 1, limits: { pingMs: 100 } })
      const b = yield* start({ seed: 2, bootstrap: node.libp2p.getMultiaddrs().map(String), limits: { pingMs: 100 } })
      yield* eventually("they are joined", () => b.network.peers().some(({ gossips }) => gossips))
      const [connection] = node.libp2p.getConnections()
      // one on its way, one of which the other side has not yet noticed the end
      yield* Effect.promise(() => Promise.all([1, 2].map(() => connection!.newStream("/ipfs/ping/1.0.0"))))
      delete connection!.rtt
      yield* eventually("it is tried", () => connection!.rtt !== undefined || connection!.status !== "open")
      yield* Effect.sleep(500)
      assert.strictEqual(connection!.status, "open")
    }).pipe(Effect.scoped))

  it.live("a port in use, and a bad address, are said", () =>
    Effect.gen(function*() {
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      const { port } = server.address() as { readonly port: number }
      const inUse = yield* build({ seed: 1, listen: listenOn(port) })
      const error = yield* Effect.flip(inUse.ready.ready)
      assert.strictEqual(error._tag, "NetworkError")
      assert.match(error.message, /EADDRINUSE/)
      assert.match(error.message, new RegExp(String(port)))
      for (const options of [{ listen: ["127.0.0.1:80"] }, { bootstrap: ["nonsense"] }, { announce: ["/ip4/x"] }]) {
        const node = yield* build({ seed: 1, ...options })
        const bad = yield* Effect.flip(node.ready.ready)
        assert.include(bad.message, Object.values(options)[0]![0]!)
      }
    }).pipe(Effect.scoped))

  it.live("dialling oneself, and a second node with the same key, are no fault", () =>
    Effect.gen(function*() {
      const a = yield* start({ seed: 1 })
      const port = portOf(a)
      yield* a.stop
      const b = yield* start({ seed: 2 })
      const self = [`/ip4/127.0.0.1/tcp/${port}`, `/ip4/127.0.0.1/tcp/${port}/p2p/${a.id}`]
      const again = yield* start({ seed: 1, listen: listenOn(port), bootstrap: [...self, ...b.network.addresses()] })
      const twin = yield* start({ seed: 1, bootstrap: [...again.network.addresses(), ...self] })
      yield* joined(again, b)
      yield* Effect.sleep(1_000)
      assert.deepStrictEqual(again.network.peers().map(({ id }) => id), [b.id])
      assert.deepStrictEqual(twin.network.peers().filter(({ id }) => id === twin.id), [])
    }).pipe(Effect.scoped))

  it.live("FAILURES 12: nothing is kept of peers that come and go, above the bounds", () =>
    Effect.gen(function*() {
      const { node } = yield* inside({ seed: 1, limits: { connectionsWanted: 0 } })
      const here = address(node.libp2p.getMultiaddrs()[0]!.toString())
      const sizes = (): ReadonlyArray<readonly [string, number]> =>
        Object.entries(node.gossip).flatMap(([name, value]) =>
          value instanceof Map || value instanceof Set ? [[name, value.size] as const] : []
        )
      const gossipsWith = (id: string) => node.gossip.getPeers().some((peer) => peer.toString() === id)
      const cycles = (times: number) =>
        Effect.gen(function*() {
          const other = yield* stranger(true)
          const id = other.peerId.toString()
          for (let n = 0; n < times; n++) {
            yield* Effect.promise(() => other.dial(here))
            yield* eventually("gossip sees it", () => gossipsWith(id))
            yield* Effect.promise(() => other.hangUp(node.libp2p.peerId))
            yield* eventually("it is gone", () => node.libp2p.getConnections(other.peerId).length === 0)
          }
        }).pipe(Effect.scoped)
      const forgotten = eventually("gossip has forgotten them", () =>
        node.gossip.getPeers().length === 0 && node.gossip.streamsOutbound.size === 0)
      yield* cycles(1)
      yield* forgotten
      const before = sizes()
      assert.isAbove(before.length, 15)
      yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], () =>
        cycles(10), { concurrency: 5 })
      yield* forgotten
      assert.deepStrictEqual(sizes(), before)
    }).pipe(Effect.scoped))

  it.live("ends soon, also with peers and streams open", () =>
    Effect.gen(function*() {
      const a = yield* start({ seed: 1 })
      const b = yield* start({ seed: 2, bootstrap: a.network.addresses() })
      yield* joined(a, b)
      const opened = yield* Deferred.make<void>()
      yield* a.network.serve((channel) =>
        Effect.andThen(channel.receive, Deferred.succeed(opened, undefined)).pipe(
          Effect.andThen(Effect.never),
          Effect.ignore
        )
      )
      const channel = yield* b.network.open(a.id)
      yield* channel.send(bytes("x"))
      yield* Deferred.await(opened)
      const began = Date.now()
      yield* a.stop
      assert.isBelow(Date.now() - began, 2_500)
      assert.strictEqual((yield* Effect.flip(channel.receive)).reason, "closed")
      assert.deepStrictEqual(a.network.addresses(), [])
      assert.deepStrictEqual(yield* a.network.publish(bytes("late")), { recipients: 0 })
    }).pipe(Effect.scoped))
})
