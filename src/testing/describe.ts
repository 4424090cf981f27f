/** A run in words, for people. */
import { replayArguments } from "./shrink.ts"
import { defaults, type Report } from "./simulation.ts"
import { type EntryKind, lineOf } from "./trace.ts"

/** Findings told in full. */
const findingsTold = 20

/** The command that repeats a run. */
export const replayCommand = (report: Report): string =>
  `npm run sim -- ${replayArguments(report, report.options.steps ?? defaults.steps)}`

/** What is left of the plan, as one line: how many actions and faults. */
export const sizeOf = (
  { options, plan }: Report
): { readonly acts: number; readonly faults: number; readonly nodes: number } => {
  const left = plan.events.filter(({ n }) => options.keep?.has(n) !== false)
  const acts = left.filter(({ fault }) => fault === undefined).length
  return { acts, faults: left.length - acts, nodes: plan.nodes - (options.absent?.size ?? 0) }
}

const toldKinds: ReadonlySet<EntryKind> = new Set(["life", "fault", "write", "answer", "log", "finding"])

/** What happened in a run, without the traffic: what users and nodes did, up to this many lines, the last ones. */
export const storyOf = ({ told }: Report, linesMax = 40): ReadonlyArray<string> => {
  const lines = told.filter(({ kind }) => toldKinds.has(kind)).map(lineOf)
  const left = lines.length - linesMax
  return left <= 0 ? lines : [`${left} lines before`, ...lines.slice(left)]
}

/** What a person needs to look at a run that went wrong: how to repeat it, what was seen, and the end of its history. */
export const describe = (report: Report, tailLines = 40): string => {
  const { acts, faults, nodes } = sizeOf(report)
  const { findings } = report
  return [
    replayCommand(report),
    `${nodes} nodes, ${acts} actions and ${faults} faults planned; history ${report.history}`,
    ...(findings.length === 0 ? ["all is well"] : []),
    ...findings.slice(0, findingsTold).map(({ atMs, oracle, text }) =>
      `${(atMs / 1_000).toFixed(3)} s ${oracle}: ${text}`
    ),
    ...(findings.length > findingsTold ? [`${findings.length - findingsTold} more findings`] : []),
    ...(findings.length === 0 || tailLines === 0
      ? []
      : ["the end of its history:", ...report.told.slice(-tailLines).map(lineOf)])
  ].join("\n")
}
