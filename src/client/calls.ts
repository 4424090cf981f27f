/**
 * One signed call from its first attempt to its end: what is tried again, with which signature, and when to stop.
 *
 * Rules (SPEC §3, §8):
 * 1. A refused clock (401 `expired`) is corrected by the time the node tells, and the call is signed again once.
 * 2. `replayed` is signed again with a new time.
 * 3. `wrong-node`: the node proves its id anew, unless the user pinned one.
 * 4. 429 and 503 store nothing: they are waited for as `Retry-After` says, a few times.
 * 5. A write without an answer may have been done. The same signed request is sent again while a node would take it,
 *    since a repeated write gets its first answer; after that the record is asked for by its id, and only when the
 *    ingest node does not have it, at {@link goneMs} or later, is the write signed anew.
 * 6. What cannot be settled is {@link OutcomeUnknown}, never a second write.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Option from "effect/Option"
import { requestMsMax } from "../domain/limits.ts"
import type { Connection } from "./Connection.ts"
import { NodeUnreachable, OutcomeUnknown, type ReadError, UnexpectedAnswer, type WriteError } from "./errors.ts"
import { type Failure, read as readFailure } from "./failures.ts"
import { type Attempt, CurrentAttempt, type Intent } from "./signing.ts"
import type { Timestamps } from "./Timestamps.ts"

/** A lost request may be sent again until it is this old: a node takes it for 30 s, less what the way may take. */
const resendMsMax = requestMsMax - 5_000
/**
 * A lost request that its node does not have at this age is nowhere, ms. No node takes it any more, clocks a little apart;
 * and a node that passed it on, died before it was stored, and came back has it again from the others: a horizon is up to
 * 15 s behind, and rounds of sync are up to 15 s apart (SPEC §6).
 */
export const goneMs = requestMsMax + 35_000
const lostPauseMs = [200, 400, 1_000]

export interface CallOptions {
  readonly timestamps: Timestamps
  readonly timeoutMs: number
  /** How often a 429 or 503 is waited for. */
  readonly busyRetriesMax: number
  /** A longer wait than this, for a busy node or for {@link goneMs}, is not waited for but failed with, ms. */
  readonly busyWaitMsMax: number
  /** How often a call that had no answer is made again. Default: 2, a write 3. */
  readonly lostRetriesMax?: number | undefined
}

/** Whether a record exists: the answer of the write that made it; `absent` is the word of the ingest node. */
export type Settled<A> = Option.Option<A> | "absent"

export interface Write<A> {
  readonly intent: Intent
  /** Looks for a record whose write had no answer; a failure is no word. Absent: its endpoint cannot be asked. */
  readonly settle?: ((id: string) => Effect.Effect<Settled<A>>) | undefined
  /** Signing it again does no harm: it says how things are, not what is to happen. */
  readonly isState?: boolean | undefined
}

/** What may still be tried; each use counts one down. */
interface Budget {
  expired: number
  replayed: number
  wrongNode: number
  busy: number
  lost: number
  again: number
}

const spend = (budget: Budget, item: keyof Budget): boolean => budget[item]-- > 0

/** What to do after a failure. */
type Step = "new" | "same" | "settle"

export const call = Effect.fnUntraced(function*<A>(
  connection: Connection,
  options: CallOptions,
  run: Effect.Effect<A, unknown>,
  write?: Write<A>,
  extraMs = 0
): Effect.fn.Return<A, WriteError> {
  const { timestamps } = options
  const budget: Budget = {
    expired: 1,
    replayed: 3,
    wrongNode: 1,
    busy: options.busyRetriesMax,
    lost: options.lostRetriesMax ?? (write === undefined ? 2 : 3),
    again: 1
  }
  let attempt: Attempt | undefined
  /** The signature now in use may have been taken. */
  let isUncertain = false
  let why = ""

  const ageOf = (attempt: Attempt) => Effect.map(timestamps.now, (now) => now - attempt.ts)
  /** After a pause: the same request while a node would take it, else look whether it was taken. */
  const sameOrSettle = (attempt: Attempt): Effect.Effect<Step> =>
    Effect.map(ageOf(attempt), (age) => age < resendMsMax ? "same" : "settle")

  const afterAnswer = Effect.fnUntraced(function*(
    attempt: Attempt,
    error: Extract<Failure, { readonly kind: "answer" }>["error"]
  ): Effect.fn.Return<Step, WriteError> {
    switch (error._tag) {
      case "Unauthenticated": {
        if (isUncertain) return error.reason === "bad-signature" ? yield* error : "settle"
        if (error.reason === "expired" && error.time !== undefined && spend(budget, "expired")) {
          yield* timestamps.correct(error.time)
          return "new"
        }
        if (error.reason === "replayed" && spend(budget, "replayed")) {
          // after a restart a node takes only what is signed since: a clock a little behind would never get there
          if (error.time !== undefined) yield* timestamps.advance(error.time)
          return "new"
        }
        if (error.reason === "wrong-node" && spend(budget, "wrongNode")) {
          // whoever answers now must prove its id, and a pin that the user gave holds
          yield* connection.forget
          return "new"
        }
        return yield* error
      }
      case "RateLimited":
      case "Overloaded": {
        const waitMs = Math.max(1, error.retry_after) * 1000
        if (waitMs > options.busyWaitMsMax || !spend(budget, "busy")) return isUncertain ? "settle" : yield* error
        yield* Effect.sleep(waitMs)
        return isUncertain ? yield* sameOrSettle(attempt) : "new"
      }
      default:
        return yield* error
    }
  })

  const afterFailure = Effect.fnUntraced(function*(
    attempt: Attempt,
    failure: Failure
  ): Effect.fn.Return<Step, WriteError> {
    switch (failure.kind) {
      case "unsent":
        return yield* failure.error
      case "answer":
        return yield* afterAnswer(attempt, failure.error)
      case "refused":
        if (isUncertain) return "settle"
        return yield* new UnexpectedAnswer({ status: failure.status, message: `${connection.url}: ${failure.message}` })
      case "lost": {
        why = failure.message
        isUncertain = write !== undefined
        const pause = lostPauseMs[lostPauseMs.length - budget.lost] ?? lostPauseMs[0]!
        if (!spend(budget, "lost")) {
          if (isUncertain) return "settle"
          return yield* new NodeUnreachable({
            url: connection.url,
            message: `no answer from ${connection.url}: ${why}`
          })
        }
        yield* Effect.sleep(pause)
        return isUncertain ? yield* sameOrSettle(attempt) : "new"
      }
    }
  })

  /** Some answer when the record is there; none when it may be signed anew; else the outcome stays unknown. */
  const settle = Effect.fnUntraced(function*(
    { intent, isState, settle }: Write<A>,
    attempt: Attempt
  ): Effect.fn.Return<Option.Option<A>, OutcomeUnknown> {
    const id = intent.id(attempt.ts, attempt.node)
    const unknown = new OutcomeUnknown({
      kind: intent.kind,
      id,
      ts: attempt.ts,
      message: `${connection.url} did not say whether it took the ${intent.kind} ${id}` + (why === "" ? "" : `: ${why}`)
    })
    if (isState === true && spend(budget, "again")) return Option.none()
    if (settle === undefined) return yield* unknown
    let found = yield* settle(id)
    if (found === "absent") {
      // it may be on its way still, or come back from another node
      const restMs = goneMs - (yield* ageOf(attempt))
      if (restMs > options.busyWaitMsMax) return yield* unknown
      if (restMs > 0) {
        yield* Effect.sleep(restMs)
        found = yield* settle(id)
      }
    }
    // only the node that was asked to take it can say that it did not
    const asked = yield* Effect.result(connection.nodeId)
    if (found === "absent" && (asked._tag === "Failure" || asked.success !== attempt.node)) return yield* unknown
    if (found !== "absent") return Option.isSome(found) ? found : yield* unknown
    return spend(budget, "again") ? Option.none() : yield* unknown
  })

  while (true) {
    const current: Attempt = attempt ?? {
      node: yield* connection.nodeId,
      ts: yield* timestamps.next,
      intent: write?.intent
    }
    attempt = current
    const result = yield* run.pipe(
      Effect.provideService(CurrentAttempt, current),
      // browsers would ask the node's leave for every header; tracing is none of its business
      Effect.provideService(HttpClient.TracerPropagationEnabled, false),
      Effect.timeout(options.timeoutMs + extraMs),
      Effect.mapError((error) => readFailure(error, current.headers !== undefined)),
      Effect.result
    )
    if (result._tag === "Success") return result.success
    const step = yield* afterFailure(current, result.failure)
    if (step === "same") continue
    if (write !== undefined && step === "settle") {
      const found = yield* settle(write, current)
      if (Option.isSome(found)) return found.value
    }
    attempt = undefined
    isUncertain = false
  }
})

/** A call that writes nothing cannot end in {@link OutcomeUnknown} or a conflict. */
export const read = <A>(
  connection: Connection,
  options: CallOptions,
  run: Effect.Effect<A, unknown>
): Effect.Effect<A, ReadError> => call(connection, options, run) as Effect.Effect<A, ReadError>
