/** Writing: authority, stamp, acceptance, queue. See the port for the contract. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Acceptance from "../../domain/acceptance.ts"
import { Hashing } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { driftMsMax, type IngestLimits } from "../../domain/limits.ts"
import { isLeave, type Op, opTypes, type Record } from "../../domain/record.ts"
import { Conflict, Forbidden, InvalidRequest, NotFound, Overloaded } from "../../domain/refusal.ts"
import { stampDigest } from "../../domain/signature.ts"
import type { Proof } from "../../services/Authenticator.ts"
import { type Group, Groups } from "../../services/Groups.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Ingest, type Place, type Sought } from "../../services/Ingest.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { reasonText, Store, type StoreError } from "../../services/Store.ts"
import { type Ticket, Writer } from "../../services/Writer.ts"
import { RecentIds } from "./recent-ids.ts"

/** Ids remembered in each of two generations; at more than this in three minutes, the store is asked. */
const recentMax = 250_000

type Taken = Result.Result<{ readonly hlc: Hlc.Hlc; readonly ticket: Ticket }, Overloaded>

/** A broken store is not the caller's fault, and may be mended: she comes back later. */
export const unavailable = (error: StoreError): Overloaded =>
  new Overloaded({ reason: "queue", message: `the node cannot answer: ${reasonText[error.reason]}`, retry_after: 5 })

export const unknownGroup = () => new NotFound({ message: "no such group is known to this node" })
export const notMember = () => new Forbidden({ message: "you are not a member of this group (any more)" })

export const layer = (limits: IngestLimits) =>
  Layer.effect(
    Ingest,
    Effect.gen(function*() {
      const hashes = yield* Hashing
      const clock = yield* HybridClock
      const node = yield* NodeKey
      const groups = yield* Groups
      const writer = yield* Writer
      const store = yield* Store
      const time = yield* Clock.Clock
      const steadyMs = () => Number(time.monotonicTimeNanosUnsafe() / 1_000_000n)
      const recent = new RecentIds(recentMax, steadyMs())

      const envelope = (proof: Proof, hlc: Hlc.Hlc) => ({
        node: node.id,
        sig: proof.sig,
        sigVersion: proof.sigVersion,
        hlc
      })

      /** Applies SPEC §5 to this node's own record before anyone is told of it (§4). */
      const take = (record: Record): Taken => {
        const early = Hlc.isEarly(record.hlc, clock.wall())
        const problem = early ? undefined : Acceptance.formProblem(hashes, record)
        if (early || problem !== undefined) {
          return Result.fail(
            new Overloaded({
              reason: "clock",
              message: problem === undefined
                ? `this node's stamps are more than ${driftMsMax} ms ahead of its wall clock: it was set back`
                : `this node's clock does not fit: ${problem.field} ${problem.message}`,
              retry_after: 30
            })
          )
        }
        const offered = writer.offer(record)
        if (Result.isFailure(offered)) return Result.fail(offered.failure)
        recent.add(record.id, record.hlc, steadyMs())
        return Result.succeed({ hlc: record.hlc, ticket: offered.success })
      }

      const inGroup = <A, E>(
        chatId: Ids.ChatId,
        f: (group: Group) => Result.Result<A, E>
      ): Effect.Effect<A, E | Overloaded> =>
        groups.use(chatId, f).pipe(Effect.mapError(unavailable), Effect.flatMap(Effect.fromResult))

      /** Runs `write` when `user` may write at `place` now, in the same step. */
      const asMember = (
        place: Place,
        user: Ids.Address,
        write: () => Taken
      ): Effect.Effect<Result.Result.Success<Taken>, Forbidden | NotFound | Overloaded> =>
        place.kind === "dm"
          ? Effect.suspend(() => Effect.fromResult(write()))
          : inGroup(
            place.chatId,
            (group): Result.Result<Result.Result.Success<Taken>, Forbidden | NotFound | Overloaded> =>
              group.membership.creator === undefined
                ? Result.fail(unknownGroup())
                : group.membership.isMember(user)
                ? write()
                : Result.fail(notMember())
          )

      const peerOf = (place: Place) => place.kind === "dm" ? { peer: place.peer } : {}

      /**
       * Whether a stamp above `upTo` would be early, though `upTo` is not: its logical counter is at its end. Such a mark
       * must not move the clock, or one caller could stop all others from writing.
       */
      const leavesNoRoom = (upTo: Hlc.Hlc): boolean =>
        upTo > clock.last() &&
        Result.match(Hlc.receive(clock.last(), upTo, clock.wall()), {
          onFailure: () => true,
          onSuccess: (merged) => Hlc.isEarly(Hlc.send(merged, clock.wall()), clock.wall())
        })

      const stored = (sought: Sought): Effect.Effect<Record | undefined, StoreError> => {
        switch (sought.kind) {
          case "message":
            return store.message(sought.id)
          case "op":
            return store.op(sought.id)
          case "read":
            return store.read(sought.chatId, sought.reader)
          case "identity":
            return store.identity(sought.address)
        }
      }

      return Ingest.of({
        message: (place, fields, proof) =>
          Effect.map(
            asMember(place, fields.sender, () =>
              take({
                kind: "message",
                id: proof.digest as Ids.MessageId,
                ...fields,
                ...peerOf(place),
                ...envelope(proof, clock.send())
              })),
            (taken) => ({ id: proof.digest as Ids.MessageId, ...taken })
          ),

        read: (place, fields, proof) => {
          const ahead = Hlc.physicalMs(fields.upTo) - clock.wall()
          if (ahead > driftMsMax) {
            return Effect.fail(
              new InvalidRequest({
                field: "up_to",
                message: `up_to is ${ahead} ms ahead of this node's clock, ${driftMsMax} ms are allowed`
              })
            )
          }
          if (leavesNoRoom(fields.upTo)) {
            return Effect.fail(
              new InvalidRequest({ field: "up_to", message: "up_to leaves no room for a stamp above it: take a lower one" })
            )
          }
          return Effect.map(
            asMember(place, fields.reader, () => {
              // a mark is stamped above what it marks, which another node may have stamped ahead of this one
              clock.receive(fields.upTo)
              return take({
                kind: "read",
                id: proof.digest as Ids.ReadId,
                ...fields,
                ...peerOf(place),
                ...envelope(proof, clock.send())
              })
            }),
            (taken) => ({ id: proof.digest as Ids.ReadId, ...taken })
          )
        },

        identity: (fields, proof) =>
          Effect.suspend(() =>
            Effect.fromResult(
              take({
                kind: "identity",
                id: proof.digest as Ids.IdentityId,
                ...fields,
                ...envelope(proof, clock.send())
              })
            )
          ).pipe(Effect.map((taken) => ({ id: proof.digest as Ids.IdentityId, ...taken }))),

        op: Effect.fnUntraced(function*(fields, proof) {
          const shape = Acceptance.opShapeProblem(hashes, fields)
          if (shape !== undefined) {
            return yield* new InvalidRequest({ field: shape[0], message: `${shape[0]} ${shape[1]}` })
          }
          const taken = yield* inGroup(
            fields.chatId,
            (group): Result.Result<Result.Result.Success<Taken>, Forbidden | NotFound | Conflict | Overloaded> => {
              const refusal = refuseOp(group, fields, limits)
              if (refusal !== undefined) return Result.fail(refusal)
              const unstamped = {
                kind: "op" as const,
                id: proof.digest as Ids.OpId,
                ...fields,
                ...envelope(proof, clock.send()),
                ...(fields.op === opTypes.remove ? { observed: group.membership.liveDots(fields.targets) } : {})
              }
              const op: Op = { ...unstamped, stamp: node.sign(stampDigest(hashes, unstamped)) }
              const taken = take(op)
              if (Result.isSuccess(taken)) groups.apply(group, op, taken.success.ticket)
              return taken
            }
          )
          return { id: proof.digest as Ids.OpId, ...taken }
        }),

        receipt: Effect.fnUntraced(function*(sought) {
          const { id } = sought
          const hlc = recent.get(id)
          if (hlc !== undefined) return { id, hlc, ticket: writer.last() }
          if (recent.isComplete(steadyMs())) return undefined
          const record = yield* Effect.mapError(stored(sought), unavailable)
          // a newer mark or identity may be in its place
          return record?.id === id ? { id, hlc: record.hlc, ticket: 0 } : undefined
        })
      })
    })
  )

/** Current authority, and whether the op would change anything (SPEC §5.2, §8). */
const refuseOp = (
  group: Group,
  fields: Ids.OpFields,
  limits: IngestLimits
): Forbidden | NotFound | Conflict | undefined => {
  const { membership } = group
  if (fields.op === opTypes.create) {
    if (membership.creator !== undefined) {
      return new Conflict({ reason: "group-exists", message: "this group exists: choose another nonce" })
    }
    return undefined
  }
  if (membership.creator === undefined) return unknownGroup()
  const problem = membership.ingestProblem(fields, limits)
  if (problem === undefined) return undefined
  switch (problem.reason) {
    case "forbidden":
      return isLeave(fields) ? notMember() : new Forbidden({ message: problem.message })
    case "too-many-members":
      return new Forbidden({ message: problem.message })
    default:
      return new Conflict({ reason: problem.reason, message: problem.message })
  }
}
