/**
 * One call of `sim`: makes all runs, shows how far it is, makes runs that failed smaller, and says how it went. Lines of
 * `--json` come in the order of the seeds, however many run at once.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { writeFileSync } from "node:fs"
import type { Worker } from "node:worker_threads"
import { type CliFailure, failure } from "./failure.ts"
import type { Screen } from "./progress.ts"
import * as Pool from "./sim-pool.ts"
import { type Run, type Series, seriesOf, type SimFlags } from "./sim-series.ts"
import type { Order, Smaller } from "./sim-serve.ts"
import {
  duration,
  factsOf,
  failedOf,
  findingLine,
  headline,
  lineOf,
  type Outcome,
  progressOf,
  Totals
} from "./sim-summary.ts"
import { harmless } from "./terminal/harmless.ts"

/** Between two looks at how far it is, ms. */
const progressMs = 1_000
/** Runs that failed and are told of in full; more are only counted. */
const toldMax = 20
/** Runs that failed and are made smaller: each for another oracle. */
const shrunkMax = 3
const triesMax = 150
/** Shrinking ends after this, ms, with what it has. */
const shrinkMsMax = 10 * 60_000
/** Findings of one run told in a series. */
const findingsTold = 5

/** What goes before arguments to repeat a run: in a checkout, or where the package is installed. */
const command = import.meta.url.endsWith(".ts") ? "npm run sim --" : "npx p2p-mes sim"

interface Failed {
  readonly outcome: Outcome
  readonly replay: string
  smaller: Smaller | undefined
  complete: boolean
}

/** What has happened so far. */
interface State {
  readonly startedMs: number
  readonly totals: Totals
  readonly failed: Array<Failed>
  only: Outcome | undefined
  /** Lines of `--json` that wait for an earlier one: a run waits for others no longer than the time limit. */
  readonly waiting: Map<number, string>
  printed: number
  interrupted: boolean
}

/** The arguments of a run that has no report. */
const argumentsOf = Effect.fnUntraced(function*(run: Run) {
  const { planFor, replayArguments } = yield* Effect.promise(async () => ({
    ...await import("../testing/simulation.ts"),
    ...await import("../testing/shrink.ts")
  }))
  // of a report, these parts are what arguments are made of
  const report = { options: run, plan: planFor(run), profile: run.profile }
  return replayArguments(report, run.steps)
})

const orderOf = (run: Run, what: Order["what"], page: boolean): Order => ({ what, run, page, triesMax })

/** Makes one run; one that does not end is an outcome too. */
const attempt = Effect.fnUntraced(function*(hand: Pool.Hand, run: Run, page: boolean, msMax: number) {
  const startedMs = Date.now()
  const lost = (oracle: string, why: string): Outcome => ({
    run,
    ran: undefined,
    findings: [{ oracle, text: why }],
    wallMs: Date.now() - startedMs
  })
  return yield* hand.ask(orderOf(run, "run", page), msMax).pipe(
    Effect.map((told): Outcome =>
      told._tag === "Ran"
        ? { run, ran: told.ran, findings: told.ran.findings, wallMs: Date.now() - startedMs }
        : lost("crash", told._tag === "Broke" ? told.why : "its thread said something else")
    ),
    Effect.catchTag("RunLost", ({ reason, why }) => Effect.succeed(lost(reason, why)))
  )
})

/** Those to make smaller: the first for each oracle. A run that did not end has nothing to go by. */
const toShrink = (failed: ReadonlyArray<Failed>): ReadonlyArray<Failed> => {
  const seen = new Set<string>()
  const first = failed.filter(({ outcome }) => {
    const oracle = outcome.findings[0]!.oracle
    const isNew = outcome.ran !== undefined && outcome.run.keep === undefined && !seen.has(oracle)
    seen.add(oracle)
    return isNew
  })
  return first.slice(0, shrunkMax)
}

const sizeText = ({ size: { acts, faults, nodes } }: Smaller): string =>
  `${nodes} nodes, ${acts} actions, ${faults} faults`

const failedText = (single: boolean) => ({ complete, outcome, replay, smaller }: Failed): string => {
  const { findings, ran } = outcome
  const more = findings.length - findingsTold
  const story = single && ran?.story !== undefined
    ? harmless(ran.story.slice(ran.story.indexOf("\n") + 1))
    : [...findings.slice(0, findingsTold).map(findingLine), ...(more > 0 ? [`${more} more findings`] : [])].join("\n")
  return [
    headline(outcome, process.stdout),
    ...story.split("\n").map((line) => `  ${line}`),
    `  again:  ${command} ${replay}`,
    ...(smaller === undefined || smaller.tries === 0 ? [] : [
      `  shrunk: ${command} ${smaller.arguments}`,
      `  to ${sizeText(smaller)}, in ${smaller.tries} tries${complete ? "" : ", not to the end"}`
      + (smaller.finding === undefined ? "" : `; ${findingLine(smaller.finding)}`),
      ...smaller.story.map((line) => `    ${harmless(line)}`)
    ]),
    ...(single || ran === undefined ? [] : ["  look at it: add --html history.html"])
  ].join("\n")
}

/** Everything for people at the end, or as far as it got. */
const summary = (flags: SimFlags, { count }: Series, state: State): string => {
  const { failed, interrupted, only, startedMs, totals } = state
  const tookMs = Date.now() - startedMs
  const single = count === 1
  const told = failed.map(failedText(single))
  const untold = totals.failed - told.length
  const parts = [...told, ...(untold > 0 ? [`${untold} more seeds failed`] : [])]
  if (single && only?.ran !== undefined && !failedOf(only))
    parts.push(headline(only, process.stdout), factsOf(only.ran))
  if (!single && totals.done > 0) {
    parts.push(
      totals.table(tookMs, flags.jobs),
      `${totals.done} of ${count} seeds in ${duration(tookMs)}, ${flags.jobs} at once, ${totals.failed} failed`
    )
  }
  if (interrupted) parts.push(`stopped after ${totals.done} of ${count} seeds`)
  return parts.join("\n")
}

/** Runs all of a series. Fails when a run did. `make` starts a thread. */
export const session = (
  flags: SimFlags,
  screen: Screen,
  make: () => Worker = Pool.spawn
): Effect.Effect<void, CliFailure> =>
  Effect.gen(function*() {
    const series = yield* seriesOf(flags)
    const { count } = series
    const msMax = flags.timeLimit * 1_000
    const state: State = {
      startedMs: Date.now(),
      totals: new Totals(),
      failed: [],
      only: undefined,
      waiting: new Map(),
      printed: 0,
      interrupted: false
    }
    const { totals } = state
    let doing = () => progressOf(totals, count, Date.now() - state.startedMs)

    const printing = Semaphore.makeUnsafe(1)
    const inOrder = Effect.gen(function*() {
      for (let line = state.waiting.get(state.printed); line !== undefined; line = state.waiting.get(state.printed)) {
        state.waiting.delete(state.printed++)
        yield* screen.print(line)
      }
    })

    const took = Effect.fnUntraced(function*(i: number, outcome: Outcome) {
      totals.add(outcome)
      if (count === 1) state.only = outcome
      let replay: string | undefined
      if (failedOf(outcome)) {
        replay = outcome.ran?.arguments ?? (yield* argumentsOf(outcome.run))
        if (state.failed.length < toldMax) state.failed.push({ outcome, replay, smaller: undefined, complete: false })
        if (count > 1) yield* screen.note(headline(outcome, process.stderr))
      }
      if (!flags.json) return
      state.waiting.set(i, lineOf(outcome, replay, flags.timing))
      yield* Semaphore.withPermit(printing, inOrder)
    })

    let next = 0
    const work = Effect.fnUntraced(function*(hand: Pool.Hand) {
      while (next < count) {
        const i = next++
        yield* took(i, yield* attempt(hand, series.at(i), flags.html !== undefined, msMax))
      }
    })

    const smaller = Effect.fnUntraced(function*(hand: Pool.Hand, failed: Failed, tell: (text: string) => void) {
      const { run } = failed.outcome
      const told = yield* hand.ask(orderOf(run, "shrink", false), shrinkMsMax, (each) => {
        if (each._tag !== "Tried") return
        failed.smaller = each.best
        tell(`seed ${run.seed}: try ${each.best.tries} of ${triesMax}, ${sizeText(each.best)}`)
      }).pipe(Effect.catchTag("RunLost", () => Effect.void))
      if (told?._tag !== "Shrunk") return
      failed.smaller = told.best
      failed.complete = told.complete
    })

    const all = Effect.gen(function*() {
      const hands = yield* Effect.all(Array.from({ length: Math.min(flags.jobs, count) }, () => Pool.hand(make)))
      const each = (does: (hand: Pool.Hand) => Effect.Effect<void>) =>
        Effect.forEach(hands, does, { concurrency: "unbounded", discard: true })
      yield* Effect.forkScoped(Effect.forever(
        Effect.andThen(Effect.suspend(() => screen.progress(...doing())), Effect.sleep(progressMs))
      ))
      yield* each(work)
      state.failed.sort((a, b) => a.outcome.run.seed - b.outcome.run.seed)
      if (flags.noShrink) return
      const tried = new Map<Failed, string>()
      const left = [...toShrink(state.failed)]
      doing = () => [`making it smaller: ${[...tried.values()].join("; ") || "…"}`]
      yield* each(Effect.fnUntraced(function*(hand) {
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          const failed = next
          yield* smaller(hand, failed, (text) => tried.set(failed, text))
          tried.delete(failed)
        }
      }))
    }).pipe(Effect.scoped)

    const end = Effect.suspend(() => {
      const text = summary(flags, series, state)
      return text === "" ? screen.clear : flags.json ? screen.note(text) : screen.print(text)
    })
    yield* all.pipe(
      Effect.onInterrupt(() => {
        state.interrupted = true
        return end
      })
    )
    yield* end
    const html = state.only?.ran?.page
    if (flags.html !== undefined && html !== undefined) {
      const file = flags.html
      yield* Effect.try({
        try: () => writeFileSync(file, html),
        catch: (cause) => failure(`--html: cannot write the page: ${(cause as Error).message}`)
      })
      yield* screen.note(`the history is in ${file}`)
    }
    if (totals.failed > 0)
      return yield* failure(count === 1 ? "the run failed" : `${totals.failed} of ${count} seeds failed`)
  })
