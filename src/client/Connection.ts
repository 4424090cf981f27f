/**
 * One node at one address: its API, and who it is. Before anything is signed for a node it has proven its id, and that
 * id stays pinned: signatures name the node they are for, so none made for one node is of use at another.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import type * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type Authentication, NodeApi, type NodeInfo } from "../api/index.ts"
import * as Bytes from "../domain/bytes.ts"
import type { NodeId } from "../domain/ids.ts"
import type { Entropy } from "./Entropy.ts"
import { NodeChanged, NodeUnproven, NodeUnreachable, UnexpectedAnswer } from "./errors.ts"
import { type Failure, read as readFailure } from "./failures.ts"
import { proofProblem } from "./nodeProof.ts"

export type Info = typeof NodeInfo.Type
type Api = HttpApiClient.ForApi<typeof NodeApi>
type Streaming = HttpApiClient.ForApi<typeof NodeApi, never, Scope.Scope>

export interface Connection {
  /** The base address, without a slash at its end. */
  readonly url: string
  readonly api: Api
  /** The stream of events; its connection closes with the scope. */
  readonly events: Streaming["events"]
  /** Asks the node who it is and has it prove that. */
  readonly info: Effect.Effect<Info, ConnectionError>
  /** The pinned id; asks for it the first time. */
  readonly nodeId: Effect.Effect<NodeId, ConnectionError>
  /** Forgets the id that was proven. One that the user gave stays expected. */
  readonly forget: Effect.Effect<void>
}

export type ConnectionError = NodeUnreachable | NodeUnproven | NodeChanged | UnexpectedAnswer

export interface ConnectionOptions {
  /** Where the node's API is: `http://127.0.0.1:4280`. */
  readonly url: string
  /** The id that the node must have. Absent: the one it first proves. */
  readonly pin?: NodeId | undefined
  /** A single exchange takes at most this long, `wait` not counted. Default 10 000. */
  readonly timeoutMs?: number | undefined
}

export const defaultTimeoutMs = 10_000
const challengeBytes = 32

export const unreachable = (url: string, failure: Failure): NodeUnreachable | UnexpectedAnswer =>
  failure.kind === "lost"
    ? new NodeUnreachable({ url, message: `no answer from ${url}: ${failure.message}` })
    : new UnexpectedAnswer({
      message: `${url} does not answer as a node does: ${
        failure.kind === "answer" ? failure.error.message : failure.message
      }`
    })

/** `Authentication` of a connection that only asks what needs no signature. */
export const unsigned: Layer.Layer<HttpApiMiddleware.ForClient<Authentication>> = Layer.succeedContext(
  Context.empty()
) as never

export const make = Effect.fnUntraced(function*(
  options: ConnectionOptions,
  entropy: typeof Entropy.Service,
  signing: Layer.Layer<HttpApiMiddleware.ForClient<Authentication>>
): Effect.fn.Return<Connection, never, HttpClient.HttpClient> {
  const url = options.url.replace(/\/+$/, "")
  const httpClient = HttpClient.mapRequest(yield* HttpClient.HttpClient, HttpClientRequest.prependUrl(url))
  const { api, events } = yield* Effect.all({
    api: HttpApiClient.makeWith(NodeApi, { httpClient }),
    events: HttpApiClient.endpoint(NodeApi, {
      group: "users",
      endpoint: "events",
      httpClient: HttpClient.withScope(httpClient)
    })
  }).pipe(Effect.provide(signing))

  let known: NodeId | undefined
  const expected = () => options.pin ?? known

  const info = Effect.gen(function*() {
    const challenge = yield* entropy.bytes(challengeBytes)
    const info = yield* api.node({ query: { challenge: Bytes.toHex(challenge) } }).pipe(
      Effect.timeout(options.timeoutMs ?? defaultTimeoutMs),
      Effect.mapError((error) => unreachable(url, readFailure(error)))
    )
    const problem = proofProblem(challenge, info.peer_id, info.signature)
    if (problem !== undefined)
      return yield* new NodeUnproven({ url, message: `${url} is no node to trust: ${problem}` })
    const before = expected()
    if (before !== undefined && before !== info.peer_id) {
      return yield* new NodeChanged({ url, expected: before, actual: info.peer_id })
    }
    known = info.peer_id as NodeId
    return info
  }).pipe(Effect.provideService(HttpClient.TracerPropagationEnabled, false))

  const lock = yield* Semaphore.make(1)
  const learn = Effect.suspend(() =>
    known === undefined ? Effect.map(info, (info) => info.peer_id as NodeId) : Effect.succeed(known)
  )
  return {
    url,
    api,
    events,
    info,
    nodeId: Effect.suspend(() => known === undefined ? lock.withPermits(1)(learn) : Effect.succeed(known)),
    forget: Effect.sync(() => {
      known = undefined
    })
  }
})
