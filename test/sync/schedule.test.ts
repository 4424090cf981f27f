/** When rounds are held, and what follows from how they end. The network is scripted, time is virtual. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, PubSub, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Hashing } from "../../src/domain/hashing.ts"
import type { NodeId } from "../../src/domain/ids.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import * as GapsLayer from "../../src/layers/node/gaps.ts"
import * as Line from "../../src/layers/sync/line.ts"
import * as Responder from "../../src/layers/sync/responder.ts"
import * as Rounds from "../../src/layers/sync/rounds.ts"
import * as SyncLayer from "../../src/layers/sync/sync.ts"
import { Entropy } from "../../src/services/Entropy.ts"
import { Gaps } from "../../src/services/Gaps.ts"
import { HybridClock } from "../../src/services/HybridClock.ts"
import { Intake } from "../../src/services/Intake.ts"
import { type Channel, ChannelError, Network, type PeerChange } from "../../src/services/Network.ts"
import { NetworkId } from "../../src/services/NetworkId.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { PeerClocks } from "../../src/services/PeerClocks.ts"
import { Store } from "../../src/services/Store.ts"
import { Sync } from "../../src/services/Sync.ts"
import { Trees } from "../../src/services/Trees.ts"
import { manyRecords } from "../contract/store-records.ts"
import { channels, hashes, ready, type Side, sides } from "./fixture.ts"

const peer = (name: string | number) => `${name}` as NodeId
type Behaviour = "good" | "silent" | "junk" | "unreachable" | "unsupported" | "defect"

/** A node's sync among scripted peers. Its own id is "m". */
const world = Effect.fn(function*(own = "m") {
  const [side, other] = (yield* sides({}, {})) as [Side, Side]
  yield* side.put(manyRecords(1, 20))
  yield* other.put(manyRecords(1, 20))
  yield* ready(side, other)
  const peers = new Map<NodeId, Behaviour>()
  const opened: Array<{ readonly peer: NodeId; readonly ms: number }> = []
  const shunned: Array<{ readonly peer: NodeId; readonly ms: number; readonly why: string }> = []
  const forgotten: Array<NodeId> = []
  const changes = yield* PubSub.sliding<PeerChange>(64)
  const scope = yield* Scope.make()
  let handler: (channel: Channel) => Effect.Effect<void> = () => Effect.void
  let open = 0
  let mostOpen = 0
  const now = yield* TestClock.testClockWith((clock) => Effect.succeed(() => clock.currentTimeMillisUnsafe()))

  const network = Network.of({
    addresses: () => [],
    peers: () =>
      [...peers.keys()].map((id) => ({ id, address: "", direction: "inbound", sinceMs: 0, gossips: true } as const)),
    changes,
    open: (id) =>
      Effect.gen(function*() {
        opened.push({ peer: id, ms: now() })
        const behaviour = peers.get(id)
        if (behaviour === "defect") return yield* Effect.die(new Error("a defect"))
        if (behaviour === undefined || behaviour === "unreachable" || behaviour === "unsupported") {
          return yield* new ChannelError({ reason: behaviour ?? "unreachable", message: "no" })
        }
        const wire = yield* channels(peer(own), id)
        mostOpen = Math.max(mostOpen, ++open)
        yield* Effect.addFinalizer(() => Effect.andThen(wire.close, Effect.sync(() => open--)))
        if (behaviour === "junk") yield* wire.server.send(Uint8Array.of(1))
        if (behaviour === "good") {
          yield* Effect.forkIn(
            Effect.ignore(Responder.run(other.ground, Line.make(wire.server, Line.questionMsMax), () => false)),
            scope
          )
        }
        return wire.opener
      }),
    serve: (given) => Effect.sync(() => handler = given),
    publish: () => Effect.succeed({ recipients: 0 }),
    judge: () => Effect.void,
    shun: (id, ms, why) =>
      Effect.sync(() => {
        shunned.push({ peer: id, ms, why })
        peers.delete(id)
      })
  })
  const services = SyncLayer.layer.pipe(
    Layer.provideMerge(GapsLayer.layer),
    Layer.provide(Layer.mergeAll(
      Layer.succeed(Network, network),
      Layer.succeed(NodeKey, NodeKey.of({ id: peer(own), sign: (bytes) => bytes })),
      Layer.succeed(NetworkId, NetworkId.of({ name: "" })),
      Layer.succeed(Hashing, hashes),
      Layer.succeed(Store, side.ground.store),
      Layer.succeed(Trees, side.ground.trees),
      Layer.succeed(Intake, Intake.of({ ...side.ground.intake, forget: (id) => forgotten.push(id) })),
      Layer.succeed(HybridClock, side.ground.clock),
      Layer.succeed(PeerClocks, side.ground.clocks),
      Layer.succeed(Entropy, side.ground.entropy)
    ))
  )
  const context = yield* Layer.buildWithScope(services, scope)
  const sync = yield* Effect.provideContext(Effect.service(Sync), context)
  const gaps = yield* Effect.provideContext(Effect.service(Gaps), context)

  const connect = (id: NodeId, behaviour: Behaviour = "good") =>
    Effect.andThen(
      Effect.sync(() => peers.set(id, behaviour)),
      PubSub.publish<PeerChange>(changes, { _tag: "Connected", peer: id })
    )
  const leave = (id: NodeId) =>
    Effect.andThen(
      Effect.sync(() => peers.delete(id)),
      PubSub.publish<PeerChange>(changes, { _tag: "Disconnected", peer: id })
    )
  const pass = (ms: number) =>
    Effect.gen(function*() {
      for (let left = ms; left > 0; left -= 100) yield* TestClock.adjust(Math.min(left, 100))
    })
  /** A peer opens a stream: its hello, then whatever the node says. */
  const begins = (id: NodeId) =>
    Effect.gen(function*() {
      const wire = yield* channels(id, peer(own))
      yield* Effect.forkIn(Effect.ensuring(handler(wire.server), wire.close), scope)
      return wire.opener
    })
  return {
    sync,
    gaps,
    connect,
    leave,
    pass,
    begins,
    opened,
    shunned,
    forgotten,
    peers,
    now,
    other,
    mostOpen: () => mostOpen,
    close: Scope.close(scope, Exit.void)
  }
})

const last = <A>(list: ReadonlyArray<A>): A => list[list.length - 1]!

describe("the schedule of sync", () => {
  it.effect("18: a round soon after a peer connects, then again and again, not in step", () =>
    Effect.gen(function*() {
      const w = yield* world()
      const startMs = w.now()
      yield* w.connect(peer("a"))
      yield* w.pass(1_000)
      assert.lengthOf(w.opened, 1)
      assert.isAtMost(w.opened[0]!.ms - startMs, 500)
      assert.strictEqual(w.sync.peers()[0]!.last!.result, "equal")
      assert.isDefined(w.sync.peers()[0]!.equal)
      yield* w.pass(300_000)
      const gaps = w.opened.slice(1).map(({ ms }, i) => ms - w.opened[i]!.ms)
      assert.isAbove(gaps.length, 15)
      for (const gap of gaps) {
        assert.isAtLeast(gap, 5_000)
        assert.isAtMost(gap, 16_500)
      }
      assert.isAbove(new Set(gaps).size, gaps.length / 3)
      yield* w.close
    }), 60_000)

  it.effect("14: a round soon after a gap is reported; not without end when they are", () =>
    Effect.gen(function*() {
      const w = yield* world()
      yield* w.connect(peer("a"))
      yield* w.connect(peer("b"))
      yield* w.pass(2_000)
      const before = w.opened.length
      w.gaps.report(peer("a"))
      yield* w.pass(1_100)
      assert.strictEqual(last(w.opened).peer, "a")
      assert.isAbove(w.opened.length, before)
      const many = w.opened.length
      for (let i = 0; i < 100; i++) {
        w.gaps.report(peer("a"))
        yield* w.pass(100)
      }
      const rounds = w.opened.slice(many).filter((each) => each.peer === "a").length
      assert.isAtMost(rounds, 11)
      assert.isAtLeast(rounds, 5)
      // somewhere is some peer
      yield* w.pass(2_000)
      const some = w.opened.length
      w.gaps.report()
      yield* w.pass(1_100)
      assert.isAbove(w.opened.length, some)
      yield* w.close
    }), 60_000)

  it.effect("holds at most four rounds at once, and one with a peer", () =>
    Effect.gen(function*() {
      const w = yield* world()
      for (let i = 0; i < 12; i++) yield* w.connect(peer(i), "silent")
      yield* w.pass(5_000)
      assert.strictEqual(w.mostOpen(), 4)
      assert.lengthOf(w.opened, 4)
      for (let i = 0; i < 12; i++) w.sync.suspect(peer(i))
      yield* w.pass(20_000)
      assert.lengthOf(w.opened, 4)
      // each has cost one bounded wait, and others have their turn
      yield* w.pass(80_000)
      assert.strictEqual(new Set(w.opened.slice(0, 12).map((each) => each.peer)).size, 12)
      assert.strictEqual(w.mostOpen(), 4)
      yield* w.close
    }), 60_000)

  it.effect("of two that begin at once the one with the smaller id goes on", () =>
    Effect.gen(function*() {
      for (const [own, refuses] of [["a", true], ["z", false]] as const) {
        const w = yield* world(own)
        yield* w.connect(peer("m"), "silent")
        yield* w.pass(1_000)
        assert.lengthOf(w.opened, 1)
        const channel = yield* w.begins(peer("m"))
        const ground = w.other.ground

        yield* channel.send(Frames.encode(Rounds.hello(ground, ground.trees.at(ground.trees.horizonMs()!)!)))
        const answer = Frames.decode(yield* channel.receive)
        assert.isTrue(answer._tag === "Success" && answer.success._tag === (refuses ? "Refuse" : "Hello"))
        yield* w.close
      }
    }), 60_000)

  it.effect("backs off from a peer with which rounds fail, also when gaps are reported", () =>
    Effect.gen(function*() {
      const w = yield* world()
      yield* w.connect(peer("a"), "unreachable")
      for (let i = 0; i < 600; i++) {
        w.gaps.report(peer("a"))
        yield* w.pass(500)
      }
      assert.isAtMost(w.opened.length, 20)
      assert.isAtLeast(w.opened.length, 6)
      assert.strictEqual(w.sync.peers()[0]!.last!.result, "failed")
      yield* w.close
    }), 60_000)

  it.effect(
    "24: drops a peer that sends junk, each time for longer; one that stalls or lacks the protocol later",
    () =>
      Effect.gen(function*() {
        const w = yield* world()
        const times: Array<number> = []
        for (let i = 0; i < 4; i++) {
          yield* w.connect(peer("a"), "junk")
          for (let n = 0; n < 40 && w.shunned.length === i; n++) yield* w.pass(1_000)
          assert.lengthOf(w.shunned, i + 1)
          times.push(w.shunned[i]!.ms)
          yield* w.pass(2_000)
        }
        assert.deepStrictEqual(times, [60_000, 120_000, 240_000, 480_000])
        const before = w.opened.length
        yield* w.connect(peer("b"), "silent")
        yield* w.connect(peer("c"), "unsupported")
        yield* w.connect(peer("d"), "good")
        yield* w.pass(900_000)
        assert.sameMembers(w.shunned.slice(4).map((each) => each.peer), [peer("b"), peer("c")])
        const count = (id: string) => w.opened.slice(before).filter((each) => each.peer === id).length
        assert.strictEqual(count("b"), 4)
        assert.strictEqual(count("c"), 10)
        assert.isAbove(count("d"), 50)
        yield* w.close
      }),
    120_000
  )

  it.effect("12: nothing is kept of peers that are gone", () =>
    Effect.gen(function*() {
      const w = yield* world()
      for (let i = 0; i < 1_000; i++) {
        yield* w.connect(peer(i), i % 3 === 0 ? "unreachable" : "good")
        yield* w.pass(i % 10 === 0 ? 600 : 100)
        yield* w.leave(peer(i))
      }
      yield* w.pass(60_000)
      assert.deepStrictEqual(w.sync.peers(), [])
      assert.strictEqual(w.sync.catchUp(), undefined)
      assert.strictEqual(new Set(w.forgotten).size, 1_000)
      yield* w.close
    }), 120_000)

  it.effect("18: a defect in a round does not end the schedule", () =>
    Effect.gen(function*() {
      const w = yield* world()
      yield* w.connect(peer("a"), "defect")
      yield* w.pass(5_000)
      assert.strictEqual(w.sync.peers()[0]!.last!.result, "failed")
      w.peers.set(peer("a"), "good")
      yield* w.pass(60_000)
      assert.strictEqual(w.sync.peers()[0]!.last!.result, "equal")
      yield* w.close
    }), 60_000)

  it.effect("ends with its scope, in the middle of a round", () =>
    Effect.gen(function*() {
      const w = yield* world()
      yield* w.connect(peer("a"), "silent")
      yield* w.pass(1_000)
      yield* w.close
      const before = w.opened.length
      yield* w.pass(120_000)
      assert.lengthOf(w.opened, before)
    }), 60_000)
})
