/** Does to a cluster what a plan says, and ends what should pass by itself. */
import * as Effect from "effect/Effect"
import type { Cluster, SimulatedNode } from "./cluster.ts"
import { type Copy, type DiskConditions, goodDisk } from "./disk.ts"
import type { Fault, LinkFault, NodeFault, StartFault } from "./plan.ts"
import type { FaultKind, Profile } from "./profiles.ts"
import { Random } from "./random.ts"

/** Copies of a disk that are kept to be restored. */
const copiesMax = 3

/** A disk in trouble, on top of what its profile has. */
const troubles = {
  "disk-full": { full: true },
  "disk-fails": { failRate: 0.5, readFailRate: 0.1 },
  "disk-slow": { commitMsMax: 4_000, readMsMax: 400 }
} as const satisfies { readonly [kind: string]: Partial<DiskConditions> }

export class Striker {
  /** Faults that were put in, by kind; those that found nothing to strike are not counted. */
  readonly struck = new Map<FaultKind, number>()
  /** How far the clock of the world is ahead of the plan's, ms. */
  leaptMs = 0
  readonly #cluster: Cluster
  readonly #profile: Profile
  readonly #absent: ReadonlySet<number>
  readonly #random: Random
  readonly #attack: (random: Random) => boolean
  readonly #copies = new Map<SimulatedNode, Array<Copy>>()
  /** What ends by itself, and when, ms of the world. */
  #passing: Array<{ readonly atMs: number; readonly end: () => void }> = []

  constructor(options: {
    readonly cluster: Cluster
    readonly profile: Profile
    readonly seed: number
    /** Nodes that are never started. */
    readonly absent: ReadonlySet<number>
    /** Lets a hostile peer act; false when there is none. */
    readonly attack: (random: Random) => boolean
  }) {
    this.#cluster = options.cluster
    this.#profile = options.profile
    this.#absent = options.absent
    this.#random = new Random(`strikes ${options.profile.name} ${options.seed}`)
    this.#attack = options.attack
  }

  /** The node at a place, when it takes part. */
  #at(place: number): SimulatedNode | undefined {
    return this.#absent.has(place) ? undefined : this.#cluster.nodes[place]
  }

  /** Does it; `n` names its chance. Time may pass. */
  strike(fault: Fault, n: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      if (yield* this.#does(fault, this.#random.part(String(n)))) {
        this.struck.set(fault.kind, (this.struck.get(fault.kind) ?? 0) + 1)
      }
    })
  }

  #note(fault: Fault, node?: SimulatedNode, peer?: SimulatedNode, more = ""): true {
    this.#cluster.trace.note("fault", `${fault.kind}${more}`, node?.index, peer?.index)
    return true
  }

  readonly #does = Effect.fnUntraced({ self: this as Striker }, function*(fault: Fault, random: Random) {
    const cluster = this.#cluster
    switch (fault.kind) {
      case "partition": {
        const groups = fault.groups.map((group) => group.filter((place) => this.#at(place) !== undefined))
          .filter(({ length }) => length > 0)
        if (groups.length < 2) return false
        cluster.partition(...groups)
        return true
      }
      case "cut":
      case "disconnect":
      case "slow-link":
        return this.#link(fault)
      case "heal":
        cluster.heal()
        return true
      case "join": {
        const node = yield* cluster.join()
        node.begin()
        return this.#note(fault, node)
      }
      case "leap":
        this.#leap(fault, random)
        return true
      case "attack":
        return this.#attack(random)
      default:
        return this.#machine(fault, random)
    }
  })

  #link(fault: LinkFault): boolean {
    const { network } = this.#cluster
    const [from, to] = [this.#at(fault.node), this.#at(fault.peer)]
    if (from === undefined || to === undefined) return false
    if (fault.kind === "cut") {
      if (network.isCut(from.id, to.id)) return false
      network.cut(from.id, to.id)
    } else if (fault.kind === "disconnect") network.disconnect(from.id, to.id)
    else {
      network.slow(from.id, to.id, fault.factor)
      this.#pass(fault.forMs, () => network.slow(from.id, to.id, 1))
      return this.#note(fault, from, to, ` by ${fault.factor} for ${fault.forMs}`)
    }
    return this.#note(fault, from, to)
  }

  #machine(fault: NodeFault, random: Random): boolean {
    const node = this.#at(fault.node)
    if (node === undefined) return false
    const { clock, disk } = node
    switch (fault.kind) {
      case "crash":
      case "vanish":
        // one node stays, so that users have somebody to talk to
        if (!node.isUp || this.#cluster.up.length < 2) return false
        node.crash(fault.kind === "vanish")
        return true
      case "stop":
        if (!node.isUp || this.#cluster.up.length < 2) return false
        node.stop()
        return true
      case "restart":
      case "wipe":
      case "restore":
        return this.#restart(fault, node, random)
      case "copy":
        this.#copies.set(node, [...this.#copies.get(node) ?? [], disk.copy()].slice(-copiesMax))
        return this.#note(fault, node)
      case "jump":
        clock.set({ skewMs: fault.skewMs })
        return this.#note(fault, node, undefined, ` to ${fault.skewMs}`)
      case "drift":
        clock.set({ driftPpm: fault.ppm })
        return this.#note(fault, node, undefined, ` by ${fault.ppm} ppm`)
      case "freeze":
        clock.freeze()
        this.#pass(fault.forMs, () => {
          if (clock.stands) clock.set({ skewMs: 0 })
        })
        return this.#note(fault, node, undefined, ` for ${fault.forMs}`)
      case "disk-full":
      case "disk-fails":
      case "disk-slow": {
        const trouble = { ...this.#profile.disk, ...troubles[fault.kind] }
        disk.conditions = trouble
        this.#pass(fault.forMs, () => {
          // unless another trouble has come since
          if (disk.conditions === trouble) disk.conditions = this.#profile.disk
        })
        return this.#note(fault, node, undefined, ` for ${fault.forMs}`)
      }
    }
  }

  #pass(ms: number, end: () => void): void {
    this.#passing.push({ atMs: this.#cluster.time.now + ms, end })
  }

  /** When the next fault ends by itself, ms of the world. */
  get nextEndMs(): number | undefined {
    return this.#passing.length === 0 ? undefined : Math.min(...this.#passing.map(({ atMs }) => atMs))
  }

  /** Ends what is over by now. */
  end(): void {
    const { now } = this.#cluster.time
    const over = this.#passing.filter(({ atMs }) => atMs <= now)
    this.#passing = this.#passing.filter(({ atMs }) => atMs > now)
    for (const { end } of over) end()
  }

  #restart(fault: StartFault, node: SimulatedNode, random: Random): boolean {
    if (node.isUp) return false
    const copies = this.#copies.get(node) ?? []
    if (fault.kind === "restore" && copies.length === 0) return false
    // it may still be starting: then it is ended first
    node.crash()
    if (fault.kind === "wipe") node.disk.wipe()
    if (fault.kind === "restore") node.disk.restore(random.pick(copies))
    this.#note(fault, node)
    node.begin()
    return true
  }

  /** All nodes end, a month passes, and those that were up start again. */
  #leap(fault: Extract<Fault, { readonly kind: "leap" }>, random: Random): void {
    const { nodes, time } = this.#cluster
    const running = nodes.filter(({ isRunning }) => isRunning)
    for (const node of running) {
      // one that is still starting cannot be asked to end
      if (!node.isUp || random.chance(0.3)) node.crash()
      else node.stop()
    }
    this.#note(fault)
    const before = time.now
    const offsets = nodes.map(({ clock }) => clock.offsetMs)
    time.advance(Math.max(0, fault.untilMs - before))
    this.leaptMs += time.now - before
    // nobody leaves a clock alone for a month
    for (const [i, { clock }] of nodes.entries()) clock.set({ skewMs: offsets[i] })
    for (const node of running) node.begin()
  }

  /** Ends all faults, sets the clocks about right and starts every node. */
  heal(): void {
    const { nodes } = this.#cluster
    this.#passing = []
    this.#cluster.heal()
    const { skewMsMax } = this.#profile
    for (const { clock, disk, index } of nodes) {
      if (this.#absent.has(index)) continue
      const isOff = Math.abs(clock.offsetMs) > skewMsMax
      // a clock that stood still runs again
      clock.set({ skewMs: isOff ? this.#random.between(-skewMsMax, skewMsMax) : clock.offsetMs, driftPpm: 0 })
      disk.conditions = goodDisk
    }
    for (const node of nodes) if (!this.#absent.has(node.index)) node.start()
  }
}
