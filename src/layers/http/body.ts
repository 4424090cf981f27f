/**
 * Reads a request body once, bounded and strictly: UTF-8 and JSON without repeated keys. What `JSON.parse` would let
 * pass in silence would make two readers of one signed request see two different things.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Result from "effect/Result"
import * as Bytes from "../../domain/bytes.ts"
import { InvalidRequest, TooLarge } from "../../domain/refusal.ts"
import * as StrictJson from "./strict-json.ts"

const invalid = (message: string) => new InvalidRequest({ field: "body", message })

const tooLarge = (bytesMax: number) =>
  new TooLarge({ message: `the body is larger than ${bytesMax} bytes`, limit: bytesMax })

/** The value of a body; the failure says what is wrong. */
export const parse = (bytes: Uint8Array): Result.Result<unknown, string> => {
  const text = Bytes.toText(bytes)
  if (text === undefined) return Result.fail("the body is not valid UTF-8")
  return Result.mapError(StrictJson.parse(text), (problem) => `the body is not JSON, or not plainly so: ${problem}`)
}

type Headers = { readonly [name: string]: string | undefined }

/** Whether the headers say that a body comes. */
export const isAnnounced = ({ headers }: { readonly headers: Headers }): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0

/** Nothing is proven before the body is here, so slow senders must not hold a place for long. */
const bodyMsMax = 5_000

/** Whether reading stopped because the body has too many bytes; else the connection broke. */
const isOverflow = ({ reason }: HttpServerError.HttpServerError): boolean =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"

/**
 * Reads the body of `request`, which keeps it: it may be read again. A larger body than `bytesMax`, or one that is cut off, is
 * refused.
 */
export const read = (
  request: HttpServerRequest.HttpServerRequest,
  bytesMax: number
): Effect.Effect<Uint8Array, InvalidRequest | TooLarge> => {
  const declared = Number(request.headers["content-length"] ?? 0)
  if (declared > bytesMax) return Effect.fail(tooLarge(bytesMax))
  return request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bytesMax)),
    Effect.mapError((error) => isOverflow(error) ? tooLarge(bytesMax) : invalid("the body was cut off")),
    Effect.timeoutOrElse({
      duration: bodyMsMax,
      orElse: () => Effect.fail(invalid(`the body did not come within ${bodyMsMax / 1_000} s`))
    }),
    Effect.map((buffer) => new Uint8Array(buffer))
  )
}

/** Checks the body of `request`; the endpoint's schema reads it again from memory. */
export const check = (
  request: HttpServerRequest.HttpServerRequest,
  bytesMax: number
): Effect.Effect<void, InvalidRequest | TooLarge> =>
  Effect.flatMap(read(request, bytesMax), (bytes): Effect.Effect<void, InvalidRequest> => {
    const body = parse(bytes)
    return Result.isSuccess(body) ? Effect.void : Effect.fail(invalid(body.failure))
  })
