/** Handlers about the node itself. Nothing here is signed, and nothing names a user. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Result from "effect/Result"
import { NodeApi } from "../../api/NodeApi.ts"
import * as Bytes from "../../domain/bytes.ts"
import * as Limits from "../../domain/limits.ts"
import { InvalidRequest } from "../../domain/refusal.ts"
import { challengeBytes } from "../../domain/signature.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Network } from "../../services/Network.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { reasonText, Store, type StoreError } from "../../services/Store.ts"
import { Trees } from "../../services/Trees.ts"
import { Writer } from "../../services/Writer.ts"
import { version } from "../version.ts"
import * as Gauges from "./gauges.ts"
import * as Peers from "./peers.ts"
import { problemsOf, type Standing, warningsOf } from "./readiness.ts"
import { shared } from "./shared.ts"

/** Unsigned questions about the store share one answer for this long: anyone may ask, as often as she likes. */
const sharedMs = 1_000
/** A thread that does not answer by then is not well. */
const askMsMax = 2_000

/** What `GET /node` shows of SPEC §10. */
const shownLimits = (limits: Limits.IngestLimits) => ({
  content_bytes: Limits.contentBytesMax,
  control_bytes: Limits.controlBytesMax,
  identity_bytes: Limits.identityBytesMax,
  title_bytes: Limits.titleBytesMax,
  targets: Limits.targetsMax,
  observed: Limits.observedMax,
  gossip_bytes: Limits.gossipBytesMax,
  frame_bytes: Limits.frameBytesMax,
  batch_records: Limits.batchRecordsMax,
  retention_ms: Limits.retentionMs,
  request_window_ms: Limits.requestMsMax,
  drift_ms: Limits.driftMsMax,
  page: Limits.pageMax,
  unread: Limits.unreadMax,
  wait_seconds: Limits.waitSecondsMax,
  group_members: limits.groupMembersMax,
  body_bytes: limits.bodyBytesMax,
  in_flight: limits.inFlightMax,
  user_requests_per_second: limits.userRequestsPerSecond,
  user_requests_burst: limits.userRequestsBurst,
  user_streams: limits.userStreamsMax,
  streams: limits.streamsMax
})

export interface NodeOptions {
  /** Name of the network. */
  readonly network: string
  readonly limits: Limits.IngestLimits
  /** Whether the node has a way to find peers, so that having none is worth a warning. Default: no. */
  readonly seeksPeers?: boolean | undefined
}

export const layer = (options: NodeOptions) =>
  HttpApiBuilder.group(
    NodeApi,
    "node",
    Effect.fn(function*(handlers) {
      const node = yield* NodeKey
      const clock = yield* HybridClock
      const store = yield* Store
      const trees = yield* Trees
      const writer = yield* Writer
      const network = yield* Network
      const lookAtPeers = yield* Peers.make
      const startedMs = clock.wall()

      const stats = yield* shared(store.stats, sharedMs)

      /** Asks the threads that read and write; both answer from memory when they are well. */
      const ask = (what: string, call: Effect.Effect<unknown, StoreError>) =>
        call.pipe(
          Effect.as<ReadonlyArray<string>>([]),
          Effect.catch((error) => Effect.succeed([`${what} fails: ${reasonText[error.reason]}`])),
          Effect.timeoutOrElse({ duration: askMsMax, orElse: () => Effect.succeed([`${what} hangs`]) })
        )
      const storeProblems = yield* shared(
        Effect.map(Effect.all([ask("reading", stats), ask("writing", store.clock)]), (all) => all.flat()),
        sharedMs
      )

      const peers = yield* shared(lookAtPeers, sharedMs)

      const standing: Effect.Effect<Standing> = Effect.gen(function*() {
        const { failing } = writer.stats()
        return {
          storeProblems: [...(failing === undefined ? [] : [`writing fails: ${failing}`]), ...yield* storeProblems],
          trees: trees.built(),
          seeksPeers: options.seeksPeers === true,
          upMs: clock.wall() - startedMs,
          peers: yield* peers
        }
      })

      const readGauges = Effect.gen(function*() {
        yield* Gauges.ofNode({
          peers: yield* peers,
          trees: trees.built(),
          residentBytes: process.memoryUsage.rss(),
          nowMs: clock.wall(),
          startedMs
        })
        yield* Gauges.ofStore(yield* stats)
      })

      return handlers.handleAll({
        node: Effect.fnUntraced(function*({ query }) {
          const info = {
            peer_id: node.id,
            addresses: network.addresses(),
            version,
            network: options.network,
            time: clock.wall(),
            limits: shownLimits(options.limits)
          }
          if (query.challenge === undefined) return info
          const challenge = Bytes.parseHex(query.challenge, 32)
          if (Result.isFailure(challenge)) {
            return yield* new InvalidRequest({ field: "challenge", message: `challenge: ${challenge.failure}` })
          }
          const signature = node.sign(challengeBytes(Bytes.fromHex(challenge.success), node.id))
          return { ...info, signature: `0x${Bytes.toHex(signature)}` }
        }),
        healthz: () => Effect.succeed({ status: "ok" as const }),
        peers: () => peers,
        readyz: Effect.fnUntraced(function*() {
          const now = yield* standing
          const problems = problemsOf(now)
          const { catch_up } = now.peers
          const body = {
            ready: problems.length === 0,
            problems,
            warnings: warningsOf(now),
            trees: now.trees,
            ...(catch_up === undefined ? {} : { catch_up })
          }
          return HttpServerResponse.jsonUnsafe(body, { status: body.ready ? 200 : 503 })
        }),
        metrics: () =>
          readGauges.pipe(
            Effect.catch((error) => Effect.logWarning(`metrics without storage figures: ${error.message}`)),
            Effect.andThen(PrometheusMetrics.format())
          )
      })
    })
  )
