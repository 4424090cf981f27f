/**
 * Writing at this node (SPEC §3, §5, §8): current authority is checked, the record stamped, its acceptance checked as a
 * peer would, and handed to the writer, all in one step of the event loop. The answer does not wait for the disk.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Hlc } from "../domain/hlc.ts"
import type * as Ids from "../domain/ids.ts"
import type { Conflict, Forbidden, InvalidRequest, NotFound, Overloaded, Unauthenticated } from "../domain/refusal.ts"
import type { Proof } from "./Authenticator.ts"
import type { Ticket } from "./Writer.ts"

/** Where a conversation is: with a user, or in a group. */
export type Place =
  | { readonly kind: "dm"; readonly chatId: Ids.ChatId; readonly peer: Ids.Address }
  | { readonly kind: "group"; readonly chatId: Ids.ChatId }

/** An accepted write. */
export interface Receipt<Id extends string> {
  readonly id: Id
  readonly hlc: Hlc
  /** For `Writer.committed`; 0 when it was committed long ago. */
  readonly ticket: Ticket
}

/** A record and the slot that it is in, if it is stored. */
export type Sought =
  | { readonly kind: "message"; readonly id: Ids.MessageId }
  | { readonly kind: "op"; readonly id: Ids.OpId }
  | { readonly kind: "read"; readonly id: Ids.ReadId; readonly chatId: Ids.ChatId; readonly reader: Ids.Address }
  | { readonly kind: "identity"; readonly id: Ids.IdentityId; readonly address: Ids.Address; readonly ts: number }

export class Ingest extends Context.Service<Ingest, {
  /** The proof is the author's, over `ids.messageId(fields)`, and of its time; another one is a defect. So below. */
  message(
    place: Place,
    fields: Ids.MessageFields,
    proof: Proof
  ): Effect.Effect<Receipt<Ids.MessageId>, Forbidden | NotFound | Overloaded>
  op(
    fields: Ids.OpFields,
    proof: Proof
  ): Effect.Effect<Receipt<Ids.OpId>, InvalidRequest | Forbidden | NotFound | Conflict | Overloaded>
  read(
    place: Place,
    fields: Ids.ReadFields,
    proof: Proof
  ): Effect.Effect<Receipt<Ids.ReadId>, InvalidRequest | Forbidden | NotFound | Overloaded>
  identity(fields: Ids.IdentityFields, proof: Proof): Effect.Effect<Receipt<Ids.IdentityId>, Overloaded>
  /**
   * What an earlier accepted write was answered, as far as this node still knows. Refuses an identity that is older than
   * the one stored: it may have been used before this node's memory begins.
   */
  receipt(sought: Sought): Effect.Effect<Receipt<string> | undefined, Unauthenticated | Overloaded>
}>()("p2p-mes/services/Ingest") {}
