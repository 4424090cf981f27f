/**
 * The process that signs and sends planned writes (`planned.ts`). Signing is over before the first request leaves; then its
 * threads are at rest, and what remains is one event loop with plain sockets.
 */
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { pause } from "../nodes/processes.ts"
import { cores } from "../nodes/threads.ts"
import { percentiles } from "../report/measure.ts"
import type { Block, Signed } from "./planned-sign.worker.ts"
import type { Done, Met, Order, Plan, Run } from "./planned.ts"
import { type Answer, Wire } from "./wire.ts"

const blockWrites = 1_000
/** A write planned longer ago than this is skipped: a node takes 30 s. */
const behindMsMax = 20_000
/** A closed loop that is further ahead of its plan than this waits. */
const aheadMsMax = 25_000
/** What a connection waits that was told 503, before its next write: as long as the node asks for. */
const refusedPauseMs = 1_000
/** For answers, after the last request. */
const answersMsMax = 15_000

/** Signed requests in the order of their plan. */
class Requests {
  readonly plan: Plan
  private readonly blocks: ReadonlyArray<Signed>

  constructor(plan: Plan, blocks: ReadonlyArray<Signed>) {
    this.plan = plan
    this.blocks = blocks
  }

  at(n: number): Uint8Array {
    const { bytes, ends } = this.blocks[Math.floor(n / blockWrites)]!
    const at = n % blockWrites
    return bytes.subarray(at === 0 ? 0 : ends[at - 1], ends[at])
  }

  plannedMs(n: number): number {
    return this.plan.startMs + n * 1_000 / this.plan.perSecond
  }
}

const workers = Array.from(
  { length: Math.min(4, cores) },
  () => new Worker(new URL("planned-sign.worker.ts", import.meta.url))
)
let signing: Promise<unknown> = Promise.resolve()

/** Blocks go to threads in turns; one plan at a time. */
const sign = async (plan: Plan): Promise<Requests> => {
  const blocks: Array<Signed> = []
  let next = 0
  await Promise.all(workers.map(async (worker) => {
    while (next * blockWrites < plan.count) {
      const index = next++
      const from = index * blockWrites
      const block: Block = { plan, from, to: Math.min(plan.count, from + blockWrites) }
      worker.postMessage(block, [])
      blocks[index] = (await once(worker, "message"))[0] as Signed
    }
  }))
  return new Requests(plan, blocks)
}

/** Counts answers; latencies only of writes that were taken. */
class Tally {
  readonly statuses: { [status: string]: number } = {}
  readonly latenciesMs: Array<number> = []
  answered = 0
  last: Answer | undefined

  count(answer: Answer, ms: number): void {
    this.answered++
    this.statuses[answer.status] = (this.statuses[answer.status] ?? 0) + 1
    if (answer.status === 202) this.latenciesMs.push(ms)
    this.last = answer
  }
}

const send = async (requests: Requests, run: Run): Promise<Met> => {
  const { plan } = requests
  const wires = await Promise.all(Array.from({ length: run.connections }, () => Wire.open(run.port)))
  const tally = new Tally()
  const [fromMs, begun] = [Date.now(), performance.now()]
  // an open loop that begins late does so as a whole
  const lateMs = Math.max(0, fromMs - plan.startMs)
  let [next, sent, skipped, lastAnswer] = [0, 0, 0, begun]
  const isOver = () => next >= plan.count || performance.now() - begun > run.msMax

  const one = (wire: Wire, sinceMs: number): Promise<Answer> =>
    new Promise((resolve) => {
      sent++
      wire.send(requests.at(next++), (answer) => {
        lastAnswer = performance.now()
        tally.count(answer, lastAnswer - sinceMs)
        resolve(answer)
      })
    })

  const closed = async (wire: Wire): Promise<void> => {
    while (!isOver() && wire.isOpen) {
      const now = Date.now()
      if (requests.plannedMs(next) < now - behindMsMax) {
        ;[next, skipped] = [next + 1, skipped + 1]
      } else if (requests.plannedMs(next) > now + aheadMsMax) await pause(20)
      else if ((await one(wire, performance.now())).status === 503) await pause(refusedPauseMs)
    }
  }

  const open = async (): Promise<void> => {
    const idle = [...wires]
    const dueMs = (n: number) => begun + (requests.plannedMs(n) + lateMs - fromMs)
    while (!isOver()) {
      const now = performance.now()
      while (next < plan.count && idle.length > 0 && dueMs(next) <= now) {
        const wire = idle.shift()!
        void one(wire, dueMs(next)).then(() => idle.push(wire))
      }
      await pause(1)
    }
  }

  await (run.loop === "open" ? open() : Promise.all(wires.map(closed)))
  const exhausted = run.loop === "closed" && next >= plan.count && performance.now() - begun < run.msMax
  for (const endMs = performance.now() + answersMsMax; tally.answered < sent && performance.now() < endMs;) {
    await pause(5)
  }
  for (const wire of wires) wire.close()
  const [p50Ms, p99Ms, maxMs] = percentiles(tally.latenciesMs, [50, 99, 100]) as [number, number, number]
  const wallMs = lastAnswer - begun
  const unanswered = sent - tally.answered
  return {
    sent,
    statuses: unanswered === 0 ? tally.statuses : { ...tally.statuses, unanswered },
    wallMs,
    fromMs,
    toMs: fromMs + wallMs,
    p50Ms,
    p99Ms,
    maxMs,
    skipped,
    exhausted,
    lastBody: tally.last?.body.toString("utf8", 0, 2_000) ?? ""
  }
}

const plans = new Map<string, Requests>()

const obey = async (order: Order): Promise<Met | undefined> => {
  if (order.do === "sign") {
    const signed = signing.then(() => sign(order.plan))
    signing = signed.catch(() => {})
    plans.set(order.name, await signed)
    return undefined
  }
  const requests = plans.get(order.run.plan)
  if (requests === undefined) throw new Error(`nothing is planned as ${order.run.plan}`)
  plans.delete(order.run.plan)
  return send(requests, order.run)
}

process.on("message", (order: Order) => {
  const tell = (done: Done): void => void process.send!(done)
  obey(order).then(
    (met) => tell(met === undefined ? { id: order.id } : { id: order.id, met }),
    (error: unknown) =>
      tell({ id: order.id, error: error instanceof Error ? error.stack ?? error.message : String(error) })
  )
})
// with the bench it ends too
process.once("disconnect", () => process.exit())
