/**
 * Proof that a user asked for something (SPEC §3). Writing services take nothing but a {@link Proof}, and only this
 * service makes one, so no path leads around the signature.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Address } from "../domain/ids.ts"
import type { Kind, SigVersion } from "../domain/record.ts"
import type { Overloaded, RateLimited, Unauthenticated } from "../domain/refusal.ts"
import type { Purpose } from "../domain/signature.ts"

/** A signature as it came, its shape and range checked. */
export interface Claim {
  readonly user: Address
  /** ms; within the window of the node's wall clock when it came. */
  readonly ts: number
  /** 65 bytes, v 0 or 1. */
  readonly sig: Uint8Array
  readonly sigVersion: SigVersion
}

/** A claim whose signature was checked, for this purpose and over `digest`. */
export interface Proof extends Claim {
  readonly Proof: unique symbol
  readonly purpose: Purpose
  readonly digest: string
}

export class Authenticator extends Context.Service<Authenticator, {
  /** Refuses a claim meant for another node, or out of time. */
  check(claim: { readonly ts: number; readonly node: string }): Effect.Effect<void, Unauthenticated>
  /** Proves a call that creates no record. `digest`: `ids.requestId`. The same signature works once. */
  request(claim: Claim, digest: string): Effect.Effect<Proof, Unauthenticated | RateLimited | Overloaded>
  /**
   * Proves and performs a write whose record has the id `digest`. The same write again gets the first answer: from the
   * first call if that succeeds, also when it is still under way, else from `stored` when the signature is older than this
   * node's memory. A write that failed may be tried again. One that was begun is seen through, even when its caller goes.
   */
  write<A, E, R, E2, R2>(
    claim: Claim,
    kind: Kind,
    digest: string,
    perform: (proof: Proof) => Effect.Effect<A, E, R>,
    stored: Effect.Effect<A | undefined, E2, R2>
  ): Effect.Effect<A, E | E2 | Unauthenticated | RateLimited | Overloaded, R | R2>
}>()("p2p-mes/services/Authenticator") {}
