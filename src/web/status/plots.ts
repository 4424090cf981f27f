/**
 * Which plots there are, what each line in them reads from `/metrics`, and what it means. What an operator needs first comes
 * first.
 */
import type { Where } from "./prometheus.ts"
import * as Words from "./words.ts"

/** How a line gets its values from readings of `/metrics`. */
export type Reading =
  /** As it is. A gauge that the node has not set yet counts as `unset`. */
  | { readonly how: "gauge"; readonly name: string; readonly where?: Where; readonly unset?: number }
  /** Growth of a counter per `perMs`, over the last `windowMs`. One that the node has not counted yet is zero. */
  | {
    readonly how: "rate"
    readonly name: string
    readonly where?: Where
    readonly perMs: number
    readonly windowMs: number
  }
  /** The value that a share `q` of what a histogram took in over the last `windowMs` did not exceed. */
  | { readonly how: "quantile"; readonly name: string; readonly q: number; readonly windowMs: number }

export interface Line {
  readonly label: string
  readonly reading: Reading
}

export interface Unit {
  readonly text: (value: number) => string
  /** The same, short, for an axis. */
  readonly tick: (value: number) => string
  /** Steps of an axis are powers of two. */
  readonly isBinary?: true
}

export interface Plot {
  /** For ids in the page. */
  readonly key: string
  readonly title: string
  /** What it shows, for somebody who does not know the inside of a node. */
  readonly about: string
  readonly unit: Unit
  /** The axis begins at the lowest value rather than zero: else growth of what is large is not seen. */
  readonly isGrowth?: true
  /** At most four: so many colours there are. */
  readonly lines: ReadonlyArray<Line>
  /** Shown only where the node has this metric. */
  readonly needs?: string
}

const secondMs = 1_000
const minuteMs = 60_000
/** Short enough to be live, long enough for more than one reading at every interval. */
const liveMs = 10_000
/** For what happens every ten seconds or so. */
const slowMs = 60_000
/** Quantiles need observations. */
const quantileMs = 30_000

const gauge = (label: string, name: string, where?: Where, unset?: number): Line => ({
  label,
  reading: { how: "gauge", name, ...(where === undefined ? {} : { where }), ...(unset === undefined ? {} : { unset }) }
})

const aSecond = (label: string, name: string, where: Where = {}): Line => ({
  label,
  reading: { how: "rate", name, where, perMs: secondMs, windowMs: liveMs }
})

const aMinute = (label: string, name: string, where: Where = {}): Line => ({
  label,
  reading: { how: "rate", name, where, perMs: minuteMs, windowMs: slowMs }
})

const quantiles = (name: string): ReadonlyArray<Line> => [
  { label: "half within", reading: { how: "quantile", name, q: 0.5, windowMs: quantileMs } },
  { label: "99 of 100 within", reading: { how: "quantile", name, q: 0.99, windowMs: quantileMs } }
]

const unit = (what: string): Unit => ({
  text: (value) => `${Words.number(value)}${what}`,
  tick: Words.number
})
const same = (text: (value: number) => string): Unit => ({ text, tick: text })
const bytes: Unit = { ...same(Words.bytes), isBinary: true }
const bytesPerSecond: Unit = { text: (value) => `${Words.bytes(value)}/s`, tick: Words.bytes, isBinary: true }
const milliseconds = same(Words.milliseconds)

/** Kinds of records, as `/metrics` and as people call them. */
const kinds = [["message", "messages"], ["op", "group changes"], ["read", "read marks"], [
  "identity",
  "profiles"
]] as const

export const plots: ReadonlyArray<Plot> = [
  {
    key: "writes",
    title: "Writes",
    about: "Records stored a second, from clients and from peers.",
    unit: unit("/s"),
    lines: kinds.map(([kind, label]) => aSecond(label, "p2p_mes_records_committed_total", { kind }))
  },
  {
    key: "queues",
    title: "Queues",
    about: "Records that wait: to be written to disk, to be passed on to peers, or for what they depend on. "
      + "Short peaks are normal; a queue that only grows is not.",
    unit: unit(""),
    lines: [
      gauge("to be written", "p2p_mes_writer_queued", {}, 0),
      gauge("to be passed on", "p2p_mes_gossip_queued", {}, 0),
      gauge("for what they depend on", "p2p_mes_intake_waiting", {}, 0)
    ]
  },
  {
    key: "answers",
    title: "Answers",
    about: "Answers a second to clients, this page among them. Refused: the client asked wrongly or too much.",
    unit: unit("/s"),
    lines: [
      aSecond("good", "p2p_mes_http_requests_total", { status: "2xx" }),
      aSecond("refused", "p2p_mes_http_requests_total", { status: "4xx" }),
      aSecond("too busy or failed", "p2p_mes_http_requests_total", { status: "5xx" })
    ]
  },
  {
    key: "latency",
    title: "Time to answer",
    about: "From a request to its answer, inside the node, over the last 30 s.",
    unit: milliseconds,
    lines: quantiles("p2p_mes_http_milliseconds"),
    needs: "p2p_mes_http_milliseconds"
  },
  {
    key: "loop",
    title: "Event loop",
    about: "How late the node's one main thread comes to its work, over the last 30 s. Everything waits that long.",
    unit: milliseconds,
    lines: quantiles("p2p_mes_event_loop_delay_milliseconds"),
    needs: "p2p_mes_event_loop_delay_milliseconds"
  },
  {
    key: "commits",
    title: "Time to write",
    about: "How long a transaction of the database takes, over the last 30 s. A slow disk shows here.",
    unit: milliseconds,
    lines: quantiles("p2p_mes_commit_milliseconds")
  },
  {
    key: "records",
    title: "Stored records",
    about: "All records that this node holds. Messages and read marks go after 30 days.",
    unit: unit(""),
    lines: kinds.map(([kind, label]) => gauge(label, "p2p_mes_records", { kind }))
  },
  {
    key: "disk",
    title: "Storage",
    about: "Size of the database with its log.",
    unit: bytes,
    isGrowth: true,
    lines: [gauge("on disk", "p2p_mes_disk_bytes")]
  },
  {
    key: "memory",
    title: "Memory",
    about: "Memory of the node's process.",
    unit: bytes,
    isGrowth: true,
    lines: [gauge("in use", "p2p_mes_resident_bytes")]
  },
  {
    key: "peers",
    title: "Peers",
    about: "Other nodes connected to this one, and how many of them pass new records on at once (gossip).",
    unit: unit(""),
    lines: [gauge("connected", "p2p_mes_network_peers"), gauge("gossiping", "p2p_mes_gossip_peers")]
  },
  {
    key: "gossip",
    title: "Gossip",
    about: "New records, passed from node to node as they are written.",
    unit: bytesPerSecond,
    lines: [
      aSecond("in", "p2p_mes_gossip_received_bytes_total"),
      aSecond("out", "p2p_mes_gossip_published_bytes_total")
    ]
  },
  {
    key: "rounds",
    title: "Comparisons",
    about: "Rounds of sync: two nodes compare all their records. “Mended” found differences and removed them, "
      + "“behind” lacks so much that a catch-up is needed.",
    unit: unit(" a minute"),
    lines: [
      aMinute("equal", "p2p_mes_sync_rounds_total", { result: "equal" }),
      aMinute("mended", "p2p_mes_sync_rounds_total", { result: "repaired" }),
      aMinute("behind", "p2p_mes_sync_rounds_total", { result: "behind" }),
      aMinute("failed", "p2p_mes_sync_rounds_total", { result: "failed" })
    ]
  },
  {
    key: "sync",
    title: "Sync traffic",
    about: "Bytes of these comparisons, both ways, over the last minute.",
    unit: bytesPerSecond,
    lines: [{
      label: "both ways",
      reading: { how: "rate", name: "p2p_mes_sync_bytes_total", perMs: secondMs, windowMs: slowMs }
    }]
  },
  {
    key: "mended",
    title: "Records by sync",
    about: "Records that gossip had not brought, over the last minute.",
    unit: unit(" a minute"),
    lines: [
      aMinute("came", "p2p_mes_sync_records_total", { way: "pulled" }),
      aMinute("sent", "p2p_mes_sync_records_total", { way: "pushed" })
    ]
  },
  {
    key: "equal",
    title: "Longest time since equal",
    about: "Since all records were found equal, with the peer where that is longest ago.",
    unit: same((seconds) => Words.span(seconds * secondMs)),
    lines: [gauge("time", "p2p_mes_seconds_since_equal")]
  },
  {
    key: "clock",
    title: "Clocks of the peers",
    about: "Their median less this node's. At a minute or more nodes stop comparing records.",
    unit: milliseconds,
    lines: [gauge("median", "p2p_mes_clock_offset_milliseconds")]
  },
  {
    key: "streams",
    title: "Live streams",
    about: "Clients that have their events sent as they happen.",
    unit: unit(""),
    lines: [gauge("open", "p2p_mes_event_streams")],
    needs: "p2p_mes_event_streams"
  }
]
