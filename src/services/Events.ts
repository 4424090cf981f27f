/**
 * What a node tells its users as it happens (SPEC §8): one stream a client, in the order of commit. A stream is a place in
 * the store's order of arrivals (`Store.Arrival`): what lies behind it is read from the store, what comes is handed on as it
 * is committed, and there is no gap or double between the two.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Address } from "../domain/ids.ts"
import type { Identity, Message, Op, Read } from "../domain/record.ts"
import type { Overloaded } from "../domain/refusal.ts"
import type { Arrival } from "./Store.ts"

/** Why a stream cannot go on where it was: `eventSchemas.reset` of the API. */
export type ResetReason = "unknown" | "expired" | "slow"

/** `peer`: the other party of a direct conversation, as the receiver sees it; absent in a group. */
export type Event =
  | { readonly type: "message"; readonly peer?: Address | undefined; readonly message: Message }
  | { readonly type: "membership"; readonly op: Op }
  | { readonly type: "read"; readonly peer?: Address | undefined; readonly read: Read }
  | { readonly type: "identity"; readonly identity: Identity }
  | { readonly type: "reset"; readonly reason: ResetReason }

/** A place in the order of arrivals of one store. */
export interface EventId {
  /** 16 hex digits: `ArrivalLog.epoch`. */
  readonly epoch: string
  readonly arrival: Arrival
}

/** One step of a stream. Events are shared between streams, so that what is made of one can be kept beside it. */
export interface Told {
  /** Absent: only the place has moved. */
  readonly event?: Event | undefined
  /** Everything up to here has been told; absent while more of the same arrival follows. */
  readonly id?: EventId | undefined
}

export class Events extends Context.Service<Events, {
  /** Refuses when as many streams are open as there may be. */
  readonly admit: Effect.Effect<void, Overloaded>
  /**
   * Begins with its place, and goes on until nobody reads it, its user opens too many others, the node ends, or the store cannot be read: a client then comes
   * back with the last id it had. `resume`: "unknown" is an id that is none.
   */
  stream(user: Address, resume?: EventId | "unknown"): Stream.Stream<Told>
  /** Ends all streams, for good: whoever serves them is about to end. */
  readonly end: Effect.Effect<void>
}>()("p2p-mes/services/Events") {}
