/**
 * Everything there is of a small thing: orders, batches, subsets. Nothing here is drawn by chance, so the number of cases
 * of a check is known, and each check states it.
 *
 * Rule: `npm test` takes the small spaces. `P2PMES_MODEL_DEPTH=deep` takes the large ones, which last minutes.
 */

/** Whether the large spaces are asked for. */
export const isDeep = process.env["P2PMES_MODEL_DEPTH"] === "deep"

/** Long enough for the large spaces on a busy machine, ms. */
export const timeoutMs = isDeep ? 10_800_000 : 300_000

const memo = <A>(f: (n: number) => A): (n: number) => A => {
  const known = new Map<number, A>()
  return (n) => {
    const found = known.get(n) ?? f(n)
    known.set(n, found)
    return found
  }
}

type Order = ReadonlyArray<number>
/** Batches of indices, in order of arrival. */
export type Delivery = ReadonlyArray<Order>

/** All orders of 0 … n - 1: n! of them. */
export const permutations: (n: number) => ReadonlyArray<Order> = memo((n) => {
  if (n === 0) return [[]]
  return permutations(n - 1).flatMap((order) =>
    Array.from({ length: n }, (_, at) => [...order.slice(0, at), n - 1, ...order.slice(at)])
  )
})

/** All ways to cut n things in a row into batches: 2^(n - 1) of them. */
const cuts = memo((n: number): ReadonlyArray<ReadonlyArray<number>> =>
  n === 0
    ? [[]]
    : Array.from({ length: n }, (_, i) => i + 1).flatMap((first) => cuts(n - first).map((rest) => [first, ...rest]))
)

/** All orders of n things, one at a time: n!. */
export const singly: (n: number) => ReadonlyArray<Delivery> = memo((n) =>
  permutations(n).map((order) => order.map((i) => [i]))
)

/** All orders of n things, in all batches: n! 2^(n - 1). */
export const inBatches: (n: number) => ReadonlyArray<Delivery> = memo((n) =>
  permutations(n).flatMap((order) =>
    cuts(n).map((sizes) => {
      let at = 0
      return sizes.map((size) => order.slice(at, at += size))
    })
  )
)

/** All rows of `length` items, repeats included: items^length. */
export function* rows<A>(items: ReadonlyArray<A>, length: number): Generator<ReadonlyArray<A>> {
  if (length === 0) yield []
  else for (const first of items) for (const rest of rows(items, length - 1)) yield [first, ...rest]
}

/** All subsets of 0 … n - 1 as bit masks. */
export const masks = (n: number): ReadonlyArray<number> => Array.from({ length: 1 << n }, (_, mask) => mask)

export const isIn = (mask: number, i: number): boolean => (mask >> i & 1) === 1

/** The items whose bits are set, in order. */
export const chosen = <A>(items: ReadonlyArray<A>, mask: number): ReadonlyArray<A> =>
  items.filter((_, i) => isIn(mask, i))

/** Asks for the message only where it fails: there are millions of cases. */
export const demand = (holds: boolean, message: () => string): void => {
  if (!holds) throw new Error(message())
}

export const same = (actual: string, expected: string, where: () => string): void =>
  demand(actual === expected, () => `${where()}\n  is        ${actual}\n  should be ${expected}`)
