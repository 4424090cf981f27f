/** What both sides of a round of sync share: the hello, and how records cross the line. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import { Hashing } from "../../domain/hashing.ts"
import { driftMsMax } from "../../domain/limits.ts"
import { comparePlaces } from "../../domain/membership-fold.ts"
import { type Domain, domainOf, domains, type Kind, type Op, type Record } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import * as Wire from "../../domain/wire.ts"
import { Entropy } from "../../services/Entropy.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Intake, type Judgement } from "../../services/Intake.ts"
import { NetworkId } from "../../services/NetworkId.ts"
import { PeerClocks } from "../../services/PeerClocks.ts"
import { Store, type StoreError } from "../../services/Store.ts"
import { type Snapshot, Trees } from "../../services/Trees.ts"
import * as Line from "./line.ts"

/** Records judged at a time. Their signatures are one call; between two of these the event loop is free. */
const judgedAtOnce = 128
/** Slices under judgement at once, where their order is of no matter: threads check signatures meanwhile. */
const slicesAtOnce = 3
/** Records decoded between two turns of the event loop: about a millisecond. */
const decodedAtOnce = 128

/**
 * Judging what one frame brought, and waiting for room in the writer's queue, takes at most this long: less than a peer
 * waits, for a full disk here is no fault of the peer's, and must not look like one of ours to it.
 */
const takeMsMax = 20_000
/**
 * A round begins nothing new after this long, and leaves the rest to the next one: a catch-up that goes well must not run
 * into the bounds that are there for those that do not.
 */
export const roundMsSoft = 10 * 60_000
/** Whoever is still at it then is stopped. */
export const roundMsMax = 15 * 60_000

/** Bytes of records that are sent in one frame, roughly: half the bound of a page, for no page may hold up a node. */
export const pageBytes = 512 * 1024
/** Digests in one answer to a List, at most. */
export const digestsMax = 30_000
/** Digests that one Pull may name. */
export const picksMax = 4_096
/** Buckets that one List may name. */
export const bucketsMax = 4_096

export const kindsOf: { readonly [D in Domain]: ReadonlyArray<Kind> } = {
  identity: ["identity"],
  members: ["op", "read"],
  messages: ["message"]
}

export const storeFailed = (error: StoreError): Line.RoundError =>
  new Line.RoundError({ reason: "store", message: error.message })

/** A round on one side: what it needs of the node. */
export interface Ground {
  readonly hashes: Hashes
  readonly leafHash: (bytes: Uint8Array) => Uint8Array
  readonly keyCheck: Uint8Array
  readonly network: string
  readonly store: Store["Service"]
  readonly trees: Trees["Service"]
  readonly intake: Intake["Service"]
  readonly clock: HybridClock["Service"]
  readonly clocks: PeerClocks["Service"]
  readonly entropy: Entropy["Service"]
}

export const ground: Effect.Effect<
  Ground,
  never,
  Hashing | NetworkId | Store | Trees | Intake | HybridClock | PeerClocks | Entropy
> = Effect.gen(function*() {
  const hashes = yield* Hashing
  const network = yield* NetworkId
  const leafHash = network.key === undefined ? hashes.blake3 : hashes.blake3Keyed(network.key)
  return {
    hashes,
    leafHash,
    keyCheck: network.key === undefined ? new Uint8Array() : Frames.keyCheck(leafHash),
    network: network.name,
    store: yield* Store,
    trees: yield* Trees,
    intake: yield* Intake,
    clock: yield* HybridClock,
    clocks: yield* PeerClocks,
    entropy: yield* Entropy
  }
})

const byDomain = <A>(f: (domain: Domain) => A): Frames.ByDomain<A> => [f(domains[0]!), f(domains[1]!), f(domains[2]!)]

/** What frames say of the own wall clock: whole ms. */
export const wallMs = (ground: Ground): number => Math.floor(ground.clock.wall())

export const rootsOf = (snapshot: Snapshot): Frames.ByDomain<Uint8Array> => byDomain((domain) => snapshot.root(domain))

export const hello = (ground: Ground, snapshot: Snapshot): Frames.Hello => ({
  _tag: "Hello",
  version: Frames.syncVersion,
  network: ground.network,
  keyCheck: ground.keyCheck,
  wallMs: wallMs(ground),
  horizonMs: snapshot.horizonMs,
  counts: byDomain((domain) => snapshot.count(domain)),
  roots: rootsOf(snapshot)
})

/** Why no round is held with the sender of this hello, clocks apart. */
export const mismatch = (ground: Ground, theirs: Frames.Hello): Frames.RefusalReason | undefined =>
  theirs.version !== Frames.syncVersion
    ? "version"
    : theirs.network !== ground.network
    ? "network"
    : !Bytes.equal(theirs.keyCheck, ground.keyCheck)
    ? "key"
    : undefined

export const clocksApart = (offsetMs: number): boolean => Math.abs(offsetMs) > driftMsMax

export const refused = (refusal: Frames.RefusalReason, message: string): Line.RoundError =>
  new Line.RoundError({ reason: "refused", refusal, message })

/** Domains whose roots differ, in the order in which a round takes them. */
export const differing = (snapshot: Snapshot, roots: Frames.ByDomain<Uint8Array>): ReadonlyArray<Domain> =>
  domains.filter((domain, i) => !Bytes.equal(snapshot.root(domain), roots[i]!))

/** Reads records. One that is no record, or of another domain, is a lie: a replica holds none. */
export const decodeAll = Effect.fnUntraced(function*(
  hashes: Hashes,
  wired: ReadonlyArray<Frames.WiredRecord>,
  domain?: Domain
) {
  const records: Array<Record> = []
  for (const [i, { bytes, kind }] of wired.entries()) {
    if (i > 0 && i % decodedAtOnce === 0) yield* Effect.yieldNow
    const decoded = Wire.decode(hashes, kind, bytes)
    if (Result.isFailure(decoded)) {
      return yield* Line.lied(`a ${kind} that is none: ${decoded.failure.field} ${decoded.failure.message}`)
    }
    if (domain !== undefined && domainOf(decoded.success) !== domain) {
      return yield* Line.lied(`a ${kind} came where the ${domain} were asked for`)
    }
    records.push(decoded.success)
  }
  return records
})

/** Ops first, in their order (SPEC §6), then the marks, which may need them. */
export const inOrder = (records: ReadonlyArray<Record>): ReadonlyArray<Record> => {
  const ops = records.filter((record): record is Op => record.kind === "op")
  return ops.length === 0
    ? records
    : [...ops.sort(comparePlaces), ...records.filter((record) => record.kind !== "op")]
}

/** Judges records that a peer sent, a slice at a time: those before an invalid one, which is a lie, are kept. */
export const take = Effect.fnUntraced(function*(ground: Ground, peer: Line.Line, records: ReadonlyArray<Record>) {
  const from = { peer: peer.channel.peer, room: "wait" as const }
  const took = { accepted: 0, known: 0, apart: 0 }
  const count = (judgement: Judgement): Line.RoundError | undefined => {
    switch (judgement._tag) {
      case "accepted":
        took.accepted++
        return undefined
      case "known":
        took.known++
        return undefined
      case "invalid":
        return Line.lied(`a record that is invalid for ever: ${judgement.why}`)
      default:
        took.apart++
        return undefined
    }
  }
  const slices = Array.from(
    { length: Math.ceil(records.length / judgedAtOnce) },
    (_, i) => records.slice(i * judgedAtOnce, (i + 1) * judgedAtOnce)
  )
  const judge = Effect.fnUntraced(function*(slice: ReadonlyArray<Record>) {
    for (const judgement of yield* Effect.mapError(ground.intake.take(slice, from), storeFailed)) {
      const lie = count(judgement)
      if (lie !== undefined) return yield* lie
    }
  })
  // ops may need those before them; of others some slices are decided while the signatures of the next are checked
  const concurrency = records.some(({ kind }) => kind === "op") ? 1 : slicesAtOnce
  return yield* Effect.timeoutOrElse(Effect.as(Effect.forEach(slices, judge, { concurrency, discard: true }), took), {
    duration: takeMsMax,
    orElse: () => Effect.fail(new Line.RoundError({ reason: "store", message: "this node cannot write fast enough" }))
  })
})
