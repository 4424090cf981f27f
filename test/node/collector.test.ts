import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Horizon from "../../src/domain/horizon.ts"
import * as Collector from "../../src/layers/node/collector.ts"
import { PeerClocks } from "../../src/services/PeerClocks.ts"
import { Store, StoreError } from "../../src/services/Store.ts"
import { Trees } from "../../src/services/Trees.ts"
import { Writer } from "../../src/services/Writer.ts"

const hour = 3_600_000
const start = 500_000 * hour

/** What the collector sees of a node. Stamps are ms. */
class Node {
  horizonMs: number | undefined = start
  off = false
  queued = 0
  stamps: Array<number> = []
  pages = 0
  failures = 0
  tookMs = 10
  /** There is always more to collect. */
  endless = false
  readonly collects: Array<{ readonly agedMs: number; readonly limit: number }> = []
  readonly reclaims: Array<number> = []

  layer() {
    const collect = (aged: Hlc.Hlc, limit: number) =>
      Effect.gen({ self: this }, function*() {
        this.collects.push({ agedMs: Hlc.physicalMs(aged), limit })
        yield* Effect.sleep(this.tookMs)
        if (this.failures-- > 0) return yield* new StoreError({ reason: "io", message: "the test wants it so" })
        if (this.endless) return { messages: limit, reads: 0 }
        const gone = this.stamps.filter((ms) => Hlc.make(ms, 0) <= aged).slice(0, limit)
        const rest = new Set(gone)
        this.stamps = this.stamps.filter((ms) => !rest.has(ms))
        this.pages += Math.ceil(gone.length / 4)
        return { messages: gone.length, reads: 0 }
      })
    const reclaim = (pages: number) =>
      Effect.gen({ self: this }, function*() {
        this.reclaims.push(pages)
        yield* Effect.sleep(1)
        return this.pages = Math.max(0, this.pages - pages)
      })
    return Collector.layer.pipe(Layer.provide([
      Layer.succeed(Store, { collect, reclaim } as unknown as Store["Service"]),
      Layer.succeed(Trees, { horizonMs: () => this.horizonMs } as unknown as Trees["Service"]),
      Layer.succeed(Writer, { stats: () => ({ queued: this.queued }) } as unknown as Writer["Service"]),
      Layer.succeed(
        PeerClocks,
        { check: () => ({ medianMs: 0, peers: 3, off: this.off }) } as unknown as PeerClocks["Service"]
      )
    ]))
  }
}
const cutoff = Horizon.floorMs(start)
const aged = (count: number) => Array.from({ length: count }, (_, i) => cutoff - hour - i)
const running = <A, E, R>(node: Node, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    yield* Layer.build(Layer.fresh(node.layer()))
    return yield* effect
  }).pipe(Effect.scoped)

describe("collector", () => {
  it.effect("deletes in chunks while there is work, and then gives the space back", () => {
    const node = new Node()
    node.stamps = [...aged(5_500), cutoff, cutoff + 1]
    return running(
      node,
      Effect.gen(function*() {
        yield* TestClock.adjust(10_000)
        assert.strictEqual(node.collects.length, 6)
        assert.isTrue(node.collects.every(({ limit }) => limit === Collector.chunkRecords && limit === 1_000))
        assert.strictEqual(node.pages, 0)
        assert.isAbove(node.reclaims.length, 1)
        yield* TestClock.adjust(10 * 60_000)
        assert.strictEqual(node.collects.length, 6)
      })
    )
  })

  it.effect("leaves what the oldest answered horizon needs, until that hour has turned", () => {
    const node = new Node()
    node.stamps = [cutoff - hour, cutoff - hour + 1, cutoff]
    return running(
      node,
      Effect.gen(function*() {
        // the newest is in the new hour, the oldest is not
        yield* TestClock.adjust(1_000)
        assert.strictEqual(node.collects[0]!.agedMs, cutoff - hour)
        assert.deepStrictEqual(node.stamps, [cutoff - hour + 1, cutoff])
        node.horizonMs = start + 85_000
        yield* TestClock.adjust(120_000)
        assert.strictEqual(node.collects[1]!.agedMs, cutoff)
        assert.deepStrictEqual(node.stamps, [])
      })
    )
  })

  it.effect("works again every hour", () => {
    const node = new Node()
    return running(
      node,
      Effect.gen(function*() {
        for (let passed = 0; passed < 5 * hour; passed += 60_000) {
          yield* TestClock.adjust(60_000)
          node.horizonMs = start + passed
        }
        const floors = node.collects.map(({ agedMs }) => agedMs)
        assert.deepStrictEqual([...new Set(floors)], floors)
        assert.deepStrictEqual(
          floors,
          Array.from({ length: 6 }, (_, i) => cutoff + (i - 1) * hour).slice(0, floors.length)
        )
        assert.isAtLeast(floors.length, 5)
      })
    )
  }, 30_000)

  it.effect("failure 13: takes half of the time while writes wait, and nearly all of it when none does", () => {
    const rate = (queued: number) => {
      const node = new Node()
      node.queued = queued
      node.endless = true
      return running(
        node,
        Effect.gen(function*() {
          yield* TestClock.adjust(1_000)
          return node.collects.length
        })
      )
    }
    return Effect.gen(function*() {
      const [busy, idle] = [yield* rate(10), yield* rate(0)]
      assert.isTrue(busy >= 45 && busy <= 52, `${busy}`)
      assert.isTrue(idle >= 85 && idle <= 100, `${idle}`)
    })
  }, 30_000)

  it.effect("failure 6: collects nothing while the clock is off or the trees are not built, and goes on after", () => {
    const node = new Node()
    node.stamps = aged(10)
    node.off = true
    return running(
      node,
      Effect.gen(function*() {
        yield* TestClock.adjust(10 * 60_000)
        node.off = false
        node.horizonMs = undefined
        yield* TestClock.adjust(10 * 60_000)
        assert.strictEqual(node.collects.length, 0)
        node.horizonMs = start
        yield* TestClock.adjust(60_000)
        assert.strictEqual(node.stamps.length, 0)
      })
    )
  })

  it.effect("failure 4: goes on in the hours that follow after the clock was set far forward and back", () => {
    const node = new Node()
    return running(
      node,
      Effect.gen(function*() {
        yield* TestClock.adjust(60_000)
        node.horizonMs = start + 10_000 * hour
        yield* TestClock.adjust(2 * hour)
        node.horizonMs = start + 2 * hour
        node.stamps = [cutoff + 1]
        yield* TestClock.adjust(2 * hour)
        assert.deepStrictEqual(node.stamps, [])
        // and then rests: nothing is looked for twice in an hour
        const before = node.collects.length
        yield* TestClock.adjust(hour)
        assert.strictEqual(node.collects.length, before)
      })
    )
  }, 30_000)

  it.effect("failure 3: a store that fails is tried again, with growing pauses", () => {
    const node = new Node()
    node.stamps = aged(10)
    node.failures = 8
    return running(
      node,
      Effect.gen(function*() {
        yield* TestClock.adjust(16_000)
        assert.strictEqual(node.collects.length, 5)
        yield* TestClock.adjust(5 * 60_000)
        assert.strictEqual(node.stamps.length, 0)
      })
    )
  })
})
