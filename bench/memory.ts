/**
 * Does a node under load grow?
 *
 *     node bench/memory.ts [--quick] [--messages N]    a table, and bench/results/memory.json
 *
 * Resident memory of a node with N messages stored beforehand, one peer (a real second node), and 500 writes a second, every
 * 5 s; and the JavaScript heaps of those of its threads that tell (`node-probe.ts`). The second minute is compared with the
 * tenth; with `--quick`, the first with the second.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { acceptedOf, failedOf, Load, refusedOf } from "./load/planned.ts"
import { copyOf, prepared } from "./nodes/prepared.ts"
import { NodeProcess, pause } from "./nodes/processes.ts"
import { inDirectory, say } from "./nodes/running.ts"
import { isQuick, median, numberGiven, table, writeResults } from "./report/measure.ts"

const stored = numberGiven("messages", isQuick ? 50_000 : 1_000_000)
const perSecond = numberGiven("rate", isQuick ? 150 : 500)
const [early, late] = isQuick ? [1, 2] : [2, 10]
const sampleMs = 5_000
const minuteMs = 60_000
/** Writes are signed for as long as this; the whole plan at once would fill the load's own memory. */
const legMs = minuteMs
const connections = 64

interface Sample {
  /** Since the load began. */
  readonly atMs: number
  readonly residentMiB: number
  readonly peerMiB: number
  /** MiB of JavaScript heap by the file of the thread, "event loop" for the first. */
  readonly heaps: { readonly [thread: string]: number }
}

/** Resident memory of a process, MiB. */
const residentMiBOf = (pid: number): number =>
  Number(/^VmRSS:\s+([0-9]+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024

const sampleOf = (node: NodeProcess, peer: NodeProcess, atMs: number): Sample => {
  const heaps: { [thread: string]: number } = {}
  for (const { file, heapMiB } of node.heaps.values()) {
    const name = file === "" ? "event loop" : file.split(".")[0]!
    heaps[name] = (heaps[name] ?? 0) + heapMiB
  }
  return { atMs, residentMiB: residentMiBOf(node.pid), peerMiB: residentMiBOf(peer.pid), heaps }
}

const measure = async (directory: string) => {
  const store = await prepared(stored)
  const peer = await NodeProcess.start({ dataDir: copyOf(store, join(directory, "peer")) })
  const node = await NodeProcess.start({
    dataDir: copyOf(store, join(directory, "node")),
    bootstrap: [peer.address],
    probed: true
  })
  await node.ready()
  await node.joined(1)
  const idleMiB = residentMiBOf(node.pid)
  const load = new Load()
  const samples: Array<Sample> = []
  const begun = performance.now()
  let over = false
  const sampling = (async () => {
    while (!over) {
      samples.push(sampleOf(node, peer, performance.now() - begun))
      await pause(sampleMs)
    }
  })()
  let [accepted, refused, failed] = [0, 0, 0]
  const waitsMs: Array<number> = []
  // while one leg is sent, the next is signed: the load hardly pauses
  let next = load.sign(node.id, perSecond * legMs / 1_000, perSecond)
  for (let leg = 0; leg < late; leg++) {
    const plan = await next
    say(`minute ${leg + 1}`)
    const met = load.run({ plan, port: node.port, connections, loop: "open", msMax: legMs + 10_000 })
    if (leg + 1 < late) {
      const signMs = Math.max(0, begun + (leg + 1) * legMs - performance.now() - legMs / 2)
      next = pause(signMs).then(() => load.sign(node.id, perSecond * legMs / 1_000, perSecond, legMs / 2))
    }
    const { p99Ms } = await met
    accepted += acceptedOf(await met)
    refused += refusedOf(await met)
    failed += failedOf(await met)
    waitsMs.push(p99Ms)
  }
  over = true
  await sampling
  await node.drained(minuteMs)
  return { idleMiB, samples, accepted, refused, failed, waitsMs }
}

const within = (samples: ReadonlyArray<Sample>, minute: number): ReadonlyArray<Sample> =>
  samples.filter(({ atMs }) => atMs >= (minute - 1) * minuteMs && atMs < minute * minuteMs)

await inDirectory(async (directory) => {
  const { accepted, failed, idleMiB, refused, samples, waitsMs } = await measure(directory)
  const [first, last] = [within(samples, early), within(samples, late)]
  const row = (name: string, of: (sample: Sample) => number) => {
    const [a, b] = [median(first.map(of)), median(last.map(of))]
    return { name, early: a, late: b, growth: (b / a - 1) * 100 }
  }
  const threads = Object.keys(samples.at(-1)?.heaps ?? {})
  const rows = [
    row("node, resident", ({ residentMiB }) => residentMiB),
    row("peer, resident", ({ peerMiB }) => peerMiB),
    ...threads.map((thread) => row(`node, heap: ${thread}`, ({ heaps }) => heaps[thread] ?? Number.NaN))
  ]
  const highest = Math.max(...samples.map(({ residentMiB }) => residentMiB))
  console.log(table(
    ["MiB", `minute ${early}`, `minute ${late}`, "growth, %"],
    rows.map((each) => [each.name, each.early, each.late, each.growth])
  ))
  console.log(`\n${
    table(["what", "value"], [
      ["messages stored before", String(stored)],
      ["writes a second, as planned", perSecond],
      ["accepted", String(accepted)],
      ["refused with 503", String(refused)],
      ["other answers", String(failed)],
      ["p99 of the answers, median of the minutes, ms", median(waitsMs)],
      ["resident before the load, MiB", idleMiB],
      ["resident, highest, MiB", highest]
    ])
  }`)
  console.log(writeResults("memory", ["effect", "libp2p"], {
    stored,
    perSecond,
    accepted,
    refused,
    failed,
    waitsMs,
    idleMiB,
    highest,
    minutes: [early, late],
    rows,
    samples
  }, [{ name: "node, resident", unit: "MiB", values: last.map(({ residentMiB }) => residentMiB) }]))
})
