/** `status`: what a node says of itself, for people; and for scripts by its exit code. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { nodeFlags, withProbe } from "../account.ts"
import { failure } from "../failure.ts"
import { bold, faint, green, print, printJson, red } from "../output.ts"

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

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

const row = (name: string, value: string): Effect.Effect<void> => print(`${faint(name.padEnd(10))} ${value}`)

export const status = Command.make(
  "status",
  nodeFlags,
  Effect.fnUntraced(function*({ json, node: url, pin }) {
    const asked = Date.now()
    const { info, metrics, readiness } = yield* withProbe({ node: url, pin }, (probe) =>
      Effect.all({
        info: probe.node,
        readiness: probe.readiness,
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
      const { problems, ready, trees } = readiness
      yield* printJson({
        peer_id,
        url,
        addresses,
        version,
        network,
        time,
        ready,
        problems,
        trees,
        records,
        disk_bytes: diskBytes,
        queued
      })
    } else {
      yield* row("node", bold(peer_id))
      yield* row("api", url)
      for (const address of addresses) yield* row("address", address)
      if (network !== "") yield* row("network", network)
      yield* row("version", version)
      yield* row("state", readiness.ready ? green("ready") : `${red("not ready")}: ${readiness.problems.join("; ")}`)
      const [messages, ops, reads, identities] = kinds.map((kind) => records[kind]!)
      yield* row("records", `${messages} messages, ${ops} group ops, ${reads} read marks, ${identities} identities`)
      yield* row("disk", `${mebibytes(diskBytes)}, ${queued} records queued`)
      yield* row("memory", mebibytes(total(metrics, "p2p_mes_resident_bytes")))
      yield* row("requests", String(total(metrics, "p2p_mes_http_requests_total")))
      if (Math.abs(aheadMs) > 5_000) {
        yield* row(
          "clock",
          `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? "ahead of" : "behind"} this computer`
        )
      }
    }
    if (!readiness.ready) return yield* failure(`the node is not ready: ${readiness.problems.join("; ")}`)
  })
).pipe(
  Command.withDescription(
    "Show who a node is, whether it is ready, and what it holds. Exit code 1 when it is not ready."
  ),
  Command.withShortDescription("Show the state of a node")
)
