/**
 * Word that this node, or a peer, may miss records: gossip lost some, or there was no room. Anti-entropy listens and
 * holds a round soon. A port of its own, so that who loses something need not know who mends it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { NodeId } from "../domain/ids.ts"

/** What was reported since the last time. */
export interface Reported {
  /** Peers that have what is missing. */
  readonly peers: ReadonlySet<NodeId>
  /** Whether something is missing somewhere: a round with any peer helps. */
  readonly anywhere: boolean
}

export class Gaps extends Context.Service<Gaps, {
  /** Something may be missing: that `peer` has, or that others lack. Never waits; reports are collected. */
  report(peer?: NodeId): void
  /** Waits until there is a report, and takes all there are. For one listener. */
  readonly take: Effect.Effect<Reported>
}>()("p2p-mes/services/Gaps") {}
