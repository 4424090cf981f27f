/**
 * The contract of `services/Network`, for any adapter: `suite(name, make)`. `make(n)` gives n nodes that are connected each
 * with each, and take part in gossip; they last as long as the scope.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, PubSub, Queue, type Scope } from "effect"
import type { NodeId } from "../../src/domain/ids.ts"
import { frameBytesMax, gossipBytesMax } from "../../src/domain/limits.ts"
import type { Channel, ChannelError, Network } from "../../src/services/Network.ts"
import { bytes, eventually, listen } from "./nodes.ts"

export interface Member {
  readonly id: NodeId
  readonly network: Network["Service"]
}

const echo = (channel: Channel): Effect.Effect<void> =>
  Effect.forever(Effect.flatMap(channel.receive, channel.send)).pipe(Effect.ignore)

const failure = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<E, A, R> => Effect.flip(effect)

/** Why no frame can be exchanged over a new stream. */
const refusal = (from: Member, to: Member) =>
  Effect.gen(function*() {
    const channel = yield* from.network.open(to.id)
    yield* channel.send(bytes("hello"))
    return yield* channel.receive
  }).pipe(Effect.scoped, Effect.timeout("8 seconds"), Effect.catchTag("TimeoutError", Effect.die), failure)

const among = (reasons: ReadonlyArray<string>, error: ChannelError): void =>
  assert.include(reasons, error.reason, error.message)

export const suite = (
  name: string,
  make: (count: number) => Effect.Effect<ReadonlyArray<Member>, unknown, Scope.Scope>
) =>
  describe(`Network (${name})`, () => {
    const two = Effect.map(make(2), ([a, b]) => [a!, b!] as const)

    it.live("lists each connected peer once, and not itself", () =>
      Effect.gen(function*() {
        const nodes = yield* make(3)
        for (const { id, network } of nodes) {
          const others = nodes.map((one) => one.id).filter((one) => one !== id).sort()
          assert.deepStrictEqual(network.peers().map((peer) => peer.id).sort(), others)
          assert.isTrue(network.peers().every((peer) => peer.gossips && peer.sinceMs > 0 && peer.address !== ""))
        }
      }).pipe(Effect.scoped))

    it.live("a message reaches every other node once, and says how many it was handed to", () =>
      Effect.gen(function*() {
        const nodes = yield* make(3)
        const heard = yield* Effect.forEach(nodes, (node) => listen(node))
        const { recipients } = yield* nodes[0]!.network.publish(bytes("hello"))
        assert.strictEqual(recipients, 2)
        yield* eventually("both have heard it", () => heard[1]!.length > 0 && heard[2]!.length > 0)
        yield* nodes[2]!.network.publish(bytes("again"))
        yield* eventually("the next one came", () =>
          [heard[0]!, heard[1]!].every((list) => list.at(-1)?.text === "again"))
        assert.deepStrictEqual(
          heard.map((list) =>
            list.map(({ text }) => text)
          ),
          [["again"], ["hello", "again"], ["hello"]]
        )
      }).pipe(Effect.scoped))

    it.live("a message may be as long as the protocol says, and no longer", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        const lengths: Array<number> = []
        yield* b.network.judge((payload) =>
          Effect.sync(() => {
            lengths.push(payload.length)
            return "accept" as const
          })
        )
        yield* a.network.publish(new Uint8Array(gossipBytesMax))
        yield* eventually("it came", () => lengths.length === 1)
        assert.deepStrictEqual(lengths, [gossipBytesMax])
        const exit = yield* Effect.exit(a.network.publish(new Uint8Array(gossipBytesMax + 1)))
        assert.isTrue(Exit.hasDies(exit))
      }).pipe(Effect.scoped))

    it.live("nobody judges any more when the scope ends", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        const heard = yield* Effect.scoped(Effect.gen(function*() {
          const heard = yield* listen(b)
          yield* a.network.publish(bytes("first"))
          yield* eventually("it came", () => heard.length === 1)
          return heard
        }))
        yield* a.network.publish(bytes("second"))
        yield* Effect.sleep(300)
        const later = yield* listen(b)
        yield* a.network.publish(bytes("third"))
        yield* eventually("the third came", () => later.length === 1)
        assert.deepStrictEqual([...heard, ...later].map(({ text }) => text), ["first", "third"])
      }).pipe(Effect.scoped))

    it.live("frames arrive whole and in order, both ways, of any length allowed", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        const peers: Array<NodeId> = []
        yield* b.network.serve((channel) => {
          peers.push(channel.peer)
          return echo(channel)
        })
        const channel = yield* a.network.open(b.id)
        assert.strictEqual(channel.peer, b.id)
        const lengths = [1, 0, 5, 65_536, 300_000, 3, 2_000_000, 0, frameBytesMax]
        const sending = yield* Effect.forkChild(
          Effect.forEach(lengths, (length, i) => channel.send(new Uint8Array(length).fill(i + 1)), { discard: true })
        )
        for (const [i, length] of lengths.entries()) {
          const frame = yield* channel.receive
          assert.strictEqual(frame.length, length)
          assert.isTrue(frame.every((byte) => byte === i + 1))
        }
        yield* Fiber.join(sending)
        assert.deepStrictEqual(peers, [a.id])
      }).pipe(Effect.scoped))

    it.live("a frame above the bound is not sent, and the stream stays usable", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        yield* b.network.serve(echo)
        const channel = yield* a.network.open(b.id)
        const error = yield* failure(channel.send(new Uint8Array(frameBytesMax + 1)))
        assert.strictEqual(error.reason, "oversized")
        yield* channel.send(bytes("small"))
        assert.deepStrictEqual(yield* channel.receive, bytes("small"))
      }).pipe(Effect.scoped))

    it.live("what was sent before the end is received; then the stream is closed", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        yield* b.network.serve((channel) =>
          Effect.forEach([1, 2, 3], (n) => channel.send(new Uint8Array(100_000).fill(n)), { discard: true }).pipe(
            Effect.ignore
          )
        )
        const channel = yield* a.network.open(b.id)
        yield* Effect.sleep(200)
        for (const n of [1, 2, 3]) assert.strictEqual((yield* channel.receive)[99_999], n)
        assert.strictEqual((yield* failure(channel.receive)).reason, "closed")
        assert.strictEqual((yield* failure(channel.receive)).reason, "closed")
      }).pipe(Effect.scoped))

    it.live("who sends to a peer that does not read waits, and goes on when it does", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        const read = yield* Deferred.make<void>()
        const got = yield* Queue.unbounded<number>()
        yield* b.network.serve((channel) =>
          Effect.andThen(
            Deferred.await(read),
            Effect.forever(Effect.flatMap(channel.receive, (frame) => Queue.offer(got, frame[0]!)))
          ).pipe(Effect.ignore)
        )
        const channel = yield* a.network.open(b.id)
        let sent = 0
        const frames = 64
        const sending = yield* Effect.forkChild(Effect.gen(function*() {
          for (let n = 0; n < frames; n++) {
            yield* channel.send(new Uint8Array(1024 * 1024).fill(n))
            sent++
          }
        }))
        yield* Effect.sleep(700)
        const stuck = sent
        assert.isBelow(stuck, frames / 2)
        yield* Effect.sleep(300)
        assert.strictEqual(sent, stuck)
        yield* Deferred.succeed(read, undefined)
        for (let n = 0; n < frames; n++) assert.strictEqual(yield* Queue.take(got), n)
        yield* Fiber.join(sending)
      }).pipe(Effect.scoped))

    it.live("streams are refused while nobody serves, and again after the scope", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        among(["closed", "unsupported"], yield* refusal(a, b))
        const ended = yield* Deferred.make<void>()
        const channel = yield* Effect.scoped(
          Effect.gen(function*() {
            yield* b.network.serve((served) => Effect.ensuring(echo(served), Deferred.succeed(ended, undefined)))
            const channel = yield* a.network.open(b.id)
            yield* channel.send(bytes("hello"))
            assert.deepStrictEqual(yield* channel.receive, bytes("hello"))
            return channel
          }).pipe(Effect.ignore, Effect.as(undefined))
        )
        assert.isUndefined(channel)
        yield* Deferred.await(ended)
        among(["closed", "unsupported"], yield* refusal(a, b))
      }).pipe(Effect.scoped))

    it.live("a peer has only some streams at a time, and may open more when they end", () =>
      Effect.gen(function*() {
        const [a, b] = yield* two
        yield* b.network.serve(echo)
        const works = (channel: Channel) =>
          channel.send(bytes("x")).pipe(Effect.andThen(channel.receive), Effect.isSuccess)
        const working = yield* Effect.scoped(Effect.gen(function*() {
          let working = 0
          for (let n = 0; n < 20; n++) {
            const opened = yield* Effect.option(a.network.open(b.id))
            if (opened._tag === "Some" && (yield* works(opened.value))) working++
          }
          return working
        }))
        assert.isAtLeast(working, 1)
        assert.isBelow(working, 20)
        yield* Effect.sleep(300)
        const channel = yield* a.network.open(b.id)
        assert.isTrue(yield* works(channel))
      }).pipe(Effect.scoped))

    it.live("there is no stream to one who is not connected", () =>
      Effect.gen(function*() {
        const [a] = yield* two
        const stranger = "12D3KooWBmwkafWE2fqfzS96VoTZgpGp6aJsF4N3x6eAqfUEtJRq" as NodeId
        assert.strictEqual((yield* failure(Effect.scoped(a.network.open(stranger)))).reason, "unreachable")
      }).pipe(Effect.scoped))

    it.live("a shunned peer is gone, and the change is told; others stay", () =>
      Effect.gen(function*() {
        const [a, b, c] = yield* make(3)
        const changes = yield* PubSub.subscribe(a!.network.changes)
        yield* a!.network.shun(b!.id, 60_000, "a test")
        assert.deepStrictEqual(yield* PubSub.take(changes), { _tag: "Disconnected", peer: b!.id })
        yield* eventually(
          "it is gone at both",
          () => [[a!, b!], [b!, a!]].every(([one, other]) => one!.network.peers().every(({ id }) => id !== other!.id))
        )
        yield* Effect.sleep(1_500)
        assert.deepStrictEqual(
          a!.network.peers().map(({ id }) => id),
          [c!.id]
        )
        assert.strictEqual((yield* failure(Effect.scoped(a!.network.open(b!.id)))).reason, "unreachable")
      }).pipe(Effect.scoped))
  })
