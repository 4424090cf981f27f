/**
 * Which node is asked for events next, and when: the node that one is used to for a few failures or seconds, then each in
 * turn, with pauses that grow while nothing gets better.
 *
 * Pure: time and chance come from the caller, ms.
 */

/** Doubled with each failure in a row. */
const pauseMsMin = 100
const pauseMsMax = 10_000
/** A node that fails so often in a row, or for so long, is left for the next. */
const failuresMax = 3
const awayMsMax = 5_000
/** A stream that stood for this long was a good one, even if it told nothing new. */
const steadyMsMin = 10_000

export interface Turns {
  /** Index of the node whose turn it is. */
  readonly node: () => number
  /** How long to wait before it is asked. */
  readonly waitMs: () => number
  /** The node is asked now. */
  readonly asked: (nowMs: number) => void
  /** Its stream is open. */
  readonly opened: (nowMs: number) => void
  /** Its stream told a place where it was not yet. */
  readonly moved: () => void
  /** There is no stream, or none any more. `busyMs`: so long the node wants to be left alone; `chance` from 0 to 1. */
  readonly lost: (nowMs: number, busyMs: number, chance: number) => void
}

export const make = (nodes: number): Turns => {
  let [node, waitMs, failures] = [0, 0, 0]
  /** Since when there is no stream. */
  let awaySinceMs: number | undefined
  let openedMs: number | undefined
  let hasMoved = false

  /** The pause doubles with each failure of one node, then with each turn through all of them. */
  const pauseMs = () => {
    const beyond = Math.max(0, failures - failuresMax)
    const doublings = Math.min(failures, failuresMax) - 1 + Math.floor(beyond / nodes)
    return Math.min(pauseMsMax, pauseMsMin * 2 ** doublings)
  }

  return {
    node: () => node,
    waitMs: () => waitMs,
    asked: (nowMs) => {
      awaySinceMs ??= nowMs
      openedMs = undefined
      hasMoved = false
    },
    opened: (nowMs) => {
      openedMs = nowMs
    },
    moved: () => {
      hasMoved = true
    },
    lost: (nowMs, busyMs, chance) => {
      if (openedMs !== undefined) awaySinceMs = nowMs
      const wasGood = hasMoved || (openedMs !== undefined && nowMs - openedMs >= steadyMsMin)
      failures = wasGood ? 1 : failures + 1
      const isAway = failures >= failuresMax || nowMs - (awaySinceMs ?? nowMs) >= awayMsMax || busyMs >= awayMsMax
      const isLeft = isAway && nodes > 1
      if (isLeft) node = (node + 1) % nodes
      // between half and all of it, so that those who lost one node do not come back to it at one moment
      const jittered = pauseMs() * (0.5 + 0.5 * chance)
      waitMs = isLeft ? jittered : Math.max(jittered, busyMs)
    }
  }
}
