import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Bytes from "../../src/domain/bytes.ts"
import { Hashing } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Horizon from "../../src/domain/horizon.ts"
import { horizonsKept, horizonStepMs } from "../../src/domain/limits.ts"
import { type Domain, domains } from "../../src/domain/record.ts"
import * as TreesLayer from "../../src/layers/node/trees.ts"
import { HybridClock } from "../../src/services/HybridClock.ts"
import { type Commit, Store } from "../../src/services/Store.ts"
import { Trees } from "../../src/services/Trees.ts"
import { digestOf, hashes, runs, treeOf } from "../domain/merkle-model.ts"
import { Dice, Seed } from "../domain/records.ts"
import { anItem, type Item, TreeStore } from "./tree-store.ts"

const hour = 3_600_000
const start = 500_000 * hour

/** A node's trees over a store; closing the scope stops it. `wall` runs at the pace of the test clock. */
const open = (store: TreeStore, aheadMs: () => number = () => 0) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const clock = yield* Clock.Clock
    const wall = () => clock.currentTimeMillisUnsafe() + aheadMs()
    const hybrid = Layer.succeed(HybridClock, { wall, send: () => Hlc.zero, receive: () => {}, last: () => Hlc.zero })
    const context = yield* Layer.buildWithScope(
      Layer.fresh(TreesLayer.layer).pipe(
        Layer.provide([Layer.succeed(Store, store.service()), Layer.succeed(Hashing, hashes), hybrid])
      ),
      scope
    )
    const trees = Context.get(context, Trees)
    const commit = (...items: ReadonlyArray<Item>) => trees.apply(store.commit(items, wall()))
    return { store, scope, trees, wall, commit }
  })
type Node = Effect.Success<ReturnType<typeof open>>

const newest = (node: Node): number => {
  const horizon = node.trees.horizonMs()
  if (horizon === undefined) throw new Error("the trees are not built")
  return horizon
}
const rootAt = (node: Node, horizon: number, domain: Domain): string =>
  Bytes.toHex(node.trees.at(horizon)!.root(domain))

/** Every horizon that is answered stands for what is stored in its span. */
const check = (node: Node, horizons: ReadonlyArray<number>) => {
  for (const horizon of horizons) {
    const snapshot = node.trees.at(horizon)
    if (snapshot === undefined) continue
    for (const domain of domains) {
      const expected = node.store.model(domain, horizon)
      assert.strictEqual(Bytes.toHex(snapshot.root(domain)), expected.root, `${domain} at ${horizon - start}`)
      assert.strictEqual(snapshot.count(domain), expected.count)
      assert.strictEqual(Bytes.toHex(snapshot.tree(domain).root()), expected.root)
    }
  }
}
const answered = (node: Node): ReadonlyArray<number> =>
  Array.from({ length: horizonsKept }, (_, i) => newest(node) - i * horizonStepMs)

const item = (fields: Partial<Item>): Item => ({
  slot: Bytes.toHex(fields.digest ?? new Uint8Array(1)),
  rank: 1,
  domain: "messages",
  bucket: 7,
  digest: digestOf(1),
  hlc: Hlc.make(start, 0),
  ages: true,
  ...fields
})
const at = (ms: number) => Hlc.make(ms, 0)
const built = TestClock.adjust(3_000)

/** Two nodes with one history each in its own order, checked on the way and at the end. */
const history = (seed: number, variants: boolean) =>
  Effect.gen(function*() {
    const dice = new Dice(seed)
    const slots = variants ? 12 : 2 ** 31
    yield* TestClock.setTime(start + hour - dice.below(200_000) - 20_000)
    const wall = Clock.currentTimeMillis
    const stores = [new TreeStore(), new TreeStore()]
    const all: Array<Item> = []
    for (let i = 0; i < 60; i++) {
      const one = anItem(dice, (yield* wall) - dice.below(2) * hour, slots)
      all.push(one)
      for (const store of stores) if (dice.coin()) store.commit([one])
    }
    // what a store was given before its trees were there has no commit number
    for (const store of stores) {
      store.number = 0
      store.delay = () => dice.pick([0, 0, 1, 40])
    }
    const nodes: Array<Node> = []
    for (const store of stores) nodes.push(yield* open(store))
    const queues: ReadonlyArray<Array<Item>> = [[], []]
    /** Committed, and not yet told to the trees. */
    const untold: ReadonlyArray<Array<Commit>> = [[], []]
    const tell = (n: number) => {
      for (const commit of untold[n]!.splice(0)) nodes[n]!.trees.apply(commit)
    }
    for (let round = 0; round < 25; round++) {
      yield* TestClock.adjust(dice.pick([1, 50, 700, 4_000, 9_000]))
      const now = yield* wall
      for (let i = dice.below(6); i > 0; i--) {
        const one = anItem(dice, now, slots)
        all.push(one)
        for (const queue of queues) queue.splice(dice.below(queue.length + 1), 0, one)
      }
      for (const [n, node] of nodes.entries()) {
        const queue = queues[n]!
        while (queue.length > 0 && dice.below(3) > 0) untold[n]!.push(node.store.commit(queue.splice(0, 2), now))
        if (dice.below(25) === 0) {
          tell(n)
          node.trees.rebuild("the test wants it so")
        }
        const horizon = node.trees.horizonMs()
        if (dice.below(10) === 0 && horizon !== undefined) {
          node.store.collect(Horizon.lastStamp(Horizon.floorMs(Horizon.oldestMs(horizon))))
        }
        if (dice.coin()) tell(n)
        if (!variants && untold[n]!.length === 0 && dice.below(3) === 0 && node.trees.horizonMs() !== undefined) {
          check(node, [dice.pick(answered(node)), newest(node)])
        }
      }
    }
    for (const [n, node] of nodes.entries()) {
      tell(n)
      const left = dice.shuffle(all)
      while (left.length > 0) {
        node.commit(...left.splice(0, 7))
        if (dice.below(8) === 0) yield* TestClock.adjust(dice.below(100))
      }
    }
    // past every stamp, so that what was superseded is gone from every horizon
    for (let i = 0; i < 40; i++) yield* TestClock.adjust(5_000)
    for (const node of nodes) check(node, [newest(node), dice.pick(answered(node)), answered(node).at(-1)!])
    assert.deepStrictEqual(answered(nodes[0]!), answered(nodes[1]!))
    for (const domain of domains) {
      assert.strictEqual(rootAt(nodes[0]!, newest(nodes[0]!), domain), rootAt(nodes[1]!, newest(nodes[1]!), domain))
    }
    for (const node of nodes) yield* Scope.close(node.scope, Exit.void)
  }).pipe(Effect.provide(TestClock.layer()))

describe("trees", () => {
  it.effect.prop(
    "stand for what is stored in their span, at every horizon and every moment",
    [Seed],
    ([seed]) => history(seed, false),
    { timeout: 120_000, ...runs(6) }
  )

  it.effect.prop(
    "with superseded records too, once the horizon has passed both stamps",
    [Seed],
    ([seed]) => history(seed, true),
    { timeout: 120_000, ...runs(6) }
  )

  it.effect("failure 20: the node does not wait for them, and they say how far they are", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + 20_000)
      const store = new TreeStore()
      store.delay = () => 50
      const node = yield* open(store)
      assert.isUndefined(node.trees.horizonMs())
      assert.isUndefined(node.trees.at(start + 10_000))
      yield* TestClock.adjust(5_000)
      assert.isTrue(node.trees.built() > 0.1 && node.trees.built() < 0.9)
      node.commit(item({ hlc: at(start - 50_000) }))
      yield* TestClock.adjust(30_000)
      assert.strictEqual(node.trees.built(), 1)
      check(node, answered(node))
      assert.strictEqual(node.trees.count("messages"), 1)
    }), 30_000)

  it.effect("a store that fails is read again", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + 20_000)
      const store = new TreeStore()
      store.failing = true
      store.commit([item({})])
      store.number = 0
      const node = yield* open(store)
      yield* TestClock.adjust(10_000)
      assert.isUndefined(node.trees.horizonMs())
      store.failing = false
      yield* built
      check(node, answered(node))
    }), 30_000)

  it.effect(
    "a record above the horizon waits for it, and a late one is in every horizon that sees it",
    () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + 100_000)
        const node = yield* open(new TreeStore())
        yield* built
        const first = newest(node)
        node.commit(
          item({ hlc: at(first + 1), digest: digestOf(1) }),
          item({ hlc: at(first - 19_999), digest: digestOf(2) })
        )
        assert.deepStrictEqual(answered(node).slice(0, 6).map((h) => node.trees.at(h)!.count("messages")), [
          1,
          1,
          1,
          1,
          0,
          0
        ])
        yield* TestClock.adjust(5_000)
        assert.strictEqual(newest(node), first + 5_000)
        assert.deepStrictEqual(answered(node).slice(0, 6).map((h) => node.trees.at(h)!.count("messages")), [
          2,
          1,
          1,
          1,
          1,
          0
        ])
        assert.isUndefined(node.trees.at(first + 10_000))
        assert.isUndefined(node.trees.at(first - 85_000))
        assert.isDefined(node.trees.at(first - 80_000))
        check(node, answered(node))
      }),
    30_000
  )

  it.effect(
    "failure 1: what ages leaves as the hour turns, deleted or not, and older horizons keep it",
    () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + hour - 30_000)
        const node = yield* open(new TreeStore())
        yield* built
        const aging = at(start - 720 * hour + 5)
        node.commit(
          item({ hlc: aging, digest: digestOf(1), slot: "a" }),
          item({ hlc: aging, digest: digestOf(2), slot: "b", domain: "members" }),
          item({ hlc: aging, digest: digestOf(3), slot: "c", domain: "members", ages: false }),
          item({ hlc: at(start), digest: digestOf(4), slot: "d" })
        )
        yield* TestClock.adjust(45_000)
        assert.strictEqual(newest(node), start + hour + 5_000)
        const counts = (h: number) => domains.map((domain) => node.trees.at(h)!.count(domain))
        assert.deepStrictEqual(counts(start + hour - 5_000), [0, 2, 2])
        assert.deepStrictEqual(counts(start + hour), [0, 1, 1])
        check(node, answered(node))
        // an aged mark that a new one replaces is not taken out twice
        node.commit(item({ hlc: at(start + hour + 1), digest: digestOf(5), slot: "b", rank: 9, domain: "members" }))
        yield* TestClock.adjust(120_000)
        assert.deepStrictEqual(counts(newest(node)), [0, 2, 1])
        check(node, answered(node))
      }),
    30_000
  )

  it.effect("the hour does not turn before what ages is summed", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + hour - 30_000)
      const store = new TreeStore()
      const node = yield* open(store)
      yield* TestClock.adjust(100)
      store.failing = true
      node.trees.horizonMs()
      yield* TestClock.adjust(60_000)
      assert.strictEqual(newest(node), start + hour - 5_000)
      store.failing = false
      yield* TestClock.adjust(10_000)
      assert.strictEqual(newest(node), start + hour + 30_000)
      check(node, answered(node))
    }), 30_000)

  it.effect("a snapshot stays as it was when it was asked for", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + 100_000)
      const node = yield* open(new TreeStore())
      yield* built
      node.commit(item({ hlc: at(start), digest: digestOf(1) }))
      const horizon = newest(node)
      const [a, b, late] = [node.trees.at(horizon)!, node.trees.at(horizon)!, node.trees.at(horizon - 5_000)!]
      assert.strictEqual(a, b)
      const empty = Bytes.toHex(a.root("identity"))
      node.commit(item({ hlc: at(start + 1), digest: digestOf(2) }))
      assert.notStrictEqual(node.trees.at(horizon), a)
      yield* TestClock.adjust(300_000)
      node.trees.rebuild("the test wants it so")
      for (const snapshot of [a, late]) {
        assert.deepStrictEqual([snapshot.count("messages"), snapshot.tree("messages").count], [1, 1])
        assert.deepStrictEqual(snapshot.root("messages"), treeOf([{ bucket: 7, digest: digestOf(1) }]).root())
      }
      assert.strictEqual(Bytes.toHex(late.root("identity")), empty)
    }), 30_000)

  it.effect(
    "a commit that contradicts them, or is missing, builds them anew and is not the writer's trouble",
    () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + 100_000)
        const node = yield* open(new TreeStore())
        yield* built
        node.commit(item({ hlc: at(start), digest: digestOf(1) }))
        const stamp = { hlc: at(start), recordHlc: at(start) }
        const wrong = { domain: "messages", bucket: 9, digest: digestOf(9), ages: true, ...stamp } as const
        node.trees.apply({
          number: ++node.store.number,
          outcomes: [],
          firstArrival: 1,
          leaves: [{ ...wrong, change: "remove" }]
        })
        assert.isUndefined(node.trees.horizonMs())
        yield* built
        check(node, answered(node))
        node.store.commit([item({ hlc: at(start), digest: digestOf(2) })])
        node.commit(item({ hlc: at(start), digest: digestOf(3) }))
        assert.isUndefined(node.trees.horizonMs())
        yield* built
        assert.strictEqual(node.trees.count("messages"), 3)
        check(node, answered(node))
      }),
    30_000
  )

  it.effect(
    "failure 6: the horizon stays when the clock is set back, and is right after it was set far forward",
    () =>
      Effect.gen(function*() {
        let ahead = 0
        yield* TestClock.setTime(start + 100_000)
        const node = yield* open(new TreeStore(), () => ahead)
        yield* built
        const before = newest(node)
        for (let i = 0; i < 20; i++) {
          node.commit(item({ hlc: at(start - 720 * hour + i * hour / 2 + 1), digest: digestOf(i) }))
        }
        ahead = -60_000
        yield* TestClock.adjust(20_000)
        assert.strictEqual(newest(node), before)
        check(node, answered(node))
        ahead = 5 * hour
        assert.isUndefined(node.trees.horizonMs())
        yield* built
        assert.strictEqual(newest(node), Horizon.horizonMs(node.wall()))
        check(node, answered(node))
        assert.strictEqual(node.trees.count("messages"), 10)
        // back for good: a horizon that nobody else has would keep it apart
        ahead = 0
        yield* TestClock.adjust(30_000)
        assert.isAbove(newest(node), node.wall())
        yield* TestClock.adjust(60_000)
        assert.strictEqual(newest(node), Horizon.horizonMs(node.wall()))
        assert.strictEqual(node.trees.count("messages"), 20)
      }),
    60_000
  )
})
