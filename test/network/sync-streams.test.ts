import { assert, describe, it } from "@effect/vitest"
import type { Stream } from "@libp2p/interface"
import { Deferred, Effect, Queue } from "effect"
import type { NodeId } from "../../src/domain/ids.ts"
import { frameBytesMax } from "../../src/domain/limits.ts"
import { syncProtocol } from "../../src/layers/network/options.ts"
import { address, stranger } from "./insides.ts"
import { bytes, eventually, start } from "./nodes.ts"

/** A node and a stranger that is connected to it, and speaks gossip so that it is not dropped. */
const pair = Effect.gen(function*() {
  const a = yield* start({ seed: 1 })
  const other = yield* stranger(true)
  const connection = yield* Effect.promise(() => other.dial(address(a.network.addresses()[0]!)))
  yield* eventually("it is connected", () => a.network.peers().length === 1)
  return { a, other, connection, id: other.peerId.toString() as NodeId }
})

/** What the node makes of a stream on which a stranger sends these bytes. */
const afterSending = (send: (stream: Stream) => void) =>
  Effect.gen(function*() {
    const { a, connection } = yield* pair
    const ends = yield* Queue.unbounded<string>()
    yield* a.network.serve((channel) =>
      Effect.forever(channel.receive).pipe(Effect.catch((error) => Queue.offer(ends, error.reason)), Effect.asVoid)
    )
    const stream = yield* Effect.promise(() => connection.newStream(syncProtocol))
    send(stream)
    const end = yield* Queue.take(ends)
    yield* eventually("the stream is gone", () => stream.status !== "open")
    assert.strictEqual(a.network.peers().length, 1, "the connection stays")
    return end
  }).pipe(Effect.scoped)

const header = (length: number): Uint8Array => {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, length)
  return out
}

describe("sync streams over libp2p", () => {
  it.live("FAILURES 24: a peer without the protocol is unsupported, at once", () =>
    Effect.gen(function*() {
      const { a, id } = yield* pair
      const began = Date.now()
      const error = yield* Effect.flip(Effect.scoped(a.network.open(id)))
      assert.strictEqual(error.reason, "unsupported")
      assert.isBelow(Date.now() - began, 2_000)
    }).pipe(Effect.scoped))

  it.live("FAILURES 24: a header above the bound ends the stream, before the frame comes", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* afterSending((stream) => stream.send(header(frameBytesMax + 1))), "oversized")
    }))

  it.live("FAILURES 24: a stream that ends within a frame, or within a header, is closed", () =>
    Effect.gen(function*() {
      const cut = (sent: Uint8Array) =>
        afterSending((stream) => {
          stream.send(sent)
          void stream.close()
        })
      assert.strictEqual(yield* cut(new Uint8Array([...header(100), 1, 2, 3])), "closed")
      assert.strictEqual(yield* cut(header(1).subarray(0, 2)), "closed")
    }))

  it.live("a stream that the peer resets is closed", () =>
    Effect.gen(function*() {
      const reset = (stream: Stream) => {
        stream.send(header(100))
        setTimeout(() => stream.abort(new Error("a test")), 100)
      }
      assert.strictEqual(yield* afterSending(reset), "closed")
    }))

  it.live("frames are put together however they are cut, one byte at a time too", () =>
    Effect.gen(function*() {
      const { a, connection } = yield* pair
      const got = yield* Queue.unbounded<string>()
      yield* a.network.serve((channel) =>
        Effect.forever(Effect.flatMap(channel.receive, (frame) => Queue.offer(got, new TextDecoder().decode(frame))))
          .pipe(Effect.ignore)
      )
      const stream = yield* Effect.promise(() => connection.newStream(syncProtocol))
      const texts = ["", "a", "hello", "", "world"]
      for (const byte of texts.flatMap((text) => [...header(text.length), ...bytes(text)])) {
        stream.send(Uint8Array.of(byte))
        yield* Effect.sleep(2)
      }
      stream.send(new Uint8Array(texts.flatMap((text) => [...header(text.length), ...bytes(text)])))
      for (const text of [...texts, ...texts]) assert.strictEqual(yield* Queue.take(got), text)
    }).pipe(Effect.scoped))

  it.live("FAILURES 5: what comes on a stream that nobody reads is not piled up here", () =>
    Effect.gen(function*() {
      const { a, connection } = yield* pair
      const held = yield* Deferred.make<void>()
      yield* a.network.serve(() => Deferred.await(held))
      const stream = yield* Effect.promise(() => connection.newStream(syncProtocol))
      const sent = 32 * 1024 * 1024
      for (let n = 0; n < 32; n++) stream.send(new Uint8Array(1024 * 1024))
      yield* Effect.sleep(1_000)
      // all that this side did not take is still at the other
      assert.isAbove(stream.writeBufferLength, sent - 4 * 1024 * 1024)
      assert.strictEqual(stream.status, "open")
    }).pipe(Effect.scoped))

  it.live("a frame that is given up half way resets the stream", () =>
    Effect.gen(function*() {
      const a = yield* start({ seed: 1 })
      const b = yield* start({ seed: 2, bootstrap: a.network.addresses() })
      yield* eventually("they are connected", () => b.network.peers().length === 1)
      const read = yield* Deferred.make<void>()
      const ends = yield* Queue.unbounded<string>()
      yield* a.network.serve((channel) =>
        Deferred.await(read).pipe(
          Effect.andThen(Effect.forever(channel.receive)),
          Effect.catch((error) => Queue.offer(ends, error.reason)),
          Effect.asVoid
        )
      )
      const channel = yield* b.network.open(a.id)
      const exit = yield* Effect.exit(Effect.timeout(channel.send(new Uint8Array(frameBytesMax)), "300 millis"))
      assert.isTrue(exit._tag === "Failure")
      yield* Deferred.succeed(read, undefined)
      assert.strictEqual(yield* Queue.take(ends), "closed")
      assert.strictEqual((yield* Effect.flip(channel.send(bytes("more")))).reason, "closed")
    }).pipe(Effect.scoped))
})
