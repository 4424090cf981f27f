/** Frames of sync: what is written is read, and nothing else is (FAILURES 7, 24). */
import { assert, describe, it } from "@effect/vitest"
import { encode as cbor } from "cborg"
import { Result } from "effect"
import { leavesCount } from "../../src/domain/limits.ts"
import { domains } from "../../src/domain/record.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import { Dice, hashes, Seed } from "./records.ts"

const kinds = ["message", "op", "read", "identity"] as const
const three = <A>(f: () => A): Frames.ByDomain<A> => [f(), f(), f()]
const ascending = (dice: Dice, max: number, count: number): ReadonlyArray<number> =>
  [...new Set(Array.from({ length: dice.below(count) }, () => dice.below(max + 1)))].sort((a, b) => a - b)
const listOf = <A>(dice: Dice, max: number, one: () => A): ReadonlyArray<A> =>
  Array.from({ length: dice.below(max) }, one)
const uint = (dice: Dice): number => dice.pick([0, 1, 23, 24, 255, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER])
const width = [1, 16, 256, 4_096]

/** One frame of each kind, whatever else the dice say. */
const frames = (dice: Dice): ReadonlyArray<Frames.Frame> => {
  const domain = dice.pick(domains)
  const bytes = dice.pick([8, 32] as const)
  const level = dice.below(4)
  const records = listOf(dice, 5, () => ({ kind: dice.pick(kinds), bytes: dice.bytes(dice.below(300)) }))
  const maybe = <K extends string, A>(key: K, value: A) => (dice.coin() ? { [key]: value } : {}) as { [P in K]?: A }
  return [
    {
      _tag: "Hello",
      version: dice.below(0x10000),
      network: dice.text(20),
      keyCheck: dice.bytes(dice.pick([0, 8])),
      wallMs: uint(dice),
      horizonMs: uint(dice),
      counts: three(() => uint(dice)),
      roots: three(() => dice.bytes(32))
    },
    { _tag: "Refuse", reason: dice.pick(Frames.refusals), wallMs: uint(dice) },
    { _tag: "Ask", domain, bytes, level, nodes: ascending(dice, width[level]! - 1, 40) },
    { _tag: "Hashes", hashes: dice.bytes(dice.below(2_000)) },
    {
      _tag: "List",
      domain,
      bytes,
      nodes: ascending(dice, 4_095, 10),
      buckets: ascending(dice, leavesCount - 1, 10),
      ...maybe("after", dice.bytes(32))
    },
    { _tag: "Digests", lists: listOf(dice, 9, () => dice.bytes(8 * dice.below(4))), ...maybe("last", dice.bytes(32)) },
    {
      _tag: "Pull",
      domain,
      bytes,
      picks: listOf(dice, 9, () => [dice.below(leavesCount), dice.bytes(bytes * (1 + dice.below(3)))] as const)
    },
    { _tag: "Records", records, done: uint(dice) },
    { _tag: "Push", records },
    { _tag: "Taken", count: uint(dice) },
    {
      _tag: "Stream",
      kind: dice.pick(kinds),
      from: dice.below(leavesCount + 1),
      to: dice.below(leavesCount + 1),
      ...maybe("cursor", dice.bytes(dice.below(65)))
    },
    { _tag: "Page", records: records.map((each) => each.bytes), ...maybe("next", dice.bytes(dice.below(65))) },
    { _tag: "Audit", domain, nonce: dice.bytes(16), buckets: ascending(dice, leavesCount - 1, 12) },
    { _tag: "Audited", hashes: dice.bytes(dice.below(400)) },
    { _tag: "End", ...maybe("roots", three(() => dice.bytes(32))) }
  ]
}

const read = (bytes: Uint8Array) => Frames.decode(bytes)
const show = (items: unknown): string =>
  JSON.stringify(items, (_, value) => typeof value === "bigint" ? `${value}n` : value).slice(0, 200)
const isRefused = (items: unknown, what?: RegExp): void => {
  const result = read(cbor(items))
  assert.isTrue(Result.isFailure(result), show(items))
  if (Result.isFailure(result) && what !== undefined) assert.match(result.failure.message, what)
}
const isRead = (items: unknown): void => assert.isTrue(Result.isSuccess(read(cbor(items))), show(items))

const b = (length: number) => new Uint8Array(length)
const hello = [0, 1, b(0), b(0), 1, 2, [1, 2, 3], [b(32), b(32), b(32)]]

describe("frames of sync", () => {
  it.prop("read back as they were written, each kind", [Seed], ([seed]) => {
    const all = frames(new Dice(seed))
    assert.strictEqual(new Set(all.map(({ _tag }) => _tag)).size, 15)
    for (const frame of all) {
      const bytes = Frames.encode(frame)
      assert.strictEqual(bytes.length, bytes.buffer.byteLength)
      assert.deepStrictEqual(Result.getOrThrow(read(bytes)), frame)
      // as a view into something larger, which a stream gives
      const within = new Uint8Array([9, 9, ...bytes, 9]).subarray(2, 2 + bytes.length)
      assert.deepStrictEqual(Result.getOrThrow(read(within)), frame)
    }
  }, { arbitrary: { runs: 100 } })

  it.prop("are refused when an item is missing, one too many, or of another type", [Seed], ([seed]) => {
    for (const frame of frames(new Dice(seed))) {
      const bytes = Frames.encode(frame)
      assert.isTrue(Result.isFailure(read(bytes.subarray(0, -1))))
      assert.isTrue(Result.isFailure(read(Uint8Array.of(...bytes, 0))))
      if (frame._tag === "End") continue
      const count = bytes[0]! & 31
      assert.isTrue(Result.isFailure(read(Uint8Array.of(0x80 | count + 1, ...bytes.subarray(1), 0xf6))))
      assert.isTrue(Result.isFailure(read(Uint8Array.of(0x80 | count + 1, ...bytes.subarray(1), 0x20))))
    }
  })

  it("7: are refused just outside every bound, and read at it", () => {
    isRead(hello)
    const change = (at: number, value: unknown) => hello.map((item, i) => i === at ? value : item)
    isRead(change(1, 0xffff))
    isRefused(change(1, 0x10000))
    isRead(change(2, new Uint8Array(128).fill(0x78)))
    isRefused(change(2, new Uint8Array(129).fill(0x78)))
    isRefused(change(2, Uint8Array.of(0xc3)), /UTF-8/)
    isRead(change(3, b(8)))
    isRefused(change(3, b(9)))
    isRead(change(4, Number.MAX_SAFE_INTEGER))
    isRefused(change(4, 2n ** 53n))
    isRefused(change(4, -1))
    isRefused(change(4, 1.5))
    isRefused(change(4, "1"))
    isRefused(change(6, [1, 2]))
    isRefused(change(6, [1, 2, 3, 4]))
    isRefused(change(7, [b(32), b(32), b(31)]))
    isRefused(change(7, [b(32), b(32), b(33)]))

    isRead([1, 6, 0])
    isRefused([1, 7, 0])
    for (const [level, count] of width.entries()) {
      isRead([2, 0, 8, level, [count - 1]])
      isRefused([2, 0, 8, level, [count]])
    }
    isRefused([2, 0, 8, 4, [0]])
    isRefused([2, 3, 8, 0, [0]])
    for (const bytes of [0, 7, 9, 16, 31, 33]) isRefused([2, 0, bytes, 0, [0]])
    isRefused([2, 0, 8, 1, [1, 1]], /ascending/)
    isRefused([2, 0, 8, 1, [2, 1]], /ascending/)
    isRead([4, 0, 8, [4_095], [65_535], b(32)])
    isRefused([4, 0, 8, [4_096], []])
    isRefused([4, 0, 8, [], [65_536]])
    isRefused([4, 0, 8, [], [0], b(31)])
    isRead([5, [b(3)], b(32)])
    isRefused([5, [b(3)], b(33)])
    isRead([6, 0, 8, [65_535, b(8)]])
    isRefused([6, 0, 8, [65_536, b(8)]])
    isRefused([6, 0, 8, [1, b(0)]])
    isRefused([6, 0, 8, [1, b(9)]])
    isRefused([6, 0, 32, [1, b(8)]])
    isRefused([6, 0, 8, [1]], /missing/)
    isRead([7, [3, b(1)], 1])
    isRefused([7, [4, b(1)], 1])
    isRefused([8, [3]], /missing/)
    isRead([10, 3, 65_536, 65_536, b(64)])
    isRefused([10, 3, 65_537, 1])
    isRefused([10, 3, 0, 1, b(65)])
    isRefused([11, [b(1)], b(65)])
    isRead([12, 0, b(16), Array.from({ length: 64 }, (_, i) => i)])
    isRefused([12, 0, b(16), Array.from({ length: 65 }, (_, i) => i)])
    isRefused([12, 0, b(15), []])
    isRead([14, [b(32), b(32), b(32)]])
    isRefused([14, [b(32), b(32)]])
    isRefused([15])
    isRefused([])
    isRefused({ 0: 0 })
    isRefused("x")
    isRefused(0)
    isRefused([9, true])
    isRefused([9, null])
    isRefused([9, [1]])
  })

  it("24: never throw, whatever comes: lengths without end, nesting, tags, items in millions", () => {
    const millions = b(16 * 1024 * 1024)
    millions.set([0x9a, 0, 255, 255, 240])
    const cases: ReadonlyArray<readonly [string, Uint8Array]> = [
      ["nothing", b(0)],
      ["a list that claims 2^53", Uint8Array.of(0x9b, 0, 0x1f, 255, 255, 255, 255, 255, 255)],
      ["a list that claims 2^32 items", Uint8Array.of(0x9a, 255, 255, 255, 255)],
      ["bytes that claim 2^32", Uint8Array.of(0x82, 3, 0x5a, 255, 255, 255, 255)],
      ["a text that claims 2^63", Uint8Array.of(0x82, 3, 0x7b, 127, 255, 255, 255, 255, 255, 255, 255)],
      ["indefinite list", Uint8Array.of(0x9f, 14, 0xff)],
      ["a tag", Uint8Array.of(0x81, 0xc1, 14)],
      ["NaN", Uint8Array.of(0x82, 9, 0xf9, 0x7e, 0)],
      ["undefined", Uint8Array.of(0x82, 9, 0xf7)],
      ["a map that claims 2^32", Uint8Array.of(0x82, 9, 0xba, 255, 255, 255, 255)],
      ["a map in a list", cbor([9, { a: 1 }])],
      ["nesting 16 MiB deep", new Uint8Array(16 * 1024 * 1024).fill(0x81)],
      ["nested maps", new Uint8Array(1024 * 1024).fill(0xa1)],
      ["sixteen million items", millions]
    ]
    for (const [name, bytes] of cases) {
      const began = performance.now()
      const result = read(bytes)
      assert.isTrue(Result.isFailure(result), name)
      if (Result.isFailure(result)) assert.isAtMost(result.failure.message.length, 200, name)
      assert.isBelow(performance.now() - began, 5_000, name)
    }
  })

  it("24: make no more of their bytes than a bounded number of items", () => {
    const records = (count: number) => cbor([8, Array.from({ length: count }, (_, i) => i % 2 === 0 ? 0 : b(1))])
    assert.isTrue(Result.isSuccess(read(records(299_996))))
    const over = read(records(300_000))
    assert.isTrue(Result.isFailure(over))
    if (Result.isFailure(over)) assert.match(over.failure.message, /too many/)
  })

  it.prop("24: never throw on random bytes, and on frames with changed bytes", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (let i = 0; i < 50; i++) read(dice.bytes(dice.below(60)))
    for (const frame of frames(dice)) {
      const bytes = Frames.encode(frame)
      for (let i = 0; i < 20; i++) {
        const changed = bytes.slice()
        for (let n = dice.below(3); n >= 0; n--) changed[dice.below(changed.length)] = dice.below(256)
        const result = read(changed)
        // what is read at all is a frame: it can be written, and read as the same
        if (Result.isSuccess(result)) {
          assert.deepStrictEqual(Result.getOrThrow(read(Frames.encode(result.success))), result.success)
        }
      }
    }
  }, { arbitrary: { runs: 40 } })

  it("name the buckets that a List asks for, ascending, each once", () => {
    assert.deepStrictEqual(
      Frames.listed({ nodes: [1], buckets: [3, 17, 40] }),
      [3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 40]
    )
  })

  it("tell that two sides hold one key, and not which", () => {
    const check = (byte: number) => Frames.keyCheck(hashes.blake3Keyed(new Uint8Array(32).fill(byte)))
    assert.strictEqual(check(1).length, 8)
    assert.deepStrictEqual(check(1), check(1))
    assert.notDeepEqual(check(1), check(2))
  })
})
