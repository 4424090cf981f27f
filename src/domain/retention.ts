/**
 * What is too old to exist (SPEC §9). The cutoff is the start of the current UTC hour less 30 days: it moves once an
 * hour, so that replicas whose clocks differ a little agree on it nearly always.
 */
import * as Hlc from "./hlc.ts"
import { retentionMs, retentionStepMs } from "./limits.ts"
import type { Record } from "./record.ts"

/** Ms since the epoch. Messages and read marks stamped at or below it are aged. */
export const cutoffMs = (wallMs: number): number => wallMs - (wallMs % retentionStepMs) - retentionMs

/** Whether retention removes this record. Membership and identity stay for ever. */
export const isAged = (record: Record, cutoff: number): boolean =>
  (record.kind === "message" || record.kind === "read") && Hlc.physicalMs(record.hlc) <= cutoff

/** The lowest stamp that is not aged. */
export const firstKept = (cutoff: number): Hlc.Hlc => Hlc.make(Math.max(0, cutoff + 1), 0)
