/** Handlers of what belongs to a user: the inbox and the identity. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { NodeApi } from "../../api/NodeApi.ts"
import { Views } from "../../services/Views.ts"
import * as Calls from "./calls.ts"
import { answered, caller } from "./conversations.ts"

export const layer = HttpApiBuilder.group(
  NodeApi,
  "users",
  Effect.fn(function*(handlers) {
    const { inbox, prove, setIdentity } = yield* Calls.make
    const views = yield* Views
    return handlers.handleAll({
      conversations: ({ query }) => answered((caller) => inbox(caller, query)),
      setIdentity: ({ headers, payload }) =>
        answered(({ claim }) => setIdentity(claim, payload.identity, headers.prefer)),
      identity: Effect.fnUntraced(function*({ params }) {
        yield* Effect.flatMap(caller, prove)
        const { address, blob, hlc } = yield* views.identity(params.address)
        return { address, identity: blob, hlc }
      })
    })
  })
)
