/**
 * What a node says of itself to anyone, without a signature: who it is, whether it does its whole job, how it stands
 * with its peers. Nothing here names a user.
 */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"

const optional = Schema.optionalKey

/** Ms since the epoch. */
const Time = Schema.Int.annotate({ description: "ms since the epoch" })
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const NodeInfo = Schema.Struct({
  peer_id: Schema.String,
  addresses: Schema.Array(Schema.String.annotate({ description: "A multiaddr where other nodes reach this one" })),
  version: Schema.String,
  network: Schema.String,
  time: Schema.Int.annotate({ description: "The node's time, ms since the epoch" }),
  limits: Schema.Record(Schema.String, Schema.Int),
  signature: optional(Schema.String.annotate({ description: "Of the challenge, 64 bytes in hex" }))
}).annotate({ identifier: "NodeInfo" })

export const Health = Schema.Struct({ status: Schema.Literal("ok") }).annotate({ identifier: "Health" })

export const CatchUp = Schema.Struct({
  peer_id: Schema.String,
  domain: Schema.Literals(["identity", "members", "messages"]),
  fetched: Count.annotate({ description: "Records that came so far" }),
  missing: Schema.Int.annotate({ description: "Records that the peer was ahead by at the start" }),
  rate: Schema.Finite.annotate({ description: "Records a second, lately" })
}).annotate({ identifier: "CatchUp", description: "A fetch of most of the data from one peer" })

/** Whether the node does its whole job, what stands in the way, and what does not but should be looked at. */
export const Readiness = Schema.Struct({
  ready: Schema.Boolean,
  problems: Schema.Array(Schema.String),
  warnings: Schema.Array(Schema.String).annotate({ description: "What does not make the node unready" }),
  trees: Schema.Finite.annotate({ description: "Share of the Merkle trees that is built, 0 to 1" }),
  catch_up: optional(CatchUp)
}).annotate({ identifier: "Readiness" })

const Root = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{64}$/)).annotate({ description: "32 bytes in hex" })

export const LastRound = Schema.Struct({
  at: Time.annotate({ description: "When it ended, ms since the epoch" }),
  took_ms: Schema.Finite,
  horizon: optional(Time),
  result: Schema.Literals(["equal", "repaired", "behind", "busy", "failed"]),
  why: optional(Schema.String.annotate({ description: "Why it failed" })),
  pulled: Count.annotate({ description: "Records that came" }),
  pushed: Count.annotate({ description: "Records that were sent" }),
  bytes: Count.annotate({ description: "Of all frames, both ways" })
}).annotate({ identifier: "LastRound", description: "The last comparison of all records with a peer" })

export const PeerStatus = Schema.Struct({
  peer_id: Schema.String,
  address: Schema.String.annotate({ description: "The multiaddr of the other end" }),
  direction: Schema.Literals(["inbound", "outbound"]),
  since: Time,
  gossips: Schema.Boolean,
  clock_offset_ms: optional(Schema.Finite.annotate({ description: "The peer's wall clock less this node's" })),
  last_round: optional(LastRound),
  last_equal: optional(
    Schema.Struct({ horizon: Time, at: Time }).annotate({
      description: "When all records up to the horizon were last found equal, by their roots"
    })
  )
}).annotate({ identifier: "PeerStatus" })

/** How this node stands with the others. */
export const NodePeers = Schema.Struct({
  horizon: optional(Time.annotate({ description: "Roots are of records stamped up to here, ms since the epoch" })),
  roots: optional(
    Schema.Struct({ identity: Root, members: Root, messages: Root }).annotate({
      description: "Equal at one horizon means equal records; absent while the trees are built"
    })
  ),
  records: Schema.Struct({ identity: Count, members: Count, messages: Count }),
  catch_up: optional(CatchUp),
  clock: Schema.Struct({
    median_ms: Schema.Finite.annotate({ description: "Median of the peers' wall clocks less this node's" }),
    peers: Count,
    off: Schema.Boolean.annotate({ description: "Too far off three peers or more: the node takes no writes" })
  }),
  waiting: Schema.Struct({ records: Count, bytes: Count }).annotate({
    description: "Records from peers that wait for their time or for what they depend on"
  }),
  gossip_queued: Count,
  peers: Schema.Array(PeerStatus)
}).annotate({ identifier: "NodePeers" })

export class Node extends HttpApiGroup.make("node", { topLevel: true })
  .add(
    HttpApiEndpoint.get("node", "/node", {
      query: {
        challenge: optional(Schema.String.annotate({ description: "32 bytes in hex, for the node to sign" }))
      },
      success: NodeInfo
    }).annotate(OpenApi.Summary, "Who this node is; not signed"),
    HttpApiEndpoint.get("peers", "/node/peers", { success: NodePeers }).annotate(
      OpenApi.Summary,
      "How this node stands with other nodes; up to a second old"
    ),
    HttpApiEndpoint.get("healthz", "/healthz", { success: Health }).annotate(OpenApi.Summary, "The process answers"),
    HttpApiEndpoint.get("readyz", "/readyz", {
      success: [Readiness, Readiness.pipe(HttpApiSchema.status(503))]
    }).annotate(OpenApi.Summary, "Whether the node does its whole job; 503 when not"),
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" }))
    }).annotate(OpenApi.Summary, "Counters and gauges in Prometheus text")
  )
  .annotate(OpenApi.Description, "About the node itself; nothing here is signed")
{}
