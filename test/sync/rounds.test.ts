/** A round makes two sets equal, whatever they are, and the next one says so (SPEC §6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Message, Record } from "../../src/domain/record.ts"
import * as Wire from "../../src/domain/wire.ts"
import type { Store } from "../../src/services/Store.ts"
import { at, identity, manyRecords, message, op, read, user } from "../contract/store-records.ts"
import { Dice, Seed } from "../domain/records.ts"
import { hashes, listening, nowMs, ready, round, type Side, type SideOptions, sides } from "./fixture.ts"

const two = (a: SideOptions = {}, b: SideOptions = {}) => Effect.map(sides(a, b), (made) => made as [Side, Side])

const ledOf = (done: Effect.Success<ReturnType<typeof round>>) => {
  if (Exit.isFailure(done.led)) throw new Error(`the round failed: ${String(done.led.cause)}`)
  return done.led.value
}
const answeredOf = (done: Effect.Success<ReturnType<typeof round>>) => {
  if (Exit.isFailure(done.answered)) throw new Error(`the round failed: ${String(done.answered.cause)}`)
  return done.answered.value
}

const errorOf = (exit: Exit.Exit<unknown, unknown>) => {
  assert.isTrue(Exit.isFailure(exit))
  return Exit.isFailure(exit) ? JSON.parse(JSON.stringify(exit.cause.reasons[0])).error : undefined
}

/** One round, after which both hold what either held, and another that finds nothing. */
const agree = Effect.fn(function*(left: ReadonlyArray<Record>, right: ReadonlyArray<Record>) {
  const [a, b, both] = (yield* sides({}, {}, {})) as [Side, Side, Side]
  yield* a.put(left)
  yield* b.put(right)
  yield* both.put([...left, ...right])
  yield* ready(a, b)
  const first = yield* round(a, b)
  ledOf(first)
  answeredOf(first)
  const all = yield* both.all
  assert.deepStrictEqual(yield* a.all, all)
  assert.deepStrictEqual(yield* b.all, all)
  const second = yield* round(b, a)
  assert.isTrue(ledOf(second).equal)
  assert.isTrue(answeredOf(second).equal)
  return first
})

const many = (count: number, from = 0): ReadonlyArray<Message> =>
  Array.from(
    { length: count },
    (_, i) => message({ peer: user(2), content: `${from + i}`, hlc: at((from + i) % 1_000) })
  )

/** Messages whose ids fall into one bucket. */
const ground = (count: number): ReadonlyArray<Message> => {
  const found: Array<Message> = []
  for (let i = 0; found.length < count; i++) {
    const each = message({ peer: user(3), content: `${i}` })
    if (each.id.startsWith("00")) found.push(each)
  }
  return found
}

/** Two messages of one bucket. */
const pair = (): readonly [Message, Message] => {
  const seen = new Map<string, Message>()
  for (let i = 0;; i++) {
    const each = message({ peer: user(4), content: `${i}` })
    const other = seen.get(each.id.slice(0, 4))
    if (other !== undefined) return [other, each]
    seen.set(each.id.slice(0, 4), each)
  }
}

describe("a round of sync", () => {
  it.effect.prop(
    "2, 14: makes any two sets equal, and the next one says so",
    [Seed],
    ([seed]) =>
      Effect.gen(function*() {
        const dice = new Dice(seed)
        const records = dice.shuffle(manyRecords(seed, dice.below(80)))
        const left = records.filter(() => dice.below(3) > 0)
        const right = records.filter(() => dice.below(3) > 0)
        yield* agree(dice.below(8) === 0 ? [] : left, dice.below(8) === 0 ? [] : right)
      }),
    { arbitrary: { runs: 12 } }
  )

  it.effect("of empty sets is equal, and costs hellos only", () =>
    Effect.gen(function*() {
      const done = yield* agree([], [])
      assert.isTrue(ledOf(done).equal)
      assert.strictEqual(done.tally.frames, 3)
    }))

  it.effect("moves the winners of slots that both hold, and nothing else", () =>
    Effect.gen(function*() {
      const pairs: ReadonlyArray<readonly [Record, Record]> = [
        [message({ content: "m", hlc: at(1) }), message({ content: "m", hlc: at(2) })],
        [op({ targets: [user(8)], hlc: at(4) }), op({ targets: [user(8)], hlc: at(3) })],
        [read({ upTo: at(1), hlc: at(5) }), read({ upTo: at(2), hlc: at(6) })],
        [identity({ blob: Uint8Array.of(1), hlc: at(9) }), identity({ blob: Uint8Array.of(2), hlc: at(7) })]
      ]
      yield* agree(pairs.map(([a]) => a), pairs.map(([, b]) => b))
    }))

  it.effect("2: of thousands with differences on both sides ends equal", () =>
    Effect.gen(function*() {
      const all = many(5_000)
      const done = yield* agree(
        all.filter((_, i) => i % 50 !== 0),
        all.filter((_, i) => i % 70 !== 1)
      )
      const { pulled, pushed } = ledOf(done)
      assert.strictEqual(pulled, 100)
      assert.strictEqual(pushed, 72)
      assert.strictEqual(answeredOf(done).pulled, 72)
    }), 60_000)

  it.effect("compares buckets that ids were ground into", () =>
    Effect.gen(function*() {
      const all = ground(120)
      yield* agree(all.filter((_, i) => i % 3 !== 0), all.filter((_, i) => i % 5 !== 0))
    }), 60_000)

  it.effect("14: compares a bucket that fits no page, window by window", () =>
    Effect.gen(function*() {
      // a page of the store has five digests
      const narrow = (store: Store["Service"]) => ({
        ...store,
        digests: (query: Parameters<typeof store.digests>[0]) => store.digests({ ...query, limit: 5 })
      })
      const all = ground(60).filter(({ id }, _, whole) => id.slice(0, 3) === whole[0]!.id.slice(0, 3))
      const [a, b] = yield* two({ seen: narrow }, { seen: narrow })
      const rest = ground(60)
      yield* a.put([...all, ...rest].filter((_, i) => i % 3 !== 0))
      yield* b.put([...all, ...rest].filter((_, i) => i % 4 !== 1))
      yield* ready(a, b)
      ledOf(yield* round(a, b))
      assert.deepStrictEqual(yield* a.all, yield* b.all)
      assert.isTrue(ledOf(yield* round(a, b)).equal)
    }), 60_000)

  it.effect("2: looks at whole hashes where the first eight bytes of digests are the same", () =>
    Effect.gen(function*() {
      const [mine, yours] = pair()
      // both digests begin alike, and both records are said to be in one bucket, so leaves differ beyond eight bytes
      const alike = (record: Record): Uint8Array => {
        const digest = Wire.leafDigest(hashes.blake3, record)
        digest.fill(1, 0, 8)
        return digest
      }
      const bend = (record: Record) => (store: Store["Service"]): Store["Service"] => ({
        ...store,
        digests: (query) =>
          Effect.map(store.digests(query), (page) => ({
            ...page,
            lists: query.buckets.map((bucket) => bucket === bucketOf(mine) && !query.after ? [alike(record)] : [])
          })),
        pick: (_, __, picks) =>
          Effect.succeed({
            records: picks.some(({ digest }) => Bytes.equal(digest, alike(record).subarray(0, digest.length)))
              ? [{ kind: record.kind, bytes: Wire.encode(record) }]
              : [],
            done: picks.length
          })
      })
      const bucketOf = (record: Record) => Number.parseInt(record.id.slice(0, 4), 16)
      const leafHash = (bytes: Uint8Array) => {
        const digest = hashes.blake3(bytes)
        digest.fill(1, 0, 8)
        return digest
      }
      const [a, b] = yield* two({ seen: bend(mine), leafHash }, { seen: bend(yours), leafHash })
      yield* a.put([mine])
      yield* b.put([yours])
      yield* ready(a, b)
      // trees see the bucket of either; the lists, only that of the one that both say
      const first = ledOf(yield* round(a, b))
      assert.strictEqual(first.pulled + first.pushed, 0)
      assert.deepStrictEqual([...first.nothingIn], ["messages"])
      assert.isFalse(first.equal)
      const second = ledOf(yield* round(a, b, { whole: first.nothingIn }))
      assert.strictEqual(second.pulled, 1)
      assert.strictEqual(second.pushed, 1)
      assert.strictEqual(second.nothingIn.size, 0)
    }))

  it.effect("28: finds by audit what leaves of equal sums hide", () =>
    Effect.gen(function*() {
      const [shown, hidden] = pair()
      const one = (store: Store["Service"], record: Message): Store["Service"] => ({
        ...store,
        digests: (query) =>
          Effect.succeed({
            lists: query.buckets.map((bucket) =>
              bucket === Number.parseInt(shown.id.slice(0, 4), 16) && query.domain === "messages"
                ? [Wire.leafDigest(hashes.blake3, record)]
                : []
            ),
            complete: true
          }),
        pick: (_, __, picks) =>
          Effect.succeed({
            records: picks.map(() => ({ kind: "message" as const, bytes: Wire.encode(record) })),
            done: picks.length
          })
      })
      // the trees of both hold `shown`; the store of the other answers for another record in its bucket
      const [a, b] = yield* two({}, { seen: (store) => one(store, hidden) })
      yield* a.put([shown])
      yield* b.put([shown])
      yield* ready(a, b)
      const done = ledOf(yield* round(a, b))
      assert.isFalse(done.equal)
      assert.strictEqual(done.pulled, 1)
      assert.strictEqual(done.pushed, 1)
      assert.include((yield* a.all).map(({ id }) => id), hidden.id)
    }))

  it.effect("leaves alone what the other side may not take, and is not equal", () =>
    Effect.gen(function*() {
      const records = many(20)
      const [a, b] = yield* two({}, { judge: () => ({ _tag: "waiting" }) })
      yield* a.put(records)
      yield* ready(a, b)
      const done = yield* round(a, b)
      assert.strictEqual(ledOf(done).pushed, 20)
      assert.strictEqual(answeredOf(done).pulled, 0)
      assert.isFalse(ledOf(yield* round(a, b)).equal)
    }))

  it.effect("notes own leaves that do not agree with the own store, and only those", () =>
    Effect.gen(function*() {
      const records = many(20)
      // a store that has lost one record without telling the trees
      const [a, b] = yield* two({
        seen: (store) => ({
          ...store,
          digests: (query) =>
            Effect.map(store.digests(query), (page) => ({
              ...page,
              lists: page.lists.map((list) =>
                list.filter((digest) => !Bytes.equal(digest, Wire.leafDigest(hashes.blake3, records[0]!)))
              )
            }))
        })
      })
      yield* a.put(records)
      yield* b.put(records.slice(1))
      yield* ready(a, b)
      const done = ledOf(yield* round(a, b))
      assert.lengthOf(done.askew, 1)
      assert.match(done.askew[0]!, /^messages\/\d+: 1 records/)
      // what differs is of the tree alone
      assert.deepStrictEqual([...done.nothingIn], ["messages"])
    }))
})

describe("horizons of a round", () => {
  it.effect("are the lower of both sides', and both see whether they are equal", () =>
    Effect.gen(function*() {
      for (const skewMs of [-59_000, -7_000, 0, 7_000, 59_000]) {
        const [a, b] = yield* two({}, { skewMs })
        yield* a.put(many(30))
        yield* b.put(many(30))
        yield* ready(a, b)
        const done = yield* round(a, b)
        assert.isTrue(ledOf(done).equal, `${skewMs}`)
        assert.isTrue(answeredOf(done).equal, `${skewMs}`)
        assert.strictEqual(ledOf(done).horizonMs, answeredOf(done).horizonMs)
        const lower = Math.min(nowMs, nowMs + skewMs) - 10_000
        assert.isAtMost(ledOf(done).horizonMs, lower + 5_000)
        assert.isAtLeast(ledOf(done).horizonMs, lower - 5_000)
        assert.closeTo(a.offsets[0]!, skewMs, 1)
        assert.closeTo(b.offsets[0]!, -skewMs, 1)
      }
    }), 60_000)

  it.effect("7: no round with a clock further away than MAX_DRIFT, and both say so", () =>
    Effect.gen(function*() {
      for (const [skewMs, held] of [[59_999, true], [60_000, true], [60_001, false]] as const) {
        for (const sign of [1, -1]) {
          const [a, b] = yield* two({}, { skewMs: sign * skewMs })
          yield* ready(a, b)
          const done = yield* round(a, b)
          assert.strictEqual(Exit.isSuccess(done.led), held, `${sign * skewMs}`)
          assert.strictEqual(Exit.isSuccess(done.answered), held, `${sign * skewMs}`)
          assert.deepStrictEqual([a.offsets, b.offsets].map((all) => all.length), [1, 1])
          if (held) continue
          for (const exit of [done.led, done.answered]) {
            const error = errorOf(exit)
            assert.strictEqual(error.reason, "refused")
            assert.strictEqual(error.refusal, "clock")
          }
        }
      }
    }), 60_000)

  it.effect(
    "1: leave out what is aged by the hour of the horizon, not of the wall clock",
    () =>
      Effect.gen(function*() {
        // the hour turns between both clocks: one side has dropped an hour of messages, the other has not
        const [a, b] = yield* two({}, { skewMs: 30_000 })
        const hour = 3_600_000
        const turn = Math.ceil(nowMs / hour) * hour
        yield* TestClock.setTime(turn - 15_000)
        const aged = message({ peer: user(2), content: "aged", hlc: Hlc.make(turn - 30 * 24 * hour, 0) })
        const kept = many(10)
        yield* a.put([aged, ...kept])
        yield* b.put([aged, ...kept])
        yield* ready(a, b)
        const done = yield* round(a, b)
        assert.isTrue(ledOf(done).equal)
      }),
    60_000
  )
})

describe("a hello", () => {
  it.effect("of another network, key or version is refused, and both know why", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [SideOptions, SideOptions, string]> = [
        [{ network: "a" }, { network: "b" }, "network"],
        [{ keyCheck: new Uint8Array(8) }, {}, "key"],
        [{ keyCheck: new Uint8Array(8) }, { keyCheck: new Uint8Array(8).fill(1) }, "key"]
      ]
      for (const [one, other, refusal] of cases) {
        const [a, b] = yield* two(one, other)
        yield* ready(a, b)
        const done = yield* round(a, b)
        for (const exit of [done.led, done.answered]) {
          assert.strictEqual(errorOf(exit).refusal, refusal)
        }
        // who is of another network has no say about clocks
        assert.deepStrictEqual([a.offsets, b.offsets], [[], []])
      }
    }), 60_000)

  it.effect("is refused while busy, or while trees are being built, without blame", () =>
    Effect.gen(function*() {
      const [a, b] = yield* two()
      yield* ready(a, b)
      const busy = yield* round(a, b, { busy: () => true })
      assert.strictEqual(errorOf(busy.led).refusal, "busy")
      const c: Side = { ...b, ground: { ...b.ground, trees: { ...b.ground.trees, horizonMs: () => undefined } } }
      assert.strictEqual(errorOf((yield* round(a, c)).led).refusal, "building")
      assert.strictEqual(errorOf((yield* round(c, a)).led).reason, "unready")
    }), 60_000)
})

describe("the frames of a round", () => {
  it.effect("between equal sets are hellos, audits and an end", () =>
    Effect.gen(function*() {
      const [a, b] = yield* two()
      for (const side of [a, b]) yield* side.put([...many(50), identity({})])
      yield* ready(a, b)
      const { heard, tap } = listening()
      assert.isTrue(ledOf(yield* round(a, b, { tap })).equal)
      assert.deepStrictEqual(
        heard.map(({ frame }) => frame._tag),
        ["Hello", "Hello", "Audit", "Audited", "Audit", "Audited", "End"]
      )
    }))
})
