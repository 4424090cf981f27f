/**
 * The rules of groups once more: slow, whole sets at a time, and after the words of SPEC §5 and §5.2. It takes nothing but
 * types from the code that it is held against, not even which of two variants wins.
 *
 * `test/domain/membership-model.ts` folds a set, too, for random histories; this one also says which ops are accepted, which
 * had effect, and when one was a member, and it finds each answer by looking for it instead of keeping it up to date.
 */
import type { Address, OpId } from "../../src/domain/ids.ts"
import type { Op } from "../../src/domain/record.ts"
import { ann, chatId, everyone } from "./group.ts"

interface LiveDot {
  readonly by: Op
  readonly target: Address
}

interface State {
  readonly creatorDot: boolean
  readonly dots: ReadonlyArray<LiveDot>
  /** The op whose title stands. */
  readonly titled: Op | undefined
}

const isBelow = (a: Op, b: Op): boolean => a.hlc === b.hlc ? a.id < b.id : a.hlc < b.hlc

const isSelfRemoval = (op: Op): boolean => op.op === 2 && op.targets.length === 1 && op.targets[0] === op.actor

/** "The smaller (hlc, node, observed, sig_version, …)": no more differs here. Observed sets compare by count, then text. */
const isSmaller = (a: Op, b: Op): boolean => {
  const key = ({ hlc, node, observed = [], sigVersion }: Op) => [
    hlc.toString(16).padStart(16, "0"),
    node,
    observed.length.toString(16).padStart(4, "0"),
    ...observed,
    `${sigVersion}`
  ]
  const [left, right] = [key(a), key(b)]
  const differs = left.findIndex((text, i) => text !== right[i])
  return differs >= 0 && (right[differs] === undefined || left[differs]! < right[differs]!)
}

/** Who is in W, who in P, and what is accepted: the least sets, found by going round until nothing is added. */
export const acceptedOf = (arrived: ReadonlyArray<Op>): {
  readonly writers: ReadonlySet<Address>
  readonly participants: ReadonlySet<Address>
  /** One variant an id, in (hlc, id) order. */
  readonly ops: ReadonlyArray<Op>
} => {
  const writers = new Set<Address>()
  const participants = new Set<Address>()
  const accepted = new Set<Op>()
  for (let before = -1; before < accepted.size;) {
    before = accepted.size
    for (const op of arrived) {
      const may = op.op === 0 || writers.has(op.actor) || (isSelfRemoval(op) && participants.has(op.actor))
      if (!may) continue
      accepted.add(op)
      if (op.op === 0) writers.add(op.actor).forEach((user) => participants.add(user))
      for (const target of op.op < 2 ? op.targets : []) {
        participants.add(target)
        if (op.op === 1 && op.role === 1) writers.add(target)
      }
    }
  }
  const best = new Map<OpId, Op>()
  for (const op of accepted) {
    const other = best.get(op.id)
    if (other === undefined || isSmaller(op, other)) best.set(op.id, op)
  }
  return { writers, participants, ops: [...best.values()].sort((a, b) => isBelow(a, b) ? -1 : 1) }
}

const dotsOf = (state: State, user: Address) => state.dots.filter(({ target }) => target === user)

const isMember = (state: State, user: Address): boolean =>
  (user === ann && state.creatorDot) || dotsOf(state, user).length > 0

const isAdmin = (state: State, user: Address): boolean => {
  if (user === ann && state.creatorDot) return true
  const dots = dotsOf(state, user)
  return dots.some(({ by }) => by.op === 1 && by.role === 1 && dots.every((other) => !isBelow(by, other.by)))
}

/** What the op does, or `undefined`: nothing at all. */
const step = (state: State, op: Op): State | undefined => {
  if (!(isSelfRemoval(op) ? isMember(state, op.actor) : isAdmin(state, op.actor))) return undefined
  const dies = ({ by, target }: LiveDot) =>
    isSelfRemoval(op)
      ? target === op.actor
      : op.op === 2 && op.targets.includes(target) && op.observed!.some((seen) => seen === `${by.id}${target}`)
  const after: State = {
    creatorDot: state.creatorDot && !(isSelfRemoval(op) && op.actor === ann),
    dots: [
      ...state.dots.filter((each) => !dies(each)),
      ...(op.op < 2 ? op.targets.map((target) => ({ by: op, target })) : [])
    ],
    titled: op.title === undefined ? state.titled : op
  }
  const members = everyone.filter((user) => isMember(after, user))
  return members.length > 0 && !members.some((user) => isAdmin(after, user)) ? undefined : after
}

/** The state before the first op and after each one, and which had effect. */
const foldOf = (ops: ReadonlyArray<Op>) => {
  // Every Create here is Ann's.
  const states: Array<State> = [{ creatorDot: ops.some(({ op }) => op === 0), dots: [], titled: undefined }]
  const effective = new Set<Op>()
  for (const op of ops) {
    const after = step(states.at(-1)!, op)
    if (after !== undefined) effective.add(op)
    states.push(after ?? states.at(-1)!)
  }
  return { states, effective }
}

/** The stamps at which a message of the user is shown: each stamp sees the ops below it. */
const shownOf = (user: Address, ops: ReadonlyArray<Op>, states: ReadonlyArray<State>): string => {
  const stamps = [0n, ...new Set(ops.map(({ hlc }) => hlc + 1n))].sort((a, b) => a < b ? -1 : 1)
  const was = (stamp: bigint): boolean => isMember(states[ops.filter(({ hlc }) => hlc < stamp).length]!, user)
  let text = ""
  for (const [i, stamp] of stamps.entries()) {
    const before = i > 0 && was(stamps[i - 1]!)
    if (was(stamp) && !before) text += ` ${stamp}-`
    if (!was(stamp) && before) text += `${stamp - 1n}`
  }
  return text
}

/** What is seen of a set of accepted ops, as one text; `viewOf` in `replica.ts` writes the same of the real fold. */
export const expectedView = (ops: ReadonlyArray<Op>): string => {
  const { states } = foldOf(ops)
  const state = states.at(-1)!
  const creates = ops.filter(({ op }) => op === 0).map(({ hlc }) => hlc)
  const people = everyone.map((user) => {
    const stamps = dotsOf(state, user).map(({ by }) => by.hlc)
    if (user === ann && state.creatorDot) stamps.push(creates.reduce((a, b) => a < b ? a : b))
    const since = stamps.length === 0 ? "" : stamps.reduce((a, b) => a < b ? a : b)
    const role = isAdmin(state, user) ? 1 : isMember(state, user) ? 0 : ""
    return `|${role}@${since}${shownOf(user, ops, states)}`
  })
  const dots = state.dots.map(({ by, target }) => `${by.id}${target}`)
  if (state.creatorDot) dots.push(`${chatId}${ann}`)
  return `${ops.length}|${state.titled?.title ?? ""}${people.join("")}|${dots.sort().join()}`
}

/** Those of a set in order that have effect at their place. */
export const effectiveOf = (ops: ReadonlyArray<Op>): ReadonlySet<Op> => foldOf(ops).effective
