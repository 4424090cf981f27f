/**
 * Groups for tests: ops by hand and by chance, and the membership fold once more, slow and after the words of SPEC §5.2.
 */
import type * as Hlc from "../../src/domain/hlc.ts"
import type { Address, ChatId, NodeId, OpId, RoleCode } from "../../src/domain/ids.ts"
import { Membership } from "../../src/domain/membership.ts"
import { type Dot, dotOf, dotTarget, isLeave, type Op } from "../../src/domain/record.ts"
import { wins } from "../../src/domain/variants.ts"
import { Dice } from "./records.ts"

export const chatId = "c0".repeat(32) as ChatId
export const address = (n: number): Address => n.toString(16).padStart(40, "0") as Address
export const idOf = (n: number): OpId => n.toString(16).padStart(64, "0") as OpId
export const at = (n: number): Hlc.Hlc => BigInt(n) as Hlc.Hlc

/** Alice creates the group. */
export const alice = address(1)
export const bob = address(2)
export const carol = address(3)
export const dave = address(4)
export const everyone = [alice, bob, carol, dave, address(5), address(6)]

let names = 0xf000
/** An op with a new id, above all before it, unless told otherwise. */
const op = (hlc: number, actor: Address, fields: Partial<Op>): Op => ({
  kind: "op",
  id: idOf(names++),
  chatId,
  actor,
  ts: 1,
  node: "n1" as NodeId,
  op: 1,
  role: 0,
  targets: [],
  sig: new Uint8Array(65),
  sigVersion: 1,
  hlc: at(hlc),
  stamp: new Uint8Array(64),
  ...fields
})
export const create = (
  hlc: number,
  targets: ReadonlyArray<Address> = [],
  title?: string,
  fields: Partial<Op> = {}
): Op => op(hlc, alice, { op: 0, targets, ...(title === undefined ? {} : { title }), ...fields })
export const add = (hlc: number, actor: Address, targets: ReadonlyArray<Address>, role: RoleCode = 0): Op =>
  op(hlc, actor, { op: 1, role, targets })
export const remove = (
  hlc: number,
  actor: Address,
  targets: ReadonlyArray<Address>,
  observed: ReadonlyArray<Dot>
): Op => op(hlc, actor, { op: 2, targets, observed })
export const leave = (hlc: number, actor: Address): Op => remove(hlc, actor, [actor], [])
export const setTitle = (hlc: number, actor: Address, title: string): Op => op(hlc, actor, { op: 3, title })
export const given = (by: Op, target: Address): Dot => dotOf(by.id, target)

export const from = (...ops: ReadonlyArray<Op>): Membership => {
  const membership = new Membership(chatId)
  membership.insert(ops)
  return membership
}

// --- The reference: slow, and after the words of SPEC §5.2 ----------------------------------------------------------

export interface LiveDot {
  readonly opId: OpId
  readonly target: Address
  readonly role: RoleCode
  readonly hlc: Hlc.Hlc
}

export interface State {
  creatorDot: boolean
  dots: Array<LiveDot>
  title: string
}

export const creatorOf = (ops: ReadonlyArray<Op>): Address | undefined => ops.find((o) => o.op === 0)?.actor

export const roleIn = (state: State, creator: Address | undefined, user: Address): RoleCode | undefined => {
  if (state.creatorDot && user === creator) return 1
  // Dots are pushed in the order of their ops, so the last is the highest.
  return state.dots.filter((dot) => dot.target === user).at(-1)?.role
}

export const membersIn = (state: State, creator: Address | undefined): ReadonlyArray<Address> =>
  everyone.filter((user) => roleIn(state, creator, user) !== undefined)

/** One variant an id, in order. */
export const setOf = (ops: ReadonlyArray<Op>): ReadonlyArray<Op> => {
  const best = new Map<OpId, Op>()
  for (const o of ops) {
    const rival = best.get(o.id)
    if (rival === undefined || wins(o, rival)) best.set(o.id, o)
  }
  return [...best.values()].sort((a, b) => a.hlc < b.hlc || (a.hlc === b.hlc && a.id < b.id) ? -1 : 1)
}

/** The state after `o` and whether it had effect. */
export const stepOf = (state: State, creator: Address | undefined, o: Op): State | undefined => {
  const role = roleIn(state, creator, o.actor)
  if (isLeave(o) ? role === undefined : role !== 1) return undefined
  const after: State = { ...state, dots: [...state.dots] }
  if (o.op === 0 || o.op === 1) {
    for (const target of o.targets) after.dots.push({ opId: o.id, target, role: o.op === 1 ? o.role : 0, hlc: o.hlc })
  }
  if (isLeave(o)) {
    after.dots = after.dots.filter((dot) => dot.target !== o.actor)
    if (o.actor === creator) after.creatorDot = false
  } else if (o.op === 2) {
    after.dots = after.dots.filter((dot) =>
      !(o.targets.includes(dot.target) && o.observed!.includes(dotOf(dot.opId, dot.target)))
    )
  }
  if (o.title !== undefined) after.title = o.title
  const members = membersIn(after, creator)
  return members.length > 0 && !members.some((user) => roleIn(after, creator, user) === 1) ? undefined : after
}

/** Folds a set that is in order; the creator is that of the whole set. */
export const fold = (ordered: ReadonlyArray<Op>, creator: Address | undefined): State => {
  let state: State = { creatorDot: creator !== undefined, dots: [], title: "" }
  for (const o of ordered) state = stepOf(state, creator, o) ?? state
  return state
}

export const sameState = (state: State, other: State): boolean =>
  state.creatorDot === other.creatorDot && state.title === other.title &&
  JSON.stringify(state.dots.map((dot) => [dot.opId, dot.target])) ===
    JSON.stringify(other.dots.map((dot) => [dot.opId, dot.target]))

// --- Random sets of ops -----------------------------------------------------------------------------------------------

export type Random = (end: number) => number
export const randomFrom = (seed: number): Random => {
  const dice = new Dice(seed)
  return (end) => dice.below(end)
}
export const pick = <A>(random: Random, items: ReadonlyArray<A>): A => items[random(items.length)]!
export const some = <A>(random: Random, items: ReadonlyArray<A>, percent: number): ReadonlyArray<A> =>
  items.filter(() => random(100) < percent)
export const shuffled = <A>(random: Random, items: ReadonlyArray<A>): ReadonlyArray<A> => {
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const j = random(i + 1)
    ;[out[i], out[j]] = [out[j]!, out[i]!]
  }
  return out
}
export const batches = <A>(random: Random, items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const out: Array<ReadonlyArray<A>> = []
  const largest = pick(random, [1, 3, 10])
  for (let i = 0; i < items.length;) {
    const end = i + 1 + random(largest)
    out.push(items.slice(i, end))
    i = end
  }
  return out
}

/** Random stamps are below this. */
export const stampsEnd = 24

/** Some removals see the truth of what is below them, some a part of it, some junk. */
const observedBy = (
  random: Random,
  below: ReadonlyArray<Op>,
  all: ReadonlyArray<Op>,
  targets: ReadonlyArray<Address>
) => {
  const state = fold(setOf(below), alice)
  const live = state.dots.map((dot) => dotOf(dot.opId, dot.target))
  const ever = all.flatMap((o) => o.op === 2 ? [] : o.targets.map((target) => dotOf(o.id, target)))
  const seen = pick(random, [live, live, some(random, live, 50), some(random, ever, 50)])
  const relevant = random(5) === 0 ? seen : seen.filter((dot) => targets.includes(dotTarget(dot)))
  return [...new Set([...relevant, ...(random(4) === 0 ? [dotOf(chatId, alice)] : [])])].sort()
}

export const randomOps = (random: Random, count: number): ReadonlyArray<Op> => {
  const ops: Array<Op> = []
  const fresh = () => idOf(random(0x7fffffff))
  const stamp = () => random(stampsEnd)
  for (let i = 0; i < count; i++) {
    const hlc = i === 0 ? random(6) : stamp()
    const targets = some(random, everyone, 35)
    const kind = i === 0 ? 0 : random(100)
    const actor = random(3) === 0 ? pick(random, everyone) : pick(random, [alice, bob, carol])
    if (kind < 6) {
      const title = random(2) === 0 ? undefined : `t${i}`
      ops.push(create(hlc, targets.filter((target) => target !== alice), title, { id: fresh() }))
    } else if (kind < 48 && targets.length > 0) {
      ops.push({ ...add(hlc, actor, targets, random(2) as RoleCode), id: fresh() })
    } else if (kind < 70 && targets.length > 0) {
      const below = ops.filter((o) => o.hlc < at(hlc))
      ops.push({ ...remove(hlc, actor, targets, observedBy(random, below, ops, targets)), id: fresh() })
    } else if (kind < 90) {
      ops.push({ ...leave(hlc, random(4) === 0 ? alice : pick(random, everyone)), id: fresh() })
    } else ops.push({ ...setTitle(hlc, actor, `t${i}`), id: fresh() })
  }
  const variants = some(random, ops, 20).map((o): Op => {
    const hlc = random(2) === 0 ? o.hlc : at(stamp())
    const observed = o.op === 2 ? { observed: random(2) === 0 ? o.observed! : some(random, o.observed!, 50) } : {}
    return { ...o, hlc, node: `n${random(3)}` as NodeId, ...observed }
  })
  return shuffled(random, [...ops, ...variants, ...some(random, ops, 10)])
}
