/** Fetching most of what a peer holds: streamed, cut, resumed, and bounded whatever the peer sends (FAILURES 3, 17). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import type { NodeId } from "../../src/domain/ids.ts"
import { comparePlaces } from "../../src/domain/membership-fold.ts"
import type { Message, Op, Record } from "../../src/domain/record.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import { plan, rangesOf } from "../../src/layers/sync/catch-up.ts"
import { Fetching } from "../../src/layers/sync/fetching.ts"
import type { Store } from "../../src/services/Store.ts"
import { at, message, op, user } from "../contract/store-records.ts"
import { Dice } from "../domain/records.ts"
import { hashes, listening, progressOf, ready, round, type Side, type SideOptions, sides, told } from "./fixture.ts"

const two = (a: SideOptions = {}, b: SideOptions = {}) => Effect.map(sides(a, b), (made) => made as [Side, Side])

const messages = (count: number): ReadonlyArray<Message> =>
  Array.from({ length: count }, (_, i) => message({ peer: user(2), content: `${i}`, hlc: at(i % 1_000) }))
const ops = (count: number): ReadonlyArray<Op> =>
  Array.from({ length: count }, (_, i) => op({ targets: [user(i + 2)], hlc: at(Math.imul(i, 7_919) % 60_000) }))

/** A store whose streams have pages of about so many records. */
const paged = (bytesMax: number) => (store: Store["Service"]): Store["Service"] => ({
  ...store,
  stream: (query) => store.stream({ ...query, bytesMax })
})

/** Records that crossed the line to the opener, by the bytes of each. */
const counting = () => {
  const seen = new Map<string, number>()
  return {
    seen,
    twice: () => [...seen.values()].reduce((sum, count) => sum + count - 1, 0),
    tap: (frame: Frames.Frame) => {
      if (frame._tag !== "Page" && frame._tag !== "Records") return
      for (const record of frame.records) {
        const key = Bytes.toHex(hashes.blake3(record instanceof Uint8Array ? record : record.bytes))
        seen.set(key, (seen.get(key) ?? 0) + 1)
      }
    }
  }
}

const succeeded = (exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
}
const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) throw new Error("the round did not fail")
  return JSON.parse(JSON.stringify(exit.cause.reasons[0])).error.reason
}

describe("catching up", () => {
  it.effect("3: streams everything to an empty node in one round; ops in their order", () =>
    Effect.gen(function*() {
      const [a, b] = yield* two({}, { seen: paged(64 * 1024) })
      const records: ReadonlyArray<Record> = [...messages(6_000), ...ops(2_000)]
      yield* b.put(records)
      yield* ready(a, b)
      const { heard, tap } = listening()
      const progress = told()
      const done = yield* round(a, b, { tap, progress: progressOf(progress) })
      succeeded(done.led)
      if (Exit.isSuccess(done.led)) {
        assert.isTrue(done.led.value.behind)
        assert.strictEqual(done.led.value.pulled, records.length)
      }
      assert.isFalse(heard.some(({ frame }) => frame._tag === "Pull"))
      assert.strictEqual(progress.fetched.reduce((sum, [count]) => sum + count, 0), records.length)
      const order = a.taken.flat().filter((record): record is Op => record.kind === "op")
      assert.lengthOf(order, 2_000)
      assert.isTrue(order.every((each, i) => i === 0 || comparePlaces(order[i - 1]!, each) < 0))
      assert.strictEqual(progress.cursors.at(-1), undefined)
      const again = yield* round(a, b)
      assert.isTrue(Exit.isSuccess(again.led) && again.led.value.equal)
    }), 60_000)

  it.effect("3: goes on after cuts at random places, and fetches little twice", () =>
    Effect.gen(function*() {
      const dice = new Dice(11)
      const pageRecords = 50
      const [a, b] = yield* two({}, { seen: paged(pageRecords * 300) })
      const records: ReadonlyArray<Record> = [...messages(4_000), ...ops(1_500)]
      yield* b.put(records)
      yield* ready(a, b)
      const progress = told()
      const { tap, twice } = counting()
      let cuts = 0
      for (let rounds = 0; rounds < 60; rounds++) {
        const cutAt = cuts < 6 ? 8 + dice.below(25) : Infinity
        const done = yield* round(a, b, {
          progress: progressOf(progress),
          tap: (bytes, _, number) => {
            if (number >= cutAt) return "cut"
            const frame = Frames.decode(bytes)
            if (frame._tag === "Success") tap(frame.success)
            return undefined
          }
        })
        if (Exit.isSuccess(done.led) && done.led.value.equal) break
        if (Exit.isFailure(done.led)) {
          cuts++
          assert.strictEqual(reasonOf(done.led), "closed")
        }
      }
      assert.isAtLeast(cuts, 5)
      assert.deepStrictEqual(yield* a.all, yield* b.all)
      // of each cut the part under way begins anew; a part is one of 256, unless ids are neighbours in one stream
      assert.isAtMost(twice(), cuts * (pageRecords * 2 + 4_000 / 256))
    }), 120_000)

  it.effect(
    "3: a peer that repeats, goes back, leaves its range or has no end is stopped",
    () =>
      Effect.gen(function*() {
        const bad: ReadonlyArray<readonly [string, (store: Store["Service"]) => Partial<Store["Service"]>, RegExp]> = [
          ["repeats a page", (store) => ({
            stream: (query) => {
              const { cursor: _, ...rest } = query
              return Effect.map(store.stream({ ...rest, bytesMax: 3_000 }), (page) => ({
                ...page,
                next: new Uint8Array(8)
              }))
            }
          }), /lied/],
          ["goes backwards", (store) => ({
            stream: (query) => Effect.map(store.stream(query), (page) => ({ records: [...page.records].reverse() }))
          }), /lied/],
          ["sends others than were asked for", (store) => ({
            stream: (query) =>
              store.stream({ ...query, kind: query.kind === "op" ? "op" : "message", from: 0, to: 65_536 })
          }), /lied/],
          ["has empty pages without end", () => ({
            stream: () => Effect.succeed({ records: [], next: new Uint8Array(8) })
          }), /lied/],
          ["sends junk for records", () => ({
            stream: () => Effect.succeed({ records: [new Uint8Array(100)] })
          }), /lied/]
        ]
        for (const [name, change, reason] of bad) {
          const [a, b] = yield* two({}, { seen: (store) => ({ ...store, ...change(store) }) })
          // own records in some parts, so that a stream has a range
          const all = messages(3_000)
          yield* b.put(all)
          yield* a.put(all.filter(({ id }) => Number.parseInt(id.slice(0, 2), 16) < 100))
          yield* ready(a, b)
          const before = yield* a.all
          const done = yield* round(a, b)
          assert.match(reasonOf(done.led), reason, name)
          assert.isAtMost((yield* a.all).length - before.length, 3_000 - before.length)
          assert.isAtMost(done.tally.frames, 60, name)
          assert.deepStrictEqual(a.rebuilt, [])
        }
      }),
    120_000
  )

  it.effect(
    "17: a peer that lost its data is given it by its own round, not by what is remembered",
    () =>
      Effect.gen(function*() {
        const [a, b] = yield* two()
        yield* b.put(messages(3_000))
        yield* ready(a, b)
        // who has more leaves it to the other, whose round fetches
        const { heard, tap } = listening()
        const left = yield* round(b, a, { tap })
        assert.isTrue(Exit.isSuccess(left.led) && left.led.value.behind && left.led.value.pushed === 0)
        assert.isFalse(heard.some(({ frame }) => frame._tag === "Push"))
        succeeded((yield* round(a, b)).led)
        assert.deepStrictEqual(yield* a.all, yield* b.all)
      }),
    60_000
  )

  it.effect("3: compares where a stream is not wanted, and ends equal all the same", () =>
    Effect.gen(function*() {
      const [a, b] = yield* two()
      yield* b.put(messages(1_500))
      yield* ready(a, b)
      const done = yield* round(a, b, { progress: progressOf(told(), "compare") })
      assert.isTrue(Exit.isSuccess(done.led) && done.led.value.pulled === 1_500)
      assert.deepStrictEqual(yield* a.all, yield* b.all)
    }), 60_000)
})

describe("the plan", () => {
  it("is the same on both sides, and streams where at least half is missing", () => {
    const dice = new Dice(5)
    const opposite = { fetch: "leave", leave: "fetch", compare: "compare" } as const
    for (let i = 0; i < 2_000; i++) {
      const [common, here, there] = [dice.below(5_000), dice.below(3_000), dice.below(3_000)]
      const equal = dice.below(5_000)
      const differing = dice.below(257)
      const [ours, theirs] = [equal + common + here, equal + common + there]
      const mine = plan({ differing, ours, theirs, oursThere: common + here })
      const yours = plan({ differing, ours: theirs, theirs: ours, oursThere: common + there })
      assert.strictEqual(yours, opposite[mine])
    }
    assert.strictEqual(plan({ differing: 256, ours: 0, oursThere: 0, theirs: 256 }), "fetch")
    assert.strictEqual(plan({ differing: 256, ours: 0, oursThere: 0, theirs: 255 }), "compare")
    assert.strictEqual(plan({ differing: 15, ours: 0, oursThere: 0, theirs: 10_000 }), "compare")
    assert.strictEqual(plan({ differing: 16, ours: 0, oursThere: 0, theirs: 10_000 }), "fetch")
    // what is left after a cut is streamed too, as long as it is most of the parts that differ
    assert.strictEqual(plan({ differing: 40, ours: 9_000, oursThere: 50, theirs: 10_000 }), "fetch")
    assert.strictEqual(plan({ differing: 40, ours: 9_000, oursThere: 1_001, theirs: 10_000 }), "compare")
  })

  it("joins neighbours", () => {
    assert.deepStrictEqual(rangesOf([0, 1, 3, 255]), [
      { from: 0, to: 512 },
      { from: 768, to: 1_024 },
      { from: 65_280, to: 65_536 }
    ])
  })
})

describe("the place of the one who is fetched from", () => {
  const [a, b] = ["a", "b"] as ReadonlyArray<string> as [NodeId, NodeId]
  const start = (fetching: Fetching, peer: NodeId, now: () => number) =>
    fetching.progress(peer, now).begin({ peer, domain: "messages", missing: 1_000 })

  it("3: is for one peer while it brings something, and not for one that claims and brings nothing", () => {
    let now = 0
    const fetching = new Fetching()
    const clock = () => now
    assert.strictEqual(start(fetching, a, clock), "fetch")
    assert.strictEqual(start(fetching, b, clock), "leave")
    for (; now < 120_000; now += 1_000) fetching.progress(a, clock).fetched(100, 100)
    assert.strictEqual(start(fetching, b, clock), "leave")
    assert.strictEqual(fetching.summary()!.fetched, 12_000)
    assert.strictEqual(fetching.summary()!.rate, 100)
    // known records are no news
    for (; now < 190_000; now += 1_000) fetching.progress(a, clock).fetched(100, 0)
    assert.strictEqual(start(fetching, b, clock), "fetch")
    assert.strictEqual(fetching.summary()!.peer, b)
  })

  it("3: is given up with the peer, and not asked for again where a stream brought nothing", () => {
    let now = 0
    const fetching = new Fetching()
    const clock = () => now
    start(fetching, a, clock)
    fetching.left(b)
    assert.strictEqual(fetching.summary()?.peer, a)
    fetching.left(a)
    assert.strictEqual(fetching.summary(), undefined)
    start(fetching, a, clock)
    assert.strictEqual(fetching.ended(a, true, 5, now), undefined)
    assert.strictEqual(fetching.ended(a, true, 0, now), 0)
    assert.strictEqual(start(fetching, a, clock), "compare")
    assert.strictEqual(start(fetching, b, clock), "fetch")
    fetching.left(b)
    now = 10 * 60_000 + 1
    assert.strictEqual(start(fetching, a, clock), "fetch")
  })

  it("remembers where ops were cut, of the peer that was last streamed from", () => {
    const fetching = new Fetching()
    const cursor = Uint8Array.of(1)
    const [of, other] = [fetching.progress(a, () => 0), fetching.progress(b, () => 0)]
    of.opsReached(cursor)
    fetching.left(a)
    assert.strictEqual(of.opsFrom(), cursor)
    assert.strictEqual(other.opsFrom(), undefined)
    other.opsReached(undefined)
    assert.strictEqual(of.opsFrom(), cursor)
    of.opsReached(undefined)
    assert.strictEqual(of.opsFrom(), undefined)
  })
})
