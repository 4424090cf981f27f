/**
 * The bare server of `http-node.ts` (`node:http`, one native recovery, the node's own bytes as the answer) under the same load
 * as a node: what this machine gives at this moment, so that what a node gives can be told as a ratio.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { acceptedOf, type Load, rateOf } from "../load/planned.ts"
import type { Bodies, Command, Ready } from "./http-node.ts"
import { kept } from "./processes.ts"
import { look, spendings, totalCpuMs } from "./threads.ts"

/** Of one run against the bare server. */
export interface BareRun {
  readonly perSecond: number
  readonly cpuMicros: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export class Bare {
  readonly pid: number
  private readonly port: number
  private readonly load: Load
  private lastRate = 3_000

  private constructor(pid: number, port: number, load: Load) {
    this.pid = pid
    this.port = port
    this.load = load
  }

  /** `body`: what it answers to every write. */
  static async start(load: Load, body: string): Promise<Bare> {
    const child = kept(fork(new URL("http-node.ts", import.meta.url), ["bare", ""], { serialization: "advanced" }))
    const [{ port }] = await once(child, "message", { signal: AbortSignal.timeout(30_000) }) as [Ready]
    const bytes = Buffer.from(body)
    const bodies: Bodies = { write: bytes, waited: bytes, history: bytes, inbox: bytes }
    child.send({ bodies } satisfies Command)
    return new Bare(child.pid!, port, load)
  }

  /** A closed loop of the same writes; `nodeId` only fills the header. */
  async run(nodeId: string, connections: number, ms: number): Promise<BareRun> {
    const plan = await this.load.sign(nodeId, Math.ceil(this.lastRate * ms / 1_000), this.lastRate)
    const before = look(this.pid)
    const met = await this.load.run({ plan, port: this.port, connections, loop: "closed", msMax: ms })
    const cpuMs = totalCpuMs(spendings(before, look(this.pid)))
    this.lastRate = rateOf(met)
    return {
      perSecond: rateOf(met),
      cpuMicros: cpuMs * 1_000 / acceptedOf(met),
      p50Ms: met.p50Ms,
      p99Ms: met.p99Ms
    }
  }
}
