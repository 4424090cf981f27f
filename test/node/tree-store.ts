/**
 * A store that knows leaves only: what the trees need of one. Answers can be late, and fail, and come out of step with the
 * commits that are told to the trees.
 */
import { Effect } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Horizon from "../../src/domain/horizon.ts"
import { MerkleTree } from "../../src/domain/merkle.ts"
import type { Domain } from "../../src/domain/record.ts"
import { LeafSums } from "../../src/layers/store/leaf-sums.ts"
import type { Commit, InLine, Leaf, LeafChange, LeafQuery } from "../../src/services/Store.ts"
import { type Store, StoreError } from "../../src/services/Store.ts"
import { hashes } from "../domain/merkle-model.ts"
import type { Dice } from "../domain/records.ts"

export interface Item {
  readonly slot: string
  /** Higher wins. */
  readonly rank: number
  readonly domain: Domain
  readonly bucket: number
  readonly digest: Uint8Array
  readonly hlc: Hlc.Hlc
  readonly ages: boolean
}

const leafOf = (item: Item, change: "insert" | "remove", hlc: Hlc.Hlc): LeafChange => ({
  domain: item.domain,
  bucket: item.bucket,
  digest: item.digest,
  hlc,
  recordHlc: item.hlc,
  change,
  ages: item.ages
})

/** Empty between two uses: making a tree costs more than all else that a test does with it. */
const scratch = new MerkleTree(hashes)

const inSpan = (item: Item, span: Horizon.Span): boolean =>
  item.hlc <= span.ceiling && (!item.ages || item.hlc > span.floor)

export class TreeStore {
  readonly items = new Map<string, Item>()
  number = 0
  reads = 0
  failing = false
  /** How long a read takes before and after it looks at the data, ms. */
  delay: () => number = () => 0

  /** What is aged at `wallMs` is refused, and holds its slot no longer. */
  commit(batch: ReadonlyArray<Item>, wallMs = 0): Commit {
    const leaves: Array<LeafChange> = []
    const aged = (item: Item) => item.ages && item.hlc <= Horizon.lastStamp(Horizon.floorMs(wallMs))
    for (const item of batch) {
      if (aged(item)) continue
      const held = this.items.get(item.slot)
      if (held !== undefined && !aged(held) && held.rank >= item.rank) continue
      if (held !== undefined) leaves.push(leafOf(held, "remove", Hlc.max(held.hlc, item.hlc)))
      this.items.set(item.slot, item)
      leaves.push(leafOf(item, "insert", item.hlc))
    }
    return { number: ++this.number, outcomes: batch.map(() => "stored"), firstArrival: 1, leaves }
  }

  collect(aged: Hlc.Hlc): void {
    for (const [slot, item] of this.items) if (item.ages && item.hlc <= aged) this.items.delete(slot)
  }

  leaves(query: LeafQuery): ReadonlyArray<Leaf> {
    const sums = new LeafSums(query.from, query.to)
    for (const item of this.items.values()) {
      if (item.domain === query.domain && (item.ages || !query.ageingOnly) && inSpan(item, query.span)) {
        sums.add(item.bucket, item.digest)
      }
    }
    return sums.leaves()
  }

  recent(floor: Hlc.Hlc): ReadonlyArray<LeafChange> {
    return [...this.items.values()].filter((item) => item.hlc > floor).map((item) => leafOf(item, "insert", item.hlc))
  }

  #read<A>(look: () => A): Effect.Effect<InLine<A>, StoreError> {
    return Effect.gen({ self: this }, function*() {
      this.reads++
      if (this.failing) return yield* new StoreError({ reason: "io", message: "the test wants it so" })
      const [before, after] = [this.delay(), this.delay()]
      if (before > 0) yield* Effect.sleep(before)
      const answer = { commit: this.number, value: look() }
      if (after > 0) yield* Effect.sleep(after)
      return answer
    })
  }

  /** Only what the trees call is there. */
  service(): Store["Service"] {
    return {
      leaves: (query: LeafQuery) => this.#read(() => this.leaves(query)),
      recent: (floor: Hlc.Hlc) => this.#read(() => this.recent(floor))
    } as unknown as Store["Service"]
  }

  /** By definition: all stored records in the span of a horizon. */
  model(domain: Domain, horizonMs: number): { readonly root: string; readonly count: number } {
    const span = Horizon.spanAt(horizonMs)
    const seen = [...this.items.values()].filter((item) => item.domain === domain && inSpan(item, span))
    for (const { bucket, digest } of seen) scratch.insert(bucket, digest)
    const model = { root: Bytes.toHex(scratch.root()), count: scratch.count }
    for (const { bucket, digest } of seen) scratch.remove(bucket, digest)
    return model
  }
}

const hour = 3_600_000
const days30 = 30 * 24 * hour

/** A record that could come at this time, early ones included. `slots` few: records replace each other. */
export const anItem = (dice: Dice, wallMs: number, slots: number): Item => {
  const domain = dice.pick(["identity", "members", "messages"] as const)
  const ages = domain === "messages" || (domain === "members" && dice.coin())
  const cutoff = Math.max(0, wallMs - (wallMs % hour) - days30)
  const ms = dice.pick([
    () => cutoff + 1 + dice.below(3 * hour),
    () => cutoff + 1 + dice.below(3 * hour),
    () => wallMs - dice.below(120_000),
    () => wallMs + dice.below(60_000),
    () => wallMs,
    () => wallMs - (wallMs % 5_000) + dice.below(3) - 1,
    () => wallMs - dice.below(days30 - 2 * hour)
  ])()
  return {
    slot: `${domain}${ages}${dice.below(slots)}`,
    rank: dice.word(),
    domain,
    bucket: dice.pick([dice.below(65_536), dice.below(2) * 0x1fff]),
    digest: dice.bytes(32),
    hlc: Hlc.make(ms, dice.pick([0, 7, 0xffff])),
    ages
  }
}
