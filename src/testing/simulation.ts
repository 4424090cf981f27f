/**
 * One run from one seed: users act, faults strike, then all is healed and every node must agree, while oracles watch from
 * beginning to end. The same options give the same history, on any machine, so a run that fails can be looked at again.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Hashing } from "../domain/hashing.ts"
import { driftMsMax } from "../domain/limits.ts"
import { Trees } from "../services/Trees.ts"
import { Cluster, type SimulatedNode } from "./cluster.ts"
import { attackKinds, weightOf } from "./hostile/attacks.ts"
import { HostilePeer } from "./hostile/peer.ts"
import { calm } from "./network/network.ts"
import type { Finding } from "./observer.ts"
import { oneRoundProblems } from "./oracle/one-round.ts"
import { agedProblems, collectedByMs, newestMs, recordProblems, treeProblems } from "./oracle/oracle.ts"
import { sampleViews, viewProblems } from "./oracle/views.ts"
import { type Plan, planOf, type Seeds } from "./plan.ts"
import { type FaultKind, type Profile, type ProfileName, profiles } from "./profiles.ts"
import { Random } from "./random.ts"
import { Striker } from "./striker.ts"
import type { Entry } from "./trace.ts"
import { makeUser, type User } from "./users.ts"
import type { ClockFault } from "./virtual-time.ts"
import { watch } from "./watch/watch.ts"
import { Workload } from "./workload.ts"

/** Virtual time that healed nodes may take until their records are equal. */
export const convergeMsMax = 5 * 60_000
const lookMs = 5_000
/** After that: until the horizon of every node lies above all records. */
const settleMsMax = 5 * 60_000
/** What nodes say where clocks may be more than MAX_DRIFT off (SPEC §4). */
const ofClocks = /the clock of this node is off|the wall clock was set back/
/** Events between two looks at clocks, bounds and views. */
const lookEvery = 8
/** Share of the runs with a month in them that wait for collectors. */
const collectShare = 0.5
/** Share of the runs at whose end one round of sync is looked at alone. */
const oneRoundShare = 0.4

export const defaults = { nodes: 3, steps: 46, users: 6 } as const

export interface SimulationOptions {
  readonly seed: number
  readonly profile: ProfileName | Profile
  /** At the start, 1 to 7. Default 3. */
  readonly nodes?: number | undefined
  /** Default 46. */
  readonly steps?: number | undefined
  /** Default 6. */
  readonly users?: number | undefined
  /** Seeds of single parts, instead of `seed`. */
  readonly seeds?: Partial<Seeds> | undefined
  /** Only these events of the plan happen. Absent: all. */
  readonly keep?: ReadonlySet<number> | undefined
  /** Places of nodes that are left out. */
  readonly absent?: ReadonlySet<number> | undefined
  /** Keeps the whole history and how far nodes were apart. */
  readonly history?: boolean | undefined
  /** Called with the cluster before the first event: to break something. */
  readonly prepare?: ((cluster: Cluster) => void) | undefined
  /** Called with the cluster once it is healed, before it has time to converge. */
  readonly healed?: ((cluster: Cluster) => void) | undefined
}

/** How many records each node lacked of those that any had. */
export interface Divergence {
  readonly atMs: number
  /** By place; `undefined` for a node that was down. */
  readonly missing: ReadonlyArray<number | undefined>
}

export interface Report {
  readonly options: SimulationOptions
  readonly profile: string
  readonly plan: Plan
  /** What was seen to be wrong, in the order in which it was seen; empty when all is well. */
  readonly findings: ReadonlyArray<Finding>
  /** Hash of the whole history, 64 hex digits, and how many entries it has. */
  readonly history: string
  readonly entries: number
  /** Virtual ms from start to end, without what was leapt over. */
  readonly virtualMs: number
  /** What was leapt over, ms. */
  readonly leaptMs: number
  readonly acts: number
  readonly faults: ReadonlyMap<FaultKind, number>
  /** Virtual ms that the nodes took to hold equal records once healed. */
  readonly convergedMs?: number | undefined
  readonly records: number
  readonly accepted: number
  readonly refused: ReadonlyMap<string, number>
  /** The end of the history; all of it where `history` was asked for. */
  readonly told: ReadonlyArray<Entry>
  readonly divergence: ReadonlyArray<Divergence>
}

const horizonOf = (node: SimulatedNode) => node.run(Effect.map(Trees, (trees) => trees.horizonMs() ?? 0))

export const profileOf = (profile: ProfileName | Profile): Profile =>
  typeof profile === "string" ? profiles[profile] : profile

export const seedsOf = ({ seed, seeds }: Pick<SimulationOptions, "seed" | "seeds">): Seeds => ({
  network: seeds?.network ?? seed,
  faults: seeds?.faults ?? seed,
  workload: seeds?.workload ?? seed
})

export const planFor = (options: SimulationOptions): Plan =>
  planOf({
    profile: profileOf(options.profile),
    seeds: seedsOf(options),
    nodes: options.nodes ?? defaults.nodes,
    steps: options.steps ?? defaults.steps
  })

/** Virtual ms until all records are equal; `undefined` when that takes too long. `look`: called every now and then. */
const converge = Effect.fnUntraced(function*(cluster: Cluster, look: () => void) {
  const start = cluster.time.now
  while (cluster.time.now - start < convergeMsMax) {
    look()
    cluster.time.advance(lookMs)
    if (recordProblems(cluster.up).length === 0) return cluster.time.now - start
    yield* Effect.yieldNow
  }
  return undefined
})

/** Lets time pass until trees stand for all records, and all can answer for one horizon. */
const settle = Effect.fnUntraced(function*(cluster: Cluster) {
  const { time, up } = cluster
  const newest = Math.max(...up.map(({ disk }) => newestMs(disk.records())))
  for (let waited = 0; waited < settleMsMax; waited += lookMs) {
    const common = Math.min(...yield* Effect.forEach(up, horizonOf))
    const answered = yield* Effect.forEach(up, (node) => node.run(Effect.map(Trees, (trees) => trees.at(common))))
    if (common > newest && answered.every((snapshot) => snapshot !== undefined)) return
    time.advance(lookMs)
  }
  cluster.find("forward", `horizons did not pass the newest record in ${settleMsMax} ms`)
})

const divergenceOf = (cluster: Cluster): Divergence => {
  const held = cluster.nodes.map((node) => new Set(node.disk.records().map(({ id }) => id)))
  const all = new Set(held.flatMap((ids) => [...ids]))
  return {
    atMs: cluster.trace.nowMs,
    missing: cluster.nodes.map((node, i) => node.isUp ? all.size - held[i]!.size : undefined)
  }
}

/** What must hold of a cluster that has had time to agree. */
const judge = Effect.fnUntraced(function*(cluster: Cluster, users: ReadonlyArray<User>) {
  for (const each of agedProblems(cluster)) cluster.find("aged", each)
  for (const each of recordProblems(cluster.up)) cluster.find("convergence", each)
  for (const each of yield* treeProblems(cluster)) cluster.find("trees", each)
  for (const { oracle, text } of yield* viewProblems(cluster, users)) cluster.find(oracle, text)
})

/** Lets one of the hostile peers do something. */
const attackOf = (hostile: ReadonlyArray<HostilePeer>) => (random: Random): boolean => {
  if (hostile.length === 0) return false
  const kind = random.weighted(attackKinds.map((each) => [weightOf(each), each] as const))
  return random.pick(hostile).attack(kind, random)
}

/** Runs a simulation and judges it. Fails never: what is wrong is in the report. */
export const simulate = (options: SimulationOptions): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const { absent = new Set<number>(), keep, users = defaults.users } = options
    const profile = profileOf(options.profile)
    const seeds = seedsOf(options)
    const plan = planFor(options)
    const clocks = new Random(`clocks ${profile.name} ${seeds.faults}`)
    const clock = (node: number): ClockFault => {
      const random = clocks.part(String(node))
      return {
        skewMs: random.between(-profile.skewMsMax, profile.skewMsMax),
        driftPpm: random.between(-profile.driftPpmMax, profile.driftPpmMax)
      }
    }
    const cluster = yield* Cluster.make({
      seed: `${profile.name} ${seeds.network}`,
      nodes: plan.nodes,
      absent,
      startMs: plan.startMs,
      network: profile.network,
      disk: profile.disk,
      expected: profile.jumpMsMax < driftMsMax ? undefined : ofClocks,
      clock
    })
    cluster.trace.keepsAll = options.history === true
    const watching = watch(cluster)
    options.prepare?.(cluster)
    const hashes = Context.get(cluster.shared, Hashing)
    const strangers = profile.hostile === 0 ? [] : ["h0", "h1"].map((name) => makeUser(hashes, name))
    const hostile: Array<HostilePeer> = []
    for (let seed = 0; seed < profile.hostile; seed++) {
      hostile.push(yield* HostilePeer.make(cluster, { seed, users: strangers }))
    }
    const workload = new Workload(cluster, { users, seed: `${profile.name} ${seeds.workload}`, strangers })
    const parties = [...workload.users, ...strangers]
    const striker = new Striker({ cluster, profile, seed: seeds.faults, absent, attack: attackOf(hostile) })
    const looks = new Random(`looks ${profile.name} ${seeds.faults}`)
    const divergence: Array<Divergence> = []
    let acts = 0
    let convergedMs: number | undefined

    /** Lets time pass up to a moment of the plan. Oracles look before any clock is changed. */
    const until = (atMs: number) => {
      const { time } = cluster
      const target = plan.startMs + striker.leaptMs + atMs
      for (let next = striker.nextEndMs; next !== undefined && next <= target; next = striker.nextEndMs) {
        time.advance(Math.max(0, next - time.now))
        watching.sample()
        striker.end()
      }
      time.advance(Math.max(0, target - time.now))
    }
    const compare = () => {
      if (options.history === true) divergence.push(divergenceOf(cluster))
    }
    const look = Effect.gen(function*() {
      watching.sample()
      workload.requests.sample()
      compare()
      if (cluster.up.length === 0) return
      const { findings } = yield* sampleViews(looks.pick(cluster.up), parties, looks)
      for (const { oracle, text } of findings) cluster.find(oracle, text)
    })
    const live = Effect.gen(function*() {
      let happened = 0
      for (const each of hostile) each.start()
      for (const { atMs, fault, n } of plan.events) {
        if (keep !== undefined && !keep.has(n)) continue
        until(atMs)
        if (fault !== undefined) {
          watching.sample()
          yield* striker.strike(fault, n)
        } else if (workload.act(n)) acts++
        if (++happened % lookEvery === 0) {
          yield* look
          // others of the process have their turn
          yield* Effect.yieldNow
        }
      }
      until(plan.endMs)
      watching.sample()
      striker.heal()
      cluster.network.conditions = calm
      options.healed?.(cluster)
      convergedMs = yield* converge(cluster, compare)
      if (convergedMs === undefined) {
        cluster.find("convergence", `records were not equal ${convergeMsMax} ms after all was healed`)
      }
      for (const each of hostile) each.stop()
      yield* settle(cluster)
      // after a month, some runs wait until collectors have done their work
      if (striker.leaptMs > 0 && looks.chance(collectShare)) {
        cluster.time.advance(Math.max(0, collectedByMs(cluster.time.now) - cluster.time.now))
      }
      yield* look
      yield* judge(cluster, parties)
      watching.end()
      if (looks.chance(oneRoundShare)) {
        for (const each of yield* oneRoundProblems(cluster, looks)) cluster.find("round", each)
      }
    })
    const exit = yield* Effect.exit(live)
    // without the stack, which tells where the sources are
    if (exit._tag === "Failure") cluster.find("run", `broke off: ${String(Cause.squash(exit.cause))}`)
    for (const { disk, index } of cluster.nodes) {
      for (const { id } of disk.records()) cluster.trace.note("note", `ends with ${id}`, index)
    }
    const report: Report = {
      options,
      profile: profile.name,
      plan,
      findings: cluster.findings,
      history: cluster.trace.hash,
      entries: cluster.trace.count,
      virtualMs: cluster.trace.nowMs - striker.leaptMs,
      leaptMs: striker.leaptMs,
      acts,
      faults: striker.struck,
      convergedMs,
      records: cluster.up[0]?.disk.records().length ?? 0,
      accepted: workload.accepted.length,
      refused: workload.refused,
      told: cluster.trace.entries,
      divergence
    }
    return report
  }).pipe(Effect.scoped)
