/**
 * Every history that honest nodes can make of up to four ops: each of three people acts at a node of her own, on what has
 * arrived there by then, and a removal observes the dots that live there. Then all of it arrives elsewhere in all orders.
 *
 * A history is a row of ops by place, and for each op which of those below its node had seen. This is all there is to
 * say: a node stamps above whatever it has accepted, so an op has seen only what is below it; what it has not seen may be
 * below it or above it. A node forgets nothing, so it sees its own ops and what these saw. Gossip comes in any order, so
 * what has been seen may be any set with that; one in which an op waits for another is the same history as without it.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Op } from "../../src/domain/record.ts"
import { Convergence, type How } from "./convergence.ts"
import {
  add,
  ann,
  at,
  base,
  bob,
  cem,
  create,
  dan,
  entitle,
  idOf,
  type Intent,
  leave,
  make,
  nameOf,
  remove
} from "./group.ts"
import { assertLaws } from "./laws.ts"
import { chosen, demand, isDeep, isIn, masks, singly, timeoutMs } from "./orders.ts"
import { Replica } from "./replica.ts"

/** Somebody at a node, and what she may think of. */
interface Person {
  readonly may: ReadonlyArray<Intent>
  /** Her node has not even seen the base. */
  readonly isNew?: boolean
}

interface Act {
  readonly op: Op
  readonly by: Person
  /** A bit for each op below. */
  readonly seen: number
}

interface Counts {
  histories: number
  deliveries: number
  /** Ops that did nothing in the end, for they were concurrent with what took their effect or their right. */
  idle: number
}

const limits = { groupMembersMax: 100 }
const atEnd: How = { eachStep: false, again: false }

const whole = (length: number): number => (1 << length) - 1

/** What a node knows that has seen these, or `undefined`: one of them waits there for another. */
const nodeThatSaw = (ops: ReadonlyArray<Op>, isNew: boolean): Replica | undefined => {
  const replica = new Replica((op) => op.id, 1_000)
  const all = isNew ? ops : [...base, ...ops]
  replica.deliver(all)
  return replica.size === all.length ? replica : undefined
}

/** What a person can do next: each op that her node lets in, for all that it may have seen by then. */
function* nextOf(history: ReadonlyArray<Act>, person: Person): Generator<Act> {
  const own = history.reduce((mask, act, i) => act.by === person ? mask | act.seen | 1 << i : mask, 0)
  const place = { hlc: at(10 + history.length), id: idOf(99 - history.length) }
  for (const seen of person.isNew === true ? [0] : masks(history.length)) {
    if ((seen & own) !== own) continue
    const node = nodeThatSaw(chosen(history, seen).map(({ op }) => op), person.isNew === true)
    if (node === undefined) continue
    for (const intent of person.may) {
      if (node.membership.ingestProblem(intent, limits) !== undefined) continue
      const observed = intent.op === 2 ? node.membership.liveDots(intent.targets) : undefined
      yield { op: make(intent, place.hlc, place.id, observed), by: person, seen }
    }
  }
}

const told = (history: ReadonlyArray<Act>): string =>
  history.map(({ op, seen }) =>
    `\n  ${nameOf(op)}, node had [${history.flatMap((_, i) => isIn(seen, i) ? [i] : []).join()}]`
  )
    .join("")

const check = (history: ReadonlyArray<Act>, counts: Counts): void => {
  const ops = history.map(({ op }) => op)
  const set = new Convergence(ops, base)
  demand(set.whole.ops.length === ops.length + base.length, () => `an honest op waits for ever:${told(history)}`)
  for (const delivery of singly(ops.length)) set.arrive(delivery, atEnd)
  const changed = assertLaws(set.whole.ops)
  for (const [i, { op, by, seen }] of history.entries()) {
    const knewAll = seen === whole(i) && by.isNew !== true
    demand(
      !knewAll || changed.has(op),
      () => `its node knew all, let it in, and it did nothing: ${i} of${told(history)}`
    )
  }
  counts.histories++
  counts.deliveries += singly(ops.length).length
  counts.idle += ops.length + base.length - changed.size
}

const checkFrom = (
  history: ReadonlyArray<Act>,
  people: ReadonlyArray<Person>,
  longest: number,
  counts: Counts
): Counts => {
  check(history, counts)
  if (history.length === longest) return counts
  for (const person of people) {
    for (const act of nextOf(history, person)) checkFrom([...history, act], people, longest, counts)
  }
  return counts
}

const checkAll = (people: ReadonlyArray<Person>, longest: number): Counts =>
  checkFrom([], people, longest, { histories: 0, deliveries: 0, idle: 0 })

/** Those that take rights from each other, or give them. */
const few: ReadonlyArray<Person> = [
  { may: [leave(ann), remove(ann, [bob])] },
  { may: [leave(bob), add(bob, [cem], "admin")] },
  { may: [remove(cem, [bob]), leave(cem)] }
]

const many: ReadonlyArray<Person> = [
  {
    may: [
      add(ann, [bob], "member"),
      add(ann, [cem, dan], "admin"),
      remove(ann, [bob]),
      remove(ann, [cem, dan]),
      leave(ann),
      entitle(ann, "new")
    ]
  },
  {
    may: [
      add(bob, [bob], "member"),
      add(bob, [cem], "admin"),
      add(bob, [dan], "member"),
      remove(bob, [cem]),
      remove(bob, [dan]),
      leave(bob)
    ]
  },
  { may: [add(cem, [dan], "admin"), remove(cem, [bob]), leave(cem), entitle(cem, "")] },
  // Ann again, who asks a node that knows nothing to create what is there
  { may: [create([bob, dan], "again")], isNew: true }
]

type Try = readonly [name: string, people: ReadonlyArray<Person>, longest: number, expected: Counts]

const small: ReadonlyArray<Try> = [
  ["up to three ops", many, 3, { histories: 4_780, deliveries: 27_750, idle: 1_281 }],
  ["up to four ops, of the few", few, 4, { histories: 1_322, deliveries: 27_388, idle: 569 }]
]
const large: ReadonlyArray<Try> = [
  ["deep: up to four ops", many, 4, { histories: 129_926, deliveries: 3_031_254, idle: 59_167 }]
]

describe("model: histories of honest nodes", () => {
  it.each(isDeep ? [...small, ...large] : small)("%s", (_, people, longest, expected) => {
    assert.deepStrictEqual(checkAll(people, longest), expected)
  }, timeoutMs)
})
