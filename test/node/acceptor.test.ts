/** The one way in: what it remembers, and that what is queued is folded whatever happens. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Hlc from "../../src/domain/hlc.ts"
import type { ChatId } from "../../src/domain/ids.ts"
import { driftMsMax } from "../../src/domain/limits.ts"
import { RecentIds, windowMs } from "../../src/layers/node/recent-ids.ts"
import { Acceptor } from "../../src/services/Acceptor.ts"
import { Groups } from "../../src/services/Groups.ts"
import { HybridClock } from "../../src/services/HybridClock.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { Writer } from "../../src/services/Writer.ts"
import { user } from "../http/fixture.ts"
import { gate, steering, unsynced } from "./harness.ts"
import { add, create, dm, groupOf, identity, mark } from "./peer-records.ts"

const [alice, bob, carol] = [user(1), user(2), user(3)]
const now = Date.UTC(2026, 0, 15, 12, 10)
const at = { ts: now }
const chatId = groupOf(alice, 1)

const run = <A, E, R>(body: Effect.Effect<A, E, R>, steer = steering()) =>
  Effect.andThen(TestClock.setTime(now), Effect.provide(body, unsynced(steer)))

describe("the acceptor", () => {
  it.effect("knows the same record and what loses to it, not what wins over it", () => {
    const steer = steering()
    return run(
      Effect.gen(function*() {
        const acceptor = yield* Acceptor
        const writer = yield* Writer
        const held = yield* gate
        const message = dm(alice, bob, "hi", at)
        const variants = (hlc: number) => ({ ...message, hlc: Hlc.make(now + hlc, 0) })
        const blob = identity(alice, Uint8Array.of(1), at)
        const look = () => [message, variants(1), variants(-1), blob].map((record) => acceptor.knows(record))
        yield* TestClock.adjust("10 minutes")
        // after ten minutes all is in the store: nothing is known of what is older than this memory
        assert.deepStrictEqual(look(), [undefined, undefined, undefined, undefined])
        yield* TestClock.setTime(now)
        steer.commit = held.pass
        acceptor.step(undefined, (accept) => [accept(message), accept(blob)])
        assert.deepStrictEqual(look(), [true, true, false, true])
        // an older identity loses to the one that is pending, though it was never seen
        assert.isTrue(acceptor.knows(identity(alice, Uint8Array.of(2), { ts: now - 5 })))
        yield* held.open
        yield* writer.committed(writer.last())
        assert.deepStrictEqual(look(), [true, true, undefined, true].map((known, i) => i === 2 ? false : known))
        assert.isUndefined(acceptor.knows(identity(alice, Uint8Array.of(2), { ts: now - 5 })))
        const sigs = { ...message, sig: dm(alice, bob, "ho", at).sig }
        assert.isUndefined(acceptor.knows(sigs), "another signature under one stamp is not told apart")
      }),
      steer
    )
  })

  it.effect("merges every stamp into the clock, and its own only once", () =>
    run(Effect.gen(function*() {
      const acceptor = yield* Acceptor
      const clock = yield* HybridClock
      const own = clock.send()
      acceptor.step(undefined, (accept) => accept(dm(alice, bob, "own", { ts: now, hlc: own })))
      assert.strictEqual(clock.last(), own)
      acceptor.step(undefined, (accept) => accept(dm(alice, bob, "theirs", { ts: now, hlc: Hlc.make(now + 5, 3) })))
      assert.strictEqual(clock.last(), Hlc.make(now + 5, 4))
      acceptor.step(undefined, (accept) => accept(mark(bob, alice, own, { ts: now, hlc: Hlc.make(now - 5, 0) })))
      assert.strictEqual(clock.last(), Hlc.make(now + 5, 5))
    })))

  it.effect("folds ops once a step, also when the step breaks off; watchers are told, once a step", () =>
    run(Effect.gen(function*() {
      const acceptor = yield* Acceptor
      const groups = yield* Groups
      const told: Array<ChatId> = []
      const scope = yield* Scope.make()
      yield* Scope.provide(acceptor.watch((chat) => void told.push(chat)), scope)
      yield* groups.use(chatId, (group) => {
        try {
          acceptor.step(group, (accept) => {
            accept(create(alice, 1, [], at))
            accept(add(alice, chatId, bob, 1, { ts: now + 1 }))
            assert.isTrue(group.authority.isWriter(bob.address))
            throw new Error("a bug further on")
          })
        } catch {
          // what was accepted counts
        }
      })
      assert.strictEqual(yield* groups.use(chatId, (group) => group.membership.memberCount), 2)
      assert.deepStrictEqual(told, [chatId])
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* groups.use(
        chatId,
        (group) => acceptor.step(group, (accept) => accept(add(alice, chatId, carol, 0, { ts: now + 2 })))
      )
      assert.deepStrictEqual(told, [chatId])
    })))

  it.effect("an op without its group is a mistake of the program, and not queued", () =>
    run(Effect.gen(function*() {
      const acceptor = yield* Acceptor
      assert.throws(() => acceptor.step(undefined, (accept) => accept(create(alice, 1, [], at))))
      assert.strictEqual((yield* Writer).last(), 0)
      const refused = acceptor.step(undefined, (accept) => accept(dm(alice, bob, "fine", at)))
      assert.isTrue(Result.isSuccess(refused))
    })))
})

describe("the memory of recent ids", () => {
  const entry = (ms: number) => ({ hlc: Hlc.make(ms, 0), ticket: 1, variant: 0 })

  it("covers stamps that were early before it began, and no others", () => {
    const recent = new RecentIds(10, { steadyMs: 0, wallMs: now })
    const clocks = { steadyMs: 1_000, wallMs: now + 1_000 }
    assert.isFalse(recent.covers(Hlc.make(now + driftMsMax, 0), clocks))
    assert.isTrue(recent.covers(Hlc.make(now + driftMsMax + 1, 0), clocks))
    const later = { steadyMs: 10 * windowMs, wallMs: now + 10 * windowMs }
    assert.isFalse(recent.covers(Hlc.make(later.wallMs - windowMs, 0), later))
    assert.isTrue(recent.covers(Hlc.make(later.wallMs - windowMs + 1, 0), later))
  })

  const id = (head: string) => head.padEnd(64, "0")

  it("keeps an id for the window, leaves out old stamps, and says when too many came", () => {
    const recent = new RecentIds(2, { steadyMs: 0, wallMs: now })
    recent.add(id("0d"), entry(now - windowMs), { steadyMs: 0, wallMs: now })
    assert.isUndefined(recent.get(id("0d")))
    recent.add(id("a"), entry(now), { steadyMs: 0, wallMs: now })
    recent.add(id("b"), entry(now + windowMs), { steadyMs: windowMs, wallMs: now + windowMs })
    assert.isDefined(recent.get(id("a")))
    assert.isTrue(recent.isComplete(windowMs))
    for (const head of ["c", "d", "e", "f"]) {
      recent.add(id(head), entry(now + windowMs), { steadyMs: windowMs + 1, wallMs: now + windowMs })
    }
    assert.isUndefined(recent.get(id("a")))
    assert.isFalse(recent.isComplete(windowMs + 1))
    assert.isTrue(recent.isComplete(2 * windowMs + 1))
  })

  it("does not know what may be stored before it is told, and for the window where it is not told", () => {
    const recent = new RecentIds(10, { steadyMs: 0, wallMs: now })
    assert.isTrue(recent.mayBeStored(id("ab"), { steadyMs: windowMs - 1, wallMs: now }))
    assert.isFalse(recent.mayBeStored(id("ab"), { steadyMs: windowMs, wallMs: now }))
  })

  it("asks about ids in the buckets of the start only, and about all while the clock is behind the start", () => {
    const recent = new RecentIds(10, { steadyMs: 0, wallMs: now })
    recent.seed([0xabcd, 0xffff])
    const asked = (head: string, wallMs = now) => recent.mayBeStored(id(head), { steadyMs: 0, wallMs })
    assert.deepStrictEqual(["abcd", "abcdff", "ffffff"].map((head) => asked(head)), [true, true, true])
    assert.deepStrictEqual(["abcc", "abce", "abccff", "abce00", "0000", "fffe"].map((head) => asked(head)), [
      false,
      false,
      false,
      false,
      false,
      false
    ])
    assert.isTrue(asked("0000", now - 1))
  })

  it("still knows that an id may be stored when too many came to remember it, for the window", () => {
    const recent = new RecentIds(1, { steadyMs: 0, wallMs: now })
    recent.seed([])
    const times = (steadyMs: number) => ({ steadyMs, wallMs: now + steadyMs })
    const ids = [1, 2, 3, 4].map((n) => id(`0${n}`))
    for (const each of ids) recent.add(each, entry(now), times(0))
    assert.isUndefined(recent.get(ids[0]!))
    assert.isTrue(ids.every((each) => recent.mayBeStored(each, times(0))))
    assert.isFalse(recent.mayBeStored(id("05"), times(0)))
    recent.add(id("06"), entry(now), times(windowMs))
    assert.isTrue(ids.every((each) => recent.mayBeStored(each, times(windowMs))))
    recent.add(id("07"), entry(now), times(2 * windowMs))
    assert.isFalse(ids.some((each) => recent.mayBeStored(each, times(2 * windowMs))))
  })
})

describe("what was stored before the start", () => {
  /** As far as a request reaches back: 30 s of its window, and 90 s of a stamp from the author's time. */
  const reachMs = 120_000
  const stampedAt = (ms: number) => dm(alice, bob, `stamped ${ms}`, { ts: now + ms, hlc: Hlc.make(now + ms, 0) })

  it.effect("is looked up again where a request can reach it, and nothing else is", () => {
    const steer = steering()
    const within = stampedAt(1 - reachMs)
    const before = stampedAt(-reachMs - 1)
    steer.stored = [within, before]
    return run(
      Effect.gen(function*() {
        const acceptor = yield* Acceptor
        yield* Effect.yieldNow
        yield* TestClock.adjust(1)
        assert.isTrue(acceptor.mayBeStored(within.id))
        assert.isFalse(acceptor.mayBeStored(before.id))
        const later = dm(alice, bob, "later", at)
        assert.isFalse(acceptor.mayBeStored(later.id))
        acceptor.step(undefined, (accept) => accept(later))
        assert.isTrue(acceptor.mayBeStored(later.id))
        assert.strictEqual(steer.listed, 0, "buckets are enough")
      }),
      steer
    )
  })

  it.effect("gives a repeated write its first answer", () => {
    const steer = steering()
    const first = dm(alice, bob, "first", at)
    steer.stored = [first]
    return run(
      Effect.gen(function*() {
        yield* TestClock.adjust(1)
        const ingest = yield* Ingest
        const receipt = yield* ingest.receipt({ kind: "message", id: first.id })
        assert.deepStrictEqual(receipt, { id: first.id, hlc: first.hlc, ticket: 0 })
        assert.isUndefined(yield* ingest.receipt({ kind: "message", id: dm(alice, bob, "second", at).id }))
      }),
      steer
    )
  })
})
