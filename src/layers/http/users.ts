/** Handlers of what belongs to a user: the inbox and the identity. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { Credentials } from "../../api/Authentication.ts"
import { NodeApi } from "../../api/NodeApi.ts"
import { Hashing } from "../../domain/hashing.ts"
import * as Ids from "../../domain/ids.ts"
import { pageDefault } from "../../domain/limits.ts"
import { Authenticator } from "../../services/Authenticator.ts"
import { Ingest, type Receipt } from "../../services/Ingest.ts"
import { Views } from "../../services/Views.ts"
import * as Answers from "./answers.ts"
import { proveRequest } from "./conversations.ts"

export const layer = HttpApiBuilder.group(
  NodeApi,
  "users",
  Effect.fn(function*(handlers) {
    const authenticator = yield* Authenticator
    const hashes = yield* Hashing
    const ingest = yield* Ingest
    const views = yield* Views
    return handlers.handleAll({
      conversations: Effect.fnUntraced(function*({ query }) {
        const after = yield* Answers.readInboxPosition(query.after ?? "")
        const { user } = yield* proveRequest
        const inbox = yield* views.conversations(user, { after, limit: query.limit ?? pageDefault })
        return {
          conversations: inbox.conversations.map(Answers.conversationOf),
          next: inbox.next === undefined ? null : Answers.inboxCursor(inbox.next)
        }
      }),
      setIdentity: Effect.fnUntraced(function*({ headers, payload }) {
        const claim = yield* Credentials
        const fields: Ids.IdentityFields = { address: claim.user, ts: claim.ts, blob: payload.identity }
        const id = Ids.identityId(hashes, fields)
        const receipt: Receipt<string> = yield* authenticator.write(
          claim,
          "identity",
          id,
          (proof) => ingest.identity(fields, proof),
          ingest.receipt({ kind: "identity", id, address: claim.user, ts: claim.ts })
        )
        return yield* Answers.taken(receipt, { identity_id: `0x${id}` }, headers.prefer)
      }),
      identity: Effect.fnUntraced(function*({ params }) {
        yield* proveRequest
        const { address, blob, hlc } = yield* views.identity(params.address)
        return { address, identity: blob, hlc }
      })
    })
  })
)
