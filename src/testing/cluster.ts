/**
 * Several nodes in one process: the real services of each, over simulated machines (disk, clock, key) and a simulated
 * network, all on one virtual time and one seed.
 *
 * A test acts on it from outside: it starts, stops and kills nodes, runs effects at them, cuts ways, and lets time pass.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as EffectRandom from "effect/Random"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { Hashing } from "../domain/hashing.ts"
import type { NodeId } from "../domain/ids.ts"
import { defaultIngestLimits } from "../domain/limits.ts"
import * as HashingLayer from "../layers/crypto/hashing.ts"
import * as VerifierLayer from "../layers/crypto/verifier.ts"
import { layerCore } from "../layers/node-live.ts"
import { Entropy } from "../services/Entropy.ts"
import { NetworkId } from "../services/NetworkId.ts"
import { NodeKey } from "../services/NodeKey.ts"
import { Store } from "../services/Store.ts"
import { Verifier } from "../services/Verifier.ts"
import { Disk, type DiskConditions } from "./disk.ts"
import * as HttpDoor from "./http/door.ts"
import type { MeshOptions } from "./network/mesh.ts"
import { type Conditions, SimulatedNetwork } from "./network/network.ts"
import { layerKey } from "./node.ts"
import type { Finding, Observer } from "./observer.ts"
import { Random } from "./random.ts"
import { Trace } from "./trace.ts"
import { verifyOnce } from "./verify-once.ts"
import { type ClockFault, Life, MachineClock, VirtualTime } from "./virtual-time.ts"

/** When a run begins, ms since the epoch, unless told otherwise: some minutes into an hour. */
const defaultStartMs = Date.UTC(2026, 0, 15, 12, 10)
/** Virtual time that a node may take to start, and to stop. */
const startMsMax = 60_000
const stopMsMax = 60_000
/** Findings that are kept. */
const findingsMax = 200
/** Errors that come of a fault that was put in, and those that come of it a while later without a word of it. */
const ofFaults = /a simulated fault/
const laterOfFaults = /cannot write|could not be written/
const laterMsMax = 10_000

export interface ClusterOptions {
  /** Decides everything that is left to chance. */
  readonly seed: number | string
  readonly nodes: number
  /** Places of nodes that are made but not started. */
  readonly absent?: ReadonlySet<number> | undefined
  readonly startMs?: number | undefined
  /** Errors that nodes may log beside those of disks that fail, since the run puts in what they are about. */
  readonly expected?: RegExp | undefined
  readonly network?: Conditions | undefined
  /** For more nodes than a few: not all are connected, and gossip keeps to a mesh. */
  readonly mesh?: MeshOptions | undefined
  readonly disk?: DiskConditions | undefined
  /** Of each node's clock; absent: right. */
  readonly clock?: ((node: number) => ClockFault) | undefined
}

const layerOf = (node: SimulatedNode, life: Life, shared: Context.Context<Hashing | Verifier>, entropy: Random) =>
  HttpDoor.layer({ network: networkId.name, limits: defaultIngestLimits, seeksPeers: true }).pipe(
    Layer.provideMerge(layerCore(defaultIngestLimits)),
    Layer.provideMerge(node.cluster.network.layer(node.id, life)),
    Layer.provideMerge(Layer.succeed(Store, node.disk.open())),
    Layer.provideMerge(Layer.succeed(NodeKey, node.key)),
    Layer.provideMerge(Layer.succeed(NetworkId, networkId)),
    Layer.provideMerge(Layer.succeed(Entropy, Entropy.of({ bytes: (length) => entropy.bytes(length) }))),
    Layer.provideMerge(Layer.succeedContext(shared))
  )

const networkId = NetworkId.of({ name: "" })

/** Everything that an effect may use which runs at a node. */
export type NodeServices = Layer.Success<ReturnType<typeof layerOf>>

interface Running {
  readonly life: Life
  readonly scope: Scope.Closeable
  readonly number: number
  services: Context.Context<NodeServices> | undefined
}

export class SimulatedNode {
  readonly cluster: Cluster
  /** Its place in the cluster, from 0. */
  readonly index: number
  readonly key: NodeKey["Service"]
  readonly disk: Disk
  readonly clock: MachineClock
  #running: Running | undefined
  #lives = 0
  /** When its disk failed last, ms of the world. */
  faultedMs = 0

  constructor(cluster: Cluster, index: number, key: NodeKey["Service"], disk: Disk, clock: MachineClock) {
    this.cluster = cluster
    this.index = index
    this.key = key
    this.disk = disk
    this.clock = clock
  }

  get id(): NodeId {
    return this.key.id
  }

  get name(): string {
    return `n${this.index}`
  }

  /** Whether it is up or starting. */
  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Whether it has started and was neither stopped nor killed. */
  get isUp(): boolean {
    return this.#running?.services !== undefined
  }

  /** Counts its runs; 0 before the first. */
  get lives(): number {
    return this.#lives
  }

  /** Begins to start it; time has to pass until it is up. */
  begin(): void {
    if (this.#running !== undefined) return
    const number = ++this.#lives
    const life = new Life(this.cluster.time, this.clock)
    const scope = Scope.makeUnsafe()
    const running: Running = { life, scope, number, services: undefined }
    this.#running = running
    const random = this.cluster.random.part(`${this.name}/${number}`)
    const layer = layerOf(this, life, this.cluster.shared, random.part("entropy"))
    this.cluster.trace.note("life", "start", this.index)
    life.fork(Layer.buildWithScope(layer, scope), this.cluster.referencesOf(this, random), (exit) => {
      if (exit._tag === "Success") {
        running.services = Context.merge(exit.value, this.cluster.referencesOf(this, random.part("outside")))
        this.cluster.trace.note("life", "up", this.index)
        this.cluster.told((each) => each.up?.(this))
        return
      }
      // as a process that ends with an error: it may be started again
      this.cluster.complain(this, `did not start: ${String(exit.cause)}`)
      this.crash()
    })
  }

  /** Starts it and lets time pass until it is up. */
  start(): void {
    this.begin()
    if (!this.cluster.time.until(() => this.isUp, startMsMax)) this.cluster.complain(this, "did not start in time")
  }

  /** As a signal to end does: it drains its writer. Time passes. */
  stop(): void {
    const running = this.#running
    if (running === undefined) return
    this.cluster.trace.note("life", "stop", this.index)
    let done = false
    const context = this.cluster.referencesOf(this, this.cluster.random.part(`${this.name}/${running.number}/stop`))
    running.life.fork(Scope.close(running.scope, stopped), context, () => {
      done = true
    })
    running.services = undefined
    if (!this.cluster.time.until(() => done, stopMsMax)) this.cluster.complain(this, "did not stop in time")
    running.life.end()
    this.#running = undefined
    this.cluster.told((each) => each.down?.(this, done))
  }

  /** As a kill of the process does, or, `silently`, the loss of its machine, which peers only notice after a while. */
  crash(silently = false): void {
    const running = this.#running
    if (running === undefined) return
    this.cluster.trace.note("life", silently ? "crash, silently" : "crash", this.index)
    running.life.end()
    this.#running = undefined
    this.cluster.network.detach(this.id, silently)
    this.cluster.told((each) => each.down?.(this, false))
  }

  /** Starts an effect at the node, now; `false` when the node is not up. `done` is not called if the node dies first. */
  fork<A, E>(effect: Effect.Effect<A, E, NodeServices>, done: (exit: Exit.Exit<A, E>) => void = () => {}): boolean {
    const services = this.#running?.services
    if (services === undefined) return false
    this.#running!.life.fork(effect, services, done)
    return true
  }

  /** Runs an effect at the node and lets time pass until it is done; a defect when that takes longer than `msMax`. */
  run<A, E>(effect: Effect.Effect<A, E, NodeServices>, msMax = 30_000): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      let exit: Exit.Exit<A, E> | undefined
      const began = this.fork(effect, (result) => {
        exit = result
      })
      if (!began) return Effect.die(new Error(`${this.name} is not up`))
      this.cluster.time.until(() => exit !== undefined, msMax)
      return exit ?? Effect.die(new Error(`not done at ${this.name} after ${msMax} ms`))
    })
  }
}

const stopped: Exit.Exit<void> = Effect.runSync(Effect.exit(Effect.void))

export class Cluster {
  readonly time: VirtualTime
  readonly random: Random
  readonly trace: Trace
  readonly network: SimulatedNetwork
  readonly shared: Context.Context<Hashing | Verifier>
  readonly nodes: Array<SimulatedNode> = []
  /** Who is told what happens. */
  readonly observers: Array<Observer> = []
  /** What must not be, the first of it. */
  readonly findings: Array<Finding> = []
  readonly #options: ClusterOptions

  private constructor(options: ClusterOptions, shared: Context.Context<Hashing | Verifier>) {
    this.#options = options
    this.shared = shared
    this.time = new VirtualTime(options.startMs ?? defaultStartMs)
    this.random = new Random(String(options.seed))
    const hashes = Context.get(shared, Hashing)
    this.trace = new Trace(this.time, hashes)
    this.network = new SimulatedNetwork({
      time: this.time,
      hashes,
      random: this.random.part("network"),
      trace: this.trace,
      conditions: options.network,
      mesh: options.mesh
    })
  }

  /** A cluster whose nodes are up. Loads what needs real time first. */
  static make(options: ClusterOptions): Effect.Effect<Cluster, never, Scope.Scope> {
    return Effect.gen(function*() {
      const layer = Layer.merge(HashingLayer.layer, VerifierLayer.layer({ workers: 0 }))
      const built = yield* Layer.build(layer).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"))
      const shared = Context.add(built, Verifier, verifyOnce(Context.get(built, Verifier)))
      const cluster = new Cluster(options, shared)
      for (let i = 0; i < options.nodes; i++) yield* cluster.join()
      const present = cluster.nodes.filter(({ index }) => options.absent?.has(index) !== true)
      for (const node of present) node.begin()
      for (const node of present) node.start()
      return cluster
    })
  }

  /** Adds a machine with an empty disk. Its node is not started. */
  join(): Effect.Effect<SimulatedNode> {
    return Effect.gen({ self: this }, function*() {
      const index = this.nodes.length
      // keys of the node id go by place, so that ids are the same in all runs
      const key = Context.get(yield* Layer.build(layerKey(index + 1)).pipe(Effect.scoped), NodeKey)
      const disk: Disk = new Disk({
        random: this.random.part(`n${index}/disk`),
        context: Context.make(Hashing, Context.get(this.shared, Hashing)).pipe(Context.add(NetworkId, networkId)),
        conditions: this.#options.disk,
        committed: (records, outcomes) => {
          const all = records.map((each, i) => `${each.id.slice(0, 8)} ${outcomes[i]!}`).join(" ")
          this.trace.note("commit", all, index)
          this.told((each) => each.committed?.(node, records, outcomes))
        },
        faulted: () => {
          node.faultedMs = this.time.now
        },
        collected: (aged) => this.told((each) => each.collected?.(node, aged)),
        changed: () => this.told((each) => each.diskChanged?.(node))
      })
      const clock = new MachineClock(this.time, this.#options.clock?.(index))
      const node: SimulatedNode = new SimulatedNode(this, index, key, disk, clock)
      this.trace.name(node.id, index)
      this.nodes.push(node)
      return node
    })
  }

  node(index: number): SimulatedNode {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  get up(): ReadonlyArray<SimulatedNode> {
    return this.nodes.filter(({ isUp }) => isUp)
  }

  /** Cuts all ways between groups of nodes, given by their places. Nodes that are not named stay as they are. */
  partition(...groups: ReadonlyArray<ReadonlyArray<number>>): void {
    this.trace.note("fault", `partition ${groups.map((group) => group.join(",")).join(" | ")}`)
    this.network.partition(groups.map((group) => group.map((index) => this.node(index).id)))
  }

  heal(): void {
    this.trace.note("fault", "heal")
    this.network.healAll()
  }

  told(what: (observer: Observer) => void): void {
    for (const observer of this.observers) what(observer)
  }

  /** Something must not be. */
  find(oracle: string, text: string, node?: SimulatedNode): void {
    const where = node === undefined ? text : `${node.name}: ${text}`
    this.trace.note("finding", `${oracle}: ${text}`, node?.index)
    if (this.findings.length < findingsMax) this.findings.push({ oracle, atMs: this.trace.nowMs, text: where })
  }

  /** A node did what none may: logged an error that no fault explains, died, or did not end. */
  complain(node: SimulatedNode, what: string): void {
    const isLate = laterOfFaults.test(what) && this.time.now - node.faultedMs < laterMsMax
    if (ofFaults.test(what) || isLate || this.#options.expected?.test(what)) this.trace.note("log", what, node.index)
    else this.find("complaint", what, node)
  }

  /** What every fiber at a node has beside its services: chance from the seed, and a logger that is listened to. */
  referencesOf(node: SimulatedNode, random: Random): Context.Context<never> {
    const logger = Logger.make(({ cause, logLevel, message }) => {
      const text = `${logLevel} ${[message].flat().map(String).join(" ")}${
        cause.reasons.length === 0 ? "" : ` ${String(cause).replaceAll(/Interrupt\(\d+\)/g, "Interrupt")}`
      }`
      if (logLevel === "Error" || logLevel === "Fatal") this.complain(node, text)
      else this.trace.note("log", text, node.index)
    })
    return Context.make(EffectRandom.Random, {
      nextIntUnsafe: () => random.between(Number.MIN_SAFE_INTEGER / 2, Number.MAX_SAFE_INTEGER / 2),
      nextDoubleUnsafe: () => random.unit()
    }).pipe(
      Context.add(Logger.CurrentLoggers, new Set([logger])),
      Context.add(References.MinimumLogLevel, "Warn")
    )
  }
}
