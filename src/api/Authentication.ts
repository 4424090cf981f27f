/**
 * Who asks (SPEC §3). Every signed endpoint carries this one middleware: it reads the headers, refuses what is
 * malformed, meant for another node or out of time, reads the body once and strictly, and hands the credentials on.
 * The signature itself covers the id of the record that the call creates, so it is checked when that id is known.
 */
import * as Context from "effect/Context"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import type { Address, NodeId } from "../domain/ids.ts"
import type { SigVersion } from "../domain/record.ts"
import { InvalidRequest, Overloaded, RateLimited, TooLarge, Unauthenticated } from "../domain/refusal.ts"

/** The signature headers, well formed but not yet proven. */
export interface SignedHeaders {
  /** `X-User`: who the caller says she is. */
  readonly user: Address
  /** `X-Ts`, ms. */
  readonly ts: number
  /** `X-Node`. */
  readonly node: NodeId
  /** `X-Sig`: r || s || v, 65 bytes, v 0 or 1. */
  readonly sig: Uint8Array
  /** `X-Sig-Version`. */
  readonly sigVersion: SigVersion
}

export class Credentials extends Context.Service<Credentials, SignedHeaders>()("p2p-mes/api/Credentials") {}

export class Authentication extends HttpApiMiddleware.Service<Authentication, {
  provides: Credentials
}>()("p2p-mes/api/Authentication", {
  requiredForClient: true,
  error: [Unauthenticated, InvalidRequest, TooLarge, RateLimited, Overloaded]
}) {}

/** Turns what the schemas refuse into {@link InvalidRequest} with the name of the field. */
export class RequestErrors extends HttpApiMiddleware.Service<RequestErrors>()("p2p-mes/api/RequestErrors", {
  error: InvalidRequest
}) {}
