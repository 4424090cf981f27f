/**
 * The events of `GET /events` (SPEC §8): a stream of server-sent events for one user, in the order in which the node
 * committed what they tell.
 *
 * An event is three lines and an empty one: `id:`, `event:` (a key of {@link eventSchemas}) and `data:` (JSON on one line).
 * An `id:` without data says only how far the stream has come; so do heartbeats, every {@link heartbeatMs}. The id is the
 * node's own: 16 hex digits for its store, a hyphen, and the number of the arrival; only `Last-Event-ID` at the same node
 * has a use for it.
 */
import * as Schema from "effect/Schema"
import * as Fields from "./fields.ts"
import { Identity, Message } from "./records.ts"

/** A stream that was silent for longer than this and a little has died. */
export const heartbeatMs = 15_000

export { eventsType } from "./fields.ts"

const optional = Schema.optionalKey
const kind = Schema.Literals(["dm", "group"])
const peer = optional(Fields.Address.annotate({ description: "The other party of a dm, as the receiver sees it" }))

/** A message is shown that was not: it came, or what hid it changed. The same message may come again with another `hlc`. */
export const MessageEvent = Schema.Struct({ kind, peer, message: Message }).annotate({ identifier: "MessageEvent" })

/**
 * An op of a group had effect: for its members, and for those who were until then. `GET /groups/{chat_id}/members` tells
 * what came of it.
 */
export const MembershipEvent = Schema.Struct({
  chat_id: Fields.ChatId,
  op_id: Fields.OpId,
  op: Schema.Literals(["create", "add", "remove", "set-title"]),
  actor: Fields.Address,
  targets: Schema.Array(Fields.Address),
  role: optional(Schema.Literals(["member", "admin"]).annotate({ description: "With add" })),
  title: optional(Schema.String.annotate({ description: "With create and set-title" })),
  ts: Schema.Int,
  hlc: Fields.Stamp
}).annotate({ identifier: "MembershipEvent" })

/** A read mark: the user's own, set anywhere; or that of the other party of a direct conversation. */
export const ReadEvent = Schema.Struct({
  kind,
  chat_id: Fields.ChatId,
  peer,
  reader: Fields.Address,
  up_to: Fields.Stamp,
  ts: Schema.Int,
  hlc: Fields.Stamp
}).annotate({ identifier: "ReadEvent" })

/** The identity of the user, or of someone who shares a conversation with her. */
export const IdentityEvent = Identity

/**
 * Events were missed that this stream cannot tell: read anew what matters, and go on from here. `unknown`: the id is not of
 * this node's store, or above its last; `expired`: too much has come since; `slow`: the stream was not read.
 */
export const ResetEvent = Schema.Struct({
  reason: Schema.Literals(["unknown", "expired", "slow"])
}).annotate({ identifier: "ResetEvent" })

/** The data of each event, by its name. */
export const eventSchemas = {
  message: MessageEvent,
  membership: MembershipEvent,
  read: ReadEvent,
  identity: IdentityEvent,
  reset: ResetEvent
} as const

export type EventName = keyof typeof eventSchemas
