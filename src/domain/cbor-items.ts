/**
 * Reads lists of CBOR that a stranger sent: item by item, each with its type and bounds.
 *
 * Rule: whatever the bytes are, reading them takes time and memory in proportion to their number, and ends in a result.
 */
import { decode as decodeCbor, type Token, Tokenizer } from "cborg"
import * as Result from "effect/Result"
import * as Bytes from "./bytes.ts"

/** Bounds what bytes are made into: sixteen million small integers fit 16 MiB, and take eight times as much in memory. */
class CountingTokenizer extends Tokenizer {
  private left: number
  constructor(bytes: Uint8Array, max: number) {
    super(bytes, decodeOptions)
    this.left = max
  }

  override next(): Token {
    if (this.left-- <= 0) throw new Unexpected("there are too many items")
    return super.next()
  }
}

const decodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false
}

/** Thrown while reading, and caught where it began. */
class Unexpected extends Error {}

/** Takes items one by one, in their order. Throws, so only for {@link readList}. */
export class Items {
  private readonly items: ReadonlyArray<unknown>
  private at = 0
  constructor(items: ReadonlyArray<unknown>) {
    this.items = items
  }

  wrong(message: string): never {
    throw new Unexpected(message)
  }

  private take(): unknown {
    if (this.at >= this.items.length) this.wrong("an item is missing")
    return this.items[this.at++]
  }

  get left(): number {
    return this.items.length - this.at
  }

  uint(max: number): number {
    const value = this.take()
    // a float may be an integer, and a negative zero is one that no integer is written as
    return Number.isSafeInteger(value) && !Object.is(value, -0) && (value as number) >= 0 && (value as number) <= max
      ? value as number
      : this.wrong(`expected an integer from 0 to ${max}`)
  }

  bytes(length?: number): Uint8Array {
    const value = this.take()
    if (!(value instanceof Uint8Array)) return this.wrong("expected bytes")
    return length === undefined || value.length === length ? value : this.wrong(`expected ${length} bytes`)
  }

  /** Bytes of at most this length. */
  short(max: number): Uint8Array {
    const bytes = this.bytes()
    return bytes.length <= max ? bytes : this.wrong(`expected at most ${max} bytes`)
  }

  /** Text as UTF-8 in a byte string: CBOR's own text strings would lose a byte order mark on the way. */
  text(bytesMax: number): string {
    return Bytes.toText(this.short(bytesMax)) ?? this.wrong("expected UTF-8")
  }

  list(): Items {
    const value = this.take()
    return Array.isArray(value) ? new Items(value) : this.wrong("expected a list")
  }

  /** Reads to the end. */
  all<A>(one: (items: Items) => A): ReadonlyArray<A> {
    const out: Array<A> = []
    while (this.left > 0) out.push(one(this))
    return out
  }

  /** A list of integers from 0 to `max`, each above the one before. */
  ascending(max: number): ReadonlyArray<number> {
    let last = -1
    return this.list().all((items) => {
      const value = items.uint(max)
      if (value <= last) this.wrong("expected ascending numbers")
      return last = value
    })
  }

  optional<A>(one: () => A): A | undefined {
    return this.left === 0 ? undefined : one()
  }
}

/** What is wrong is logged. */
const messageCharsMax = 200

/** Reads one CBOR list to its end, of at most `itemsMax` items on all levels together. The failure says what is wrong. */
export const readList = <A>(
  bytes: Uint8Array,
  itemsMax: number,
  read: (items: Items) => A
): Result.Result<A, string> => {
  try {
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const value = decodeCbor(plain, { ...decodeOptions, tokenizer: new CountingTokenizer(plain, itemsMax) })
    if (!Array.isArray(value)) return Result.fail("expected a list")
    const items = new Items(value)
    const found = read(items)
    return items.left > 0 ? Result.fail("there are items too many") : Result.succeed(found)
  } catch (error) {
    // nesting deeper than the stack is an error of the run-time, and no more than that
    return Result.fail((error instanceof Error ? error.message : String(error)).slice(0, messageCharsMax))
  }
}
