/** What peers bring is judged the same way whoever brings it, and nothing acceptable is refused for good. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { defaultIngestLimits, driftMsMax, stampMsMax } from "../../src/domain/limits.ts"
import { cutoffMs } from "../../src/domain/retention.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { waitMsMax } from "../../src/layers/node/intake.ts"
import { HybridClock } from "../../src/services/HybridClock.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { Intake } from "../../src/services/Intake.ts"
import { Store, StoreError } from "../../src/services/Store.ts"
import { Writer } from "../../src/services/Writer.ts"
import { gate, steering, unsynced } from "./harness.ts"
import {
  alice,
  at,
  bob,
  carol,
  committed,
  dave,
  isStored,
  now,
  other,
  peer,
  run,
  send,
  settle,
  take
} from "./intake-steps.ts"
import { create, dm, groupMessage, groupOf, identity, mark } from "./peer-records.ts"

describe("intake", () => {
  it.effect("takes in every kind, once, and merges their stamps into the clock", () =>
    run(Effect.gen(function*() {
      const clock = yield* HybridClock
      const ahead = Hlc.make(now + 30_000, 7)
      const records = [
        create(alice, 1, [bob], at),
        groupMessage(bob, groupOf(alice, 1), "in a group", at),
        dm(alice, bob, "hi", { ts: now, hlc: ahead }),
        mark(bob, alice, Hlc.make(now, 0), at),
        identity(alice, Uint8Array.of(1), at)
      ]
      assert.deepStrictEqual(yield* take(records), records.map(() => "accepted"))
      assert.isTrue(clock.send() > ahead)
      assert.deepStrictEqual(yield* take(records), records.map(() => "known"))
      yield* committed
      assert.deepStrictEqual(yield* take(records, other), records.map(() => "known"))
      assert.strictEqual((yield* Writer).last(), records.length)
      const stats = yield* (yield* Store).stats
      assert.deepStrictEqual([stats.messages, stats.ops, stats.reads, stats.identities], [2, 1, 1, 1])
    })))

  it.effect("failure 9: what was taken long ago is known when it is replayed", () =>
    run(Effect.gen(function*() {
      const old = dm(alice, bob, "old", at)
      const first = identity(alice, Uint8Array.of(1), at)
      assert.deepStrictEqual(yield* take([old, first]), ["accepted", "accepted"])
      yield* committed
      yield* TestClock.adjust("2 hours")
      // pushes the memory of recent ids through its generations
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(yield* take([dm(alice, bob, `${i}`, { ts: now + (125 + 5 * i) * 60_000 })]), [
          "accepted"
        ])
      }
      assert.deepStrictEqual(yield* take([old, first], other), ["known", "known"])
      // superseded by what is stored
      const later = identity(alice, Uint8Array.of(2), { ts: now + 1 })
      assert.deepStrictEqual(yield* take([later, first]), ["accepted", "known"])
    })))

  it.effect("failure 25: the same message under another sender or signature is invalid, not another's", () =>
    run(Effect.gen(function*() {
      const message = dm(alice, bob, "mine", at)
      assert.deepStrictEqual(yield* take([message]), ["accepted"])
      yield* committed
      const sig = dm(bob, alice, "mine", at).sig
      const chatId = message.chatId
      const asBob = { ...message, sender: bob.address, peer: alice.address }
      const renamed = { ...asBob, id: Ids.messageId(noble, asBob) }
      assert.strictEqual(renamed.chatId, chatId)
      assert.deepStrictEqual(yield* take([renamed]), ["invalid"])
      // a variant that would win over the one held: it is not known, and its signature is looked at
      const earlier = { ...message, hlc: Hlc.make(now - 1, 0), sig }
      assert.deepStrictEqual(yield* take([earlier]), ["invalid"])
      assert.deepStrictEqual(yield* take([{ ...message, hlc: Hlc.make(now - 1, 0) }]), ["accepted"])
      yield* committed
      const held = yield* (yield* Store).message(message.id)
      assert.deepStrictEqual([held?.sender, held?.hlc], [alice.address, Hlc.make(now - 1, 0)])
    })))

  it.effect("refuses for ever what is malformed, badly signed, badly stamped, or too far from its author's time", () =>
    run(Effect.gen(function*() {
      const op = create(alice, 1, [], at)
      const stamp = Uint8Array.from(op.stamp)
      stamp[3]! ^= 1
      const inside = dm(alice, bob, "in", { ts: now - stampMsMax, hlc: Hlc.make(now, 0) })
      const outside = dm(alice, bob, "out", { ts: now - stampMsMax - 1, hlc: Hlc.make(now, 0) })
      const message = dm(alice, bob, "hi", at)
      assert.deepStrictEqual(
        yield* take([
          { ...op, stamp },
          inside,
          outside,
          { ...message, peer: carol.address },
          { ...message, sig: dm(alice, bob, "ho", at).sig },
          op
        ]),
        ["invalid", "accepted", "invalid", "invalid", "invalid", "accepted"]
      )
    })))

  it.effect("with `whole`, takes nothing of a list that holds something invalid", () =>
    run(Effect.gen(function*() {
      const good = dm(alice, bob, "good", at)
      const bad = { ...dm(alice, bob, "bad", at), sig: good.sig }
      const judged = yield* (yield* Intake).take([good, bad], { peer, room: "now", whole: true })
      assert.deepStrictEqual(judged.map(({ _tag }) => _tag), ["invalid", "invalid"])
      assert.strictEqual((yield* Writer).last(), 0)
      assert.deepStrictEqual(yield* take([good, bad]), ["accepted", "invalid"])
    })))

  it.effect("takes no aged message or mark, and ops of any age", () =>
    run(Effect.gen(function*() {
      const cutoff = cutoffMs(now)
      const records = [
        dm(alice, bob, "aged", { ts: cutoff }),
        dm(alice, bob, "kept", { ts: cutoff + 1 }),
        mark(bob, alice, Hlc.make(cutoff, 0), { ts: cutoff }),
        create(alice, 1, [], { ts: cutoff - 1 }),
        identity(alice, Uint8Array.of(1), { ts: cutoff - 1 })
      ]
      assert.deepStrictEqual(yield* take(records), ["aged", "accepted", "aged", "accepted", "accepted"])
    })))

  it.effect("a mark takes the place of an aged one that reaches higher", () =>
    run(Effect.gen(function*() {
      const cutoff = cutoffMs(now)
      const high = mark(bob, alice, Hlc.make(cutoff + 1, 0), { ts: cutoff + 1 })
      const low = mark(bob, alice, Hlc.make(cutoff, 0), { ts: now })
      assert.deepStrictEqual(yield* take([high]), ["accepted"])
      yield* committed
      assert.deepStrictEqual(yield* take([low]), ["known"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* take([low]), ["accepted"])
      yield* committed
      assert.strictEqual((yield* (yield* Store).read(low.chatId, bob.address))?.id, low.id)
    })))

  it.effect("a mark comes back that was just accepted, and lost its place to one that has aged since", () =>
    run(Effect.gen(function*() {
      // ten seconds before the hour turns
      const turn = Date.UTC(2026, 0, 15, 13)
      yield* TestClock.setTime(turn - 10_000)
      const cutoff = cutoffMs(turn)
      const low = mark(bob, alice, Hlc.make(cutoff - 2, 0), { ts: turn - 20_000 })
      const high = mark(bob, alice, Hlc.make(cutoff - 1, 0), { ts: cutoff - 1 })
      assert.deepStrictEqual(yield* take([low]), ["accepted"])
      assert.deepStrictEqual(yield* take([high]), ["accepted"])
      yield* committed
      assert.deepStrictEqual(yield* take([low]), ["known"])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* take([low]), ["accepted"])
      yield* committed
      assert.strictEqual((yield* (yield* Store).read(low.chatId, bob.address))?.id, low.id)
      assert.deepStrictEqual(yield* take([low]), ["known"])
    })))
})

describe("failures 6 and 7: stamps ahead of this node's clock", () => {
  it.effect("at the bound are taken, just outside wait until their time", () =>
    run(Effect.gen(function*() {
      const ahead = (ms: number, content: string) =>
        dm(alice, bob, content, { ts: now + ms - 30_000, hlc: Hlc.make(now + ms, 0) })
      const early = ahead(driftMsMax + 1, "early")
      assert.deepStrictEqual(
        yield* take([ahead(driftMsMax - 1, "in"), ahead(driftMsMax, "at"), early]),
        ["accepted", "accepted", "early"]
      )
      assert.isTrue(Hlc.physicalMs((yield* HybridClock).last()) <= now + driftMsMax)
      assert.isFalse(yield* isStored(early))
      yield* TestClock.adjust(1)
      yield* settle
      assert.isTrue(yield* isStored(early))
      assert.strictEqual((yield* Intake).stats().waiting, 0)
    })))

  it.effect("from the far future are not kept; one that comes before it waits too long is", () =>
    run(Effect.gen(function*() {
      const intake = yield* Intake
      const far = (ms: number) => dm(alice, bob, `${ms}`, { ts: now + ms })
      const last = far(driftMsMax + waitMsMax)
      assert.deepStrictEqual(yield* take([far(driftMsMax + waitMsMax + 1)]), ["early"])
      assert.strictEqual(intake.stats().waiting, 0)
      assert.deepStrictEqual(yield* take([last, far(2 ** 46)]), ["early", "early"])
      assert.strictEqual(intake.stats().waiting, 1)
      yield* TestClock.adjust(waitMsMax)
      yield* settle
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.isTrue(yield* isStored(last))
    })))
})

describe("failures 5 and 21: more than the disk takes", () => {
  const limits = { ...defaultIngestLimits, queueRecordsMax: 20 }
  const many = (count: number) => Array.from({ length: count }, (_, i) => dm(carol, dave, `${i}`, { ts: now + i }))

  it.effect("from peers leaves room for users: gossip is told there is none, sync waits", () => {
    const steer = steering()
    return run(
      Effect.gen(function*() {
        const held = yield* gate
        const writer = yield* Writer
        steer.commit = held.pass
        const records = many(40)
        const judged = yield* take(records.slice(0, 20))
        assert.deepStrictEqual(judged.map((tag) => tag === "accepted"), records.slice(0, 20).map((_, i) => i <= 10))
        assert.strictEqual(judged.at(-1), "full")
        for (let i = 0; i < 5; i++) yield* send(`over HTTP ${i}`)
        const syncing = yield* Effect.forkChild(Effect.all([
          take(records.slice(0, 25), other, "wait"),
          take(records.slice(25), peer, "wait")
        ], { concurrency: 2 }))
        yield* settle
        assert.strictEqual(writer.stats().queued, 16)
        yield* send("still taken")
        yield* held.open
        const [first, second] = yield* Fiber.join(syncing)
        assert.deepStrictEqual([...new Set(first)].sort(), ["accepted", "known"])
        assert.deepStrictEqual([...new Set(second)], ["accepted"])
        yield* committed
        assert.strictEqual((yield* (yield* Store).stats).messages, 46)
      }),
      unsynced(steer, undefined, limits)
    )
  })

  it.effect("waits while commits fail", () => {
    const steer = steering()
    return run(
      Effect.gen(function*() {
        steer.commit = Effect.fail(new StoreError({ reason: "full", message: "full" }))
        yield* send("fails")
        yield* settle
        const room = yield* Effect.forkChild((yield* Writer).room)
        yield* TestClock.adjust("1 minute")
        assert.isUndefined(room.pollUnsafe())
        assert.deepStrictEqual(yield* take(many(1)), ["full"])
        steer.commit = Effect.void
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(room)
        assert.deepStrictEqual(yield* take(many(1)), ["accepted"])
      }),
      unsynced(steer, undefined, limits)
    )
  })
})

describe("failure 27", () => {
  it.effect("no limit of HTTP ingest keeps a peer's record out", () =>
    run(
      Effect.gen(function*() {
        const records = [
          create(alice, 1, [bob, carol, dave], at),
          ...Array.from({ length: 100 }, (_, i) => dm(carol, dave, `${i}`, { ts: now + i }))
        ]
        assert.deepStrictEqual(yield* take(records), records.map(() => "accepted"))
      }),
      unsynced(steering(), undefined, {
        ...defaultIngestLimits,
        groupMembersMax: 1,
        bodyBytesMax: 1,
        inFlightMax: 1,
        userRequestsPerSecond: 1,
        userRequestsBurst: 1,
        replayEntriesMax: 1
      })
    ))

  it.effect("a write that came by another way has its first answer here too", () =>
    run(Effect.gen(function*() {
      const message = dm(alice, bob, "once", at)
      yield* take([message])
      const receipt = yield* (yield* Ingest).receipt({ kind: "message", id: message.id })
      assert.deepStrictEqual(receipt, { id: message.id, hlc: message.hlc, ticket: 1 })
    })))
})
