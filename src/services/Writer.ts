/**
 * The one path to the disk. Records are accepted into a bounded queue at once; a single fiber commits them in batches,
 * in order, and then lets the Merkle trees know. So answers do not wait for the disk, and the disk is used well.
 *
 * `offer` and `pending` are plain functions: the caller decides and enqueues without a turn of the event loop between,
 * which is what makes an authority check and the write that it allows one step.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as PubSub from "effect/PubSub"
import type * as Result from "effect/Result"
import type { Record } from "../domain/record.ts"
import type { Overloaded } from "../domain/refusal.ts"
import type { Arrival, Outcome } from "./Store.ts"

/** A place in the queue, counted from 1 since the start. */
export type Ticket = number

/** What happened to one record, told after the commit and in its order. */
export interface Committed {
  /** Counts up by one from record to record: who sees a gap has missed some. */
  readonly ticket: Ticket
  readonly record: Record
  readonly outcome: Outcome
  /** The number of a record that was stored or replaced another; absent for others. */
  readonly arrival?: Arrival | undefined
}

export interface WriterStats {
  /** Records accepted and not yet committed. */
  readonly queued: number
  readonly queuedBytes: number
  readonly committed: number
  /** Why the last commit failed, while it does; fit for strangers. */
  readonly failing?: string | undefined
}

export class Writer extends Context.Service<Writer, {
  /** Queues an accepted record; refused when the queue is full, and then nothing happened. */
  offer(record: Record): Result.Result<Ticket, Overloaded>
  /**
   * Waits until the queue is at most half full, in records and bytes, and commits succeed. Who writes for peers waits for
   * it, so that they never crowd out users; and looks at `hasRoom` before each record, so that many who wait do not all
   * rush in.
   */
  readonly room: Effect.Effect<void>
  /** What `room` waits for. */
  hasRoom(): boolean
  /** The uncommitted record in this slot (`variants.slotOf`), the best variant of several. */
  pending(slot: string): Record | undefined
  /** The ticket of the record accepted last; 0 before the first. */
  last(): Ticket
  /** Waits until the record with this ticket, and all before it, are committed. */
  committed(ticket: Ticket): Effect.Effect<void>
  /**
   * Waits until all accepted records that touch one of `names` (chats and users) are committed. True when there was
   * something to wait for. Fails while commits fail, and after some seconds: a reader must not wait for ever.
   */
  settled(names: Iterable<string>): Effect.Effect<boolean, Overloaded>
  /** Everything committed, in order. Slow subscribers lose the oldest: for events, not for sync. */
  readonly commits: PubSub.PubSub<ReadonlyArray<Committed>>
  stats(): WriterStats
}>()("p2p-mes/services/Writer") {}
