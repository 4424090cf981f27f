/** Gossip: at once when idle, together when busy, judged before it goes on; what it loses is counted and reported. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Logger, Option, Result } from "effect"
import { TestClock } from "effect/testing"
import * as Payload from "../../src/domain/gossip-payload.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { batchRecordsMax, driftMsMax, gossipBytesMax } from "../../src/domain/limits.ts"
import type { Op, Record as Rec } from "../../src/domain/record.ts"
import { cutoffMs } from "../../src/domain/retention.ts"
import * as Wire from "../../src/domain/wire.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { judgingMax, outboxRecordsMax, verdictOf } from "../../src/layers/node/gossip.ts"
import { Authenticator } from "../../src/services/Authenticator.ts"
import { Gaps } from "../../src/services/Gaps.ts"
import { Gossip } from "../../src/services/Gossip.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { Intake } from "../../src/services/Intake.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { StoreError } from "../../src/services/Store.ts"
import { Writer } from "../../src/services/Writer.ts"
import { user } from "../http/fixture.ts"
import { claim, dmFields, gate, type Steering, steering, unsynced } from "./harness.ts"
import { create, dm, groupMessage, groupOf, identity, peerId, type Scripted, scripted } from "./peer-records.ts"

const [alice, bob] = [user(1), user(2)]
const [peer, other] = [peerId(50), peerId(51)]
const now = Date.UTC(2026, 0, 15, 12, 10)
const at = { ts: now }

const settle = Effect.gen(function*() {
  for (let turns = 0; turns < 50; turns++) yield* Effect.yieldNow
})

const payloadOf = (...records: ReadonlyArray<Rec>) =>
  Payload.encode(records.map((record) => ({ kind: record.kind, bytes: Wire.encode(record) })))

const recordsOf = (payload: Uint8Array) => Result.getOrThrow(Payload.decode(noble, payload))

/** Unsigned: what goes out is not judged. */
const some = (count: number, content = "x"): ReadonlyArray<Rec> => {
  const signed = dm(alice, bob, content, at)
  return Array.from({ length: count }, (_, i) => ({ ...signed, ts: now + i }))
}

const run = <A, E, R>(
  body: (network: Scripted) => Effect.Effect<A, E, R>,
  steer: Steering = steering()
) =>
  Effect.suspend(() => {
    const network = scripted()
    const core = unsynced(steer, network.layer)
    return Effect.andThen(TestClock.setTime(now), Effect.provide(body(network), core))
  })

/** What was reported, without waiting. */
const reported = Effect.flatMap(Gaps, (gaps) => Effect.timeoutOption(gaps.take, 1)).pipe(
  Effect.forkChild,
  Effect.tap(TestClock.adjust(1)),
  Effect.flatMap(Fiber.join),
  Effect.map(Option.getOrUndefined)
)

describe("announcing", () => {
  it.effect("a write goes out before it is committed, alone and at once when nothing is under way", () => {
    const steer = steering()
    return run((network) =>
      Effect.gen(function*() {
        const held = yield* gate
        steer.commit = held.pass
        const fields = dmFields(alice, bob, yield* Clock.currentTimeMillis, "hi")
        const id = Ids.messageId(noble, fields)
        const auth = yield* Authenticator
        const ingest = yield* Ingest
        yield* auth.write(
          claim(yield* NodeKey, alice, "message", id, fields.ts),
          "message",
          id,
          (proof) => ingest.message({ kind: "dm", chatId: fields.chatId, peer: bob.address }, fields, proof),
          Effect.undefined
        )
        yield* settle
        assert.deepStrictEqual(network.published.map((payload) => recordsOf(payload).map((r) => r.id)), [[id]])
        assert.strictEqual((yield* Writer).stats().queued, 1)
        yield* held.open
      }), steer)
  })

  it.effect("what comes while one is under way goes together, at most 64 and in order", () =>
    run((network) =>
      Effect.gen(function*() {
        const gossip = yield* Gossip
        const held = yield* gate
        network.publishing = Effect.as(held.pass, 1)
        const records = some(2 * batchRecordsMax)
        for (const record of records) {
          gossip.announce(record)
          if (record === records[0]) yield* settle
        }
        yield* held.open
        yield* settle
        yield* TestClock.adjust(10)
        yield* settle
        const sizes = network.published.map((payload) => recordsOf(payload).length)
        assert.deepStrictEqual(sizes, [1, 64, 63])
        assert.deepStrictEqual(network.published.flatMap(recordsOf).map(({ ts }) => ts), records.map(({ ts }) => ts))
        assert.strictEqual(gossip.stats().queued, 0)
      })
    ))

  it.effect("just after one went out, records collect for a few ms", () =>
    run((network) =>
      Effect.gen(function*() {
        const gossip = yield* Gossip
        for (const record of some(3)) {
          gossip.announce(record)
          yield* settle
        }
        yield* TestClock.adjust(3)
        yield* settle
        assert.strictEqual(network.published.length, 1)
        yield* TestClock.adjust(5)
        yield* settle
        assert.deepStrictEqual(network.published.map((payload) => recordsOf(payload).length), [1, 2])
      })
    ))

  it.effect("large records are spread over several messages, each below the limit", () =>
    run((network) =>
      Effect.gen(function*() {
        const gossip = yield* Gossip
        const target = "ab".repeat(20) as Ids.Address
        const op = create(alice, 1, [], at)
        const large: Op = {
          ...op,
          op: 2,
          targets: [target],
          observed: Array.from({ length: 4096 }, (_, i) => (i.toString(16).padStart(64, "0") + target) as never)
        }
        const list: ReadonlyArray<Rec> = [...some(60, "é".repeat(16_384)), large, large, large, large, large]
        for (const record of list) gossip.announce(record)
        for (let i = 0; i < 60; i++) {
          yield* settle
          yield* TestClock.adjust(10)
        }
        for (const payload of network.published) assert.isBelow(payload.length, gossipBytesMax / 2)
        assert.strictEqual(network.published.flatMap(recordsOf).length, list.length)
      })
    ))

  it.effect(
    "failure 5: the queue is bounded, the oldest are dropped and a gap is reported",
    () =>
      run((network) =>
        Effect.gen(function*() {
          const gossip = yield* Gossip
          network.publishing = Effect.never
          for (const record of some(1)) gossip.announce(record)
          yield* settle
          const records = some(outboxRecordsMax + 10)
          for (const record of records) gossip.announce(record)
          assert.strictEqual(gossip.stats().queued, outboxRecordsMax)
          assert.isTrue((yield* reported)?.anywhere)
          network.publishing = Effect.succeed(1)
          // a network that never answers is not waited for
          yield* TestClock.adjust("11 seconds")
          yield* settle
          assert.strictEqual(recordsOf(network.published[1]!)[0]?.ts, records[10]!.ts)
        })
      ),
    60_000
  )

  it.effect("failures 10, 11 and 18: a message that reached nobody, or failed, is a gap; without peers there is none", () =>
    run((network) =>
      Effect.gen(function*() {
        const gossip = yield* Gossip
        const announce = Effect.gen(function*() {
          for (const record of some(1)) gossip.announce(record)
          yield* settle
          yield* TestClock.adjust(20)
        })
        yield* announce
        assert.isUndefined(yield* reported)
        network.publishing = Effect.succeed(0)
        yield* announce
        assert.isTrue((yield* reported)?.anywhere)
        network.publishing = Effect.die(new Error("gossipsub is broken"))
        yield* announce
        assert.isTrue((yield* reported)?.anywhere)
        network.peers = []
        yield* announce
        assert.isUndefined(yield* reported)
        assert.deepStrictEqual([network.published.length, gossip.stats().queued], [3, 0])
      })
    ))
})

describe("failure 18: gossip that broke", () => {
  it.effect("goes on with the next record", () =>
    run((network) =>
      Effect.gen(function*() {
        const gossip = yield* Gossip
        const [first, poison, last] = some(3)
        gossip.announce(first!)
        yield* settle
        gossip.announce({ ...poison!, chatId: "no hex" } as Rec)
        yield* TestClock.adjust(10)
        yield* settle
        assert.isTrue((yield* reported)?.anywhere)
        gossip.announce(last!)
        yield* TestClock.adjust("2 seconds")
        yield* settle
        assert.deepStrictEqual(network.published.flatMap(recordsOf).map(({ ts }) => ts), [first!.ts, last!.ts])
      })
    ))

  it.effect("failure 4: does not fill the log while the store fails", () => {
    const steer = steering()
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => lines.push(message))
    return run((network) =>
      Effect.gen(function*() {
        steer.ops = Effect.fail(new StoreError({ reason: "stopped", message: "gone" }))
        for (let i = 0; i < 20; i++) {
          const payload = payloadOf(groupMessage(bob, groupOf(alice, i), "x", at))
          assert.strictEqual(yield* network.deliver(payload, peer), "ignore")
        }
        assert.strictEqual(lines.length, 1)
        yield* TestClock.adjust("1 minute")
        yield* network.deliver(payloadOf(groupMessage(bob, groupOf(alice, 99), "x", at)), peer)
        assert.strictEqual(lines.length, 2)
      }).pipe(Effect.provide(Logger.layer([logger]))), steer)
  })
})

describe("what comes by gossip", () => {
  const old = dm(alice, bob, "aged", { ts: cutoffMs(now) })
  const early = dm(alice, bob, "early", { ts: now, hlc: Hlc.make(now + driftMsMax + 1, 0) })
  const waits = groupMessage(bob, groupOf(alice, 1), "waits", at)
  const one = dm(alice, bob, "one", at)
  const two = dm(alice, bob, "two", at)
  const bad = { ...two, sig: one.sig }

  it.effect("goes on when it is new and good, in a batch as alone, and is stored", () =>
    run((network) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* network.deliver(payloadOf(one), peer), "accept")
        assert.strictEqual(yield* network.deliver(payloadOf(one, two), other), "accept")
        assert.strictEqual(yield* network.deliver(payloadOf(one), peer), "ignore")
        assert.strictEqual(yield* network.deliver(payloadOf(one, two), peer), "ignore")
        assert.strictEqual((yield* Writer).last(), 2)
        // not announced again: forwarding is the network's
        yield* settle
        assert.strictEqual(network.published.length, 0)
      })
    ))

  it.effect("is ignored, not rejected, for what may pass; the good of a batch is kept", () =>
    run((network) =>
      Effect.gen(function*() {
        for (const single of [old, early, waits]) {
          assert.strictEqual(yield* network.deliver(payloadOf(single), peer), "ignore")
        }
        const good = [1, 2, 3].map((i) => identity(user(10 + i), Uint8Array.of(i), at))
        const batches = [old, early, waits].map((single, i) => payloadOf(good[i]!, single))
        for (const batch of batches) assert.strictEqual(yield* network.deliver(batch, peer), "ignore")
        assert.strictEqual((yield* Writer).last(), 3)
        assert.strictEqual((yield* Intake).stats().waiting, 2)
        assert.isUndefined(yield* reported)
      })
    ))

  it.effect("is rejected for what is invalid for ever, and then nothing of it is kept", () =>
    run((network) =>
      Effect.gen(function*() {
        for (
          const payload of [
            payloadOf(bad),
            payloadOf(one, bad),
            payloadOf(waits, bad),
            payloadOf(one, dm(alice, bob, "far", { ts: now - 90_001, hlc: Hlc.make(now, 0) })),
            Uint8Array.of(0xa0),
            Uint8Array.of(),
            new Uint8Array(gossipBytesMax + 1)
          ]
        ) assert.strictEqual(yield* network.deliver(payload, peer), "reject")
        assert.strictEqual((yield* Writer).last(), 0)
        assert.strictEqual((yield* Intake).stats().waiting, 0)
      })
    ))

  it.effect("is ignored and reported when the store fails", () => {
    const steer = steering()
    return run((network) =>
      Effect.gen(function*() {
        steer.ops = Effect.fail(new StoreError({ reason: "io", message: "broken" }))
        assert.strictEqual(yield* network.deliver(payloadOf(waits), peer), "ignore")
        assert.deepStrictEqual(yield* reported, { peers: new Set([peer]), anywhere: false })
      }), steer)
  })

  it.effect("failure 5: a peer that sends more than is judged at a time is ignored and reported; others are heard", () => {
    const steer = steering()
    return run((network) =>
      Effect.gen(function*() {
        const held = yield* gate
        steer.ops = held.pass
        const messages = Array.from({ length: judgingMax / 2 }, (_, i) =>
          payloadOf(groupMessage(bob, groupOf(alice, i), "x", at)))
        const judging = yield* Effect.forkChild(
          Effect.all(
            messages.map((payload) =>
              network.deliver(payload, peer)
            ),
            { concurrency: "unbounded" }
          )
        )
        yield* settle
        assert.strictEqual(yield* network.deliver(payloadOf(one), peer), "ignore")
        assert.deepStrictEqual(yield* reported, { peers: new Set([peer]), anywhere: false })
        assert.strictEqual(yield* network.deliver(payloadOf(one), other), "accept")
        yield* held.open
        yield* Fiber.join(judging)
        assert.strictEqual(yield* network.deliver(payloadOf(two), peer), "accept")
      }), steer)
  })

  it("has the verdict of SPEC §7 whatever the mix", () => {
    const of = (...tags: ReadonlyArray<"accepted" | "known" | "aged" | "early" | "waiting" | "full" | "invalid">) =>
      verdictOf(tags.map((_tag) => _tag === "invalid" ? { _tag, why: "" } : { _tag }))
    assert.strictEqual(of("accepted"), "accept")
    assert.strictEqual(of("accepted", "known"), "accept")
    assert.strictEqual(of("known"), "ignore")
    for (const tag of ["aged", "early", "waiting", "full"] as const) {
      assert.strictEqual(of(tag), "ignore")
      assert.strictEqual(of("accepted", tag), "ignore")
      assert.strictEqual(of("invalid", "accepted", tag), "reject")
    }
  })
})
