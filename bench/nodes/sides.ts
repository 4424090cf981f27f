/**
 * Two sides of a round of sync in one process, as nodes run them: stores in SQLite, trees, frames over a line in memory.
 * What comes is neither judged nor stored: that is measured elsewhere, and the sides stay different.
 */
import { Context, Effect, Layer, Queue } from "effect"
import * as Hashing from "../../src/layers/crypto/hashing.ts"
import * as Entropy from "../../src/layers/node/entropy.ts"
import * as HybridClock from "../../src/layers/node/hybrid-clock.ts"
import * as PeerClocks from "../../src/layers/node/peer-clocks.ts"
import * as Trees from "../../src/layers/node/trees.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import * as Initiator from "../../src/layers/sync/initiator.ts"
import * as Line from "../../src/layers/sync/line.ts"
import * as Responder from "../../src/layers/sync/responder.ts"
import * as Rounds from "../../src/layers/sync/rounds.ts"
import { Intake } from "../../src/services/Intake.ts"
import { type Channel, ChannelError } from "../../src/services/Network.ts"
import { NetworkId } from "../../src/services/NetworkId.ts"
import { node } from "../load/records.ts"

/** Trees of a million records take some seconds. */
const buildMsMax = 300_000

/** What a round of a side stands on. */
export class Ground extends Context.Service<Ground, Rounds.Ground>()("bench/Ground") {}

const layerIntake = Layer.succeed(Intake, {
  take: (records) => Effect.succeed(records.map(() => ({ _tag: "accepted" as const }))),
  forget: () => {},
  stats: () => ({ waiting: 0, waitingBytes: 0 })
})

/** Opens the store of a directory, and all that a round needs beside it. */
export const openSide = (directory: string) =>
  Layer.build(
    Layer.effect(Ground, Rounds.ground).pipe(
      Layer.provideMerge(Layer.mergeAll(Trees.layer, layerIntake)),
      Layer.provideMerge(Layer.mergeAll(HybridClock.layer, PeerClocks.layer)),
      Layer.provideMerge(Layer.mergeAll(
        layerSqlite({ directory }),
        Hashing.layer,
        Entropy.layer,
        Layer.succeed(NetworkId, { name: "" })
      ))
    )
  )

/** Builds a side's trees of what its store has now. */
export const buildTrees = Effect.fnUntraced(function*({ trees }: Rounds.Ground) {
  trees.rebuild("filled")
  for (let waitedMs = 0; trees.horizonMs() === undefined; waitedMs += 20) {
    if (waitedMs > buildMsMax) return yield* Effect.die(new Error(`no trees after ${buildMsMax} ms`))
    yield* Effect.sleep(20)
  }
})

/** A line in memory, both ends. */
const pipe = Effect.gen(function*() {
  const [there, back] = [yield* Queue.unbounded<Uint8Array>(), yield* Queue.unbounded<Uint8Array>()]
  const end = (out: Queue.Queue<Uint8Array>, into: Queue.Queue<Uint8Array>): Channel => ({
    peer: node,
    send: (frame) => Effect.asVoid(Queue.offer(out, frame)),
    receive: Effect.mapError(Queue.take(into), () => new ChannelError({ reason: "closed", message: "closed" }))
  })
  return [end(there, back), end(back, there)] as const
})

const catchUp = { begin: () => "compare" as const, fetched: () => {}, opsFrom: () => undefined, opsReached: () => {} }

/** One round between two sides: how many records were found to differ, and what went over the line. */
export const round = Effect.fnUntraced(function*(a: Rounds.Ground, b: Rounds.Ground) {
  const [left, right] = yield* pipe
  const line = Line.make(left, Line.answerMsMax)
  const [led] = yield* Effect.all([
    Initiator.run(a, line, { whole: new Set(), catchUp }),
    Responder.run(b, Line.make(right, Line.questionMsMax), () => false)
  ], { concurrency: 2 })
  return { found: led.pulled + led.pushed, tally: line.tally }
})
