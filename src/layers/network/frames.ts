/**
 * Frames over a libp2p stream: u32be length, then that many bytes (SPEC §6).
 *
 * 1. Nothing is read that nobody waits for: the stream is paused until `receive` is called, so that the peer's window
 *    fills up and it stops. What is held is the frame in the making, and at most a window.
 * 2. Nothing is written that the connection does not take: `send` waits. Own waiting, since `onDrain` of a libp2p stream
 *    resolves at once for ever after the first time.
 * 3. A frame is written whole or the stream is reset; frames of several senders do not mix.
 * 4. A header above the bound ends the stream, before any of the frame is held.
 */
import type { Stream } from "@libp2p/interface"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { NodeId } from "../../domain/ids.ts"
import { frameBytesMax } from "../../domain/limits.ts"
import { type Channel, ChannelError } from "../../services/Network.ts"
import { closeMsMax, pieceBytes } from "./bounds.ts"

const headerBytes = 4

type Answer = Effect.Effect<Uint8Array, ChannelError>

export interface Frames extends Channel {
  /** Ends the stream: what was sent goes out, what still comes is thrown away. Does not wait. */
  close(): void
}

const closedError = (message: string): ChannelError => new ChannelError({ reason: "closed", message })

/** Pieces below this are copied together: each is a view of what it came in, and would keep all of that alive. */
const smallBytes = 4_096
const blockBytes = 64 * 1024

/**
 * Bytes that came and are not yet taken, in pieces. Takes memory in proportion to them, however small the pieces in which a
 * peer sends them (FAILURES 5).
 */
export const makeInbox = () => {
  let pieces: Array<Uint8Array> = []
  let bytes = 0
  /** Where small pieces go, and how much of it is taken. */
  let block: Uint8Array | undefined
  let filled = 0
  const copied = (piece: Uint8Array): void => {
    if (block === undefined || filled + piece.length > block.length) {
      block = new Uint8Array(blockBytes)
      filled = 0
    }
    const last = pieces.at(-1)
    block.set(piece, filled)
    if (last !== undefined && last.buffer === block.buffer && last.byteOffset + last.length === filled) {
      pieces[pieces.length - 1] = block.subarray(last.byteOffset, filled + piece.length)
    } else pieces.push(block.subarray(filled, filled + piece.length))
    filled += piece.length
  }
  const take = (count: number): Uint8Array => {
    const taken = new Uint8Array(count)
    let at = 0
    let whole = 0
    while (at < count) {
      const piece = pieces[whole]!
      const part = Math.min(piece.length, count - at)
      taken.set(part === piece.length ? piece : piece.subarray(0, part), at)
      at += part
      if (part === piece.length) whole++
      else pieces[whole] = piece.subarray(part)
    }
    pieces = whole === 0 ? pieces : pieces.slice(whole)
    bytes -= count
    // an idle stream keeps nothing
    if (bytes === 0) block = undefined
    return taken
  }
  return {
    add: (piece: Uint8Array): void => {
      if (piece.length === 0) return
      if (piece.length < smallBytes) copied(piece)
      else pieces.push(piece)
      bytes += piece.length
    },
    bytes: () => bytes,
    /** How many there are: for tests of what is kept. */
    pieces: () => pieces.length,
    take,
    clear: (): void => {
      pieces = []
      block = undefined
      bytes = 0
    }
  }
}

/** Ends when the stream takes more; fails when it never will. */
const drained = (stream: Stream, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (): void => {
      stream.removeEventListener("drain", onDrain)
      stream.removeEventListener("close", onClose)
      signal.removeEventListener("abort", onClose)
    }
    const onDrain = (): void => {
      end()
      resolve()
    }
    const onClose = (): void => {
      end()
      reject(new Error("the stream was closed while sending"))
    }
    stream.addEventListener("drain", onDrain)
    stream.addEventListener("close", onClose)
    signal.addEventListener("abort", onClose)
  })

/** Lets a stream end by itself, and resets it if it does not. */
const finish = (stream: Stream): void => {
  if (stream.status !== "open") return
  const cut = setTimeout(() => stream.abort(new Error("the peer did not close the stream")), closeMsMax)
  cut.unref()
  stream.addEventListener("close", () => clearTimeout(cut), { once: true })
  stream.close({ signal: AbortSignal.timeout(closeMsMax) }).catch(() => stream.abort(new Error("not closed in time")))
}

export const overStream = (stream: Stream, peer: NodeId): Frames => {
  const inbox = makeInbox()
  const waiting: Array<(answer: Answer) => void> = []
  const writing = Semaphore.makeUnsafe(1)
  let length: number | undefined
  let failed: ChannelError | undefined
  let discarding = false
  let serving = false

  /** The next frame, if it is here. */
  const pull = (): Answer | undefined => {
    if (failed !== undefined) return Effect.fail(failed)
    if (length === undefined) {
      if (inbox.bytes() < headerBytes) return undefined
      const header = inbox.take(headerBytes)
      length = new DataView(header.buffer).getUint32(0)
      if (length > frameBytesMax) {
        const message = `the peer sends a frame of ${length} bytes; at most ${frameBytesMax} are allowed`
        failed = new ChannelError({ reason: "oversized", message })
        inbox.clear()
        stream.abort(new Error(message))
        return Effect.fail(failed)
      }
    }
    if (inbox.bytes() < length) return undefined
    const frame = inbox.take(length)
    length = undefined
    return Effect.succeed(frame)
  }
  const flow = (on: boolean): void => {
    try {
      if (on && stream.readStatus === "paused") stream.resume()
      else if (!on && stream.readStatus === "readable") stream.pause()
    } catch {
      // it has just been closed: `over` sees that
    }
  }
  /** Whether nothing will come any more. */
  const over = (): boolean =>
    stream.readBufferLength === 0
    && (stream.remoteWriteStatus === "closed" || (stream.status !== "open" && stream.status !== "closing"))
  const answer = (): Answer | undefined => {
    const frame = pull()
    if (frame !== undefined || !over()) return frame
    failed = closedError(
      length === undefined && inbox.bytes() === 0 ? "the peer ended the stream" : "the stream ended within a frame"
    )
    return Effect.fail(failed)
  }
  const serve = (): void => {
    // a reset from within, and data that waited in a paused stream, come back here at once
    if (serving) return
    serving = true
    for (;;) {
      const next = waiting.length > 0 ? answer() : undefined
      if (next === undefined) break
      waiting.shift()!(next)
    }
    serving = false
    flow(waiting.length > 0 || discarding)
  }
  stream.addEventListener("message", ({ data }) => {
    if (discarding) return
    if (data instanceof Uint8Array) inbox.add(data)
    else for (const piece of data) inbox.add(piece)
    serve()
  })
  stream.addEventListener("remoteCloseWrite", serve)
  stream.addEventListener("close", serve)
  flow(false)

  const receive: Answer = Effect.callback((resume) => {
    waiting.push(resume)
    // what waits in a paused stream is delivered within this call
    flow(true)
    serve()
    return Effect.sync(() => {
      const at = waiting.indexOf(resume)
      if (at >= 0) waiting.splice(at, 1)
      flow(waiting.length > 0 || discarding)
    })
  })

  const write = async (pieces: Iterable<Uint8Array>, signal: AbortSignal): Promise<void> => {
    for (const piece of pieces) {
      if (signal.aborted) return
      stream.send(piece)
      while (stream.writableNeedsDrain) await drained(stream, signal)
    }
  }
  const writeFrame = (frame: Uint8Array): Effect.Effect<void, ChannelError> =>
    Effect.callback((resume) => {
      const controller = new AbortController()
      write(piecesOf(frame), controller.signal).then(
        () => resume(Effect.void),
        (cause: unknown) => resume(Effect.fail(closedError(cause instanceof Error ? cause.message : String(cause))))
      )
      // rule 3
      return Effect.sync(() => {
        controller.abort()
        stream.abort(new Error("a frame was cut short"))
      })
    })

  return {
    peer,
    send: (frame) =>
      frame.length > frameBytesMax
        ? Effect.fail(
          new ChannelError({
            reason: "oversized",
            message: `a frame of ${frame.length} bytes; at most ${frameBytesMax} are allowed`
          })
        )
        : Semaphore.withPermit(writing, Effect.suspend(() => writeFrame(frame))),
    receive,
    close: () => {
      failed ??= closedError("the stream is closed")
      discarding = true
      inbox.clear()
      serve()
      finish(stream)
    }
  }
}

function* piecesOf(frame: Uint8Array): Generator<Uint8Array> {
  const first = new Uint8Array(headerBytes + Math.min(frame.length, pieceBytes))
  new DataView(first.buffer).setUint32(0, frame.length)
  first.set(frame.subarray(0, pieceBytes), headerBytes)
  yield first
  for (let at = pieceBytes; at < frame.length; at += pieceBytes) yield frame.subarray(at, at + pieceBytes)
}
