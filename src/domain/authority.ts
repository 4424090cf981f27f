/**
 * The monotone facts of a group (SPEC §5): who could ever write and who could ever be an admin. They only grow, and
 * order, effect and removal play no part, so they are the same at replicas that hold the same ops.
 *
 * W: the creator, and the targets of every accepted add with role admin. P: W, the targets of every accepted create, and
 * of every accepted add. (An add is accepted only when its actor is in W, so that need not be looked at again.)
 */
import type { Address } from "./ids.ts"
import { isLeave, type Op, opTypes, roles } from "./record.ts"

export class Authority {
  /** W. */
  private readonly writers = new Set<Address>()
  /** P without W. */
  private readonly others = new Set<Address>()

  /** Takes in an accepted op. The order of calls does not matter among acceptable ops. */
  add(op: Op): void {
    if (op.op === opTypes.create) {
      this.writers.add(op.actor)
      for (const target of op.targets) this.others.add(target)
    } else if (op.op === opTypes.add) {
      for (const target of op.targets) (op.role === roles.admin ? this.writers : this.others).add(target)
    }
  }

  /** Whether `user` is in W. */
  isWriter(user: Address): boolean {
    return this.writers.has(user)
  }

  /** Whether `user` is in P. */
  isParticipant(user: Address): boolean {
    return this.writers.has(user) || this.others.has(user)
  }

  /** Whether an op other than a create may enter the set. */
  mayIssue(op: Op): boolean {
    return this.isWriter(op.actor) || (isLeave(op) && this.isParticipant(op.actor))
  }
}
