/** A connection between two simulated nodes, and the streams on it. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { NodeId } from "../../domain/ids.ts"
import type * as Net from "../../services/Network.ts"
import type { Life } from "../virtual-time.ts"
import { Pipe } from "./pipe.ts"
import type { Traffic } from "./traffic.ts"

/** One life of a node, as the network sees it. */
export interface Machine {
  readonly id: NodeId
  readonly life: Life
  readonly links: Map<NodeId, Link>
  /** Ids of messages, and when they were seen, ms; the oldest first. */
  readonly seen: Map<string, number>
  judge: {
    readonly handler: (payload: Uint8Array, from: NodeId) => Effect.Effect<Net.Verdict>
    readonly context: Context.Context<never>
  } | undefined
  serving: {
    readonly handler: (channel: Net.Channel) => Effect.Effect<void>
    readonly context: Context.Context<never>
    readonly running: Set<{ readonly interrupt: () => void }>
  } | undefined
  readonly told: (change: Net.PeerChange) => void
}

/** What a link asks of its network. */
interface Ways {
  readonly traffic: Traffic
  isCut(from: NodeId, to: NodeId): boolean
  delayMs(from: NodeId, to: NodeId): number
  bytesPerMs(from: NodeId, to: NodeId): number
}

/** Both ends of one stream. */
interface Stream {
  readonly opener: Machine
  /** The end of the one who opened it, and of the one who serves it. */
  readonly asking: Net.Channel
  readonly answering: Net.Channel
  readonly pipes: readonly [Pipe, Pipe]
  readonly close: (by: Machine) => void
}

export class Link {
  readonly dialer: Machine
  readonly dialed: Machine
  readonly #ways: Ways
  readonly #sinceMs: number
  readonly #streams = new Set<Stream>()
  #probes: Array<Pipe> = []

  constructor(ways: Ways, dialer: Machine, dialed: Machine, sinceMs: number) {
    this.#ways = ways
    this.dialer = dialer
    this.dialed = dialed
    this.#sinceMs = sinceMs
  }

  otherOf(machine: Machine): Machine {
    return machine === this.dialer ? this.dialed : this.dialer
  }

  peerOf(machine: Machine, id: NodeId): Net.Peer {
    return {
      id,
      address: `/memory/1/p2p/${id}`,
      direction: machine === this.dialer ? "outbound" : "inbound",
      sinceMs: Math.floor(this.#sinceMs + machine.life.clock.offsetMs),
      gossips: this.otherOf(machine).judge !== undefined
    }
  }

  #pipe(from: Machine, to: Machine): Pipe {
    const carried = (bytes: number) => this.#ways.traffic.sent("frame", from.id, to.id, bytes)
    let busyUntil = 0
    const delayMs = (bytes: number): number => {
      const { now } = from.life.time
      busyUntil = Math.max(now, busyUntil) + bytes / this.#ways.bytesPerMs(from.id, to.id)
      return busyUntil - now + this.#ways.delayMs(from.id, to.id)
    }
    return new Pipe({ isCut: () => this.#ways.isCut(from.id, to.id), delayMs, carried }, from.life, to.life)
  }

  /** Waits as long as a question and its answer take. Never done when the connection goes. */
  roundTrip(asker: Machine): Effect.Effect<void> {
    return Effect.suspend(() => {
      const other = this.otherOf(asker)
      const there = this.#pipe(asker, other)
      const back = this.#pipe(other, asker)
      this.#probes.push(there, back)
      return Effect.callback<void>((resume) => {
        there.onEnd = () => back.end()
        back.onEnd = () => asker.life.queue(() => resume(Effect.void))
        there.end()
      }).pipe(Effect.ensuring(Effect.sync(() => {
        this.#probes = this.#probes.filter((each) => each !== there && each !== back)
      })))
    })
  }

  openedBy(machine: Machine): number {
    return [...this.#streams].filter(({ opener }) => opener === machine).length
  }

  open(opener: Machine): Stream {
    const server = this.otherOf(opener)
    const there = this.#pipe(opener, server)
    const back = this.#pipe(server, opener)
    // an end who has seen the other's end knows that nobody reads
    there.onEnd = () => back.seal()
    back.onEnd = () => there.seal()
    const closed = new Set<Machine>()
    const stream: Stream = {
      opener,
      asking: { peer: server.id, send: (frame) => there.send(frame), receive: back.receive },
      answering: { peer: opener.id, send: (frame) => back.send(frame), receive: there.receive },
      pipes: [there, back],
      close: (by) => {
        closed.add(by)
        ;(by === opener ? there : back).end()
        if (closed.size === 2) this.#streams.delete(stream)
      }
    }
    this.#streams.add(stream)
    return stream
  }

  /** A way is open again: what waited on it goes on. */
  pump(): void {
    for (const each of this.#probes) each.pump()
    for (const { pipes } of this.#streams) for (const each of pipes) each.pump()
  }

  /** The connection is gone. */
  reset(): void {
    for (const { pipes } of this.#streams) for (const each of pipes) each.reset()
    this.#streams.clear()
    this.#probes = []
  }
}
