/**
 * Everything that a node answers instead of what was asked (SPEC §8): a `_tag`, a `message` for people, and the fields
 * that a program needs. Services fail with these, and HTTP shows them as they are; `httpApiStatus` is only a note for
 * that.
 */
import * as Schema from "effect/Schema"

/** 400, and 405, 406 and 415 with the `allowed` values: the request is not one this API knows. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  message: Schema.String,
  /** The field that is wrong: a JSON key, a query or path parameter, or a header. */
  field: Schema.optionalKey(Schema.String),
  /** What would be taken instead. */
  allowed: Schema.optionalKey(Schema.Array(Schema.String))
}, { httpApiStatus: 400, description: "The request is not well formed; `field` names what is wrong" }) {}

export const AuthenticationFailure = Schema.Literals([
  "missing-header",
  "malformed-header",
  "bad-signature",
  "wrong-node",
  "expired",
  "replayed"
])

/** 401: the signature headers do not prove who asks. */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>()("Unauthenticated", {
  message: Schema.String,
  reason: AuthenticationFailure,
  /** The header that is missing or malformed. */
  field: Schema.optionalKey(Schema.String),
  /** With `expired`, and with `replayed` after a restart: the node's time in ms since the epoch. */
  time: Schema.optionalKey(Schema.Int),
  /** With `wrong-node`: this node's id. */
  node: Schema.optionalKey(Schema.String)
}, { httpApiStatus: 401, description: "The signature headers do not prove who asks" }) {}

/** 403: known, but not allowed. */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", {
  message: Schema.String
}, { httpApiStatus: 403, description: "Not a member, or not an admin, of this group now" }) {}

/** 404. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  message: Schema.String
}, { httpApiStatus: 404, description: "Not known to this node" }) {}

export const ConflictReason = Schema.Literals(["last-admin", "creator", "group-exists", "no-change"])

/** 409: the op makes no sense in the group as it is. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", {
  message: Schema.String,
  reason: ConflictReason
}, { httpApiStatus: 409, description: "The op does not fit the group as it is now" }) {}

/** 413. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {
  message: Schema.String,
  /** What is taken, bytes. */
  limit: Schema.Int
}, { httpApiStatus: 413, description: "The body is larger than this node takes" }) {}

/** 429: this user asks too often. `Retry-After` says when to come back. */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  message: Schema.String,
  /** Seconds, as in `Retry-After`. */
  retry_after: Schema.Int
}, { httpApiStatus: 429, description: "This user asks too often" }) {}

export const OverloadReason = Schema.Literals(["queue", "in-flight", "clock", "replay-cache"])

/** 503: nothing was stored. `Retry-After` says when to come back. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", {
  message: Schema.String,
  reason: OverloadReason,
  /** Seconds, as in `Retry-After`. */
  retry_after: Schema.Int
}, { httpApiStatus: 503, description: "The node cannot take this now; nothing was stored" }) {}
