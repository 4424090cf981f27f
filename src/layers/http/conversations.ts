/** Handlers of direct messages and groups: they differ in where a conversation is and in nothing else. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import { Credentials } from "../../api/Authentication.ts"
import { type NewOp, NodeApi } from "../../api/NodeApi.ts"
import type * as Ids from "../../domain/ids.ts"
import { opTypes, roles } from "../../domain/record.ts"
import { Forbidden, NotFound } from "../../domain/refusal.ts"
import { Views } from "../../services/Views.ts"
import * as Answers from "./answers.ts"
import * as Calls from "./calls.ts"

/** The target in origin form, the path and query as sent: the server may show it with scheme and host. */
export const originForm = (url: string): string =>
  url.startsWith("/") ? url : url.replace(/^[a-z]+:\/\/[^/?#]*/i, "") || "/"

/** Who makes the request that is being handled. */
export const caller = Effect.gen(function*() {
  const { method, originalUrl } = yield* HttpServerRequest.HttpServerRequest
  const made: Calls.Caller = { claim: yield* Credentials, method, target: originForm(originalUrl) }
  return made
})

/** Answers the request that is being handled by a call of `Calls`. */
export const answered = <E, R>(call: (caller: Calls.Caller) => Effect.Effect<Answers.Answer, E, R>) =>
  Effect.map(Effect.flatMap(caller, call), Answers.toResponse)

/** A direct conversation is open to its two parties, and a caller is always one of them. */
const neverForbidden = <A, E, R>(
  self: Effect.Effect<A, E | Forbidden, R>
): Effect.Effect<A, Exclude<E, Forbidden>, R> =>
  Effect.catchIf(self, (error) => error instanceof Forbidden, Effect.die) as Effect.Effect<A, Exclude<E, Forbidden>, R>
const neverRefused = <A, E, R>(
  self: Effect.Effect<A, E | Forbidden | NotFound, R>
): Effect.Effect<A, Exclude<E, Forbidden | NotFound>, R> =>
  Effect.catchIf(neverForbidden(self), (error) => error instanceof NotFound, Effect.die) as Effect.Effect<
    A,
    Exclude<E, Forbidden | NotFound>,
    R
  >

export const layerDialogs = HttpApiBuilder.group(
  NodeApi,
  "dialogs",
  Effect.fn(function*(handlers) {
    const { dialog, history, message, read, send } = yield* Calls.make
    return handlers.handleAll({
      send: ({ headers, params, payload }) =>
        answered(({ claim }) => send(dialog(claim, params.peer), claim, payload, headers.prefer)).pipe(neverRefused),
      history: ({ params, query }) =>
        answered((caller) => history(dialog(caller.claim, params.peer), caller, query)).pipe(neverRefused),
      message: ({ params }) =>
        answered((caller) => message(dialog(caller.claim, params.peer), caller, params.msg_id)).pipe(neverForbidden),
      read: ({ headers, params, payload }) =>
        answered(({ claim }) => read(dialog(claim, params.peer), claim, payload.up_to, headers.prefer)).pipe(
          neverRefused
        )
    })
  })
)

const opCodes = { create: opTypes.create, add: opTypes.add, remove: opTypes.remove, "set-title": opTypes.setTitle }

/** The fields of an op as they are signed. A role makes sense with add only. */
const changeOf = (payload: typeof NewOp.Type): Pick<Ids.OpFields, "op" | "role" | "targets" | "title" | "nonce"> => ({
  op: opCodes[payload.op],
  role: roles[payload.role ?? "member"],
  targets: payload.targets ?? [],
  ...(payload.title === undefined ? {} : { title: payload.title }),
  ...(payload.nonce === undefined ? {} : { nonce: payload.nonce })
})

export const layerGroups = HttpApiBuilder.group(
  NodeApi,
  "groups",
  Effect.fn(function*(handlers) {
    const { group, history, message, op, prove, read, send } = yield* Calls.make
    const views = yield* Views
    return handlers.handleAll({
      send: ({ headers, params, payload }) =>
        answered(({ claim }) => send(group(params.chat_id), claim, payload, headers.prefer)),
      history: ({ params, query }) => answered((caller) => history(group(params.chat_id), caller, query)),
      message: ({ params }) => answered((caller) => message(group(params.chat_id), caller, params.msg_id)),
      read: ({ headers, params, payload }) =>
        answered(({ claim }) => read(group(params.chat_id), claim, payload.up_to, headers.prefer)),
      op: ({ headers, params, payload }) =>
        answered(({ claim }) => op(params.chat_id, claim, changeOf(payload), headers.prefer)),
      leave: ({ headers, params }) =>
        answered(({ claim }) =>
          op(params.chat_id, claim, { op: opTypes.remove, role: 0, targets: [claim.user] }, headers.prefer)
        ),
      members: Effect.fnUntraced(function*({ params }) {
        const { user } = yield* Effect.flatMap(caller, prove)
        const { members, title } = yield* views.members(user, params.chat_id)
        return {
          chat_id: params.chat_id,
          title,
          members: members.map(({ address, role, since }) => ({
            address,
            role: role === roles.admin ? "admin" as const : "member" as const,
            since
          }))
        }
      })
    })
  })
)
