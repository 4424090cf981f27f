/**
 * From a run that fails to the least that still fails: fewest events, then fewest nodes. A smaller run counts only when the
 * same oracle sees something wrong, so that one bug is not followed into another.
 *
 * The way is delta debugging: ever smaller parts of the plan are left out, and what can go is gone for good.
 */
import * as Effect from "effect/Effect"
import { rangesOf } from "./plan.ts"
import { type Report, simulate, type SimulationOptions } from "./simulation.ts"

/** Runs tried, unless told otherwise. */
const triesMax = 150

export interface Shrunk {
  /** The smallest run that was found; `keep` and `absent` say what is left. */
  readonly report: Report
  readonly tries: number
  /** False when it ended because it had tried enough. */
  readonly complete: boolean
}

/** Who saw the trouble first. */
export const oracleOf = ({ findings }: Report): string | undefined => findings[0]?.oracle

interface Search {
  best: Report
  tries: number
}

/** What is left of the plan of a run. */
const eventsOf = ({ options, plan }: Report): ReadonlyArray<number> =>
  plan.events.filter(({ n }) => options.keep?.has(n) !== false).map(({ n }) => n)

/** Makes a run that failed smaller. A report without findings is given back as it is. */
export const shrink = (
  failed: Report,
  options: {
    readonly triesMax?: number | undefined
    /** Told of each try. */
    readonly tried?: ((best: Report, tries: number) => void) | undefined
  } = {}
): Effect.Effect<Shrunk> =>
  Effect.gen(function*() {
    const most = options.triesMax ?? triesMax
    const oracle = oracleOf(failed)
    const search: Search = { best: failed, tries: 0 }
    if (oracle === undefined) return { report: failed, tries: 0, complete: true }

    const attempt = (change: Partial<SimulationOptions>) =>
      Effect.gen(function*() {
        search.tries++
        const report = yield* simulate({ ...search.best.options, ...change })
        const fails = report.findings.some((finding) => finding.oracle === oracle)
        if (fails) search.best = report
        options.tried?.(search.best, search.tries)
        return fails
      })
    const only = (events: ReadonlyArray<number>) => attempt({ keep: new Set(events) })

    // what comes after the first sign of trouble has no part in it
    const [first] = failed.findings
    const atMs = first!.atMs > failed.leaptMs ? first!.atMs - failed.leaptMs : first!.atMs
    const before = eventsOf(failed).filter((n) => failed.plan.events[n]!.atMs <= atMs)
    if (before.length < eventsOf(failed).length) yield* only(before)

    const withoutParts = Effect.fnUntraced(function*(goes: (n: number) => boolean) {
      let parts = 2
      while (search.tries < most) {
        const events = eventsOf(search.best)
        const candidates = events.filter(goes)
        if (candidates.length === 0) return
        const size = Math.max(1, Math.ceil(candidates.length / parts))
        let smaller = false
        for (let from = 0; from < candidates.length && search.tries < most; from += size) {
          const out = new Set(candidates.slice(from, from + size))
          const left = eventsOf(search.best).filter((n) => !out.has(n))
          smaller = (yield* only(left)) || smaller
        }
        if (size === 1 && !smaller) return
        if (!smaller || size > 1) parts = Math.min(parts * 2, candidates.length)
      }
    })
    const { events } = failed.plan
    yield* withoutParts((n) => events[n]!.fault !== undefined)
    yield* withoutParts((n) => events[n]!.fault === undefined)
    for (let node = failed.plan.nodes - 1; node > 0 && search.tries < most; node--) {
      yield* attempt({ absent: new Set([...search.best.options.absent ?? [], node]) })
    }
    // with fewer nodes, and fewer actions, more faults may go
    yield* withoutParts(() => true)
    return { report: search.best, tries: search.tries, complete: search.tries < most }
  })

/** The arguments of `p2p-mes sim` that repeat a run. */
export const replayArguments = (
  { options, plan, profile }: Pick<Report, "options" | "plan" | "profile">,
  steps: number
): string => {
  const parts = [`--seed ${options.seed}`, `--profile ${profile}`, `--nodes ${plan.nodes}`, `--steps ${steps}`]
  const { absent, keep, seeds } = options
  for (const part of ["network", "faults", "workload"] as const) {
    if (seeds?.[part] !== undefined) parts.push(`--${part}-seed ${seeds[part]}`)
  }
  if (keep !== undefined) parts.push(`--keep ${rangesOf(keep) || "none"}`)
  if (absent !== undefined && absent.size > 0) parts.push(`--absent ${rangesOf(absent)}`)
  return parts.join(" ")
}
