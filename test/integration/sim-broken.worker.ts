/**
 * A thread of `sim` where something is broken on purpose. By what it was told at its start: "finds" has an oracle that
 * dislikes what node 1 commits; "dies" does not run anything and ends, hangs, or eats memory, by the seed.
 */
import { enableCompileCache } from "node:module"
import { parentPort, workerData } from "node:worker_threads"
import type { Order, Ran, Told } from "../../src/cli/sim-serve.ts"

const port = parentPort!
const what = (workerData as { readonly what: "finds" | "dies" }).what

const ran = ({ seed }: Order["run"]): Ran => ({
  history: "00".repeat(32),
  findings: [],
  virtualMs: 1_000,
  actions: 7,
  faults: [["crash", seed]],
  records: 3,
  entries: 10,
  convergedMs: 0,
  cpuMs: 1,
  arguments: "",
  story: undefined,
  page: undefined
})

if (what === "finds") {
  enableCompileCache()
  const { serve } = await import("../../src/cli/sim-serve.ts")
  serve(port, {
    prepare: (cluster) => {
      cluster.observers.push({
        committed: (node) => {
          if (node.index === 1) cluster.find("dislike", "node 1 has committed\u001b[31m", node)
        }
      })
    }
  })
} else {
  port.on("message", ({ run }: Order) => {
    if (run.seed === 1) process.exit(7)
    if (run.seed === 2) { for (;;) { /* without end */ } }
    if (run.seed === 3) { for (const all: Array<unknown> = [];;) all.push(Array.from({ length: 1_000 }, () => ({}))) }
    port.postMessage({ _tag: "Ran", ran: ran(run) } satisfies Told)
  })
  port.postMessage({ _tag: "Ready" } satisfies Told)
}
