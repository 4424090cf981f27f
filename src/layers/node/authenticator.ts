/** The order of checks of SPEC §3 after the headers: node, window, signature, already known, rate, and then authority. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Bytes from "../../domain/bytes.ts"
import { Hashing } from "../../domain/hashing.ts"
import { type IngestLimits, requestMsMax } from "../../domain/limits.ts"
import type { Kind } from "../../domain/record.ts"
import { Overloaded, RateLimited, Unauthenticated } from "../../domain/refusal.ts"
import * as Signature from "../../domain/signature.ts"
import { Authenticator, type Claim, type Proof } from "../../services/Authenticator.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { Verifier } from "../../services/Verifier.ts"
import * as Metrics from "./metrics.ts"
import { RateLimit } from "./rate-limit.ts"
import { ReplayCache } from "./replay.ts"

/** A clock is looked at again after this, however wrong it is. */
const retrySecondsMax = 300

/**
 * What the cache keeps of a write: its answer, once there is one. A request keeps nothing. A write's key is the id of its
 * record, which is made of its author, its time and its kind, as the signed string is (SPEC §2, §3).
 */
type Answer = Deferred.Deferred<Exit.Exit<unknown, unknown>> | "request"

export const layer = (limits: IngestLimits) =>
  Layer.effect(
    Authenticator,
    Effect.gen(function*() {
      const hashes = yield* Hashing
      const verifier = yield* Verifier
      const node = yield* NodeKey
      const clock = yield* HybridClock
      const replay = new ReplayCache<Answer>(limits.replayEntriesMax, clock.wall())
      const rate = new RateLimit(limits)
      const metrics = yield* Metrics.make

      const recovers = (claim: Claim, digest: Uint8Array, v: 0 | 1): Effect.Effect<boolean> =>
        Effect.map(
          verifier.recover({ digest, rs: claim.sig.subarray(0, 64), v }),
          (address) => address !== undefined && Bytes.equalConstantTime(address, claim.user)
        )

      /** Checks the signature. One recovery; the other v only if that gives somebody else (SPEC §3). */
      const prove = (claim: Claim, purpose: Signature.Purpose, digest: string): Effect.Effect<Proof, Unauthenticated> =>
        Effect.suspend(() => {
          const text = Signature.stringToSign(purpose, claim.ts, node.id, digest)
          const signed = Signature.signedDigest(hashes, claim.sigVersion, text)
          const v = claim.sig[64] as 0 | 1
          const proofWith = (sig: Uint8Array) => ({ ...claim, sig, purpose, digest }) as unknown as Proof
          return Effect.flatMap(recovers(claim, signed, v), (worked) =>
            worked
              ? Effect.succeed(proofWith(claim.sig))
              : Effect.flatMap(
                recovers(claim, signed, otherV(v)),
                (other) =>
                  other ? Effect.succeed(proofWith(withV(claim.sig, otherV(v)))) : Effect.fail(badSignature(claim))
              ))
        })

      /** Pays for a call and remembers it, in one step; what stands in the way, if anything. */
      const admit = (key: string, claim: Claim, answer: Answer): RateLimited | Overloaded | undefined => {
        // paid first, so that one user cannot fill the memory that all need
        const seconds = rate.spend(claim.user, clock.wall())
        if (seconds > 0) {
          metrics.refused("rate")
          return new RateLimited({ message: `too many requests; try again in ${seconds} s`, retry_after: seconds })
        }
        if (replay.set(key, claim.ts, answer, clock.wall())) return undefined
        metrics.refused("replay-cache")
        return new Overloaded({
          reason: "replay-cache",
          message: "more signed requests in a minute than this node can remember; try again",
          retry_after: 10
        })
      }

      /** A signature older than this node's memory. Where the clock itself is behind that, signing again cannot help. */
      const forgotten = Effect.suspend((): Effect.Effect<never, Unauthenticated | Overloaded> => {
        const behindMs = replay.floor - clock.wall()
        if (behindMs > requestMsMax) {
          metrics.refused("clock")
          return Effect.fail(
            new Overloaded({
              reason: "clock",
              message:
                `this node's clock was set back by ${behindMs} ms, and it cannot tell used signatures from new ones`,
              retry_after: Math.min(Math.ceil(behindMs / 1_000), retrySecondsMax)
            })
          )
        }
        return Effect.fail(
          new Unauthenticated({
            reason: "replayed",
            message:
              "signed before this node started, or before its clock was set, so it may have been used: sign again",
            time: clock.wall()
          })
        )
      })

      /** The key under which the use of a request's signature is remembered. A write's is the id of its record. */
      const keyOf = (claim: Claim, digest: string): string =>
        Bytes.toHex(hashes.blake3(Bytes.fromText(`${claim.user}\n${claim.ts}\n${digest}`)))

      return Authenticator.of({
        check: (claim) =>
          Effect.suspend(() => {
            if (claim.node !== node.id) {
              return Effect.fail(
                new Unauthenticated({
                  reason: "wrong-node",
                  message: `signed for another node: this one is ${node.id}`,
                  node: node.id
                })
              )
            }
            const now = clock.wall()
            if (Math.abs(claim.ts - now) <= requestMsMax) return Effect.void
            return Effect.fail(
              new Unauthenticated({
                reason: "expired",
                message:
                  `X-Ts is ${Math.abs(claim.ts - now)} ms ${claim.ts < now ? "behind" : "ahead of"} this node's ` +
                  `clock, ${requestMsMax} ms are allowed: check your clock`,
                time: now
              })
            )
          }),

        request: (claim, digest) =>
          Effect.flatMap(prove(claim, "request", digest), (proof) => {
            if (replay.isForgotten(claim.ts)) return forgotten
            const key = keyOf(claim, digest)
            const refusal = replay.get(key, claim.ts) === undefined ? admit(key, claim, "request") : used()
            return refusal === undefined ? Effect.succeed(proof) : Effect.fail(refusal)
          }),

        write: <A, E, R, E2, R2>(
          claim: Claim,
          kind: Kind,
          digest: string,
          perform: (proof: Proof) => Effect.Effect<A, E, R>,
          stored: Effect.Effect<A | undefined, E2, R2>
        ) =>
          Effect.flatMap(prove(claim, kind, digest), (proof) => {
            type Answered = Effect.Effect<A, E | E2 | Unauthenticated | RateLimited | Overloaded, R | R2>

            const run: Answered = Effect.flatMap(stored, (known): Answered => {
              if (known !== undefined) return Effect.succeed(known)
              return replay.isForgotten(claim.ts) ? forgotten : perform(proof)
            })

            /** Waits for the first call with this signature; if that fails, this one is the first. */
            const follow = (first: Exclude<Answer, "request">): Answered =>
              Effect.flatMap(
                Deferred.await(first),
                (exit) => Exit.isSuccess(exit) ? Effect.succeed(exit.value as A) : attempt
              )

            const attempt: Answered = Effect.flatten(Effect.uninterruptible(Effect.suspend(() => {
              const first = replay.get(digest, claim.ts)
              if (first !== undefined) return Effect.succeed(follow(first as Exclude<Answer, "request">))
              const answer = Deferred.makeUnsafe<Exit.Exit<unknown, unknown>>()
              const refusal = admit(digest, claim, answer)
              if (refusal !== undefined) return Effect.succeed(Effect.fail(refusal) as Answered)
              return Effect.exit(run).pipe(
                Effect.tap((exit) =>
                  Effect.sync(() => {
                    // what failed may be tried again with the same signature
                    if (Exit.isFailure(exit)) replay.delete(digest, claim.ts)
                    Deferred.doneUnsafe(answer, Exit.succeed(exit))
                  })
                )
              )
            })))
            return attempt
          })
      })
    })
  )

const otherV = (v: 0 | 1): 0 | 1 => v === 0 ? 1 : 0

/** Another array: the claim stays as it came. */
const withV = (sig: Uint8Array, v: 0 | 1): Uint8Array => {
  const own = sig.slice()
  own[64] = v
  return own
}

const badSignature = (claim: Claim): Unauthenticated =>
  new Unauthenticated({
    reason: "bad-signature",
    message: `the signature is not 0x${claim.user}'s over this call: check the five signed lines, and that ` +
      "method, path, query and body are as signed"
  })

const used = (): Unauthenticated =>
  new Unauthenticated({
    reason: "replayed",
    message: "this signature was used before: sign again, with another X-Ts"
  })
