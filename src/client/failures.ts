/**
 * What a failed exchange tells: the one place where errors of the HTTP client are read. A write must know apart what
 * was refused, which is final, and what was lost, which may have been done.
 */
import * as Cause from "effect/Cause"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Refusal from "../domain/refusal.ts"
import { SignerError } from "./errors.ts"

const refusals = [
  Refusal.InvalidRequest,
  Refusal.Unauthenticated,
  Refusal.Forbidden,
  Refusal.NotFound,
  Refusal.Conflict,
  Refusal.TooLarge,
  Refusal.RateLimited,
  Refusal.Overloaded
] as const
export type NodeRefusal = InstanceType<typeof refusals[number]>

export type Failure =
  /** The node answered with one of the API's errors. */
  | { readonly kind: "answer"; readonly error: NodeRefusal }
  /** Nothing was sent. */
  | { readonly kind: "unsent"; readonly error: SignerError | Refusal.InvalidRequest; readonly message: string }
  /** Refused in a way that the API does not know. */
  | { readonly kind: "refused"; readonly status: number; readonly message: string }
  /** No answer, or none that can be read: the request may have been done. */
  | { readonly kind: "lost"; readonly message: string }

const isNodeRefusal = (error: unknown): error is NodeRefusal => refusals.some((type) => error instanceof type)

/** The deepest message: platforms wrap "connection refused" in "fetch failed". */
const deepest = (error: unknown): string => {
  let message = ""
  for (let at = error; Predicate.isObject(at);) {
    const { cause, code, errors, message: own } = at as {
      readonly cause?: unknown
      readonly code?: unknown
      readonly errors?: ReadonlyArray<unknown>
      readonly message?: unknown
    }
    if (typeof own === "string" && own !== "") message = own
    else if (typeof code === "string") message = code
    at = cause ?? errors?.[0]
  }
  return message
}

const readClientError = ({ reason }: HttpClientError.HttpClientError): Failure => {
  switch (reason._tag) {
    case "EncodeError":
    case "InvalidUrlError": {
      const error = reason.cause instanceof SignerError
        ? reason.cause
        : new Refusal.InvalidRequest({ message: reason.description ?? deepest(reason.cause) })
      return { kind: "unsent", error, message: error.message }
    }
    case "TransportError":
      return { kind: "lost", message: deepest(reason.cause) || (reason.description ?? "the connection failed") }
    case "StatusCodeError":
    case "DecodeError":
    case "EmptyBodyError": {
      const { status } = reason.response
      return status >= 400 && status < 500 && status !== 408
        ? { kind: "refused", status, message: `it answered with status ${status}` }
        : { kind: "lost", message: `its answer, of status ${status}, could not be read` }
    }
  }
}

/** What a schema says in lines, `problem` and `at ["field"]…`, in the form of the API. */
const invalidRequest = (text: string): Refusal.InvalidRequest => {
  const field = /\bat \["([^"]+)"\]/.exec(text)?.[1]
  const problem = text.split("\n")[0]!
  return new Refusal.InvalidRequest(
    field === undefined ? { message: problem } : { field, message: `${field}: ${problem}` }
  )
}

/** `wasSent`: whether a schema that fails is that of the answer, and not that of the request. */
export const read = (error: unknown, wasSent = true): Failure => {
  if (isNodeRefusal(error)) return { kind: "answer", error }
  if (HttpClientError.isHttpClientError(error)) return readClientError(error)
  if (Cause.isTimeoutError(error)) return { kind: "lost", message: "it took too long" }
  if (Schema.isSchemaError(error) && !wasSent) {
    const problem = invalidRequest(error.message)
    return { kind: "unsent", error: problem, message: problem.message }
  }
  const detail = deepest(error).split("\n")[0]
  return { kind: "lost", message: `its answer could not be read${detail === "" ? "" : `: ${detail}`}` }
}
