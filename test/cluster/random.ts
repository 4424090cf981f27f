/** Chance that can be had again: the seed is printed, and set by CLUSTER_SEED. */

export interface Random {
  readonly seed: number
  /** From 0 to 1. */
  readonly next: () => number
  /** From 0 to `end` - 1. */
  readonly int: (end: number) => number
  readonly pick: <A>(list: ReadonlyArray<A>) => A
  readonly chance: (share: number) => boolean
}

/** Mulberry32: short, and good enough to choose by. */
const make = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (end: number): number => Math.floor(next() * end)
  return { seed, next, int, pick: (list) => list[int(list.length)]!, chance: (share) => next() < share }
}

export const fromEnvironment = (): Random => {
  const seed = Number(process.env["CLUSTER_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`CLUSTER_SEED=${seed}`)
  return make(seed)
}
