/**
 * Watches a cluster all the time: oracles that are told of every commit and every answer, and look at the nodes between
 * steps. They judge by what the disks took and what users were told, after the words of SPEC, and never act on a node.
 *
 * What an oracle calls wrong, and what it excuses, stands at the head of its module: `watch/sets`, `watch/clock`,
 * `watch/promise`, `watch/authority`. Each is cheap: a record's signatures are looked at once for all nodes.
 */
import * as Context from "effect/Context"
import type { Record } from "../../domain/record.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Writer } from "../../services/Writer.ts"
import type { Cluster, SimulatedNode } from "../cluster.ts"
import type { Disk } from "../disk.ts"
import { cutoffAt } from "../model/ageing.ts"
import type { Observer } from "../observer.ts"
import { authorityOracle } from "./authority.ts"
import { clockOracle, forwardOracle } from "./clock.ts"
import { Ledger } from "./ledger.ts"
import { promiseOracle } from "./promise.ts"
import { Examiner } from "./records.ts"
import {
  askServices,
  Attempts,
  type Oracle,
  type OracleName,
  oracleNames,
  type Scene,
  Walls,
  type Watched
} from "./scene.ts"
import { acceptanceOracle, agedOracle, boundsOracle, lostOracle, signatureOracle } from "./sets.ts"

/** Findings of one oracle that are told; the first ones say most. */
const toldMax = 20
/** A writer takes at most so many records at a time. */
const batchMax = 1_000
/** A good disk commits within this. */
const goodMsMax = 1_000

export interface WatchOptions {
  /** Whether a disk should take what is queued at once. Default: it is not full, does not fail and is not slow. */
  readonly isGood?: ((disk: Disk) => boolean) | undefined
}

export interface Watch {
  readonly oracles: ReadonlyArray<OracleName>
  /**
   * Looks at all nodes. After each step, and before a wall clock is set: at most one change of a clock between two looks.
   * Not from a task of the run.
   */
  readonly sample: () => void
  /** The last look, at a cluster that had time to converge. */
  readonly end: () => void
  /** Findings that were not told, because their oracle had told enough. */
  readonly silenced: ReadonlyMap<OracleName, number>
}

/** Commits are tried again: some may fail. */
const failRateMax = 0.1
const isGoodDisk = ({ conditions }: Disk): boolean =>
  conditions.failRate <= failRateMax && !conditions.full && conditions.commitMsMax <= goodMsMax

/** Begins to watch. Nodes that are up must be idle. */
export const watch = (cluster: Cluster, { isGood = isGoodDisk }: WatchOptions = {}): Watch => {
  const nodes = new Map<SimulatedNode, Watched>()
  const attempts = new Attempts()
  const told = new Map<OracleName, number>()
  const silenced = new Map<OracleName, number>()
  let samples = 0

  const scene: Scene = {
    cluster,
    attempts,
    nodes,
    isGood,
    examiner: new Examiner(cluster.shared),
    find: (oracle, text, watched) => {
      const count = (told.get(oracle) ?? 0) + 1
      told.set(oracle, count)
      if (count <= toldMax) cluster.find(oracle, text, watched?.node)
      else silenced.set(oracle, count - toldMax)
    }
  }
  const oracles: ReadonlyArray<Oracle> = [
    signatureOracle,
    acceptanceOracle,
    agedOracle,
    authorityOracle,
    clockOracle,
    promiseOracle,
    lostOracle,
    boundsOracle,
    forwardOracle
  ].map((make) => make(scene))

  const watchedOf = (node: SimulatedNode): Watched => {
    const known = nodes.get(node)
    if (known !== undefined) return known
    const watched: Watched = {
      node,
      ledger: new Ledger(),
      walls: new Walls(node),
      services: undefined,
      committed: 0,
      lastBatch: 0
    }
    nodes.set(node, watched)
    return watched
  }

  const attach = (watched: Watched): void => {
    const { node } = watched
    const { lives } = node
    askServices(node, (services) => {
      if (node.lives !== lives || !node.isUp) return
      watched.services = services
      watched.walls.look()
      for (const oracle of oracles) oracle.up?.(watched, services)
    })
  }

  /** Whether nothing waits in the writer beside the batch that it is at. */
  const queuedBeside = ({ services }: Watched, batch: number): number =>
    services === undefined ? Infinity : Context.get(services, Writer).stats().queued - batch

  const committed: Observer["committed"] = (node, records, outcomes) => {
    const watched = watchedOf(node)
    watched.walls.look()
    const agedMs = cutoffAt(watched.walls.highestMs)
    const problems: Array<string> = []
    records.forEach((record: Record, i) => {
      const outcome = outcomes[i]!
      for (const oracle of oracles) oracle.committing?.(watched, record, outcome)
      const problem = watched.ledger.put(record, outcome, agedMs)
      if (problem !== undefined) problems.push(problem)
      attempts.meet(record.id, record.hlc, true)
    })
    for (const problem of problems) scene.find("lost", problem, watched)
    watched.committed += records.length
    watched.lastBatch = records.length
    for (const oracle of oracles) oracle.committed?.(watched, records)
    watched.walls.turn(
      queuedBeside(watched, records.length) <= 0 ? "nothing" : records.length < batchMax ? "batch" : "more"
    )
  }

  cluster.observers.push({
    committed,
    collected: (node, aged) => {
      const watched = watchedOf(node)
      watched.walls.look()
      watched.ledger.collect(aged)
      for (const oracle of oracles) oracle.collected?.(watched, aged)
    },
    up: (node) => attach(watchedOf(node)),
    down: (node, clean) => {
      const watched = watchedOf(node)
      watched.walls.look()
      for (const oracle of oracles) oracle.down?.(watched, clean)
      watched.services = undefined
      watched.committed = 0
      watched.lastBatch = 0
      watched.walls.turn("nothing")
    },
    diskChanged: (node) => {
      const watched = watchedOf(node)
      watched.ledger.reset(node.disk.records())
      for (const oracle of oracles) oracle.diskChanged?.(watched)
    },
    attempted: (attempt) => {
      const watched = watchedOf(attempt.node)
      watched.walls.look()
      const last = watched.services && Context.get(watched.services, HybridClock).last()
      attempts.add(attempt, last, watched.ledger.highest)
      const tried = attempts.find(attempt)
      if (tried !== undefined) { for (const oracle of oracles) oracle.attempted?.(watched, tried) }
    },
    answered: (answer) => {
      const tried = attempts.find(answer.attempt)
      if (tried === undefined) return
      const watched = watchedOf(answer.attempt.node)
      watched.walls.look()
      tried.answer = answer
      for (const oracle of oracles) oracle.answered?.(watched, answer, tried)
      if (answer._tag === "Accepted") attempts.meet(answer.attempt.id, answer.hlc, false)
    }
  })

  const sample = (): void => {
    samples++
    for (const node of cluster.nodes) {
      const watched = watchedOf(node)
      const { services, walls } = watched
      walls.look()
      if (services === undefined || !node.isUp) continue
      for (const oracle of oracles) oracle.sample?.(watched, services, samples)
      if (queuedBeside(watched, 0) === 0) walls.turn("nothing")
    }
  }

  for (const node of cluster.nodes) {
    const watched = watchedOf(node)
    watched.ledger.reset(node.disk.records())
    if (node.isUp) attach(watched)
  }
  // nobody is in the middle of anything: the services answer at once
  cluster.time.settle()
  for (const watched of nodes.values()) {
    if (watched.services !== undefined) watched.committed = Context.get(watched.services, Writer).stats().committed
  }

  return {
    oracles: oracleNames,
    sample,
    end: () => {
      sample()
      for (const oracle of oracles) oracle.end?.()
    },
    silenced
  }
}
