/**
 * Whether this node's wall clock can be believed (SPEC §4): it is compared with the median of its peers'. A node that is
 * off takes no writes and collects nothing.
 */
import * as Context from "effect/Context"
import type { NodeId } from "../domain/ids.ts"

export interface ClockCheck {
  /** Median of the peers' wall clocks less ours, ms; 0 without peers. */
  readonly medianMs: number
  /** How many peers are compared. */
  readonly peers: number
  /** More than MAX_DRIFT from the median of at least three peers. */
  readonly off: boolean
}

export class PeerClocks extends Context.Service<PeerClocks, {
  /** What a peer's clock showed less what ours did, ms. */
  observe(peer: NodeId, offsetMs: number): void
  /** A peer is gone. */
  forget(peer: NodeId): void
  check(): ClockCheck
}>()("p2p-mes/services/PeerClocks") {}
