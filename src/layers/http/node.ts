/** Handlers about the node itself. Nothing here is signed, and nothing names a user. */
import { Effect, Metric, Result } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { PrometheusMetrics } from "effect/observability"
import { NodeApi } from "../../api/NodeApi.ts"
import * as Bytes from "../../domain/bytes.ts"
import * as Limits from "../../domain/limits.ts"
import { domains } from "../../domain/record.ts"
import { InvalidRequest } from "../../domain/refusal.ts"
import { challengeBytes } from "../../domain/signature.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { reasonText, Store, type StoreError } from "../../services/Store.ts"
import { Trees } from "../../services/Trees.ts"
import { Writer } from "../../services/Writer.ts"
import { version } from "../version.ts"

const stored = Metric.gauge("p2p_mes_records", { description: "Records stored, by kind" })
const disk = Metric.gauge("p2p_mes_disk_bytes", { description: "Size of the database and its log" })
const built = Metric.gauge("p2p_mes_trees_built_ratio", { description: "Share of the Merkle trees that is built" })
const inTree = Metric.gauge("p2p_mes_tree_records", { description: "Records in a Merkle tree, by domain" })
const memory = Metric.gauge("p2p_mes_resident_bytes", { description: "Memory of the process" })

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
  user_requests_burst: limits.userRequestsBurst
})

export const layer = (options: { readonly network: string; readonly limits: Limits.IngestLimits }) =>
  HttpApiBuilder.group(
    NodeApi,
    "node",
    Effect.fn(function*(handlers) {
      const node = yield* NodeKey
      const clock = yield* HybridClock
      const store = yield* Store
      const trees = yield* Trees
      const writer = yield* Writer

      const stats = yield* Effect.cachedWithTTL(store.stats, sharedMs)

      /** Asks the threads that read and write; both answer from memory when they are well. */
      const ask = (what: string, call: Effect.Effect<unknown, StoreError>) =>
        call.pipe(
          Effect.as<ReadonlyArray<string>>([]),
          Effect.catch((error) => Effect.succeed([`${what} fails: ${reasonText[error.reason]}`])),
          Effect.timeoutOrElse({ duration: askMsMax, orElse: () => Effect.succeed([`${what} hangs`]) })
        )
      const storeProblems = yield* Effect.cachedWithTTL(
        Effect.map(Effect.all([ask("reading", stats), ask("writing", store.clock)]), (all) => all.flat()),
        sharedMs
      )

      const readGauges = Effect.gen(function*() {
        const { diskBytes, identities, messages, ops, reads } = yield* stats
        const counts = { message: messages, op: ops, read: reads, identity: identities }
        for (const [kind, count] of Object.entries(counts)) {
          yield* Metric.update(Metric.withAttributes(stored, { kind }), count)
        }
        for (const domain of domains) {
          yield* Metric.update(Metric.withAttributes(inTree, { domain }), trees.count(domain))
        }
        yield* Metric.update(disk, diskBytes)
        yield* Metric.update(built, trees.built())
        yield* Metric.update(memory, process.memoryUsage.rss())
      })

      return handlers.handleAll({
        node: Effect.fnUntraced(function*({ query }) {
          const info = {
            peer_id: node.id,
            addresses: [],
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
        readyz: Effect.fnUntraced(function*() {
          const { failing } = writer.stats()
          const problems = failing === undefined ? [] : [`writing fails: ${failing}`]
          problems.push(...yield* storeProblems)
          const share = trees.built()
          if (share < 1) problems.push(`the Merkle trees are being built: ${Math.floor(share * 100)} %`)
          const body = { ready: problems.length === 0, problems, trees: share }
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
