/**
 * One stream of events between those who tell and the one who reads: a bounded list, and whether it is whole.
 *
 * Rule: who reads too slowly loses the list, not the events: she reads them from the store, from the place she has come to.
 */
import { sizeOf } from "../../domain/record.ts"
import type { Event } from "../../services/Events.ts"
import type { Arrival } from "../../services/Store.ts"

/** Events that wait for one reader. More are read from the store. */
export const waitingMax = 256
/** Memory that they may take, roughly: events that many streams share count in each. */
export const waitingBytesMax = 1024 * 1024

/** `at`: the arrival that told it. */
export interface Entry {
  readonly at: Arrival
  readonly event: Event | undefined
  /** Whether nothing more of this arrival follows. */
  readonly isLast: boolean
}

const bytesOf = (event: Event | undefined): number => {
  switch (event?.type) {
    case "message":
      return sizeOf(event.message)
    case "membership":
      return sizeOf(event.op)
    case "read":
      return sizeOf(event.read)
    case "identity":
      return sizeOf(event.identity)
    default:
      return 0
  }
}

export class EventBuffer {
  /** Everything up to here was handed out. */
  taken: Arrival = 0
  /** `live`: what is told goes into the list. `behind`: what comes after `taken` must be read from the store first. */
  state: "behind" | "live" | "ended" = "behind"
  /** Told something since the last heartbeat. */
  isFresh = true
  #waiting: Array<Entry> = []
  #bytes = 0
  #wake: (() => void) | undefined

  /** From now on what is told goes into the list; everything up to `taken` was handed out before. */
  begin(taken: Arrival): void {
    if (this.state === "ended") return
    this.taken = taken
    this.state = "live"
    this.#clear()
  }

  push(entry: Entry): void {
    if (this.state !== "live") return
    if (this.#waiting.length >= waitingMax || this.#bytes >= waitingBytesMax) return this.fallBehind()
    this.#waiting.push(entry)
    this.#bytes += bytesOf(entry.event)
    this.isFresh = true
    this.#ready()
  }

  fallBehind(): void {
    if (this.state === "ended") return
    this.state = "behind"
    this.#clear()
    this.#ready()
  }

  end(): void {
    this.state = "ended"
    this.#clear()
    this.#ready()
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Hands out what waits. */
  take(): ReadonlyArray<Entry> {
    const entries = this.#waiting
    this.#clear()
    for (const { at, isLast } of entries) if (isLast) this.taken = at
    return entries
  }

  /**
   * Calls `wake` once when there is something to look at, perhaps at once: it may have come since the reader looked. Gives back
   * how to call it off.
   */
  whenReady(wake: () => void): () => void {
    this.#wake = wake
    if (!this.isEmpty || this.state !== "live") this.#ready()
    return () => {
      this.#wake = undefined
    }
  }

  #clear(): void {
    this.#waiting = []
    this.#bytes = 0
  }

  #ready(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
