/** What `sim` says of runs: a JSON line each, sums by profile, words for people. */
import { profileNames } from "../testing/profiles.ts"
import { restText } from "./progress.ts"
import type { Run } from "./sim-series.ts"
import type { Fault, Ran } from "./sim-serve.ts"
import { bold, green, red } from "./terminal/colour.ts"
import { harmless } from "./terminal/harmless.ts"

/** How a run went. `ran` is missing when it did not end. */
export interface Outcome {
  readonly run: Run
  readonly ran: Ran | undefined
  readonly findings: ReadonlyArray<Fault>
  /** Real ms, with what it waited for a core. */
  readonly wallMs: number
}

export const failedOf = ({ findings }: Outcome): boolean => findings.length > 0

const micros = (ms: number): number => Math.round(ms * 1_000) / 1_000

/** One line of `--json`. The same run gives the same line, unless times are asked for. */
export const lineOf = ({ findings, ran, run, wallMs }: Outcome, replay: string | undefined, timing: boolean): string =>
  JSON.stringify({
    seed: run.seed,
    profile: run.profile,
    nodes: run.nodes,
    steps: run.steps,
    verdict: findings.length === 0 ? "ok" : "failed",
    history_hash: ran?.history ?? null,
    findings: findings.map(({ atMs, oracle, text }) => ({
      oracle,
      at_ms: atMs === undefined ? null : micros(atMs),
      text
    })),
    virtual_ms: ran === undefined ? null : micros(ran.virtualMs),
    actions: ran?.actions ?? null,
    faults: ran === undefined ? null : Object.fromEntries(ran.faults),
    records: ran?.records ?? null,
    entries: ran?.entries ?? null,
    converged_ms: ran?.convergedMs ?? null,
    ...(replay === undefined ? {} : { replay }),
    ...(timing ? { cpu_ms: ran === undefined ? null : Math.round(ran.cpuMs), wall_ms: Math.round(wallMs) } : {})
  })

interface Sums {
  seeds: number
  failed: number
  virtualMs: number
  actions: number
  faults: number
  records: number
  slowestMs: number
  wallMs: number
}

const none = (): Sums => ({
  seeds: 0,
  failed: 0,
  virtualMs: 0,
  actions: 0,
  faults: 0,
  records: 0,
  slowestMs: 0,
  wallMs: 0
})

/** A length of time in the unit that says enough. */
export const duration = (ms: number): string => {
  const s = Math.max(0, ms / 1_000)
  if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`
  return s < 7_200 ? `${Math.round(s / 60)} min` : `${(s / 3_600).toFixed(1)} h`
}

const perMinute = (count: number, ms: number): string => {
  const rate = ms <= 0 ? 0 : (count * 60_000) / ms
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate))
}

const columns = [
  "profile",
  "seeds",
  "failed",
  "virtual h",
  "actions",
  "faults",
  "records",
  "slowest equal",
  "seeds/min"
]

const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  )
}

/** Sums over the runs so far. */
export class Totals {
  readonly #byProfile = new Map<string, Sums>()
  readonly #all = none()
  readonly #faults = new Map<string, number>()
  #fewestActions = Infinity
  #fewestFaults = Infinity

  get done(): number {
    return this.#all.seeds
  }

  get failed(): number {
    return this.#all.failed
  }

  add(outcome: Outcome): void {
    const { ran, run, wallMs } = outcome
    const own = this.#byProfile.get(run.profile) ?? none()
    this.#byProfile.set(run.profile, own)
    const faults = ran?.faults.reduce((sum, [, count]) => sum + count, 0) ?? 0
    for (const sums of [own, this.#all]) {
      sums.seeds++
      if (failedOf(outcome)) sums.failed++
      sums.virtualMs += ran?.virtualMs ?? 0
      sums.actions += ran?.actions ?? 0
      sums.faults += faults
      sums.records += ran?.records ?? 0
      sums.slowestMs = Math.max(sums.slowestMs, ran?.convergedMs ?? 0)
      sums.wallMs += wallMs
    }
    if (ran === undefined) return
    for (const [kind, count] of ran.faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count)
    this.#fewestActions = Math.min(this.#fewestActions, ran.actions)
    this.#fewestFaults = Math.min(this.#fewestFaults, faults)
  }

  /** The table, and the faults by kind. `tookMs`: real time of all; `jobs`: runs at once. */
  table(tookMs: number, jobs: number): string {
    const row = (name: string, sums: Sums, ms: number): ReadonlyArray<string> => [
      name,
      String(sums.seeds),
      String(sums.failed),
      (sums.virtualMs / 3_600_000).toFixed(2),
      String(sums.actions),
      String(sums.faults),
      String(sums.records),
      `${Math.round(sums.slowestMs / 1_000)} s`,
      perMinute(sums.seeds, ms)
    ]
    const rows = profileNames.flatMap((name) => {
      const sums = this.#byProfile.get(name)
      return sums === undefined ? [] : [row(name, sums, sums.wallMs / jobs)]
    })
    const [head, ...lines] = aligned([columns, ...rows, ...(rows.length > 1 ? [row("all", this.#all, tookMs)] : [])])
    const kinds = [...this.#faults].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([kind, n]) =>
      `${n} ${kind}`
    )
    return [
      bold(head!),
      ...lines,
      ...(kinds.length === 0 ? [] : [`faults: ${kinds.join(", ")}`]),
      ...(Number.isFinite(this.#fewestActions)
        ? [`a seed has at least ${this.#fewestActions} actions and ${this.#fewestFaults} faults`]
        : [])
    ].join("\n")
  }
}

/** How far a series is: words, and the share that is done. */
export const progressOf = (
  { done, failed }: Totals,
  count: number,
  tookMs: number
): readonly [text: string, share?: number] => {
  const share = done / count
  const rest = restText(share, tookMs)
  return [`${done} of ${count} seeds, ${failed} failed, ${perMinute(done, tookMs)} a minute${rest}`, share]
}

const whenOf = ({ atMs }: Fault): string => atMs === undefined ? "" : `${(atMs / 1_000).toFixed(3)} s `

export const findingLine = (finding: Fault): string =>
  `${whenOf(finding)}${harmless(finding.oracle)}: ${harmless(finding.text, "    ")}`

/** One line about a run, for a stream. */
export const headline = (outcome: Outcome, stream: NodeJS.WriteStream): string => {
  const { findings, run } = outcome
  const what = `seed ${run.seed}, ${run.profile}, ${run.nodes} nodes, ${run.steps} steps`
  const more = findings.length > 1 ? ` and ${findings.length - 1} more` : ""
  return failedOf(outcome)
    ? `${red("failed", stream)} ${what}: ${harmless(findings[0]!.oracle)}${more}`
    : `${green("ok", stream)} ${what}`
}

/** A single run that went well. */
export const factsOf = ({ convergedMs, cpuMs, entries, faults, history, actions, records, virtualMs }: Ran): string =>
  [
    `history   ${history}, ${entries} entries`,
    `time      ${duration(virtualMs)} virtual, ${duration(cpuMs)} of a core`,
    `actions   ${actions}`,
    `faults    ${faults.map(([kind, count]) => `${count} ${kind}`).join(", ") || "none"}`,
    `records   ${records}, equal ${
      convergedMs === undefined ? "never" : `${duration(convergedMs)} after all was healed`
    }`
  ].join("\n")
