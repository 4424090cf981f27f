/**
 * Writes that are signed before the clock runs, each for the time at which it is planned to be sent, and sent by a process of
 * its own. This is the bench's side of it: `planned-load.ts` is the process, `planned-sign.worker.ts` its signing threads.
 *
 * A node takes a signature within 30 s of its clock. An open loop keeps to the plan; a closed loop sends as fast as answers
 * come, so its plan goes by an estimate, and what falls too far behind the clock is skipped.
 */
import { type ChildProcess, fork } from "node:child_process"
import { kept, pause } from "../nodes/processes.ts"

/** Which writes to sign: the n-th, of `count`, is planned for `startMs` + n / `perSecond`. */
export interface Plan {
  readonly nodeId: string
  readonly count: number
  readonly perSecond: number
  /** Ms of the wall clock. */
  readonly startMs: number
  /** Number of the first write: no two plans should share any. */
  readonly first: number
}

/** How to send what is planned under a name. */
export interface Run {
  readonly plan: string
  readonly port: number
  readonly connections: number
  /** Closed: each connection sends when it has its answer. Open: at the planned times, answered or not. */
  readonly loop: "closed" | "open"
  /** No request leaves later than this after the first. */
  readonly msMax: number
}

/** What a run met. */
export interface Met {
  readonly sent: number
  /** Answers by status; 0: the connection broke. */
  readonly statuses: { readonly [status: string]: number }
  /** From the first request to the last answer. */
  readonly wallMs: number
  /** Wall clock at the first request and at the last answer, ms. */
  readonly fromMs: number
  readonly toMs: number
  /** Of answers that took the write. Open loop: since the planned time. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Planned writes that were too old to be sent. */
  readonly skipped: number
  /** Whether the plan ended before the time did. */
  readonly exhausted: boolean
  /** The answer that came last, as text. */
  readonly lastBody: string
}

export type Order =
  & { readonly id: number }
  & (
    | { readonly do: "sign"; readonly name: string; readonly plan: Plan }
    | { readonly do: "run"; readonly run: Run }
  )
export type Done = { readonly id: number } & ({ readonly met?: Met } | { readonly error: string })

const orderMsMax = 1_200_000

/** Accepted writes of a run. */
export const acceptedOf = (met: Met): number => met.statuses["202"] ?? 0

/** Of a run, a second. */
export const rateOf = (met: Met): number => acceptedOf(met) / met.wallMs * 1_000

/** Refused by the rule that the node protects itself. */
export const refusedOf = (met: Met): number => met.statuses["503"] ?? 0

/** Answers that nobody should get. */
export const failedOf = (met: Met): number =>
  Object.entries(met.statuses).reduce((sum, [status, n]) => status === "202" || status === "503" ? sum : sum + n, 0)

/** The load process. */
export class Load {
  readonly pid: number
  private readonly child: ChildProcess
  private readonly open = new Map<number, (done: Done) => void>()
  private lastId = 0
  private planned = 0
  private signedPerMs = 5

  constructor() {
    this.child = kept(fork(new URL("planned-load.ts", import.meta.url), { serialization: "advanced" }))
    this.pid = this.child.pid!
    this.child.on("message", (done: Done) => {
      this.open.get(done.id)?.(done)
      this.open.delete(done.id)
    })
    this.child.on("exit", () => {
      for (const [id, give] of this.open) give({ id, error: "the load process ended" })
    })
  }

  private order(
    what: { readonly do: "sign"; readonly name: string; readonly plan: Plan } | {
      readonly do: "run"
      readonly run: Run
    }
  ): Promise<Met | undefined> {
    const id = ++this.lastId
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the load did not ${what.do} in time`)), orderMsMax)
      this.open.set(id, (done) => {
        clearTimeout(timer)
        if ("error" in done) reject(new Error(done.error))
        else resolve(done.met)
      })
      this.child.send({ id, ...what } satisfies Order)
    })
  }

  /**
   * Signs `count` writes to a node, to be sent at `perSecond` from when this is done and `leadMs` have gone; gives the plan's
   * name.
   */
  async sign(nodeId: string, count: number, perSecond: number, leadMs = 0): Promise<string> {
    const begunMs = performance.now()
    const name = `plan ${this.planned}`
    const startMs = Date.now() + count / this.signedPerMs + leadMs
    const first = this.planned
    this.planned += count
    await this.order({ do: "sign", name, plan: { nodeId, count, perSecond, startMs, first } })
    this.signedPerMs = Math.max(0.5, count / (performance.now() - begunMs))
    await pause(Math.max(0, startMs - leadMs - Date.now()))
    return name
  }

  async run(run: Run): Promise<Met> {
    return (await this.order({ do: "run", run }))!
  }
}
