/**
 * What does a signed write cost a whole node, and how many can it take?
 *
 *     node bench/write.ts [--quick] [--messages N]     tables, and bench/results/write.json
 *
 * One node process as `p2p-mes node` runs it, with N messages stored beforehand (`nodes/prepared.ts`: direct ingestion into the
 * store layer, kept between runs), and one peer, which is a real second node: it is subscribed to the gossip, verifies and
 * stores all of it, and its CPU is reported apart. 64 connections of a load process send requests that were signed before
 * the clock ran. Event loop delay is how late a timer of 1 ms fires (`node-probe.ts`).
 *
 * Then the same with the second core kept busy, and with far more connections than the node serves at once.
 */
import { join } from "node:path"
import { Bare, type BareRun } from "./nodes/bare.ts"
import { copyOf, prepared } from "./nodes/prepared.ts"
import { NodeProcess, pause, spin, until } from "./nodes/processes.ts"
import { inDirectory, say } from "./nodes/running.ts"
import { clipped, delaysWithin, lengthMs, watchCounter, watchPeaks } from "./nodes/watch.ts"
import { isQuick, median, numberGiven, type Watched, writeResults } from "./report/measure.ts"
import { connections, type Measured, ratesOf, Scene } from "./write/scene.ts"
import { type Account, type During, type Outcome, print } from "./write/tables.ts"

const stored = numberGiven("messages", isQuick ? 50_000 : 1_000_000)
const seconds = isQuick ? 5 : 60
/** Of the closed loop once more, beside the bare server, to see the spread. */
const turns = isQuick ? 1 : 4
/** Of the loops while the node collects, or another syncs: so long, and at most so many. */
const [legMs, legsMax] = [isQuick ? 5_000 : 15_000, 8]
const aged = isQuick ? 10_000 : 50_000
const bareMs = isQuick ? 2_000 : 5_000
const floodMs = isQuick ? 2_000 : 10_000
/** More than a node takes at once. */
const floodConnections = 3_000
/** To plan with: what is left of the rate when the second core is busy. */
const busyEstimate = 0.6
/** A node looks for what to collect half a minute after it started; signing comes first. */
const collectsAfterMs = 20_000
/** Later than this after its start a node knows all that could be repeated from memory. */
const settledMs = isQuick ? 0 : 190_000
/** The open loop's share of the rate that the closed one reached. */
const steadyShare = 0.4
const lagMsMax = 120_000
/** More than a node that has just started takes. */
const estimatePerSecond = 4_000
const estimateMs = isQuick ? 2_000 : 4_000
const secondCore = 1
const spinMsMax = 300_000

const gauges = [
  "p2p_mes_writer_queued",
  "p2p_mes_http_in_flight",
  "p2p_mes_gossip_queued",
  "p2p_mes_verifier_outstanding"
]

/**
 * Closed loops, one after the other, until a counter of `node` has gone up and stands still, and the loop's delay while it
 * went up. The run is the one in which it went up for longest.
 */
const during = async (scene: Scene, perSecond: number, node: NodeProcess, name: string): Promise<During> => {
  const watch = watchCounter(node, (metrics) => metrics.total(name))
  const runs: Array<Measured> = []
  let [before, count] = [0, (await node.metrics()).total(name)]
  do {
    before = count
    runs.push(await scene.closed(runs.at(-1)?.perSecond ?? perSecond, legMs))
    count = (await node.metrics()).total(name)
  } while (runs.length < legsMax && (count === 0 || count > before))
  const moving = await watch.end()
  const legs = runs.map((run) => ({ run, windows: clipped(moving, run.met) }))
  const [{ run }] = legs.toSorted((a, b) => lengthMs(b.windows) - lengthMs(a.windows)) as [typeof legs[number]]
  const windows = legs.flatMap((leg) => leg.windows)
  return { run, delays: delaysWithin(scene.node, windows), ms: lengthMs(windows), count }
}

/** A third node, on the store as it was before all writes, fetches what it lacks. */
const synced = async (scene: Scene, perSecond: number, dataDir: string): Promise<During> => {
  const late = await NodeProcess.start({ dataDir, bootstrap: [scene.node.address] })
  const seen = await during(scene, perSecond, late, "p2p_mes_sync_records_total")
  await late.stop()
  return seen
}

const messagesOf = async (node: NodeProcess): Promise<number> =>
  (await node.metrics()).total("p2p_mes_records", "\"message\"")

const reasons = ["in-flight", "queue", "replay-cache", "rate", "clock"] as const

/** Writes that the node refused to protect itself, by its reason. */
const refusals = async (node: NodeProcess): Promise<{ readonly [reason: string]: number }> => {
  const metrics = await node.metrics()
  return Object.fromEntries(reasons.map((reason) => [reason, metrics.total("p2p_mes_refused_total", `"${reason}"`)]))
}

/** What became of all accepted writes. */
const account = async (scene: Scene, before: number): Promise<Account> => {
  const begunMs = performance.now()
  const want = stored + scene.accepted
  const lag = await until(
    lagMsMax,
    200,
    async () => await messagesOf(scene.peer) >= want ? performance.now() - begunMs : undefined
  )
  // figures of the store are up to a second old
  await pause(1_100)
  const metrics = await scene.node.metrics()
  const collected = metrics.total("p2p_mes_collected_total", "\"message\"")
  const storedAfter = metrics.total("p2p_mes_records", "\"message\"")
  return {
    storedBefore: before,
    accepted: scene.accepted,
    collected,
    storedAfter,
    lost: before + scene.accepted - collected - storedAfter,
    peerLacks: want - await messagesOf(scene.peer),
    peerLagMs: lag,
    unannounced: metrics.total("p2p_mes_gossip_dropped_total")
  }
}

const measure = async (directory: string): Promise<Outcome> => {
  const store = await prepared(stored)
  say("two nodes start")
  const scene = await Scene.set(directory, store, aged)
  const { node } = scene
  const before = await messagesOf(node)
  say("the rate is estimated")
  const warm = await scene.closed(estimatePerSecond, estimateMs)
  let { perSecond } = warm
  const bare = await Bare.start(scene.load, warm.met.lastBody)
  const bareRuns: Array<BareRun> = [await bare.run(node.id, connections, bareMs)]

  say("while aged messages are collected")
  await pause(Math.max(0, collectsAfterMs - scene.upMs))
  const retention = await during(scene, perSecond, node, "p2p_mes_collected_total")
  perSecond = retention.run.perSecond
  say("while another node syncs")
  const sync = await synced(scene, perSecond, copyOf(store, join(directory, "late")))
  say("the node settles")
  await pause(Math.max(0, settledMs - scene.upMs))
  perSecond = (await scene.closed(Math.max(perSecond, warm.perSecond), estimateMs)).perSecond
  bareRuns.push(await bare.run(node.id, connections, bareMs))

  const rounds = async () => (await node.metrics()).total("p2p_mes_sync_rounds_total")
  const roundsBefore = await rounds()
  say("closed loop")
  const free = await scene.closed(perSecond, seconds * 1_000)
  const roundsWithin = await rounds() - roundsBefore
  perSecond = free.perSecond
  const steady = await scene.steady(Math.ceil(perSecond * steadyShare), Math.ceil(seconds * 1_000 / 3))

  say("second core busy")
  const spinner = spin(secondCore, spinMsMax)
  const peaks = watchPeaks(node, gauges)
  const busy = await scene.closed(perSecond * busyEstimate, seconds * 1_000, { spinner: spinner.pid })
  const flood = await scene.closed(perSecond * busyEstimate + floodConnections, floodMs, {
    connections: floodConnections,
    spinner: spinner.pid
  })
  const refused = await refusals(node)
  const peaked = Object.fromEntries(await peaks.end())
  await spinner.stop()
  say("once more")
  const again: Array<Measured> = []
  for (let turn = 0; turn < turns; turn++) {
    bareRuns.push(await bare.run(node.id, connections, bareMs))
    again.push(await scene.closed(perSecond, Math.ceil(seconds * 1_000 / 3)))
  }

  return {
    stored,
    connections,
    bare: {
      perSecond: median(bareRuns.map((run) => run.perSecond)),
      cpuMicros: median(bareRuns.map((run) => run.cpuMicros)),
      p50Ms: median(bareRuns.map((run) => run.p50Ms)),
      p99Ms: median(bareRuns.map((run) => run.p99Ms))
    },
    bareRuns,
    free,
    rates: ratesOf(free),
    roundsWithin,
    steady,
    retention,
    sync,
    busy,
    flood,
    again,
    busyShare: busy.perSecond / median([free, ...again].map((run) => run.perSecond)),
    peaks: peaked,
    refused,
    account: await account(scene, before),
    log: node.log.slice(-10)
  }
}

/** The closed loop's CPU, turn by turn; the bare server's is that of the run before each. */
const watchedOf = ({ again, bareRuns, free }: Outcome): ReadonlyArray<Watched> => [{
  name: "signed write, whole node, one peer",
  unit: "CPU µs",
  values: [free, ...again].map((run) => run.cpuMicros),
  bare: bareRuns.slice(-1 - again.length).map((run) => run.cpuMicros)
}]

await inDirectory(async (directory) => {
  const outcome = await measure(directory)
  print(outcome)
  const libraries = ["effect", "libp2p", "@libp2p/gossipsub", "secp256k1"]
  console.log(writeResults("write", libraries, outcome, watchedOf(outcome)))
})
