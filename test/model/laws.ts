/**
 * What must hold of any group, read off the real fold alone: no second opinion on what an op does is asked for, only
 * what the members, dots and title are before and after it (SPEC §5.2).
 */
import type { Hlc } from "../../src/domain/hlc.ts"
import type { Address } from "../../src/domain/ids.ts"
import type { Membership } from "../../src/domain/membership.ts"
import type { Op } from "../../src/domain/record.ts"
import { ann, chatId, everyone, nameOf } from "./group.ts"
import { demand, same } from "./orders.ts"
import { membershipOf, viewOf } from "./replica.ts"

interface Seen {
  readonly dots: ReadonlyArray<string>
  readonly title: string
  readonly roles: ReadonlyArray<string>
  readonly text: string
}

const look = (membership: Membership): Seen => {
  const dots: ReadonlyArray<string> = membership.liveDots(everyone)
  const roles = everyone.map((user) => `${membership.roleOf(user) ?? ""}`)
  return { dots, title: membership.title, roles, text: `${dots.join()}|${membership.title}|${roles.join()}` }
}

const creatorDot: string = `${chatId}${ann}`
/** Before the first op (rule 1). */
const beginning: Seen = { dots: [creatorDot], title: "", roles: ["1", "", "", ""], text: "nothing" }

const isLeave = (op: Op): boolean => op.op === 2 && op.targets.join() === op.actor
const dotsGiven = (op: Op): ReadonlyArray<string> => op.op < 2 ? op.targets.map((target) => `${op.id}${target}`) : []
const ownerOf = (dot: string) => dot.slice(64) as Address

/** Whether `op` takes this dot away, if it has effect. */
const takes = (op: Op, dot: string): boolean =>
  op.op === 2 &&
  (isLeave(op)
    ? ownerOf(dot) === op.actor
    : dot !== creatorDot && op.targets.includes(ownerOf(dot)) && op.observed!.some((seen) => seen === dot))

/** All that an op does: nothing of this may be left out once any of it is done. */
const whole = (before: Seen, op: Op) => ({
  dots: [...before.dots.filter((dot) => !takes(op, dot)), ...dotsGiven(op)].sort().join(),
  title: op.title ?? before.title
})

const assertAdmins = (seen: Seen, membership: Membership, where: () => string): void => {
  demand(seen.roles.every((role) => role === "") || seen.roles.includes("1"), () => `no admin: ${where()}`)
  demand(
    seen.dots.includes(creatorDot) === membership.creatorAlive &&
      (!membership.creatorAlive || membership.isAdmin(ann)),
    () => `the creator is no admin: ${where()}`
  )
}

/** The two ways to ask for the past say the same: by stamp, which shows a message, and by stretches of time. */
const assertPast = (membership: Membership, ops: ReadonlyArray<Op>, where: () => string): void => {
  for (const user of everyone) {
    const intervals = membership.intervals(user)
    for (const { hlc } of ops) {
      for (const stamp of [hlc, (hlc + 1n) as Hlc]) {
        const within = intervals.some(({ from, to }) => from <= stamp && (to === undefined || stamp <= to))
        demand(membership.wasMemberAt(user, stamp) === within, () => `member at ${stamp} or not: ${where()}`)
        demand(membership.memberThroughout(user, stamp, stamp) === within, () => `member throughout: ${where()}`)
      }
    }
  }
}

/**
 * Goes through accepted ops in their order, the first of which is a Create. Gives those that did something.
 *
 * Each does all that it says or nothing; what does nothing need not be there; whoever does something may; a dot dies by
 * who names it or by its owner's leave, and by nothing else (add wins); there is always an admin; and the creator is one
 * until she leaves.
 */
export const assertLaws = (ops: ReadonlyArray<Op>): ReadonlySet<Op> => {
  const where = () => `\n  ${ops.map(nameOf).join("\n  ")}`
  demand(ops[0]?.op === 0, () => `begins without a creator: ${where()}`)
  const effective = new Set<Op>()
  const membership = membershipOf([])
  let before = beginning
  for (const op of ops) {
    membership.insert([op])
    const after = look(membership)
    const here = () => `${nameOf(op)} in${where()}`
    assertAdmins(after, membership, here)
    if (after.text !== before.text) {
      const role = before.roles[everyone.indexOf(op.actor)]
      demand(isLeave(op) ? role !== "" : role === "1", () => `had no right: ${here()}`)
      const { dots, title } = whole(before, op)
      same(after.dots.join(), dots, () => `done in part: ${here()}`)
      same(after.title, title, () => `done in part: ${here()}`)
      effective.add(op)
    } else if (op.op !== 0) {
      const rest = viewOf(membershipOf(ops.filter((other) => other !== op)))
      same(rest, viewOf(membershipOf(ops)).replace(/^\d+/, `${ops.length - 1}`), () => `is not nothing: ${here()}`)
    }
    before = after
  }
  assertPast(membership, ops, where)
  const live = new Set(before.dots)
  for (const [i, op] of ops.entries()) {
    if (!effective.has(op)) continue
    for (const dot of dotsGiven(op)) {
      if (!ops.slice(i + 1).some((later) => takes(later, dot))) {
        demand(live.has(dot), () => `the add is lost: ${nameOf(op)} in${where()}`)
      }
    }
  }
  if (!ops.some((op) => isLeave(op) && op.actor === ann)) {
    demand(membership.isAdmin(ann), () => `the creator is no admin: ${where()}`)
  }
  return effective
}
