/**
 * What the oracles that watch all the time share: each node with what its disk must hold, what its wall clock can have
 * shown, and its services while it is up; and what users tried. Nothing in here judges.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Record } from "../../domain/record.ts"
import type { Outcome } from "../../services/Store.ts"
import type { Cluster, NodeServices, SimulatedNode } from "../cluster.ts"
import type { Disk } from "../disk.ts"
import type { Answer, Attempt } from "../observer.ts"
import type { Ledger } from "./ledger.ts"
import type { Examiner } from "./records.ts"

export const oracleNames = [
  "signature",
  "acceptance",
  "clock",
  "promise",
  "authority",
  "lost",
  "aged",
  "bounds",
  "forward"
] as const
export type OracleName = typeof oracleNames[number]

/** The times that a wall clock can have shown in a while, ms since the epoch. */
export interface WallRange {
  readonly lowMs: number
  readonly highMs: number
}

const wider = (a: WallRange | undefined, b: WallRange): WallRange =>
  a === undefined ? b : { lowMs: Math.min(a.lowMs, b.lowMs), highMs: Math.max(a.highMs, b.highMs) }

/**
 * Bounds of what a node's wall clock has shown. It is looked at often, and may have been set once between two looks:
 * before that it went on as it did.
 *
 * A record that is committed was judged some time before: after the commit before the last, because a writer takes all
 * that has queued up when it begins a batch. {@link recent} is the clock since then.
 */
export class Walls {
  readonly #node: SimulatedNode
  #atMs: number
  #offsetMs: number
  #last: WallRange | undefined
  #present: WallRange
  /** The highest that it can have shown ever, ms. */
  highestMs: number

  constructor(node: SimulatedNode) {
    this.#node = node
    this.#atMs = node.cluster.time.now
    this.#offsetMs = node.clock.offsetMs
    this.#present = { lowMs: node.clock.wallMs, highMs: node.clock.wallMs }
    this.highestMs = node.clock.wallMs
  }

  look(): void {
    const { offsetMs } = this.#node.clock
    const { now } = this.#node.cluster.time
    if (now === this.#atMs && offsetMs === this.#offsetMs) return
    const range = {
      lowMs: Math.floor(this.#atMs + Math.min(offsetMs, this.#offsetMs)),
      highMs: Math.floor(now + Math.max(offsetMs, this.#offsetMs))
    }
    this.#present = wider(this.#present, range)
    this.highestMs = Math.max(this.highestMs, range.highMs)
    this.#atMs = now
    this.#offsetMs = offsetMs
  }

  /** Since before anything was judged that is committed now. */
  get recent(): WallRange {
    return wider(this.#last, this.#present)
  }

  /** A batch was committed, or nothing is left to be: what was judged before now is out of the way, or all but a batch. */
  turn(left: "nothing" | "batch" | "more"): void {
    this.#last = left === "nothing" ? undefined : left === "batch" ? this.#present : this.recent
    const { wallMs } = this.#node.clock
    this.#present = { lowMs: wallMs, highMs: wallMs }
  }
}

/** A node and what is known of it from outside. */
export interface Watched {
  readonly node: SimulatedNode
  readonly ledger: Ledger
  readonly walls: Walls
  /** Of the run that is up now. */
  services: Context.Context<NodeServices> | undefined
  /** Records committed in this run, and in the last commit of it. */
  committed: number
  lastBatch: number
}

/** What users tried, and when each stamped record was first met. */
export interface Tried {
  readonly attempt: Attempt
  /** Grows from event to event. */
  readonly number: number
  /** The node's clock, and the highest stamp on its disk, when it was asked. */
  readonly last: bigint | undefined
  readonly stored: bigint
  answer: Answer | undefined
  /** What would be wrong if this was accepted here with that stamp. */
  suspect: { readonly hlc: bigint; readonly why: string } | undefined
}

export class Attempts {
  readonly #byId = new Map<string, Array<Tried>>()
  readonly #met = new Map<string, number>()
  readonly #committed = new Set<string>()
  #number = 0

  add(attempt: Attempt, last: bigint | undefined, stored: bigint): Tried {
    const tried: Tried = { attempt, number: ++this.#number, last, stored, answer: undefined, suspect: undefined }
    const others = this.#byId.get(attempt.id)
    if (others === undefined) this.#byId.set(attempt.id, [tried])
    else others.push(tried)
    return tried
  }

  of(id: string): ReadonlyArray<Tried> {
    return this.#byId.get(id) ?? []
  }

  find(attempt: Attempt): Tried | undefined {
    return this.of(attempt.id).find((each) => each.attempt === attempt)
  }

  /** A record with this stamp is somewhere: on a disk, or its stamp was an answer. */
  meet(id: string, hlc: bigint, committed: boolean): void {
    const key = `${id}${hlc}`
    if (!this.#met.has(key)) this.#met.set(key, ++this.#number)
    if (committed) this.#committed.add(key)
  }

  isCommitted(id: string, hlc: bigint): boolean {
    return this.#committed.has(`${id}${hlc}`)
  }

  /** Whether it was met, before an attempt if one is named. */
  isMet(id: string, hlc: bigint, before?: Tried): boolean {
    const number = this.#met.get(`${id}${hlc}`)
    return number !== undefined && (before === undefined || number < before.number)
  }

  /**
   * The attempt by which a node has just taken a record in: one of its present run, and the stamp is new since. What
   * comes back by way of others was stamped before, or by another.
   */
  byWhich({ node }: Watched, record: Record): Tried | undefined {
    if (record.node !== node.id) return undefined
    return this.of(record.id).find((tried) =>
      tried.attempt.node === node && tried.attempt.life === node.lives && tried.last !== undefined &&
      record.hlc > tried.last && !this.isMet(record.id, record.hlc, tried)
    )
  }
}

export interface Scene {
  readonly cluster: Cluster
  readonly examiner: Examiner
  readonly attempts: Attempts
  readonly nodes: ReadonlyMap<SimulatedNode, Watched>
  /** Whether commits should succeed at once. */
  readonly isGood: (disk: Disk) => boolean
  /** Something must not be. */
  readonly find: (oracle: OracleName, text: string, watched?: Watched) => void
}

/** What one oracle listens to. Each is told after the ledger, but for `committing`. */
export interface Oracle {
  /** One record of a commit, before the ledger has it; in order. */
  readonly committing?: (watched: Watched, record: Record, outcome: Outcome) => void
  readonly committed?: (watched: Watched, records: ReadonlyArray<Record>) => void
  readonly collected?: (watched: Watched, aged: bigint) => void
  /** Its services can be asked. */
  readonly up?: (watched: Watched, services: Context.Context<NodeServices>) => void
  readonly down?: (watched: Watched, clean: boolean) => void
  readonly diskChanged?: (watched: Watched) => void
  readonly attempted?: (watched: Watched, tried: Tried) => void
  readonly answered?: (watched: Watched, answer: Answer, tried: Tried) => void
  readonly sample?: (watched: Watched, services: Context.Context<NodeServices>, count: number) => void
  readonly end?: () => void
}

/** The services of a node that is up, as soon as it has its turn. */
export const askServices = (node: SimulatedNode, then: (services: Context.Context<NodeServices>) => void): void => {
  node.fork(Effect.context<NodeServices>(), (exit) => {
    if (exit._tag === "Success") then(exit.value)
  })
}

/** A stamp for people: ms and counter. */
export const stampText = (hlc: bigint): string => `${hlc >> 16n}.${hlc & 0xffffn}`
