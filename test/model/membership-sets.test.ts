/**
 * Every set of up to four concurrent membership ops by three people, at all places and in all orders of arrival.
 *
 * What is left out, and why nothing is lost by it:
 * - Only the order of (hlc, op id) and which hlcs are equal matter, so a row of ops stands for a set of ops with stamps:
 *   the first has the lowest place. Every set with all its stamps is some row, with some of its neighbours tied.
 * - The base (Ann's Create with Cem, Bob an admin) has arrived before, but where the name of a check says otherwise.
 * - Threes in `npm test` leave out six ops that need one other to show what they do; the deep level has them, too.
 * - Fours in `npm test` are of the few that meet most, none twice, untied, and only those that are accepted in the end:
 *   one that waits for ever changes nothing, which the threes show. The deep level has all fours of the few, and those of
 *   the many with this reduction.
 */
import { assert, describe, it } from "@effect/vitest"
import { Convergence, type How } from "./convergence.ts"
import { at, base, few, idOf, many, nameOf, opsOf, some, type Template } from "./group.ts"
import { assertLaws } from "./laws.ts"
import { type Delivery, demand, inBatches, isDeep, isIn, masks, rows, singly, timeoutMs } from "./orders.ts"
import { effectiveOf } from "./reference.ts"

interface Counts {
  rows: number
  deliveries: number
  /** Ops that did something, and ops that were never accepted: neither may die out unnoticed. */
  effective: number
  refused: number
}

/** Places above the base. Neighbours whose bit is set share a stamp; ids ascend among these, and descend otherwise. */
const placesOf = (length: number, ties: number) => {
  let ms = 10
  return Array.from({ length }, (_, i) => {
    if (i > 0 && !isIn(ties, i - 1)) ms++
    return { hlc: at(ms), id: idOf((99 - ms) * 100 + i) }
  })
}

interface Space {
  readonly all: Iterable<ReadonlyArray<Template>>
  readonly ties: (length: number) => ReadonlyArray<number>
  readonly deliveries: (length: number) => ReadonlyArray<Delivery>
  readonly how: How
  /** Leaves out the rows with an op that waits for ever. */
  readonly acceptedOnly?: boolean
}

const untied = () => [0]
const allTies = (length: number) => masks(Math.max(0, length - 1))
const tied = (length: number) => allTies(length).slice(1)

const check = (space: Space): Counts => {
  const counts: Counts = { rows: 0, deliveries: 0, effective: 0, refused: 0 }
  for (const templates of space.all) {
    const deliveries = space.deliveries(templates.length)
    for (const ties of space.ties(templates.length)) {
      const set = new Convergence(opsOf(templates, placesOf(templates.length, ties)), base)
      const { ops } = set.whole
      const refused = templates.length + base.length - ops.length
      if (space.acceptedOnly === true && refused > 0) continue
      for (const delivery of deliveries) set.arrive(delivery, space.how)
      const changed = assertLaws(ops)
      const effective = effectiveOf(ops)
      for (const op of changed) demand(effective.has(op), () => `should have had no effect: ${nameOf(op)}`)
      counts.rows++
      counts.deliveries += deliveries.length
      counts.refused += refused
      counts.effective += changed.size - base.length
    }
  }
  return counts
}

function* distinct(items: ReadonlyArray<Template>, length: number) {
  for (const row of rows(items, length)) if (new Set(row).size === length) yield row
}

function* upTo(items: ReadonlyArray<Template>, length: number) {
  for (let n = 0; n <= length; n++) yield* rows(items, n)
}

/** A title has no part in who is what. */
const untitled = few.filter(({ intent }) => intent.title === undefined)

const looking: How = { eachStep: true, again: true }
const atEnd: How = { eachStep: false, again: false }

/** What is tried, and how much of it there is. */
interface Try extends Space {
  readonly name: string
  readonly expected: Counts
}

const small: ReadonlyArray<Try> = [
  {
    name: "up to two, with all ties, in all orders and batches, and all again",
    all: upTo(many, 2),
    ties: allTies,
    deliveries: inBatches,
    how: looking,
    expected: { rows: 821, deliveries: 3_221, effective: 1_052, refused: 219 }
  },
  {
    name: "three of some, in all orders",
    all: rows(some, 3),
    ties: untied,
    deliveries: singly,
    how: atEnd,
    expected: { rows: 2_744, deliveries: 16_464, effective: 4_769, refused: 1_296 }
  },
  {
    name: "three of the few, with some tied, in all orders",
    all: rows(few, 3),
    ties: tied,
    deliveries: singly,
    how: atEnd,
    expected: { rows: 2_187, deliveries: 13_122, effective: 3_378, refused: 1_323 }
  },
  {
    name: "three of the few, in all orders and batches, and all again",
    all: rows(few, 3),
    ties: untied,
    deliveries: inBatches,
    how: looking,
    expected: { rows: 729, deliveries: 17_496, effective: 1_126, refused: 441 }
  },
  {
    name: "four of the few without a title, in all orders",
    all: distinct(untitled, 4),
    ties: untied,
    deliveries: singly,
    how: atEnd,
    acceptedOnly: true,
    expected: { rows: 1_344, deliveries: 32_256, effective: 3_277, refused: 0 }
  }
]

const large: ReadonlyArray<Try> = [
  {
    name: "deep: three, with all ties, in all orders and batches, and all again",
    all: rows(many, 3),
    ties: allTies,
    deliveries: inBatches,
    how: looking,
    expected: { rows: 32_000, deliveries: 768_000, effective: 58_316, refused: 11_664 }
  },
  {
    name: "deep: four, in all orders",
    all: distinct(many, 4),
    ties: untied,
    deliveries: singly,
    how: atEnd,
    acceptedOnly: true,
    expected: { rows: 75_600, deliveries: 1_814_400, effective: 198_174, refused: 0 }
  },
  {
    name: "deep: four of the few, with all ties, in all orders",
    all: rows(few, 4),
    ties: allTies,
    deliveries: singly,
    how: atEnd,
    expected: { rows: 52_488, deliveries: 1_259_712, effective: 103_392, refused: 32_928 }
  },
  {
    name: "deep: four of the few, in all orders and batches, and all again",
    all: rows(few, 4),
    ties: untied,
    deliveries: inBatches,
    how: looking,
    expected: { rows: 6_561, deliveries: 1_259_712, effective: 12_924, refused: 4_116 }
  }
]

describe("model: sets of membership ops", () => {
  it.each(isDeep ? [...small, ...large] : small)("$name", (each) => {
    assert.deepStrictEqual(check(each), each.expected)
  }, timeoutMs)
})
