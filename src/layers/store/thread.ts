/**
 * The event loop's side of a database thread: sends calls, hands out answers.
 *
 * Rules:
 * 1. A caller who goes away is forgotten; the thread still does what was asked (a commit happens wholly or not at all).
 * 2. When a thread ends, for whatever reason, every open call fails, and every later one at once. It is not started
 *    again: what it died of may be the data, and a node must not look healthy then.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
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

const deliver = (worker: Worker, path: string) => {
  const open = new Map<number, Resume>()
  let ended: Failure | undefined
  const end = (why: string): void => {
    if (ended !== undefined) return
    ended = { reason: "stopped", message: `${path}: the database thread stopped (${why}): restart the node` }
    for (const resume of open.values()) resume({ failure: ended })
    open.clear()
  }
  worker.on("message", (reply: Reply) => {
    const resume = open.get(reply.id)
    open.delete(reply.id)
    resume?.(reply)
  })
  worker.on("messageerror", (error) => end(error.message))
  worker.on("error", (error) => end(error instanceof Error ? error.message : String(error)))
  worker.on("exit", (code) => end(`exit code ${code}`))
  return {
    wait: (id: number, resume: Resume): void => {
      if (ended === undefined) open.set(id, resume)
      else resume({ failure: ended })
    },
    forget: (id: number): void => void open.delete(id)
  }
}

/**
 * Starts a thread, which then waits for the call `open` with the same path. The file is closed and the thread ends with
 * the scope. `spawn` is for tests.
 */
export const start = (
  path: string,
  spawn: () => Worker = () => new Worker(file)
): Effect.Effect<Thread, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { worker, wait, forget } = yield* Effect.acquireRelease(
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
        wait(request.id, (reply) => {
          if (name === "open" && "answer" in reply) open = true
          resume("failure" in reply ? Effect.fail(storeError(reply.failure)) : Effect.succeed(reply.answer as never))
        })
        worker.postMessage(request, ask instanceof ArrayBuffer ? [ask] : [])
        return Effect.sync(() => forget(request.id))
      })
    yield* Effect.addFinalizer(() => open ? Effect.ignore(call("close", undefined)) : Effect.void)
    return { call }
  })
