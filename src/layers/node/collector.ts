/**
 * Retention (SPEC §9): deletes messages and read marks that no horizon this node answers has use for, those at or below
 * the cutoff of the oldest one's hour. Trees and views leave them out long before, so deleting changes no answer.
 *
 * It works in chunks and rests after each for as long as the chunk took, so that writes and reads keep at least half of
 * the database's thread (FAILURES 13, 22); when no write waits it hardly rests. A chunk of deletions costs less than
 * half of as many writes, which makes it at least twice as fast as writing.
 *
 * What is aged is decided by the wall clock. Nothing is collected while peers show that it is off; a node that is alone
 * and whose clock is set forward by a month deletes a month of messages, as SPEC §9 has it: setting the clock back does
 * not bring them back, but anti-entropy does, from peers that still hold them.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Horizon from "../../domain/horizon.ts"
import { horizonStepMs } from "../../domain/limits.ts"
import { PeerClocks } from "../../services/PeerClocks.ts"
import { Store } from "../../services/Store.ts"
import { Trees } from "../../services/Trees.ts"
import { Writer } from "../../services/Writer.ts"
import * as Metrics from "./collector-metrics.ts"

/** Records deleted in one transaction (SPEC §9). */
export const chunkRecords = 1_000
/** Pages given back at once. */
const reclaimPages = 256
/** Rest after a step, as a share of its duration: with writes waiting, and without. */
const restBusy = 1
const restIdle = 0.1
const restMsMax = 2_000
/** Until it is looked again whether the clock is right, or the trees are built. */
const heldMs = 30_000
const retryMsMin = 1_000
const retryMsMax = 60_000
/** Nodes do not all begin at once when the hour turns. */
const jitterMsMax = 30_000

export const layer = Layer.effectDiscard(
  Effect.gen(function*() {
    const store = yield* Store
    const trees = yield* Trees
    const writer = yield* Writer
    const clocks = yield* PeerClocks
    const metrics = yield* Metrics.make
    /** The floor that everything at or below was last seen to be gone, ms. It falls when the clock was set back. */
    let doneMs = 0
    let saidOff = false

    const rest = (took: Duration.Duration) =>
      Effect.suspend(() => {
        const share = writer.stats().queued > 0 ? restBusy : restIdle
        const ms = Math.min(restMsMax, Duration.toMillis(took) * share)
        return ms > 0 ? Effect.sleep(ms) : Effect.yieldNow
      })

    /** One chunk; true when there may be more. */
    const chunk = Effect.fn("Collector.chunk")(function*(floorMs: number) {
      const [took, counts] = yield* Effect.timed(store.collect(Horizon.lastStamp(floorMs), chunkRecords))
      metrics.collected(counts, Duration.toMillis(took))
      yield* rest(took)
      return counts.messages + counts.reads >= chunkRecords
    })

    /** Gives back what deleting has left empty, while that makes progress. */
    const reclaim = Effect.gen(function*() {
      let left = Infinity
      while (left > 0) {
        const [took, now] = yield* Effect.timed(store.reclaim(reclaimPages))
        metrics.unused(now)
        if (now >= left) return
        left = now
        if (left > 0) yield* rest(took)
      }
    })

    /** One piece of work, or a wait. */
    const turn = Effect.gen(function*() {
      const newest = trees.horizonMs()
      const { medianMs, off } = clocks.check()
      metrics.held(off)
      if (off && !saidOff) yield* Effect.logWarning(`nothing is collected: the clock is ${medianMs} ms off its peers'`)
      saidOff = off
      if (newest === undefined || off) return yield* Effect.sleep(heldMs)
      const oldest = Horizon.oldestMs(newest)
      const floorMs = Horizon.floorMs(oldest)
      if (floorMs === doneMs) {
        const untilMs = Math.max(horizonStepMs, Horizon.nextTurnMs(oldest) - oldest)
        return yield* Effect.sleep(untilMs + (yield* Random.nextIntBetween(0, jitterMsMax)))
      }
      if (yield* chunk(floorMs)) return
      yield* reclaim
      doneMs = floorMs
    })

    const loop = Effect.gen(function*() {
      let pause = retryMsMin
      while (true) {
        const result = yield* Effect.exit(turn)
        if (result._tag === "Success") {
          pause = retryMsMin
          continue
        }
        if (Cause.hasInterrupts(result.cause)) return yield* Effect.failCause(result.cause)
        metrics.failed()
        if (pause === retryMsMin) yield* Effect.logError("cannot collect what has aged, trying again", result.cause)
        yield* Effect.sleep(pause)
        pause = Math.min(pause * 2, retryMsMax)
      }
    })
    yield* Effect.forkScoped(Effect.orDie(loop))
  })
)
