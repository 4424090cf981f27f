/**
 * The records that this node accepted lately, by id, so that most writes need not ask the store whether they are
 * repeated. Two generations, the older one dropped when the newer one is full of time or of entries: an id is remembered
 * for at least the window, or this memory says that it is not complete.
 *
 * Rule: only records stamped within the window are remembered. Older ones come from anti-entropy or are replayed, and
 * would only push out what is asked for.
 *
 * Of which ids were never accepted more is known: a filter over all that came (`id-filter.ts`) holds those as well that were
 * pushed out, and the buckets of what was stored shortly before the start. It takes the place of a question to the store, which
 * costs more than all else that a write takes on the event loop.
 */
import { ByteSink } from "../../domain/byte-sink.ts"
import type { Hashes } from "../../domain/hashing.ts"
import { type Hlc, physicalMs } from "../../domain/hlc.ts"
import { driftMsMax, requestMsMax, stampMsMax } from "../../domain/limits.ts"
import type { Record } from "../../domain/record.ts"
import { observedBytes } from "../../domain/signature.ts"
import type { Accepted } from "../../services/Acceptor.ts"
import { IdFilter } from "./id-filter.ts"
import { IdTable } from "./id-table.ts"

/**
 * A repeated write has the time of the first one, so the first came at most this long ago: the request window now, and
 * before it the distance of a stamp from the author's time and from the wall clock.
 */
export const windowMs = requestMsMax + stampMsMax + driftMsMax

/**
 * A request repeats no record that was stamped longer ago than this: by its window, and the distance of a stamp from the
 * author's time.
 */
const reachMs = requestMsMax + stampMsMax

export interface Remembered extends Accepted {
  /** {@link variantOf}. */
  readonly variant: number
}

/**
 * 48 bits of a hash over what variants of one id and stamp differ in. Two that share it would be taken for the same as
 * long as the memory lasts, and no longer: nobody gains from making such.
 */
export const variantOf = (hashes: Hashes, record: Record): number => {
  const sink = envelope.begin().text(record.node).u8(record.sigVersion).bytes(record.sig)
  if (record.kind === "op") sink.bytes(observedBytes(record.observed)).bytes(record.stamp)
  const digest = hashes.blake3(sink.view())
  let bits = 0
  for (let i = 0; i < 6; i++) bits = bits * 256 + digest[i]!
  return bits
}

const envelope = new ByteSink(1024)

/** Both clocks, ms: one that does not go back, and the wall clock. */
export interface Now {
  readonly steadyMs: number
  readonly wallMs: number
}

export class RecentIds {
  private current: IdTable
  private previous: IdTable
  private rotatedMs: number
  /** Since when every id is here. */
  private completeMs: number
  private readonly filter: IdFilter
  private readonly startMs: number
  private isSeeded = false

  constructor(entriesMax: number, { steadyMs, wallMs }: Now) {
    this.current = new IdTable(entriesMax)
    this.previous = new IdTable(entriesMax)
    this.rotatedMs = steadyMs
    this.completeMs = steadyMs
    this.filter = new IdFilter(windowMs, steadyMs)
    this.startMs = wallMs
  }

  /** Only what is stamped above this and was stored before the start can be repeated after it, ms. */
  get seedMs(): number {
    return this.startMs - reachMs
  }

  /** Takes in the buckets of everything stamped above {@link seedMs} that was stored before the start. */
  seed(buckets: Iterable<number>): void {
    for (const bucket of buckets) this.filter.addBucket(bucket)
    this.isSeeded = true
  }

  add(id: string, accepted: Remembered, { steadyMs, wallMs }: Now): void {
    this.filter.add(id, steadyMs)
    if (wallMs - physicalMs(accepted.hlc) >= windowMs) return
    if (this.current.size >= this.current.entriesMax || steadyMs - this.rotatedMs >= windowMs) {
      if (this.previous.size > 0) this.completeMs = Math.max(this.completeMs, this.rotatedMs)
      const empty = this.previous
      empty.clear()
      this.previous = this.current
      this.current = empty
      this.rotatedMs = steadyMs
    }
    this.current.set(id, accepted)
  }

  get(id: string): Remembered | undefined {
    return this.current.get(id) ?? this.previous.get(id)
  }

  /**
   * Whether the record of this id, which is not here, may have been accepted where a request can repeat it. While the wall clock
   * is behind the start, requests reach further back than what was read then.
   */
  mayBeStored(id: string, { steadyMs, wallMs }: Now): boolean {
    if (!this.isSeeded && !this.isComplete(steadyMs)) return true
    return wallMs < this.startMs || this.filter.has(id)
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
