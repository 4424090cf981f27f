/** A small group: three people who act, one who does not, and the ops that they may think of. */
import type { Hlc } from "../../src/domain/hlc.ts"
import type { Address, ChatId, NodeId, OpId } from "../../src/domain/ids.ts"
import { type Dot, dotOf, type Op } from "../../src/domain/record.ts"

export const chatId = "c0".repeat(32) as ChatId
const address = (n: number): Address => n.toString(16).padStart(40, "0") as Address
export const idOf = (n: number): OpId => n.toString(16).padStart(64, "0") as OpId

/** Ann creates the group, Bob is an admin of it, Cem a member; Dan is a stranger. */
export const [ann, bob, cem, dan] = [address(1), address(2), address(3), address(4)]
export const everyone: ReadonlyArray<Address> = [ann, bob, cem, dan]
const names = new Map([[ann, "Ann"], [bob, "Bob"], [cem, "Cem"], [dan, "Dan"]])

/** Stamps are a millisecond apart, so that some may be early and others not. */
export const at = (ms: number): Hlc => (BigInt(ms) << 16n) as Hlc

const sig = new Uint8Array(65)
const stamp = new Uint8Array(64)

/** An op but for its place and what it observed. */
export type Intent = Pick<Op, "op" | "role" | "actor" | "targets" | "title">
export const make = (intent: Intent, hlc: Hlc, id: OpId, observed?: ReadonlyArray<Dot>): Op => ({
  kind: "op",
  chatId,
  ts: 1,
  node: "n1" as NodeId,
  sig,
  sigVersion: 1,
  stamp,
  hlc,
  id,
  ...intent,
  ...(observed === undefined ? {} : { observed })
})

export const create = (targets: ReadonlyArray<Address>, title: string): Intent => ({
  op: 0,
  role: 0,
  actor: ann,
  targets,
  title
})
export const add = (actor: Address, targets: ReadonlyArray<Address>, role: "member" | "admin"): Intent => ({
  op: 1,
  role: role === "admin" ? 1 : 0,
  actor,
  targets
})
export const remove = (actor: Address, targets: ReadonlyArray<Address>): Intent => ({ op: 2, role: 0, actor, targets })
export const leave = (actor: Address): Intent => remove(actor, [actor])
export const entitle = (actor: Address, title: string): Intent => ({ op: 3, role: 0, actor, targets: [], title })

/** For messages of failed checks. */
export const nameOf = ({ actor, id, hlc, observed, op, role, targets, title }: Op): string => {
  const verb = ["creates", role === 1 ? "adds admin" : "adds", "removes", "sets title"][op]!
  const seen = observed === undefined ? "" : ` saw (${observed.map((d) => `${Number.parseInt(d.slice(0, 64), 16)}`)})`
  return `${hlc >> 16n}/${Number.parseInt(id, 16)} ${names.get(actor)} ${verb} ` +
    `${targets.map((target) => names.get(target)).join("+")}${title === undefined ? "" : `"${title}"`}${seen}`
}

/** What everybody has at the start: Ann has created the group with Cem in it, and made Bob an admin. */
export const base: ReadonlyArray<Op> = [
  make(create([cem], "old"), at(1), idOf(1)),
  make(add(ann, [bob], "admin"), at(2), idOf(2))
]

/**
 * What a removal in a set of ops names as observed: every dot of its targets that any op of the set gives, also one above
 * it, and the creator's; those of the base; or those that the lowest of the others gives.
 */
export type Seen = "all" | "base" | "first" | "none"

export interface Template {
  readonly intent: Intent
  readonly seen?: Seen
}

const givenBy = (op: Pick<Op, "op" | "id" | "targets">): ReadonlyArray<Dot> =>
  op.op < 2 ? op.targets.map((target) => dotOf(op.id, target)) : []

const observedBy = (seen: Seen, below: ReadonlyArray<Op>, others: ReadonlyArray<Pick<Op, "op" | "id" | "targets">>) => {
  const first = others.find(({ op }) => op < 2)
  switch (seen) {
    case "all":
      return [...[...below, ...others].flatMap(givenBy), dotOf(chatId, ann)]
    case "base":
      return below.flatMap(givenBy)
    case "first":
      return first === undefined ? [] : givenBy(first)
    case "none":
      return []
  }
}

/** Ops of templates at places of their own: what they observe follows from who else is there. */
export const opsOf = (
  templates: ReadonlyArray<Template>,
  places: ReadonlyArray<{ readonly hlc: Hlc; readonly id: OpId }>,
  below: ReadonlyArray<Op> = base
): ReadonlyArray<Op> => {
  const others = templates.map(({ intent }, i) => ({ ...intent, id: places[i]!.id }))
  return templates.map(({ intent, seen }, i) => {
    const observed = seen === undefined
      ? undefined
      : observedBy(seen, below, others).filter((each) => intent.targets.includes(each.slice(64) as Address)).sort()
    return make(intent, places[i]!.hlc, places[i]!.id, observed)
  })
}

const of = (intent: Intent, seen?: Seen): Template => ({ intent, ...(seen === undefined ? {} : { seen }) })

/** The few that meet each other most: all kinds of op, all three people, and every rule of SPEC §5.2. */
export const few: ReadonlyArray<Template> = [
  of(add(ann, [cem, dan], "admin")),
  of(remove(ann, [bob, cem]), "base"),
  of(leave(ann), "none"),
  of(add(bob, [cem], "admin")),
  of(remove(bob, [dan]), "all"),
  of(leave(bob), "none"),
  of(add(cem, [dan], "member")),
  of(remove(cem, [bob]), "all"),
  of(entitle(cem, "new"))
]

/** Those of the others that need two more to show what they do. */
export const some: ReadonlyArray<Template> = [
  ...few,
  of(create([bob, dan], "again")),
  of(add(ann, [cem, dan], "member")),
  of(remove(ann, [dan]), "first"),
  of(remove(ann, [ann, cem]), "all"),
  of(add(bob, [bob], "member"))
]

/** All. */
export const many: ReadonlyArray<Template> = [
  ...some,
  of(add(ann, [bob], "member")),
  of(remove(ann, [bob]), "all"),
  of(add(bob, [ann], "member")),
  of(remove(bob, [ann]), "all"),
  of(entitle(bob, "")),
  of(leave(cem), "none")
]
