/**
 * What a simulated network of many whole nodes really carries: one cluster, five chapters (writes everywhere, quiet, a burst
 * at one node, a node that was away, a node that is new), each counted from its own start.
 *
 * Time is virtual, and the network is that of `src/testing/network/mesh.ts`: the figures are counts, bytes and virtual
 * ms, the same on every machine. Only `cpuMs` is of this machine.
 */
import { Effect } from "effect"
import { Hashing } from "../../src/domain/hashing.ts"
import * as Wire from "../../src/domain/wire.ts"
import { Cluster, gossipsubMesh, Random, type SimulatedNode, Users } from "../../src/testing/index.ts"
import { median, percentiles } from "../report/measure.ts"

/** Records a chapter, and how fast they come, over all nodes of it. */
const spread = { records: 60, perSecond: 20 }
const burst = { records: 300, perSecond: 1_000 }
/** In larger clusters there is no burst: what goes together in one message is decided at its node, and no other has part in it. */
const burstNodesMax = 20
export const gapRecords = 30
const userCount = 10
/** Until connections stand, meshes are made, and first rounds of sync are over. */
const settleMs = 6_000
/** Until messages and notices of a chapter are over. */
const tailMs = 6_000
/** Until what was written is below the horizon of all trees. */
const horizonMs = 16_000
const quietMs = 8_000
const repairedMsMax = 120_000
/** Bytes of text in a message: as in the other benches. */
export const contentBytes = 300

export interface Town {
  readonly nodes: number
  readonly cpuMs: number
  /** Means over nodes: connections, and peers in the mesh. */
  readonly connections: number
  readonly degree: number
  /** Wire bytes of a record, mean. */
  readonly recordBytes: number
  readonly spread: {
    readonly records: number
    readonly messages: number
    /** Copies of a message, and bytes of payloads and of notices, that a node gets for a record: means over nodes. */
    readonly copies: number
    readonly payloadBytes: number
    readonly noticeBytes: number
    /** Nodes that committed a record, least over records. */
    readonly reachedMin: number
    /** From acceptance until half of the nodes, and until all had committed it: medians over records. */
    readonly halfMs: number
    readonly allMs: number
    readonly allMsP99: number
  }
  readonly quiet: {
    /** Rounds that a node takes part in, a second; bytes of one, both ways; bytes a second that a node sends. */
    readonly rounds: number
    readonly roundBytes: number
    readonly bytesPerSecond: number
    /** CPU of both sides of a round, and of the simulator under them. */
    readonly cpuMicros: number
  }
  /** `perSecond`: as they really came, by chance. */
  readonly burst?: { readonly messages: number; readonly recordsAMessage: number; readonly perSecond: number }
  readonly gap: { readonly records: number; readonly bytes: number; readonly ms: number }
  readonly fresh: { readonly records: number; readonly bytes: number; readonly ms: number }
}

interface Seen {
  readonly startMs: number
  readonly atMs: Array<number>
  bytes: number
}

/** Who has which record since when. */
class Ledger {
  readonly seen = new Map<string, Seen>()
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    cluster.observers.push({
      committed: (_, records) => {
        for (const record of records) {
          const seen = this.seen.get(record.id)
          if (seen === undefined) continue
          seen.atMs.push(cluster.time.now)
          if (seen.bytes === 0) seen.bytes = Wire.encode(record).length
        }
      }
    })
  }

  expect(id: string): void {
    this.seen.set(id, { startMs: this.#cluster.time.now, atMs: [], bytes: 0 })
  }
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, each) => sum + each, 0) / values.length

export const measure = (nodes: number, seed = "town"): Effect.Effect<Town, never, never> =>
  Effect.gen(function*() {
    const cpu = process.cpuUsage()
    // commits take no time here, so that what is timed is the network
    const disk = { commitMsMax: 0, failRate: 0, full: false, readMsMax: 0, readFailRate: 0 }
    const cluster = yield* Cluster.make({ seed, nodes, mesh: gossipsubMesh, disk })
    const { network, time } = cluster
    const { traffic } = network
    const hashes = yield* Effect.provideContext(Hashing, cluster.shared)
    const random = new Random(`${seed}/writes`)
    const users = Array.from({ length: userCount }, (_, n) => Users.makeUser(hashes, `town ${n}`))
    const ledger = new Ledger(cluster)
    let written = 0

    const write = (node: SimulatedNode): void => {
      const n = written++
      const [sender, peer] = [users[n % userCount]!, users[(n * 7 + 1) % userCount]!]
      const place = Users.directPlace(hashes, sender, peer)
      const draft: Users.Draft = {
        kind: "message",
        place,
        fields: {
          chatId: place.chatId,
          sender: sender.address,
          ts: node.clock.wallMs,
          msgType: 0,
          content: `${String(n).padStart(8, "0")} `.padEnd(contentBytes, "a message of some length ")
        }
      }
      ledger.expect(Users.idOf(hashes, draft))
      node.fork(Users.write(sender, draft))
    }

    /** Writes at random times, so many a second, at nodes that `at` names. */
    const writeAll = (count: number, perSecond: number, at: () => SimulatedNode): void => {
      for (let i = 0; i < count; i++) {
        write(at())
        time.advance(-Math.log(1 - random.unit()) * 1_000 / perSecond)
      }
    }
    const anyUp = (): SimulatedNode => random.pick(cluster.up)
    const lacks = (node: SimulatedNode): boolean => node.disk.records().length < written

    time.advance(settleMs)

    const degrees = cluster.up.map(({ id }) => network.degreesOf(id))

    // writes everywhere
    traffic.reset()
    writeAll(spread.records, spread.perSecond, anyUp)
    time.advance(tailMs)
    const [sent, told, published] = [traffic.of("message"), traffic.of("notice"), traffic.ofPublished.count]
    const all = [...ledger.seen.values()]
    const after = (share: number): ReadonlyArray<number> =>
      all.map(({ atMs, startMs }) => atMs[Math.ceil(share * nodes) - 1]! - startMs)
    const spreadMeasured = {
      records: spread.records,
      messages: published,
      copies: sent.count / published / nodes,
      payloadBytes: sent.bytes / spread.records / nodes,
      noticeBytes: told.bytes / spread.records / nodes,
      reachedMin: Math.min(...all.map(({ atMs }) => atMs.length)),
      halfMs: median(after(0.5)),
      allMs: median(after(1)),
      allMsP99: percentiles(after(1), [99])[0]!
    }
    const recordBytes = mean(all.map(({ bytes }) => bytes))

    // quiet: first until the trees stand for all that was written
    time.advance(horizonMs - tailMs)
    traffic.reset()
    const restCpu = process.cpuUsage()
    time.advance(quietMs)
    const { system: restSystem, user: restUser } = process.cpuUsage(restCpu)
    const [rounds, frames] = [traffic.of("stream"), traffic.of("frame")]
    const quiet = {
      rounds: rounds.count * 2 / nodes / (quietMs / 1_000),
      roundBytes: frames.bytes / rounds.count,
      bytesPerSecond: frames.bytes / nodes / (quietMs / 1_000),
      cpuMicros: (restSystem + restUser) / rounds.count
    }

    // a burst at one node
    const burstAt = (node: SimulatedNode) => {
      traffic.reset()
      const from = time.now
      writeAll(burst.records, burst.perSecond, () => node)
      const perSecond = burst.records / (time.now - from) * 1_000
      time.advance(tailMs)
      const messages = traffic.ofPublished.count
      return { messages, recordsAMessage: burst.records / messages, perSecond }
    }
    const bursts = nodes > burstNodesMax ? undefined : burstAt(cluster.node(0))

    /** Lets time pass until a node has all; gives how long, and the bytes of sync that it took, both ways. */
    const repaired = (node: SimulatedNode): { readonly bytes: number; readonly ms: number } => {
      traffic.reset()
      const from = time.now
      node.start()
      time.until(() => !lacks(node), repairedMsMax)
      const ms = time.now - from
      const received = cluster.nodes.map(({ id }) => traffic.of("frame", id, node.id).bytes)
      return { bytes: received.reduce((sum, each) => sum + each, traffic.of("frame", node.id).bytes), ms }
    }

    // a node that was away
    const away = cluster.node(nodes - 1)
    away.crash()
    writeAll(gapRecords, spread.perSecond, anyUp)
    time.advance(horizonMs)
    const gap = { records: gapRecords, ...repaired(away) }

    // a node that is new
    const fresh = { records: written, ...repaired(yield* cluster.join()) }

    const { system, user } = process.cpuUsage(cpu)
    return {
      nodes,
      cpuMs: (user + system) / 1_000,
      connections: mean(degrees.map(({ connections }) => connections)),
      degree: mean(degrees.map(({ mesh }) => mesh)),
      recordBytes,
      spread: spreadMeasured,
      quiet,
      ...(bursts === undefined ? {} : { burst: bursts }),
      gap,
      fresh
    }
  }).pipe(Effect.scoped)
