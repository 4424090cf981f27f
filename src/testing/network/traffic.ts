/** What a simulated network carried: for models of cost, and no part of a history. Bytes are of payloads, without headers. */
import type { NodeId } from "../../domain/ids.ts"

/**
 * `message`: of gossip. `notice`: which messages a node has, told to peers that may lack them, and their questions for
 * those. `stream`: opened for a round of sync. `frame`: of one.
 */
export type TrafficKind = "message" | "notice" | "stream" | "frame"

export interface Tally {
  readonly count: number
  readonly bytes: number
}

const none: Tally = { count: 0, bytes: 0 }

type Counters = Map<NodeId, Map<NodeId, { count: number; bytes: number }>>

export class Traffic {
  readonly #sent: { readonly [K in TrafficKind]: Counters } = {
    message: new Map(),
    notice: new Map(),
    stream: new Map(),
    frame: new Map()
  }
  /** By receiver: messages that were new there, and copies of those that were not. */
  readonly #arrived = new Map<NodeId, { first: number; again: number }>()

  #published: Tally = none

  /** A node gave a message of its own to gossip. */
  published(bytes: number): void {
    this.#published = { count: this.#published.count + 1, bytes: this.#published.bytes + bytes }
  }

  get ofPublished(): Tally {
    return this.#published
  }

  /** One way of one connection took something. What is lost on the way counts too. */
  sent(kind: TrafficKind, from: NodeId, to: NodeId, bytes: number): void {
    const byPeer = this.#sent[kind].getOrInsertComputed(from, () => new Map())
    const tally = byPeer.getOrInsertComputed(to, () => ({ count: 0, bytes: 0 }))
    tally.count++
    tally.bytes += bytes
  }

  arrived(at: NodeId, isFirst: boolean): void {
    const tally = this.#arrived.getOrInsertComputed(at, () => ({ first: 0, again: 0 }))
    if (isFirst) tally.first++
    else tally.again++
  }

  /** Of one kind: on one way, all that a node sent, or all of all nodes. */
  of(kind: TrafficKind, from?: NodeId, to?: NodeId): Tally {
    const senders = from === undefined ? [...this.#sent[kind].values()] : [this.#sent[kind].get(from) ?? new Map()]
    const tallies: ReadonlyArray<Tally> = senders.flatMap((byPeer) =>
      to === undefined ? [...byPeer.values()] : [byPeer.get(to) ?? none]
    )
    return tallies.reduce((sum, { bytes, count }) => ({ count: sum.count + count, bytes: sum.bytes + bytes }), none)
  }

  /** Copies of messages that reached a node. */
  copies(at: NodeId): { readonly first: number; readonly again: number } {
    return this.#arrived.get(at) ?? { first: 0, again: 0 }
  }

  /** Begins to count anew. */
  reset(): void {
    for (const counters of Object.values(this.#sent)) counters.clear()
    this.#arrived.clear()
    this.#published = none
  }
}
