/** What ages, and when, after the words of SPEC §9: for oracles, without the code of `domain/retention`. */
import type { Record } from "../../domain/record.ts"

const hourMs = 3_600_000
const retentionMs = 30 * 24 * hourMs

/** The start of the UTC hour less 30 days: what is stamped at or below it has aged. */
export const cutoffAt = (wallMs: number): number => Math.floor(wallMs / hourMs) * hourMs - retentionMs

/** Whether a record ages at all: messages and read marks. */
export const ages = ({ kind }: Pick<Record, "kind">): boolean => kind === "message" || kind === "read"
