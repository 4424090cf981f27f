/**
 * The processes of `write.ts`: the node that is measured, the peer that is subscribed to it, and the load; and a run of the
 * load with everything that is watched meanwhile.
 */
import { join } from "node:path"
import { acceptedOf, Load, type Met, rateOf } from "../load/planned.ts"
import { addAged, copyOf } from "../nodes/prepared.ts"
import { NodeProcess } from "../nodes/processes.ts"
import { byRole, meter, type Metered, type Spending, totalCpuMs } from "../nodes/threads.ts"
import { clipped, type Delays, delaysWithin, lengthMs, watchCheckpoints, type Window } from "../nodes/watch.ts"

export const connections = 64
const drainMsMax = 60_000
/** How many writes of a closed loop are signed, in those that the estimate of its rate asks for. */
const signedShare = 1.4

/** CPU time of the processes during a run. */
export interface Shares {
  readonly wallMs: number
  /** Of all cores, by whatever. */
  readonly busyMs: number
  readonly node: number
  readonly peer: number
  readonly load: number
  readonly bench: number
  /** A core kept busy on purpose. */
  readonly spinner: number
}

/** A run of the load against the node. */
export interface Measured {
  readonly met: Met
  readonly accepted: number
  readonly perSecond: number
  readonly shares: Shares
  readonly cpuMicros: number
  readonly peerCpuMicros: number
  /** Of the node, most first. */
  readonly threads: ReadonlyArray<Spending>
  readonly delays: Delays
  /** Inside checkpoints, and how long they took in all. */
  readonly checkpoints: Delays & { readonly count: number; readonly ms: number }
  readonly drained: boolean
}

const sharesOf = ({ busyMs, processes, wallMs }: Metered): Shares => {
  const of = (name: string) => {
    const spent = processes.get(name)
    return spent === undefined ? 0 : totalCpuMs(spent)
  }
  const [node, peer, load, bench, spinner] = ["node", "peer", "load", "bench", "spinner"].map(of)
  return { wallMs, busyMs, node: node!, peer: peer!, load: load!, bench: bench!, spinner: spinner! }
}

export interface Closed {
  readonly connections?: number
  /** A process whose CPU is counted too. */
  readonly spinner?: number
}

export class Scene {
  readonly node: NodeProcess
  readonly peer: NodeProcess
  readonly load: Load
  readonly startedMs: number
  /** Writes taken by the node so far. */
  accepted = 0
  private readonly dataDir: string

  private constructor(node: NodeProcess, peer: NodeProcess, load: Load, dataDir: string, startedMs: number) {
    this.node = node
    this.peer = peer
    this.load = load
    this.dataDir = dataDir
    this.startedMs = startedMs
  }

  /** Two nodes on copies of one store; the first also has `aged` messages that it will collect half a minute later. */
  static async set(directory: string, store: string, aged: number): Promise<Scene> {
    const dataDir = copyOf(store, join(directory, "node"))
    await addAged(dataDir, aged)
    const load = new Load()
    // before the node: what it collects is to be collected under load
    const peer = await NodeProcess.start({ dataDir: copyOf(store, join(directory, "peer")) })
    await peer.ready()
    const startedMs = performance.now()
    const node = await NodeProcess.start({ dataDir, bootstrap: [peer.address], probed: true })
    await node.ready()
    await node.joined(1)
    return new Scene(node, peer, load, dataDir, startedMs)
  }

  /** Since the start of the node. */
  get upMs(): number {
    return performance.now() - this.startedMs
  }

  /** Runs what `run` asks of the load, whose writes are signed already. CPU counts until all that was taken is committed. */
  private async measure(run: () => Promise<Met>, spinner?: number): Promise<Measured> {
    const pids = { node: this.node.pid, peer: this.peer.pid, load: this.load.pid, bench: process.pid }
    const checkpointing = watchCheckpoints(this.dataDir)
    const { read } = meter(spinner === undefined ? pids : { ...pids, spinner })
    const met = await run()
    const drained = await this.node.drained(drainMsMax)
    const metered = read()
    const whole: Window = { fromMs: met.fromMs, toMs: Date.now() }
    const checkpoints = clipped(await checkpointing.end(), whole)
    await this.heard(whole.toMs)
    const accepted = acceptedOf(met)
    this.accepted += accepted
    const shares = sharesOf(metered)
    const threads = byRole(metered.processes.get("node")!, this.node.files)
    return {
      met,
      accepted,
      perSecond: rateOf(met),
      shares,
      cpuMicros: shares.node * 1_000 / accepted,
      peerCpuMicros: shares.peer * 1_000 / accepted,
      threads,
      delays: delaysWithin(this.node, [{ fromMs: met.fromMs, toMs: met.toMs }]),
      checkpoints: {
        ...delaysWithin(this.node, checkpoints),
        count: checkpoints.length,
        ms: lengthMs(checkpoints)
      },
      drained
    }
  }

  /** Signs, by an estimate of the rate, and runs a closed loop for `ms`. */
  async closed(perSecond: number, ms: number, how: Closed = {}): Promise<Measured> {
    const count = Math.ceil(perSecond * ms / 1_000 * signedShare) + connections
    const plan = await this.load.sign(this.node.id, count, perSecond)
    const { port } = this.node
    const run = { plan, port, connections: how.connections ?? connections, loop: "closed", msMax: ms } as const
    return this.measure(() => this.load.run(run), how.spinner)
  }

  /** Signs, then runs an open loop for `ms`. */
  async steady(perSecond: number, ms: number): Promise<Measured> {
    const plan = await this.load.sign(this.node.id, Math.ceil(perSecond * ms / 1_000), perSecond)
    const { port } = this.node
    return this.measure(() => this.load.run({ plan, port, connections, loop: "open", msMax: ms + 10_000 }))
  }

  /** Until the node has told of its event loop up to then. */
  private async heard(untilMs: number): Promise<void> {
    for (let i = 0; i < 50 && (this.node.delays.at(-1)?.atMs ?? 0) < untilMs; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Writes a second, as measured and as they would be. */
export interface Rates {
  readonly measured: number
  /** If CPU that the peer took had been the node's, at the same idle share of the machine. */
  readonly peerGivenBack: number
  /** And that of the load and the bench. */
  readonly allGivenBack: number
  /** What its busiest thread could do at most; no other rate is above it, unless measured. */
  readonly busiestThread: number
}

export const ratesOf = ({ accepted, perSecond, shares, threads }: Measured): Rates => {
  const { bench, busyMs, load, peer } = shares
  const busiestThread = accepted / threads[0]!.cpuMs * 1_000
  const without = (ms: number): number =>
    Math.max(perSecond, Math.min(perSecond * busyMs / (busyMs - ms), busiestThread))
  return {
    measured: perSecond,
    peerGivenBack: without(peer),
    allGivenBack: without(peer + load + bench),
    busiestThread
  }
}
