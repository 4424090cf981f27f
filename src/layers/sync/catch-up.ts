/**
 * Fetching most of what a peer holds (SPEC §6): records are streamed in pages, by domain, only from the parts of the tree
 * that differ. After a cut the parts that came are equal, and the next round streams the others. Ops come in the order of
 * their stamps, all over the tree, so for them the place that was reached is kept (FAILURES 3).
 *
 * Rule: that place decides only where a stream begins. What it leaves out is found by comparison, like anything else.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { NodeId } from "../../domain/ids.ts"
import { leavesCount } from "../../domain/limits.ts"
import { comparePlaces } from "../../domain/membership-fold.ts"
import { bucketOf, widthOf } from "../../domain/merkle.ts"
import type { Domain, Kind, Record } from "../../domain/record.ts"
import * as Line from "./line.ts"
import * as Rounds from "./rounds.ts"

/** Where it is decided: 256 nodes, of which some must differ. */
export const level = 2
const differingMin = 16
/** Below this a comparison is cheaper than a stream. */
const missingMin = 256

/** Who is told how a catch-up goes. */
export interface Progress {
  /**
   * What to do: fetch; leave it, because this node fetches from another peer already; or compare, because the last fetch from
   * this peer brought nothing.
   */
  readonly begin: (what: {
    readonly peer: NodeId
    readonly domain: Domain
    readonly missing: number
  }) => "fetch" | "leave" | "compare"
  /** Records that came, and how many of them were new. */
  readonly fetched: (records: number, accepted: number) => void
  /** Where the last stream of ops from this peer was cut; it begins there. */
  readonly opsFrom: () => Uint8Array | undefined
  /** How far the stream of ops is, all before being judged; `undefined` when it is at its end. */
  readonly opsReached: (cursor: Uint8Array | undefined) => void
}

/**
 * What to do about differing nodes: compare further; stream, when at least half of what the peer holds under them is missing
 * here; or leave it to the peer, of which the same is true. Nodes that are equal have equal counts, so the difference of
 * all counts is that of the differing nodes, and both sides come to the same plan.
 *
 * `differing`: how many nodes; `ours`, `theirs`: records in the domain; `oursThere`: own records under the differing nodes.
 */
export const plan = (
  { differing, ours, oursThere, theirs }: {
    readonly differing: number
    readonly ours: number
    readonly oursThere: number
    readonly theirs: number
  }
): "compare" | "fetch" | "leave" => {
  const missing = Math.abs(theirs - ours)
  if (differing < differingMin || missing < missingMin) return "compare"
  if (theirs > ours) return missing >= oursThere ? "fetch" : "compare"
  return missing >= oursThere - missing ? "leave" : "compare"
}

interface Range {
  readonly from: number
  readonly to: number
}

/** The buckets under nodes, neighbours joined. */
export const rangesOf = (nodes: ReadonlyArray<number>): ReadonlyArray<Range> => {
  const width = leavesCount / widthOf(level)
  const ranges: Array<Range> = []
  for (const index of nodes) {
    const last = ranges.at(-1)
    if (last !== undefined && last.to === index * width) ranges[ranges.length - 1] = { ...last, to: last.to + width }
    else ranges.push({ from: index * width, to: (index + 1) * width })
  }
  return ranges
}

/** The order of a stream: ops by place, the others by id. */
const isAfter = (a: Record, b: Record): boolean =>
  a.kind === "op" && b.kind === "op" ? comparePlaces(a, b) > 0 : a.id > b.id

/** Pages ascend, so that a stream ends: who repeats itself, or leaves the range, is not sending what differs. */
const ascends = (records: ReadonlyArray<Record>, range: Range, last: Record | undefined): boolean =>
  records.every((record, i) => {
    const before = i === 0 ? last : records[i - 1]
    const bucket = bucketOf(record.id)
    return bucket >= range.from && bucket < range.to && (before === undefined || isAfter(record, before))
  })

/** Streams the buckets under nodes of the level, until `endMs` by the steady clock. Gives how many records were new. */
export const fetch = Effect.fnUntraced(function*(
  ground: Rounds.Ground,
  line: Line.Line,
  domain: Domain,
  nodes: ReadonlyArray<number>,
  endMs: number,
  progress: Progress
) {
  const clock = yield* Clock.Clock
  const isLate = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n) >= endMs
  let accepted = 0

  const take = (records: ReadonlyArray<Record>) =>
    Effect.map(Rounds.take(ground, line, records), (took) => {
      accepted += took.accepted
      progress.fetched(records.length, took.accepted)
    })

  const nextPage = Effect.fnUntraced(function*(
    kind: Kind,
    range: Range,
    cursor: Uint8Array | undefined,
    last: Record | undefined
  ) {
    const ask = { _tag: "Stream" as const, kind, ...range, ...(cursor === undefined ? {} : { cursor }) }
    const page = yield* line.ask(ask, "Page")
    if (page.records.length === 0 && page.next !== undefined) {
      return yield* Line.lied("a page without records goes on")
    }
    const records = yield* Rounds.decodeAll(ground.hashes, page.records.map((bytes) => ({ kind, bytes })), domain)
    if (!ascends(records, range, last)) return yield* Line.lied("a page out of order")
    return { records, next: page.next }
  })

  /** While one page is judged, the next is on its way. A page that came is judged, whatever becomes of the next. */
  const streamRange = Effect.fnUntraced(function*(kind: Kind, range: Range) {
    const reached = (cursor: Uint8Array | undefined) => {
      if (kind === "op") progress.opsReached(cursor)
    }
    let page = yield* nextPage(kind, range, kind === "op" ? progress.opsFrom() : undefined, undefined)
    while (page.next !== undefined && !isLate()) {
      const { next, records } = page
      const [following] = yield* Effect.all(
        [Effect.exit(nextPage(kind, range, next, records.at(-1))), take(records)],
        { concurrency: 2 }
      )
      reached(next)
      if (Exit.isFailure(following)) return yield* Effect.failCause(following.cause)
      page = following.value
    }
    yield* take(page.records)
    reached(page.next)
  })

  for (const kind of Rounds.kindsOf[domain]) {
    // ops in the order of their stamps, wherever their ids lie: what they need comes before them
    const ranges = kind === "op" ? [{ from: 0, to: leavesCount }] : rangesOf(nodes)
    for (const range of ranges) {
      if (isLate()) break
      yield* streamRange(kind, range)
    }
  }
  return accepted
})
