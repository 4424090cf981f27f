/** Refusals that more than one service gives. */
import * as Result from "effect/Result"
import type { Address } from "../../domain/ids.ts"
import type { Membership } from "../../domain/membership.ts"
import { Forbidden, NotFound, Overloaded } from "../../domain/refusal.ts"
import type { Group } from "../../services/Groups.ts"
import { reasonText, type StoreError } from "../../services/Store.ts"

/** A broken store is not the caller's fault, and may be mended: she comes back later. */
export const unavailable = (error: StoreError | Overloaded): Overloaded =>
  error instanceof Overloaded
    ? error
    : new Overloaded({
      reason: "queue",
      message: `the node cannot answer: ${reasonText[error.reason]}`,
      retry_after: 5
    })

export const unknownGroup = () => new NotFound({ message: "no such group is known to this node" })
export const notMember = () => new Forbidden({ message: "you are not a member of this group (any more)" })

/** The fold of a group that `user` is in now. */
export const asMember = (group: Group, user: Address): Result.Result<Membership, Forbidden | NotFound> =>
  group.membership.creator === undefined
    ? Result.fail(unknownGroup())
    : group.membership.isMember(user)
    ? Result.succeed(group.membership)
    : Result.fail(notMember())
