/**
 * Gossip as gossipsub carries it, for more nodes than can all be connected: each node dials some others, and of its
 * connections a few are its mesh. Messages are passed on along the mesh at once; other peers are told now and then what
 * there was, and ask for what they lack.
 *
 * Less than the real thing: both ends of a connection join and leave a mesh in the same moment, nobody has a score,
 * there is no pause after a peer has left it, and who restarts, or is cut off for a while, comes back with other connections
 * than a node that keeps a number of them: what it measures are nodes that stay. What does count is kept: the bounds of the degree, that a node's own messages
 * go to all its connections, and which ids are told to how many.
 */
import type { NodeId } from "../../domain/ids.ts"
import type { Random } from "../random.ts"
import type { VirtualTime } from "../virtual-time.ts"
import type { Link, Machine } from "./link.ts"
import type { Traffic } from "./traffic.ts"

export interface MeshOptions {
  /** A node that starts dials this many of those that are up; others that start later dial it. */
  readonly dialed: number
  /** Peers in the mesh: with fewer or more than the bounds, it is brought back to `degree`. */
  readonly degree: number
  readonly degreeMin: number
  readonly degreeMax: number
  /** Peers outside the mesh that are told what there was: so many, or this share of them if that is more. */
  readonly lazy: number
  readonly lazyShare: number
}

/** As nodes run it: `connectionsWanted` of `src/layers/network`, and what gossipsub does unless told otherwise. */
export const gossipsubMesh: MeshOptions = {
  dialed: 16,
  degree: 6,
  degreeMin: 4,
  degreeMax: 12,
  lazy: 6,
  lazyShare: 0.25
}

/** The mesh is looked after this often, and so are peers told. */
const heartbeatMs = 1_000
/** Heartbeats for which a message is kept, and told of. */
const keptBeats = 5
const toldBeats = 3
/** Ids told to one peer at once. */
const toldMax = 5_000
/** An id in a notice, with what protobuf puts before it. */
const idBytes = 34

interface State {
  readonly peers: Set<NodeId>
  /** Messages by id, those since the last heartbeat first. */
  beats: Array<Map<string, Uint8Array>>
}

interface Ground {
  readonly ways: {
    readonly traffic: Traffic
    delayMs(from: NodeId, to: NodeId): number
    isCut(from: NodeId, to: NodeId): boolean
    carry(machine: Machine, link: Link, id: string, payload: Uint8Array): void
  }
  readonly random: Random
  readonly time: VirtualTime
}

export class Mesh {
  readonly #options: MeshOptions
  readonly #ground: Ground
  readonly #states = new WeakMap<Machine, State>()

  constructor(options: MeshOptions, ground: Ground) {
    this.#options = options
    this.#ground = ground
  }

  /** Whom a node dials, of those that there are. */
  chosen(others: ReadonlyArray<NodeId>): ReadonlyArray<NodeId> {
    return this.#ground.random.shuffle(others).slice(0, this.#options.dialed)
  }

  #stateOf(machine: Machine): State {
    let state = this.#states.get(machine)
    if (state === undefined) this.#states.set(machine, state = { peers: new Set(), beats: [new Map()] })
    return state
  }

  /** Starts to look after the mesh of a node, for as long as it lives. */
  begin(machine: Machine): void {
    const beat = () => {
      this.#heartbeat(machine)
      machine.life.after(heartbeatMs, beat)
    }
    machine.life.after(this.#ground.random.unit() * heartbeatMs, beat)
  }

  /** Peers in the mesh of a node. */
  peersOf(machine: Machine): ReadonlySet<NodeId> {
    return this.#stateOf(machine).peers
  }

  /** Who gets a message that the node has published (`from` is absent: then all), or has taken in. It is kept for a while. */
  recipients(
    machine: Machine,
    id: string,
    payload: Uint8Array,
    from: NodeId | undefined
  ): ReadonlySet<NodeId> | undefined {
    const { beats, peers } = this.#stateOf(machine)
    beats[0]!.set(id, payload)
    return from === undefined ? undefined : peers
  }

  #heartbeat(machine: Machine): void {
    const { degree, degreeMax, degreeMin } = this.#options
    const { random } = this.#ground
    const state = this.#stateOf(machine)
    const { peers } = state
    for (const peer of peers) if (!machine.links.has(peer)) peers.delete(peer)
    if (peers.size < degreeMin) {
      for (const [peer, link] of random.shuffle([...machine.links])) {
        if (peers.size >= degree) break
        const other = link.otherOf(machine)
        const theirs = this.#stateOf(other).peers
        if (peers.has(peer) || theirs.size >= degreeMax || other.judge === undefined) continue
        peers.add(peer)
        theirs.add(machine.id)
      }
    } else if (peers.size > degreeMax) {
      for (const peer of random.shuffle([...peers]).slice(degree)) {
        peers.delete(peer)
        const link = machine.links.get(peer)
        if (link !== undefined) this.#stateOf(link.otherOf(machine)).peers.delete(machine.id)
      }
    }
    this.#tell(machine, state)
    state.beats = [new Map(), ...state.beats.slice(0, keptBeats - 1)]
  }

  #tell(machine: Machine, { beats, peers }: State): void {
    const ids = beats.slice(0, toldBeats).flatMap((beat) => [...beat.keys()]).slice(-toldMax)
    if (ids.length === 0) return
    const { lazy, lazyShare } = this.#options
    const outside = [...machine.links].filter(([peer]) => !peers.has(peer))
    const told = Math.max(lazy, Math.floor(outside.length * lazyShare))
    for (const [, link] of this.#ground.random.shuffle(outside).slice(0, told)) {
      this.#notice(machine, link, ids, () => this.#ask(link.otherOf(machine), link, ids))
    }
  }

  /** What a peer does that was told of messages: it asks for those that it has not seen. */
  #ask(machine: Machine, link: Link, ids: ReadonlyArray<string>): void {
    const missing = ids.filter((id) => !machine.seen.has(id))
    if (missing.length === 0) return
    const teller = link.otherOf(machine)
    this.#notice(machine, link, missing, () => {
      const kept = this.#stateOf(teller).beats
      for (const id of missing) {
        const payload = kept.find((beat) => beat.has(id))?.get(id)
        if (payload !== undefined) this.#ground.ways.carry(teller, link, id, payload)
      }
    })
  }

  /** Ids go to the other end of a connection, which then does something, unless it is gone. */
  #notice(machine: Machine, link: Link, ids: ReadonlyArray<string>, then: () => void): void {
    const { time, ways } = this.#ground
    const other = link.otherOf(machine)
    ways.traffic.sent("notice", machine.id, other.id, ids.length * idBytes)
    if (ways.isCut(machine.id, other.id)) return
    time.after(ways.delayMs(machine.id, other.id), () => {
      if (other.life.alive && other.links.get(machine.id) === link) then()
    })
  }
}
