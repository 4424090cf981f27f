/**
 * What a network of many nodes costs: the model of `scale/model.ts`, checked against clusters of whole nodes in the simulator
 * (`scale/town.ts`), and what it says for rates and machines that nobody here has.
 *
 * Writes `results/scale.json`, three charts, and the tables of docs/scale.md between their marks. `--tables` simulates nothing,
 * and does the rest from the last results: for when other benches were run again. `--nodes 10,50` simulates only those sizes, and keeps the
 * last results of the others.
 */
import { Effect } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import * as Frames from "../src/domain/sync-frames.ts"
import { isQuick, table, writeResults } from "./report/measure.ts"
import { type Curve, type Plot, svgOf } from "./report/plot.ts"
import { type Costs, costs } from "./scale/costs.ts"
import * as Model from "./scale/model.ts"
import { contentBytes, gapRecords, measure, type Town } from "./scale/town.ts"

const sizes = (() => {
  const at = process.argv.indexOf("--nodes")
  return at > 0 ? process.argv[at + 1]!.split(",").map(Number) : isQuick ? [10, 20] : [10, 50, 100, 200]
})()
const rates = [100, 1_000, 6_000]
const nodeCounts = [10, 50, 100, 200]
const machines = [2, 4, 8, 16]
/** Of a hop in the simulator, ms, and of one between continents. */
const nearMs = [1, 30] as const
const farMs = [20, 150] as const

/** Bytes of a round of two equal nodes: hellos, one domain that is not empty audited at four places, the end. */
const equalRoundBytes = (() => {
  const some = (length: number) => new Uint8Array(length).fill(0xff)
  const hello: Frames.Hello = {
    _tag: "Hello",
    version: Frames.syncVersion,
    network: "",
    keyCheck: some(0),
    wallMs: Date.now(),
    horizonMs: Date.now(),
    counts: [0, 0, 100],
    roots: [some(32), some(32), some(32)]
  }
  const frames: ReadonlyArray<Frames.Frame> = [
    hello,
    hello,
    { _tag: "Audit", domain: "messages", nonce: some(Frames.nonceBytes), buckets: [60_001, 60_002, 60_003, 60_004] },
    { _tag: "Audited", hashes: some(4 * 32) },
    { _tag: "End" }
  ]
  return frames.reduce((sum, frame) => sum + Frames.encode(frame).length, 0)
})()

/** Numbers are absent where a size was not looked at for it. */
type Check = readonly [what: string, predicted?: number, measured?: number]

const checksOf = (all: Costs, town: Town): ReadonlyArray<Check> => {
  const { burst, fresh, gap, nodes, quiet, recordBytes, spread } = town
  const times = Model.spread(nodes, nearMs)
  const copies = Model.copies(nodes)
  return [
    ["connections of a node", Model.connections(nodes), town.connections],
    ["peers in its mesh", Model.degree(nodes), town.degree],
    ["copies of a message received", copies, spread.copies],
    ["payload bytes a record", copies * (recordBytes + Model.payloadExtraBytes), spread.payloadBytes],
    ["notice bytes a record", Model.noticeBytes(nodes), spread.noticeBytes],
    ["ms until half have it", times.halfMs, spread.halfMs],
    ["ms until all have it", times.allMs, spread.allMs],
    ["rounds of sync a second", Model.rounds(nodes), quiet.rounds],
    ["bytes of a round of equals", equalRoundBytes, quiet.roundBytes],
    ["bytes of sync a second", Model.rounds(nodes) * equalRoundBytes / 2, quiet.bytesPerSecond],
    burst === undefined
      ? ["records a message in a burst"]
      : ["records a message in a burst", Model.batch(burst.perSecond), burst.recordsAMessage],
    [
      `bytes to mend ${gapRecords} records`,
      gap.records * recordBytes + Model.differenceBytes(all, gap.records),
      gap.bytes
    ],
    ["bytes of a first fetch", fresh.records * recordBytes, fresh.bytes]
  ]
}

const percent = (predicted?: number, measured?: number): string | undefined => {
  if (predicted === undefined || measured === undefined) return undefined
  const error = (predicted / measured - 1) * 100
  return Math.abs(error) < 0.05 ? "0 %" : `${error > 0 ? "+" : ""}${error.toFixed(1)} %`
}

const checkTable = (all: Costs, towns: ReadonlyArray<Town>): string => {
  const checks = towns.map((town) => checksOf(all, town))
  const cells = (i: number) =>
    checks.flatMap((each) => {
      const [, predicted, measured] = each[i]!
      return [predicted, measured, percent(predicted, measured)]
    })
  return table(
    ["a node", ...towns.flatMap(({ nodes }) => [`${nodes} nodes: model`, "simulator", "error"])],
    checks[0]!.map(([what], i) => [what, ...cells(i)])
  )
}

const inputTable = (all: Costs): string => {
  const [one, many] = [all.gossip[0]!, all.gossip.at(-1)!]
  const role = (name: string) => [one.intakeMicros[name], many.intakeMicros[name]]
  return table(["CPU µs", "alone", `${many.batch} in a message`, "from"], [
    ["a signature", all.signature, undefined, "verify.json"],
    ["a write of a user", all.accept, undefined, "http.json"],
    ["a record from a peer, by gossip", one.intakeMicrosTotal, many.intakeMicrosTotal, "scale-gossip.json"],
    ["of it the event loop", ...role("event loop"), "scale-gossip.json"],
    ["of it the verifier threads", ...role("verifier"), "scale-gossip.json"],
    ["of it the database's writing thread", ...role("database, writing"), "scale-gossip.json"],
    ["a message of gossip, its first copy", one.receivedMicros, many.receivedMicros, "scale-gossip.json"],
    ["a message of gossip, every other copy", one.againMicros, many.againMicros, "scale-gossip.json"],
    ["a copy sent", one.sentMicros, many.sentMicros, "scale-gossip.json"],
    ["a record fetched: source", all.catchUpSource, undefined, "catch-up.json"],
    ["a record fetched: fresh node", all.catchUpFresh, undefined, "catch-up.json"],
    ["a page of 50 messages", all.page, undefined, "http.json"],
    ["an inbox of 50 chats", all.inbox, undefined, "http.json"],
    ["bytes on disk, a message", all.diskBytes, undefined, "store.json"]
  ])
}

const mega = (bytes: number): number => bytes / 1e6

const loadTable = (all: Costs, recordBytes: number): string =>
  table(
    ["nodes", "writes/s", "records a message", "cores", "of it event loop", "MB/s out, and in", "Mbit/s out, and in"],
    nodeCounts.flatMap((nodes) =>
      rates.map((perSecond) => {
        const load = Model.nodeLoad(all, { nodes, perSecond }, recordBytes)
        const bytes = mega(load.gossipBytes)
        return [String(nodes), String(perSecond), load.batch, load.cpu, load.loop, bytes, bytes * 8]
      })
    )
  )

const duration = (seconds: number): string =>
  seconds < 5_400
    ? `${Math.round(seconds / 60)} min`
    : seconds < 172_800
    ? `${(seconds / 3_600).toFixed(1)} h`
    : `${(seconds / 86_400).toFixed(1)} days`

const keepTable = (all: Costs): string =>
  table(
    ["writes/s", "records kept, millions", "GB on disk", "GB a day", "first fetch"],
    [1, 10, ...rates].map((perSecond) => {
      const { diskBytes, records } = Model.nodeLoad(all, { nodes: 100, perSecond }, 0)
      const spare = all.catchUpPerSecond - perSecond
      return [
        String(perSecond),
        records / 1e6,
        diskBytes / 1e9,
        perSecond * 86_400 * all.diskBytes / 1e9,
        spare <= 0 ? "never" : duration(records / spare)
      ]
    })
  )

const ceilingTable = (all: Costs): string =>
  table(
    ["cores", ...nodeCounts.map((nodes) => `${nodes} nodes, writes/s`), "used up first", "signatures alone"],
    machines.map((cores) => [
      String(cores),
      ...nodeCounts.map((nodes) => Model.ceiling(all, nodes, cores).perSecond),
      Model.ceiling(all, 100, cores).first,
      cores * 1e6 / all.signature
    ])
  )

/** Reads that a network of such nodes answers beside a rate of writes: all cores, what is left of them. */
const readTable = (all: Costs): string =>
  table(
    ["nodes of 16 cores", "writes/s", "pages/s a node", "pages/s, all nodes"],
    nodeCounts.flatMap((nodes) =>
      [0, 100, 1_000].map((perSecond) => {
        const { cpu, loop } = Model.nodeLoad(all, { nodes, perSecond }, 0)
        // all of a page is counted as work of the event loop, which is the lesser bound
        const pages = Math.max(0, Math.min(16 - cpu, 1 - loop)) * 1e6 / all.page
        return [String(nodes), String(perSecond), pages, pages * nodes]
      })
    )
  )

const page = new URL("../docs/scale.md", import.meta.url)
const marks = (name: string) => [`<!-- begin ${name} -->`, `<!-- end ${name} -->`] as const

const writeTables = (tables: { readonly [name: string]: string }): void => {
  let text = readFileSync(page, "utf8")
  for (const [name, rows] of Object.entries(tables)) {
    const [begin, end] = marks(name)
    const [from, to] = [text.indexOf(begin), text.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`docs/scale.md has no marks for ${name}`)
    text = `${text.slice(0, from + begin.length)}\n\n${rows}\n\n${text.slice(to)}`
  }
  writeFileSync(page, text)
}

const drawn = (towns: ReadonlyArray<Town>, all: Costs): void => {
  const range = Array.from({ length: 40 }, (_, i) => 5 * (i + 1)).filter((nodes) => nodes >= 10)
  const measured = (name: string, of: (town: Town) => number): Curve => ({
    name,
    points: towns.map((town) => ({ x: town.nodes, y: of(town) }))
  })
  const xLabel = "nodes"
  const model = (name: string, y: (nodes: number) => number, dashed = true): Curve => ({
    name,
    dashed,
    points: range.map((nodes) => ({ x: nodes, y: y(nodes) }))
  })
  writePlot("scale-copies", {
    title: "Copies of a message that a node receives",
    xLabel,
    yLabel: "copies",
    curves: [model("model", Model.copies), measured("simulator", ({ spread }) => spread.copies)]
  })
  writePlot("scale-time", {
    title: "Until nodes have a write, hops of 1 to 30 ms",
    xLabel,
    yLabel: "ms",
    curves: [
      model("all, model", (nodes) => Model.spread(nodes, nearMs).allMs),
      measured("all, simulator", ({ spread }) => spread.allMs),
      model("half, model", (nodes) => Model.spread(nodes, nearMs).halfMs),
      measured("half, simulator", ({ spread }) => spread.halfMs)
    ]
  })
  writePlot("scale-ceiling", {
    title: "Writes a second that a network bears, by the cores of each node",
    xLabel,
    yLabel: "writes/s, all nodes together",
    curves: machines.map((cores) =>
      model(`${cores} cores`, (nodes) => Model.ceiling(all, nodes, cores).perSecond, false)
    )
  })
}

const writePlot = (name: string, plot: Plot): void =>
  writeFileSync(new URL(`results/${name}.svg`, import.meta.url), `${svgOf(plot)}\n`)

const resultsFile = new URL("results/scale.json", import.meta.url)
const kept = (): ReadonlyArray<Town> =>
  existsSync(resultsFile)
    ? (JSON.parse(readFileSync(resultsFile, "utf8")) as { readonly data: ReadonlyArray<Town> }).data
    : []

/** What was simulated now, and of earlier what was not. */
const simulated = async (): Promise<ReadonlyArray<Town>> => {
  const towns: Array<Town> = []
  for (const nodes of sizes) {
    const town = await Effect.runPromise(measure(nodes))
    console.error(`${nodes} nodes: ${(town.cpuMs / 1_000).toFixed(0)} s of CPU`)
    towns.push(town)
  }
  const others = isQuick ? [] : kept().filter(({ nodes }) => !sizes.includes(nodes))
  return [...others, ...towns].toSorted((a, b) => a.nodes - b.nodes)
}

const onlyTables = process.argv.includes("--tables")
const towns = onlyTables ? kept() : await simulated()
if (!onlyTables) console.log(writeResults("scale", ["effect"], towns))
const all = costs()
const tables = {
  inputs: inputTable(all),
  checked: checkTable(all, towns),
  loads: loadTable(all, towns[0]!.recordBytes),
  kept: keepTable(all),
  ceilings: ceilingTable(all),
  reads: readTable(all)
}
for (const [name, rows] of Object.entries(tables)) console.log(`${name}\n${rows}\n`)
for (const [where, hop] of [["near", nearMs], ["far", farMs]] as const) {
  for (const nodes of nodeCounts) console.log(where, nodes, Model.spread(nodes, hop))
}
if (!isQuick) {
  writeTables(tables)
  drawn(towns, all)
}
console.log(`messages of ${contentBytes} bytes; format the page with: npx dprint fmt docs/scale.md`)
