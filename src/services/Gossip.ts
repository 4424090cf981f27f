/**
 * Passing new records on (SPEC §7): fast, and may lose some, which anti-entropy repairs. A port of its own, so that writing
 * at this node does not wait for, or know, how records get to others.
 */
import * as Context from "effect/Context"
import type { Record } from "../domain/record.ts"

export interface GossipStats {
  /** Records that wait for the next message. */
  readonly queued: number
}

export class Gossip extends Context.Service<Gossip, {
  /** Tells the network of a record that this node has just accepted from a user. Never waits, never fails. */
  announce(record: Record): void
  stats(): GossipStats
}>()("p2p-mes/services/Gossip") {}
