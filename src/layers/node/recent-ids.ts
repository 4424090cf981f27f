/**
 * The records that this node accepted lately, by id, so that most writes need not ask the store whether they are
 * repeated. Two generations, the older one dropped when the newer one is full of time or of entries: an id is remembered
 * for at least the window, or this memory says that it is not complete.
 *
 * Rule: only records stamped within the window are remembered. Older ones come from anti-entropy or are replayed, and
 * would only push out what is asked for.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import { type Hlc, physicalMs } from "../../domain/hlc.ts"
import { driftMsMax, requestMsMax, stampMsMax } from "../../domain/limits.ts"
import type { Record } from "../../domain/record.ts"
import { observedBytes } from "../../domain/signature.ts"
import type { Accepted } from "../../services/Acceptor.ts"

/**
 * A repeated write has the time of the first one, so the first came at most this long ago: the request window now, and
 * before it the distance of a stamp from the author's time and from the wall clock.
 */
export const windowMs = requestMsMax + stampMsMax + driftMsMax

export interface Remembered extends Accepted {
  /** {@link variantOf}. */
  readonly variant: number
}

/**
 * 48 bits of a hash over what variants of one id and stamp differ in. Two that share it would be taken for the same as
 * long as the memory lasts, and no longer: nobody gains from making such.
 */
export const variantOf = (hashes: Hashes, record: Record): number => {
  const envelope = [Bytes.fromText(record.node), Bytes.u8(record.sigVersion), record.sig]
  const digest = hashes.blake3(
    Bytes.concat(record.kind === "op" ? [...envelope, observedBytes(record.observed), record.stamp] : envelope)
  )
  let bits = 0
  for (let i = 0; i < 6; i++) bits = bits * 256 + digest[i]!
  return bits
}

/** Both clocks, ms: one that does not go back, and the wall clock. */
export interface Now {
  readonly steadyMs: number
  readonly wallMs: number
}

export class RecentIds {
  private readonly entriesMax: number
  private current = new Map<string, Remembered>()
  private previous = new Map<string, Remembered>()
  private rotatedMs: number
  /** Since when every id is here. */
  private completeMs: number

  constructor(entriesMax: number, steadyMs: number) {
    this.entriesMax = entriesMax
    this.rotatedMs = steadyMs
    this.completeMs = steadyMs
  }

  add(id: string, accepted: Remembered, { steadyMs, wallMs }: Now): void {
    if (wallMs - physicalMs(accepted.hlc) >= windowMs) return
    if (this.current.size >= this.entriesMax || steadyMs - this.rotatedMs >= windowMs) {
      if (this.previous.size > 0) this.completeMs = Math.max(this.completeMs, this.rotatedMs)
      this.previous = this.current
      this.current = new Map()
      this.rotatedMs = steadyMs
    }
    this.current.set(id, accepted)
  }

  get(id: string): Remembered | undefined {
    return this.current.get(id) ?? this.previous.get(id)
  }

  /** Whether an id that is not here was not accepted within the window either. */
  isComplete(steadyMs: number): boolean {
    return steadyMs - this.completeMs >= windowMs
  }

  /**
   * Whether a record with this stamp that is not here was never accepted: a stamp is not accepted while it is early, and
   * all that was accepted since it was not is here.
   */
  covers(hlc: Hlc, { steadyMs, wallMs }: Now): boolean {
    const completeWallMs = wallMs - (steadyMs - this.completeMs)
    const ms = physicalMs(hlc)
    return ms - driftMsMax > completeWallMs && wallMs - ms < windowMs
  }
}
