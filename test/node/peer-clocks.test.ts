/** The peers' clocks against one's own: test just inside, at and just outside every bound (FAILURES 7). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as Ids from "../../src/domain/ids.ts"
import { driftMsMax } from "../../src/domain/limits.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import * as PeerClocksLayer from "../../src/layers/node/peer-clocks.ts"
import { Authenticator } from "../../src/services/Authenticator.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { Intake } from "../../src/services/Intake.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { PeerClocks } from "../../src/services/PeerClocks.ts"
import { Views } from "../../src/services/Views.ts"
import { user } from "../http/fixture.ts"
import { claim, dmFields, steering, unsynced } from "./harness.ts"
import { dm, peerId } from "./peer-records.ts"

const [alice, bob] = [user(1), user(2)]
const peers = [50, 51, 52, 53].map(peerId)
const now = Date.UTC(2026, 0, 15, 12, 10)

const offset = (...offsets: ReadonlyArray<number>) =>
  Effect.map(PeerClocks, (clocks) => {
    for (const peer of peers) clocks.forget(peer)
    offsets.forEach((ms, i) => clocks.observe(peers[i]!, ms))
    return clocks.check()
  })

describe("failure 7: the clocks of peers", () => {
  it.effect("a node is off beyond MAX_DRIFT of the median of at least three, either way, and not at it", () =>
    Effect.gen(function*() {
      for (const sign of [1, -1]) {
        const at = sign * driftMsMax
        const beyond = sign * (driftMsMax + 1)
        assert.deepStrictEqual(yield* offset(at, at, at), { medianMs: at, peers: 3, off: false })
        assert.deepStrictEqual(yield* offset(beyond, beyond, beyond), { medianMs: beyond, peers: 3, off: true })
        assert.isFalse((yield* offset(beyond, beyond)).off)
        // the median: one liar, or one who is right, decides nothing
        assert.isTrue((yield* offset(beyond, 0, 10 * beyond)).off)
        assert.isFalse((yield* offset(10 * beyond, 0, 0)).off)
        // of four: the middle of the middle two
        assert.deepStrictEqual(yield* offset(0, beyond, beyond, beyond), { medianMs: beyond, peers: 4, off: true })
        assert.isFalse((yield* offset(0, 0, beyond, beyond)).off)
      }
      assert.deepStrictEqual(yield* offset(), { medianMs: 0, peers: 0, off: false })
      assert.strictEqual((yield* offset(Number.NaN, Number.POSITIVE_INFINITY)).peers, 0)
    }).pipe(Effect.provide(PeerClocksLayer.layer)))

  it.effect("the latest of a peer counts, and a peer that is gone does not", () =>
    Effect.gen(function*() {
      const clocks = yield* PeerClocks
      yield* offset(90_000, 90_000, 90_000)
      assert.isTrue(clocks.check().off)
      clocks.observe(peers[0]!, 0)
      clocks.observe(peers[1]!, 0)
      assert.isFalse(clocks.check().off)
      yield* offset(90_000, 90_000, 90_000)
      clocks.forget(peers[2]!)
      assert.deepStrictEqual(clocks.check(), { medianMs: 90_000, peers: 2, off: false })
    }).pipe(Effect.provide(PeerClocksLayer.layer)))

  it.effect("the log says it once a change: a warning with few peers, an error when off, and when it is over", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel }) => void lines.push(logLevel))
    return Effect.gen(function*() {
      const step = Effect.fnUntraced(function*(...offsets: ReadonlyArray<number>) {
        const clocks = yield* PeerClocks
        offsets.forEach((ms, i) => clocks.observe(peers[i]!, ms))
        for (let turns = 0; turns < 10; turns++) yield* Effect.yieldNow
        yield* TestClock.adjust("10 seconds")
      })
      yield* step(0)
      yield* step(70_000)
      yield* step(75_000, 75_000)
      assert.deepStrictEqual(lines, ["Warn"])
      yield* step(70_000, 70_000, 70_000)
      yield* step(80_000, 80_000, 80_000)
      assert.deepStrictEqual(lines, ["Warn", "Error"])
      yield* step(0, 0, 0)
      assert.deepStrictEqual(lines, ["Warn", "Error", "Info"])
      // failure 4: a peer whose clock is another one in every hello
      for (let i = 0; i < 50; i++) {
        const clocks = yield* PeerClocks
        for (const peer of peers) clocks.observe(peer, i % 2 === 0 ? 70_000 : 0)
        for (let turns = 0; turns < 10; turns++) yield* Effect.yieldNow
      }
      assert.deepStrictEqual(lines, ["Warn", "Error", "Info", "Error"])
    }).pipe(Effect.provide(Layer.provideMerge(PeerClocksLayer.layer, Logger.layer([logger]))))
  })
})

describe("a node whose clock is off", () => {
  it.effect("takes no writes and says why; reads and records of peers go on", () =>
    Effect.gen(function*() {
      const send = Effect.fnUntraced(function*(content: string) {
        const fields = dmFields(alice, bob, now, content)
        const id = Ids.messageId(noble, fields)
        const auth = yield* Authenticator
        const ingest = yield* Ingest
        return yield* auth.write(
          claim(yield* NodeKey, alice, "message", id, now),
          "message",
          id,
          (proof) => ingest.message({ kind: "dm", chatId: fields.chatId, peer: bob.address }, fields, proof),
          ingest.receipt({ kind: "message", id })
        )
      })
      const first = yield* send("before")
      yield* offset(70_000, 70_000, 70_000)
      const refused = yield* Effect.flip(send("refused"))
      assert.deepStrictEqual([refused._tag, "reason" in refused && refused.reason], ["Overloaded", "clock"])
      // what was accepted is answered as before
      assert.strictEqual((yield* send("before")).hlc, first.hlc)
      const judged = yield* (yield* Intake).take([dm(bob, alice, "from a peer", { ts: now })], {
        peer: peers[0]!,
        room: "now"
      })
      assert.deepStrictEqual(judged, [{ _tag: "accepted" }])
      assert.strictEqual((yield* (yield* Views).conversations(bob.address, { limit: 10 })).conversations.length, 1)
      yield* offset(0, 0, 0)
      yield* send("refused")
    }).pipe(
      Effect.provide(unsynced(steering())),
      (body) => Effect.andThen(TestClock.setTime(now), body)
    ))
})
