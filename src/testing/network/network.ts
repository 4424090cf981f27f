/**
 * The `Network` port between nodes of one process, on virtual time. Gossip floods the connections, or keeps to a mesh
 * where one is asked for, and may come late, twice, overtaken or never; streams keep their order and wait. Connections
 * come and go as a test cuts and heals the ways.
 *
 * Rule: a way from one node to another can be cut by itself. While it is, gossip on it is lost and frames wait; a cut that
 * lasts is noticed, and the connection goes. Nodes that may reach each other and are not connected dial again.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import type { NodeId } from "../../domain/ids.ts"
import { gossipBytesMax } from "../../domain/limits.ts"
import * as Net from "../../services/Network.ts"
import type { Random } from "../random.ts"
import type { Trace } from "../trace.ts"
import type { Life, VirtualTime } from "../virtual-time.ts"
import { Link, type Machine } from "./link.ts"
import { Mesh, type MeshOptions } from "./mesh.ts"
import { channelError } from "./pipe.ts"
import { Traffic } from "./traffic.ts"

/** What the ways between nodes are like. Times in ms, rates from 0 to 1. */
export interface Conditions {
  readonly delayMsMin: number
  readonly delayMsMax: number
  /** Gossip lost on one hop. */
  readonly lossRate: number
  /** Gossip that arrives again although it was seen, as if the memory of what was seen were too short. */
  readonly repeatRate: number
  /** Gossip held back by up to `lateMsMax` more, so that later messages overtake it. */
  readonly lateRate: number
  readonly lateMsMax: number
  /** Of a stream, one way. */
  readonly bytesPerMs: number
}

export const calm: Conditions = {
  delayMsMin: 1,
  delayMsMax: 30,
  lossRate: 0,
  repeatRate: 0,
  lateRate: 0,
  lateMsMax: 0,
  bytesPerMs: 10_000
}

/** From a dial to a connection. */
const dialMs = [20, 400] as const
/** Until the ends of a way that was cut notice it. */
const noticeMs = [3_000, 15_000] as const
/** How long a message id is remembered, and how many: what gossipsub calls the seen cache. */
const seenMs = 120_000
const seenMax = 50_000
const changesBuffered = 64
/** Streams that one peer may have open at another. */
const streamsPeerMax = 8
/** Until an open stream is agreed on. */
const openMsMax = 10_000

export interface NetworkOptions {
  readonly time: VirtualTime
  readonly hashes: Hashes
  readonly random: Random
  readonly trace: Trace
  readonly conditions?: Conditions | undefined
  /** Few connections and a mesh on them, as of many real nodes. Absent: all are connected, and gossip floods. */
  readonly mesh?: MeshOptions | undefined
}

export class SimulatedNetwork {
  readonly #options: NetworkOptions
  readonly #machines = new Map<NodeId, Machine>()
  readonly #links = new Set<Link>()
  readonly #cuts = new Set<string>()
  readonly #slow = new Map<string, number>()
  readonly #shunned = new Map<string, number>()
  readonly #dialing = new Set<string>()
  readonly #mesh: Mesh | undefined
  readonly traffic = new Traffic()
  conditions: Conditions
  /** Gossip for which this is true is lost. */
  withhold: (from: NodeId, to: NodeId) => boolean = () => false
  /** Streams for which this is true are refused, as by a peer that does not know the protocol. */
  refuse: (from: NodeId, to: NodeId) => boolean = () => false

  constructor(options: NetworkOptions) {
    this.#options = options
    this.conditions = options.conditions ?? calm
    const { mesh, random, time } = options
    if (mesh !== undefined) this.#mesh = new Mesh(mesh, { ways: this, random: random.part("mesh"), time })
  }

  // --- what a test does to the ways ---

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`)
  }

  /** Cuts the way from one node to another; the other way stays open. */
  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`)
    const link = this.#linkOf(from, to)
    if (link === undefined) return
    this.#options.time.after(this.#options.random.between(...noticeMs), () => {
      if (this.#links.has(link) && this.isCut(from, to)) this.#drop(link)
    })
  }

  /** Makes a way slower by this factor, in delay and in bytes; 1 is as usual. */
  slow(from: NodeId, to: NodeId, factor: number): void {
    if (factor === 1) this.#slow.delete(`${from}>${to}`)
    else this.#slow.set(`${from}>${to}`, factor)
  }

  heal(from: NodeId, to: NodeId): void {
    if (!this.#cuts.delete(`${from}>${to}`)) return
    this.#linkOf(from, to)?.pump()
    this.#dial(from, to)
  }

  /** Cuts every way between different groups, both directions, and heals those within each. */
  partition(groups: ReadonlyArray<ReadonlyArray<NodeId>>): void {
    const groupOf = new Map(groups.flatMap((group, i) => group.map((id) => [id, i] as const)))
    for (const from of groupOf.keys()) {
      for (const to of groupOf.keys()) {
        if (from === to) continue
        if (groupOf.get(from) === groupOf.get(to)) this.heal(from, to)
        else this.cut(from, to)
      }
    }
  }

  /** All ways are open, and as fast as they should be. */
  healAll(): void {
    this.#slow.clear()
    for (const each of this.#cuts) this.heal(...(each.split(">") as [NodeId, NodeId]))
  }

  /** Breaks a connection; both ends notice at once, and dial again. */
  disconnect(a: NodeId, b: NodeId): void {
    const link = this.#linkOf(a, b)
    if (link !== undefined) this.#drop(link)
  }

  // --- connections ---

  #linkOf(a: NodeId, b: NodeId): Link | undefined {
    return this.#machines.get(a)?.links.get(b)
  }

  /** How many peers a node is connected to, and how many of them are in its mesh. */
  degreesOf(id: NodeId): { readonly connections: number; readonly mesh: number } {
    const machine = this.#machines.get(id)
    if (machine === undefined) return { connections: 0, mesh: 0 }
    return { connections: machine.links.size, mesh: this.#mesh?.peersOf(machine).size ?? machine.links.size }
  }

  #slownessOf(from: NodeId, to: NodeId): number {
    return this.#slow.size === 0 ? 1 : this.#slow.get(`${from}>${to}`) ?? 1
  }

  delayMs(from: NodeId, to: NodeId): number {
    const { delayMsMax, delayMsMin } = this.conditions
    return (delayMsMin + this.#options.random.unit() * (delayMsMax - delayMsMin)) * this.#slownessOf(from, to)
  }

  bytesPerMs(from: NodeId, to: NodeId): number {
    return this.conditions.bytesPerMs / this.#slownessOf(from, to)
  }

  #dial(a: NodeId, b: NodeId): void {
    const key = [a, b].sort().join(" ")
    if (this.#dialing.has(key)) return
    this.#dialing.add(key)
    this.#options.time.after(this.#options.random.between(...dialMs), () => {
      this.#dialing.delete(key)
      const [from, to] = [this.#machines.get(a), this.#machines.get(b)]
      if (from === undefined || to === undefined || this.isCut(a, b) || this.isCut(b, a)) return
      for (const stale of [from.links.get(b), to.links.get(a)]) {
        if (stale === undefined) continue
        if (stale.otherOf(from) === to && stale.otherOf(to) === from) return
        // to an earlier life of a node that is back before its end was noticed
        this.#drop(stale)
      }
      const until = this.#shunned.get(key) ?? 0
      const { now } = this.#options.time
      if (until > now) {
        this.#options.time.at(until, () => this.#dial(a, b))
        return
      }
      const link = new Link(this, from, to, now)
      this.#links.add(link)
      from.links.set(b, link)
      to.links.set(a, link)
      this.#options.trace.note("link", "connected", a, b)
      from.told({ _tag: "Connected", peer: b })
      to.told({ _tag: "Connected", peer: a })
    })
  }

  #drop(link: Link): void {
    if (!this.#links.delete(link)) return
    const { dialed, dialer } = link
    if (dialer.links.get(dialed.id) === link) dialer.links.delete(dialed.id)
    if (dialed.links.get(dialer.id) === link) dialed.links.delete(dialer.id)
    this.#options.trace.note("link", "disconnected", dialer.id, dialed.id)
    link.reset()
    dialer.told({ _tag: "Disconnected", peer: dialed.id })
    dialed.told({ _tag: "Disconnected", peer: dialer.id })
    this.#dial(dialer.id, dialed.id)
  }

  #attach(machine: Machine): void {
    const stale = this.#machines.get(machine.id)
    if (stale !== undefined) this.detach(machine.id)
    this.#machines.set(machine.id, machine)
    const others = [...this.#machines.keys()].filter((other) => other !== machine.id)
    for (const other of this.#mesh?.chosen(others) ?? others) this.#dial(machine.id, other)
    this.#mesh?.begin(machine)
  }

  /** A node is gone. Its peers notice at once, or, when its machine went with it (`silently`), after a while. */
  detach(id: NodeId, silently = false): void {
    const machine = this.#machines.get(id)
    if (machine === undefined) return
    this.#machines.delete(id)
    for (const link of machine.links.values()) {
      if (!silently) this.#drop(link)
      else this.#options.time.after(this.#options.random.between(...noticeMs), () => this.#drop(link))
    }
  }

  // --- gossip ---

  /** Notes that a message was seen; false when it was before. */
  #see(machine: Machine, id: string): boolean {
    const { now } = this.#options.time
    for (const [known, atMs] of machine.seen) {
      if (atMs + seenMs > now && machine.seen.size <= seenMax) break
      machine.seen.delete(known)
    }
    if (machine.seen.has(id)) return false
    machine.seen.set(id, now)
    return true
  }

  /** Sends a message over every connection but `except`, or those of them that the mesh names; how many these are. */
  #flood(machine: Machine, id: string, payload: Uint8Array, except?: NodeId): number {
    const among = this.#mesh?.recipients(machine, id, payload, except)
    let recipients = 0
    for (const [peer, link] of machine.links) {
      if (peer === except || among?.has(peer) === false) continue
      recipients++
      this.carry(machine, link, id, payload)
    }
    return recipients
  }

  /** Sends a message over one connection. */
  carry(machine: Machine, link: Link, id: string, payload: Uint8Array): void {
    const { random, time } = this.#options
    const receiver = link.otherOf(machine)
    const peer = receiver.id
    const { lateMsMax, lateRate, lossRate, repeatRate } = this.conditions
    this.traffic.sent("message", machine.id, peer, payload.length)
    // always drawn, so that one rate does not change what the others make of a seed
    const [lost, late, again] = [random.chance(lossRate), random.chance(lateRate), random.chance(repeatRate)]
    if (lost || this.isCut(machine.id, peer) || this.withhold(machine.id, peer)) return
    const delay = this.delayMs(machine.id, peer) + (late ? random.unit() * lateMsMax : 0)
    const arrive = (repeated: boolean) => () => {
      if (this.#links.has(link)) this.#arrive(receiver, machine.id, id, payload.slice(), repeated)
    }
    time.after(delay, arrive(false))
    if (again) time.after(delay + this.delayMs(machine.id, peer) * 3, arrive(true))
  }

  #arrive(machine: Machine, from: NodeId, id: string, payload: Uint8Array, repeated: boolean): void {
    const { judge } = machine
    if (!machine.life.alive || judge === undefined) return
    const isFirst = this.#see(machine, id)
    this.traffic.arrived(machine.id, isFirst)
    if (!isFirst && !repeated) return
    machine.life.fork(judge.handler(payload, from), judge.context, (exit) => {
      const verdict = exit._tag === "Success" ? exit.value : "failed"
      this.#options.trace.note("gossip", `${id.slice(0, 8)} ${verdict}`, machine.id, from)
      if (verdict === "accept") this.#flood(machine, id, payload, from)
    })
  }

  // --- the port ---

  #open(machine: Machine, peer: NodeId): Effect.Effect<Net.Channel, Net.ChannelError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const link = machine.links.get(peer)
      if (link === undefined) return yield* channelError("unreachable", "no connection to this peer")
      const other = link.otherOf(machine)
      this.traffic.sent("stream", machine.id, peer, 0)
      // a question and an answer, which a cut way holds up
      const agreed = yield* link.roundTrip(machine).pipe(Effect.timeoutOption(openMsMax))
      if (agreed._tag === "None" || !this.#links.has(link)) {
        return yield* channelError("closed", "the connection went, or is stuck")
      }
      const serving = other.serving
      if (serving === undefined || this.refuse(machine.id, peer))
        return yield* channelError("unsupported", "the peer does not serve this protocol")
      if (link.openedBy(machine) >= streamsPeerMax) return yield* channelError("closed", "too many streams are open")
      const stream = link.open(machine)
      const running = other.life.fork(serving.handler(stream.answering), serving.context, () => {
        serving.running.delete(running)
        stream.close(other)
      })
      serving.running.add(running)
      return yield* Effect.acquireRelease(
        Effect.succeed(stream.asking),
        () => Effect.sync(() => stream.close(machine))
      )
    })
  }

  /** The port of one node, for one life of it. */
  layer(id: NodeId, life: Life): Layer.Layer<Net.Network> {
    return Layer.effect(
      Net.Network,
      Effect.gen({ self: this }, function*() {
        const context: Context.Context<never> = yield* Effect.context<never>()
        const changes = yield* PubSub.sliding<Net.PeerChange>(changesBuffered)
        const machine: Machine = {
          id,
          life,
          links: new Map(),
          seen: new Map(),
          judge: undefined,
          serving: undefined,
          told: (change) => void life.fork(PubSub.publish(changes, change), context)
        }
        this.#attach(machine)
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            if (this.#machines.get(id) === machine) this.detach(id)
          })
        )
        return this.#serviceOf(machine, changes)
      })
    )
  }

  #serviceOf(machine: Machine, changes: PubSub.PubSub<Net.PeerChange>): Net.Network["Service"] {
    const { hashes, time, trace } = this.#options
    return Net.Network.of({
      addresses: () => [`/memory/1/p2p/${machine.id}`],
      peers: () => [...machine.links].map(([id, link]) => link.peerOf(machine, id)),
      changes,
      open: (peer) => this.#open(machine, peer),
      serve: (handler) =>
        Effect.gen(function*() {
          const context = yield* Effect.context<never>()
          const serving = { handler, context, running: new Set<{ readonly interrupt: () => void }>() }
          machine.serving = serving
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              if (machine.serving === serving) machine.serving = undefined
              for (const each of serving.running) each.interrupt()
            })
          )
        }),
      publish: (payload) =>
        Effect.sync(() => {
          if (payload.length > gossipBytesMax) throw new Error(`a gossip message has at most ${gossipBytesMax} bytes`)
          const id = Bytes.toHex(hashes.blake3(payload))
          this.#see(machine, id)
          this.traffic.published(payload.length)
          trace.note("gossip", `${id.slice(0, 8)} published`, machine.id)
          return { recipients: this.#flood(machine, id, payload.slice()) }
        }),
      judge: (handler) =>
        Effect.gen(function*() {
          const judge = { handler, context: yield* Effect.context<never>() }
          machine.judge = judge
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              if (machine.judge === judge) machine.judge = undefined
            })
          )
        }),
      shun: (peer, ms, why) =>
        Effect.sync(() => {
          trace.note("link", `shunned: ${why}`, machine.id, peer)
          this.#shunned.set([machine.id, peer].sort().join(" "), time.now + ms)
          this.disconnect(machine.id, peer)
        })
    })
  }
}
