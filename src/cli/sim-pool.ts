/**
 * Threads that runs are made on, one run at a time each. A thread that dies or takes too long fails that run, and the next
 * run gets a new thread. None outlives its scope.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { getCompileCacheDir } from "node:module"
import { Worker } from "node:worker_threads"
import type { Order, Told } from "./sim-serve.ts"

/** Memory of a thread, MiB: one that wants more ends. A long run takes some hundreds. */
const heapMiBMax = 1_536
/** For a thread to load its code, on a busy machine. */
const startMsMax = 120_000

export const spawn = (): Worker =>
  new Worker(new URL("./sim-run.worker.ts", import.meta.url), {
    name: "sim",
    workerData: { compileCache: getCompileCacheDir() !== undefined },
    resourceLimits: { maxOldGenerationSizeMb: heapMiBMax },
    execArgv: []
  })

/** The thread ended, or its run did not. `why`: for people. */
export class RunLost extends Schema.TaggedError<RunLost>()("RunLost", {
  reason: Schema.Literals(["crash", "time"]),
  why: Schema.String
}) {}

const died = (why: string): RunLost => new RunLost({ reason: "crash", why })

export interface Hand {
  /**
   * Has an order done within a time, ms. `told` gets what is told on the way. Gives the last word. The thread is ended
   * when the effect is interrupted.
   */
  readonly ask: (order: Order, msMax: number, told?: (told: Told) => void) => Effect.Effect<Told, RunLost>
}

const isLast = ({ _tag }: Told): boolean => _tag === "Ran" || _tag === "Shrunk" || _tag === "Broke"

/** Waits for a word of the thread; ends the thread when it is waited for no more. */
const listen = (worker: Worker, ends: (told: Told) => boolean, told?: (told: Told) => void) =>
  Effect.callback<Told, RunLost>((resume) => {
    let cause: string | undefined
    const { maxOldGenerationSizeMb: heapMiB = heapMiBMax } = worker.resourceLimits ?? {}
    const leave = (): void => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit)
    }
    const onMessage = (message: Told): void => {
      if (!ends(message)) return told?.(message)
      leave()
      resume(Effect.succeed(message))
    }
    const onError = (error: unknown): void => {
      const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
      cause = code === "ERR_WORKER_OUT_OF_MEMORY"
        ? `it took more than ${heapMiB} MiB of memory`
        : String(message ?? error)
    }
    const onExit = (code: number): void => {
      leave()
      resume(Effect.fail(died(cause ?? `its thread ended with code ${code}`)))
    }
    worker.on("message", onMessage).on("error", onError).on("exit", onExit)
    return Effect.suspend(() => {
      leave()
      return Effect.promise(() => worker.terminate())
    })
  })

/** A place for one thread, which is started when there is something to do. */
export const hand = (make: () => Worker): Effect.Effect<Hand, never, Scope.Scope> =>
  Effect.gen(function*() {
    let thread: Worker | undefined
    const end = Effect.suspend(() => {
      const ended = thread
      thread = undefined
      return ended === undefined ? Effect.void : Effect.promise(() => ended.terminate())
    })
    yield* Effect.addFinalizer(() => end)

    const start = Effect.suspend(() => {
      if (thread !== undefined) return Effect.succeed(thread)
      const worker = make()
      thread = worker
      worker.on("error", () => {})
      worker.on("exit", () => {
        if (thread === worker) thread = undefined
      })
      return listen(worker, ({ _tag }) => _tag === "Ready").pipe(
        Effect.as(worker),
        Effect.timeoutOrElse({
          duration: startMsMax,
          orElse: () => Effect.fail(died("its thread could not be started in time"))
        })
      )
    })

    const ask: Hand["ask"] = (order, msMax, told) =>
      Effect.gen(function*() {
        const worker = yield* start
        const answer = listen(worker, isLast, told)
        worker.postMessage(order, [])
        return yield* answer.pipe(Effect.timeoutOrElse({
          duration: msMax,
          orElse: () => Effect.fail(new RunLost({ reason: "time", why: `it took more than ${msMax / 1_000} s` }))
        }))
      })
    return { ask }
  })
