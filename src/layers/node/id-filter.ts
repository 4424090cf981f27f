/**
 * Whether an id may be one of those that came lately: a bit for the first three bytes of each. Ids are hashes, so bits are
 * spread evenly; where a bit is set for another id, or because somebody searched for one, its owner only takes the way of
 * all who may be known.
 *
 * Two generations, the older one dropped when the newer one has lasted its time: what was added stays at least that long.
 */

/** A million ids set one bit in sixteen. */
const bytesMax = 2 ** 24 / 8
/** Bits of one bucket (SPEC §6), which is the first two bytes of an id: 256. */
const bucketBytes = bytesMax / 2 ** 16

export class IdFilter {
  private readonly keptMs: number
  private current = new Uint8Array(bytesMax)
  private previous = new Uint8Array(bytesMax)
  private rotatedMs: number

  /** `keptMs`: how long an id stays at least. Times here are of a clock that does not go back. */
  constructor(keptMs: number, steadyMs: number) {
    this.keptMs = keptMs
    this.rotatedMs = steadyMs
  }

  private rotate(steadyMs: number): void {
    if (steadyMs - this.rotatedMs < this.keptMs) return
    const empty = this.previous.fill(0)
    this.previous = this.current
    this.current = empty
    this.rotatedMs = steadyMs
  }

  /** `id`: 32 bytes in hex. */
  add(id: string, steadyMs: number): void {
    this.rotate(steadyMs)
    const bit = bitOf(id)
    this.current[bit >>> 3]! |= 1 << (bit & 7)
  }

  /** Adds all ids that begin with these two bytes, which nobody knows further. */
  addBucket(bucket: number): void {
    this.current.fill(0xff, bucket * bucketBytes, (bucket + 1) * bucketBytes)
  }

  /** False: it was not added within the time. */
  has(id: string): boolean {
    const bit = bitOf(id)
    return ((this.current[bit >>> 3]! | this.previous[bit >>> 3]!) & (1 << (bit & 7))) !== 0
  }
}

const bitOf = (id: string): number => Number.parseInt(id.slice(0, 6), 16)
