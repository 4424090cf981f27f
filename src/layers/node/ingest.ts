/** Writing: authority, stamp, acceptance, queue. See the port for the contract. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Acceptance from "../../domain/acceptance.ts"
import { type Hashes, Hashing } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import * as Ids from "../../domain/ids.ts"
import { driftMsMax, type IngestLimits, observedMax, targetsMax } from "../../domain/limits.ts"
import { isLeave, type Kind, type Op, opTypes, type Record } from "../../domain/record.ts"
import {
  Conflict,
  Forbidden,
  InvalidRequest,
  type NotFound,
  Overloaded,
  Unauthenticated
} from "../../domain/refusal.ts"
import { stampDigest } from "../../domain/signature.ts"
import { type Accepted, Acceptor } from "../../services/Acceptor.ts"
import type { Proof } from "../../services/Authenticator.ts"
import { Gossip } from "../../services/Gossip.ts"
import { type Group, Groups } from "../../services/Groups.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Ingest, type Place, type Sought } from "../../services/Ingest.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { PeerClocks } from "../../services/PeerClocks.ts"
import { Store, type StoreError } from "../../services/Store.ts"
import * as Metrics from "./metrics.ts"
import { asMember, notMember, unavailable, unknownGroup } from "./refusals.ts"

const clockRefusal = (message: string): Overloaded => new Overloaded({ reason: "clock", message, retry_after: 30 })

type Taken = Result.Result<Accepted, Overloaded>

/** What is wrong with a read position, whoever asks (SPEC §8). */
export const upToProblem = (upTo: Hlc.Hlc, wallMs: number): InvalidRequest | undefined => {
  const ahead = Hlc.physicalMs(upTo) - wallMs
  return ahead <= driftMsMax ? undefined : new InvalidRequest({
    field: "up_to",
    message: `up_to is ${ahead} ms ahead of this node's clock, ${driftMsMax} ms are allowed`
  })
}

/** What is wrong with an op's fields, whoever asks (SPEC §5.2). */
export const opProblem = (hashes: Hashes, fields: Ids.OpFields): InvalidRequest | undefined => {
  const shape = Acceptance.opShapeProblem(hashes, fields)
  return shape === undefined ? undefined : new InvalidRequest({ field: shape[0], message: `${shape[0]} ${shape[1]}` })
}

/** A proof of something else is a mistake of the program, not of the user: no record may come of it. */
const requireProof = (proof: Proof, purpose: Kind, id: string, author: Ids.Address, ts: number): void => {
  if (proof.purpose !== purpose || proof.digest !== id || proof.user !== author || proof.ts !== ts) {
    throw new Error(`a proof for ${proof.purpose} ${proof.digest} does not fit ${purpose} ${id}`)
  }
}

export const layer = (limits: IngestLimits) =>
  Layer.effect(
    Ingest,
    Effect.gen(function*() {
      const hashes = yield* Hashing
      const clock = yield* HybridClock
      const node = yield* NodeKey
      const groups = yield* Groups
      const acceptor = yield* Acceptor
      const clocks = yield* PeerClocks
      const gossip = yield* Gossip
      const store = yield* Store
      const metrics = yield* Metrics.make

      const envelope = (proof: Proof, hlc: Hlc.Hlc) => ({
        node: node.id,
        sig: proof.sig,
        sigVersion: proof.sigVersion,
        hlc
      })

      /** Why this node's clock does not let it take `record`, which it stamped itself (SPEC §4), or `undefined`. */
      const clockProblem = (record: Record): Overloaded | undefined => {
        if (clocks.check().off) return clockRefusal("this node's clock is off: its peers agree on another time")
        if (Hlc.isEarly(record.hlc, clock.wall())) {
          return clockRefusal(
            `this node's stamps are more than ${driftMsMax} ms ahead of its wall clock: it was set back`
          )
        }
        const problem = Acceptance.formProblem(hashes, record)
        return problem && clockRefusal(`this node's clock does not fit: ${problem.field} ${problem.message}`)
      }

      /** Applies SPEC §5 to this node's own record, and then takes it in and tells others, before the commit (§1.2). */
      const take = (record: Record, group?: Group): Taken => {
        const problem = clockProblem(record)
        if (problem !== undefined) {
          metrics.refused("clock")
          return Result.fail(problem)
        }
        const accepted = acceptor.step(group, (accept) => accept(record))
        if (Result.isSuccess(accepted)) gossip.announce(record)
        return accepted
      }

      const inGroup = <A, E>(
        chatId: Ids.ChatId,
        f: (group: Group) => Result.Result<A, E>
      ): Effect.Effect<A, E | Overloaded> =>
        groups.use(chatId, f).pipe(Effect.mapError(unavailable), Effect.flatMap(Effect.fromResult))

      /** Runs `write` when `user` may write at `place` now, in the same step. */
      const writeAt = (
        place: Place,
        user: Ids.Address,
        write: () => Taken
      ): Effect.Effect<Accepted, Forbidden | NotFound | Overloaded> =>
        place.kind === "dm"
          ? Effect.suspend(() => Effect.fromResult(write()))
          : inGroup(place.chatId, (group): Result.Result<Accepted, Forbidden | NotFound | Overloaded> => {
            const member = asMember(group, user)
            return Result.isSuccess(member) ? write() : Result.fail(member.failure)
          })

      const peerOf = (place: Place) => place.kind === "dm" ? { peer: place.peer } : {}

      /** The stamp of a mark: above what it marks, which another node may have stamped ahead of this one. */
      const stampAbove = (upTo: Hlc.Hlc): Hlc.Hlc => Hlc.send(Hlc.max(clock.last(), upTo), clock.wall())

      /** Whether this clock can stamp on after merging `hlc`. At the end of a logical counter a mark would stop all others. */
      const leavesRoom = (hlc: Hlc.Hlc): boolean => {
        const merged = Hlc.receive(clock.last(), hlc, clock.wall())
        return Result.isSuccess(merged) && !Hlc.isEarly(Hlc.send(merged.success, clock.wall()), clock.wall())
      }

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

      /** What the store knows of it. */
      const storedReceipt = Effect.fnUntraced(function*(sought: Sought) {
        const { id } = sought
        const record = yield* Effect.mapError(stored(sought), unavailable)
        if (record?.id === id) return { id, hlc: record.hlc, ticket: 0 }
        if (sought.kind === "identity" && record !== undefined && record.ts >= sought.ts) {
          // a signature dated ahead may have been used before a restart, and replaced since
          return yield* new Unauthenticated({
            reason: "replayed",
            message: "a newer identity is stored than this one was signed: sign again",
            time: clock.wall()
          })
        }
        return undefined
      })

      return Ingest.of({
        message: (place, fields, proof) =>
          Effect.suspend(() => {
            const id = Ids.messageId(hashes, fields)
            requireProof(proof, "message", id, fields.sender, fields.ts)
            return Effect.map(
              writeAt(
                place,
                fields.sender,
                () => take({ kind: "message", id, ...fields, ...peerOf(place), ...envelope(proof, clock.send()) })
              ),
              (accepted) => ({ id, ...accepted })
            )
          }),

        read: (place, fields, proof) =>
          Effect.gen(function*() {
            const id = Ids.readId(hashes, fields)
            requireProof(proof, "read", id, fields.reader, fields.ts)
            const problem = upToProblem(fields.upTo, clock.wall())
            if (problem !== undefined) return yield* problem
            if (!leavesRoom(stampAbove(fields.upTo))) {
              return yield* new InvalidRequest({
                field: "up_to",
                message: "up_to leaves no room for a stamp above it: take a lower one"
              })
            }
            return yield* Effect.map(
              writeAt(
                place,
                fields.reader,
                () =>
                  take({
                    kind: "read",
                    id,
                    ...fields,
                    ...peerOf(place),
                    ...envelope(proof, stampAbove(fields.upTo))
                  })
              ),
              (accepted) => ({ id, ...accepted })
            )
          }),

        identity: (fields, proof) =>
          Effect.suspend(() => {
            const id = Ids.identityId(hashes, fields)
            requireProof(proof, "identity", id, fields.address, fields.ts)
            const taken = take({ kind: "identity", id, ...fields, ...envelope(proof, clock.send()) })
            return Effect.map(Effect.fromResult(taken), (accepted) => ({ id, ...accepted }))
          }),

        op: Effect.fnUntraced(function*(fields, proof) {
          const id = Ids.opId(hashes, fields)
          requireProof(proof, "op", id, fields.actor, fields.ts)
          const problem = opProblem(hashes, fields)
          if (problem !== undefined) return yield* problem
          const accepted = yield* inGroup(
            fields.chatId,
            (group): Result.Result<Accepted, Forbidden | NotFound | Conflict | Overloaded> => {
              const refusal = refuseOp(group, fields, limits)
              if (refusal !== undefined) return Result.fail(refusal)
              const unstamped = {
                kind: "op" as const,
                id,
                ...fields,
                ...envelope(proof, clock.send()),
                ...(fields.op === opTypes.remove ? { observed: group.membership.liveDots(fields.targets) } : {})
              }
              const op: Op = { ...unstamped, stamp: node.sign(stampDigest(hashes, unstamped)) }
              return take(op, group)
            }
          )
          return { id, ...accepted }
        }),

        receipt: (sought) =>
          Effect.suspend(() => {
            const { id } = sought
            const accepted = acceptor.recent(id)
            if (accepted !== undefined) return Effect.succeed({ id, hlc: accepted.hlc, ticket: accepted.ticket })
            // an identity may also have been replaced, by one of another id
            const isNew = sought.kind === "identity" ? acceptor.isComplete() : !acceptor.mayBeStored(id)
            return isNew ? Effect.undefined : storedReceipt(sought)
          })
      })
    })
  )

/** Live dots of a member that this node adds to: so one removal can always name all dots of its targets. */
const dotsMax = Math.floor(observedMax / targetsMax)

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
  if (fields.op === opTypes.add && fields.targets.some((target) => membership.liveDots([target]).length >= dotsMax)) {
    return new Forbidden({ message: "one of the targets was added too often: remove her first, then add her" })
  }
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
