/**
 * The tree of one domain along its last horizons (SPEC §6): one tree at the newest, and what it takes to go back.
 *
 * Every tree is a sum of changes, in any order: at horizon H those that H sees, of records that do not age or are above
 * the cutoff of H's hour. So an older horizon's tree is the newest's, less what came into sight since, plus the hour of
 * records that has been left out since.
 */
import type { Hashes } from "../../domain/hashing.ts"
import * as Horizon from "../../domain/horizon.ts"
import { horizonStepMs } from "../../domain/limits.ts"
import type { MerkleTree } from "../../domain/merkle.ts"
import type { Domain } from "../../domain/record.ts"
import { type Change, Slots } from "./tree-slots.ts"
import { TreeSums } from "./tree-sums.ts"

/** Identities never age: nothing leaves their tree when the hour turns. */
const agesOf: { readonly [D in Domain]: boolean } = { identity: false, members: true, messages: true }

export class Line {
  readonly domain: Domain
  readonly ages: boolean
  readonly slots = new Slots()
  /** At the newest horizon. */
  readonly base: TreeSums
  /** What `base` loses when the hour of the horizon turns next. */
  next: TreeSums | undefined
  /** What it lost at the last turn; while an answered horizon lies before that. */
  last: TreeSums | undefined
  readonly #hashes: Hashes

  constructor(hashes: Hashes, domain: Domain, newestMs: number) {
    this.#hashes = hashes
    this.domain = domain
    this.ages = agesOf[domain]
    const part = { aboveMs: Horizon.floorMs(newestMs), upToMs: Infinity, ageingOnly: false }
    this.base = new TreeSums(hashes, part, newestMs)
  }

  take(change: Change, newestMs: number): void {
    const seen = change.slotMs <= newestMs
    this.base.take(change, seen)
    this.next?.take(change, seen)
    this.last?.take(change, seen)
  }

  /** The part that leaves at the next turn after `newestMs`; `undefined` when none does. */
  turning(newestMs: number): { readonly aboveMs: number; readonly upToMs: number } | undefined {
    const aboveMs = Horizon.floorMs(newestMs)
    const upToMs = Horizon.floorMs(Horizon.nextTurnMs(newestMs))
    return this.ages && upToMs > aboveMs ? { aboveMs, upToMs } : undefined
  }

  /** Begins to sum what leaves next. */
  prepare(newestMs: number): TreeSums | undefined {
    const part = this.turning(newestMs)
    if (part !== undefined) this.next ??= new TreeSums(this.#hashes, { ...part, ageingOnly: true }, part.upToMs)
    return this.next
  }

  /**
   * Whether the horizon may go to `toMs`, which is one step. Where the hour turns, what leaves must hold no commit that
   * `base` has not been told of: it would be taken out before it came.
   */
  mayReach(newestMs: number, toMs: number, applied: number): boolean {
    return !this.ages || Horizon.floorMs(newestMs) === Horizon.floorMs(toMs) || this.next?.inLine(applied) === true
  }

  /** Goes one step on, to `toMs`. */
  reach(newestMs: number, toMs: number): void {
    const log = this.slots.get(toMs)
    if (log !== undefined) {
      this.base.reach(log)
      this.next?.reach(log)
      this.last?.reach(log)
    }
    const floorMs = Horizon.floorMs(toMs)
    if (!this.ages || floorMs === Horizon.floorMs(newestMs)) return
    this.base.tree.removeTree(this.next!.tree)
    this.base.part = { ...this.base.part, aboveMs: floorMs }
    this.last = this.next
    this.next = undefined
  }

  /** Nothing at horizons below `oldestMs` is asked for any more. */
  forget(newestMs: number, oldestMs: number): void {
    if (Horizon.floorMs(oldestMs) === Horizon.floorMs(newestMs)) this.last = undefined
  }

  /** Whether the tree at `atMs` is the one at the newest horizon. */
  isBase(newestMs: number, atMs: number): boolean {
    for (let slotMs = newestMs; slotMs > atMs; slotMs -= horizonStepMs) {
      if ((this.slots.get(slotMs)?.count ?? 0) > 0) return false
    }
    return this.last === undefined || this.last.tree.count === 0 || Horizon.floorMs(atMs) === Horizon.floorMs(newestMs)
  }

  /** A copy of the tree at an answered horizon. */
  treeAt(newestMs: number, atMs: number): MerkleTree {
    // hashed before it is copied, so that this is not done again for the next copy
    this.base.tree.root()
    const tree = this.base.tree.clone()
    const floorMs = Horizon.floorMs(atMs)
    if (floorMs !== Horizon.floorMs(newestMs) && this.last !== undefined) tree.addTree(this.last.tree)
    for (let slotMs = newestMs; slotMs > atMs; slotMs -= horizonStepMs) {
      const log = this.slots.get(slotMs)
      if (log === undefined) continue
      // from the end: what was removed comes back before its insert is undone
      for (let i = log.count - 1; i >= 0; i--) {
        if (log.ages(i) && log.ownMs(i) <= floorMs) continue
        if (log.removes(i)) tree.insert(log.bucket(i), log.digest(i))
        else tree.remove(log.bucket(i), log.digest(i))
      }
    }
    return tree
  }
}
