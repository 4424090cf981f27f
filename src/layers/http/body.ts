/**
 * Reads a request body once, bounded and strictly: UTF-8 and JSON without repeated keys. What `JSON.parse` would let
 * pass in silence would make two readers of one signed request see two different things.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Bytes from "../../domain/bytes.ts"
import { InvalidRequest, TooLarge } from "../../domain/refusal.ts"
import * as StrictJson from "./strict-json.ts"

const invalid = (message: string) => new InvalidRequest({ field: "body", message })

const problemOf = (bytes: Uint8Array): string | undefined => {
  const text = Bytes.toText(bytes)
  if (text === undefined) return "the body is not valid UTF-8"
  const problem = StrictJson.problemOf(text)
  return problem === undefined ? undefined : `the body is not JSON, or not plainly so: ${problem}`
}

/** Whether the headers say that a body comes. */
export const isAnnounced = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0

/** Nothing is proven before the body is here, so slow senders must not hold a place for long. */
const bodyMsMax = 5_000

/** Whether reading stopped because the body has too many bytes; else the connection broke. */
const isOverflow = ({ reason }: HttpServerError.HttpServerError): boolean =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"

/**
 * Checks the body of `request`; the endpoint's schema reads it again from memory. A larger body than `bytesMax`, or one
 * that is cut off, is refused.
 */
export const check = (
  request: HttpServerRequest.HttpServerRequest,
  bytesMax: number
): Effect.Effect<void, InvalidRequest | TooLarge> => {
  const declared = Number(request.headers["content-length"] ?? 0)
  const tooLarge = new TooLarge({ message: `the body is larger than ${bytesMax} bytes`, limit: bytesMax })
  if (declared > bytesMax) return Effect.fail(tooLarge)
  return request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bytesMax)),
    Effect.mapError((error) => isOverflow(error) ? tooLarge : invalid("the body was cut off")),
    Effect.timeoutOrElse({
      duration: bodyMsMax,
      orElse: () => Effect.fail(invalid(`the body did not come within ${bodyMsMax / 1_000} s`))
    }),
    Effect.flatMap((buffer): Effect.Effect<void, InvalidRequest> => {
      const problem = problemOf(new Uint8Array(buffer))
      return problem === undefined ? Effect.void : Effect.fail(invalid(problem))
    })
  )
}
