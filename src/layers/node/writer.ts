/**
 * The asynchronous writer. One fiber takes what has queued up, at most a batch, and commits it in one transaction. A
 * commit that fails is tried again, with growing pauses, for as long as the node runs: what was accepted is not dropped.
 * Meanwhile the queue fills, and new writes are refused.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Result from "effect/Result"
import * as Horizon from "../../domain/horizon.ts"
import type { IngestLimits } from "../../domain/limits.ts"
import { type Record, sizeOf } from "../../domain/record.ts"
import { Overloaded } from "../../domain/refusal.ts"
import * as Retention from "../../domain/retention.ts"
import * as Variants from "../../domain/variants.ts"
import { type Commit, isPermanent, reasonText, Store, StoreError } from "../../services/Store.ts"
import { Trees } from "../../services/Trees.ts"
import { type Committed, type Ticket, Writer } from "../../services/Writer.ts"
import * as Metrics from "./metrics.ts"

/** Records in one transaction: more gain nothing, and hold up the next one. */
const batchMax = 1_000
/**
 * While much comes, a commit that nobody waits for takes what comes until this long after the one before it began, ms. A
 * commit costs as much as some records in it: at 900 writes/s a write took a fifth less CPU.
 */
const gatherMs = 8
/** Records of the commit before, from which on it is much. With less, each is there for readers as soon as can be. */
const gatherMin = 4
/** Records that are not kept for more to come. */
const gatherMax = 64
/** Memory that queued records may take, roughly. */
const queueBytesMax = 64 * 1024 * 1024
const retryMsMin = 50
const retryMsMax = 5_000
/** Tries at shutdown before what is queued is given up, loudly. */
const drainTriesMax = 5
/** A reader waits this long for writes before hers. */
const settledMsMax = 5_000
/** Commits that a slow subscriber may lag behind. */
const commitsBuffered = 256

/**
 * The names that a record's views are read under: the chat, and the users whose inbox or identity it changes. Waiting
 * for these names is waiting for the record.
 */
const touched = (record: Record): ReadonlyArray<string> => {
  switch (record.kind) {
    case "message":
      return record.peer === undefined ? [record.chatId] : [record.chatId, record.sender, record.peer]
    case "op":
      return [record.chatId, record.actor, ...record.targets]
    case "read":
      return [record.chatId, record.reader]
    case "identity":
      return [record.address]
  }
}

/** What became of each record. `first`: the ticket of the first. */
const told = (records: ReadonlyArray<Record>, first: Ticket, commit: Commit): ReadonlyArray<Committed> => {
  let arrival = commit.firstArrival
  return records.map((record, i) => {
    const outcome = commit.outcomes[i]!
    const arrived = outcome === "stored" || outcome === "replaced"
    return { ticket: first + i, record, outcome, arrival: arrived ? arrival++ : undefined }
  })
}

export const layer = (limits: IngestLimits) =>
  Layer.effect(
    Writer,
    Effect.gen(function*() {
      const store = yield* Store
      const trees = yield* Trees
      const clock = yield* Clock.Clock
      const commits = yield* PubSub.sliding<ReadonlyArray<Committed>>(commitsBuffered)
      const work = yield* Latch.make(false)
      /** Opened when the next commit should not wait for more records. */
      const hurry = yield* Latch.make(false)

      let queue: Array<Record> = []
      let batch: ReadonlyArray<Record> = []
      let queuedBytes = 0
      let begunMs = 0
      let lastSize = 0
      let accepted: Ticket = 0
      let done: Ticket = 0
      let failing: string | undefined
      /** Whether `failing` cannot pass: nothing more is accepted then, because it could never be kept. */
      let broken = false
      const pendingSlots = new Map<string, { record: Record; ticket: Ticket }>()
      const pendingNames = new Map<string, Ticket>()
      const waiting = new Set<{ readonly ticket: Ticket; readonly resume: (effect: Effect.Effect<void>) => void }>()
      const outside = new Set<(effect: Effect.Effect<void>) => void>()
      const metrics = yield* Metrics.make

      const hasRoom = (): boolean =>
        failing === undefined && accepted - done <= limits.queueRecordsMax / 2 && queuedBytes <= queueBytesMax / 2

      /** Lets all who wait for room look again, in the order they came: the first to offer may leave none for the others. */
      const letIn = () => {
        if (!hasRoom()) return
        const waited = [...outside]
        outside.clear()
        for (const resume of waited) resume(Effect.yieldNow)
      }

      const room: Effect.Effect<void> = Effect.suspend(() =>
        hasRoom()
          ? Effect.void
          : Effect.andThen(
            Effect.callback<void>((resume) => {
              outside.add(resume)
              hurry.openUnsafe()
              return Effect.sync(() => outside.delete(resume))
            }),
            room
          )
      )

      /** The last stamp that retention takes away now: SPEC §9. */
      const aged = () => Horizon.lastStamp(Retention.cutoffMs(clock.currentTimeMillisUnsafe()))

      const offer = (record: Record): Result.Result<Ticket, Overloaded> => {
        const size = sizeOf(record)
        if (broken || accepted - done >= limits.queueRecordsMax || queuedBytes + size > queueBytesMax) {
          metrics.refused("queue")
          return Result.fail(
            new Overloaded({
              reason: "queue",
              message: failing === undefined
                ? "more is being written than the disk takes; try again"
                : `nothing can be written now (${failing}); try again later`,
              retry_after: 1
            })
          )
        }
        queue.push(record)
        queuedBytes += size
        const ticket = ++accepted
        const slot = Variants.slotOf(record)
        const other = pendingSlots.get(slot)
        pendingSlots.set(slot, {
          record: other === undefined || Variants.wins(record, other.record) ? record : other.record,
          ticket
        })
        for (const name of touched(record)) pendingNames.set(name, ticket)
        metrics.queued(accepted - done)
        work.openUnsafe()
        if (queue.length >= gatherMax) hurry.openUnsafe()
        return Result.succeed(ticket)
      }

      const finish = (records: ReadonlyArray<Record>) => {
        done += records.length
        for (const record of records) {
          queuedBytes -= sizeOf(record)
          const slot = Variants.slotOf(record)
          const held = pendingSlots.get(slot)
          // one batch may hold several records of a slot
          if (held !== undefined && held.ticket <= done) pendingSlots.delete(slot)
        }
        for (const record of records) {
          for (const name of touched(record)) {
            const ticket = pendingNames.get(name)
            if (ticket !== undefined && ticket <= done) pendingNames.delete(name)
          }
        }
        metrics.queued(accepted - done)
        for (const waiter of waiting) {
          if (waiter.ticket > done) continue
          waiting.delete(waiter)
          waiter.resume(Effect.yieldNow)
        }
        letIn()
      }

      const commit = Effect.gen(function*() {
        if (batch.length === 0) {
          batch = queue.length <= batchMax ? queue : queue.slice(0, batchMax)
          queue = queue.length <= batchMax ? [] : queue.slice(batchMax)
        }
        const records = batch
        begunMs = clock.currentTimeMillisUnsafe()
        lastSize = records.length
        const [took, result] = yield* Effect.timed(store.commit(records, aged()))
        failing = undefined
        broken = false
        metrics.committed(records, Duration.toMillis(took))
        const first = done + 1
        // committed, whatever happens now: these records must not be written again
        batch = []
        finish(records)
        trees.apply(result)
        yield* PubSub.publish(commits, told(records, first, result))
      })

      /** Commits once. A defect is a failure like others here: the writer must outlive it, and say so. */
      const tryCommit = commit.pipe(
        Effect.catchCause((cause) =>
          Effect.suspend(() => {
            const error = Cause.squash(cause)
            const why = error instanceof StoreError ? reasonText[error.reason] : "the writer is broken"
            const said = failing === why
            failing = why
            broken = error instanceof StoreError && isPermanent(error.reason)
            metrics.failed()
            return said
              ? Effect.fail("again" as const)
              : Effect.andThen(
                Effect.logError(`cannot write, ${accepted - done} records wait`, cause),
                Effect.fail("again" as const)
              )
          })
        )
      )

      /** While nobody waits and there is room for more; a clock that was set back makes it no longer. */
      const gather = Effect.suspend(() => {
        if (lastSize < gatherMin) return Effect.void
        const restMs = Math.min(gatherMs, begunMs + gatherMs - clock.currentTimeMillisUnsafe())
        if (restMs <= 0 || waiting.size + outside.size > 0 || queue.length >= gatherMax) return Effect.void
        hurry.closeUnsafe()
        return Effect.raceFirst(hurry.await, Effect.sleep(restMs))
      })

      const loop = Effect.gen(function*() {
        let pause = retryMsMin
        while (true) {
          yield* work.await
          // woken in the middle of an `offer`: the caller's step goes first
          yield* Effect.yieldNow
          if (queue.length === 0 && batch.length === 0) {
            work.closeUnsafe()
            // all is committed: what went wrong after that must not keep out who waits for room
            if (failing !== undefined) {
              failing = undefined
              broken = false
              letIn()
            }
            continue
          }
          if (batch.length === 0) yield* gather
          // a commit that was begun is seen through, so that shutting down never repeats or forgets one
          const result = yield* Effect.uninterruptible(Effect.result(tryCommit))
          if (Result.isSuccess(result)) {
            pause = retryMsMin
          } else {
            yield* Effect.sleep(pause)
            pause = Math.min(pause * 2, retryMsMax)
          }
        }
      })

      const drain = Effect.gen(function*() {
        for (let tries = 0; tries < drainTriesMax && accepted > done;) {
          const result = yield* Effect.result(tryCommit)
          if (Result.isSuccess(result)) continue
          tries++
          yield* Effect.sleep(retryMsMin)
        }
        if (accepted > done) {
          yield* Effect.logError(`${accepted - done} accepted records could not be written: ${failing}`)
        }
      })

      // runs after the fiber below has stopped: finalizers go in reverse
      yield* Effect.addFinalizer(() => drain)
      yield* Effect.forkScoped(loop)

      const committed = (ticket: Ticket): Effect.Effect<void> =>
        Effect.callback((resume) => {
          if (ticket <= done) return resume(Effect.void)
          const waiter = { ticket, resume }
          waiting.add(waiter)
          hurry.openUnsafe()
          return Effect.sync(() => waiting.delete(waiter))
        })

      return Writer.of({
        offer,
        room,
        hasRoom,
        pending: (slot) => pendingSlots.get(slot)?.record,
        last: () => accepted,
        committed,
        settled: (names) =>
          Effect.suspend(() => {
            let last: Ticket = 0
            for (const name of names) last = Math.max(last, pendingNames.get(name) ?? 0)
            if (last <= done) return Effect.succeed(false)
            const tooLate = new Overloaded({
              reason: "queue",
              message: failing === undefined
                ? "what you ask for is still being written; try again"
                : `what you ask for cannot be written (${failing}); try again later`,
              retry_after: 1
            })
            return failing === undefined
              ? committed(last).pipe(
                Effect.as(true),
                Effect.timeoutOrElse({ duration: settledMsMax, orElse: () => Effect.fail(tooLate) })
              )
              : Effect.fail(tooLate)
          }),
        commits,
        stats: () => ({ queued: accepted - done, queuedBytes, committed: done, failing })
      })
    })
  )
