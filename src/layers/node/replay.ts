/**
 * Memory of the signatures that were used, so that each works once (SPEC §3). Entries are kept as long as their
 * signature could pass the window, and none is dropped before. What was forgotten, by a restart or because the wall
 * clock jumped, is remembered by its time: older signatures are refused.
 *
 * Entries are grouped by their time in slots, so that forgetting is dropping a whole slot.
 */
import { requestMsMax } from "../../domain/limits.ts"

const slotMs = 10_000

export class ReplayCache<A> {
  private readonly entriesMax: number
  private readonly slots = new Map<number, { readonly entries: Map<string, A>; newestMs: number }>()
  /** Signatures below this time may have been used and forgotten, ms. */
  private floorMs: number
  private size = 0

  /** `startMs`: the wall clock at the start; what was signed before may have been used before. */
  constructor(entriesMax: number, startMs: number) {
    this.entriesMax = entriesMax
    this.floorMs = startMs
  }

  /** Forgets what can no longer pass the window. */
  private forget(nowMs: number): void {
    for (const [number, { entries, newestMs }] of this.slots) {
      if ((number + 1) * slotMs + requestMsMax > nowMs) continue
      this.slots.delete(number)
      this.size -= entries.size
      this.floorMs = Math.max(this.floorMs, newestMs + 1)
    }
  }

  /** Whether a signature of this time may have been used without this cache knowing. */
  isForgotten(tsMs: number): boolean {
    return tsMs < this.floorMs
  }

  /** Below this time no signature is taken, ms since the epoch. */
  get floor(): number {
    return this.floorMs
  }

  get(key: string, tsMs: number): A | undefined {
    return this.slots.get(Math.floor(tsMs / slotMs))?.entries.get(key)
  }

  /** False when there is no room: nothing was remembered, and the call must be refused. */
  set(key: string, tsMs: number, value: A, nowMs: number): boolean {
    this.forget(nowMs)
    const number = Math.floor(tsMs / slotMs)
    const slot = this.slots.get(number) ?? { entries: new Map<string, A>(), newestMs: tsMs }
    if (!slot.entries.has(key)) {
      if (this.size >= this.entriesMax) return false
      this.slots.set(number, slot)
      this.size++
    }
    slot.entries.set(key, value)
    slot.newestMs = Math.max(slot.newestMs, tsMs)
    return true
  }

  delete(key: string, tsMs: number): void {
    if (this.slots.get(Math.floor(tsMs / slotMs))?.entries.delete(key) === true) this.size--
  }
}
