/** `status`: what a node says of itself, for people; and for scripts by its exit code. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import type { NodePeers, Readiness } from "../../api/index.ts"
import { nodeFlags, withProbe } from "../account.ts"
import { failure } from "../failure.ts"
import { print, printJson, span } from "../output.ts"
import { countOf } from "../record-text.ts"
import { bold, faint, green, red, yellow } from "../terminal/colour.ts"
import { harmlessLine } from "../terminal/harmless.ts"

type Peers = typeof NodePeers.Type
type Peer = Peers["peers"][number]

/** The samples of Prometheus text, by name and labels as written. */
const samples = (text: string): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (const line of text.split("\n")) {
    const match = /^([a-z_:][a-z0-9_:]*(?:\{[^}]*\})?)\s+(\S+)/i.exec(line)
    if (match !== null) found.set(match[1]!, Number(match[2]))
  }
  return found
}

/** The sum over all labels, or over those that hold `label`. */
const total = (all: ReadonlyMap<string, number>, name: string, label = ""): number => {
  let sum = 0
  for (const [key, value] of all) if (key.split("{")[0] === name && key.includes(label)) sum += value
  return sum
}

const domains = ["messages", "members", "identity"] as const

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

const signed = (ms: number): string => `${ms > 0 ? "+" : ""}${Math.abs(ms) < 10_000 ? `${ms} ms` : `${ms / 1_000} s`}`

const row = (name: string, value: string): Effect.Effect<void> => print(`${faint(name.padEnd(10))} ${value}`)

const roundText = (round: NonNullable<Peer["last_round"]>, now: number): string => {
  const what = round.result === "equal"
    ? "equal"
    : round.result === "failed"
    ? `${red("failed")}: ${harmlessLine(round.why ?? "no reason given")}`
    : round.result
  return `${what}, ${span(now - round.at)} ago, ${round.pulled} records came, ${round.pushed} went, `
    + `${round.bytes} bytes in ${Math.round(round.took_ms)} ms`
}

const peerLines = (peer: Peer, now: number): ReadonlyArray<string> => {
  const clock = peer.clock_offset_ms === undefined ? "" : `, clock ${signed(Math.round(peer.clock_offset_ms))}`
  const since = `${peer.direction} for ${span(now - peer.since)}`
  return [
    bold(harmlessLine(peer.peer_id)),
    `${harmlessLine(peer.address.replace(/\/p2p\/[^/]+$/, ""))}, ${since}, ${
      peer.gossips ? "gossips" : yellow("no gossip")
    }${clock}`,
    peer.last_equal === undefined
      ? yellow("not yet found equal")
      : `${green("all records equal")} ${span(now - peer.last_equal.at)} ago, up to ${
        new Date(peer.last_equal.horizon).toISOString()
      }`,
    ...(peer.last_round === undefined ? [] : [`last round: ${roundText(peer.last_round, now)}`])
  ]
}

const catchUpText = ({ domain, fetched, missing, peer_id, rate }: NonNullable<Peers["catch_up"]>): string => {
  const left = Math.max(0, missing - fetched)
  const percent = missing <= 0 ? "" : `, ${Math.min(100, Math.floor((fetched / missing) * 100))} %`
  const time = rate > 0 ? `, about ${span((left / rate) * 1_000)} left` : ""
  return `${domain} from ${harmlessLine(peer_id)}: ${fetched} of ${missing} records${percent}, ${
    Math.round(rate)
  } a second${time}`
}

/** The part about other nodes. `now`: the node's own time, ms. */
const printPeers = Effect.fnUntraced(function*(standing: Peers, now: number) {
  const { catch_up, clock, gossip_queued, horizon, peers, records, roots, waiting } = standing
  if (roots !== undefined && horizon !== undefined) {
    yield* row("roots", `of records up to ${new Date(horizon).toISOString()}; equal roots are equal records`)
    for (const domain of domains) {
      yield* row("", `${domain.padEnd(8)} ${roots[domain].slice(0, 18)}…  ${records[domain]} records`)
    }
  }
  if (catch_up !== undefined) yield* row("catch-up", catchUpText(catch_up))
  if (waiting.records > 0) {
    yield* row("waiting", `${waiting.records} records for their time or what they depend on, ${waiting.bytes} bytes`)
  }
  if (gossip_queued > 0) yield* row("gossip", `${gossip_queued} records to be passed on`)
  if (clock.peers > 0)
    yield* row(
      "clocks",
      `median of ${clock.peers === 1 ? "1 peer" : `${clock.peers} peers`}: ${signed(Math.round(clock.median_ms))}`
    )
  if (peers.length === 0) yield* row("peers", "none")
  for (const peer of peers) {
    const [first, ...more] = peerLines(peer, now)
    yield* row("peer", first!)
    for (const line of more) yield* row("", `  ${line}`)
  }
})

const printReadiness = Effect.fnUntraced(function*({ problems, ready, warnings }: typeof Readiness.Type) {
  yield* row("state", ready ? green("ready") : `${red("not ready")}: ${harmlessLine(problems.join("; "))}`)
  for (const warning of warnings) yield* row("warning", yellow(harmlessLine(warning)))
})

export const status = Command.make(
  "status",
  nodeFlags,
  Effect.fnUntraced(function*({ json, node: url, pin }) {
    const asked = Date.now()
    const { info, metrics, peers, readiness } = yield* withProbe({ node: url, pin }, (probe) =>
      Effect.all({
        info: probe.node,
        readiness: probe.readiness,
        peers: probe.peers,
        metrics: Effect.map(probe.metrics, samples)
      }))
    const kinds = ["message", "op", "read", "identity"] as const
    const records = Object.fromEntries(kinds.map((kind) => [kind, total(metrics, "p2p_mes_records", `"${kind}"`)]))
    const diskBytes = total(metrics, "p2p_mes_disk_bytes")
    const queued = total(metrics, "p2p_mes_writer_queued")
    const { addresses, network, peer_id, time, version } = info
    // half the way there and back is not counted; what matters here are seconds
    const aheadMs = time - asked
    if (json) {
      const { problems, ready, trees, warnings } = readiness
      const { records: treeRecords, ...standing } = peers
      yield* printJson({
        peer_id,
        url,
        addresses,
        version,
        network,
        time,
        ready,
        problems,
        warnings,
        trees,
        records,
        disk_bytes: diskBytes,
        queued,
        tree_records: treeRecords,
        ...standing
      })
    } else {
      yield* row("node", bold(peer_id))
      yield* row("api", url)
      for (const address of addresses) yield* row("address", harmlessLine(address))
      if (network !== "") yield* row("network", harmlessLine(network))
      yield* row("version", harmlessLine(version))
      yield* printReadiness(readiness)
      yield* row("records", kinds.map((kind) => countOf(kind, records[kind]!)).join(", "))
      yield* row("disk", `${mebibytes(diskBytes)}, ${queued} records queued`)
      yield* row("memory", mebibytes(total(metrics, "p2p_mes_resident_bytes")))
      yield* row("requests", String(total(metrics, "p2p_mes_http_requests_total")))
      if (Math.abs(aheadMs) > 5_000) {
        yield* row(
          "clock",
          `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? "ahead of" : "behind"} this computer`
        )
      }
      yield* printPeers(peers, time)
    }
    if (!readiness.ready) return yield* failure(`the node is not ready: ${readiness.problems.join("; ")}`)
  })
).pipe(
  Command.withDescription(
    "Show who a node is, whether it is ready, what it holds, and how it stands with other nodes: who is connected, the last "
      + "comparison with each, and when all records were last found equal. Exit code 1 when it is not ready."
  ),
  Command.withShortDescription("Show the state of a node")
)
