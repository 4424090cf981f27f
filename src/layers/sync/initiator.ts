/**
 * The side of a round that leads (SPEC §6): hello, audits, then domain by domain: descend where hashes differ, list the
 * buckets that differ, pull what is missing here, push what is missing there. Where most is missing, stream it instead.
 *
 * After a round both sides hold what either held below the horizon. What one of them judges early, waiting or aged stays out
 * of its set by the protocol's rules, and is tried again in the next round.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../../domain/bytes.ts"
import { branchCount } from "../../domain/limits.ts"
import { auditHash, chooseBuckets } from "../../domain/merkle-audit.ts"
import * as Descent from "../../domain/merkle-descent.ts"
import { type Domain, domains } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import type { Snapshot } from "../../services/Trees.ts"
import { hashed } from "../node/tree-snapshots.ts"
import * as CatchUp from "./catch-up.ts"
import * as Comparison from "./comparison.ts"
import { bucketDigests } from "./digests.ts"
import * as Line from "./line.ts"
import * as Rounds from "./rounds.ts"

/** Buckets audited at random, a domain and round; the fullest come on top. */
const auditedBuckets = 4

export interface Options {
  /** Domains in which whole hashes are compared: the last round found nothing although roots differed. */
  readonly whole: ReadonlySet<Domain>
  /** Told when this side fetches most of what the peer has. */
  readonly catchUp: CatchUp.Progress
}

export interface Led {
  readonly horizonMs: number
  readonly pulled: number
  readonly pushed: number
  /** Roots were equal, and what was audited. */
  readonly equal: boolean
  /** Something was left to another round, which must follow. */
  readonly behind: boolean
  /** Domains whose roots differed, and all buckets that were looked at did not. */
  readonly nothingIn: ReadonlySet<Domain>
  /** Own leaves that did not agree with the own store, as `leafDifference` tells it; some of them. */
  readonly askew: ReadonlyArray<string>
}

/** Says hello and agrees on a horizon. */
const greet = Effect.fnUntraced(function*(ground: Rounds.Ground, line: Line.Line) {
  const newest = ground.trees.horizonMs()
  const offered = newest === undefined ? undefined : ground.trees.at(newest)
  if (offered === undefined) {
    return yield* new Line.RoundError({ reason: "unready", message: "the trees of this node are being built" })
  }
  yield* hashed(offered)
  const sentMs = ground.clock.wall()
  yield* line.send(Rounds.hello(ground, offered))
  const frame = yield* line.receive
  const heardMs = ground.clock.wall()
  const offsetOf = (wallMs: number) => Math.round(wallMs - (sentMs + heardMs) / 2)
  // a peer that refuses tells its time as well: a clock that is off must learn it from just these
  if (frame._tag === "Refuse" && frame.reason !== "network" && frame.reason !== "key") {
    ground.clocks.observe(line.channel.peer, offsetOf(frame.wallMs))
  }
  const theirs = yield* Line.expect(frame, "Hello")
  const wrong = Rounds.mismatch(ground, theirs)
  if (wrong !== undefined) return yield* Rounds.refused(wrong, `its ${wrong} is another`)
  const offsetMs = offsetOf(theirs.wallMs)
  ground.clocks.observe(line.channel.peer, offsetMs)
  if (Rounds.clocksApart(offsetMs)) {
    return yield* Rounds.refused("clock", `its clock is ${offsetMs} ms from this node's`)
  }
  if (theirs.horizonMs > offered.horizonMs) return yield* Line.malformed("it answered with a later horizon")
  const snapshot = theirs.horizonMs === offered.horizonMs ? offered : ground.trees.at(theirs.horizonMs)
  if (snapshot === undefined) return yield* Rounds.refused("horizon", `no tree at its horizon ${theirs.horizonMs}`)
  yield* hashed(snapshot)
  return { offered, snapshot, theirs }
})

/** Compares some buckets by what they hold, not by their sums (FAILURES 28). Gives those that differ. */
const audit = Effect.fnUntraced(function*(
  ground: Rounds.Ground,
  line: Line.Line,
  snapshot: Snapshot,
  domain: Domain
) {
  const buckets = chooseBuckets(snapshot.tree(domain), ground.entropy.bytes(2 * auditedBuckets))
  if (buckets.length === 0) return []
  const nonce = ground.entropy.bytes(Frames.nonceBytes)
  const { hashes } = yield* line.ask({ _tag: "Audit", domain, nonce, buckets }, "Audited")
  if (hashes.length !== buckets.length * 32) return yield* Line.malformed("an audit answered for other buckets")
  const ours = yield* bucketDigests(ground, domain, snapshot.span, buckets)
  return buckets.filter((_, i) =>
    !Bytes.equal(hashes.subarray(i * 32, i * 32 + 32), auditHash(ground.hashes, nonce, ours[i]!))
  )
})

type Outcome = "done" | "behind" | "nothing"

interface Leading {
  readonly ground: Rounds.Ground
  readonly line: Line.Line
  readonly snapshot: Snapshot
  readonly options: Options
  readonly counts: Comparison.Counts
  /** When nothing new is begun, by the steady clock, ms. */
  readonly endMs: number
  readonly isLate: () => boolean
}

/** At the level where it is decided: whether to go on comparing. */
const catchUp = Effect.fnUntraced(function*(
  { counts, endMs, ground, line, options, snapshot }: Leading,
  theirs: number,
  domain: Domain,
  nodes: ReadonlyArray<number>
) {
  const ours = snapshot.count(domain)
  const tree = snapshot.tree(domain)
  const oursThere = nodes.reduce((sum, index) => sum + tree.countUnder(CatchUp.level, index), 0)
  const planned = CatchUp.plan({ differing: nodes.length, ours, oursThere, theirs })
  const plan = planned === "fetch"
    ? options.catchUp.begin({ peer: line.channel.peer, domain, missing: theirs - ours })
    : planned
  if (plan === "fetch") {
    counts.pulled += yield* CatchUp.fetch(ground, line, domain, nodes, endMs, options.catchUp)
  }
  return plan
})

/** Makes one domain equal. */
const reconcile = Effect.fnUntraced(function*(leading: Leading, theirCount: number, domain: Domain) {
  const { counts, ground, isLate, line, options, snapshot } = leading
  const bytes = options.whole.has(domain) ? 32 : 8
  const tree = snapshot.tree(domain)
  let step = Descent.start(bytes)
  let planned = false
  while (step._tag === "Ask") {
    if (isLate()) return "behind" satisfies Outcome as Outcome
    const { ask, state } = step
    const { level } = state
    if (level === CatchUp.level && !planned) {
      planned = true
      const plan = yield* catchUp(leading, theirCount, domain, [...state.asked, ...state.pending])
      if (plan !== "compare") return "behind" satisfies Outcome as Outcome
    }
    const { hashes } = yield* line.ask(
      { _tag: "Ask", domain, bytes, level, nodes: ask.map(({ index }) => index) },
      "Hashes"
    )
    const one = bytes * branchCount
    if (hashes.length !== ask.length * one) return yield* Line.malformed("hashes for other nodes than were asked for")
    const answers = ask.map((_, i) => hashes.subarray(i * one, (i + 1) * one))
    const next = Descent.step(tree, state, answers)
    if (Result.isFailure(next)) return yield* Line.malformed(next.failure.message)
    step = next.success
    yield* Effect.yieldNow
  }
  let found = 0
  for (const ranges of atOnce(step.ranges)) {
    if (isLate()) return "behind" satisfies Outcome as Outcome
    found += yield* Comparison.exchange({ ground, line, snapshot, domain, bytes, counts }, ranges)
  }
  return (found === 0 ? "nothing" : "done") satisfies Outcome as Outcome
})

/** Slices of at most as many buckets as one List may name. */
const atOnce = (ranges: ReadonlyArray<Descent.BucketRange>): ReadonlyArray<ReadonlyArray<Descent.BucketRange>> => {
  const slices: Array<Array<Descent.BucketRange>> = []
  let room = 0
  for (const range of ranges) {
    const width = range.to - range.from
    if (width > room) {
      slices.push([])
      room = Rounds.bucketsMax
    }
    slices.at(-1)!.push(range)
    room -= width
  }
  return slices
}

/** Leads a whole round. */
export const run = Effect.fnUntraced(function*(ground: Rounds.Ground, line: Line.Line, options: Options) {
  const clock = yield* Clock.Clock
  const steadyMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const endMs = steadyMs() + Rounds.roundMsSoft
  const { offered, snapshot, theirs } = yield* greet(ground, line)
  const differing = Rounds.differing(snapshot, theirs.roots)
  const counts: Comparison.Counts = { pulled: 0, pushed: 0, empty: 0, askew: [] }
  const leading = { ground, line, snapshot, options, counts, endMs, isLate: () => steadyMs() >= endMs }
  const nothingIn = new Set<Domain>()
  let audited = true
  let behind = false
  for (const [i, domain] of domains.entries()) {
    if (differing.includes(domain)) {
      const outcome = yield* reconcile(leading, theirs.counts[i]!, domain)
      behind ||= outcome === "behind"
      if (outcome === "nothing") nothingIn.add(domain)
      continue
    }
    if (snapshot.count(domain) === 0) continue
    const buckets = yield* audit(ground, line, snapshot, domain)
    if (buckets.length === 0) continue
    audited = false
    const ranges = buckets.map((bucket) => ({ from: bucket, to: bucket + 1 }))
    yield* Comparison.exchange({ ground, line, snapshot, domain, bytes: 32, counts }, ranges)
  }
  yield* line.send({ _tag: "End", ...(snapshot === offered ? {} : { roots: Rounds.rootsOf(snapshot) }) })
  const { askew, pulled, pushed } = counts
  const equal = differing.length === 0 && audited
  return { horizonMs: snapshot.horizonMs, pulled, pushed, equal, behind, nothingIn, askew } satisfies Led as Led
})
