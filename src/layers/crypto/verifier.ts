/**
 * The `Verifier` of a node: the fastest library that proves itself on this machine, and a few threads beside the
 * caller's. The choice is logged, and shown by `info`.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { availableParallelism } from "node:os"
import type { Worker } from "node:worker_threads"
import type { Address } from "../../domain/ids.ts"
import { type NodeSignature, type Recovery, Verifier } from "../../services/Verifier.ts"
import { type Backend, type BackendName, loadProven, preference } from "./backend.ts"
import { type Answer, check, type Item } from "./check.ts"
import { isPackable } from "./packing.ts"
import * as Pool from "./pool.ts"

export interface VerifierOptions {
  /** Where to begin looking; what does not prove itself is passed over for the next slower one. Default `native`. */
  readonly backend?: BackendName | undefined
  /** Threads beside the caller's, 0 for none. Default: one fewer than the cores, at least 1 and at most 8. */
  readonly workers?: number | undefined
  /** How a thread is made; tests look over its shoulder. */
  readonly spawn?: ((backend: BackendName) => Worker) | undefined
}

/** Always 1; its labels say what was chosen at the start. */
const chosen = Metric.gauge("p2p_mes_verifier_info", {
  description: "The backend of signature checks, and its threads"
})
/** Signatures asked about and not yet answered. */
export const outstanding = Metric.gauge("p2p_mes_verifier_outstanding", {
  description: "Signatures waiting for or under verification"
})
/** Recoveries that gave an address, and signatures of nodes that held. */
export const verified = Metric.counter("p2p_mes_verified_total", {
  description: "Signatures that a key could have made, or that the named node made",
  incremental: true
})
export const rejected = Metric.counter("p2p_mes_rejected_total", {
  description: "Signatures that no key could have made, or that the named node did not make",
  incremental: true
})

/** Items checked at a time where there are no threads, before others have their turn: 4 ms with the native library. */
const turnItems = 64
/** Done in place when nothing else is outstanding. Not with noble: two would hold up the event loop for 4 ms. */
const inPlaceMax: Record<BackendName, number> = { native: 2, wasm: 2, noble: 0 }

const choose = Effect.fnUntraced(function*(from: BackendName) {
  for (const name of preference.slice(preference.indexOf(from), -1)) {
    const loaded = yield* Effect.result(Effect.tryPromise(() => loadProven(name)))
    if (loaded._tag === "Success") return loaded.success
    yield* Effect.logWarning(`signatures: the ${name} backend is unavailable`).pipe(
      Effect.annotateLogs({ cause: String(loaded.failure.cause) })
    )
  }
  return yield* Effect.promise(() => loadProven("noble"))
})

type Run = (items: ReadonlyArray<Item>) => Effect.Effect<ReadonlyArray<Answer>>
type Count = (yes: number, no: number) => void

const isYes = (answer: Answer): boolean => answer !== undefined && answer !== false

/** Without threads: a few at once, many in turns. */
const runHere = (backend: Backend, count: Count): Run => {
  const turn = (items: ReadonlyArray<Item>): ReadonlyArray<Answer> => {
    const answers = items.map((item) => check(backend, item))
    const yes = answers.filter(isYes).length
    count(yes, answers.length - yes)
    return answers
  }
  return Effect.fnUntraced(function*(items) {
    if (items.length <= turnItems) return turn(items)
    const answers: Array<Answer> = []
    for (let at = 0; at < items.length; at += turnItems) {
      answers.push(...turn(items.slice(at, at + turnItems)))
      yield* Effect.yieldNow
    }
    return answers
  })
}

const runPool = (pool: Pool.Pool): Run => (items) =>
  Effect.callback<ReadonlyArray<Answer>>((resume) => {
    const cancel = pool.submit(items, (answers) =>
      resume(answers === undefined ? Effect.interrupt : Effect.succeed(answers)))
    return Effect.sync(cancel)
  })

/**
 * Keeps what does not fit the packed form away from the threads: a recovery of wrong lengths has no answer, a node's
 * signature over something else than 32 bytes (a challenge) is rare and done here.
 */
const withOddItems = (run: Run, here: Run): Run => {
  const apart = Effect.fnUntraced(function*(items: ReadonlyArray<Item>) {
    const packable = yield* run(items.filter(isPackable))
    const odd = yield* here(items.filter((item) => !isPackable(item)))
    let [nextPackable, nextOdd] = [0, 0]
    return items.map((item) => isPackable(item) ? packable[nextPackable++] : odd[nextOdd++])
  })
  return (items) => items.every(isPackable) ? run(items) : apart(items)
}

export const layer = (options: VerifierOptions = {}): Layer.Layer<Verifier> =>
  Layer.effect(
    Verifier,
    Effect.gen(function*() {
      const context: Context.Context<never> = yield* Effect.context<never>()
      const backend = yield* choose(options.backend ?? "native")
      const wanted = options.workers ?? Math.min(8, Math.max(1, availableParallelism() - 1))
      yield* Metric.update(Metric.withAttributes(chosen, { backend: backend.name, workers: String(wanted) }), 1)
      const count: Count = (yes, no) => {
        if (yes > 0) verified.updateUnsafe(yes, context)
        if (no > 0) rejected.updateUnsafe(no, context)
      }
      const here = runHere(backend, count)
      const pool = wanted === 0 ? undefined : yield* Effect.acquireRelease(
        Effect.promise(() =>
          Pool.make({
            backend,
            threads: wanted,
            inPlaceMax: inPlaceMax[backend.name],
            spawn: options.spawn ?? Pool.spawn,
            onOutstanding: (items) => outstanding.updateUnsafe(items, context),
            onAnswers: count,
            retryMs: Pool.retryMs,
            onDeath: (cause, replaced) =>
              Effect.runForkWith(context)(
                Effect.logWarning(`a verifier thread died and was ${replaced ? "replaced" : "left out for a while"}`)
                  .pipe(
                    Effect.annotateLogs({ cause })
                  )
              )
          })
        ),
        (pool) => Effect.promise(() => pool.close())
      )
      const run = pool === undefined ? here : withOddItems(runPool(pool), here)
      const info = { backend: backend.name, workers: pool?.threads ?? 0 }
      yield* Effect.logInfo("signatures").pipe(Effect.annotateLogs(info))

      // one kind of item in, the same kind of answer out
      const recoverAll = (items: ReadonlyArray<Recovery>) =>
        run(items) as Effect.Effect<ReadonlyArray<Address | undefined>>
      const verifyNodeAll = (items: ReadonlyArray<NodeSignature>) => run(items) as Effect.Effect<ReadonlyArray<boolean>>
      return Verifier.of({
        info,
        recover: (item) => Effect.map(recoverAll([item]), (answers) => answers[0]),
        recoverAll,
        verifyNode: (item) => Effect.map(verifyNodeAll([item]), (answers) => answers[0]!),
        verifyNodeAll
      })
    })
  )
