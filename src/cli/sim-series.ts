/**
 * Which runs one call of `sim` makes: each is known by its place in the series, so that none need be made before its turn.
 * What a seed decides, here the number of nodes and the profile, it decides alone, whatever the series.
 */
import * as Effect from "effect/Effect"
import { parseRanges, type Seeds } from "../testing/plan.ts"
import { type ProfileName, profileNames } from "../testing/profiles.ts"
import { Random } from "../testing/random.ts"
import { type CliFailure, usage } from "./failure.ts"
import * as Defaults from "./sim-defaults.ts"

/** Nodes at the start where the call does not say how many. */
const nodesMin = 3
const nodesMost = 7

/** What was asked for: the options of `sim`, as they were given. */
export interface SimFlags {
  readonly seeds: number | undefined
  readonly from: number | undefined
  readonly seed: number | undefined
  readonly profile: ProfileName | "all"
  readonly nodes: number | undefined
  readonly steps: number
  readonly networkSeed: number | undefined
  readonly faultsSeed: number | undefined
  readonly workloadSeed: number | undefined
  readonly keep: string | undefined
  readonly absent: string | undefined
  readonly jobs: number
  readonly timeLimit: number
  readonly html: string | undefined
  readonly noShrink: boolean
  readonly timing: boolean
  readonly json: boolean
}

/** Options of one run, which can be told to a thread. */
export interface Run {
  readonly seed: number
  readonly profile: ProfileName
  readonly nodes: number
  readonly steps: number
  readonly seeds?: Partial<Seeds> | undefined
  readonly keep?: ReadonlySet<number> | undefined
  readonly absent?: ReadonlySet<number> | undefined
}

export interface Series {
  readonly count: number
  readonly at: (i: number) => Run
}

/** Nodes of a run, 3 to 7, where the call does not say. */
export const nodesOf = (seed: number): number => new Random(`nodes ${seed}`).between(nodesMin, nodesMost)

/** The profile of a run under `--profile all`: neighbours differ. */
export const profileOfSeed = (seed: number): ProfileName => profileNames[seed % profileNames.length]!

const ranges = Effect.fnUntraced(function*(name: string, text: string | undefined) {
  if (text === undefined) return undefined
  const numbers = parseRanges(text === "none" ? "" : text)
  return numbers ??
    (yield* usage(`--${name}: expected numbers and ranges such as 0-3,7, or none, got ${JSON.stringify(text)}`))
})

/** The runs that the options ask for. Fails with a usage error that names the option. */
export const seriesOf = (flags: SimFlags): Effect.Effect<Series, CliFailure> =>
  Effect.gen(function*() {
    const { absent, from = 1, html, keep, seed, seeds: count = Defaults.seeds, steps } = flags
    if (seed === undefined) {
      for (const [name, value] of Object.entries({ keep, absent, html })) {
        if (value !== undefined) return yield* usage(`--${name} is of one run: name it with --seed`)
      }
    } else {
      for (const name of ["seeds", "from"] as const) {
        if (flags[name] !== undefined)
          return yield* usage(`--${name} asks for a series, --seed for one run: give one of them`)
      }
    }
    const part = { network: flags.networkSeed, faults: flags.faultsSeed, workload: flags.workloadSeed }
    const seeds = Object.fromEntries(
      Object.entries(part).filter(([, each]) => each !== undefined)
    ) as Partial<Seeds>
    const left: Pick<Run, "seeds" | "keep" | "absent"> = {
      seeds: Object.keys(seeds).length === 0 ? undefined : seeds,
      keep: yield* ranges("keep", keep),
      absent: yield* ranges("absent", absent)
    }
    const first = seed ?? from
    const nodesAt = (each: number): number => flags.nodes ?? nodesOf(each)
    if (left.absent !== undefined) {
      const there = Array.from({ length: nodesAt(first) }, (_, i) => i).filter((i) => !left.absent!.has(i))
      if (there.length === 0) return yield* usage("--absent: at least one of the nodes has to stay")
    }
    const at = (i: number): Run => {
      const each = first + i
      const profile = flags.profile === "all" ? profileOfSeed(each) : flags.profile
      return { seed: each, profile, nodes: nodesAt(each), steps, ...left }
    }
    return { count: seed === undefined ? count : 1, at }
  })
