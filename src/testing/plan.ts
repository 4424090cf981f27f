/**
 * What will happen in a run, drawn before it begins: when users act, which faults strike whom. A plan is data, so a run that
 * fails can be repeated with less and less of it. Each event stands for itself: without another it does the same, as far
 * as the state of the cluster lets it.
 */
import type { FaultKind, Profile } from "./profiles.ts"
import { Random } from "./random.ts"

const dayMs = 86_400_000
const hourMs = 3_600_000
/** SPEC §9: messages live this long. */
const retentionMs = 30 * dayMs
/** Nodes in a cluster, with those that join. */
const nodesMax = 7
/** Faults that pass by themselves last up to this long. */
const faultMsMax = 15_000
/** A clock may stand still for up to this long. */
const freezeMsMax = 90_000
/** An action that comes just before a fault comes within this time of it. */
const justMs = 30
/** The disk of a node is in trouble for so long before the node is asked to end. */
const troubleMs = 3_000
/** Links get slower by up to this factor. */
const slowFactorMax = 50
/** A clock that is off runs at most this much too fast or slow, in millionths: one ms in two seconds. */
const driftPpmMax = 500

interface Between<K extends FaultKind> {
  readonly kind: K
  /** Places of nodes: from, and to. */
  readonly node: number
  readonly peer: number
}

interface At<K extends FaultKind> {
  readonly kind: K
  readonly node: number
}

export type LinkFault =
  | Between<"cut">
  | Between<"disconnect">
  | Between<"slow-link"> & { readonly factor: number; readonly forMs: number }

export type StartFault = At<"restart"> | At<"wipe"> | At<"restore">

export type NodeFault =
  | At<"crash">
  | At<"vanish">
  | At<"stop">
  | At<"copy">
  | StartFault
  | At<"jump"> & { readonly skewMs: number }
  | At<"drift"> & { readonly ppm: number }
  | (At<"freeze"> | At<"disk-full"> | At<"disk-fails"> | At<"disk-slow">) & { readonly forMs: number }

export type Fault =
  | LinkFault
  | NodeFault
  | { readonly kind: "partition"; readonly groups: ReadonlyArray<ReadonlyArray<number>> }
  | { readonly kind: "heal" | "join" | "attack" }
  | { readonly kind: "leap"; readonly untilMs: number }

/** Something that happens: a fault, or, without one, something that a user does. */
export interface Event {
  /** Its number in the plan: what it draws its chance from. */
  readonly n: number
  /** After the start, a leap apart. */
  readonly atMs: number
  readonly fault?: Fault | undefined
}

export interface Plan {
  readonly startMs: number
  /** Nodes at the start. */
  readonly nodes: number
  /** By time. */
  readonly events: ReadonlyArray<Event>
  /** When the last step ends, ms after the start; a leap apart. */
  readonly endMs: number
}

/** Seeds of the parts of a run; each is the run's own seed unless told otherwise. */
export interface Seeds {
  readonly network: number
  readonly faults: number
  readonly workload: number
}

export interface PlanOptions {
  readonly profile: Profile
  readonly seeds: Seeds
  readonly nodes: number
  readonly steps: number
}

/** What the planner believes of the cluster, so that most faults find something to strike. */
class Draft {
  readonly #random: Random
  readonly #profile: Profile
  readonly #up: Array<boolean>
  readonly #copied = new Set<number>()

  constructor(random: Random, profile: Profile, nodes: number) {
    this.#random = random
    this.#profile = profile
    this.#up = Array.from({ length: nodes }, () => true)
  }

  #those(up: boolean): ReadonlyArray<number> {
    return this.#up.flatMap((each, i) => each === up ? [i] : [])
  }

  #two(): { readonly node: number; readonly peer: number } {
    const [node, peer] = this.#random.shuffle(this.#up.map((_, i) => i))
    return { node: node!, peer: peer! }
  }

  #forMs(most: number): number {
    return this.#random.between(most / 15, most)
  }

  #possible(kind: FaultKind): boolean {
    switch (kind) {
      case "crash":
      case "vanish":
      case "stop":
        return this.#those(true).length > 1
      case "restart":
      case "wipe":
        return this.#those(false).length > 0
      case "restore":
        return this.#those(false).some((node) => this.#copied.has(node))
      case "join":
        return this.#up.length < nodesMax
      default:
        return true
    }
  }

  #down(kind: "crash" | "vanish" | "stop"): Fault {
    const node = this.#random.pick(this.#those(true))
    this.#up[node] = false
    return { kind, node }
  }

  #start(kind: StartFault["kind"]): Fault {
    const down = this.#those(false)
    const node = this.#random.pick(kind === "restore" ? down.filter((each) => this.#copied.has(each)) : down)
    this.#up[node] = true
    return { kind, node }
  }

  #groups(): ReadonlyArray<ReadonlyArray<number>> {
    const places = this.#random.shuffle(this.#up.map((_, i) => i))
    const groups: Array<Array<number>> = Array.from(
      { length: Math.min(places.length, this.#random.between(2, 3)) },
      () => []
    )
    // each gets one, then they fall where they may
    for (const [i, place] of places.entries()) {
      groups[i < groups.length ? i : this.#random.between(0, groups.length - 1)]!.push(place)
    }
    return groups
  }

  /** One fault, or nothing when none of the profile can be. */
  draw(): Fault | undefined {
    const random = this.#random
    const weights = (Object.entries(this.#profile.faults) as ReadonlyArray<[FaultKind, number]>)
      .filter(([kind]) => this.#possible(kind))
    if (weights.length === 0) return undefined
    const kind = random.weighted(weights.map(([each, weight]) => [weight, each] as const))
    const node = () => random.between(0, this.#up.length - 1)
    const { jumpMsMax } = this.#profile
    switch (kind) {
      case "partition":
        return { kind, groups: this.#groups() }
      case "cut":
      case "disconnect":
        return { kind, ...this.#two() }
      case "slow-link":
        return { kind, ...this.#two(), factor: random.between(2, slowFactorMax), forMs: this.#forMs(faultMsMax) }
      case "crash":
      case "vanish":
      case "stop":
        return this.#down(kind)
      case "restart":
      case "wipe":
      case "restore":
        return this.#start(kind)
      case "copy": {
        const copied = random.pick(this.#those(true))
        this.#copied.add(copied)
        return { kind, node: copied }
      }
      case "join":
        this.#up.push(true)
        return { kind }
      case "jump":
        return { kind, node: node(), skewMs: random.between(-jumpMsMax, jumpMsMax) }
      case "drift":
        return { kind, node: node(), ppm: random.between(-driftPpmMax, driftPpmMax) }
      case "freeze":
        return { kind, node: node(), forMs: this.#forMs(freezeMsMax) }
      case "disk-full":
      case "disk-fails":
      case "disk-slow":
        return { kind, node: node(), forMs: this.#forMs(faultMsMax) }
      case "heal":
      case "attack":
        return { kind }
      case "leap":
        return undefined
    }
  }
}

/** Some minutes into an hour, or just before its end, when trees let go of what is old. */
const startOf = (random: Random): number =>
  Date.UTC(2026, 0, 15, 12) + (random.chance(0.2) ? hourMs - random.between(1, 120) * 1_000 : random.between(0, hourMs))

/** A little before or after what was written at the start has aged. */
const leapFrom = (random: Random, startMs: number): number =>
  Math.ceil((startMs + retentionMs + 1) / hourMs) * hourMs +
  (random.chance(0.7) ? -random.between(3_000, 60_000) : random.between(0, 600_000))

/** Draws a plan. The same options give the same plan. */
export const planOf = ({ nodes, profile, seeds, steps }: PlanOptions): Plan => {
  const faults = new Random(`faults ${profile.name} ${seeds.faults}`)
  const acts = new Random(`acts ${profile.name} ${seeds.workload}`)
  const startMs = startOf(faults)
  const draft = new Draft(faults, profile, nodes)
  const leapStep = faults.chance(profile.leapRate) ? faults.between(1, steps - 1) : undefined
  const drawn: Array<Omit<Event, "n">> = []
  let stepMs = 0
  for (let step = 0; step < steps; step++) {
    const lastsMs = faults.unit() * profile.pauseMsMax
    // a step has its faults at any time in it, and its actions at some few moments, several at once
    const within = (random: Random) => stepMs + random.unit() * lastsMs
    if (step === leapStep) drawn.push({ atMs: stepMs, fault: { kind: "leap", untilMs: leapFrom(faults, startMs) } })
    const moments: Array<number> = []
    for (let left = Math.floor(profile.faultsMean + faults.unit()); left > 0; left--) {
      const fault = draft.draw()
      const atMs = within(faults)
      moments.push(atMs)
      if (fault === undefined) continue
      drawn.push({ atMs, fault })
      // some nodes are asked to end when much waits for a disk that was in trouble just before
      if (fault.kind === "stop" && faults.chance(0.5)) {
        const kind = faults.pick(["disk-slow", "disk-full", "disk-fails"] as const)
        const beganMs = Math.max(0, atMs - troubleMs)
        drawn.push({ atMs: beganMs, fault: { kind, node: fault.node, forMs: atMs - beganMs } })
      }
    }
    // many actions just before a fault, so that something is under way when it strikes
    const moment = () =>
      moments.length > 0 && acts.chance(0.4)
        ? Math.max(stepMs, acts.pick(moments) - acts.unit() * justMs)
        : within(acts)
    let atMs = moment()
    for (let left = profile.acts; left > 0; left--) {
      if (acts.chance(0.5)) atMs = moment()
      drawn.push({ atMs })
    }
    stepMs += lastsMs
  }
  const events = drawn.sort((a, b) => a.atMs - b.atMs).map((event, n) => ({ ...event, n }))
  return { startMs, nodes, events, endMs: stepMs }
}

/** Numbers as short text: `0-3,7,9-11`. */
export const rangesOf = (numbers: Iterable<number>): string => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const ranges: Array<readonly [number, number]> = []
  for (const number of sorted) {
    const last = ranges.at(-1)
    if (last !== undefined && number === last[1] + 1) ranges[ranges.length - 1] = [last[0], number]
    else ranges.push([number, number])
  }
  return ranges.map(([from, to]) => from === to ? String(from) : `${from}-${to}`).join(",")
}

/** What {@link rangesOf} wrote; `undefined` when the text is no such thing. */
export const parseRanges = (text: string, most = 1_000_000): ReadonlySet<number> | undefined => {
  const numbers = new Set<number>()
  if (text === "") return numbers
  for (const part of text.split(",")) {
    const [, from, to = from] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part) ?? []
    if (from === undefined || Number(to) < Number(from) || Number(to) > most) return undefined
    for (let number = Number(from); number <= Number(to); number++) numbers.add(number)
  }
  return numbers
}
