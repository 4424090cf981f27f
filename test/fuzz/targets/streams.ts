/** Frames of sync, and the lengths that they travel behind. */
import type { Stream } from "@libp2p/interface"
import { Cause, Effect, Exit, Result } from "effect"
import { isDeepStrictEqual } from "node:util"
import * as Bytes from "../../../src/domain/bytes.ts"
import { frameBytesMax } from "../../../src/domain/limits.ts"
import { domains } from "../../../src/domain/record.ts"
import * as Frames from "../../../src/domain/sync-frames.ts"
import * as Wire from "../../../src/domain/wire.ts"
import { overStream } from "../../../src/layers/network/frames.ts"
import type { ChannelError } from "../../../src/services/Network.ts"
import { aRecord, Dice, kinds } from "../../domain/records.ts"
import { cborMutators, isCanonical, parse } from "../cbor.ts"
import { byteMutators, type Mutator, numbers, pieces } from "../mutators.ts"
import { diceOf, must, shapeOf, sizeShape, type Target } from "../target.ts"

/** One frame of each kind, and where something may be left out, one more. */
const frames = (dice: Dice): ReadonlyArray<Frames.Frame> => {
  const domain = dice.pick(domains)
  const bytes = dice.pick([8, 32] as const)
  const records = kinds.map((kind) => ({ kind, bytes: Wire.encode(aRecord(kind, dice)) }))
  const roots: Frames.ByDomain<Uint8Array> = [dice.bytes(32), dice.bytes(32), dice.bytes(32)]
  const [wallMs, horizonMs] = [1_700_000_012_345, 1_700_000_000_000]
  const hello = { version: 1, network: "net", wallMs, horizonMs, counts: [0, 24, 70_000] as const, roots }
  return [
    { _tag: "Hello", ...hello, keyCheck: dice.bytes(8) },
    { _tag: "Refuse", reason: dice.pick(Frames.refusals), wallMs },
    { _tag: "Ask", domain, bytes, level: 2, nodes: [0, 23, 24, 255] },
    { _tag: "Hashes", hashes: dice.bytes(bytes * 16) },
    { _tag: "List", domain, bytes, nodes: [3, 4_095], buckets: [0, 256, 65_535] },
    { _tag: "List", domain, bytes, nodes: [], buckets: [9], after: dice.bytes(32) },
    { _tag: "Digests", lists: [dice.bytes(8), new Uint8Array(), dice.bytes(16)] },
    { _tag: "Digests", lists: [dice.bytes(8)], last: dice.bytes(32) },
    { _tag: "Pull", domain, bytes, picks: [[7, dice.bytes(bytes)], [65_535, dice.bytes(bytes * 2)]] },
    { _tag: "Records", records, done: 3 },
    { _tag: "Push", records: records.slice(0, 2) },
    { _tag: "Taken", count: 300 },
    { _tag: "Stream", kind: "message", from: 0, to: 65_536 },
    { _tag: "Stream", kind: "op", from: 1, to: 2, cursor: dice.bytes(40) },
    { _tag: "Page", records: records.map((each) => each.bytes) },
    { _tag: "Page", records: [], next: dice.bytes(40) },
    { _tag: "Audit", domain, nonce: dice.bytes(16), buckets: [1, 2, 3] },
    { _tag: "Audited", hashes: dice.bytes(96) },
    { _tag: "End" },
    { _tag: "End", roots }
  ]
}

const frameShape = (frame: Frames.Frame): string =>
  Object.entries(frame).map(([key, value]) =>
    key === "_tag"
      ? String(value)
      : Array.isArray(value) || value instanceof Uint8Array
      ? `${key}${sizeShape(value.length)}`
      : key
  ).join()

export const syncWith = (decode: typeof Frames.decode): Target => ({
  name: "sync",
  bytesMax: 64 * 1024,
  mutators: cborMutators,
  seeds: frames(new Dice(1)).map(Frames.encode),
  shortCases: 3_000,
  run: (input) => {
    const result = decode(input)
    if (Result.isFailure(result)) {
      must(result.failure instanceof Frames.MalformedFrame, "another failure than MalformedFrame")
      must(result.failure.message.length <= 200, "a failure that is told at length")
      return shapeOf(result.failure.message)
    }
    const frame = result.success
    const written = Frames.encode(frame)
    const again = decode(written)
    must(Result.isSuccess(again) && isDeepStrictEqual(again.success, frame), "a frame is read otherwise than written")
    const tree = parse(input)
    must(tree !== undefined, "what is no CBOR was read")
    // other forms are read too (`sync-frames.ts` says why), but what is canonical has one
    must(!isCanonical(tree) || Bytes.equal(written, input), "a canonical frame is written in another form")
    if (frame._tag === "List") {
      const listed = Frames.listed(frame)
      must(
        listed.every((bucket, i) => bucket >= 0 && bucket < 65_536 && (i === 0 || bucket > listed[i - 1]!)),
        "listed"
      )
    }
    return `${Bytes.equal(written, input) ? "" : "loose "}${frameShape(frame)}`
  }
})

export const sync = syncWith(Frames.decode)

/** Only what `overStream` asks of a stream of libp2p: it hands out what is put in, when it is let. */
class Pipe extends EventTarget {
  readStatus: "readable" | "paused" = "readable"
  remoteWriteStatus: "writable" | "closed" = "writable"
  status: "open" | "closing" | "closed" | "aborted" = "open"
  writableNeedsDrain = false
  readonly written: Array<Uint8Array> = []
  private readonly waiting: Array<Uint8Array> = []

  get readBufferLength(): number {
    return this.waiting.reduce((sum, piece) => sum + piece.length, 0)
  }

  put(piece: Uint8Array): void {
    this.waiting.push(piece)
    if (this.readStatus === "readable") this.deliver()
  }

  end(): void {
    this.remoteWriteStatus = "closed"
    this.dispatchEvent(new Event("remoteCloseWrite"))
  }

  resume(): void {
    this.readStatus = "readable"
    this.deliver()
  }

  pause(): void {
    this.readStatus = "paused"
  }

  send(piece: Uint8Array): boolean {
    this.written.push(piece.slice())
    return true
  }

  abort(): void {
    this.status = "aborted"
    this.waiting.length = 0
    this.dispatchEvent(new Event("close"))
  }

  close(): Promise<void> {
    this.status = "closed"
    return Promise.resolve()
  }

  private deliver(): void {
    while (this.readStatus === "readable" && this.waiting.length > 0) {
      this.dispatchEvent(Object.assign(new Event("message"), { data: this.waiting.shift()! }))
    }
  }
}

const peer = "12D3KooWA" as Parameters<typeof overStream>[1]
const channelOver = (pipe: Pipe) => overStream(pipe as unknown as Stream, peer)

type End = "ended" | "within" | "oversized"

/** What comes out by the text of the rule: frames, then the reason of the end. */
const expected = (input: Uint8Array): { readonly frames: ReadonlyArray<Uint8Array>; readonly end: End } => {
  const found: Array<Uint8Array> = []
  let at = 0
  for (;;) {
    if (at + 4 > input.length) return { frames: found, end: at === input.length ? "ended" : "within" }
    const length = new DataView(input.buffer, input.byteOffset + at).getUint32(0)
    if (length > frameBytesMax) return { frames: found, end: "oversized" }
    if (at + 4 + length > input.length) return { frames: found, end: "within" }
    found.push(input.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
}

const framed = (frames: ReadonlyArray<Uint8Array>): Uint8Array =>
  Bytes.concat(frames.map((frame) => Bytes.len32(frame)))

/** A length that lies. */
const changeLength: Mutator = (dice, input) => {
  const { frames } = expected(input)
  const which = dice.below(frames.length + 1)
  const at = frames.slice(0, which).reduce((sum, frame) => sum + 4 + frame.length, 0)
  return pieces(input, at, Math.min(input.length, at + 4), Bytes.u64be(dice.pick(numbers)).subarray(4))
}

const filled = (...lengths: ReadonlyArray<number>) =>
  lengths.map((length) => new Uint8Array(length).fill(length & 0xff))

export const framing: Target = {
  name: "framing",
  bytesMax: 96 * 1024,
  mutators: [...byteMutators, changeLength, changeLength, changeLength],
  seeds: [[0], [1], [3, 0, 5], [100, 4_096], [70_000], []].map((lengths) => framed(filled(...lengths))),
  shortCases: 250,
  run: async (input) => {
    const dice = diceOf(input)
    const pipe = new Pipe()
    const channel = channelOver(pipe)
    const { end, frames } = expected(input)
    let at = 0
    /** The next piece, of any size, an empty one too. */
    const more = (): void => {
      const size = dice.pick([0, 1, 2, 3, 4, 5, 100, 4_095, 4_096, 5_000, 65_536, input.length])
      pipe.put(input.slice(at, at + size))
      at = Math.min(input.length, at + size)
    }
    /** What somebody gets who waits; what comes, comes before or while she waits. */
    const received = (isLast: boolean): Exit.Exit<Uint8Array, ChannelError> | undefined => {
      const waiting = Effect.runFork(channel.receive)
      while (at < input.length && waiting.pollUnsafe() === undefined && pipe.status === "open") more()
      if (isLast && pipe.status === "open" && waiting.pollUnsafe() === undefined) pipe.end()
      return waiting.pollUnsafe()
    }
    while (at < input.length && dice.coin()) more()
    for (const frame of frames) {
      const got = received(false)
      must(got !== undefined, "a frame that is here is not given out")
      must(Exit.isSuccess(got) && Bytes.equal(got.value, frame), "another frame came out")
    }
    const last = received(true)
    must(last !== undefined && Exit.isFailure(last), "a stream that is over goes on")
    const error = Cause.squash(last.cause) as ChannelError
    must(error._tag === "ChannelError", "another failure than ChannelError")
    const ends = { ended: /ended the stream/, within: /within a frame/, oversized: /at most/ } as const
    must(ends[end].test(error.message), `the stream ends for another reason: ${error.message}`)
    must((error.reason === "oversized") === (end === "oversized"), "the wrong reason")
    must(end !== "oversized" || pipe.status === "aborted", "a stream that lies is left open")
    // the same frames, sent
    const out = new Pipe()
    const sender = channelOver(out)
    for (const frame of frames) await Effect.runPromise(sender.send(frame))
    must(Bytes.equal(Bytes.concat(out.written), framed(frames)), "frames are sent otherwise than they are read")
    return `${end} ${sizeShape(frames.length)}`
  }
}
