/**
 * Hybrid logical clock: the position of a record in time, comparable across nodes whose wall clocks differ a little
 * (SPEC §4). 64 bits: 48 of physical ms since the Unix epoch, 16 of a logical counter.
 *
 * Pure: the caller brings the last stamp and the wall clock's time, and keeps what comes back.
 */
import type * as Brand from "effect/Brand"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { driftMsMax, logicalMax } from "./limits.ts"

/** A stamp. Order is numeric. */
export type Hlc = bigint & Brand.Brand<"Hlc">

/** A stamp lies further ahead of the local wall clock than MAX_DRIFT. */
export class DriftExceeded extends Schema.TaggedError<DriftExceeded>()("DriftExceeded", {
  remoteMs: Schema.Int,
  localMs: Schema.Int
}) {
  override get message(): string {
    return `the stamp is ${this.remoteMs - this.localMs} ms ahead of this node's clock, ${driftMsMax} ms are allowed`
  }
}

/** `physicalMs` below 2^48, `logical` below 2^16. */
export const make = (physicalMs: number, logical: number): Hlc => ((BigInt(physicalMs) << 16n) | BigInt(logical)) as Hlc

/** Before every stamp of a clock. */
export const zero: Hlc = make(0, 0)

export const physicalMs = (hlc: Hlc): number => Number(hlc >> 16n)

export const logical = (hlc: Hlc): number => Number(hlc & 0xffffn)

/** 16 lower-case hex digits, so that text order is time order. */
export const toText = (hlc: Hlc): string => hlc.toString(16).padStart(16, "0")

/** Reads 16 hex digits, in any case. */
export const parse = (text: string): Result.Result<Hlc, string> =>
  /^[0-9a-fA-F]{16}$/.test(text)
    ? Result.succeed(BigInt(`0x${text}`) as Hlc)
    : Result.fail("an HLC is 16 hex digits")

export const compare = (a: Hlc, b: Hlc): number => a < b ? -1 : a > b ? 1 : 0

export const max = (a: Hlc, b: Hlc): Hlc => a > b ? a : b

const next = (ms: number, counter: number): Hlc => counter > logicalMax ? make(ms + 1, 0) : make(ms, counter)

/** The stamp of a new record: above `last`, and not behind the wall clock. */
export const send = (last: Hlc, wallMs: number): Hlc => {
  const lastMs = physicalMs(last)
  return wallMs > lastMs ? make(wallMs, 0) : next(lastMs, logical(last) + 1)
}

/** Whether a stamp must wait for the local clock to come nearer. Exactly MAX_DRIFT ahead is not early. */
export const isEarly = (hlc: Hlc, wallMs: number): boolean => physicalMs(hlc) - wallMs > driftMsMax

/** Merges the stamp of an accepted record. An early stamp does not move the clock. */
export const receive = (last: Hlc, remote: Hlc, wallMs: number): Result.Result<Hlc, DriftExceeded> => {
  const remoteMs = physicalMs(remote)
  if (isEarly(remote, wallMs)) return Result.fail(new DriftExceeded({ remoteMs, localMs: wallMs }))
  const lastMs = physicalMs(last)
  const ms = Math.max(lastMs, remoteMs, wallMs)
  const counter = Math.max(ms === lastMs ? logical(last) : -1, ms === remoteMs ? logical(remote) : -1) + 1
  return Result.succeed(next(ms, counter))
}
