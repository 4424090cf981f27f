/**
 * The one middleware in front of every signed endpoint. In the order of SPEC §3: shape of the headers, node, window,
 * then the body; the signature itself is checked by `Authenticator` when the id that it covers is known.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { Authentication, Credentials, type SignedHeaders } from "../../api/Authentication.ts"
import { parseAddress } from "../../domain/ids.ts"
import { type IngestLimits, tsMsEnd } from "../../domain/limits.ts"
import { parseNodeId } from "../../domain/node-id.ts"
import { InvalidRequest, Unauthenticated } from "../../domain/refusal.ts"
import { parseSignature } from "../../domain/signature.ts"
import { Authenticator } from "../../services/Authenticator.ts"
import * as Body from "./body.ts"
import { InFlight } from "./in-flight.ts"

export type Headers = { readonly [name: string]: string | undefined }

const missing = (field: string) =>
  new Unauthenticated({ reason: "missing-header", field, message: `the header ${field} is missing` })
const malformed = (field: string, message: string) =>
  new Unauthenticated({ reason: "malformed-header", field, message: `${field}: ${message}` })

/** Reads the signature headers; their shape only. */
export const readHeaders = (headers: Headers): Result.Result<SignedHeaders, Unauthenticated> => {
  const { "x-node": xNode, "x-sig": xSig, "x-ts": xTs, "x-user": xUser } = headers
  if (!xUser) return Result.fail(missing("X-User"))
  if (!xTs) return Result.fail(missing("X-Ts"))
  if (!xNode) return Result.fail(missing("X-Node"))
  if (!xSig) return Result.fail(missing("X-Sig"))
  const user = parseAddress(xUser)
  if (Result.isFailure(user)) return Result.fail(malformed("X-User", user.failure))
  const ts = Number(xTs)
  if (!/^[1-9][0-9]*$/.test(xTs) || ts >= tsMsEnd) {
    return Result.fail(malformed("X-Ts", "expected ms since the epoch, in digits, below 2^48"))
  }
  const node = parseNodeId(xNode)
  if (Result.isFailure(node)) return Result.fail(malformed("X-Node", node.failure))
  const version = headers["x-sig-version"] ?? "1"
  if (version !== "1" && version !== "2") return Result.fail(malformed("X-Sig-Version", "expected 1 or 2"))
  const sig = parseSignature(xSig)
  if (Result.isFailure(sig)) return Result.fail(malformed("X-Sig", sig.failure))
  return Result.succeed({
    user: user.success,
    ts,
    node: xNode as SignedHeaders["node"],
    sig: sig.success,
    sigVersion: version === "1" ? 1 : 2
  })
}

const json = "application/json"

/** A body is JSON; other media types, and JSON in another character set, are refused. */
export const contentTypeProblem = (value: string | undefined): boolean => {
  if (value === json) return false
  if (value === undefined) return true
  const [type, ...parameters] = value.toLowerCase().split(";").map((part) => part.trim())
  return type !== json || parameters.some((each) => each.startsWith("charset") && !/^charset="?utf-8"?$/.test(each))
}

export const layer = (limits: IngestLimits) =>
  Layer.effect(
    Authentication,
    Effect.gen(function*() {
      const authenticator = yield* Authenticator
      const inFlight = yield* InFlight
      const enter = Effect.suspend(() => inFlight.enter() ? Effect.void : Effect.fail(inFlight.refuse()))
      const leave = Effect.sync(inFlight.leave)

      const credentials = Effect.fnUntraced(function*(hasBody: boolean, hasQuery: boolean) {
        const request = yield* HttpServerRequest.HttpServerRequest
        const claim = yield* Effect.fromResult(readHeaders(request.headers))
        yield* authenticator.check(claim)
        // the schema of an endpoint without a query does not look
        if (!hasQuery) yield* refuseQuery
        if (hasBody) {
          if (contentTypeProblem(request.headers["content-type"])) return yield* unsupportedMediaType
          yield* Body.check(request, limits.bodyBytesMax)
        } else if (Body.isAnnounced(request)) {
          return yield* unwantedBody
        }
        return claim
      })

      return Authentication.of((httpEffect, { endpoint }) => {
        const hasBody = endpoint.payload.size > 0
        const checked = credentials(hasBody, endpoint.query !== undefined)
        const entered = Effect.flatMap(checked, (claim) => Effect.provideService(httpEffect, Credentials, claim))
        return Effect.acquireUseRelease(enter, () => entered, () => leave)
      })
    })
  )

const unwantedBody = Effect.fail(new InvalidRequest({ field: "body", message: "this call takes no body" }))

const refuseQuery = Effect.flatMap(
  HttpServerRequest.ParsedSearchParams,
  (query): Effect.Effect<void, InvalidRequest> => {
    const field = Object.keys(query)[0]
    return field === undefined
      ? Effect.void
      : Effect.fail(new InvalidRequest({ field, message: `${field} (query): this call takes no parameters` }))
  }
)

const unsupportedMediaType = Effect.fail(
  new InvalidRequest({ field: "Content-Type", message: "the body must be JSON in UTF-8", allowed: [json] })
)
