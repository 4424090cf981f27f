/** Either side of a round against a peer that does not play by the rules: each costs a bounded round (FAILURES 24). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Record } from "../../src/domain/record.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import * as Wire from "../../src/domain/wire.ts"
import * as Initiator from "../../src/layers/sync/initiator.ts"
import * as Line from "../../src/layers/sync/line.ts"
import * as Responder from "../../src/layers/sync/responder.ts"
import * as Rounds from "../../src/layers/sync/rounds.ts"
import type { Channel, ChannelError } from "../../src/services/Network.ts"
import { identity, manyRecords, message, user } from "../contract/store-records.ts"
import { Dice, Seed } from "../domain/records.ts"
import { channels, hashes, progressOf, ready, round, type Side, sides, told } from "./fixture.ts"

type Script = (channel: Channel, honest: Side) => Effect.Effect<void, ChannelError>
type Reason = Line.RoundError["reason"]

const say = (channel: Channel, frame: Frames.Frame) => channel.send(Frames.encode(frame))
const hear = (channel: Channel) =>
  Effect.map(channel.receive, (bytes) => {
    const frame = Frames.decode(bytes)
    if (frame._tag === "Failure") throw new Error("the node sent no frame")
    return frame.success
  })
const helloOf = (side: Side, change: Partial<Frames.Hello> = {}): Frames.Hello => ({
  ...Rounds.hello(side.ground, side.ground.trees.at(side.ground.trees.horizonMs()!)!),
  ...change
})
const otherRoots: Frames.ByDomain<Uint8Array> = [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)]

/** What became of the node's side of a round whose other side is `script`, within two hours of virtual time. */
const against = Effect.fn(function*(side: Side, role: "leads" | "answers", script: Script) {
  const wire = yield* channels(side.id, "liar" as Side["id"])
  const [own, other] = role === "leads" ? [wire.opener, wire.server] : [wire.server, wire.opener]
  const line = Line.make(own, role === "leads" ? Line.answerMsMax : Line.questionMsMax)
  const run: Effect.Effect<unknown, Line.RoundError> = role === "leads"
    ? Initiator.run(side.ground, line, { whole: new Set(), catchUp: progressOf(told()) })
    : Responder.run(side.ground, line, () => false)
  const fiber = yield* Effect.forkChild(Effect.exit(Effect.ensuring(run, wire.close)))
  const liar = yield* Effect.forkChild(Effect.ensuring(Effect.ignore(script(other, side)), Effect.void))
  for (let i = 0; i < 120 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("1 minute")
  const ended = fiber.pollUnsafe()
  assert.isDefined(ended, "the round did not end")
  const exit = yield* Fiber.join(fiber)
  yield* Fiber.interrupt(liar)
  return { exit, tally: line.tally }
})

const reasonOf = (exit: Exit.Exit<unknown, unknown>): Reason | undefined =>
  Exit.isSuccess(exit) ? undefined : JSON.parse(JSON.stringify(exit.cause.reasons[0])).error.reason

const records = manyRecords(3, 60)
const one = Effect.fn(function*() {
  const [side] = (yield* sides({ judge: judged })) as [Side]
  yield* side.put(records)
  yield* ready(side)
  return side
})
const bad = message({ peer: user(5), content: "of bad signature" })
const judged = (record: Record) =>
  record.id === bad.id ? { _tag: "invalid" as const, why: "its signature is wrong" } : undefined
const wired = (record: Record): Frames.WiredRecord => ({ kind: record.kind, bytes: Wire.encode(record) })

const silent: Script = () => Effect.never

/** Agrees with the node on everything but its roots, then answers by kind of question. */
const answering =
  (answer: (frame: Frames.Frame, times: number) => Frames.Frame | undefined, roots = otherRoots): Script =>
  (channel, side) =>
    Effect.gen(function*() {
      yield* hear(channel)
      yield* say(channel, helloOf(side, { roots, counts: [20, 20, 20] }))
      for (let times = 0;; times++) {
        const frame = yield* hear(channel)
        const reply = answer(frame, times)
        if (reply === undefined) return yield* Effect.never
        yield* say(channel, reply)
      }
    })

/** Lies about every node, so that the node looks into all buckets. */
const lyingHashes = (frame: Frames.Frame): Frames.Frame | undefined =>
  frame._tag === "Ask"
    ? { _tag: "Hashes", hashes: new Uint8Array(frame.nodes.length * 16 * frame.bytes).fill(7) }
    : undefined
const listsOf = (frame: Frames.Frame, list: Uint8Array) =>
  frame._tag === "List" ? Frames.listed(frame).map(() => list) : []

const asServer: ReadonlyArray<readonly [string, Script, Reason | undefined]> = [
  ["is silent", silent, "stalled"],
  ["sends junk", (channel) => channel.send(Uint8Array.of(1, 2, 3)), "malformed"],
  ["answers the hello with something else", (channel) => say(channel, { _tag: "Taken", count: 1 }), "malformed"],
  [
    "answers with a later horizon",
    (channel, side) => say(channel, helloOf(side, { horizonMs: side.ground.trees.horizonMs()! + 5_000 })),
    "malformed"
  ],
  [
    "answers with a horizon that is none",
    (channel, side) => say(channel, helloOf(side, { horizonMs: 12_345 })),
    "refused"
  ],
  ["sends hashes of the wrong length", answering(() => ({ _tag: "Hashes", hashes: new Uint8Array(100) })), "malformed"],
  ["answers out of order", answering(() => ({ _tag: "Digests", lists: [] })), "malformed"],
  ["stalls after the hello", answering(() => undefined), "stalled"],
  ["lists too few buckets", answering((frame) => lyingHashes(frame) ?? { _tag: "Digests", lists: [] }), "malformed"],
  [
    "lists half a digest",
    answering((frame) => lyingHashes(frame) ?? { _tag: "Digests", lists: listsOf(frame, new Uint8Array(9)) }),
    "malformed"
  ],
  [
    "lists more than fits a page",
    answering((frame) => lyingHashes(frame) ?? { _tag: "Digests", lists: listsOf(frame, new Uint8Array(800)) }),
    "malformed"
  ],
  [
    "cuts lists without end",
    answering((frame) =>
      lyingHashes(frame) ?? {
        _tag: "Digests",
        lists: [new Uint8Array(8)],
        last: new Uint8Array(32)
      }
    ),
    "malformed"
  ],
  [
    "cuts lists before their begin",
    answering((frame) =>
      lyingHashes(frame) ?? { _tag: "Digests", lists: [new Uint8Array()], last: new Uint8Array(32) }
    ),
    "malformed"
  ],
  [
    "cuts lists elsewhere than they end, a little further each time",
    answering((frame, times) =>
      lyingHashes(frame) ?? {
        _tag: "Digests",
        lists: [new Uint8Array(8).fill(0xff)],
        last: Bytes.concat([new Uint8Array(24), Bytes.u64be(times)])
      }
    ),
    "malformed"
  ],
  [
    "lists what it does not have",
    answering((frame) =>
      lyingHashes(frame) ?? (frame._tag === "List"
        ? { _tag: "Digests", lists: listsOf(frame, new Uint8Array(8)) }
        : frame._tag === "Pull"
        ? { _tag: "Records", records: [], done: frame.picks.length }
        : undefined)
    ),
    "lied"
  ],
  [
    "looks at none of what is pulled",
    answering((frame) =>
      lyingHashes(frame) ?? (frame._tag === "List"
        ? { _tag: "Digests", lists: listsOf(frame, new Uint8Array(8)) }
        : { _tag: "Records", records: [], done: 0 })
    ),
    "malformed"
  ],
  [
    "sends records that were not asked for",
    answering((frame) =>
      lyingHashes(frame) ?? (frame._tag === "List"
        ? { _tag: "Digests", lists: listsOf(frame, new Uint8Array(8)) }
        : frame._tag === "Pull"
        ? { _tag: "Records", records: [wired(identity({}))], done: frame.picks.length }
        : undefined)
    ),
    "lied"
  ],
  [
    "sends an invalid record",
    answering((frame) => {
      const digest = Wire.leafDigest(hashes.blake3, bad).subarray(0, 8)
      return lyingHashes(frame) ?? (frame._tag === "List"
        ? {
          _tag: "Digests",
          lists: Frames.listed(frame).map((bucket) =>
            frame.domain === "messages" && bucket === Number.parseInt(bad.id.slice(0, 4), 16)
              ? digest
              : new Uint8Array()
          )
        }
        : frame._tag === "Push"
        ? { _tag: "Taken", count: 0 }
        : { _tag: "Records", records: [wired(bad)], done: 1 })
    }),
    "lied"
  ],
  [
    "sends one record again and again",
    answering((frame) => {
      const digest = Wire.leafDigest(hashes.blake3, records[0]!).subarray(0, 8)
      return lyingHashes(frame) ?? (frame._tag === "List"
        ? { _tag: "Digests", lists: listsOf(frame, digest) }
        : { _tag: "Records", records: [wired(records[0]!)], done: 1 })
    }),
    "malformed"
  ],
  [
    "lies about all hashes and has nothing to give",
    answering((frame) =>
      lyingHashes(frame) ?? (frame._tag === "List"
        ? { _tag: "Digests", lists: listsOf(frame, new Uint8Array()) }
        : { _tag: "Taken", count: 0 })
    ),
    undefined
  ]
]

/** Says hello as an opener, then sends what it likes, and hears answers as long as there are some. */
const asking = (...frames: ReadonlyArray<Frames.Frame>): Script => (channel, side) =>
  Effect.gen(function*() {
    yield* say(channel, helloOf(side))
    yield* hear(channel)
    for (const frame of frames) {
      yield* say(channel, frame)
      if (frame._tag !== "End") yield* hear(channel)
    }
    return yield* Effect.never
  })
const ascending = (count: number) => Array.from({ length: count }, (_, i) => i)
const whole: Frames.Frame = { _tag: "Ask", domain: "messages", bytes: 8, level: 3, nodes: ascending(512) }
const listing: Frames.Frame = { _tag: "List", domain: "messages", bytes: 8, nodes: ascending(256), buckets: [] }
const times = <A>(count: number, item: A): ReadonlyArray<A> => Array.from({ length: count }, () => item)

const asOpener: ReadonlyArray<readonly [string, Script, Reason | undefined]> = [
  ["is silent", silent, "stalled"],
  ["sends junk", (channel) => channel.send(new Uint8Array(1_000)), "malformed"],
  ["begins with a question", (channel) => say(channel, whole), "malformed"],
  [
    "says hello twice",
    (channel, side) => Effect.andThen(say(channel, helloOf(side)), say(channel, helloOf(side))),
    "malformed"
  ],
  ["stalls after the hello", asking(), "stalled"],
  ["sends an answer for a question", asking({ _tag: "Taken", count: 1 }), "malformed"],
  ["asks for too many nodes at once", asking({ ...whole, nodes: ascending(513) }), "malformed"],
  ["asks for nodes again and again", asking(...times(40, whole)), "malformed"],
  ["lists every bucket at once", asking({ ...listing, buckets: ascending(65_536) }), "malformed"],
  ["lists buckets again and again", asking(...times(120, listing)), "malformed"],
  ["lists none", asking({ ...listing, nodes: [] }), "malformed"],
  [
    "pulls thousands at once",
    asking({
      _tag: "Pull",
      domain: "messages",
      bytes: 8,
      picks: [[1, new Uint8Array(8 * 4_097)]]
    }),
    "malformed"
  ],
  [
    "audits again and again",
    asking(...times(4, {
      _tag: "Audit" as const,
      domain: "messages" as const,
      nonce: new Uint8Array(16),
      buckets: ascending(64)
    })),
    "malformed"
  ],
  ["pushes what is no record", asking({ _tag: "Push", records: [{ kind: "op", bytes: new Uint8Array(9) }] }), "lied"],
  ["pushes an invalid record", asking({ _tag: "Push", records: [wired(bad)] }), "lied"],
  [
    "streams a range that is none",
    asking({ _tag: "Stream", kind: "message", from: 9, to: 3 }, { _tag: "End" }),
    undefined
  ],
  ["ends at once", asking({ _tag: "End" }), undefined]
]

describe("a peer that", () => {
  for (
    const [role, cases] of [["leads", asServer], ["answers", asOpener]] as const
  ) {
    for (const [name, script, reason] of cases) {
      it.effect(`24: ${name}, when the node ${role}, costs one bounded round`, () =>
        Effect.gen(function*() {
          const side = yield* one()
          const before = yield* side.all
          const { exit, tally } = yield* against(side, role, script)
          assert.strictEqual(reasonOf(exit), reason, String(exit))
          assert.deepStrictEqual(yield* side.all, before)
          assert.isAtMost(tally.frames, 250)
          // trees are this node's own: no peer can have them dropped
          assert.deepStrictEqual(side.rebuilt, [])
          if (Exit.isSuccess(exit) && role === "leads") assert.isFalse((exit.value as Initiator.Led).equal)
        }), 60_000)
    }
  }

  it.effect("24: breaks off anywhere leaves two good sets", () =>
    Effect.gen(function*() {
      const [a, b] = (yield* sides({}, {})) as [Side, Side]
      yield* a.put(records.slice(0, 40))
      yield* b.put(records.slice(20))
      yield* ready(a, b)
      let ended = false
      for (let at = 0; at < 60 && !ended; at++) {
        const done = yield* round(a, b, { tap: (_, __, number) => number >= at ? "cut" : undefined })
        ended = Exit.isSuccess(done.led)
        if (ended) break
        assert.strictEqual(reasonOf(done.led), "closed")
        assert.isTrue(Exit.isFailure(done.answered))
      }
      assert.isTrue(ended)
      assert.deepStrictEqual(yield* a.all, yield* b.all)
    }), 60_000)

  it.effect.prop("24: changes any byte of any frame never breaks the node", [Seed], ([seed]) =>
    Effect.gen(function*() {
      const dice = new Dice(seed)
      const [a, b] = (yield* sides({}, {})) as [Side, Side]
      yield* a.put(records.slice(0, 40))
      yield* b.put(records.slice(20))
      yield* ready(a, b)
      for (let i = 0; i < 8; i++) {
        const target = dice.below(14)
        const running = yield* Effect.forkChild(round(a, b, {
          tap: (bytes, _, number) => {
            if (number !== target) return undefined
            const changed = bytes.slice()
            changed[dice.below(changed.length)] = dice.below(256)
            return changed
          }
        }))
        for (let n = 0; n < 3 && running.pollUnsafe() === undefined; n++) yield* TestClock.adjust("1 minute")
        const done = yield* Fiber.join(running)
        for (const exit of [done.led, done.answered]) {
          if (Exit.isSuccess(exit)) continue
          assert.isDefined(reasonOf(exit), String(exit))
        }
      }
    }), { arbitrary: { runs: 2 } })
})
