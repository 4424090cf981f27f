/** That a set of ops ends in one state, whatever way it came, and that this is the state that the rules give. */
import * as Hlc from "../../src/domain/hlc.ts"
import type { Op } from "../../src/domain/record.ts"
import { everyone, nameOf } from "./group.ts"
import { chosen, type Delivery, demand, same } from "./orders.ts"
import { acceptedOf, expectedView } from "./reference.ts"
import { membershipOf, Replica, viewOf } from "./replica.ts"

/** Nothing is early at it. */
const timeMs = 1_000

interface Expected {
  readonly ops: ReadonlyArray<Op>
  readonly view: string
  /** Who is in W, and who in P. */
  readonly facts: string
}

const expectedOf = (arrived: ReadonlyArray<Op>): Expected => {
  const { ops, participants, writers } = acceptedOf(arrived)
  const facts = everyone.map((user) => `${writers.has(user)} ${participants.has(user)}`).join()
  return { ops, view: expectedView(ops), facts }
}

const factsOf = ({ authority }: Replica): string =>
  everyone.map((user) => `${authority.isWriter(user)} ${authority.isParticipant(user)}`).join()

export interface How {
  /** Looks after every batch and not at the end only: what has arrived so far is a set, too. */
  readonly eachStep: boolean
  /** Brings all that has come once more before it looks again, which must change nothing. */
  readonly again: boolean
}

/** One set of ops, and what it ends in. Variants of one op stand side by side in it. */
export class Convergence {
  readonly ops: ReadonlyArray<Op>
  readonly below: ReadonlyArray<Op>
  private readonly known = new Map<number, Expected>()
  private readonly keys: Map<Op, string>

  /** `below` has arrived before the first of `ops`. */
  constructor(ops: ReadonlyArray<Op>, below: ReadonlyArray<Op>) {
    this.ops = ops
    this.below = below
    this.keys = new Map([...below, ...ops].map((op, i) => [op, `${i}`]))
  }

  /** Of those of `ops` that have arrived. */
  expected(mask: number): Expected {
    const known = this.known.get(mask) ?? expectedOf([...this.below, ...chosen(this.ops, mask)])
    this.known.set(mask, known)
    return known
  }

  /** Of them all. */
  get whole(): Expected {
    return this.expected((1 << this.ops.length) - 1)
  }

  /** Lets them arrive in this order. */
  arrive(delivery: Delivery, how: How): void {
    const replica = new Replica((op) => this.keys.get(op)!, timeMs)
    if (this.below.length > 0) replica.deliver(this.below)
    let mask = 0
    for (const [i, batch] of delivery.entries()) {
      replica.deliver(batch.map((index) => this.ops[index]!))
      for (const index of batch) mask |= 1 << index
      if (!how.eachStep && i < delivery.length - 1) continue
      this.assertIs(replica, mask, delivery)
      if (!how.again) continue
      const { refolds, retained } = replica.membership
      replica.deliver([...this.below, ...chosen(this.ops, mask)].reverse())
      this.assertIs(replica, mask, delivery)
      demand(
        replica.membership.refolds === refolds && replica.membership.retained === retained,
        () => `repeats were folded: ${this.told(delivery)}`
      )
    }
  }

  /**
   * Lets them arrive one by one, index `ops.length` being the time: until then it is `wallMs`, at which some are early.
   */
  arriveEarly(order: ReadonlyArray<number>, wallMs: number): void {
    const replica = new Replica((op) => this.keys.get(op)!, wallMs)
    replica.deliver(this.below)
    let isTime = false
    for (const index of order) {
      isTime ||= index === this.ops.length
      if (index < this.ops.length) replica.deliver([this.ops[index]!])
      else replica.wait(timeMs)
      demand(
        isTime || this.ops.every((op) => !Hlc.isEarly(op.hlc, wallMs) || !replica.holds(op)),
        () => `an early op is in: ${this.told([order])}`
      )
    }
    this.assertIs(replica, (1 << this.ops.length) - 1, [order])
  }

  /**
   * Folds the accepted ones in this order, one at a time, though an op may come before the one that entitles it: as when a
   * group is loaded from the store, by place.
   */
  fold(order: ReadonlyArray<number>): void {
    const { ops, view } = this.whole
    const membership = membershipOf(this.below)
    for (const index of order) {
      const op = this.ops[index]!
      if (ops.includes(op)) membership.insert([op])
    }
    same(viewOf(membership), view, () => `folded, not accepted: ${this.told([order])}`)
  }

  private assertIs(replica: Replica, mask: number, delivery: Delivery): void {
    const { facts, ops, view } = this.expected(mask)
    const where = () => this.told(delivery)
    demand(
      replica.size === ops.length && ops.every((op) => replica.holds(op)),
      () => `the accepted set is not [${ops.map(nameOf).join(", ")}]: ${where()}`
    )
    same(factsOf(replica), facts, where)
    same(viewOf(replica.membership), view, where)
  }

  /** For messages of failed checks. */
  told(delivery: Delivery): string {
    return `arrival ${delivery.map((batch) => batch.join("+")).join(" ")} of\n  ` +
      `${[...this.below, "then:", ...this.ops].map((op) => typeof op === "string" ? op : nameOf(op)).join("\n  ")}`
  }
}
