/**
 * Nodes' sides of a round of sync without nodes: a store in memory, real trees, an intake that takes what it is given, and
 * frames that go from one side to the other through queues. Time is that of the test.
 */
import { Context, Effect, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import { type Hashes, Hashing } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import { lastStamp } from "../../src/domain/horizon.ts"
import type { NodeId } from "../../src/domain/ids.ts"
import { driftMsMax } from "../../src/domain/limits.ts"
import type { Kind, Record } from "../../src/domain/record.ts"
import * as Retention from "../../src/domain/retention.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import { loadWasmPromise } from "../../src/layers/crypto/hashes.ts"
import * as TreesLayer from "../../src/layers/node/trees.ts"
import { layerMemory } from "../../src/layers/store/memory.ts"
import type { Progress } from "../../src/layers/sync/catch-up.ts"
import * as Initiator from "../../src/layers/sync/initiator.ts"
import * as Line from "../../src/layers/sync/line.ts"
import * as Responder from "../../src/layers/sync/responder.ts"
import type { Ground } from "../../src/layers/sync/rounds.ts"
import { HybridClock } from "../../src/services/HybridClock.ts"
import type { Judgement } from "../../src/services/Intake.ts"
import { type Channel, ChannelError } from "../../src/services/Network.ts"
import { Store } from "../../src/services/Store.ts"
import { Trees } from "../../src/services/Trees.ts"
import { Dice } from "../domain/records.ts"

export const hashes: Hashes = await loadWasmPromise()
const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]
/** Records of `contract/store-records` are stamped some ms after this; by now they are below every horizon. */
const startMs = 1_800_000_000_000
export const nowMs = startMs + 20 * 60_000

type StoreService = Store["Service"]

export interface SideOptions {
  readonly name?: string
  /** Its wall clock less true time, ms. */
  readonly skewMs?: number
  readonly network?: string
  readonly keyCheck?: Uint8Array
  /** What the side's rounds see of its store. */
  readonly seen?: (store: StoreService) => StoreService
  readonly leafHash?: (bytes: Uint8Array) => Uint8Array
  /** Records that this side will never take. */
  readonly judge?: (record: Record) => Judgement | undefined
}

export interface Side {
  readonly id: NodeId
  readonly ground: Ground
  readonly put: (records: ReadonlyArray<Record>) => Effect.Effect<void>
  /** Every record, by kind and id. */
  readonly all: Effect.Effect<ReadonlyArray<Record>>
  /** Batches that came from the other side, in order. */
  readonly taken: Array<ReadonlyArray<Record>>
  readonly offsets: Array<number>
  readonly rebuilt: Array<string>
}

export const makeSide = Effect.fn(function*(options: SideOptions = {}) {
  const dice = new Dice(7)
  const time = yield* TestClock.testClockWith((clock) => Effect.succeed(clock))
  const wall = () => time.currentTimeMillisUnsafe() + (options.skewMs ?? 0)
  const clock = HybridClock.of({ wall, send: () => Hlc.zero, receive: () => {}, last: () => Hlc.zero })
  const context = yield* Layer.build(
    TreesLayer.layer.pipe(
      Layer.provideMerge(layerMemory),
      Layer.provideMerge(Layer.succeed(HybridClock, clock)),
      Layer.provideMerge(Layer.succeed(Hashing, hashes))
    )
  )
  const store = Context.get(context, Store)
  const trees = Context.get(context, Trees)
  const taken: Array<ReadonlyArray<Record>> = []
  const offsets: Array<number> = []
  const rebuilt: Array<string> = []
  const cutoff = () => lastStamp(Retention.cutoffMs(wall()))
  const ages = (record: Record) => record.kind === "message" || record.kind === "read"

  const judge = (record: Record): Judgement | undefined => {
    const own = options.judge?.(record)
    if (own !== undefined) return own
    if (Hlc.physicalMs(record.hlc) > wall() + driftMsMax) return { _tag: "early" }
    return ages(record) && record.hlc <= cutoff() ? { _tag: "aged" } : undefined
  }

  const commit = Effect.fn(function*(records: ReadonlyArray<Record>) {
    const done = yield* store.commit(records, cutoff())
    trees.apply(done)
    return done.outcomes
  })

  const ground: Ground = {
    hashes,
    leafHash: options.leafHash ?? hashes.blake3,
    keyCheck: options.keyCheck ?? new Uint8Array(),
    network: options.network ?? "",
    store: options.seen?.(store) ?? store,
    trees: { ...trees, rebuild: (why) => rebuilt.push(why) },
    intake: {
      take: (records) =>
        Effect.gen(function*() {
          taken.push(records)
          const judged = records.map(judge)
          const outcomes = yield* commit(records.filter((_, i) => judged[i] === undefined))
          let at = 0
          return judged.map((judgement): Judgement => {
            if (judgement !== undefined) return judgement
            const outcome = outcomes[at++]
            return { _tag: outcome === "stored" || outcome === "replaced" ? "accepted" : "known" }
          })
        }),
      forget: () => {},
      stats: () => ({ waiting: 0, waitingBytes: 0 })
    },
    clock,
    clocks: {
      observe: (_, offsetMs) => offsets.push(offsetMs),
      forget: () => {},
      check: () => ({ medianMs: 0, peers: 0, off: false })
    },
    entropy: { bytes: (length) => dice.bytes(length) }
  }

  const side: Side = {
    id: (options.name ?? "node") as NodeId,
    ground,
    taken,
    offsets,
    rebuilt,
    put: (records) =>
      Effect.gen(function*() {
        for (let at = 0; at < records.length; at += 5_000) yield* commit(records.slice(at, at + 5_000))
      }).pipe(Effect.orDie),
    all: Effect.orDie(Effect.map(
      Effect.forEach(kinds, (kind) => store.scan({ kind, limit: 1_000_000 })),
      (lists) => lists.flat()
    ))
  }
  return side
})

/** Sides at one time, whose trees are ready. */
export const sides = Effect.fn(function*(...options: ReadonlyArray<SideOptions>) {
  yield* TestClock.setTime(nowMs)
  const made: Array<Side> = []
  for (const [i, each] of options.entries()) made.push(yield* makeSide({ name: `node${i}`, ...each }))
  return made
})

export const ready = Effect.fn(function*(...all: ReadonlyArray<Side>) {
  for (let i = 0; i < 2_000 && all.some(({ ground }) => ground.trees.horizonMs() === undefined); i++) {
    yield* TestClock.adjust(20)
    yield* Effect.yieldNow
  }
  for (const { ground } of all) if (ground.trees.horizonMs() === undefined) throw new Error("the trees are not built")
})

const closed = () => new ChannelError({ reason: "closed", message: "the stream has ended" })

export interface Wire {
  /** Sees each frame; `drop` ends the stream instead of sending it, other bytes take its place. */
  readonly tap?: (frame: Uint8Array, from: "opener" | "server", number: number) => Uint8Array | "cut" | undefined
}

/** Both ends of a stream. */
export const channels = Effect.fn(function*(opener: NodeId, server: NodeId, wire: Wire = {}) {
  const toServer = yield* Queue.make<Uint8Array, ChannelError>()
  const toOpener = yield* Queue.make<Uint8Array, ChannelError>()
  let number = 0
  const close = Effect.andThen(Queue.fail(toServer, closed()), Queue.fail(toOpener, closed()))
  const end = (
    peer: NodeId,
    from: "opener" | "server",
    out: Queue.Queue<Uint8Array, ChannelError>,
    into: Queue.Queue<Uint8Array, ChannelError>
  ): Channel => ({
    peer,
    send: (frame) =>
      Effect.suspend(() => {
        const passed = wire.tap?.(frame, from, number++) ?? frame
        if (passed === "cut") return Effect.andThen(close, Effect.fail(closed()))
        return Effect.flatMap(Queue.offer(out, passed), (sent) => sent ? Effect.void : Effect.fail(closed()))
      }),
    receive: Queue.take(into)
  })
  return {
    opener: end(server, "opener", toServer, toOpener),
    server: end(opener, "server", toOpener, toServer),
    close
  }
})

export interface Told {
  readonly fetched: Array<readonly [records: number, accepted: number]>
  cursor: Uint8Array | undefined
  readonly cursors: Array<Uint8Array | undefined>
}

export const told = (): Told => ({ fetched: [], cursor: undefined, cursors: [] })

export const progressOf = (to: Told, plan: "fetch" | "leave" | "compare" = "fetch"): Progress => ({
  begin: () => plan,
  fetched: (records, accepted) => to.fetched.push([records, accepted]),
  opsFrom: () => to.cursor,
  opsReached: (cursor) => {
    to.cursor = cursor
    to.cursors.push(cursor)
  }
})

export interface RoundOptions extends Wire {
  readonly whole?: Initiator.Options["whole"]
  readonly progress?: Progress
  readonly busy?: () => boolean
}

/** One round that `opener` leads: how it ended on both sides. */
export const round = Effect.fn(function*(opener: Side, server: Side, options: RoundOptions = {}) {
  const wire = yield* channels(opener.id, server.id, options)
  const line = Line.make(wire.opener, Line.answerMsMax)
  const serving = Line.make(wire.server, Line.questionMsMax)
  const [led, answered] = yield* Effect.all([
    Effect.exit(Effect.ensuring(
      Initiator.run(opener.ground, line, {
        whole: options.whole ?? new Set(),
        catchUp: options.progress ?? progressOf(told())
      }),
      wire.close
    )),
    Effect.exit(Effect.ensuring(
      Responder.run(server.ground, serving, options.busy ?? (() => false)),
      wire.close
    ))
  ], { concurrency: 2 })
  return { led, answered, tally: line.tally }
})

/** A tap that keeps the frames. */
export const listening = () => {
  const heard: Array<{ readonly from: "opener" | "server"; readonly frame: Frames.Frame; readonly bytes: Uint8Array }> =
    []
  const tap: NonNullable<Wire["tap"]> = (bytes, from) => {
    const frame = Frames.decode(bytes)
    if (frame._tag === "Failure") throw new Error(`not a frame: ${frame.failure.message}`)
    heard.push({ from, frame: frame.success, bytes })
    return undefined
  }
  return { heard, tap }
}
