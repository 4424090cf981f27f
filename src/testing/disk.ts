/**
 * The disk of a simulated node: a store in memory that outlives the node's runs, as a file does. A kill loses what was
 * not committed and nothing else. Commits take time and may fail; the disk can be wiped, or set back to an old copy.
 *
 * It remembers every variant that was committed since it was new: whether something ever came is not seen in what is held.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Hashing } from "../domain/hashing.ts"
import * as Hlc from "../domain/hlc.ts"
import type { Kind, Record } from "../domain/record.ts"
import { slotOf } from "../domain/variants.ts"
import { layerMemory } from "../layers/store/memory.ts"
import type { NetworkId } from "../services/NetworkId.ts"
import { type InLine, type Outcome, Store, StoreError } from "../services/Store.ts"
import type { Random } from "./random.ts"

/** What goes wrong with a disk. Rates from 0 to 1; times in ms. */
export interface DiskConditions {
  /** A commit takes up to this long: half of it before it has happened, half before it is told. */
  readonly commitMsMax: number
  /** Commits that fail: they may be tried again. */
  readonly failRate: number
  /** No commit that stores something succeeds. */
  readonly full: boolean
  /** A read takes up to this long: half of it before it is done, half before it is told. 0: it is done in place. */
  readonly readMsMax: number
  /** Reads that fail. */
  readonly readFailRate: number
}

export const goodDisk: DiskConditions = { commitMsMax: 20, failRate: 0, full: false, readMsMax: 0, readFailRate: 0 }

const kinds: ReadonlyArray<Kind> = ["op", "read", "identity", "message"]
const scanned = 1_000

/** Reads that take arguments and are not in line with commits. */
const readNames = [
  "page",
  "pageJson",
  "pageText",
  "message",
  "messages",
  "op",
  "ops",
  "read",
  "identity",
  "heads",
  "groups",
  "peers",
  "unread",
  "headers",
  "recentBuckets",
  "digests",
  "pick",
  "stream",
  "known",
  "arrivals",
  "arrivedAfter",
  "scan"
] as const satisfies ReadonlyArray<keyof Store["Service"]>

export interface DiskOptions {
  readonly random: Random
  readonly context: Context.Context<Hashing | NetworkId>
  readonly conditions?: DiskConditions | undefined
  /** Told of each commit that has happened. */
  readonly committed?: ((records: ReadonlyArray<Record>, outcomes: ReadonlyArray<Outcome>) => void) | undefined
  /** Told when records up to a stamp were deleted for their age. */
  readonly collected?: ((aged: Hlc.Hlc) => void) | undefined
  /** Told of each fault. */
  readonly faulted?: (() => void) | undefined
  /** Told when it was wiped or set back. */
  readonly changed?: (() => void) | undefined
}

/** What a disk held at some time. */
export interface Copy {
  readonly records: ReadonlyArray<Record>
}

export class Disk {
  readonly #options: DiskOptions
  #store: Store["Service"]
  #lastCommit = 0
  #ever = new Map<string, Record>()
  /** How often it was wiped or set back. */
  generation = 0
  conditions: DiskConditions

  constructor(options: DiskOptions) {
    this.#options = options
    this.conditions = options.conditions ?? goodDisk
    this.#store = this.#empty()
  }

  #empty(): Store["Service"] {
    const built = Layer.build(layerMemory).pipe(Effect.scoped, Effect.provideContext(this.#options.context))
    return Context.get(Effect.runSync(built), Store)
  }

  /** Whether this variant was committed since the disk was new; also when it was replaced since. */
  hasEver(record: Record): boolean {
    return this.#ever.has(keyOf(record))
  }

  /** All that is stored, by kind and id. */
  records(): ReadonlyArray<Record> {
    const all: Array<Record> = []
    for (const kind of kinds) {
      for (let afterId: string | undefined;;) {
        const page = Effect.runSync(
          this.#store.scan({ kind, limit: scanned, ...(afterId === undefined ? {} : { afterId }) })
        )
        all.push(...page)
        if (page.length < scanned) break
        afterId = page.at(-1)!.id
      }
    }
    return all
  }

  copy(): Copy {
    return { records: this.records() }
  }

  wipe(): void {
    this.restore({ records: [] })
  }

  /** Not while a node runs on it. */
  restore(copy: Copy): void {
    this.generation++
    this.#store = this.#empty()
    this.#lastCommit = 0
    this.#ever = new Map()
    if (copy.records.length > 0) Effect.runSync(this.#commit(copy.records, Hlc.zero))
    this.#options.changed?.()
  }

  #commit(records: ReadonlyArray<Record>, aged: Hlc.Hlc) {
    return Effect.map(this.#store.commit(records, aged), (commit) => {
      this.#lastCommit = commit.number
      for (const record of records) this.#ever.set(keyOf(record), record)
      return commit
    })
  }

  #fault(reason: StoreError["reason"]): Effect.Effect<never, StoreError> {
    return Effect.suspend(() => {
      this.#options.faulted?.()
      return Effect.fail(new StoreError({ reason, message: "a simulated fault" }))
    })
  }

  /** A read under the present conditions. */
  #reading<A>(read: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> {
    return Effect.suspend(() => {
      const { readFailRate, readMsMax } = this.conditions
      if (readMsMax === 0 && readFailRate === 0) return read
      const { random } = this.#options
      const pause = () => Effect.sleep(random.unit() * readMsMax / 2)
      if (random.chance(readFailRate)) return Effect.andThen(pause(), this.#fault("io"))
      return pause().pipe(Effect.andThen(read), Effect.tap(pause))
    })
  }

  /** The port for one run of a node. Its commits are counted from 1. */
  open(): Store["Service"] {
    const store = this.#store
    const { collected, committed, random } = this.#options
    const before = this.#lastCommit
    const epoch = this.generation.toString(16).padStart(16, "0")
    const inLine = <A>(answer: InLine<A>): InLine<A> => ({ ...answer, commit: answer.commit - before })
    const reads = Object.fromEntries(
      readNames.map((name) => {
        const read = store[name] as (...given: ReadonlyArray<unknown>) => Effect.Effect<unknown, StoreError>
        return [name, (...given: ReadonlyArray<unknown>) => this.#reading(Effect.suspend(() => read(...given)))]
      })
    ) as Pick<Store["Service"], typeof readNames[number]>
    return Store.of({
      ...store,
      ...reads,
      clock: this.#reading(store.clock),
      // a disk that was wiped or set back numbers anew
      arrivalLog: this.#reading(Effect.map(store.arrivalLog, (log) => ({ ...log, epoch }))),
      stats: this.#reading(store.stats),
      commit: (records, aged) =>
        Effect.suspend(() => {
          const { commitMsMax, failRate, full } = this.conditions
          const pause = () => Effect.sleep(random.unit() * commitMsMax / 2)
          if (full && records.length > 0) return Effect.andThen(pause(), this.#fault("full"))
          if (random.chance(failRate)) return Effect.andThen(pause(), this.#fault("io"))
          return pause().pipe(
            Effect.andThen(this.#commit(records, aged)),
            Effect.tap(({ outcomes }) => Effect.sync(() => committed?.(records, outcomes))),
            Effect.tap(pause),
            Effect.map((commit) => ({ ...commit, number: commit.number - before }))
          )
        }),
      collect: (aged, limit) =>
        this.#reading(store.collect(aged, limit)).pipe(Effect.tap(() => Effect.sync(() => collected?.(aged)))),
      leaves: (query) => this.#reading(Effect.map(store.leaves(query), inLine)),
      recent: (floor) => this.#reading(Effect.map(store.recent(floor), inLine))
    })
  }
}

const keyOf = (record: Record): string => `${slotOf(record)} ${record.id}`
