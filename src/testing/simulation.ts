/**
 * One run from one seed: users act, faults strike, then all is healed and every node must agree. The same seed gives the
 * same history, so a run that fails can be looked at again, as often as need be.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { Trees } from "../services/Trees.ts"
import { Cluster, type SimulatedNode } from "./cluster.ts"
import { type Copy, goodDisk } from "./disk.ts"
import { calm } from "./network.ts"
import { judge, newestMs, recordProblems } from "./oracle.ts"
import { type Profile, type ProfileName, profiles } from "./profiles.ts"
import { Random } from "./random.ts"
import type { ClockFault } from "./virtual-time.ts"
import { Workload } from "./workload.ts"

/** Virtual time that healed nodes may take until their records are equal. */
const convergeMsMax = 5 * 60_000
const lookMs = 5_000
/** After that: until the horizon of every node lies above all records. */
const settleMsMax = 5 * 60_000
/** Nodes that may be in a cluster, with those that join. */
const nodesMax = 6
/** Copies of a disk that are kept to be restored. */
const copiesMax = 3
/** An error that a node logs because of a fault that was put in. */
const expected = /cannot write|could not be written/

export interface SimulationOptions {
  readonly seed: number
  readonly profile: ProfileName | Profile
  /** Default 3. */
  readonly nodes?: number | undefined
  /** Default 40. */
  readonly steps?: number | undefined
  /** Default 6. */
  readonly users?: number | undefined
  /** Called with the cluster before the first step: to break something. */
  readonly prepare?: ((cluster: Cluster) => void) | undefined
  /** Called with the cluster once it is healed, before it has time to converge. */
  readonly healed?: ((cluster: Cluster) => void) | undefined
}

export interface Report {
  readonly seed: number
  readonly profile: string
  readonly nodes: number
  readonly steps: number
  /** What is wrong; empty when all is well. */
  readonly problems: ReadonlyArray<string>
  /** The step after which something was first seen to be wrong; `steps` when it was at the end. */
  readonly troubleStep?: number | undefined
  /** Hash of the whole history, 64 hex digits, and how many events it has. */
  readonly history: string
  readonly events: number
  /** Virtual ms that the nodes took to hold equal records once healed. */
  readonly convergedMs?: number | undefined
  readonly records: number
  readonly acknowledged: number
  readonly refused: ReadonlyMap<string, number>
  /** The end of the history. */
  readonly tail: ReadonlyArray<string>
}

class Run {
  readonly cluster: Cluster
  readonly workload: Workload
  readonly crashedLives = new Set<string>()
  readonly #profile: Profile
  readonly #random: Random
  readonly #copies = new Map<SimulatedNode, Array<Copy>>()

  constructor(cluster: Cluster, profile: Profile, users: number) {
    this.cluster = cluster
    this.workload = new Workload(cluster, { users })
    this.#profile = profile
    this.#random = cluster.random.part("faults")
  }

  #crash(node: SimulatedNode): void {
    this.crashedLives.add(`${node.index}/${node.lives}`)
    node.crash(this.#random.chance(0.3))
  }

  #restart(node: SimulatedNode): void {
    const random = this.#random
    const copies = this.#copies.get(node) ?? []
    const { restore, wipe } = this.#profile.faults
    if (random.chance(wipe)) {
      this.cluster.trace.note(`wipe ${node.name}`)
      node.disk.wipe()
    } else if (copies.length > 0 && random.chance(restore)) {
      this.cluster.trace.note(`restore ${node.name}`)
      node.disk.restore(random.pick(copies))
    }
    node.begin()
  }

  #cutSome(): void {
    const shuffled = this.#random.shuffle(this.cluster.nodes.map(({ index }) => index))
    const at = this.#random.between(1, shuffled.length - 1)
    this.cluster.partition(shuffled.slice(0, at), shuffled.slice(at))
  }

  /** Every kind of fault has its chance, in a fixed order. */
  readonly faults = Effect.gen({ self: this as Run }, function*() {
    const { cluster } = this
    const { faults, skewMsMax } = this.#profile
    const random = this.#random
    const { nodes, up } = cluster
    const two = () => random.shuffle(nodes).slice(0, 2) as [SimulatedNode, SimulatedNode]
    if (random.chance(faults.heal)) cluster.heal()
    if (random.chance(faults.partition)) this.#cutSome()
    if (random.chance(faults.oneWay)) {
      const [from, to] = two()
      cluster.trace.note(`cut ${from.name}>${to.name}`)
      cluster.network.cut(from.id, to.id)
    }
    if (random.chance(faults.disconnect)) {
      const [a, b] = two()
      cluster.network.disconnect(a.id, b.id)
    }
    if (up.length > 0 && random.chance(faults.restore)) {
      const node = random.pick(up)
      this.#copies.set(node, [...this.#copies.get(node) ?? [], node.disk.copy()].slice(-copiesMax))
    }
    if (up.length > 1 && random.chance(faults.crash)) this.#crash(random.pick(up))
    if (cluster.up.length > 1 && random.chance(faults.stop)) random.pick(cluster.up).stop()
    const down = nodes.filter(({ isUp }) => !isUp)
    if (down.length > 0 && random.chance(faults.restart)) this.#restart(random.pick(down))
    if (random.chance(faults.jump)) {
      const node = random.pick(nodes)
      cluster.trace.note(`jump ${node.name}`)
      node.clock.set({ skewMs: random.between(-skewMsMax, skewMsMax) })
    }
    if (nodes.length < nodesMax && random.chance(faults.join)) (yield* cluster.join()).begin()
  })

  readonly step = Effect.gen({ self: this as Run }, function*() {
    yield* this.faults
    const acts = this.#random.between(0, this.#profile.actsMax)
    const pauseMs = this.#random.unit() * this.#profile.pauseMsMax
    // some at once, some after another
    for (let i = 0; i < acts; i++) {
      this.workload.act()
      if (this.#random.chance(0.5)) this.cluster.time.advance(pauseMs / (acts + 1))
    }
    this.cluster.time.advance(pauseMs / 2)
    // others of the process have their turn
    yield* Effect.yieldNow
  })

  /** Ends all faults and starts every node. */
  heal(): void {
    const { cluster } = this
    cluster.heal()
    cluster.network.conditions = calm
    for (const node of cluster.nodes) {
      node.disk.conditions = goodDisk
      node.start()
    }
  }

  /** Virtual ms until all records are equal; `undefined` when that takes too long. */
  readonly converge = Effect.gen({ self: this as Run }, function*() {
    const { cluster } = this
    const start = cluster.time.now
    while (cluster.time.now - start < convergeMsMax) {
      cluster.time.advance(lookMs)
      if (recordProblems(cluster.up).length === 0) return cluster.time.now - start
      yield* Effect.yieldNow
    }
    return undefined
  })

  /** Lets time pass until trees stand for all records. */
  readonly settle = Effect.gen({ self: this as Run }, function*() {
    const { time, up } = this.cluster
    const newest = Math.max(...up.map(({ disk }) => newestMs(disk.records())))
    for (let waited = 0; waited < settleMsMax; waited += lookMs) {
      if (Math.min(...yield* Effect.forEach(up, horizonOf)) > newest) return
      time.advance(lookMs)
    }
  })
}

const horizonOf = (node: SimulatedNode) => node.run(Effect.map(Trees, (trees) => trees.horizonMs() ?? 0))

const profileOf = (profile: ProfileName | Profile): Profile => typeof profile === "string" ? profiles[profile] : profile

/** Runs a simulation and judges its end. Fails never: what is wrong is in the report. */
export const simulate = (options: SimulationOptions): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const { nodes = 3, seed, steps = 40, users = 6 } = options
    const profile = profileOf(options.profile)
    const clocks = new Random(`clocks ${profile.name} ${seed}`)
    const clock = (node: number): ClockFault => {
      const random = clocks.part(String(node))
      return {
        skewMs: random.between(-profile.skewMsMax, profile.skewMsMax),
        driftPpm: random.between(-profile.driftPpmMax, profile.driftPpmMax)
      }
    }
    const cluster = yield* Cluster.make({
      seed: `${profile.name} ${seed}`,
      nodes,
      network: profile.network,
      disk: profile.disk,
      clock
    })
    options.prepare?.(cluster)
    const run = new Run(cluster, profile, users)
    const unexpected = () => cluster.complaints.filter((complaint) => !expected.test(complaint))

    let step = 0
    let troubleStep: number | undefined
    let convergedMs: number | undefined
    const live = Effect.gen(function*() {
      for (; step < steps; step++) {
        cluster.trace.note(`step ${step}`)
        yield* run.step
        if (troubleStep === undefined && unexpected().length > 0) troubleStep = step
      }
      run.heal()
      options.healed?.(cluster)
      convergedMs = yield* run.converge
      yield* run.settle
      const judged = yield* judge(cluster, {
        users: run.workload.users,
        acknowledged: run.workload.acknowledged,
        crashedLives: run.crashedLives
      })
      const slow = convergedMs === undefined ? [`records were not equal ${convergeMsMax} ms after all was healed`] : []
      return [...slow, ...judged]
    })
    const exit = yield* Effect.exit(live)
    const found = exit._tag === "Success" ? exit.value : [`the run broke off: ${Cause.pretty(exit.cause)}`]
    const problems = [...unexpected(), ...found]
    if (problems.length > 0) troubleStep ??= step
    for (const { disk } of cluster.nodes) for (const { id } of disk.records()) cluster.trace.note(`ends with ${id}`)
    const report: Report = {
      seed,
      profile: profile.name,
      nodes,
      steps,
      problems,
      troubleStep,
      history: cluster.trace.hash,
      events: cluster.trace.count,
      convergedMs,
      records: cluster.nodes[0]?.disk.records().length ?? 0,
      acknowledged: run.workload.acknowledged.length,
      refused: run.workload.refused,
      tail: cluster.trace.tail()
    }
    return report
  }).pipe(Effect.scoped)

/** What a person needs to look at a run that went wrong. */
export const describe = (report: Report, tailLines = 40): string =>
  [
    `simulate({ seed: ${report.seed}, profile: "${report.profile}", nodes: ${report.nodes}, steps: ${report.steps} })`,
    report.troubleStep === undefined ? "all is well" : `first trouble at step ${report.troubleStep}`,
    ...report.problems,
    ...(report.problems.length === 0 ? [] : ["the end of its history:", ...report.tail.slice(-tailLines)])
  ].join("\n")
