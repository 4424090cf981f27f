/**
 * How refusals look on the wire: what a schema refuses becomes `InvalidRequest` that names the field; statuses that one
 * error class cannot express (406, 415) and `Retry-After` are set here.
 */
import * as Effect from "effect/Effect"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as SchemaIssue from "effect/SchemaIssue"
import type * as Types from "effect/Types"
import { RequestErrors } from "../../api/Authentication.ts"
import { eventsType } from "../../api/fields.ts"
import { InvalidRequest } from "../../domain/refusal.ts"

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const where = { Params: "path", Query: "query", Headers: "header", Payload: "body", Body: "answer" } as const

/** The first thing that the schema found wrong; the others show when it is mended. */
const fromSchema = (error: HttpApiError.HttpApiSchemaError): InvalidRequest => {
  const issue = format(error.cause.issue).issues[0]
  const path = (issue?.path ?? []).map((part) => String(Predicate.isObject(part) ? part["key"] : part)).join(".")
  const place = where[error.kind as keyof typeof where] ?? "request"
  return new InvalidRequest({
    field: path === "" ? place : path,
    message: path === "" ? `${place}: ${issue?.message}` : `${path} (${place}): ${issue?.message}`
  })
}

/** The status of an answer that `InvalidRequest` as such would give 400. */
const statusOf = (field: string | undefined): number | undefined =>
  field === "Content-Type" ? 415 : field === "Accept" ? 406 : undefined

const setStatus = (status: number) =>
  HttpEffect.appendPreResponseHandler((_, response) => Effect.succeed(HttpServerResponse.setStatus(response, status)))

const setRetryAfter = (seconds: number) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(seconds)))
  )

/** Whether an `Accept` header takes `type`. Quality 0 is a no. */
export const accepts = (accept: string | undefined, type: string): boolean => {
  if (accept === undefined || accept.trim() === "") return true
  const family = `${type.split("/")[0]}/*`
  return accept.toLowerCase().split(",").some((range) => {
    const [name, ...parameters] = range.split(";").map((part) => part.trim())
    return (name === "*/*" || name === family || name === type) && !parameters.some((each) => /^q=0(\.0*)?$/.test(each))
  })
}

/** What endpoints answer with that do not answer JSON. */
const types: { readonly [endpoint: string]: string | undefined } = { metrics: "text/plain", events: eventsType }

/** Sets what the error's class cannot say by itself, and fails on. */
const dress = (error: unknown): Effect.Effect<void, never, HttpServerRequest.HttpServerRequest> => {
  if (Predicate.hasProperty(error, "retry_after")) return setRetryAfter(Number(error.retry_after))
  const status = error instanceof InvalidRequest ? statusOf(error.field) : undefined
  return status === undefined ? Effect.void : setStatus(status)
}

export const layer = Layer.succeed(
  RequestErrors,
  RequestErrors.of((httpEffect, { endpoint }) => {
    const type = types[endpoint.identifier] ?? "application/json"
    const answered = Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      if (!accepts(request.headers["accept"], type)) {
        return yield* new InvalidRequest({
          field: "Accept",
          message: `this answers as ${type} only`,
          allowed: [type]
        })
      }
      return yield* httpEffect
    })
    return answered.pipe(
      Effect.catch((error: Types.unhandled | InvalidRequest) =>
        Effect.fail(HttpApiError.HttpApiSchemaError.is(error) ? fromSchema(error) : error)
      ),
      Effect.tapError(dress)
    )
  })
)
