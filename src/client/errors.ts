/**
 * What can go wrong on the client's side of a call. What a node answers keeps the classes of `domain/refusal`.
 */
import * as Schema from "effect/Schema"
import type {
  Conflict,
  Forbidden,
  InvalidRequest,
  NotFound,
  Overloaded,
  RateLimited,
  TooLarge,
  Unauthenticated
} from "../domain/refusal.ts"

/** The key or the wallet did not sign. Nothing was sent. */
export class SignerError extends Schema.TaggedError<SignerError>()("SignerError", {
  message: Schema.String
}) {}

/** No answer, and nothing was written: the node is down, or the address is wrong. */
export class NodeUnreachable extends Schema.TaggedError<NodeUnreachable>()("NodeUnreachable", {
  url: Schema.String,
  message: Schema.String
}) {}

/** What answers at this address did not prove that it holds the key of the node id it tells (SPEC §3). */
export class NodeUnproven extends Schema.TaggedError<NodeUnproven>()("NodeUnproven", {
  url: Schema.String,
  message: Schema.String
}) {}

/** Another node answers than the one that was pinned. */
export class NodeChanged extends Schema.TaggedError<NodeChanged>()("NodeChanged", {
  url: Schema.String,
  /** The pinned node id. */
  expected: Schema.String,
  /** The node id that answers now. */
  actual: Schema.String
}) {
  override get message(): string {
    return `${this.url} is node ${this.actual}, expected ${this.expected}`
  }
}

/** An answer that is none of this API: a proxy in between, or a node of another version. */
export class UnexpectedAnswer extends Schema.TaggedError<UnexpectedAnswer>()("UnexpectedAnswer", {
  /** HTTP status; absent when there was none. */
  status: Schema.optionalKey(Schema.Int),
  message: Schema.String
}) {}

/**
 * A write was sent and nothing tells whether it was taken. Sending it again now could do it twice: ask for `id` later
 * (a message by `NodeClient.message`), at this node or, once they are in sync, at any other.
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  kind: Schema.Literals(["message", "op", "read", "identity"]),
  /** Id of the record, if there is one: 64 hex digits. */
  id: Schema.String,
  /** Its time, ms. */
  ts: Schema.Int,
  message: Schema.String
}) {}

/** What any call can fail with beside what its endpoint answers. */
export type CallError =
  | SignerError
  | NodeUnreachable
  | NodeUnproven
  | NodeChanged
  | UnexpectedAnswer
  | InvalidRequest
  | Unauthenticated
  | TooLarge
  | RateLimited
  | Overloaded

export type ReadError = CallError | Forbidden | NotFound
export type WriteError = ReadError | Conflict | OutcomeUnknown
