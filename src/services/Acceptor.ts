/**
 * The one way by which records enter this node's set, whoever brought them (SPEC §1.5): queued for the writer, merged into
 * the clock, folded into their group, remembered. Who calls it has judged the record.
 *
 * All of it is plain functions, so that the check which allows a record and its acceptance are one step.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Hlc } from "../domain/hlc.ts"
import type { ChatId } from "../domain/ids.ts"
import type { Record } from "../domain/record.ts"
import type { Overloaded } from "../domain/refusal.ts"
import type { Group } from "./Groups.ts"
import type { Ticket } from "./Writer.ts"

export interface Accepted {
  readonly hlc: Hlc
  readonly ticket: Ticket
}

/** Takes in one record; refused when the writer is full, and then nothing happened. */
export type Accept = (record: Record) => Result.Result<Accepted, Overloaded>

export class Acceptor extends Context.Service<Acceptor, {
  /**
   * Runs `f`, which decides and accepts; records of a group need it (`Groups.use`, whose step this is part of). The
   * group's authority knows of an op at once, its membership when `f` is done: one refold for all (SPEC §5.2).
   */
  step<A>(group: Group | undefined, f: (accept: Accept) => A): A
  /** What became of the message, op, mark or identity with this id, as far as it was accepted lately. */
  recent(id: string): Accepted | undefined
  /** Whether a record of this id, which is not `recent`, may be stored that a request can repeat. False: it is not. */
  mayBeStored(id: string): boolean
  /** Whether all that was accepted within the window of a request is remembered (`recent`). */
  isComplete(): boolean
  /**
   * Whether this record, or what wins over it, was accepted before. `undefined`: only the store can say
   * (`Store.known`).
   */
  knows(record: Record): boolean | undefined
  /** Tells `f` of each group that has accepted ops, in the same step. */
  watch(f: (chatId: ChatId) => void): Effect.Effect<void, never, Scope.Scope>
}>()("p2p-mes/services/Acceptor") {}
