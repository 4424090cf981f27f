/**
 * The event loop's side of a database thread: sends calls, hands out answers.
 *
 * Rules:
 * 1. A caller who goes away is forgotten. What she asked the thread to read is not read, if it has not begun; a commit is
 *    still done (it happens wholly or not at all).
 * 2. When a thread ends, for whatever reason, every open call fails, and every later one at once. It is not started
 *    again: what it died of may be the data, and a node must not look healthy then.
 * 3. Only a few calls are with the thread at a time. The others wait here, in order, where they can still be forgotten.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { getCompileCacheDir } from "node:module"
import { Worker } from "node:worker_threads"
import type { StoreError } from "../../services/Store.ts"
import { type Failure, storeError } from "./errors.ts"
import type { CallName, Calls, Reply, Request } from "./protocol.ts"

export interface Thread {
  readonly call: <N extends CallName>(name: N, ask: Calls[N]["ask"]) => Effect.Effect<Calls[N]["answer"], StoreError>
}

type Resume = (reply: { readonly answer: unknown } | { readonly failure: Failure }) => void

/** The thread's file: TypeScript in a checkout, JavaScript in a package. */
const file = new URL("./database.worker.ts", import.meta.url)

/** Calls with the thread: enough that it never waits for the event loop. */
const postedMax = 4

const deliver = (worker: Worker, path: string) => {
  const open = new Map<number, Resume>()
  // in order of asking: a Map keeps the order of insertion
  const queue = new Map<number, Request>()
  let posted = 0
  const pump = (): void => {
    for (const [id, request] of queue) {
      if (posted >= postedMax) return
      queue.delete(id)
      posted++
      worker.postMessage(request, request.ask instanceof ArrayBuffer ? [request.ask] : [])
    }
  }
  let ended: Failure | undefined
  const end = (why: string): void => {
    if (ended !== undefined) return
    ended = { reason: "stopped", message: `${path}: the database thread stopped (${why}): restart the node` }
    for (const resume of open.values()) resume({ failure: ended })
    open.clear()
    queue.clear()
  }
  worker.on("message", (reply: Reply) => {
    posted--
    pump()
    const resume = open.get(reply.id)
    open.delete(reply.id)
    resume?.(reply)
  })
  worker.on("messageerror", (error) => end(error.message))
  worker.on("error", (error) => end(error instanceof Error ? error.message : String(error)))
  worker.on("exit", (code) => end(`exit code ${code}`))
  return {
    ask: (request: Request, resume: Resume): void => {
      if (ended !== undefined) return resume({ failure: ended })
      open.set(request.id, resume)
      queue.set(request.id, request)
      pump()
    },
    forget: ({ id, name }: Request): void => {
      open.delete(id)
      if (name !== "commit") queue.delete(id)
    }
  }
}

/** What a thread allocates between two collections, MB, thrice over: without a bound it grows to four times as much. */
const youngMbMax = 12

const fresh = (): Worker =>
  new Worker(file, {
    workerData: { compileCache: getCompileCacheDir() !== undefined },
    resourceLimits: { maxYoungGenerationSizeMb: youngMbMax }
  })

/** Threads that wait to be used. They keep no process alive. */
const spares: Array<Worker> = []

/** Begins to load threads that {@link start} will use, while the caller still loads other things: for who starts a node. */
export const prepare = (count: number): void => {
  for (let i = 0; i < count; i++) {
    const worker = fresh()
    worker.unref()
    spares.push(worker)
  }
}

const spareOrFresh = (): Worker => {
  const spare = spares.pop()
  spare?.ref()
  return spare ?? fresh()
}

/**
 * Starts a thread, which then waits for the call `open` with the same path. The file is closed and the thread ends with
 * the scope. `spawn` is for tests.
 */
export const start = (
  path: string,
  spawn: () => Worker = spareOrFresh
): Effect.Effect<Thread, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { ask: send, forget } = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const worker = spawn()
        return { worker, ...deliver(worker, path) }
      }),
      ({ worker }) => Effect.promise(() => worker.terminate())
    )
    let lastId = 0
    let open = false
    const call: Thread["call"] = (name, ask) =>
      Effect.callback((resume) => {
        const request: Request = { id: ++lastId, name, ask }
        send(request, (reply) => {
          if (name === "open" && "answer" in reply) open = true
          resume("failure" in reply ? Effect.fail(storeError(reply.failure)) : Effect.succeed(reply.answer as never))
        })
        return Effect.sync(() => forget(request))
      })
    yield* Effect.addFinalizer(() => open ? Effect.ignore(call("close", undefined)) : Effect.void)
    return { call }
  })
