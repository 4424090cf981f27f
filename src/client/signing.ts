/**
 * The signature headers of a call (SPEC §3), put on by the client side of the `Authentication` middleware, where the
 * path and query are known as they will be sent.
 *
 * What is signed, when and for which node is decided before, by {@link CurrentAttempt}; so the same signed request can
 * be sent twice, which a node answers the same.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Url from "effect/http/Url"
import * as Result from "effect/Result"
import { Authentication } from "../api/index.ts"
import * as Bytes from "../domain/bytes.ts"
import * as Ids from "../domain/ids.ts"
import type { Kind } from "../domain/record.ts"
import { stringToSign } from "../domain/signature.ts"
import { hashes } from "./hashing.ts"
import type { Signer } from "./Signer.ts"

/** The record that a write creates. Its id depends on the time and, for an op, on the node. */
export interface Intent {
  readonly kind: Kind
  /** 64 hex digits. */
  readonly id: (ts: number, node: Ids.NodeId) => string
}

/** One signature: who is asked, when, and for what. */
export interface Attempt {
  readonly node: Ids.NodeId
  readonly ts: number
  /** Absent: a call that creates no record. */
  readonly intent?: Intent | undefined
  /** The headers, once they are made; a second sending uses them as they are. */
  headers?: { readonly [name: string]: string } | undefined
}

export class CurrentAttempt extends Context.Service<CurrentAttempt, Attempt>()("p2p-mes/client/CurrentAttempt") {}

/**
 * Path and query in origin form, as they go over the wire below the node's base address: a proxy that puts a node under
 * a path takes that path off again.
 */
const targetOf = (request: HttpClientRequest.HttpClientRequest): string => {
  const url = Result.getOrThrow(Url.make(`http://node${request.url}`, request.urlParams, undefined))
  return url.pathname + url.search
}

const signed = Effect.fnUntraced(function*(
  signer: Signer,
  attempt: Attempt,
  request: HttpClientRequest.HttpClientRequest
) {
  const { intent, node, ts } = attempt
  const digest = intent === undefined
    ? Ids.requestId(hashes, request.method, targetOf(request))
    : intent.id(ts, node)
  const sig = yield* signer.sign(stringToSign(intent?.kind ?? "request", ts, node, digest))
  return {
    "x-user": `0x${signer.address}`,
    "x-ts": String(ts),
    "x-node": node,
    "x-sig": Bytes.toHex(sig),
    "x-sig-version": String(signer.version)
  }
})

/** Signs each call as its {@link CurrentAttempt} says. A signer that fails is the cause of an `EncodeError`. */
export const layer = (signer: Signer) =>
  HttpApiMiddleware.layerClient(
    Authentication,
    Effect.fnUntraced(function*({ next, request }) {
      // Provided around every call by `calls.ts`; a call without it is a defect.
      const attempt = Context.getUnsafe(yield* Effect.context<never>(), CurrentAttempt)
      attempt.headers ??= yield* signed(signer, attempt, request).pipe(
        Effect.mapError((cause) =>
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.EncodeError({ request, cause, description: cause.message })
          })
        )
      )
      return yield* next(HttpClientRequest.setHeaders(request, attempt.headers))
    })
  )
