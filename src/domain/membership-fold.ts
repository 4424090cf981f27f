/**
 * The state that the membership fold builds up, with its past (SPEC §5.2; the rules by number are in `membership.ts`).
 *
 * Ops are applied at the end and undone from the end. Dots and roles are kept with the op that began and the op that
 * ended them, so the same plan of an op can be drawn up at the end or, looking back, at any earlier place. What is kept
 * grows with the effects that took place and with nothing else: a dot is born once and dies at most once, and going
 * back to a place costs what folding from there costs. This is why the state is never copied.
 */
import type { Hlc } from "./hlc.ts"
import type { Address, OpId, RoleCode } from "./ids.ts"
import { type Dot, dotOf, isLeave, type Op, opTypes, roles } from "./record.ts"

/** A place in the order of a group's ops, which is (hlc, op id). */
export interface Place {
  readonly hlc: Hlc
  readonly id: OpId
}

export const isBefore = (a: Place, b: Place): boolean => a.hlc < b.hlc || (a.hlc === b.hlc && a.id < b.id)

export const comparePlaces = (a: Place, b: Place): number => isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0

/** The smallest of 0 … `length` from which on `holds` is true; `holds` must not turn false again. */
export const firstIndex = (length: number, holds: (index: number) => boolean): number => {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** What an op must say to be planned; a removal that is no leave also says what it observed. */
export type Proposal = Pick<Op, "op" | "role" | "targets" | "actor" | "title" | "observed">

/** A dot (op id, target) that an effective add gave, until `ended`. */
export interface Grant {
  readonly by: Place
  readonly role: RoleCode
  ended: Place | undefined
}

/** From `at` on the role is this one; `undefined`: no member. */
export interface RoleChange {
  readonly at: Place
  readonly role: RoleCode | undefined
}

/** All that the ops did to one address. */
interface Person {
  /** Ascending by birth. */
  readonly grants: Array<Grant>
  /** Those of `grants` that have not ended. */
  live: Array<Grant>
  /** Ascending. */
  readonly changes: Array<RoleChange>
}

export interface Counts {
  readonly members: number
  readonly admins: number
}

/** What an effective op does. Kept with the op, it is also what undoes it. */
export interface Plan extends Counts {
  /** Addresses that get a dot. */
  readonly grants: ReadonlyArray<Address>
  /** Dots that die, by address. */
  readonly ends: ReadonlyArray<{ readonly target: Address; readonly grants: ReadonlyArray<Grant> }>
  readonly endsCreator: boolean
  readonly setsTitle: boolean
  readonly roles: ReadonlyArray<{ readonly target: Address; readonly role: RoleCode | undefined }>
}

/** False for an op that had effect, but nothing to change: a removal whose observed dots were gone. */
export const changesState = (plan: Plan): boolean =>
  plan.grants.length > 0 || plan.ends.length > 0 || plan.endsCreator || plan.setsTitle

const nobody: Person = { grants: [], live: [], changes: [] }
const noGrants: ReadonlyArray<Grant> = []
const noAddresses: ReadonlyArray<Address> = []
const noDots: ReadonlySet<Dot> = new Set()

export class Fold {
  /** Named by any Create. Until one is known nobody is an admin and no op has effect. */
  creator: Address | undefined
  /** The leave that killed the creator's dot. */
  creatorLeft: Place | undefined
  /** Titles of effective ops, ascending: the last one is the group's. */
  readonly titles: Array<string> = []
  counts: Counts = { members: 0, admins: 0 }
  /** Dots and role changes that are remembered. */
  retained = 0
  private readonly people = new Map<Address, Person>()

  addresses(): Iterable<Address> {
    return this.people.keys()
  }

  /** Before the first op (rule 1). */
  start(): Counts {
    return this.creator === undefined ? { members: 0, admins: 0 } : { members: 1, admins: 1 }
  }

  /** Of an address, at the end or just before a place. */
  roleOf(address: Address, before?: Place): RoleCode | undefined {
    const changes = (this.people.get(address) ?? nobody).changes
    const index = before === undefined
      ? changes.length
      : firstIndex(changes.length, (i) => !isBefore(changes[i]!.at, before))
    return this.roleAfter(address, changes, index)
  }

  /** After the ops stamped below `hlc`, and no others. */
  roleBelow(address: Address, hlc: Hlc): RoleCode | undefined {
    const changes = (this.people.get(address) ?? nobody).changes
    return this.roleAfter(address, changes, firstIndex(changes.length, (i) => changes[i]!.at.hlc >= hlc))
  }

  changesOf(address: Address): ReadonlyArray<RoleChange> {
    return (this.people.get(address) ?? nobody).changes
  }

  /** Whether the creator's dot lives, at the end or just before a place. */
  creatorLives(before?: Place): boolean {
    if (this.creator === undefined || this.creatorLeft === undefined) return this.creator !== undefined
    return before !== undefined && !isBefore(this.creatorLeft, before)
  }

  /** The dots of an address other than the creator's, at the end or just before a place, ascending by birth. */
  liveOf(address: Address, before?: Place): ReadonlyArray<Grant> {
    const person = this.people.get(address)
    if (person === undefined) return noGrants
    if (before === undefined) return person.live
    return person.grants.filter(({ by, ended }) =>
      isBefore(by, before) && (ended === undefined || !isBefore(ended, before))
    )
  }

  /**
   * What `op` does at the end, or just before a place where `counts` stand; `undefined` when it has no effect there
   * (rules 2 and 5).
   */
  plan(op: Proposal, counts: Counts, before?: Place): Plan | undefined {
    const leave = isLeave(op)
    const actorRole = this.roleOf(op.actor, before)
    if (leave ? actorRole === undefined : actorRole !== roles.admin) return undefined
    const removes = op.op === opTypes.remove
    const creatorLives = this.creatorLives(before)
    const endsCreator = leave && creatorLives && op.actor === this.creator
    const observed: ReadonlySet<Dot> = removes && !leave ? new Set(op.observed) : noDots
    const ends: Array<Plan["ends"][number]> = []
    const changes: Array<Plan["roles"][number]> = []
    let { admins, members } = counts
    for (const target of op.targets) {
      let role: RoleCode | undefined = op.op === opTypes.add ? op.role : roles.member
      if (removes) {
        const live = this.liveOf(target, before)
        const grants = leave ? live : live.filter((grant) => observed.has(dotOf(grant.by.id, target)))
        if (grants.length > 0) ends.push({ target, grants })
        role = leave ? undefined : live.findLast((grant) => !observed.has(dotOf(grant.by.id, target)))?.role
      }
      if (target === this.creator && creatorLives && !endsCreator) role = roles.admin
      const was = this.roleOf(target, before)
      if (role === was) continue
      changes.push({ target, role })
      members += (role === undefined ? 0 : 1) - (was === undefined ? 0 : 1)
      admins += (role === roles.admin ? 1 : 0) - (was === roles.admin ? 1 : 0)
    }
    if (members > 0 && admins === 0) return undefined
    const grants = removes ? noAddresses : op.targets
    return { grants, ends, endsCreator, setsTitle: op.title !== undefined, roles: changes, members, admins }
  }

  /** Does at the end what was planned there. */
  apply(op: Op, plan: Plan): void {
    const role = op.op === opTypes.add ? op.role : roles.member
    for (const target of plan.grants) {
      const person = this.person(target)
      const grant: Grant = { by: op, role, ended: undefined }
      person.grants.push(grant)
      person.live.push(grant)
    }
    for (const { grants, target } of plan.ends) {
      for (const grant of grants) grant.ended = op
      const person = this.person(target)
      // A new array: the plan of a leave holds the old one.
      person.live = person.live.filter((grant) => grant.ended === undefined)
    }
    for (const { role, target } of plan.roles) this.person(target).changes.push({ at: op, role })
    if (plan.endsCreator) this.creatorLeft = op
    if (plan.setsTitle) this.titles.push(op.title!)
    this.counts = { members: plan.members, admins: plan.admins }
    this.retained += plan.grants.length + plan.roles.length
  }

  /** Undoes the last op that was applied. `counts` are the caller's to set back. */
  undo(plan: Plan): void {
    for (const target of plan.grants) {
      const person = this.person(target)
      person.grants.pop()
      person.live.pop()
    }
    for (const { grants, target } of plan.ends) {
      for (const grant of grants) grant.ended = undefined
      const person = this.person(target)
      person.live = [...person.live, ...grants].sort((a, b) => comparePlaces(a.by, b.by))
    }
    for (const { target } of plan.roles) this.person(target).changes.pop()
    if (plan.endsCreator) this.creatorLeft = undefined
    if (plan.setsTitle) this.titles.pop()
    this.retained -= plan.grants.length + plan.roles.length
  }

  private person(address: Address): Person {
    const known = this.people.get(address)
    if (known !== undefined) return known
    const person: Person = { grants: [], live: [], changes: [] }
    this.people.set(address, person)
    return person
  }

  private roleAfter(address: Address, changes: ReadonlyArray<RoleChange>, count: number): RoleCode | undefined {
    if (count > 0) return changes[count - 1]!.role
    return address === this.creator ? roles.admin : undefined
  }
}
