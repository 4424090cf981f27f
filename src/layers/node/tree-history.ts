/**
 * The trees of all domains along their last horizons, fed by commits and by what is read from the store. No time, no
 * waiting: the layer brings both.
 */
import type { Hashes } from "../../domain/hashing.ts"
import * as Horizon from "../../domain/horizon.ts"
import { horizonStepMs, retentionStepMs } from "../../domain/limits.ts"
import type { MerkleTree } from "../../domain/merkle.ts"
import { type Domain, domains } from "../../domain/record.ts"
import type { Commit, InLine, Leaf, LeafChange } from "../../services/Store.ts"
import { Line } from "./tree-line.ts"
import { type Change, changeOf } from "./tree-slots.ts"
import { stepsCount, type TreeSums } from "./tree-sums.ts"

/** Changes that are held in all, about 51 bytes each: those of a minute and a half at more than 10 000 a second. */
const changesMax = 2_000_000
/** Behind by more, the trees are built anew: hour by hour would take longer. */
export const behindMsMax = 2 * retentionStepMs

/** Told before it happens, so that who stands on a horizon can take a copy. */
export interface Watcher {
  /** The trees of a domain at horizons from `fromMs` on are about to change. */
  changing(domain: Domain, fromMs: number): void
  /** Horizons below `oldestMs` are about to be forgotten. */
  leaving(oldestMs: number): void
}

export type Progress =
  | { readonly _tag: "Current" }
  /** The hour turns, and what leaves is not summed yet. */
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Rebuild"; readonly why: string }

const current: Progress = { _tag: "Current" }

export class TreeHistory {
  readonly #hashes: Hashes
  readonly #watcher: Watcher
  readonly #changesMax: number
  #lines: ReadonlyMap<Domain, Line> = new Map()
  #newestMs = 0
  #oldestMs = 0
  /** Commits up to this are in what was read first; `undefined` before that. */
  #since: number | undefined
  #changes = 0
  /** Changes that only horizons from here on see were not kept: there were too many. */
  #droppedFromMs = Infinity
  /** What came since a read was begun. */
  #meanwhile: Array<Change> = []
  #listening = false
  #applied = 0

  constructor(hashes: Hashes, watcher: Watcher, max = changesMax) {
    this.#hashes = hashes
    this.#watcher = watcher
    this.#changesMax = max
    this.reset(0)
  }

  get newestMs(): number {
    return this.#newestMs
  }

  /** The oldest horizon that can be answered. */
  get oldestMs(): number {
    return this.#oldestMs
  }

  /** Changes held. */
  get changes(): number {
    return this.#changes
  }

  line(domain: Domain): Line {
    return this.#lines.get(domain)!
  }

  /** Holds nothing any more; to be read anew for this horizon. */
  reset(newestMs: number): void {
    this.#lines = new Map(domains.map((domain) => [domain, new Line(this.#hashes, domain, newestMs)]))
    this.#newestMs = newestMs
    const oldest = Math.max(0, Horizon.oldestMs(newestMs))
    // what left the trees before this hour is not known
    this.#oldestMs = Horizon.floorMs(oldest) === Horizon.floorMs(newestMs)
      ? oldest
      : newestMs - (newestMs % retentionStepMs)
    this.#since = undefined
    this.#changes = 0
    this.#droppedFromMs = Infinity
    this.#meanwhile = []
    this.#listening = false
  }

  /** Share of the trees that is read. */
  get built(): number {
    let read = 0
    for (const line of this.#lines.values()) read += line.base.stepsRead
    return read / (stepsCount * domains.length)
  }

  /** To be called before a read from the store is begun; one at a time. */
  listen(): void {
    this.#meanwhile = []
    this.#listening = true
  }

  #heard(commit: number): ReadonlyArray<Change> {
    const changes = this.#meanwhile
    this.#meanwhile = []
    this.#listening = false
    if (commit < (this.#since ?? 0))
      throw new Error(`an answer of the store at commit ${commit} is older than the first`)
    return changes
  }

  /** Takes in the records that are younger than the oldest horizon: all else is read after them. */
  begin(answer: InLine<ReadonlyArray<LeafChange>>): void {
    const meanwhile = this.#heard(answer.commit)
    this.#since = answer.commit
    for (const leaf of answer.value) {
      // part of every tree that sees them as it is read: only kept
      this.#keep(changeOf(leaf, answer.commit))
    }
    for (const change of meanwhile) this.#take(change)
    this.#shed()
  }

  /** Takes in a step of one tree. */
  merge(sums: TreeSums, domain: Domain, step: number, answer: InLine<ReadonlyArray<Leaf>>): void {
    const meanwhile = this.#heard(answer.commit).filter((change) => change.domain === domain)
    sums.merge(step, answer, meanwhile, this.line(domain).slots, this.#newestMs)
  }

  /** Takes in a commit. A commit that is missing is a defect. */
  apply(commit: Commit): void {
    const before = this.#applied
    this.#applied = commit.number
    if (before !== 0 && commit.number !== before + 1) {
      throw new Error(`commit ${commit.number} came after commit ${before}`)
    }
    for (const leaf of commit.leaves) {
      const change = changeOf(leaf, commit.number)
      if (this.#listening) this.#meanwhile.push(change)
      if (this.#since !== undefined) this.#take(change)
    }
    this.#shed()
  }

  #take(change: Change): void {
    if (change.commit <= this.#since!) return
    if (change.slotMs <= this.#newestMs) this.#watcher.changing(change.domain, change.slotMs)
    this.#keep(change)
    this.line(change.domain).take(change, this.#newestMs)
  }

  #keep(change: Change): void {
    if (change.slotMs <= this.#oldestMs || change.slotMs >= this.#droppedFromMs) return
    this.line(change.domain).slots.push(change)
    this.#changes++
  }

  #drop(slotMs: number): void {
    for (const line of this.#lines.values()) this.#changes -= line.slots.drop(slotMs)
  }

  /** Keeps memory bounded: old horizons are given up first, then what lies furthest ahead. */
  #shed(): void {
    while (this.#changes > this.#changesMax) {
      const slots = [...this.#lines.values()].flatMap((line) => [...line.slots.keys()]).sort((a, b) => a - b)
      const [first, last] = [slots[0]!, slots.at(-1)!]
      if (first <= this.#newestMs) this.#forget(first)
      else {
        this.#droppedFromMs = last
        this.#drop(last)
      }
    }
  }

  /** Gives up horizons below `oldestMs`. */
  #forget(oldestMs: number): void {
    if (oldestMs <= this.#oldestMs) return
    this.#watcher.leaving(oldestMs)
    for (let slotMs = this.#oldestMs; slotMs <= oldestMs; slotMs += horizonStepMs) this.#drop(slotMs)
    this.#oldestMs = oldestMs
    for (const line of this.#lines.values()) line.forget(this.#newestMs, oldestMs)
  }

  /** Moves the newest horizon towards `toMs`, never back. */
  advance(toMs: number, behindMs = behindMsMax): Progress {
    if (toMs - this.#newestMs > behindMs) {
      return { _tag: "Rebuild", why: `the horizon is ${toMs - this.#newestMs} ms behind the clock` }
    }
    while (this.#newestMs < toMs) {
      const next = this.#newestMs + horizonStepMs
      const turns = Horizon.floorMs(next) !== Horizon.floorMs(this.#newestMs)
      if (next >= this.#droppedFromMs || (turns && this.#droppedFromMs !== Infinity)) {
        return { _tag: "Rebuild", why: "more changes were ahead of the horizon than are kept" }
      }
      for (const line of this.#lines.values()) {
        if (!line.mayReach(this.#newestMs, next, this.#applied)) return { _tag: "Waiting" }
      }
      this.#forget(Horizon.oldestMs(next))
      for (const line of this.#lines.values()) line.reach(this.#newestMs, next)
      this.#newestMs = next
      for (const line of this.#lines.values()) line.forget(next, this.#oldestMs)
    }
    return current
  }

  /** Hashes a slice of what is out of date; true when nothing is left. */
  refresh(limit: number): boolean {
    for (const line of this.#lines.values()) if (!line.base.tree.refresh(limit)) return false
    return true
  }

  isBase(domain: Domain, atMs: number): boolean {
    return this.line(domain).isBase(this.#newestMs, atMs)
  }

  treeAt(domain: Domain, atMs: number): MerkleTree {
    return this.line(domain).treeAt(this.#newestMs, atMs)
  }
}
