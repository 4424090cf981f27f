/**
 * Merkle trees in memory, built in the background when the node starts: clients need not wait for them (FAILURES 20).
 *
 * Built is for the horizon of the start; the horizon then follows the wall clock. Well before the hour of the horizon
 * turns, what ages at the turn is summed, so that the turn itself is one subtraction. Both walk the buckets in steps, in
 * line with commits (`tree-sums.ts`).
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { Hashing } from "../../domain/hashing.ts"
import * as Horizon from "../../domain/horizon.ts"
import { type Domain, domains } from "../../domain/record.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { type InLine, Store, type StoreError } from "../../services/Store.ts"
import { Trees } from "../../services/Trees.ts"
import { behindMsMax, TreeHistory } from "./tree-history.ts"
import * as Metrics from "./tree-metrics.ts"
import { Snapshots } from "./tree-snapshots.ts"
import { stepBuckets, stepsCount, type TreeSums } from "./tree-sums.ts"

const retryMs = 1_000
/** The horizon is moved and hashed this often; in between, by whoever asks. */
const tickMs = 1_000
/** Between two steps of what is not needed before the hour turns: reads and writes go first. */
const pauseMs = 20
/** Stale nodes hashed between two turns of the event loop: about a millisecond (FAILURES 13). */
const hashesAtOnce = 128
/** After so many ticks with the wall clock below every horizon that is answered, it is believed. */
const backTicksMax = 60

export const layer = Layer.effect(
  Trees,
  Effect.gen(function*() {
    const store = yield* Store
    const clock = yield* HybridClock
    const metrics = yield* Metrics.make
    const history: TreeHistory = new TreeHistory(yield* Hashing, {
      changing: (domain, fromMs) => snapshots.changing(domain, fromMs),
      leaving: (oldestMs) => snapshots.leaving(oldestMs)
    })
    const snapshots = new Snapshots(history)

    const wanted = yield* Latch.make(true)
    let why = ""
    let ready = false
    let said = false
    let backTicks = 0
    /** How long the last build took, ms: a node that falls behind by building must not build for it again. */
    let tookMs = 0
    let lowestMs = 0

    const newestMs = () => Horizon.horizonMs(clock.wall())

    /** Starts again: the trees are derived, so what they hold may always be dropped. */
    const reset = (reason: string): void => {
      why = reason
      if (ready) {
        ready = false
        lowestMs = history.newestMs
        snapshots.leaving(Infinity)
      }
      history.reset(history.newestMs)
      wanted.openUnsafe()
    }

    const guarded = <A>(f: () => A): A | undefined => {
      try {
        return f()
      } catch (error) {
        // trees that do not hold what the store had: never the trouble of who calls
        reset(error instanceof Error ? error.message : String(error))
        return undefined
      }
    }

    /** Moves the horizon to where the clock says; true while it cannot go on. */
    const advance = (): boolean =>
      ready && guarded(() => {
          const progress = history.advance(newestMs(), Math.max(behindMsMax, tookMs * 2))
          if (progress._tag === "Rebuild") reset(progress.why)
          return progress._tag === "Waiting"
        }) === true

    /** One read in line with commits, tried until it comes; false when the trees have been dropped meanwhile. */
    const read = <A>(query: Effect.Effect<InLine<A>, StoreError>, merge: (answer: InLine<A>) => void) =>
      Effect.gen(function*() {
        for (let tries = 0; !wanted.isOpen(); tries++) {
          history.listen()
          const answer = yield* Effect.result(query)
          if (wanted.isOpen()) return false
          if (answer._tag === "Success") {
            merge(answer.success)
            return true
          }
          if (tries === 0) yield* Effect.logWarning("the trees cannot be read yet", answer.failure.message)
          yield* Effect.sleep(retryMs)
        }
        return false
      })

    const step = (sums: TreeSums, domain: Domain, index: number, span: Horizon.Span) =>
      read(
        store.leaves({
          domain,
          from: index * stepBuckets,
          to: (index + 1) * stepBuckets,
          span,
          ageingOnly: sums.part.ageingOnly
        }),
        (answer) => history.merge(sums, domain, index, answer)
      )

    /** Hashes in slices: a whole tree at once would hold up the event loop. */
    const refresh = Effect.gen(function*() {
      while (!history.refresh(hashesAtOnce)) yield* Effect.yieldNow
    })

    const build = Effect.gen(function*() {
      if (why !== "") {
        metrics.rebuilt()
        yield* Effect.logError(`building the trees anew: ${why}`)
      }
      wanted.closeUnsafe()
      const began = yield* Clock.monotonicTimeNanos
      const horizon = Math.max(lowestMs, newestMs())
      const span = Horizon.spanAt(horizon)
      history.reset(horizon)
      // what is younger than the oldest horizon first: every later read holds it too
      if (!(yield* read(store.recent(Horizon.lastStamp(history.oldestMs)), (answer) => history.begin(answer)))) return
      for (const domain of domains) {
        for (let index = 0; index < stepsCount; index++) {
          if (!(yield* step(history.line(domain).base, domain, index, span))) return
        }
      }
      yield* refresh
      if (wanted.isOpen()) return
      tookMs = Number((yield* Clock.monotonicTimeNanos) - began) / 1e6
      ready = true
      said = false
      advance()
    })

    /** Sums what leaves when the hour turns next. */
    const prepare = Effect.gen(function*() {
      for (const domain of domains) {
        const from = history.newestMs
        const line = history.line(domain)
        const sums = line.prepare(from)
        if (sums === undefined || sums.complete) continue
        const span = { floor: Horizon.lastStamp(sums.part.aboveMs), ceiling: Horizon.lastStamp(sums.part.upToMs) }
        for (let index = sums.stepsRead; index < stepsCount; index++) {
          if (!(yield* step(sums, domain, index, span))) return
          if (!advance()) yield* Effect.sleep(pauseMs)
          if (wanted.isOpen()) return
        }
      }
    })

    /** A wall clock that stays far below would leave this node without a horizon in common with anybody. */
    const watchBack = (): void => {
      backTicks = newestMs() < history.oldestMs ? backTicks + 1 : 0
      if (backTicks <= backTicksMax) return
      backTicks = 0
      reset(`the wall clock was set back by ${history.newestMs - newestMs()} ms`)
      lowestMs = 0
    }

    const tick = Effect.gen(function*() {
      if (wanted.isOpen()) return yield* build
      const waiting = advance()
      if (waiting && !said) {
        said = true
        yield* Effect.logWarning("the horizon waits at the turn of the hour until what ages is summed")
      }
      if (!waiting) said = false
      if (!wanted.isOpen()) yield* prepare
      advance()
      if (!wanted.isOpen()) yield* refresh
      metrics.moved(clock.wall() - history.newestMs, history.changes)
      watchBack()
      yield* Effect.raceFirst(wanted.await, Effect.sleep(tickMs))
    })

    yield* Effect.forever(
      tick.pipe(
        // a defect too: without trees this node could never say what it holds
        Effect.catchCauseIf(
          (cause) => !Cause.hasInterrupts(cause),
          (cause) => Effect.andThen(Effect.sync(() => reset(Cause.pretty(cause))), Effect.sleep(retryMs))
        )
      )
    ).pipe(Effect.forkScoped)

    return Trees.of({
      apply: (commit) => {
        guarded(() => history.apply(commit))
        advance()
      },
      horizonMs: () => {
        advance()
        return ready ? history.newestMs : undefined
      },
      at: (horizonMs) => {
        advance()
        const answered = ready && Horizon.isAnswered(horizonMs, history.newestMs) && horizonMs >= history.oldestMs
        return answered ? snapshots.at(horizonMs) : undefined
      },
      count: (domain) => history.line(domain).base.tree.count,
      built: () => ready ? 1 : Math.min(history.built, 0.999),
      rebuild: reset
    })
  })
)
