/** Handlers of what belongs to a user: the inbox, the identity and the stream of events. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { NodeApi } from "../../api/NodeApi.ts"
import { Events } from "../../services/Events.ts"
import { Views } from "../../services/Views.ts"
import * as Calls from "./calls.ts"
import { answered, caller } from "./conversations.ts"
import { Draining } from "./draining.ts"
import * as EventText from "./event-text.ts"

export const layer = HttpApiBuilder.group(
  NodeApi,
  "users",
  Effect.fn(function*(handlers) {
    const { inbox, prove, setIdentity } = yield* Calls.make
    const views = yield* Views
    const events = yield* Events
    // a server waits for its answers, and these would never end
    yield* Effect.forkScoped(Effect.andThen((yield* Draining).begun, events.end))
    return handlers.handleAll({
      conversations: ({ query }) => answered((caller) => inbox(caller, query)),
      setIdentity: ({ headers, payload }) =>
        answered(({ claim }) => setIdentity(claim, payload.identity, headers.prefer)),
      identity: Effect.fnUntraced(function*({ params }) {
        yield* Effect.flatMap(caller, prove)
        const { address, blob, hlc } = yield* views.identity(params.address)
        return { address, identity: blob, hlc }
      }),
      events: Effect.fnUntraced(function*({ headers }) {
        const { user } = yield* Effect.flatMap(caller, prove)
        yield* events.admit
        yield* EventText.breakOffWhenStuck
        return EventText.response(events.stream(user, EventText.readId(headers["last-event-id"])))
      })
    })
  })
)
