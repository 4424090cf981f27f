/**
 * The ids of messages and ops that this node accepted lately, so that most writes need not ask the store whether they are
 * repeated. Two generations, the older one dropped when the newer one is full of time or of entries: an id is remembered
 * for at least the window, or this memory says that it is not complete.
 */
import type { Hlc } from "../../domain/hlc.ts"
import { driftMsMax, requestMsMax, stampMsMax } from "../../domain/limits.ts"
import type { Ticket } from "../../services/Writer.ts"

/**
 * A repeated write has the time of the first one, so the first came at most this long ago: the request window now, and
 * before it the distance of a stamp from the author's time and from the wall clock.
 */
const windowMs = requestMsMax + stampMsMax + driftMsMax

export interface Accepted {
  readonly hlc: Hlc
  readonly ticket: Ticket
}

export class RecentIds {
  private readonly entriesMax: number
  private current = new Map<string, Accepted>()
  private previous = new Map<string, Accepted>()
  private rotatedMs: number
  /** Since when every id is here. */
  private completeMs: number

  /** `nowMs` is of a clock that does not go back. */
  constructor(entriesMax: number, nowMs: number) {
    this.entriesMax = entriesMax
    this.rotatedMs = nowMs
    this.completeMs = nowMs
  }

  add(id: string, accepted: Accepted, nowMs: number): void {
    if (this.current.size >= this.entriesMax || nowMs - this.rotatedMs >= windowMs) {
      if (this.previous.size > 0) this.completeMs = Math.max(this.completeMs, this.rotatedMs)
      this.previous = this.current
      this.current = new Map()
      this.rotatedMs = nowMs
    }
    this.current.set(id, accepted)
  }

  get(id: string): Accepted | undefined {
    return this.current.get(id) ?? this.previous.get(id)
  }

  /** Whether an id that is not here was not accepted within the window either. */
  isComplete(nowMs: number): boolean {
    return nowMs - this.completeMs >= windowMs
  }
}
