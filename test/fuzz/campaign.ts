/**
 * Feeds a target: its corpus first, then changed items of it, drawn from one seed. An input whose outcome is new joins
 * the pool that the next ones are made of.
 */
import { Dice } from "../domain/records.ts"
import { mutate } from "./mutators.ts"
import { execute, type Target, Violation } from "./target.ts"

/** An input that broke a promise, as small as it could be made. */
export class Crash extends Error {
  override readonly name = "Crash"
  readonly target: string
  readonly input: Uint8Array
  constructor(target: string, input: Uint8Array, cause: Violation) {
    super(`${target}: ${cause.message}\ninput (${input.length} bytes): ${input.toHex().slice(0, 2_000)}`, { cause })
    this.target = target
    this.input = input
  }
}

export interface Campaign {
  readonly cases: number
  /** Inputs with an outcome that none before had, without those of the corpus. */
  readonly found: ReadonlyArray<Uint8Array>
  /** Different outcomes. */
  readonly outcomes: number
}

const isBroken = async (target: Target, input: Uint8Array): Promise<Violation | undefined> => {
  try {
    await execute(target, input)
    return undefined
  } catch (error) {
    return error as Violation
  }
}

/** Tries that making a failing input smaller may take. */
const shrinkTriesMax = 400

/** Cuts pieces out for as long as the promise stays broken. */
const shrink = async (target: Target, input: Uint8Array, cause: Violation): Promise<Crash> => {
  let [best, why, tries] = [input, cause, 0]
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && tries < shrinkTriesMax; tries++) {
      const less = Uint8Array.of(...best.subarray(0, at), ...best.subarray(at + size))
      const broken = await isBroken(target, less)
      if (broken === undefined) at += size
      else [best, why] = [less, broken]
    }
  }
  return new Crash(target.name, best, why)
}

/** Items that the pool holds beside the corpus. */
const poolMax = 4_000

/** What was found last leads further, and what is valid is one change away from what should not be; the rest by chance. */
const parentOf = (dice: Dice, seeds: ReadonlyArray<Uint8Array>, pool: ReadonlyArray<Uint8Array>): Uint8Array => {
  const from = dice.below(3)
  return dice.pick(from === 0 ? seeds : from === 1 ? pool.slice(-32) : pool)
}

/** Runs all of `corpus`, then random cases until `enough` of them says so. Fails with a {@link Crash}. */
export const campaign = async (
  target: Target,
  corpus: ReadonlyArray<Uint8Array>,
  options: { readonly seed: number; readonly enough: (cases: number) => boolean }
): Promise<Campaign> => {
  const dice = new Dice(options.seed)
  const seen = new Set<string>()
  const found: Array<Uint8Array> = []
  const pool: Array<Uint8Array> = []
  let cases = 0
  /** Whether the outcome is new. */
  const feed = async (input: Uint8Array): Promise<boolean> => {
    cases++
    try {
      const before = seen.size
      return seen.add(await execute(target, input)).size > before
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      throw await shrink(target, input, error)
    }
  }
  for (const input of corpus) {
    await feed(input)
    pool.push(input)
  }
  for (const input of target.seeds) {
    if (await feed(input)) found.push(input)
    pool.push(input)
  }
  const began = cases
  while (!options.enough(cases - began)) {
    const parent = parentOf(dice, target.seeds, pool)
    const input = mutate(dice, target.mutators, parent, () => dice.pick(pool)).slice(0, target.bytesMax)
    if (!(await feed(input))) continue
    found.push(input)
    if (pool.length < poolMax) pool.push(input)
  }
  return { cases, found, outcomes: seen.size }
}
