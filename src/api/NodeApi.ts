/**
 * The HTTP API of a node (SPEC §8), as one schema that the server implements, the client calls and the documentation
 * shows.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import * as Limits from "../domain/limits.ts"
import { Conflict, Forbidden, NotFound } from "../domain/refusal.ts"
import { Authentication, RequestErrors } from "./Authentication.ts"
import { eventSchemas } from "./events.ts"
import * as Fields from "./fields.ts"
import { Node } from "./Node.ts"
import { signatureParameters } from "./openapi.ts"
import { Identity, Message } from "./records.ts"

const optional = Schema.optionalKey

export const MessagePage = Schema.Struct({
  messages: Schema.Array(Message),
  next: Schema.NullOr(Fields.Cursor)
}).annotate({ identifier: "MessagePage" })

export const NewMessage = Schema.Struct({
  content: Fields.text("The text", Limits.contentBytesMax),
  msg_type: optional(Fields.MsgType),
  control: optional(Fields.opaque("Opaque to the node; empty is not absent", Limits.controlBytesMax))
}).annotate({ identifier: "NewMessage" })

export const NewReadMark = Schema.Struct({ up_to: Fields.Stamp }).annotate({ identifier: "NewReadMark" })

export const Conversation = Schema.Struct({
  kind: Schema.Literals(["dm", "group"]),
  chat_id: Fields.ChatId,
  peer: optional(Fields.Address.annotate({ description: "The other party of a dm" })),
  title: optional(Schema.String.annotate({ description: "Of a group that has one" })),
  newest: Schema.NullOr(Message),
  unread: Schema.Int.annotate({ description: `Counted up to ${Limits.unreadMax}` }),
  unread_capped: optional(Schema.Boolean.annotate({ description: "True when there are more than were counted" }))
}).annotate({ identifier: "Conversation" })

export const Inbox = Schema.Struct({
  conversations: Schema.Array(Conversation),
  next: Schema.NullOr(Fields.Cursor)
}).annotate({ identifier: "Inbox" })

export const NewOp = Schema.Struct({
  op: Schema.Literals(["create", "add", "remove", "set-title"]),
  targets: optional(
    Schema.Array(Fields.Address).check(Schema.isMaxLength(Limits.targetsMax)).annotate({
      description: "Strictly ascending: the op's id is made of them in this order"
    })
  ),
  role: optional(Schema.Literals(["member", "admin"]).annotate({ description: "With add; absent means member" })),
  title: optional(Fields.text("With create and set-title", Limits.titleBytesMax)),
  nonce: optional(Fields.Nonce)
}).annotate({ identifier: "NewOp" })

export const Member = Schema.Struct({
  address: Fields.Address,
  role: Schema.Literals(["member", "admin"]),
  since: Fields.Stamp
}).annotate({ identifier: "Member" })

export const Members = Schema.Struct({
  chat_id: Fields.ChatId,
  title: Schema.String,
  members: Schema.Array(Member)
}).annotate({ identifier: "Members" })

export const NewIdentity = Schema.Struct({
  identity: Fields.opaque("Never inspected", Limits.identityBytesMax)
}).annotate({ identifier: "NewIdentity" })

const SentFields = { msg_id: Fields.MessageId, chat_id: Fields.ChatId, hlc: Fields.Stamp }
const OpTakenFields = { op_id: Fields.OpId, hlc: Fields.Stamp }
const ReadTakenFields = { read_id: Fields.ReadId, hlc: Fields.Stamp }
const IdentityTakenFields = { identity_id: Fields.IdentityId, hlc: Fields.Stamp }

/** A write is answered 202 once it is accepted and queued, or 201 once it is committed (`Prefer: wait=<seconds>`). */
const taken = <F extends Schema.Struct.Fields>(fields: F) =>
  [
    Schema.Struct(fields).pipe(HttpApiSchema.status(202)),
    Schema.Struct(fields).pipe(HttpApiSchema.status(201))
  ] as const

const writeHeaders = {
  prefer: optional(
    Schema.String.annotate({
      description: `\`wait=<seconds>\`, at most ${Limits.waitSecondsMax}: answer after the commit`
    })
  )
}

const pageQuery = {
  limit: optional(Fields.intFromText(1, Limits.pageMax)),
  before: optional(Fields.Cursor),
  after: optional(Fields.Cursor)
}

const peer = { peer: Fields.Address }
const group = { chat_id: Fields.ChatId }

export class Dialogs extends HttpApiGroup.make("dialogs")
  .add(
    HttpApiEndpoint.post("send", "/:peer/messages", {
      params: peer,
      headers: writeHeaders,
      payload: NewMessage,
      success: taken(SentFields)
    }).annotate(OpenApi.Summary, "Send a direct message"),
    HttpApiEndpoint.get("history", "/:peer/messages", {
      params: peer,
      query: pageQuery,
      success: MessagePage
    }).annotate(OpenApi.Summary, "Read a direct conversation, newest first, or oldest first with after"),
    HttpApiEndpoint.get("message", "/:peer/messages/:msg_id", {
      params: { ...peer, msg_id: Fields.MessageId },
      success: Message,
      error: NotFound
    }).annotate(OpenApi.Summary, "Read one message: whether a write arrived that had no answer"),
    HttpApiEndpoint.post("read", "/:peer/messages/read", {
      params: peer,
      headers: writeHeaders,
      payload: NewReadMark,
      success: taken(ReadTakenFields)
    }).annotate(OpenApi.Summary, "Mark a direct conversation as read")
  )
  .middleware(Authentication)
  .prefix("/dialogs")
  .annotate(OpenApi.Description, "Direct messages between two users")
{}

export class Groups extends HttpApiGroup.make("groups")
  .add(
    HttpApiEndpoint.post("send", "/:chat_id/messages", {
      params: group,
      headers: writeHeaders,
      payload: NewMessage,
      success: taken(SentFields),
      error: [Forbidden, NotFound]
    }).annotate(OpenApi.Summary, "Send a message to a group"),
    HttpApiEndpoint.get("history", "/:chat_id/messages", {
      params: group,
      query: pageQuery,
      success: MessagePage,
      error: [Forbidden, NotFound]
    }).annotate(OpenApi.Summary, "Read a group, newest first, or oldest first with after"),
    HttpApiEndpoint.get("message", "/:chat_id/messages/:msg_id", {
      params: { ...group, msg_id: Fields.MessageId },
      success: Message,
      error: [Forbidden, NotFound]
    }).annotate(OpenApi.Summary, "Read one message: whether a write arrived that had no answer"),
    HttpApiEndpoint.post("read", "/:chat_id/messages/read", {
      params: group,
      headers: writeHeaders,
      payload: NewReadMark,
      success: taken(ReadTakenFields),
      error: [Forbidden, NotFound]
    }).annotate(OpenApi.Summary, "Mark a group as read"),
    HttpApiEndpoint.post("op", "/:chat_id/ops", {
      params: group,
      headers: writeHeaders,
      payload: NewOp,
      success: taken(OpTakenFields),
      error: [Forbidden, NotFound, Conflict]
    }).annotate(OpenApi.Summary, "Create a group, add or remove members, or set its title"),
    HttpApiEndpoint.delete("leave", "/:chat_id/membership", {
      params: group,
      headers: writeHeaders,
      success: taken(OpTakenFields),
      error: [Forbidden, NotFound, Conflict]
    }).annotate(OpenApi.Summary, "Leave a group"),
    HttpApiEndpoint.get("members", "/:chat_id/members", {
      params: group,
      success: Members,
      error: [Forbidden, NotFound]
    }).annotate(OpenApi.Summary, "Title and members of a group")
  )
  .middleware(Authentication)
  .prefix("/groups")
  .annotate(OpenApi.Description, "Groups: messages and membership")
{}

export class Users extends HttpApiGroup.make("users", { topLevel: true })
  .add(
    HttpApiEndpoint.get("conversations", "/conversations", {
      query: { limit: optional(Fields.intFromText(1, Limits.pageMax)), after: optional(Fields.Cursor) },
      success: Inbox
    }).annotate(OpenApi.Summary, "The caller's inbox, newest activity first"),
    HttpApiEndpoint.put("setIdentity", "/identity", {
      headers: writeHeaders,
      payload: NewIdentity,
      success: taken(IdentityTakenFields)
    }).annotate(OpenApi.Summary, "Set the caller's identity: bytes that the node never looks at"),
    HttpApiEndpoint.get("identity", "/identity/:address", {
      params: { address: Fields.Address },
      success: Identity,
      error: NotFound
    }).annotate(OpenApi.Summary, "The identity of any user"),
    HttpApiEndpoint.get("events", "/events", {
      headers: {
        "last-event-id": optional(
          Schema.String.annotate({ description: "The last id that was read: the stream goes on behind it" })
        )
      },
      success: HttpApiSchema.StreamUint8Array({ contentType: Fields.eventsType })
    }).annotate(OpenApi.Summary, "What concerns the caller, as it happens: server-sent events")
      .annotate(
        OpenApi.Description,
        [
          "In the node's order of commit. `message`, `membership`, `read` and `identity` events; `reset` where events were missed",
          "that cannot be told any more: read anew what matters. Their data are the schemas MessageEvent, MembershipEvent,",
          "ReadEvent, Identity and ResetEvent. An `id` without data, now and then, only says how far the stream has come."
        ].join(" ")
      )
  )
  .middleware(Authentication)
  .annotate(OpenApi.Description, "What belongs to a user rather than to a conversation")
{}

export class NodeApi extends HttpApi.make("p2p-mes")
  .add(Dialogs, Groups, Users, Node)
  .middleware(RequestErrors)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
  .annotate(HttpApi.QueryParseOptions, { onExcessProperty: "error" })
  .annotate(HttpApi.AdditionalSchemas, Object.values(eventSchemas))
  .annotate(OpenApi.Title, "p2p-mes node")
  .annotate(
    OpenApi.Description,
    [
      "Signed messages over plain HTTP. Calls with X- headers are signed over five lines: `p2p-mes/v1`; the purpose (message, op,",
      "read, identity for a write, else request); X-Ts; X-Node; and 64 hex digits, the id of the record that the call creates or,",
      "for other calls, BLAKE3 of `p2p-mes/request/v1`, the method, a line feed and the path with its query. Ids and encodings",
      "are in docs/protocol.md of the project. 202 means accepted, 201 committed. Other methods get 405, other media types 406 or",
      "415, each an InvalidRequest with the allowed values."
    ].join(" ")
  )
  .annotate(OpenApi.Transform, signatureParameters)
{}
