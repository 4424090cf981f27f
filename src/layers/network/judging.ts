/**
 * Gossip as messages in and out. A message is forwarded when, and only when, it is judged acceptable (SPEC §7).
 *
 * What is under judgement is bounded in number and bytes (FAILURES 5). Above that, and while nobody judges, messages are
 * let go: counted, and told of, since anti-entropy has to bring their records.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { NodeId } from "../../domain/ids.ts"
import { gossipBytesMax } from "../../domain/limits.ts"
import type { Published, Verdict } from "../../services/Network.ts"
import { judgedBytesMax, judgedMax } from "./bounds.ts"
import { type Complaints, wordsOf } from "./complaints.ts"
import type { NetworkMetrics } from "./metrics.ts"
import type { Router } from "./node.ts"

type Handler = (payload: Uint8Array, from: NodeId) => Effect.Effect<Verdict>

export interface Judging {
  /** Begins to hear a node that is about to start. */
  readonly attach: (router: Router) => void
  readonly judge: (handler: Handler) => Effect.Effect<void, never, Scope.Scope>
  readonly publish: (payload: Uint8Array) => Effect.Effect<Published>
}

export const make = (
  topic: string,
  metrics: NetworkMetrics,
  complaints: Complaints,
  onDropped: (from: string) => void
): Judging => {
  let judge: ((payload: Uint8Array, from: NodeId, end: (verdict: Verdict) => void) => void) | undefined
  let router: Router | undefined
  let judging = 0
  let judgingBytes = 0

  const attach: Judging["attach"] = (attached) => {
    router = attached
    attached.addEventListener("gossipsub:message", ({ detail: { msg, msgId, propagationSource } }) => {
      const from = propagationSource.toString()
      const { data } = msg
      const report = (verdict: Verdict): void => attached.reportMessageValidationResult(msgId, from, verdict)
      if (data.length > gossipBytesMax) {
        metrics.judged("reject", data.length)
        return report("reject")
      }
      if (judge === undefined || judging >= judgedMax || judgingBytes + data.length > judgedBytesMax) {
        metrics.judged("dropped", data.length)
        onDropped(from)
        return report("ignore")
      }
      metrics.judging(++judging)
      judgingBytes += data.length
      judge(data, from as NodeId, (verdict) => {
        metrics.judging(--judging)
        judgingBytes -= data.length
        metrics.judged(verdict, data.length)
        report(verdict)
      })
    })
  }

  return {
    attach,
    judge: Effect.fnUntraced(function*(handler) {
      const run = yield* FiberSet.makeRuntime<never, Verdict, never>()
      const own: typeof judge = (payload, from, end) => {
        const fiber = run(Effect.suspend(() => handler(payload, from)))
        fiber.addObserver((exit) => {
          if (Exit.isSuccess(exit)) return end(exit.value)
          if (!Cause.hasInterruptsOnly(exit.cause)) {
            complaints.warn("judge", "a message of gossip could not be judged", { cause: Cause.pretty(exit.cause) })
          }
          end("ignore")
        })
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          judge = own
        }),
        () =>
          Effect.sync(() => {
            if (judge === own) judge = undefined
          })
      )
    }),
    publish: (payload) =>
      Effect.suspend(() => {
        if (payload.length > gossipBytesMax) {
          return Effect.die(new Error(`a message of gossip has at most ${gossipBytesMax} bytes, not ${payload.length}`))
        }
        if (router === undefined) return Effect.succeed({ recipients: 0 })
        const to = router
        return Effect.tryPromise(() => to.publish(topic, payload)).pipe(
          Effect.map(({ recipients }) => ({ recipients: recipients.length })),
          Effect.catch(({ cause }) => {
            complaints.warn("publish", "a message could not be published", { cause: wordsOf(cause) })
            return Effect.succeed({ recipients: 0 })
          }),
          Effect.tap(({ recipients }) => Effect.sync(() => metrics.published(payload.length, recipients)))
        )
      })
  }
}
