/**
 * The short way for the calls that come most: messages sent, pages of a conversation, the inbox. The API's router, schemas and
 * middleware take three times as long for them as all the rest of the work on the event loop.
 *
 * Rule: only a request that is regular in every respect goes this way, in the one form that clients have it in. What is
 * unusual about another one, and what that deserves, the API's handlers say, which then see it as if it had not been looked
 * at: nothing here has an effect before all of a request is found regular. Both ways give the same answers
 * (`test/http/direct.test.ts`); behind the reading of a request they are one (`calls.ts`).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { SignedHeaders } from "../../api/Authentication.ts"
import type { NewMessage } from "../../api/NodeApi.ts"
import * as Bytes from "../../domain/bytes.ts"
import type { Address, ChatId } from "../../domain/ids.ts"
import { contentBytesMax, controlBytesMax, type IngestLimits, msgTypeMax, pageMax } from "../../domain/limits.ts"
import { Authenticator } from "../../services/Authenticator.ts"
import { type Answer, toResponse } from "./answers.ts"
import { contentTypeProblem, type Headers, readHeaders } from "./authentication.ts"
import * as Body from "./body.ts"
import * as Calls from "./calls.ts"
import { originForm } from "./conversations.ts"
import { InFlight } from "./in-flight.ts"
import { type Refusal, refused } from "./refused.ts"
import { accepts } from "./request-errors.ts"

/** A request whose head is regular. */
export interface Opened {
  /** Length of the body; 0 for a call without one. */
  readonly bodyBytes: number
  /** Proves nothing and changes nothing: a claim meant for another node, or out of time, is refused. */
  readonly checked: Effect.Effect<void, Refusal>
  /**
   * Does the call, which must have been checked: once, and before a body that takes its time. `target`: path and query as they
   * were signed. `body`: all of it. `undefined` when the body is not regular: nothing was done.
   */
  answer(target: string, body: Uint8Array | undefined): Effect.Effect<Answer> | undefined
}

export class Direct extends Context.Service<Direct, {
  /** `path`: with the query. `undefined`: this request is none of those that go this way. */
  open(method: string, path: string, headers: Headers): Opened | undefined
}>()("p2p-mes/layers/http/Direct") {}

const conversation = /^\/(?:dialogs\/0x([0-9a-f]{40})|groups\/0x([0-9a-f]{64}))\/messages(?:\?(.+))?$/
const inbox = /^\/conversations(?:\?(.+))?$/
const parameter = /^(?:limit=([1-9][0-9]{0,2})|(?:before|after)=[0-9a-f]*)$/

/** A query in which every parameter stands once. Which of them a call takes together, it says itself. */
const readQuery = (text: string | undefined): Calls.PageQuery | undefined => {
  const query: { limit?: number; before?: string; after?: string } = {}
  if (text === undefined) return query
  for (const part of text.split("&")) {
    const found = parameter.exec(part)
    if (found === null) return undefined
    const [name, value] = part.split("=") as ["limit" | "before" | "after", string]
    if (query[name] !== undefined) return undefined
    if (name !== "limit") query[name] = value
    else if (Number(value) <= pageMax) query.limit = Number(value)
    else return undefined
  }
  return query
}

const messageKeys: ReadonlySet<string> = new Set(["content", "msg_type", "control"])

/** A new message by the rules of the schema `NewMessage`. */
const readMessage = (bytes: Uint8Array): typeof NewMessage.Type | undefined => {
  const parsed = Body.parse(bytes)
  if (Result.isFailure(parsed)) return undefined
  const body = parsed.success as { readonly [key: string]: unknown } | null
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined
  for (const key in body) if (!messageKeys.has(key)) return undefined
  const { content, control, msg_type } = body
  if (typeof content !== "string" || !Bytes.isWellFormed(content)) return undefined
  if (Bytes.textLength(content) > contentBytesMax) return undefined
  if (msg_type !== undefined && !isMsgType(msg_type)) return undefined
  const message = msg_type === undefined ? { content } : { content, msg_type }
  if (control === undefined) return message
  if (typeof control !== "string") return undefined
  const opaque = Bytes.parseBase64(control)
  if (Result.isFailure(opaque) || opaque.success.length > controlBytesMax) return undefined
  return { ...message, control: opaque.success }
}

const isMsgType = (value: unknown): value is number =>
  Number.isInteger(value) && value as number >= 0 && value as number <= msgTypeMax

const json = "application/json"

/** Length of the body that the headers announce, where they say it plainly and no more is taken; else `undefined`. */
const bodyBytesOf = (headers: Headers, bytesMax: number): number | undefined => {
  const length = headers["content-length"]
  if (headers["transfer-encoding"] !== undefined || length === undefined || !/^[1-9][0-9]*$/.test(length)) {
    return undefined
  }
  return Number(length) <= bytesMax && !contentTypeProblem(headers["content-type"]) ? Number(length) : undefined
}

const answered = <R>(call: Effect.Effect<Answer, Refusal, R>): Effect.Effect<Answer, never, R> =>
  Effect.match(call, { onFailure: refused, onSuccess: (answer) => answer })

export const layer = (limits: IngestLimits) =>
  Layer.effect(
    Direct,
    Effect.gen(function*() {
      const calls = yield* Calls.make
      const authenticator = yield* Authenticator

      const placeOf = (claim: SignedHeaders, dialog: string | undefined, group: string | undefined) =>
        dialog === undefined ? calls.group(group as ChatId) : calls.dialog(claim, dialog as Address)

      const open = (method: string, path: string, headers: Headers): Opened | undefined => {
        const isWrite = method === "POST"
        if (!isWrite && method !== "GET") return undefined
        const chat = conversation.exec(path)
        const list = chat === null && !isWrite ? inbox.exec(path) : null
        if (chat === null && list === null) return undefined
        if (!accepts(headers["accept"], json)) return undefined
        const read = readHeaders(headers)
        if (Result.isFailure(read)) return undefined
        const claim = read.success
        const checked = authenticator.check(claim)

        if (isWrite) {
          const [, dialog, group, query] = chat!
          const bodyBytes = query === undefined ? bodyBytesOf(headers, limits.bodyBytesMax) : undefined
          if (bodyBytes === undefined) return undefined
          return {
            bodyBytes,
            checked,
            answer: (_, body) => {
              const message = readMessage(body!)
              if (message === undefined) return undefined
              return answered(calls.send(placeOf(claim, dialog, group), claim, message, headers["prefer"]))
            }
          }
        }
        const query = Body.isAnnounced({ headers }) ? undefined : readQuery(chat === null ? list![1] : chat[3])
        if (query === undefined || (chat === null && query.before !== undefined)) return undefined
        return {
          bodyBytes: 0,
          checked,
          answer: (target) => {
            const caller: Calls.Caller = { claim, method, target }
            return answered(
              chat === null
                ? calls.inbox(caller, query)
                : calls.history(placeOf(claim, chat[1], chat[2]), caller, query)
            )
          }
        }
      }
      return Direct.of({ open })
    })
  )

/** What a request is answered that was found regular, `call` with it when it passes the check. */
export const afterCheck = <A>({ checked }: Opened, call: Effect.Effect<A>): Effect.Effect<A | Answer> =>
  Effect.matchEffect(checked, {
    onFailure: (refusal) => Effect.succeed(refused(refusal)),
    onSuccess: () => call
  })

type Handler = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>

/** Sends regular requests this way in any router; others go where they would have gone. */
export const layerMiddleware = (limits: IngestLimits) =>
  HttpRouter.middleware(Effect.gen(function*() {
    const direct = yield* Direct
    const inFlight = yield* InFlight
    const leave = Effect.sync(inFlight.leave)

    /** The answer, or nothing when the body is not regular. */
    const answer = (
      request: HttpServerRequest.HttpServerRequest,
      opened: Opened
    ): Effect.Effect<Answer | undefined> => {
      const target = originForm(request.originalUrl)
      const call = (body: Uint8Array | undefined): Effect.Effect<Answer | undefined> =>
        opened.answer(target, body) ?? Effect.undefined
      if (opened.bodyBytes === 0) return afterCheck(opened, call(undefined))
      const read = Effect.matchEffect(Body.read(request, limits.bodyBytesMax), {
        onFailure: (refusal) => Effect.succeed<Answer | undefined>(refused(refusal)),
        onSuccess: call
      })
      return afterCheck(opened, read)
    }

    return (handler: Handler) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request): Handler => {
        const opened = direct.open(request.method, request.url, request.headers)
        if (opened === undefined) return handler
        const attempt = Effect.acquireUseRelease(
          Effect.sync(inFlight.enter),
          (entered) => entered ? answer(request, opened) : Effect.undefined,
          (entered) => entered ? leave : Effect.void
        )
        return Effect.flatMap(attempt, (answer) => answer === undefined ? handler : Effect.succeed(toResponse(answer)))
      })
  })).layer
