/** Records as the API tells them. */
import * as Schema from "effect/Schema"
import * as Limits from "../domain/limits.ts"
import * as Fields from "./fields.ts"

const optional = Schema.optionalKey

export const Message = Schema.Struct({
  msg_id: Fields.MessageId,
  chat_id: Fields.ChatId,
  sender: Fields.Address,
  ts: Schema.Int.annotate({ description: "The sender's time, ms" }),
  hlc: Fields.Stamp,
  msg_type: Fields.MsgType,
  content: Schema.String,
  control: optional(Fields.opaque("Opaque to the node", Limits.controlBytesMax))
}).annotate({ identifier: "Message" })

export const Identity = Schema.Struct({
  address: Fields.Address,
  identity: Fields.opaque("Never inspected", Limits.identityBytesMax),
  hlc: Fields.Stamp
}).annotate({ identifier: "Identity" })
