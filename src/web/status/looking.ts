/**
 * Asks the node again and again how it does. All questions go out at once and the next ones only when all of these have
 * their answer or their time is up, so there is never more than one of a kind under way.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import type { NodePeers, Readiness } from "../../api/index.ts"
import { type Info, NodeProbe } from "../../client/index.ts"

/** Seconds between two looks that one can choose from. */
export const intervals = [1, 2, 5] as const
export type Interval = typeof intervals[number]
export const defaultInterval: Interval = 2

/** Answers that take longer count as none, ms. */
const timeoutMs = 5_000

/** An answer, or why there is none, in words. */
type Answer<A> = Result.Result<A, string>

export interface Look {
  /** When the answers were there, by this computer's clock, ms. */
  readonly atMs: number
  readonly node: Answer<Info>
  /** The node's clock less this computer's, ms, as `node` tells it; true to within half of the time that took. */
  readonly aheadMs?: number
  readonly readiness: Answer<typeof Readiness.Type>
  readonly peers: Answer<typeof NodePeers.Type>
  /** Prometheus text, asked for after `peers` had its answer. */
  readonly metrics: Answer<string>
}

interface Failure {
  readonly _tag: string
  readonly message: string
}

const inWords = <A>(question: Effect.Effect<A, Failure>): Effect.Effect<Answer<A>> =>
  Effect.result(Effect.mapError(question, ({ message }) => message))

/** One look. The probe pins the node that it met first: `isOther` says that another one answers by now. */
const look = Effect.fnUntraced(function*(probe: NodeProbe.NodeProbe) {
  const askedMs = yield* Clock.currentTimeMillis
  let isOther = false
  const who = probe.node.pipe(
    Effect.tapError(({ _tag }) =>
      Effect.sync(() => {
        isOther = _tag === "NodeChanged"
      })
    ),
    Effect.flatMap((info) =>
      Effect.map(Clock.currentTimeMillis, (answeredMs) => ({ info, aheadMs: info.time - (askedMs + answeredMs) / 2 }))
    )
  )
  const [node, readiness, [peers, metrics]] = yield* Effect.all(
    [inWords(who), inWords(probe.readiness), Effect.all([inWords(probe.peers), inWords(probe.metrics)])],
    { concurrency: "unbounded" }
  )
  const found: Look = {
    atMs: yield* Clock.currentTimeMillis,
    node: Result.map(node, ({ info }) => info),
    ...(Result.isSuccess(node) ? { aheadMs: node.success.aheadMs } : {}),
    readiness,
    peers,
    metrics
  }
  return { found, isOther }
})

export interface LookingOptions {
  /** The node's API, without a slash at its end. */
  readonly url: string
  /** No look begins while it is closed. */
  readonly mayLook: Latch.Latch
  readonly seconds: () => Interval
  readonly tell: (look: Look) => void
}

/** Looks for as long as the page is open. */
export const watch = Effect.fnUntraced(function*({ mayLook, seconds, tell, url }: LookingOptions) {
  const meet = NodeProbe.make({ url, timeoutMs })
  let probe = yield* meet
  while (true) {
    yield* mayLook.await
    const { found, isOther } = yield* look(probe)
    tell(found)
    if (isOther) probe = yield* meet
    yield* Effect.sleep(seconds() * 1_000)
  }
})
