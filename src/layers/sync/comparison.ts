/**
 * Comparing buckets by what they hold, and moving the records in which they differ (SPEC §6): the last step of a round for
 * the side that leads.
 *
 * Rule: both sides' lists are pages of bounded length, whatever either holds or claims. A bucket that does not fit a page
 * is compared window by window, so that none is too full to be mended (FAILURES 14).
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../../domain/bytes.ts"
import { branchCount } from "../../domain/limits.ts"
import type { BucketRange } from "../../domain/merkle-descent.ts"
import { bucketOf, type PrefixBytes } from "../../domain/merkle.ts"
import type { Domain, Record } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import * as Wire from "../../domain/wire.ts"
import type { Pick } from "../../services/Store.ts"
import type { Snapshot } from "../../services/Trees.ts"
import { digestPage, leafDifference } from "./digests.ts"
import * as Line from "./line.ts"
import * as Rounds from "./rounds.ts"

/** Records pulled before they are judged, roughly: ops are put in order within that. */
const pulledBytesMax = 2 * 1024 * 1024
/** An answer to a Pull that leaves some for later has at least this many bytes of records: it must be worth a question. */
const pageBytesMin = 64 * 1024
/** Digests that a peer listed and then has no record of: a few may have been replaced meanwhile. */
const emptyMax = 1_000
/** Own leaves that do not agree with the store, as noted in one round. */
const askewMax = 16

/** A comparison of one domain, and what came of it so far. */
export interface Comparing {
  readonly ground: Rounds.Ground
  readonly line: Line.Line
  readonly snapshot: Snapshot
  readonly domain: Domain
  readonly bytes: PrefixBytes
  readonly counts: Counts
}

/** What came of a round so far. */
export interface Counts {
  pulled: number
  pushed: number
  /** Digests asked for that brought no record. */
  empty: number
  /** `leafDifference` of own leaves. */
  readonly askew: Array<string>
}

/** A List for these buckets, ascending: sixteen neighbours are one node. */
const listOf = (buckets: ReadonlyArray<number>) => {
  const nodes: Array<number> = []
  const singles: Array<number> = []
  for (let at = 0; at < buckets.length;) {
    const bucket = buckets[at]!
    if (bucket % branchCount === 0 && buckets[at + branchCount - 1] === bucket + branchCount - 1) {
      nodes.push(bucket / branchCount)
      at += branchCount
    } else {
      singles.push(bucket)
      at++
    }
  }
  return { nodes, buckets: singles }
}

interface Listed {
  /** For each bucket looked at the first bytes of its digests, as hex. */
  readonly lists: ReadonlyArray<ReadonlyArray<string>>
  /** Where the last list was cut, 32 bytes. */
  readonly last: Uint8Array | undefined
}

/** What the peer says that buckets hold; `asked` are those of `ask` in the order of the answer. */
const theirPage = Effect.fnUntraced(function*(
  { bytes, domain, line }: Comparing,
  asked: number,
  ask: { readonly nodes: ReadonlyArray<number>; readonly buckets: ReadonlyArray<number>; readonly after?: Uint8Array }
) {
  const { last, lists } = yield* line.ask({ _tag: "List", domain, bytes, ...ask }, "Digests")
  if (last === undefined ? lists.length !== asked : lists.length === 0 || lists.length > asked) {
    return yield* Line.malformed(`${asked} buckets were asked for, ${lists.length} answered`)
  }
  if (last !== undefined && (last.length !== 32 || lists.at(-1)!.length === 0)) {
    return yield* Line.malformed("a list was cut before its first digest")
  }
  // else each page could name an end and nothing before it, and so there would be no end
  if (last !== undefined && !Bytes.equal(lists.at(-1)!.subarray(-bytes), last.subarray(0, bytes))) {
    return yield* Line.malformed("a list was cut elsewhere than it says")
  }
  if (last !== undefined && ask.after !== undefined && Bytes.compare(last, ask.after) <= 0) {
    return yield* Line.malformed("a list goes on without an end")
  }
  if (lists.reduce((sum, list) => sum + list.length, 0) > Rounds.digestsMax * bytes) {
    return yield* Line.malformed(`more than ${Rounds.digestsMax} digests in one list`)
  }
  const read: Array<ReadonlyArray<string>> = []
  for (const list of lists) {
    if (list.length % bytes !== 0) return yield* Line.malformed(`digests of ${bytes} bytes were asked for`)
    const hex = Bytes.toHex(list)
    read.push(Array.from({ length: list.length / bytes }, (_, i) => hex.slice(i * bytes * 2, (i + 1) * bytes * 2)))
  }
  return { lists: read, last } satisfies Listed as Listed
})

/** Fetches records by their digests, and takes them in. */
const pull = Effect.fnUntraced(function*(comparing: Comparing, wanted: ReadonlyArray<Pick>) {
  const { bytes, counts, domain, ground, line } = comparing
  let held: Array<Record> = []
  let heldBytes = 0
  const came = new Set<string>()
  const flush = Effect.suspend(() => {
    const records = Rounds.inOrder(held)
    held = []
    heldBytes = 0
    return Effect.map(Rounds.take(ground, line, records), ({ accepted }) => {
      counts.pulled += accepted
    })
  })
  for (let at = 0; at < wanted.length;) {
    const asked = wanted.slice(at, at + Rounds.picksMax)
    const picks = [...Map.groupBy(asked, ({ bucket }) => bucket)]
      .map(([bucket, each]) => [bucket, Bytes.concat(each.map(({ digest }) => digest))] as const)
    const { done, records } = yield* line.ask({ _tag: "Pull", domain, bytes, picks }, "Records")
    if (done < 1 || done > asked.length) return yield* Line.malformed(`${done} of ${asked.length} digests answered`)
    const cameBytes = records.reduce((sum, wired) => sum + wired.bytes.length, 0)
    if (done < asked.length && cameBytes < pageBytesMin) {
      return yield* Line.malformed(`only ${done} of ${asked.length} digests were looked at`)
    }
    const due = new Set(asked.slice(0, done).map(({ bucket, digest }) => `${bucket} ${Bytes.toHex(digest)}`))
    for (const [i, record] of (yield* Rounds.decodeAll(ground.hashes, records, domain)).entries()) {
      const digest = Bytes.toHex(Wire.leafDigestOf(ground.leafHash, records[i]!.bytes))
      if (!due.has(`${bucketOf(record.id)} ${digest.slice(0, bytes * 2)}`) || came.has(digest)) {
        return yield* Line.lied("a record that was not asked for")
      }
      came.add(digest)
      held.push(record)
    }
    heldBytes += cameBytes
    counts.empty += Math.max(0, done - records.length)
    if (counts.empty > Math.max(emptyMax, line.tally.records)) {
      return yield* Line.lied("it lists more than it has")
    }
    if (heldBytes >= pulledBytesMax) yield* flush
    at += done
  }
  yield* flush
})

/** Sends records that the peer lacks. */
const push = Effect.fnUntraced(function*(comparing: Comparing, lacking: ReadonlyArray<Pick>) {
  const { counts, domain, ground, line, snapshot } = comparing
  for (let at = 0; at < lacking.length;) {
    const { done, records } = yield* Effect.mapError(
      ground.store.pick(domain, snapshot.span, lacking.slice(at, at + Rounds.picksMax)),
      Rounds.storeFailed
    )
    if (done < 1) return yield* new Line.RoundError({ reason: "store", message: "the store looks for nothing" })
    at += done
    if (records.length === 0) continue
    yield* line.ask({ _tag: "Push", records }, "Taken")
    counts.pushed += records.length
  }
})

/** Digests of one bucket on both sides, told apart. */
const tellApart = (
  comparing: Comparing,
  bucket: number,
  theirs: ReadonlyArray<string>,
  ours: ReadonlyArray<Uint8Array>,
  wanted: Array<Pick>,
  lacking: Array<Pick>
): void => {
  const held = new Set(theirs)
  const here = new Set<string>()
  for (const digest of ours) {
    const prefix = Bytes.toHex(digest.subarray(0, comparing.bytes))
    here.add(prefix)
    if (!held.has(prefix)) lacking.push({ bucket, digest })
  }
  for (const prefix of held) if (!here.has(prefix)) wanted.push({ bucket, digest: Bytes.fromHex(prefix) })
}

/** Compares one bucket that is too full for a page, from its lowest digest up. Gives how many records differed. */
const compareFull = Effect.fnUntraced(function*(comparing: Comparing, bucket: number) {
  const { domain, ground, snapshot } = comparing
  let found = 0
  let after: Uint8Array | undefined
  while (true) {
    const from: { after?: Uint8Array } = after === undefined ? {} : { after }
    const theirs = yield* theirPage(comparing, 1, { nodes: [], buckets: [bucket], ...from })
    const ours = yield* digestPage(ground, { domain, span: snapshot.span, buckets: [bucket], ...from })
    // both sides are known up to the lower of the ends
    const end = theirs.last === undefined || (ours.last !== undefined && Bytes.compare(ours.last, theirs.last) < 0)
      ? ours.last
      : theirs.last
    const endHex = end === undefined ? undefined : Bytes.toHex(end.subarray(0, comparing.bytes))
    const wanted: Array<Pick> = []
    const lacking: Array<Pick> = []
    tellApart(
      comparing,
      bucket,
      theirs.lists[0]!.filter((prefix) => endHex === undefined || prefix <= endHex),
      ours.lists[0]!.filter((digest) => end === undefined || Bytes.compare(digest, end) <= 0),
      wanted,
      lacking
    )
    yield* pull(comparing, wanted)
    yield* push(comparing, lacking)
    found += wanted.length + lacking.length
    if (end === undefined) return found
    after = end
  }
})

/** Compares buckets, at most `Rounds.bucketsMax`; pulls and pushes. Gives how many records differed. */
export const exchange = Effect.fnUntraced(function*(comparing: Comparing, ranges: ReadonlyArray<BucketRange>) {
  const { counts, domain, ground, snapshot } = comparing
  let pending: ReadonlyArray<number> = ranges
    .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))
  let found = 0
  while (pending.length > 0) {
    const ask = listOf(pending)
    const asked = Frames.listed(ask)
    const theirs = yield* theirPage(comparing, asked.length, ask)
    const ours = yield* digestPage(ground, { domain, span: snapshot.span, buckets: asked })
    const whole = Math.min(
      theirs.lists.length - (theirs.last === undefined ? 0 : 1),
      ours.lists.length - (ours.last === undefined ? 0 : 1)
    )
    const wanted: Array<Pick> = []
    const lacking: Array<Pick> = []
    for (let i = 0; i < whole; i++) {
      const bucket = asked[i]!
      const difference = leafDifference(snapshot, domain, bucket, ours.lists[i]!)
      if (difference !== undefined && counts.askew.length < askewMax) counts.askew.push(difference)
      tellApart(comparing, bucket, theirs.lists[i]!, ours.lists[i]!, wanted, lacking)
    }
    yield* pull(comparing, wanted)
    yield* push(comparing, lacking)
    found += wanted.length + lacking.length
    if (whole < asked.length) found += yield* compareFull(comparing, asked[whole]!)
    pending = asked.slice(whole + 1)
    yield* Effect.yieldNow
  }
  return found
})
