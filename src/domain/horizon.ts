/**
 * Up to when two replicas compare their sets (SPEC §6). What is younger than the horizon may still be on its way by
 * gossip; what is older and missing is missing. The horizon moves in steps, so that replicas whose clocks differ a little
 * find a common one among their last.
 */
import * as Hlc from "./hlc.ts"
import { horizonLagMsMin, horizonsKept, horizonStepMs, logicalMax, retentionStepMs } from "./limits.ts"
import { cutoffMs } from "./retention.ts"

/** The newest horizon at this time, ms since the epoch. */
export const horizonMs = (wallMs: number): number => {
  const latest = Math.max(0, wallMs - horizonLagMsMin)
  return latest - (latest % horizonStepMs)
}

/** The oldest horizon that is answered when `newest` is the newest. */
export const oldestMs = (newest: number): number => newest - (horizonsKept - 1) * horizonStepMs

/** Whether `ms` is a horizon that a node answers whose newest is `newest`. */
export const isAnswered = (ms: number, newest: number): boolean =>
  Number.isSafeInteger(ms) && ms % horizonStepMs === 0 && ms <= newest && ms >= oldestMs(newest)

/** The lowest horizon that sees a stamp of this time. */
export const seenFromMs = (ms: number): number => Math.ceil(ms / horizonStepMs) * horizonStepMs

/** Ageing records stamped up to here, ms, are left out at a horizon: its hour decides. */
export const floorMs = (horizon: number): number => Math.max(0, cutoffMs(horizon))

/** The next horizon at which another hour of ageing records is left out. */
export const nextTurnMs = (horizon: number): number => horizon - (horizon % retentionStepMs) + retentionStepMs

/** The highest stamp at or below a time in ms. */
export const lastStamp = (ms: number): Hlc.Hlc => Hlc.make(Math.max(0, ms), logicalMax)

/**
 * Which records a tree at a horizon stands for: stamps above `floor` (messages and read marks only; the others never
 * age) up to `ceiling`. The hour of the horizon decides what is aged, not the wall clock's, so that both sides of a
 * round leave out the same.
 */
export interface Span {
  readonly floor: Hlc.Hlc
  readonly ceiling: Hlc.Hlc
}

export const spanAt = (horizon: number): Span => ({
  floor: lastStamp(floorMs(horizon)),
  ceiling: lastStamp(horizon)
})
