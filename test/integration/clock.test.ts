/**
 * Wall clocks that jump (SPEC §4, FAILURES 6, 8): the node refuses what it cannot stamp truly, says why, loses nothing,
 * and never stamps at or below what it stored, also after a restart.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { call, dm, freshTs, start, temporaryDirectory, user } from "../http/fixture.ts"

const hour = 3_600_000
const day = 24 * hour
const [alice, bob] = [user(1), user(2)]

/** The real clock with an offset that a test moves. */
const movable = Effect.map(Clock.Clock, (real) => {
  const state = { offsetMs: 0 }
  const nowMs = () => real.currentTimeMillisUnsafe() + state.offsetMs
  const clock: Clock.Clock = Object.assign(Object.create(real) as Clock.Clock, {
    currentTimeMillisUnsafe: nowMs,
    currentTimeMillis: Effect.sync(nowMs)
  })
  return { clock, state }
})

const setup = Effect.gen(function*() {
  const { clock, state } = yield* movable
  const dataDir = yield* temporaryDirectory
  const begin = start({ dataDir }).pipe(Effect.provideService(Clock.Clock, clock))
  return { state, begin }
})

type Node = Effect.Success<Effect.Success<typeof setup>["begin"]>

const say = (node: Node, content: string, offsetMs: number) =>
  Effect.promise(() => call(node, alice, dm(alice, bob, { content }, freshTs() + offsetMs)))
const read = (node: Node, offsetMs: number) =>
  Effect.promise(() =>
    call(node, bob, { method: "GET", path: `/dialogs/0x${alice.address}/messages`, ts: freshTs() + offsetMs })
  )
const contents = (answer: { readonly body: { readonly messages: ReadonlyArray<{ readonly content: string }> } }) =>
  answer.body.messages.map((message) => message.content)

describe("a wall clock that jumps", () => {
  it.live("an hour ahead, and back: stamps that would be untrue are refused with 503 clock", () =>
    Effect.gen(function*() {
      const { begin, state } = yield* setup
      const node = yield* begin
      assert.strictEqual((yield* say(node, "before", 0)).status, 202)

      state.offsetMs = hour
      const late = yield* say(node, "by a true clock", 0)
      assert.deepStrictEqual([late.status, late.body.reason], [401, "expired"])
      assert.isAtLeast(late.body.time - Date.now(), hour - 5_000)
      const ahead = yield* say(node, "by the same clock", hour)
      assert.strictEqual(ahead.status, 202)

      state.offsetMs = 0
      const refused = yield* say(node, "back", 0)
      assert.deepStrictEqual([refused.status, refused.body._tag, refused.body.reason], [503, "Overloaded", "clock"])
      assert.isNotNull(refused.headers.get("retry-after"))
      // reading goes on, and what was refused is not there
      assert.deepStrictEqual(contents(yield* read(node, 0)), ["by the same clock", "before"])

      state.offsetMs = hour + 1
      assert.strictEqual((yield* say(node, "again", hour)).status, 202)
      assert.deepStrictEqual(contents(yield* read(node, hour)), ["again", "by the same clock", "before"])
    }).pipe(Effect.scoped))

  it.live("31 days ahead: old messages are not shown, and are there when the clock is right again", () =>
    Effect.gen(function*() {
      const { begin, state } = yield* setup
      const node = yield* begin
      assert.strictEqual((yield* say(node, "kept", 0)).status, 202)
      state.offsetMs = 31 * day
      const hidden = yield* read(node, 31 * day)
      assert.deepStrictEqual(contents(hidden), [])
      state.offsetMs = 0
      assert.deepStrictEqual(contents(yield* read(node, 0)), ["kept"])
      assert.strictEqual((yield* say(node, "on", 0)).status, 202)
    }).pipe(Effect.scoped))

  it.live("a restart with the clock set back does not stamp at or below what is stored", () =>
    Effect.gen(function*() {
      const { begin, state } = yield* setup
      const first = yield* Effect.scoped(Effect.flatMap(begin, (node) => say(node, "one", 0)))
      assert.strictEqual(first.status, 202)
      state.offsetMs = -30_000
      const node = yield* begin
      const second = yield* say(node, "two", -29_000)
      assert.strictEqual(second.status, 202, JSON.stringify(second.body))
      assert.isTrue(second.body.hlc > first.body.hlc, `${second.body.hlc} is not above ${first.body.hlc}`)
      assert.deepStrictEqual(contents(yield* read(node, -29_000)), ["two", "one"])
    }).pipe(Effect.scoped))
})
