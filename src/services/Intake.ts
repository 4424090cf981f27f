/**
 * The door for records that come from other nodes, by gossip or by sync (SPEC §5): each is judged by its form, its
 * signatures and its standing, whoever brought it. What cannot be taken yet waits here, in bounds, for its time or its
 * prerequisite.
 *
 * Rule (FAILURES 27): no rate, load or setting of this node plays a part. Where there is no room for a record it is
 * dropped and counted, and anti-entropy brings it again.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { NodeId } from "../domain/ids.ts"
import type { Record } from "../domain/record.ts"
import type { StoreError } from "./Store.ts"

/**
 * What became of a record:
 * - `accepted`: handed to the writer (which may still find it superseded);
 * - `known`: it, or what wins over it, is here already;
 * - `aged`: below the cutoff, gone for ever;
 * - `early`, `waiting`: kept until its time or its prerequisite comes, if there is room in the buffer;
 * - `invalid`: it never will be acceptable; `why` says what is wrong;
 * - `full`: the writer has no room (only with `room: "now"`).
 */
export type Judgement =
  | { readonly _tag: "accepted" | "known" | "aged" | "early" | "waiting" | "full" }
  | { readonly _tag: "invalid"; readonly why: string }

export interface IntakeStats {
  /** Records that wait, and roughly their bytes. */
  readonly waiting: number
  readonly waitingBytes: number
}

export class Intake extends Context.Service<Intake, {
  /**
   * Judges records and takes in what is acceptable, in order (give ops by (hlc, op id)); one judgement a record.
   * `room`: what to do while the writer is behind: `wait` (sync) or give up (gossip). Fails only when the store cannot
   * say what it holds; then the rest of the records was not taken. `whole`: when one is invalid, none is taken, and all
   * are judged so (SPEC §7); otherwise the others stand for themselves.
   */
  take(
    records: ReadonlyArray<Record>,
    from: { readonly peer: NodeId; readonly room: "wait" | "now"; readonly whole?: boolean }
  ): Effect.Effect<ReadonlyArray<Judgement>, StoreError>
  /** Forgets what waits on behalf of a peer that is gone. */
  forget(peer: NodeId): void
  stats(): IntakeStats
}>()("p2p-mes/services/Intake") {}
