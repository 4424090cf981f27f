/**
 * What anyone may ask a node, without a key: who it is, whether it does its whole job, and its metrics.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { NodePeers, Readiness } from "../api/index.ts"
import * as Connection from "./Connection.ts"
import { Entropy } from "./Entropy.ts"
import type { NodeUnreachable, UnexpectedAnswer } from "./errors.ts"
import { read as readFailure } from "./failures.ts"

export interface NodeProbe {
  /** Who the node is, proven by its key. */
  readonly node: Effect.Effect<Connection.Info, Connection.ConnectionError>
  readonly readiness: Effect.Effect<typeof Readiness.Type, NodeUnreachable | UnexpectedAnswer>
  /** How the node stands with others: a node older than this question does not know it (`UnexpectedAnswer`). */
  readonly peers: Effect.Effect<typeof NodePeers.Type, NodeUnreachable | UnexpectedAnswer>
  /** Prometheus text. */
  readonly metrics: Effect.Effect<string, NodeUnreachable | UnexpectedAnswer>
}

export const make = Effect.fnUntraced(function*(
  options: Connection.ConnectionOptions
): Effect.fn.Return<NodeProbe, never, HttpClient.HttpClient | Entropy> {
  const connection = yield* Connection.make(options, yield* Entropy, Connection.unsigned)
  const { api, url } = connection
  const ask = <A>(run: Effect.Effect<A, unknown>): Effect.Effect<A, NodeUnreachable | UnexpectedAnswer> =>
    run.pipe(
      Effect.provideService(HttpClient.TracerPropagationEnabled, false),
      Effect.timeout(options.timeoutMs ?? Connection.defaultTimeoutMs),
      Effect.mapError((error) => Connection.unreachable(url, readFailure(error)))
    )
  return {
    node: connection.info,
    readiness: ask(api.readyz({})),
    peers: ask(api.peers({})),
    metrics: ask(api.metrics({}))
  }
})
