/**
 * The threads behind a `Verifier`: they die, callers leave, the scope closes, and every answer still comes, once and
 * to the right caller.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Metric, Scope } from "effect"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { Worker } from "node:worker_threads"
import type { Address } from "../../src/domain/ids.ts"
import { type Backend, type BackendName, loadProven } from "../../src/layers/crypto/backend.ts"
import type { Answer, Item } from "../../src/layers/crypto/check.ts"
import * as Lane from "../../src/layers/crypto/lane.ts"
import { make, type Pool, type PoolOptions, retryMs, spawn } from "../../src/layers/crypto/pool.ts"
import { layer, outstanding, rejected, verified, type VerifierOptions } from "../../src/layers/crypto/verifier.ts"
import { type Recovery, Verifier } from "../../src/services/Verifier.ts"
import { hopeless, nodeSignature, signed } from "./verifier.ts"

const known = Array.from({ length: 12 }, (_, i) => signed(`pool ${i}`))
const asked = (count: number): ReadonlyArray<readonly [Recovery, Address]> =>
  Array.from({ length: count }, (_, i) => known[(i * 7 + (i >> 4)) % known.length]!)
const itemsOf = (pairs: ReadonlyArray<readonly [Recovery, Address]>) => pairs.map(([item]) => item)
const addressesOf = (pairs: ReadonlyArray<readonly [Recovery, Address]>) => pairs.map(([, address]) => address)

const lanes = new WeakMap<Worker, SharedArrayBuffer>()

/** Ends a thread while it works, between two items: to break off native code would end this process. */
const kill = (thread: Worker) =>
  Effect.promise(async () => {
    const lane = lanes.get(thread)
    if (lane === undefined || ended(thread)) return
    const exit = once(thread, "exit")
    Lane.end(lane)
    // one that sleeps may not have heard it
    const late = setTimeout(() => void thread.terminate(), 1_000)
    await exit
    clearTimeout(late)
  })

/** A verifier whose threads the test can see, in a scope of its own. */
const watched = (options: VerifierOptions = {}) => {
  const threads: Array<Worker> = []
  const atWork = new Set<Worker>()
  const verifier = layer({
    workers: 2,
    ...options,
    spawn: (backend) => {
      const thread = (options.spawn ?? spawn)(backend)
      threads.push(thread)
      thread.on("message", () => void atWork.add(thread))
      const post = thread.postMessage.bind(thread)
      thread.postMessage = (lane, ...rest) => {
        lanes.set(thread, lane as SharedArrayBuffer)
        post(lane, ...rest)
      }
      return thread
    }
  }).pipe(Layer.provide(Logger.layer([])))
  return { threads, atWork, verifier }
}

/** Real time: the scheduler of the test has none. */
const pause = (ms: number) => Effect.promise(() => new Promise<void>((resolve) => void setTimeout(resolve, ms)))

const until = Effect.fnUntraced(function*(holds: () => boolean, what: string) {
  for (let i = 0; i < 500 && !holds(); i++) yield* pause(10)
  assert.isTrue(holds(), what)
})

const ended = (thread: Worker): boolean => thread.threadId === -1

describe("threads of the verifier", () => {
  it.effect("redoes the work of one that is terminated, and replaces it", () => {
    const { atWork, threads, verifier } = watched()
    return Effect.gen(function*() {
      const { info, recoverAll } = yield* Verifier
      assert.strictEqual(info.workers, 2)
      for (let round = 0; round < 3; round++) {
        const pairs = asked(900)
        const fiber = yield* Effect.forkChild(recoverAll(itemsOf(pairs)))
        yield* pause(8)
        const victim = threads.find((thread) => !ended(thread))!
        yield* kill(victim)
        assert.deepStrictEqual(yield* Fiber.join(fiber), addressesOf(pairs))
        assert.strictEqual(threads.length, 3 + round)
        // the replacement is at work before the next one goes
        yield* until(() => atWork.has(threads.at(-1)!), "the replacement is ready")
        yield* recoverAll(itemsOf(asked(200)))
      }
      yield* until(() => threads.filter((thread) => !ended(thread)).length === 2, "two threads live again")
      const pairs = asked(200)
      assert.deepStrictEqual(yield* recoverAll(itemsOf(pairs)), addressesOf(pairs))
    }).pipe(Effect.provide(verifier))
  })

  it.effect("is closed in the middle of work, again and again, and the process goes on", () => {
    const { threads, verifier } = watched()
    const once = Effect.gen(function*() {
      const { recoverAll } = yield* Verifier
      const fiber = yield* Effect.forkChild(recoverAll(itemsOf(asked(400))))
      yield* pause(3)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(verifier), Effect.scoped)
    return Effect.gen(function*() {
      for (let i = 0; i < 12; i++) yield* once
      assert.strictEqual(threads.length, 24)
      assert.isTrue(threads.every(ended))
    })
  }, 60_000)

  it.effect("answers when all are terminated at once, in the middle of work", () => {
    const { threads, verifier } = watched()
    return Effect.gen(function*() {
      const { recoverAll } = yield* Verifier
      const pairs = asked(1200)
      const fiber = yield* Effect.forkChild(recoverAll(itemsOf(pairs)))
      yield* pause(5)
      for (const thread of threads.slice()) yield* kill(thread)
      assert.deepStrictEqual(yield* Fiber.join(fiber), addressesOf(pairs))
      assert.isAtLeast(threads.length, 4)
    }).pipe(Effect.provide(verifier))
  })

  it.effect("gives up threads that die over and over, and does the work in place", () => {
    let started = 0
    const { threads, verifier } = watched({
      // the first two are sound, every later one throws at once
      spawn: (backend) => ++started <= 2 ? spawn(backend) : new Worker("throw new Error('no')", { eval: true })
    })
    return Effect.gen(function*() {
      const { recoverAll } = yield* Verifier
      for (const thread of threads.slice()) yield* kill(thread)
      const pairs = asked(300)
      assert.deepStrictEqual(yield* recoverAll(itemsOf(pairs)), addressesOf(pairs))
      assert.isAtMost(threads.length, 2 * 3)
      yield* until(() => threads.every(ended), "no thread is left")
      assert.deepStrictEqual(yield* recoverAll(itemsOf(pairs)), addressesOf(pairs))
    }).pipe(Effect.provide(verifier))
  })

  it.effect("starts without threads when none proves itself", () => {
    const { verifier } = watched({ spawn: () => new Worker("process.exit(1)", { eval: true }) })
    return Effect.gen(function*() {
      const { info, recover, recoverAll } = yield* Verifier
      assert.strictEqual(info.workers, 0)
      const pairs = asked(100)
      assert.deepStrictEqual(yield* recoverAll(itemsOf(pairs)), addressesOf(pairs))
      assert.strictEqual(yield* recover(known[0]![0]), known[0]![1])
    }).pipe(Effect.provide(verifier))
  })

  it.effect("lets a caller leave: nothing stays outstanding, others are served", () => {
    const { threads, verifier } = watched({ workers: 1 })
    return Effect.gen(function*() {
      const { recover, recoverAll } = yield* Verifier
      const many = itemsOf(asked(20_000))
      const fibers = yield* Effect.all(Array.from({ length: 4 }, () => Effect.forkChild(recoverAll(many))))
      const stays = asked(40)
      const staying = yield* Effect.forkChild(recoverAll(itemsOf(stays)))
      for (let i = 0; i < 200 && (yield* Metric.value(outstanding)).value < 70_000; i++) yield* pause(5)
      assert.isAbove((yield* Metric.value(outstanding)).value, 70_000)
      const begun = performance.now()
      yield* Fiber.interruptAll(fibers)
      assert.deepStrictEqual(yield* Fiber.join(staying), addressesOf(stays))
      // what was not sent yet is not checked: that would take seconds
      for (let i = 0; i < 200 && (yield* Metric.value(outstanding)).value > 0; i++) yield* pause(5)
      assert.strictEqual((yield* Metric.value(outstanding)).value, 0)
      assert.isBelow(performance.now() - begun, 1500)
      for (const fiber of fibers) assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.strictEqual(yield* recover(known[3]![0]), known[3]![1])
      assert.strictEqual(threads.length, 1)
    }).pipe(Effect.provide(verifier))
  })

  it.effect("serves a single caller in the midst of another's backlog", () => {
    const { verifier } = watched({ workers: 1 })
    return Effect.gen(function*() {
      const { recover, recoverAll } = yield* Verifier
      const bulk = yield* Effect.forkChild(recoverAll(itemsOf(asked(6000))))
      yield* pause(5)
      assert.strictEqual(yield* recover(known[5]![0]), known[5]![1])
      assert.isUndefined(bulk.pollUnsafe(), "the bulk was still at work")
      yield* Fiber.interrupt(bulk)
    }).pipe(Effect.provide(verifier))
  })

  it.effect("keeps the event loop free during a backlog", () => {
    const { verifier } = watched({ backend: "noble", workers: 1 })
    return Effect.gen(function*() {
      const { recoverAll } = yield* Verifier
      const bulk = yield* Effect.forkChild(recoverAll(itemsOf(asked(200))))
      let turns = 0
      while (bulk.pollUnsafe() === undefined && turns < 100_000) {
        turns++
        yield* pause(1)
      }
      // 200 of about 1 ms each: done here, the loop would have turned a few times
      assert.isAbove(turns, 20)
    }).pipe(Effect.provide(verifier))
  })

  it.effect("ends its threads with the scope, and lets nobody wait for ever", () => {
    const { threads, verifier } = watched()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(verifier, scope)
      const { recoverAll } = yield* Verifier.pipe(Effect.provide(context))
      const waiting = yield* Effect.forkChild(recoverAll(itemsOf(asked(50_000))))
      yield* pause(10)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiting)))
      assert.deepStrictEqual(threads.map(ended), [true, true])
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(recoverAll(itemsOf(asked(10))))), "asked after the end")
      yield* pause(50)
      assert.strictEqual(threads.length, 2, "nothing was replaced after the end")
    })
  })

  it.effect("counts what it answered", () => {
    const { verifier } = watched()
    return Effect.gen(function*() {
      const { recoverAll, verifyNodeAll } = yield* Verifier
      const [before, beforeNo] = [yield* Metric.value(verified), yield* Metric.value(rejected)]
      const bad = hopeless().slice(0, 5).map(([, item]) => item)
      yield* recoverAll([...itemsOf(asked(30)), ...bad])
      const node = nodeSignature("ed25519", "count")
      yield* verifyNodeAll([node, { ...node, signature: new Uint8Array(64) }])
      assert.strictEqual((yield* Metric.value(verified)).count - before.count, 31)
      assert.strictEqual((yield* Metric.value(rejected)).count - beforeNo.count, 6)
      assert.strictEqual((yield* Metric.value(outstanding)).value, 0)
    }).pipe(Effect.provide(verifier))
  })
})

describe("the pool", () => {
  /** A pool whose own checks are counted: those that the calling thread does. */
  const counted = async (options: Partial<PoolOptions> = {}) => {
    const backend = await loadProven("native")
    const here = { checks: 0 }
    const counting: Backend = {
      ...backend,
      recover: (digest, rs, v) => {
        here.checks++
        return backend.recover(digest, rs, v)
      }
    }
    const pool = await make({
      backend: counting,
      threads: 1,
      inPlaceMax: 2,
      spawn: (name: BackendName) => spawn(name),
      onOutstanding: () => {},
      onAnswers: () => {},
      onDeath: () => {},
      retryMs,
      ...options
    })
    return { here, pool }
  }
  const ask = (pool: Pool, items: ReadonlyArray<Item>) =>
    new Promise<ReadonlyArray<Answer> | undefined>((resolve) => void pool.submit(items, resolve))

  it("does two in place when idle, and leaves all else to the threads", async () => {
    const { here, pool } = await counted()
    const one = itemsOf(asked(1))
    await ask(pool, one)
    assert.strictEqual(here.checks, 1)
    await Promise.all([ask(pool, one), ask(pool, one)])
    assert.strictEqual(here.checks, 3)
    await Promise.all([ask(pool, one), ask(pool, one), ask(pool, one)])
    await ask(pool, itemsOf(asked(500)))
    assert.strictEqual(here.checks, 3)
    // with a backlog outstanding, a single one goes to the threads as well
    const bulk = ask(pool, itemsOf(asked(500)))
    await new Promise<void>((resolve) => void setImmediate(resolve))
    await ask(pool, one)
    await bulk
    assert.strictEqual(here.checks, 3)
    await pool.close()
  })

  it("sends what is asked in one turn in few messages", async () => {
    let messages = 0
    const { pool } = await counted({
      spawn: (name) => {
        const thread = spawn(name)
        thread.on("message", () => void messages++)
        return thread
      }
    })
    messages = 0
    const pairs = asked(64)
    const answers = await Promise.all(pairs.map(([item]) => ask(pool, [item])))
    assert.deepStrictEqual(answers.map((all) => all?.[0]), addressesOf(pairs))
    assert.isAtMost(messages, 4)
    await pool.close()
  })

  it("takes items in place that were aboard at three deaths", async () => {
    let threads: ReadonlyArray<Worker> = []
    const { here, pool } = await counted({
      // says it is ready and dies of the first message
      spawn: () => {
        const thread = new Worker(
          `const { parentPort } = require("node:worker_threads")
           parentPort.on("message", () => process.exit(3))
           parentPort.postMessage("ready")`,
          { eval: true }
        )
        threads = [...threads, thread]
        return thread
      }
    })
    const pairs = asked(20)
    assert.deepStrictEqual(await ask(pool, itemsOf(pairs)), addressesOf(pairs))
    assert.strictEqual(here.checks, 20)
    assert.strictEqual(threads.length, 3)
    await pool.close()
  })

  it("tries again after a while with a thread that was left out", async () => {
    let [started, broken] = [0, true]
    const { here, pool } = await counted({
      retryMs: 30,
      spawn: (name) => {
        started++
        return broken ? new Worker("process.exit(1)", { eval: true }) : spawn(name)
      }
    })
    assert.strictEqual(pool.threads, 0)
    assert.strictEqual(started, 3)
    await ask(pool, itemsOf(asked(40)))
    assert.strictEqual(here.checks, 40)
    broken = false
    for (let i = 0; i < 200 && here.checks > 0; i++) {
      await new Promise<void>((resolve) => void setTimeout(resolve, 20))
      here.checks = 0
      const pairs = asked(40)
      assert.deepStrictEqual(await ask(pool, itemsOf(pairs)), addressesOf(pairs))
    }
    assert.strictEqual(here.checks, 0, "the thread does the work again")
    await pool.close()
  })

  it("calls back once, and never after a call was taken back", async () => {
    const { pool } = await counted()
    let calls = 0
    const cancel = pool.submit(itemsOf(asked(300)), () => void calls++)
    await new Promise<void>((resolve) => void setImmediate(resolve))
    cancel()
    cancel()
    await ask(pool, itemsOf(asked(100)))
    assert.strictEqual(calls, 0)
    await pool.close()
    assert.isUndefined(await ask(pool, itemsOf(asked(3))))
  })
})

describe("the thread's program", () => {
  it("does not load Effect, which would take longer than all the rest", () => {
    const seen = new Set<string>()
    const visit = (file: URL): void => {
      if (seen.has(file.href)) return
      seen.add(file.href)
      for (
        const [, a, b] of readFileSync(file, "utf8").matchAll(/^import (?!type )[^"]*"([^"]+)"|import\("([^"]+)"\)/gm)
      ) {
        const name = a ?? b ?? ""
        assert.notMatch(name, /^effect/, file.pathname)
        if (name.startsWith(".")) visit(new URL(name, file))
      }
    }
    visit(new URL("../../src/layers/crypto/verify.worker.ts", import.meta.url))
    assert.isAbove(seen.size, 7)
  })
})
