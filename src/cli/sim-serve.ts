/**
 * What a thread of `sim` does: one run after the other, each told as plain data. A run keeps a core busy for a second or
 * more, so it must not be where the screen and Ctrl-C are looked after.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { MessagePort } from "node:worker_threads"
import { describe, sizeOf, storyOf } from "../testing/describe.ts"
import { page } from "../testing/page/page.ts"
import { faultKinds } from "../testing/profiles.ts"
import { replayArguments, shrink } from "../testing/shrink.ts"
import { type Report, simulate, type SimulationOptions } from "../testing/simulation.ts"
import type { Run } from "./sim-series.ts"

export interface Order {
  readonly what: "run" | "shrink"
  readonly run: Run
  /** Whether the page of the history is wanted. */
  readonly page: boolean
  /** Runs that shrinking may try. */
  readonly triesMax: number
}

/** Something that was seen to be wrong. Without a time: the run itself did not end. */
export interface Fault {
  readonly oracle: string
  /** Virtual ms. */
  readonly atMs?: number | undefined
  readonly text: string
}

/** A run that ended, whatever it found. */
export interface Ran {
  readonly history: string
  readonly findings: ReadonlyArray<Fault>
  readonly virtualMs: number
  readonly actions: number
  readonly faults: ReadonlyArray<readonly [kind: string, count: number]>
  readonly records: number
  readonly entries: number
  readonly convergedMs: number | undefined
  readonly cpuMs: number
  /** Of `sim`, which repeat it. */
  readonly arguments: string
  /** The whole story, when it failed. */
  readonly story: string | undefined
  readonly page: string | undefined
}

/** The smallest run so far that fails. */
export interface Smaller {
  readonly arguments: string
  readonly size: { readonly acts: number; readonly faults: number; readonly nodes: number }
  readonly finding: Fault | undefined
  /** Its history: what users and nodes did. */
  readonly story: ReadonlyArray<string>
  readonly tries: number
}

export type Told =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Tried"; readonly best: Smaller }
  | { readonly _tag: "Shrunk"; readonly best: Smaller; readonly complete: boolean }
  | { readonly _tag: "Ran"; readonly ran: Ran }
  | { readonly _tag: "Broke"; readonly why: string }

/** Lines of the end of the history in the story of a run that failed. */
const tailLines = 25

const stepsOf = ({ options }: Report): number => options.steps!

const cpuMs = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

const ranOf = (report: Report, cpu: number, withPage: boolean): Ran => {
  const failed = report.findings.length > 0
  return {
    history: report.history,
    findings: report.findings,
    virtualMs: report.virtualMs,
    actions: report.acts,
    faults: faultKinds.flatMap((kind) => {
      const count = report.faults.get(kind)
      return count === undefined ? [] : [[kind, count] as const]
    }),
    records: report.records,
    entries: report.entries,
    convergedMs: report.convergedMs,
    cpuMs: cpu,
    arguments: replayArguments(report, stepsOf(report)),
    story: failed ? describe(report, tailLines) : undefined,
    page: withPage ? page(report) : undefined
  }
}

const smallerOf = (report: Report, tries: number): Smaller => ({
  arguments: replayArguments(report, stepsOf(report)),
  size: sizeOf(report),
  finding: report.findings[0],
  story: storyOf(report),
  tries
})

/** `always`: options that every run has, for tests that break something. */
export const serve = (port: MessagePort, always: Partial<SimulationOptions> = {}): void => {
  const tell = (told: Told): void => port.postMessage(told)

  const obey = Effect.fnUntraced(function*({ page: withPage, run, triesMax, what }: Order) {
    const before = cpuMs()
    const report = yield* simulate({ ...run, history: withPage, ...always })
    if (what === "run") return tell({ _tag: "Ran", ran: ranOf(report, cpuMs() - before, withPage) })
    const { complete, report: smallest, tries } = yield* shrink(report, {
      triesMax,
      tried: (best, tries) => tell({ _tag: "Tried", best: smallerOf(best, tries) })
    })
    tell({ _tag: "Shrunk", best: smallerOf(smallest, tries), complete })
  })

  port.on("message", (order: Order) => {
    Effect.runFork(
      Effect.catchCause(obey(order), (cause) => Effect.sync(() => tell({ _tag: "Broke", why: Cause.pretty(cause) })))
    )
  })
  tell({ _tag: "Ready" })
}
