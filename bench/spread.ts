/**
 * How fast does what one node takes get to the others?
 *
 *     node bench/spread.ts [--quick] [--messages N]    tables, and bench/results/spread.json
 *
 * Three node processes, each connected to both others, on copies of one store of N messages.
 *
 * 1. 200 writes a second at A, of which one in ten is followed: C is asked for its conversation until it is there. The time
 *    is an upper bound, from the moment at which the write was sent to the one at which the answer was here that had it; the
 *    questions before it tell how far off it may be.
 * 2. All three take writes, as many a second as are offered, then as many as some connections can send. Then the time until
 *    all three tell the same roots for one horizon that has all writes (SPEC §6: a horizon is 10 to 15 s behind the clock).
 */
import { join } from "node:path"
import { horizonStepMs } from "../src/domain/limits.ts"
import { acceptedOf, failedOf, Load, type Met, refusedOf } from "./load/planned.ts"
import { Bare } from "./nodes/bare.ts"
import { copyOf, prepared } from "./nodes/prepared.ts"
import { NodeProcess, pause, until } from "./nodes/processes.ts"
import { inDirectory, say } from "./nodes/running.ts"
import { meter, totalCpuMs } from "./nodes/threads.ts"
import { isQuick, median, numberGiven, percentiles, table, writeResults } from "./report/measure.ts"
import { probe, type Seen } from "./spread/probe.ts"

const stored = numberGiven("messages", isQuick ? 50_000 : 1_000_000)
const seconds = isQuick ? 8 : 60
const [writesPerSecond, followedPerSecond, probers] = [200, 20, 4]
const offeredPerSecond = numberGiven("rate", isQuick ? 300 : 1_500)
/** Of the closed loop, to each node. */
const connections = 16
/** About what a node takes in a closed loop with two others: planned for another rate, writes would be sent too early or late. */
const closedPerSecond = 600
/** Roughly what the load signs, a ms: plans are signed one after the other, and all begin after the last. */
const signedPerMs = 5
const equalMsMax = isQuick ? 60_000 : 300_000
const bareMs = 2_000

type Nodes = ReadonlyArray<NodeProcess>

const names = ["A", "B", "C"] as const

const startAll = async (directory: string, store: string): Promise<Nodes> => {
  const nodes: Array<NodeProcess> = []
  for (const name of names) {
    const bootstrap = nodes.map((node) => node.address)
    nodes.push(await NodeProcess.start({ dataDir: copyOf(store, join(directory, name)), bootstrap }))
  }
  for (const node of nodes) {
    await node.ready()
    await node.joined(names.length - 1)
  }
  return nodes
}

/** When all nodes tell the same roots for one horizon that has everything up to `lastMs`. */
const equalRoots = async (nodes: Nodes, lastMs: number) => {
  const firstHorizon = Math.ceil(lastMs / horizonStepMs) * horizonStepMs
  const told = new Map<number, Map<string, string>>()
  const look = async (): Promise<number | undefined> => {
    for (const node of nodes) {
      const { horizon, roots } = await node.standing()
      if (horizon === undefined || roots === undefined || horizon < firstHorizon) continue
      const known = told.get(horizon) ?? new Map<string, string>()
      told.set(horizon, known.set(node.id, JSON.stringify(roots)))
      if (known.size === nodes.length && new Set(known.values()).size === 1) return horizon
    }
    return undefined
  }
  const horizon = await until(equalMsMax, 200, look)
  return horizon === undefined
    ? undefined
    : { horizonsLate: (horizon - firstHorizon) / horizonStepMs, afterMs: Date.now() - lastMs }
}

const messagesOf = async (node: NodeProcess): Promise<number> =>
  (await node.metrics()).total("p2p_mes_records", "\"message\"")

const counted = async (nodes: Nodes, name: string): Promise<number> => {
  const all = await Promise.all(nodes.map((node) => node.metrics()))
  return all.reduce((sum, metrics) => sum + metrics.total(name), 0)
}

/** All nodes take writes at once, and then agree. */
const together = async (
  nodes: Nodes,
  name: string,
  load: Load,
  begin: () => Promise<ReadonlyArray<() => Promise<Met>>>
) => {
  const before = await Promise.all(nodes.map(messagesOf))
  const droppedBefore = await counted(nodes, "p2p_mes_gossip_dropped_total")
  say(`${name}: signing`)
  const runs = await begin()
  const { read } = meter({ ...Object.fromEntries(nodes.map((node, i) => [names[i]!, node.pid])), load: load.pid })
  const mets = await Promise.all(runs.map((run) => run()))
  const { busyMs, processes, wallMs } = read()
  const lastMs = Math.max(...mets.map(({ toMs }) => toMs))
  const spanMs = lastMs - Math.min(...mets.map(({ fromMs }) => fromMs))
  const accepted = mets.reduce((sum, met) => sum + acceptedOf(met), 0)
  say(`${name}: ${accepted} writes, until roots are equal`)
  const equal = await equalRoots(nodes, lastMs)
  // figures of the store are up to a second old
  await pause(1_100)
  const after = await Promise.all(nodes.map(messagesOf))
  return {
    name,
    accepted,
    perSecond: accepted / spanMs * 1_000,
    refused: mets.reduce((sum, met) => sum + refusedOf(met), 0),
    failed: mets.reduce((sum, met) => sum + failedOf(met), 0),
    statuses: mets.map(({ statuses }) => statuses),
    p50Ms: median(mets.map((met) => met.p50Ms)),
    p99Ms: Math.max(...mets.map((met) => met.p99Ms)),
    equal,
    /** Accepted messages that a node does not have, over all nodes. */
    missing: after.reduce((sum, count, i) => sum + before[i]! + accepted - count, 0),
    unannounced: await counted(nodes, "p2p_mes_gossip_dropped_total") - droppedBefore,
    /** Of all three nodes, until the last answer. */
    cpuMicros: names.reduce((sum, each) => sum + totalCpuMs(processes.get(each)!), 0) * 1_000 / accepted,
    shares: Object.fromEntries([...processes].map(([each, spent]) => [each, totalCpuMs(spent) / wallMs])),
    busyCores: busyMs / wallMs
  }
}

const follow = async (nodes: Nodes, load: Load) => {
  const [a, , c] = nodes as [NodeProcess, NodeProcess, NodeProcess]
  const perSecond = writesPerSecond - followedPerSecond
  const plan = await load.sign(a.id, perSecond * seconds, perSecond)
  const run = { plan, port: a.port, connections, loop: "open", msMax: seconds * 1_000 + 10_000 } as const
  const [met, probed] = await Promise.all([
    load.run(run),
    probe(a, c, { ms: seconds * 1_000, perSecond: followedPerSecond, probers })
  ])
  return { met, ...probed }
}

const measure = async (directory: string) => {
  const store = await prepared(stored)
  const load = new Load()
  say("three nodes start")
  const nodes = await startAll(directory, store)
  const plans = (perSecond: number, loop: "open" | "closed") => async () => {
    const runs: Array<() => Promise<Met>> = []
    const count = Math.ceil(perSecond * seconds)
    for (const [i, { id, port }] of nodes.entries()) {
      const plan = await load.sign(id, count, perSecond, (nodes.length - 1 - i) * count / signedPerMs)
      runs.push(() =>
        load.run({ plan, port, connections, loop, msMax: seconds * 1_000 + (loop === "open" ? 10_000 : 0) })
      )
    }
    return runs
  }
  say("writes are followed from A to C")
  const followed = await follow(nodes, load)
  const bare = await Bare.start(load, followed.met.lastBody)
  const bareRuns = [await bare.run(nodes[0]!.id, connections, bareMs)]
  const offered = await together(
    nodes,
    `offered: ${offeredPerSecond}/s`,
    load,
    plans(offeredPerSecond / names.length, "open")
  )
  bareRuns.push(await bare.run(nodes[0]!.id, connections, bareMs))
  const closed = await together(
    nodes,
    `closed loop, ${names.length} × ${connections} connections`,
    load,
    plans(closedPerSecond, "closed")
  )
  return { stored, followed, bareRuns, rows: [offered, closed], logged: nodes.map(({ log }) => log.slice(-5)) }
}

const timesOf = (seen: ReadonlyArray<Seen>, of: (seen: Seen) => number): ReadonlyArray<number> =>
  percentiles(seen.map(of), [50, 99, 100])

const headers = [
  "three nodes",
  "writes/s",
  "CPU µs a write, all three",
  "in bare ones",
  "p50 ms",
  "p99 ms",
  "503",
  "other answers",
  "equal roots after, s",
  "horizons late",
  "missing",
  "no room in gossip",
  "cores busy"
]

await inDirectory(async (directory) => {
  const { bareRuns, followed, logged, rows } = await measure(directory)
  const { met, refused, seen, unseen } = followed
  const times = {
    taken: timesOf(seen, ({ takenMs }) => takenMs),
    missed: timesOf(seen, ({ missedMs }) => missedMs),
    seen: timesOf(seen, ({ seenMs }) => seenMs),
    questions: timesOf(seen, ({ questions }) => questions)
  }
  console.log(table([`ms since the write was sent to A, ${seen.length} of them`, "p50", "p99", "max"], [
    ["answered by A", ...times.taken],
    ["C asked, and it was not there", ...times.missed],
    ["read at C", ...times.seen],
    ["questions to C", ...times.questions]
  ]))
  console.log(
    `\n${acceptedOf(met)} writes beside them, p99 of their answers ${
      met.p99Ms.toFixed(1)
    } ms; ${refused} followed writes refused, `
      + `${unseen} not seen in time.\n`
  )
  const bareMicros = median(bareRuns.map(({ cpuMicros }) => cpuMicros))
  console.log(table(
    headers,
    rows.map((row) => [
      row.name,
      row.perSecond,
      row.cpuMicros,
      row.cpuMicros / bareMicros,
      row.p50Ms,
      row.p99Ms,
      String(row.refused),
      String(row.failed),
      row.equal === undefined ? "never" : row.equal.afterMs / 1_000,
      row.equal === undefined ? undefined : String(row.equal.horizonsLate),
      String(row.missing),
      String(row.unannounced),
      row.busyCores
    ])
  ))
  console.log(writeResults(
    "spread",
    ["effect", "libp2p", "@libp2p/gossipsub"],
    { stored, followed: { met, refused, unseen, times }, bareRuns, rows, logged },
    [{ name: "three nodes, a write", unit: "CPU µs", values: rows.map(({ cpuMicros }) => cpuMicros) }]
  ))
})
