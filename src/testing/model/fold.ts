/**
 * The membership fold once more: slow, plain, and after the words of SPEC §5.2, so that there is something to hold the
 * real one against. A group is a list of ops in order and the state after each of them; nothing is undone, nothing is
 * folded from the middle, and every state can be looked at.
 *
 * Rule: it knows the SPEC and the shape of an op, and imports nothing that decides about membership.
 */
import type { Hlc } from "../../domain/hlc.ts"
import type { Address, ChatId, OpId, RoleCode } from "../../domain/ids.ts"
import { dotOf, isLeave, type Op, opTypes, roles } from "../../domain/record.ts"
import { oneEach } from "./set.ts"

/** That an add, or the creation of the group, gave membership to somebody. */
export interface ModelDot {
  /** The op that gave it; the chat id for the creator's own. */
  readonly by: OpId | ChatId
  readonly target: Address
  readonly role: RoleCode
  /** Of the op that gave it; for the creator's own, of the lowest Create. */
  readonly hlc: Hlc
}

/** A group as it is between two ops. Never changed. */
export interface ModelState {
  /** All that live: the creator's own first, then in the order of the ops that gave them. */
  readonly dots: ReadonlyArray<ModelDot>
  /** Who is a member, and as what. */
  readonly roles: ReadonlyMap<Address, RoleCode>
  readonly title: string
}

/** Why an op had no effect at its place, by the rules of SPEC §5.2. */
export type Inert = "actor is no admin" | "actor is no member" | "no admin would be left"

export interface ModelStep {
  readonly op: Op
  /** Absent: it had effect. A removal whose dots were gone has effect, and changes nothing. */
  readonly inert: Inert | undefined
  /** The very state before it when it had no effect. */
  readonly after: ModelState
}

export interface ModelGroup {
  /** Named by every Create; absent while none is known, and then nobody is a member of anything. */
  readonly creator: Address | undefined
  /** In (hlc, op id) order, one variant an op. */
  readonly steps: ReadonlyArray<ModelStep>
  /** Before the first op. */
  readonly start: ModelState
  /** After the last op: now. */
  readonly end: ModelState
  /** W of SPEC §5: who could ever be an admin. */
  readonly writers: ReadonlySet<Address>
  /** P of SPEC §5: who could ever write. */
  readonly participants: ReadonlySet<Address>
}

export interface ModelMember {
  readonly address: Address
  readonly role: RoleCode
  readonly since: Hlc
}

/** A place in the order of a group's ops. */
export interface ModelPlace {
  readonly hlc: Hlc
  readonly id: string
}

const isBelow = (a: ModelPlace, b: ModelPlace): boolean => a.hlc < b.hlc || (a.hlc === b.hlc && a.id < b.id)

const isAdmin = (role: RoleCode | undefined): boolean => role === roles.admin

/** Rule 4. Dots are in the order of their ops, so the last one decides; the creator's own, while it lives, before all. */
const rolesOf = (dots: ReadonlyArray<ModelDot>, creatorDot: ModelDot | undefined): ReadonlyMap<Address, RoleCode> => {
  const found = new Map<Address, RoleCode>()
  for (const dot of dots) {
    const ruled = creatorDot !== undefined && dot.target === creatorDot.target && dots[0] === creatorDot
    found.set(dot.target, ruled ? roles.admin : dot.role)
  }
  return found
}

/** What `op` makes of a state, whether or not it may. */
const dotsAfter = (
  before: ReadonlyArray<ModelDot>,
  op: Op,
  creatorDot: ModelDot | undefined
): ReadonlyArray<ModelDot> => {
  switch (op.op) {
    case opTypes.create:
    case opTypes.add: {
      const role = op.op === opTypes.add ? op.role : roles.member
      return [...before, ...op.targets.map((target): ModelDot => ({ by: op.id, target, role, hlc: op.hlc }))]
    }
    case opTypes.remove: {
      // rule 3: a leave ends all of its actor's, the creator's own too
      if (isLeave(op)) return before.filter((dot) => dot.target !== op.actor)
      return before.filter((dot) =>
        dot === creatorDot || !op.targets.includes(dot.target) || !op.observed?.includes(dotOf(dot.by, dot.target))
      )
    }
    case opTypes.setTitle:
      return before
  }
}

/** One op at its place: rules 2 to 6. */
const step = (before: ModelState, op: Op, creatorDot: ModelDot | undefined): ModelStep => {
  const role = before.roles.get(op.actor)
  if (isLeave(op)) {
    if (role === undefined) return { op, inert: "actor is no member", after: before }
  } else if (!isAdmin(role)) return { op, inert: "actor is no admin", after: before }
  const dots = dotsAfter(before.dots, op, creatorDot)
  const found = rolesOf(dots, creatorDot)
  if (found.size > 0 && ![...found.values()].some(isAdmin))
    return { op, inert: "no admin would be left", after: before }
  const titled = op.op === opTypes.create || op.op === opTypes.setTitle
  return { op, inert: undefined, after: { dots, roles: found, title: (titled ? op.title : undefined) ?? before.title } }
}

/** The least sets of SPEC §5: looked for again and again until nothing is added. */
const authorityOf = (ops: ReadonlyArray<Op>, creator: Address | undefined) => {
  const writers = new Set<Address>()
  const participants = new Set<Address>()
  if (creator !== undefined) {
    writers.add(creator)
    participants.add(creator)
  }
  for (let grown = -1; grown !== writers.size + participants.size;) {
    grown = writers.size + participants.size
    for (const op of ops) {
      if (op.op !== opTypes.create && !(op.op === opTypes.add && writers.has(op.actor))) continue
      for (const target of op.targets) {
        participants.add(target)
        if (op.op === opTypes.add && isAdmin(op.role)) writers.add(target)
      }
    }
  }
  return { writers, participants }
}

/** Whether two ops fold alike. */
const foldsAs = (a: Op, b: Op): boolean =>
  a === b || (a.id === b.id && a.hlc === b.hlc && a.observed?.join() === b.observed?.join())

/**
 * Folds ops of one group, in any order, variants included. `known` is an earlier fold of the same group: where both sets
 * begin with the same ops, its states are taken. That saves time and changes nothing.
 */
export const foldGroup = (ops: ReadonlyArray<Op>, known?: ModelGroup): ModelGroup => {
  const ordered = [...oneEach(ops)].sort((a, b) => isBelow(a, b) ? -1 : 1)
  const create = ordered.find((op) => op.op === opTypes.create)
  const creator = create?.actor
  const was = known?.start.dots[0]
  // rule 1: the same dot again, so that states that are taken over know it
  const same = was !== undefined && create !== undefined && was.hlc === create.hlc && was.by === create.chatId
  const creatorDot: ModelDot | undefined = create === undefined
    ? undefined
    : same
    ? was
    : { by: create.chatId, target: create.actor, role: roles.admin, hlc: create.hlc }
  const dots = creatorDot === undefined ? [] : [creatorDot]
  const start: ModelState = { dots, roles: rolesOf(dots, creatorDot), title: "" }
  const steps: Array<ModelStep> = []
  if (same) {
    for (const { after, inert, op } of known!.steps) {
      const mine = ordered[steps.length]
      if (mine === undefined || !foldsAs(mine, op)) break
      steps.push({ op: mine, inert, after })
    }
  }
  for (const op of ordered.slice(steps.length)) steps.push(step(steps.at(-1)?.after ?? start, op, creatorDot))
  return { creator, steps, start, end: steps.at(-1)?.after ?? start, ...authorityOf(ordered, creator) }
}

/** Folds of many groups, each of which takes over what it can from the one before it. */
export class ModelFolds {
  readonly #last = new Map<ChatId, ModelGroup>()

  /** The group of these ops, which are all of it that is known. */
  of(chatId: ChatId, ops: ReadonlyArray<Op>): ModelGroup {
    const group = foldGroup(ops, this.#last.get(chatId))
    this.#last.set(chatId, group)
    return group
  }
}

/** After the ops below a place, and no others. */
export const stateBefore = (group: ModelGroup, place: ModelPlace): ModelState =>
  group.steps.findLast(({ op }) => isBelow(op, place))?.after ?? group.start

/** After the ops stamped below `hlc`: what decides whether a message of that stamp is shown (SPEC §5.1). */
const stateBelow = (group: ModelGroup, hlc: Hlc): ModelState =>
  group.steps.findLast(({ op }) => op.hlc < hlc)?.after ?? group.start

/** What became of an op; `undefined` when the group does not hold it. */
export const stepOf = (group: ModelGroup, id: string): ModelStep | undefined =>
  group.steps.find(({ op }) => op.id === id)

/** Members with the stamp of their earliest live dot, by address. */
export const membersOf = (state: ModelState): ReadonlyArray<ModelMember> =>
  [...state.roles].map(([address, role]): ModelMember => {
    const stamps = state.dots.flatMap(({ hlc, target }) => target === address ? [hlc] : [])
    return { address, role, since: stamps.reduce((a, b) => a < b ? a : b) }
  }).sort((a, b) => a.address < b.address ? -1 : 1)

/** Whether a message of `sender` with that stamp is shown in the group (SPEC §5.1). */
export const isShown = (group: ModelGroup, sender: Address, hlc: Hlc): boolean =>
  stateBelow(group, hlc).roles.has(sender)

/** Whether an op may enter the set, by the monotone facts of the group that it is in (SPEC §5, acceptance). */
export const mayIssue = (group: Pick<ModelGroup, "writers" | "participants">, op: Op): boolean =>
  op.op === opTypes.create || group.writers.has(op.actor) || (isLeave(op) && group.participants.has(op.actor))

/**
 * Dots that must live because nothing in the whole set ends them, whatever the order: given with effect, named by no
 * removal of their target, and not followed by a leave of it. Add wins: their targets are members.
 */
export const undisputed = (group: ModelGroup): ReadonlyArray<ModelDot> => {
  const given = [
    ...group.start.dots.map((dot) => ({ dot, from: 0 })),
    ...group.steps.flatMap(({ inert, op }, i) =>
      inert === undefined ? dotsAfter([], op, undefined).map((dot) => ({ dot, from: i + 1 })) : []
    )
  ]
  return given.filter(({ dot, from }) =>
    !group.steps.some(({ op }, i) =>
      op.op === opTypes.remove && op.targets.includes(dot.target) &&
      (isLeave(op) ? i >= from : op.observed?.includes(dotOf(dot.by, dot.target)) === true)
    )
  ).map(({ dot }) => dot)
}
