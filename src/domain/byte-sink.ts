/**
 * Bytes that are put together piece by piece in one buffer: what is hashed, and what is encoded. Arrays for each piece, joined
 * at the end, took four times as long, and every id is made of six pieces or more.
 *
 * A sink keeps its room for the next use, but not much more than it was made with: what strangers send may be large once.
 *
 * Rule: a sink serves one use at a time, from `begin` to `view` or `copy`, with nothing else that uses it between.
 */

const utf8 = new TextEncoder()

/** Room is kept up to this many times that at the start. */
const keptTimes = 4

export class ByteSink {
  readonly #bytes: number
  protected buffer: Uint8Array
  protected at = 0

  /** `bytes`: room at the start; it grows as needed. */
  constructor(bytes: number) {
    this.#bytes = bytes
    this.buffer = new Uint8Array(bytes)
  }

  /** Bytes of room at present. */
  get room(): number {
    return this.buffer.length
  }

  begin(): this {
    this.at = 0
    if (this.buffer.length > keptTimes * this.#bytes) this.buffer = new Uint8Array(this.#bytes)
    return this
  }

  private reserve(length: number): void {
    if (this.at + length <= this.buffer.length) return
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.at + length))
    grown.set(this.buffer)
    this.buffer = grown
  }

  u8(x: number): this {
    this.reserve(1)
    this.buffer[this.at++] = x
    return this
  }

  u16be(x: number): this {
    return this.big(x, 2)
  }

  u32be(x: number): this {
    return this.big(x, 4)
  }

  /** A number must be a safe integer. */
  u64be(x: bigint | number): this {
    return typeof x === "number"
      ? this.big(Math.floor(x / 0x100000000), 4).big(x % 0x100000000, 4)
      : this.big(Number((x >> 32n) & 0xffffffffn), 4).big(Number(x & 0xffffffffn), 4)
  }

  private big(x: number, length: number): this {
    this.reserve(length)
    for (let shift = (length - 1) * 8; shift >= 0; shift -= 8) this.buffer[this.at++] = x >>> shift
    return this
  }

  bytes(source: Uint8Array): this {
    this.reserve(source.length)
    this.buffer.set(source, this.at)
    this.at += source.length
    return this
  }

  /** Bytes of hex that is known to be well formed; anything else is a defect. */
  hex(source: string): this {
    const length = source.length / 2
    this.reserve(length)
    this.buffer.subarray(this.at, this.at + length).setFromHex(source)
    this.at += length
    return this
  }

  /** UTF-8 of `source` after `headBytes` bytes, which are left free; gives the length of the UTF-8. */
  textAfter(headBytes: number, source: string): number {
    this.reserve(headBytes + source.length * 3)
    const start = this.at + headBytes
    const { written } = utf8.encodeInto(source, this.buffer.subarray(start))
    this.at = start + written
    return written
  }

  text(source: string): this {
    this.textAfter(0, source)
    return this
  }

  /** UTF-8 of `source` behind its length in `lengthBytes` bytes. */
  lengthAndText(lengthBytes: 2 | 4, source: string): this {
    const start = this.at
    const written = this.textAfter(lengthBytes, source)
    this.at = start
    this.big(written, lengthBytes)
    this.at += written
    return this
  }

  /** All of it, until the next `begin`: for a hash. */
  view(): Uint8Array {
    return this.buffer.subarray(0, this.at)
  }

  copy(): Uint8Array {
    return this.buffer.slice(0, this.at)
  }
}
