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
import type { Verifier } from "../services/Verifier.ts"
import { Disk, type DiskConditions } from "./disk.ts"
import { type Conditions, short, SimulatedNetwork } from "./network.ts"
import { layerKey } from "./node.ts"
import { Random } from "./random.ts"
import { Trace } from "./trace.ts"
import { type ClockFault, Life, MachineClock, VirtualTime } from "./virtual-time.ts"

/** When a run begins, ms since the epoch, unless told otherwise: some minutes into an hour. */
const defaultStartMs = Date.UTC(2026, 0, 15, 12, 10)
/** Virtual time that a node may take to start, and to stop. */
const startMsMax = 60_000
const stopMsMax = 60_000
/** Complaints of nodes that are kept. */
const complaintsMax = 200

export interface ClusterOptions {
  /** Decides everything that is left to chance. */
  readonly seed: number | string
  readonly nodes: number
  readonly startMs?: number | undefined
  readonly network?: Conditions | undefined
  readonly disk?: DiskConditions | undefined
  /** Of each node's clock; absent: right. */
  readonly clock?: ((node: number) => ClockFault) | undefined
}

const layerOf = (node: SimulatedNode, life: Life, shared: Context.Context<Hashing | Verifier>, entropy: Random) =>
  layerCore(defaultIngestLimits).pipe(
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
    this.cluster.trace.note(`start ${this.name}`)
    life.fork(Layer.buildWithScope(layer, scope), this.cluster.referencesOf(this, random), (exit) => {
      if (exit._tag === "Success") {
        running.services = Context.merge(exit.value, this.cluster.referencesOf(this, random.part("outside")))
      } else this.cluster.complain(this, `did not start: ${String(exit.cause)}`)
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
    this.cluster.trace.note(`stop ${this.name}`)
    let done = false
    const context = this.cluster.referencesOf(this, this.cluster.random.part(`${this.name}/${running.number}/stop`))
    running.life.fork(Scope.close(running.scope, stopped), context, () => {
      done = true
    })
    running.services = undefined
    if (!this.cluster.time.until(() => done, stopMsMax)) this.cluster.complain(this, "did not stop in time")
    running.life.end()
    this.#running = undefined
  }

  /** As a kill of the process does, or, `silently`, the loss of its machine, which peers only notice after a while. */
  crash(silently = false): void {
    const running = this.#running
    if (running === undefined) return
    this.cluster.trace.note(`crash ${this.name}`)
    running.life.end()
    this.#running = undefined
    this.cluster.network.detach(this.id, silently)
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
  /** Errors that nodes logged, and defects, the first of them. */
  readonly complaints: Array<string> = []
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
      conditions: options.network
    })
  }

  /** A cluster whose nodes are up. Loads what needs real time first. */
  static make(options: ClusterOptions): Effect.Effect<Cluster, never, Scope.Scope> {
    return Effect.gen(function*() {
      const layer = Layer.merge(HashingLayer.layer, VerifierLayer.layer({ workers: 0 }))
      const shared = yield* Layer.build(layer).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"))
      const cluster = new Cluster(options, shared)
      for (let i = 0; i < options.nodes; i++) yield* cluster.join()
      for (const node of cluster.nodes) node.begin()
      for (const node of cluster.nodes) node.start()
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
        committed: (records, outcomes) =>
          this.trace.note(
            `commit n${index} ${records.map((each, i) => `${each.id.slice(0, 8)} ${outcomes[i]!}`).join(" ")}`
          )
      })
      const clock = new MachineClock(this.time, this.#options.clock?.(index))
      const node = new SimulatedNode(this, index, key, disk, clock)
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
    this.trace.note(`partition ${groups.map((group) => group.join(",")).join(" | ")}`)
    this.network.partition(groups.map((group) => group.map((index) => this.node(index).id)))
  }

  heal(): void {
    this.trace.note("heal")
    this.network.healAll()
  }

  /** Where a node is in the cluster, for people. */
  nameOf(id: NodeId): string {
    return this.nodes.find((node) => node.id === id)?.name ?? short(id)
  }

  complain(node: SimulatedNode, what: string): void {
    this.trace.note(`${node.name} complains: ${what}`)
    if (this.complaints.length < complaintsMax) this.complaints.push(`${node.name}: ${what}`)
  }

  /** What every fiber at a node has beside its services: chance from the seed, and a logger that is listened to. */
  referencesOf(node: SimulatedNode, random: Random): Context.Context<never> {
    const logger = Logger.make(({ cause, logLevel, message }) => {
      const text = `${logLevel} ${[message].flat().map(String).join(" ")}${
        cause.reasons.length === 0 ? "" : ` ${String(cause)}`
      }`
      if (logLevel === "Error" || logLevel === "Fatal") this.complain(node, text)
      else this.trace.note(`${node.name} logs: ${text}`)
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
