/** What happened in a run, in order: its hash tells whether two runs were the same, its end what led to a failure. */
import * as Bytes from "../domain/bytes.ts"
import type { Hashes } from "../domain/hashing.ts"
import type { VirtualTime } from "./virtual-time.ts"

/** Lines kept of the end of the history. */
const keptMax = 400

export class Trace {
  readonly #time: VirtualTime
  readonly #hashes: Hashes
  readonly #startMs: number
  #kept: Array<string> = []
  #hash: Uint8Array = new Uint8Array(32)
  #count = 0

  constructor(time: VirtualTime, hashes: Hashes) {
    this.#time = time
    this.#hashes = hashes
    this.#startMs = time.now
  }

  note(what: string): void {
    const line = `${(this.#time.now - this.#startMs).toFixed(3)} ${what}`
    this.#hash = this.#hashes.blake3(Bytes.concat([this.#hash, Bytes.fromText(line)]))
    this.#count++
    this.#kept.push(line)
    if (this.#kept.length > keptMax * 2) this.#kept = this.#kept.slice(-keptMax)
  }

  /** Of all lines so far, 64 hex digits. */
  get hash(): string {
    return Bytes.toHex(this.#hash)
  }

  get count(): number {
    return this.#count
  }

  /** The last lines: ms since the start, and what happened. */
  tail(lines = keptMax): ReadonlyArray<string> {
    return this.#kept.slice(-lines)
  }
}
