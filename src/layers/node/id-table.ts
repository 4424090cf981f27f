/**
 * What is kept of many ids, in typed arrays: 40 bytes an entry, and 8 to 16 to find it. A `Map` of strings to objects takes
 * 229 (measured), all of which the collector of garbage looks through.
 *
 * Half of an id stands for it. Two that share a half take 2^64 tries to find, and who finds them has two records of her own
 * that are taken for one for some minutes.
 *
 * Entries are appended, in chunks, so that nothing is copied as a table grows. The index is open addressing at most half
 * full; where an entry begins to look is keyed at random for each table, so that nobody can make ids that crowd together.
 */
import { Buffer } from "node:buffer"
import type { Hlc } from "../../domain/hlc.ts"

export interface Entry {
  readonly hlc: Hlc
  readonly ticket: number
  readonly variant: number
}

/** Of an id, in words of 4 bytes. */
const idWords = 4
const chunkEntries = 4_096

interface Chunk {
  readonly ids: Int32Array
  readonly hlcs: BigUint64Array
  readonly tickets: Float64Array
  readonly variants: Float64Array
}

const makeChunk = (): Chunk => ({
  ids: new Int32Array(chunkEntries * idWords),
  hlcs: new BigUint64Array(chunkEntries),
  tickets: new Float64Array(chunkEntries),
  variants: new Float64Array(chunkEntries)
})

/** The id that is looked for, for as long as one call takes. */
const wanted = new Int32Array(idWords)
const wantedBytes = Buffer.from(wanted.buffer)

// `Buffer` takes half the time of `Uint8Array.setFromHex`
const read = (id: string): void => {
  // as much as there is room for
  wantedBytes.write(id, "hex")
}

export class IdTable {
  readonly entriesMax: number
  /** One more than the place of an entry; 0: nothing. A power of two places; one until the first entry comes. */
  private index = new Int32Array(1)
  private readonly key = crypto.getRandomValues(new Int32Array(2))
  private readonly chunks: Array<Chunk> = []
  private count = 0

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax
  }

  get size(): number {
    return this.count
  }

  /** Where {@link wanted} is in the index, or is to be put. */
  private place(): number {
    const mask = this.index.length - 1
    let mixed = Math.imul(wanted[0]! ^ this.key[0]!, 0x9e3779b1) ^ Math.imul(wanted[1]! ^ this.key[1]!, 0x85ebca6b)
    mixed ^= mixed >>> 15
    let at = Math.imul(mixed, 0xc2b2ae35) >>> 8 & mask
    for (let entry = this.index[at]!; entry !== 0 && !this.isWanted(entry - 1); entry = this.index[at]!) {
      at = at + 1 & mask
    }
    return at
  }

  private isWanted(entry: number): boolean {
    const { ids } = this.chunks[Math.floor(entry / chunkEntries)]!
    const from = entry % chunkEntries * idWords
    for (let i = 0; i < idWords; i++) if (ids[from + i] !== wanted[i]) return false
    return true
  }

  /** `id`: 32 bytes in hex. What was kept of it before is replaced. Throws when the table is full. */
  set(id: string, { hlc, ticket, variant }: Entry): void {
    if (this.index.length === 1)
      this.index = new Int32Array(2 ** Math.ceil(Math.log2(2 * Math.max(1, this.entriesMax))))
    read(id)
    const at = this.place()
    let entry = this.index[at]! - 1
    if (entry < 0) {
      if (this.count >= this.entriesMax) throw new RangeError(`the table is full: ${this.entriesMax} ids`)
      entry = this.count++
      if (entry === this.chunks.length * chunkEntries) this.chunks.push(makeChunk())
      this.index[at] = entry + 1
      this.chunks[Math.floor(entry / chunkEntries)]!.ids.set(wanted, entry % chunkEntries * idWords)
    }
    const chunk = this.chunks[Math.floor(entry / chunkEntries)]!
    const i = entry % chunkEntries
    chunk.hlcs[i] = hlc
    chunk.tickets[i] = ticket
    chunk.variants[i] = variant
  }

  get(id: string): Entry | undefined {
    read(id)
    const entry = this.index[this.place()]! - 1
    if (entry < 0) return undefined
    const { hlcs, tickets, variants } = this.chunks[Math.floor(entry / chunkEntries)]!
    const i = entry % chunkEntries
    return { hlc: hlcs[i]! as Hlc, ticket: tickets[i]!, variant: variants[i]! }
  }

  /** Forgets all; what took space is used again. */
  clear(): void {
    if (this.count > 0) this.index.fill(0)
    this.count = 0
  }
}
