/** What an operator must know, in words: whether the node does its work, and what is the matter. */
import { shownMs } from "./history.ts"
import type { State } from "./state.ts"
import * as Words from "./words.ts"

/** Clocks of the node and of this computer: less is the time that an answer takes, ms. */
const aheadMsMax = 5_000

export interface Condition {
  readonly kind: "good" | "bad" | ""
  readonly text: string
}

/** The state in a few words that change only when it does. */
export const condition = ({ atMs, readiness, silentSinceMs }: State): Condition => {
  if (silentSinceMs !== undefined) {
    return { kind: "bad", text: `no answer since ${Words.timeOfDay(silentSinceMs, atMs)}` }
  }
  if (readiness.value === undefined || readiness.problem !== undefined) return { kind: "", text: "not known" }
  return readiness.value.ready ? { kind: "good", text: "ready" } : { kind: "bad", text: "not ready" }
}

export interface Notice {
  readonly kind: "bad" | "warn" | ""
  readonly text: string
}

/** What is shown is old, or a part of it cannot be had. */
const unanswered = ({ atMs, metrics, node, peers, readiness, silentSinceMs }: State): ReadonlyArray<Notice> => {
  if (silentSinceMs !== undefined) {
    const old = node.value === undefined ? "" : " What is shown below is old."
    return [{
      kind: "bad",
      text: `The node has not answered for ${Words.span(atMs - silentSinceMs)} (${node.problem ?? "no reason given"}). `
        + `This page goes on asking.${old}`
    }]
  }
  const parts = [["readiness", readiness], ["peers", peers], ["figures", metrics]] as const
  return parts.flatMap(([name, { problem }]): ReadonlyArray<Notice> =>
    problem === undefined ? [] : [{ kind: "warn", text: `No ${name}: ${problem}` }]
  )
}

const order: ReadonlyArray<Notice["kind"]> = ["bad", "warn", ""]

/** All that is the matter, worst first. */
export const notices = (state: State): ReadonlyArray<Notice> => {
  const { aheadMs, atMs, history, metrics, readiness, silentSinceMs } = state
  const found: Array<Notice> = [...unanswered(state)]
  const add = (kind: Notice["kind"], text: string) => found.push({ kind, text })
  for (const problem of readiness.value?.problems ?? []) add("bad", problem)
  for (const warning of readiness.value?.warnings ?? []) add("warn", warning)
  if (Math.abs(aheadMs) > aheadMsMax && silentSinceMs === undefined) {
    add(
      "warn",
      `The node's clock is ${Words.span(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"} this computer's.`
    )
  }
  const skipped = metrics.value?.skippedLines ?? 0
  if (skipped > 0) add("warn", `/metrics has ${Words.counted(skipped, "line")} that cannot be read.`)
  if (history.restartedMs !== undefined && atMs - history.restartedMs < shownMs) {
    add("", `The node was started again at ${Words.timeOfDay(history.restartedMs, atMs)}.`)
  }
  return found.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}
