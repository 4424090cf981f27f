/** Acceptance: queue, clock, group, memory. See the port for the contract. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { Hashing } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import * as Horizon from "../../domain/horizon.ts"
import type { ChatId } from "../../domain/ids.ts"
import type { Op, Record } from "../../domain/record.ts"
import * as Retention from "../../domain/retention.ts"
import * as Variants from "../../domain/variants.ts"
import { Acceptor } from "../../services/Acceptor.ts"
import { Groups } from "../../services/Groups.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Store } from "../../services/Store.ts"
import { type Ticket, Writer } from "../../services/Writer.ts"
import { type Now, RecentIds, type Remembered, variantOf } from "./recent-ids.ts"

/** Records remembered in each of two generations; at more than this in three minutes, the store is asked. */
const recentMax = 250_000

/** Whether the later stamp wins among variants of one id (SPEC §5). */
const laterWins = (record: Record): boolean => record.kind === "read" || record.kind === "identity"

export const layer = Layer.effect(
  Acceptor,
  Effect.gen(function*() {
    const hashes = yield* Hashing
    const clock = yield* HybridClock
    const groups = yield* Groups
    const writer = yield* Writer
    const time = yield* Clock.Clock
    const now = (): Now => ({
      steadyMs: Number(time.monotonicTimeNanosUnsafe() / 1_000_000n),
      wallMs: clock.wall()
    })
    const store = yield* Store
    const recent = new RecentIds(recentMax, now())
    // until it is here, and where it does not come, the store is asked about each write for a while
    yield* store.recentBuckets(Horizon.lastStamp(recent.seedMs)).pipe(
      Effect.map((buckets) => recent.seed(buckets)),
      Effect.catch((error) =>
        Effect.logWarning("what was stored shortly before the start is not known", error.message)
      ),
      Effect.forkScoped
    )
    const watchers = new Set<(chatId: ChatId) => void>()

    /** Of a slot still to be written: what retention takes away does not hold it (SPEC §5.3). */
    const isPending = (record: Record): boolean => {
      const held = writer.pending(Variants.slotOf(record))
      return held !== undefined && !Variants.wins(record, held) &&
        !Retention.isAged(held, Retention.cutoffMs(clock.wall()))
    }

    /**
     * Whether a mark may have lost its slot since it was accepted, and nobody hold it now: to a mark that reached higher and
     * has aged (SPEC §5.3). None of those reaches above the cutoff. The store knows.
     */
    const mayBeGone = (record: Record): boolean =>
      record.kind === "read" && Hlc.physicalMs(record.upTo) <= Retention.cutoffMs(clock.wall())

    /** Whether the remembered variant of this id is the same, or wins; `undefined` when it takes more to tell. */
    const isRemembered = (record: Record, held: Remembered): boolean | undefined => {
      if (record.hlc !== held.hlc) return laterWins(record) ? record.hlc < held.hlc : record.hlc > held.hlc
      return variantOf(hashes, record) === held.variant ? true : undefined
    }

    return Acceptor.of({
      step: (group, f) => {
        const ops: Array<Op> = []
        let last: Ticket = 0
        try {
          return f((record) => {
            if (record.kind === "op" && record.chatId !== group?.chatId) {
              throw new Error(`op ${record.id} is accepted without its group`)
            }
            const offered = writer.offer(record)
            if (Result.isFailure(offered)) return Result.fail(offered.failure)
            // this node's own stamps are merged by being given, unless they were set above the clock
            if (record.hlc !== clock.last()) clock.receive(record.hlc)
            const accepted = { hlc: record.hlc, ticket: offered.success }
            recent.add(record.id, { ...accepted, variant: variantOf(hashes, record) }, now())
            if (record.kind === "op") {
              group!.authority.add(record)
              ops.push(record)
              last = offered.success
            }
            return Result.succeed(accepted)
          })
        } finally {
          // whatever `f` did: what is queued is accepted
          if (ops.length > 0) {
            groups.apply(group!, ops, last)
            for (const watcher of watchers) watcher(group!.chatId)
          }
        }
      },
      recent: (id) => recent.get(id),
      mayBeStored: (id) => recent.mayBeStored(id, now()),
      isComplete: () => recent.isComplete(now().steadyMs),
      knows: (record) => {
        if (isPending(record)) return true
        const held = recent.get(record.id)
        if (held !== undefined) return mayBeGone(record) ? undefined : isRemembered(record, held)
        // another mark or identity, of another id, may hold the slot
        return laterWins(record) || !recent.covers(record.hlc, now()) ? undefined : false
      },
      watch: (f) =>
        Effect.acquireRelease(
          Effect.sync(() => watchers.add(f)),
          () => Effect.sync(() => watchers.delete(f))
        ).pipe(Effect.asVoid)
    })
  })
)
