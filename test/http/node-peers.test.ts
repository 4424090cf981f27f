/**
 * `GET /node/peers` and `/readyz` over services that the test speaks for: what they say is told as it is, and only what
 * stops a node from doing its job makes it unready.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, PubSub } from "effect"
import { HttpApiTest } from "effect/http-api"
import { TestClock } from "effect/testing"
import { Authentication, NodeApi } from "../../src/api/index.ts"
import { unsigned } from "../../src/client/Connection.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { NodeId } from "../../src/domain/ids.ts"
import { defaultIngestLimits } from "../../src/domain/limits.ts"
import { MerkleTree } from "../../src/domain/merkle.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import * as Hashing from "../../src/layers/crypto/hashing.ts"
import * as Node from "../../src/layers/http/node.ts"
import * as RequestErrors from "../../src/layers/http/request-errors.ts"
import * as HybridClock from "../../src/layers/node/hybrid-clock.ts"
import { layerMemory } from "../../src/layers/store/memory.ts"
import { Gossip } from "../../src/services/Gossip.ts"
import { Intake } from "../../src/services/Intake.ts"
import { Network, type Peer, type PeerChange } from "../../src/services/Network.ts"
import { type ClockCheck, PeerClocks } from "../../src/services/PeerClocks.ts"
import { type CatchUp, type PeerSync, Sync } from "../../src/services/Sync.ts"
import { Trees } from "../../src/services/Trees.ts"
import { type Committed, Writer } from "../../src/services/Writer.ts"
import { layerKey } from "../../src/testing/node.ts"

interface World {
  readonly seeksPeers?: boolean
  readonly peers?: ReadonlyArray<Peer>
  readonly sync?: ReadonlyArray<PeerSync>
  readonly catchUp?: CatchUp
  readonly clock?: ClockCheck
  readonly built?: number
  readonly failing?: string
  /** Records in every tree. */
  readonly records?: number
}

const nowMs = 1_800_000_000_000
const horizonMs = nowMs - 10_000
const [north, south] = ["12D3KooWNorth", "12D3KooWSouth"] as ReadonlyArray<string> as readonly [NodeId, NodeId]

const peer = (id: NodeId): Peer => ({
  id,
  address: `/ip4/192.0.2.1/tcp/4281/p2p/${id}`,
  direction: "outbound",
  sinceMs: nowMs - 60_000,
  gossips: true
})

/** A client of a node in this world, and how often the node looked at its peers. */
const nodeIn = Effect.fnUntraced(function*(world: World) {
  yield* TestClock.setTime(nowMs)
  let looks = 0
  const changes = yield* PubSub.unbounded<PeerChange>()
  const commits = yield* PubSub.unbounded<ReadonlyArray<Committed>>()
  const built = world.built ?? 1
  const services = Layer.mergeAll(
    Layer.succeed(Network, {
      addresses: () => [`/ip4/127.0.0.1/tcp/4281/p2p/${north}`],
      peers: () => {
        looks++
        return world.peers ?? []
      },
      changes,
      open: () => Effect.die("unused"),
      serve: () => Effect.void,
      publish: () => Effect.succeed({ recipients: 0 }),
      judge: () => Effect.void,
      shun: () => Effect.void
    }),
    Layer.succeed(Sync, { suspect: () => undefined, peers: () => world.sync ?? [], catchUp: () => world.catchUp }),
    Layer.succeed(PeerClocks, {
      observe: () => undefined,
      forget: () => undefined,
      check: () => world.clock ?? { medianMs: 0, peers: 0, off: false }
    }),
    Layer.succeed(Intake, {
      take: () => Effect.succeed([]),
      forget: () => undefined,
      stats: () => ({ waiting: 3, waitingBytes: 900 })
    }),
    Layer.succeed(Gossip, { announce: () => undefined, stats: () => ({ queued: 2 }) }),
    Layer.succeed(Trees, {
      apply: () => undefined,
      horizonMs: () => built < 1 ? undefined : horizonMs,
      at: () => ({
        horizonMs,
        span: { floor: Hlc.zero, ceiling: Hlc.make(horizonMs, 0) },
        refresh: () => true,
        root: (domain: string) => new Uint8Array(32).fill(domain.length),
        count: () => 0,
        tree: () => new MerkleTree(noble)
      }),
      count: () => world.records ?? 7,
      built: () => built,
      rebuild: () => undefined
    } as never),
    Layer.succeed(Writer, {
      commits,
      stats: () => ({ queued: 0, queuedBytes: 0, committed: 0, failing: world.failing })
    } as never)
  )
  const client = yield* HttpApiTest.groups(NodeApi, ["node"]).pipe(
    Effect.provide(
      Node.layer({ network: "", limits: defaultIngestLimits, seeksPeers: world.seeksPeers }).pipe(
        Layer.provideMerge(RequestErrors.layer),
        Layer.provide(services),
        Layer.provide(HybridClock.layer),
        Layer.provide(layerMemory),
        Layer.provide(Hashing.layerNoble),
        Layer.provide(layerKey(1)),
        // of the other groups, which nobody calls here
        Layer.provideMerge(Layer.succeed(Authentication, (() => Effect.die("unused")) as never)),
        Layer.provideMerge(unsigned),
        Layer.provideMerge(NodeHttpServer.layerHttpServices)
      )
    )
  )
  return { client, looks: () => looks }
})

describe("GET /node/peers", () => {
  it.effect("tells what the services know, peers by id", () =>
    Effect.gen(function*() {
      const { client } = yield* nodeIn({
        peers: [peer(south), peer(north)],
        sync: [{
          peer: south,
          last: {
            atMs: nowMs - 3_000,
            tookMs: 12,
            horizonMs,
            result: "repaired",
            pulled: 4,
            pushed: 5,
            bytes: 678
          },
          equal: { horizonMs: horizonMs - 5_000, atMs: nowMs - 8_000 },
          clockOffsetMs: -20
        }],
        catchUp: { peer: south, domain: "messages", fetched: 10, missing: 40, rate: 2.5 },
        clock: { medianMs: -20, peers: 1, off: false }
      })
      const hex = (length: number) => `0x${length.toString(16).padStart(2, "0").repeat(32)}`
      const common = { direction: "outbound", since: nowMs - 60_000, gossips: true } as const
      assert.deepStrictEqual(yield* client.peers({}), {
        horizon: horizonMs,
        roots: { identity: hex(8), members: hex(7), messages: hex(8) },
        records: { identity: 7, members: 7, messages: 7 },
        catch_up: { peer_id: south, domain: "messages", fetched: 10, missing: 40, rate: 2.5 },
        clock: { median_ms: -20, peers: 1, off: false },
        waiting: { records: 3, bytes: 900 },
        gossip_queued: 2,
        peers: [
          { peer_id: north, address: peer(north).address, ...common },
          {
            peer_id: south,
            address: peer(south).address,
            ...common,
            clock_offset_ms: -20,
            last_round: {
              at: nowMs - 3_000,
              took_ms: 12,
              horizon: horizonMs,
              result: "repaired",
              pulled: 4,
              pushed: 5,
              bytes: 678
            },
            last_equal: { horizon: horizonMs - 5_000, at: nowMs - 8_000 }
          }
        ]
      })
      assert.deepStrictEqual((yield* client.node({ query: {} })).addresses, [`/ip4/127.0.0.1/tcp/4281/p2p/${north}`])
    }))

  it.effect("has no roots while the trees are built", () =>
    Effect.gen(function*() {
      const { client } = yield* nodeIn({ built: 0.5 })
      const answer = yield* client.peers({})
      assert.isFalse("roots" in answer || "horizon" in answer)
    }))

  it.effect("looks once a second, however often it is asked", () =>
    Effect.gen(function*() {
      const { client, looks } = yield* nodeIn({})
      for (let i = 0; i < 20; i++) yield* client.peers({})
      assert.strictEqual(looks(), 1)
      yield* TestClock.adjust(1_001)
      yield* client.peers({})
      assert.strictEqual(looks(), 2)
    }))
})

describe("/readyz", () => {
  const readiness = (world: World) =>
    Effect.flatMap(nodeIn(world), ({ client }) => client.readyz({ responseMode: "decoded-and-response" }))

  const check = (name: string, world: World, problems: ReadonlyArray<RegExp>, warnings: ReadonlyArray<RegExp>) =>
    it.effect(name, () =>
      Effect.gen(function*() {
        const [body, response] = yield* readiness(world)
        assert.strictEqual(response.status, problems.length === 0 ? 200 : 503)
        assert.strictEqual(body.ready, problems.length === 0)
        assert.strictEqual(body.problems.length, problems.length, body.problems.join())
        problems.forEach((each, i) => assert.match(body.problems[i]!, each))
        assert.strictEqual(body.warnings.length, warnings.length, body.warnings.join())
        warnings.forEach((each, i) => assert.match(body.warnings[i]!, each))
        if (world.catchUp !== undefined) assert.strictEqual(body.catch_up?.missing, world.catchUp.missing)
      }))

  const catchUp = (fetched: number, missing: number): CatchUp => ({
    peer: south,
    domain: "messages",
    fetched,
    missing,
    rate: 100
  })
  const offset = (clockOffsetMs: number): World => ({ peers: [peer(south)], sync: [{ peer: south, clockOffsetMs }] })
  const failed = { atMs: nowMs, tookMs: 1, result: "failed", why: "junk", pulled: 0, pushed: 0, bytes: 0 } as const

  check("is ready alone, when it is meant to be", {}, [], [])
  check("commits that fail", { failing: "the disk is full" }, [/writing fails: the disk is full/], [])
  check("trees being built", { built: 0.337 }, [/trees are being built: 33 %/], [])
  check(
    "a clock that three peers contradict, with the numbers",
    { clock: { medianMs: 75_000, peers: 3, off: true } },
    [/the clock is 75\.0 s behind the median of 3 peers \(60 s are allowed\)/],
    []
  )
  check("the same the other way", { clock: { medianMs: -75_000, peers: 4, off: true } }, [/75\.0 s ahead of/], [])
  check(
    "a clock that two peers contradict is a warning",
    { clock: { medianMs: 61_000, peers: 2, off: false } },
    [],
    [/61\.0 s behind the median of 2 peers, too few/]
  )
  check("a peer whose clock is at the bound is none (FAILURES 7)", offset(60_000), [], [])
  check("a peer whose clock is past the bound is a warning (FAILURES 7)", offset(-60_001), [], [
    new RegExp(`60\\.0 s ahead of that of peer ${south}`)
  ])
  check("a failed round is a warning", { peers: [peer(south)], sync: [{ peer: south, last: failed }] }, [], [
    new RegExp(`last round with peer ${south} failed: junk`)
  ])
  check(
    "a catch-up that lacks much: how far it is (FAILURES 2)",
    { catchUp: catchUp(500, 2_000), records: 10_000 },
    [/catching up with the others \(messages\): 500 of 2000 records, 25 %/],
    []
  )
  check("that lacks 1 000 records is ready", { catchUp: catchUp(1_000, 2_000), records: 0 }, [], [])
  check("that lacks 1 001 records of 2 000 is not", { catchUp: catchUp(999, 2_000), records: 999 }, [/49 %/], [])
  check("that lacks 5 % is ready", { catchUp: catchUp(0, 5_000), records: 95_000 }, [], [])
  check("that lacks a little more than 5 % is not", { catchUp: catchUp(0, 5_001), records: 94_999 }, [/ 0 %/], [])

  it.effect("warns that nobody is there only after a while, and only who looks for peers", () =>
    Effect.gen(function*() {
      const [seeking, alone] = [yield* nodeIn({ seeksPeers: true }), yield* nodeIn({})]
      assert.deepStrictEqual((yield* seeking.client.readyz({})).warnings, [])
      yield* TestClock.adjust(31_000)
      assert.match((yield* seeking.client.readyz({})).warnings[0]!, /no peer is connected/)
      assert.deepStrictEqual((yield* alone.client.readyz({})).warnings, [])
    }))
})

describe("/metrics", () => {
  it.effect("has the time since the peer that was equal longest ago, a new one counted from its coming", () =>
    Effect.gen(function*() {
      const { client } = yield* nodeIn({
        peers: [peer(north), peer(south)],
        sync: [{ peer: south, equal: { horizonMs, atMs: nowMs - 4_000 } }],
        catchUp: { peer: south, domain: "messages", fetched: 10, missing: 40, rate: 2 }
      })
      const text = yield* client.metrics({})
      const expected = {
        p2p_mes_seconds_since_equal: 60,
        p2p_mes_gossip_peers: 2,
        p2p_mes_catch_up_fetched_records: 10,
        p2p_mes_catch_up_missing_records: 40
      }
      for (const [name, value] of Object.entries(expected)) {
        assert.match(text, new RegExp(`^${name} ${value}$`, "m"), name)
      }
    }))
})
