/**
 * The side of a round that answers (SPEC §6). It holds no state of the round but the agreed horizon and tallies, so that each question
 * costs what it costs, and the peer may ask or leave as it likes, each thing about once.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { branchCount, leavesCount, levelsCount } from "../../domain/limits.ts"
import { auditHash } from "../../domain/merkle-audit.ts"
import * as Descent from "../../domain/merkle-descent.ts"
import { widthOf } from "../../domain/merkle.ts"
import { domains } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import type { Pick } from "../../services/Store.ts"
import type { Snapshot } from "../../services/Trees.ts"
import { hashed } from "../node/tree-snapshots.ts"
import { bucketDigests, digestPage } from "./digests.ts"
import * as Line from "./line.ts"
import * as Rounds from "./rounds.ts"

/** Nodes hashed between two turns of the event loop: their children may be leaves. */
const nodesAtOnce = 64
/** Nodes that a round may ask for: each once a domain. */
const nodesMax = domains.length * Array.from({ length: levelsCount }, (_, level) => widthOf(level))
  .reduce((sum, width) => sum + width, 0)
/** Buckets that a round may have listed: each twice a domain, for long lists are asked for again. */
const bucketsMax = 2 * domains.length * leavesCount
/** Audits of a round, one a domain. */
const auditsMax = domains.length

/** What a peer has asked for so far, which is bounded: each question costs this node more than the peer. */
interface Asked {
  nodes: number
  buckets: number
  audits: number
  /** Whether anything was compared or moved. */
  touched: boolean
}

/** What the answering side knows of a round at its end. */
export interface Answered {
  readonly horizonMs: number
  /** Whether all roots were equal, and nothing was found by audits. */
  readonly equal: boolean
  readonly pulled: number
  readonly pushed: number
}

const refuseFrame = (ground: Rounds.Ground, reason: Frames.RefusalReason): Frames.Frame => ({
  _tag: "Refuse",
  reason,
  wallMs: Rounds.wallMs(ground)
})

const refuse = (ground: Rounds.Ground, line: Line.Line, reason: Frames.RefusalReason, message: string) =>
  Effect.andThen(
    line.send(refuseFrame(ground, reason)),
    Effect.fail(Rounds.refused(reason, message))
  )

/** Agrees on a horizon. `busy`: whether a round with this peer is under way already. */
const greet = Effect.fnUntraced(function*(ground: Rounds.Ground, line: Line.Line, busy: () => boolean) {
  const first = yield* Effect.timeoutOrElse(line.receive, {
    duration: Line.helloMsMax,
    orElse: () =>
      Effect.fail(new Line.RoundError({ reason: "stalled", message: `no hello within ${Line.helloMsMax} ms` }))
  })
  const theirs = yield* Line.expect(first, "Hello")
  const offsetMs = theirs.wallMs - ground.clock.wall()
  const wrong = Rounds.mismatch(ground, theirs)
  if (wrong !== undefined) {
    return yield* refuse(
      ground,
      line,
      wrong,
      wrong === "network"
        ? `it belongs to the network ${JSON.stringify(theirs.network)}, not to ${JSON.stringify(ground.network)}`
        : wrong === "key"
        ? "it has another network key"
        : `it speaks version ${theirs.version} of sync`
    )
  }
  ground.clocks.observe(line.channel.peer, offsetMs)
  if (Rounds.clocksApart(offsetMs)) {
    return yield* refuse(ground, line, "clock", `its clock is ${offsetMs} ms from this node's`)
  }
  if (busy()) return yield* refuse(ground, line, "busy", "a round with it is under way")
  const ours = ground.trees.horizonMs()
  if (ours === undefined) return yield* refuse(ground, line, "building", "the trees of this node are being built")
  const snapshot = ground.trees.at(Math.min(ours, theirs.horizonMs))
  if (snapshot === undefined) {
    return yield* refuse(ground, line, "horizon", `no tree at its horizon ${theirs.horizonMs}, the newest is ${ours}`)
  }
  yield* hashed(snapshot)
  yield* line.send(Rounds.hello(ground, snapshot))
  return { snapshot, theirs }
})

const picksOf = (frame: Extract<Frames.Frame, { readonly _tag: "Pull" }>): ReadonlyArray<Pick> =>
  frame.picks.flatMap(([bucket, digests]) =>
    Array.from({ length: digests.length / frame.bytes }, (_, i) => ({
      bucket,
      digest: digests.subarray(i * frame.bytes, (i + 1) * frame.bytes)
    }))
  )

const list = Effect.fnUntraced(function*(
  ground: Rounds.Ground,
  snapshot: Snapshot,
  asked: Asked,
  frame: Extract<Frames.Frame, { readonly _tag: "List" }>
) {
  const buckets = Frames.listed(frame)
  asked.buckets += buckets.length
  if (buckets.length === 0 || buckets.length > Rounds.bucketsMax || asked.buckets > bucketsMax) {
    return yield* Line.malformed(`${buckets.length} buckets are asked for, ${asked.buckets} in all`)
  }
  const { after, bytes, domain } = frame
  const { last, lists } = yield* digestPage(ground, { domain, span: snapshot.span, buckets, after })
  return {
    _tag: "Digests" as const,
    lists: lists.map((digests) => {
      const joined = new Uint8Array(digests.length * bytes)
      digests.forEach((digest, i) => joined.set(digest.subarray(0, bytes), i * bytes))
      return joined
    }),
    ...(last === undefined ? {} : { last })
  }
})

const hashes = Effect.fnUntraced(function*(
  snapshot: Snapshot,
  asked: Asked,
  { bytes, domain, level, nodes }: Extract<Frames.Frame, { readonly _tag: "Ask" }>
) {
  asked.nodes += nodes.length
  if (nodes.length > Descent.nodesMax(bytes) || asked.nodes > nodesMax) {
    return yield* Line.malformed(`${nodes.length} nodes are asked for, ${asked.nodes} in all`)
  }
  const tree = snapshot.tree(domain)
  const one = bytes * branchCount
  const joined = new Uint8Array(nodes.length * one)
  for (let at = 0; at < nodes.length; at += nodesAtOnce) {
    if (at > 0) yield* Effect.yieldNow
    const refs = nodes.slice(at, at + nodesAtOnce).map((index) => ({ level, index }))
    const answered = Descent.answer(tree, refs, bytes)
    if (Result.isFailure(answered)) return yield* Line.malformed(answered.failure.message)
    answered.success.forEach((each, i) => joined.set(each, (at + i) * one))
  }
  return { _tag: "Hashes" as const, hashes: joined }
})

/** Answers one question. */
const respond = (
  ground: Rounds.Ground,
  line: Line.Line,
  snapshot: Snapshot,
  frame: Frames.Frame,
  counts: { pulled: number; pushed: number },
  asked: Asked
): Effect.Effect<Frames.Frame, Line.RoundError> => {
  const stored = <A>(effect: Effect.Effect<A, Parameters<typeof Rounds.storeFailed>[0]>) =>
    Effect.mapError(effect, Rounds.storeFailed)
  asked.touched ||= frame._tag !== "Audit"
  switch (frame._tag) {
    case "Ask":
      return hashes(snapshot, asked, frame)
    case "List":
      return list(ground, snapshot, asked, frame)
    case "Pull": {
      const picks = picksOf(frame)
      if (picks.length > Rounds.picksMax) {
        return Effect.fail(Line.malformed(`more than ${Rounds.picksMax} digests in one Pull`))
      }
      return Effect.map(stored(ground.store.pick(frame.domain, snapshot.span, picks)), ({ done, records }) => {
        counts.pushed += records.length
        return { _tag: "Records", records, done }
      })
    }
    case "Push":
      return Effect.gen(function*() {
        const records = yield* Rounds.decodeAll(ground.hashes, frame.records)
        const took = yield* Rounds.take(ground, line, Rounds.inOrder(records))
        counts.pulled += took.accepted
        return { _tag: "Taken", count: took.accepted + took.known }
      })
    case "Stream": {
      const { _tag, ...query } = frame
      return Effect.map(
        stored(ground.store.stream({ ...query, span: snapshot.span, bytesMax: Rounds.pageBytes })),
        ({ next, records }) => {
          counts.pushed += records.length
          return { _tag: "Page", records, ...(next === undefined ? {} : { next }) }
        }
      )
    }
    case "Audit":
      if (++asked.audits > auditsMax) return Effect.fail(Line.malformed("more audits than there are domains"))
      return Effect.map(
        bucketDigests(ground, frame.domain, snapshot.span, frame.buckets),
        (lists) => {
          const hashes = new Uint8Array(lists.length * 32)
          lists.forEach((digests, i) => hashes.set(auditHash(ground.hashes, frame.nonce, digests), i * 32))
          return { _tag: "Audited", hashes }
        }
      )
    default:
      return Effect.fail(Line.malformed(`a ${frame._tag} is no question`))
  }
}

/** Answers a whole round, until the peer ends it. */
export const run = (
  ground: Rounds.Ground,
  line: Line.Line,
  busy: () => boolean
): Effect.Effect<Answered, Line.RoundError> =>
  Effect.gen(function*() {
    const { snapshot, theirs } = yield* greet(ground, line, busy)
    const counts = { pulled: 0, pushed: 0 }
    const asked: Asked = { nodes: 0, buckets: 0, audits: 0, touched: false }
    let frame = yield* line.receive
    while (frame._tag !== "End") {
      const answer = yield* Effect.tapError(
        respond(ground, line, snapshot, frame, counts, asked),
        // what fails here is no fault of the peer's: it should try again
        (error) => error.reason === "store" ? line.send(refuseFrame(ground, "busy")) : Effect.void
      )
      yield* line.send(answer)
      frame = yield* line.receive
    }
    // roots of another horizon than the agreed one say nothing
    const roots = frame.roots ?? (snapshot.horizonMs === theirs.horizonMs ? theirs.roots : undefined)
    const equal = roots !== undefined && !asked.touched && Rounds.differing(snapshot, roots).length === 0
    return { horizonMs: snapshot.horizonMs, equal, ...counts }
  }).pipe(
    Effect.timeoutOrElse({
      duration: Rounds.roundMsMax,
      orElse: () => Effect.fail(new Line.RoundError({ reason: "stalled", message: "the round took too long" }))
    })
  )
