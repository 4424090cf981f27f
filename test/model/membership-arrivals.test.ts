/**
 * What else may happen on the way: the base itself comes late, ops are stamped below it, an op comes in two variants, some
 * are early. What has arrived is a set of its own at every moment, so most are looked at after every step.
 */
import { assert, describe, it } from "@effect/vitest"
import { driftMsMax } from "../../src/domain/limits.ts"
import { dotOf, type Op } from "../../src/domain/record.ts"
import { Convergence, type How } from "./convergence.ts"
import { at, base, bob, cem, few, idOf, many, opsOf, type Template } from "./group.ts"
import { inBatches, isDeep, isIn, masks, permutations, rows, singly, timeoutMs } from "./orders.ts"

const looking: How = { eachStep: true, again: false }
const atEnd: How = { eachStep: false, again: false }

/** Ops at ms 10, 20, …: ids descend, so that an order by id alone would show. */
const above = (templates: ReadonlyArray<Template>): ReadonlyArray<Op> =>
  opsOf(templates, templates.map((_, i) => ({ hlc: at(10 * (i + 1)), id: idOf(100 - i) })))

interface Counts {
  rows: number
  deliveries: number
}

/** The base and ops of templates, at all places: those of the base stay in order, the others too. */
const mixed = (templates: ReadonlyArray<Template>): ReadonlyArray<ReadonlyArray<Op>> => {
  const length = templates.length + base.length
  return masks(length).filter((mask) => mask.toString(2).replaceAll("0", "").length === base.length).map((mask) => {
    const places = Array.from({ length }, (_, i) => ({ hlc: at(10 * (i + 1)), id: idOf(100 - i) }))
    const moved = places.filter((_, i) => isIn(mask, i)).map((place, i) => ({ ...base[i]!, ...place }))
    return [...moved, ...opsOf(templates, places.filter((_, i) => !isIn(mask, i)), moved)]
  })
}

const arriveMixed = (
  templates: Iterable<ReadonlyArray<Template>>,
  orders: typeof singly,
  how: How
): Counts => {
  const counts = { rows: 0, deliveries: 0 }
  for (const row of templates) {
    for (const ops of mixed(row)) {
      const set = new Convergence(ops, [])
      for (const delivery of orders(ops.length)) set.arrive(delivery, how)
      for (const order of permutations(ops.length)) set.fold(order)
      counts.rows++
      counts.deliveries += orders(ops.length).length
    }
  }
  return counts
}

/**
 * The same op as another attempt of its node stamped it: at other places, and, at its own, with another set observed. (Its
 * id says which node stamps it.)
 */
const variantsOf = (op: Op): ReadonlyArray<Op> => {
  const other = [dotOf(base[0]!.id, cem), dotOf(base[1]!.id, bob)]
  const observed = op.op === 2 ? { observed: op.observed!.length > 0 ? [] : other } : {}
  return [...[5, 15, 25].map((ms) => ({ ...op, hlc: at(ms) })), { ...op, sigVersion: 2, ...observed }]
}

const arriveVaried = (
  templates: Iterable<ReadonlyArray<Template>>,
  vary: (ops: ReadonlyArray<Op>) => ReadonlyArray<ReadonlyArray<Op>>,
  orders: typeof singly
): Counts => {
  const counts = { rows: 0, deliveries: 0 }
  for (const row of templates) {
    const ops = above(row)
    for (const more of vary(ops)) {
      const set = new Convergence([...ops, ...more], base)
      for (const delivery of orders(set.ops.length)) set.arrive(delivery, looking)
      counts.rows++
      counts.deliveries += orders(set.ops.length).length
    }
  }
  return counts
}

const oneVaries = (ops: ReadonlyArray<Op>) => ops.flatMap(variantsOf).map((variant) => [variant])
const bothVary = ([a, b]: ReadonlyArray<Op>) =>
  variantsOf(a!).flatMap((first) => variantsOf(b!).map((second) => [first, second]))
const twiceVaries = ([a]: ReadonlyArray<Op>) =>
  variantsOf(a!).flatMap((first, i) => variantsOf(a!).slice(i + 1).map((second) => [first, second]))

const arriveEarly = (templates: Iterable<ReadonlyArray<Template>>): Counts => {
  const counts = { rows: 0, deliveries: 0 }
  for (const row of templates) {
    const set = new Convergence(above(row), base)
    counts.rows++
    // all are early, or all but the lowest, …
    for (let notEarly = 0; notEarly < row.length; notEarly++) {
      for (const order of permutations(row.length + 1)) {
        set.arriveEarly(order, 10 * notEarly + 5 - driftMsMax)
        counts.deliveries++
      }
    }
  }
  return counts
}

type Try = readonly [name: string, run: () => Counts, expected: Counts]

const mixedOnes: ReadonlyArray<Try> = [
  ["one", () => arriveMixed(rows(many, 1), inBatches, looking), { rows: 60, deliveries: 1_440 }],
  ["two of the few", () => arriveMixed(rows(few, 2), singly, atEnd), { rows: 486, deliveries: 11_664 }]
]
const mixedDeep: ReadonlyArray<Try> = [
  ["deep: two", () => arriveMixed(rows(many, 2), inBatches, looking), { rows: 2_400, deliveries: 460_800 }],
  ["deep: three of the few", () => arriveMixed(rows(few, 3), singly, atEnd), { rows: 7_290, deliveries: 874_800 }]
]
const variedOnes: ReadonlyArray<Try> = [
  ["one", () => arriveVaried(rows(many, 1), oneVaries, inBatches), { rows: 80, deliveries: 320 }],
  ["one in three", () => arriveVaried(rows(many, 1), twiceVaries, inBatches), { rows: 120, deliveries: 2_880 }],
  ["one of two of the few", () => arriveVaried(rows(few, 2), oneVaries, singly), { rows: 648, deliveries: 3_888 }]
]
const variedDeep: ReadonlyArray<Try> = [
  ["deep: two of the few", () => arriveVaried(rows(few, 2), bothVary, inBatches), { rows: 1_296, deliveries: 248_832 }],
  ["deep: one of three", () => arriveVaried(rows(many, 3), oneVaries, singly), { rows: 96_000, deliveries: 2_304_000 }]
]
const earlyOnes: ReadonlyArray<Try> = [
  ["one", () => arriveEarly(rows(many, 1)), { rows: 20, deliveries: 40 }],
  ["two of the few", () => arriveEarly(rows(few, 2)), { rows: 81, deliveries: 972 }]
]
const earlyDeep: ReadonlyArray<Try> = [
  ["deep: three", () => arriveEarly(rows(many, 3)), { rows: 8_000, deliveries: 576_000 }]
]

const tried = (small: ReadonlyArray<Try>, large: ReadonlyArray<Try>) => isDeep ? [...small, ...large] : small

describe("model: membership ops before the Create and the admin, who wait", () => {
  it.each(tried(mixedOnes, mixedDeep))("%s", (_, run, expected) => assert.deepStrictEqual(run(), expected), timeoutMs)
})

describe("model: membership ops in two variants, one of which stays, in its place", () => {
  it.each(tried(variedOnes, variedDeep))("%s", (_, run, expected) => assert.deepStrictEqual(run(), expected), timeoutMs)
})

describe("model: membership ops that are early, and then may lack something", () => {
  it.each(tried(earlyOnes, earlyDeep))("%s", (_, run, expected) => assert.deepStrictEqual(run(), expected), timeoutMs)
})
