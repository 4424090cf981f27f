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
  private readonly slots = new Map<number, Map<string, A>>()
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
    for (const [slot, entries] of this.slots) {
      const endMs = (slot + 1) * slotMs
      if (endMs + requestMsMax > nowMs) continue
      this.slots.delete(slot)
      this.size -= entries.size
      this.floorMs = Math.max(this.floorMs, endMs)
    }
  }

  /** Whether a signature of this time may have been used without this cache knowing. */
  isForgotten(tsMs: number): boolean {
    return tsMs < this.floorMs
  }

  get(key: string, tsMs: number): A | undefined {
    return this.slots.get(Math.floor(tsMs / slotMs))?.get(key)
  }

  /** False when there is no room: nothing was remembered, and the call must be refused. */
  set(key: string, tsMs: number, value: A, nowMs: number): boolean {
    this.forget(nowMs)
    const slot = Math.floor(tsMs / slotMs)
    let entries = this.slots.get(slot)
    if (!entries?.has(key)) {
      if (this.size >= this.entriesMax) return false
      if (entries === undefined) this.slots.set(slot, entries = new Map())
      this.size++
    }
    entries.set(key, value)
    return true
  }

  delete(key: string, tsMs: number): void {
    if (this.slots.get(Math.floor(tsMs / slotMs))?.delete(key) === true) this.size--
  }
}
