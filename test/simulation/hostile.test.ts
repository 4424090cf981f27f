/**
 * Peers that lie, forge, flood and stall, against three honest nodes: whatever they do, the honest ones agree while it goes
 * on and after, hold only what is signed, keep what they promised, and stay within their bounds.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { Hashing } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import { driftMsMax } from "../../src/domain/limits.ts"
import { outboxRecordsMax } from "../../src/layers/node/gossip.ts"
import { Gossip } from "../../src/services/Gossip.ts"
import { Intake } from "../../src/services/Intake.ts"
import { Sync } from "../../src/services/Sync.ts"
import { Cluster } from "../../src/testing/cluster.ts"
import { type AttackKind, attackKinds, weightOf } from "../../src/testing/hostile/attacks.ts"
import { HostilePeer } from "../../src/testing/hostile/peer.ts"
import { recordProblems, signatureProblems, treeProblems } from "../../src/testing/oracle/oracle.ts"
import { viewProblems } from "../../src/testing/oracle/views.ts"
import { Random } from "../../src/testing/random.ts"
import { makeUser } from "../../src/testing/users.ts"
import { watch } from "../../src/testing/watch/watch.ts"
import { Workload } from "../../src/testing/workload.ts"

const timeoutMs = 300_000
/** Virtual time in which honest nodes agree while it goes on: two rests between rounds, and a horizon that moves. */
const agreeMsMax = 120_000
/** One peer's share of what waits. */
const waitingMax = 4_096

const world = Effect.fn(function*(name: string, { nodes = 3, peers = 1 } = {}) {
  const cluster = yield* Cluster.make({ seed: name, nodes })
  const hashes = Context.get(cluster.shared, Hashing)
  const users = ["h0", "h1"].map((each) => makeUser(hashes, each))
  const hostile: Array<HostilePeer> = []
  for (let i = 0; i < peers; i++) hostile.push(yield* HostilePeer.make(cluster, { seed: `${name} ${i}`, users }))
  const watching = watch(cluster)
  const workload = new Workload(cluster, { users: 4, seed: name, strangers: users })
  for (const each of hostile) each.start()
  cluster.time.advance(2_000)
  for (let i = 0; i < 25; i++) {
    workload.act(i)
    cluster.time.advance(200)
  }
  let acts = 1_000
  const act = () => workload.act(acts++)
  return { cluster, hostile, peer: hostile[0]!, workload, watching, act, everybody: [...workload.users, ...users] }
})
type World = Effect.Success<ReturnType<typeof world>>

/** Virtual ms until the nodes hold equal records. */
const agree = (cluster: Cluster): number | undefined => {
  for (let ms = 0; ms <= agreeMsMax; ms += 1_000) {
    if (recordProblems(cluster.up).length === 0) return ms
    cluster.time.advance(1_000)
  }
  return undefined
}

const shunnings = (cluster: Cluster) => cluster.trace.entries.filter(({ text }) => text.startsWith("shunned"))

/** All that must hold once it is over. */
const judge = Effect.fn(function*({ cluster, everybody, hostile, watching, workload }: World) {
  assert.isDefined(agree(cluster), `no agreement while it goes on: ${recordProblems(cluster.up).join("\n")}`)
  for (const node of cluster.up) {
    const [waiting, queued] = yield* node.run(
      Effect.all([
        Effect.map(Intake, (each) => each.stats().waiting),
        Effect.map(Gossip, (each) => each.stats().queued)
      ])
    )
    assert.isAtMost(waiting, waitingMax * hostile.length)
    assert.isAtMost(queued, outboxRecordsMax)
  }
  for (const each of hostile) each.stop()
  assert.isDefined(agree(cluster), "no agreement after it")
  // until trees stand for everything
  const newest = Math.max(...cluster.nodes.flatMap(({ disk }) => disk.records().map(({ hlc }) => Hlc.physicalMs(hlc))))
  const leftMs = Math.max(0, newest - cluster.time.now)
  assert.isAtMost(leftMs, driftMsMax, "a stamp from the future was taken")
  cluster.time.advance(leftMs + 30_000)
  watching.sample()
  watching.end()
  assert.deepStrictEqual(recordProblems(cluster.up), [])
  assert.deepStrictEqual(signatureProblems(cluster, cluster.node(0).disk.records()), [])
  assert.deepStrictEqual([...yield* treeProblems(cluster)], [])
  assert.deepStrictEqual([...yield* viewProblems(cluster, everybody)], [])
  assert.deepStrictEqual(cluster.findings, [])
  assert.isAbove(workload.accepted.length, 8)
})

/** Attacks again and again while users go on. */
const attacked = Effect.fn(function*(kind: AttackKind, times = 3) {
  const run = yield* world(`attack ${kind}`)
  const { act, cluster, peer, watching, workload } = run
  const random = new Random(`attacks ${kind}`)
  assert.isAbove(peer.lore.records.length, 5, "it has heard what there is")
  const before = workload.accepted.length
  for (let i = 0; i < times; i++) {
    assert.isTrue(peer.attack(kind, random))
    cluster.time.advance(1_500)
    act()
    cluster.time.advance(3_500)
    watching.sample()
  }
  for (let i = 0; i < 6; i++) act()
  cluster.time.advance(5_000)
  assert.isAbove(workload.accepted.length, before, "users are served")
  yield* judge(run)
})

describe("honest nodes agree, and hold only what is signed, under", () => {
  for (const kind of attackKinds) it.effect(kind, () => attacked(kind), timeoutMs)

  it.effect("everything, in any order, by two peers who come back under other names", () =>
    Effect.gen(function*() {
      const run = yield* world("everything", { peers: 2 })
      const { act, cluster, hostile, watching } = run
      const random = new Random("everything")
      for (let i = 0; i < 24; i++) {
        random.pick(hostile).attack(random.weighted(attackKinds.map((each) => [weightOf(each), each] as const)), random)
        if (i % 9 === 8) {
          const peer = hostile[i % 2]!
          peer.stop()
          peer.start()
        }
        act()
        cluster.time.advance(2_500)
        watching.sample()
      }
      yield* judge(run)
    }), timeoutMs)
})

describe("a hostile peer", () => {
  it.effect("24: is shunned for lies of the protocol, by each node that it tells them", () =>
    Effect.gen(function*() {
      const lies: ReadonlyArray<AttackKind> = [
        "answer-forged-records",
        "sync-junk-frame",
        "answer-page-lies",
        "answer-endless-lists"
      ]
      for (const kind of lies) {
        const { cluster, peer, watching } = yield* world(`shunned ${kind}`)
        const random = new Random(kind)
        assert.strictEqual(peer.peers.length, 3)
        for (let i = 0; i < 20 && peer.peers.length > 0; i++) {
          peer.attack(kind, random)
          cluster.time.advance(5_000)
          watching.sample()
        }
        assert.deepStrictEqual(peer.peers, [], kind)
        assert.strictEqual(new Set(shunnings(cluster).map(({ node }) => node)).size, 3, kind)
        assert.deepStrictEqual(cluster.findings, [])
      }
    }), timeoutMs)

  it.effect("does the same with the same seed", () =>
    Effect.gen(function*() {
      const history = Effect.fn(function*(seed: string) {
        const { act, cluster, peer } = yield* world("same")
        const random = new Random(seed)
        for (let i = 0; i < 8; i++) {
          peer.attack(random.pick(attackKinds.filter((kind) => weightOf(kind) > 1)), random)
          act()
          cluster.time.advance(2_000)
        }
        return cluster.trace.hash
      })
      const [first, again, other] = [yield* history("a"), yield* history("a"), yield* history("b")]
      assert.strictEqual(again, first)
      assert.notStrictEqual(other, first)
    }), timeoutMs)

  it.effect("is found out by the oracles when signatures are not looked at", () =>
    Effect.gen(function*() {
      const { cluster, peer } = yield* world("blind")
      const node = cluster.node(0)
      const forged = { ...peer.lore.records.find(({ kind }) => kind === "message")!, ts: cluster.time.now }
      assert.match(signatureProblems(cluster, [...node.disk.records(), forged]).join(), /message/)
    }), timeoutMs)
})

describe("18, 24: peers who answer as slowly as they may", () => {
  it.effect(
    "do not keep honest nodes from comparing, though there are more of them than rounds at once",
    () =>
      Effect.gen(function*() {
        const { act, cluster, hostile } = yield* world("slow", { nodes: 2, peers: 6 })
        const honest = new Set(cluster.nodes.map(({ id }) => id))
        // sync is all they have
        cluster.network.withhold = (from, to) => honest.has(from) && honest.has(to)
        const random = new Random("slow")
        let longest = 0
        let sinceMs: number | undefined
        for (let second = 0; second < 300; second++) {
          if (second % 30 === 0) { for (const peer of hostile) peer.attack("answer-slowly", random) }
          if (second % 20 === 0) act()
          cluster.time.advance(1_000)
          const equal = recordProblems(cluster.up).length === 0
          sinceMs = equal ? undefined : sinceMs ?? cluster.time.now
          if (sinceMs !== undefined) longest = Math.max(longest, cluster.time.now - sinceMs)
        }
        assert.isAtMost(longest, agreeMsMax)
      }),
    timeoutMs
  )

  it.effect("are dropped for it, though no single answer was late", () =>
    Effect.gen(function*() {
      const { cluster, peer } = yield* world("dropped", { nodes: 1 })
      const random = new Random("dropped")
      for (let second = 0; second < 1_800 && shunnings(cluster).length === 0; second += 30) {
        peer.attack("answer-slowly", random)
        cluster.time.advance(30_000)
      }
      assert.isAbove(shunnings(cluster).length, 0)
    }), timeoutMs)
})

describe("24: a peer whose hashes always differ while nothing does", () => {
  it.effect("is compared with ever more seldom", () =>
    Effect.gen(function*() {
      const { cluster, peer } = yield* world("idle", { nodes: 1 })
      const random = new Random("idle")
      const rounds = Effect.fn(function*() {
        const seen = new Set<number>()
        for (let second = 0; second < 120; second++) {
          if (second % 30 === 0) peer.attack("answer-wrong-roots", random)
          cluster.time.advance(1_000)
          const found = yield* cluster.node(0).run(Effect.map(Sync, (sync) => sync.peers()))
          for (const { last } of found)
            if (last?.result === "repaired" && last.pulled + last.pushed === 0)
              seen.add(last.atMs)
        }
        return seen.size
      })
      const first = yield* rounds()
      const second = yield* rounds()
      assert.isAbove(first, 3)
      assert.isAtMost(second, 5)
      assert.deepStrictEqual(cluster.findings, [])
    }), timeoutMs)
})
