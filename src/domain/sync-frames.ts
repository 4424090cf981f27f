/**
 * What two nodes say to each other in a round of sync (SPEC §6): CBOR arrays, the first item of which names the frame.
 * Only the form is checked here; what a frame asks for or claims is judged by who reads it.
 *
 * Rule: decoding any bytes costs time and memory in proportion to them and never throws. A frame is read once and not kept,
 * so its encoding need not be the canonical one; records in it are opaque here, and their own decoder is strict.
 */
import { encode as encodeCbor, rfc8949EncodeOptions } from "cborg"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Bytes from "./bytes.ts"
import { type Items, readList } from "./cbor-items.ts"
import { branchCount, identityBytesMax, leavesCount, levelsCount } from "./limits.ts"
import { type PrefixBytes, widthOf } from "./merkle.ts"
import { type Domain, domains, type Kind } from "./record.ts"

/** The peer sent something that is no frame, or none that is due now. */
export class MalformedFrame extends Schema.TaggedError<MalformedFrame>()("MalformedFrame", {
  message: Schema.String
}) {}

export const syncVersion = 1

/** Why a round is not held. */
export const refusals = ["busy", "building", "version", "network", "key", "clock", "horizon"] as const
export type RefusalReason = typeof refusals[number]

/** One value a domain, in the order of `record.domains`. */
export type ByDomain<A> = readonly [A, A, A]

export interface Hello {
  readonly _tag: "Hello"
  readonly version: number
  readonly network: string
  /** 8 bytes that only a holder of the network key can make; empty without a key. */
  readonly keyCheck: Uint8Array
  readonly wallMs: number
  readonly horizonMs: number
  readonly counts: ByDomain<number>
  /** 32 bytes each. */
  readonly roots: ByDomain<Uint8Array>
}

export type Frame =
  | Hello
  | { readonly _tag: "Refuse"; readonly reason: RefusalReason; readonly wallMs: number }
  /** Asks for the child hashes of inner nodes of one level. */
  | {
    readonly _tag: "Ask"
    readonly domain: Domain
    readonly bytes: PrefixBytes
    readonly level: number
    readonly nodes: ReadonlyArray<number>
  }
  /** 16 hashes a node, joined, for each node asked for. */
  | { readonly _tag: "Hashes"; readonly hashes: Uint8Array }
  /** Asks for the digests in buckets, by their first bytes; of the lowest bucket only those above `after`. */
  | {
    readonly _tag: "List"
    readonly domain: Domain
    readonly bytes: PrefixBytes
    /** Nodes of level 3: sixteen buckets each. */
    readonly nodes: ReadonlyArray<number>
    readonly buckets: ReadonlyArray<number>
    /** 32 bytes, or none. */
    readonly after?: Uint8Array | undefined
  }
  /**
   * For each bucket asked for, ascending: the first bytes of its digests, ascending, joined. With `last`, the whole digest
   * that the last list ends with, that list may be cut, and what follows is to be asked for anew.
   */
  | { readonly _tag: "Digests"; readonly lists: ReadonlyArray<Uint8Array>; readonly last?: Uint8Array | undefined }
  /** Asks for records by the first bytes of their digests: for each bucket those bytes joined. */
  | {
    readonly _tag: "Pull"
    readonly domain: Domain
    readonly bytes: PrefixBytes
    readonly picks: ReadonlyArray<readonly [bucket: number, digests: Uint8Array]>
  }
  /** Records in their wire form; `done`: how many of the digests pulled were looked at, in order. */
  | { readonly _tag: "Records"; readonly records: ReadonlyArray<WiredRecord>; readonly done: number }
  | { readonly _tag: "Push"; readonly records: ReadonlyArray<WiredRecord> }
  /** How many pushed records were taken, or were known. */
  | { readonly _tag: "Taken"; readonly count: number }
  | {
    readonly _tag: "Stream"
    readonly kind: Kind
    readonly from: number
    readonly to: number
    readonly cursor?: Uint8Array | undefined
  }
  | { readonly _tag: "Page"; readonly records: ReadonlyArray<Uint8Array>; readonly next?: Uint8Array | undefined }
  | {
    readonly _tag: "Audit"
    readonly domain: Domain
    /** 16 bytes. */
    readonly nonce: Uint8Array
    readonly buckets: ReadonlyArray<number>
  }
  /** 32 bytes a bucket, joined. */
  | { readonly _tag: "Audited"; readonly hashes: Uint8Array }
  /** The round is over. `roots`: of the agreed horizon, where the hello of this side had those of a later one. */
  | { readonly _tag: "End"; readonly roots?: ByDomain<Uint8Array> | undefined }

export type WiredRecord = { readonly kind: Kind; readonly bytes: Uint8Array }

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]
const tags = [
  "Hello",
  "Refuse",
  "Ask",
  "Hashes",
  "List",
  "Digests",
  "Pull",
  "Records",
  "Push",
  "Taken",
  "Stream",
  "Page",
  "Audit",
  "Audited",
  "End"
] as const satisfies ReadonlyArray<Frame["_tag"]>

export const nonceBytes = 16
const keyCheckBytes = 8
const auditBucketsMax = 64
/** A cursor is a place of a store: a stamp and an id, with room to spare. */
const cursorBytesMax = 64
const networkBytesMax = identityBytesMax

const recordsOf = (records: ReadonlyArray<WiredRecord>): ReadonlyArray<unknown> =>
  records.flatMap(({ bytes, kind }) => [kinds.indexOf(kind), bytes])

const optional = (value: Uint8Array | undefined): ReadonlyArray<Uint8Array> => value === undefined ? [] : [value]

const itemsOf = (frame: Frame): ReadonlyArray<unknown> => {
  switch (frame._tag) {
    case "Hello":
      return [
        frame.version,
        Bytes.fromText(frame.network),
        frame.keyCheck,
        frame.wallMs,
        frame.horizonMs,
        frame.counts,
        frame.roots
      ]
    case "Refuse":
      return [refusals.indexOf(frame.reason), frame.wallMs]
    case "Ask":
      return [domains.indexOf(frame.domain), frame.bytes, frame.level, frame.nodes]
    case "Hashes":
    case "Audited":
      return [frame.hashes]
    case "List":
      return [domains.indexOf(frame.domain), frame.bytes, frame.nodes, frame.buckets, ...optional(frame.after)]
    case "Digests":
      return [frame.lists, ...optional(frame.last)]
    case "Pull":
      return [domains.indexOf(frame.domain), frame.bytes, frame.picks.flat()]
    case "Records":
      return [recordsOf(frame.records), frame.done]
    case "Push":
      return [recordsOf(frame.records)]
    case "Taken":
      return [frame.count]
    case "Stream":
      return [kinds.indexOf(frame.kind), frame.from, frame.to, ...optional(frame.cursor)]
    case "Page":
      return [frame.records, ...optional(frame.next)]
    case "Audit":
      return [domains.indexOf(frame.domain), frame.nonce, frame.buckets]
    case "End":
      return frame.roots === undefined ? [] : [frame.roots]
  }
}

/** The bytes of a frame, without their length before them. */
export const encode = (frame: Frame): Uint8Array => {
  const bytes = encodeCbor([tags.indexOf(frame._tag), ...itemsOf(frame)], rfc8949EncodeOptions)
  // a copy: cborg may give a view of a working buffer
  return new Uint8Array(bytes)
}

/** Items in a frame, all levels together: what a full page needs, many times over. */
const tokensMax = 300_000
const bucketMax = leavesCount - 1

const domainFrom = (items: Items): Domain => domains[items.uint(domains.length - 1)]!
const kindFrom = (items: Items): Kind => kinds[items.uint(kinds.length - 1)]!
const prefixFrom = (items: Items): PrefixBytes => {
  const value = items.uint(32)
  return value === 8 || value === 32 ? value : items.wrong("expected 8 or 32")
}
const byDomain = <A>(items: Items, one: (items: Items) => A): ByDomain<A> => {
  const found = items.list().all(one)
  return found.length === domains.length
    ? found as unknown as ByDomain<A>
    : items.wrong(`expected ${domains.length} values`)
}
const rootsOf = (items: Items): ByDomain<Uint8Array> => byDomain(items, (each) => each.bytes(32))
const recordsFrom = (items: Items): ReadonlyArray<WiredRecord> =>
  items.list().all((each) => ({ kind: kindFrom(each), bytes: each.bytes() }))

const readFrame = (items: Items): Frame => {
  const _tag = tags[items.uint(tags.length - 1)]!
  switch (_tag) {
    case "Hello":
      return {
        _tag,
        version: items.uint(0xffff),
        network: items.text(networkBytesMax),
        keyCheck: items.short(keyCheckBytes),
        wallMs: items.uint(Number.MAX_SAFE_INTEGER),
        horizonMs: items.uint(Number.MAX_SAFE_INTEGER),
        counts: byDomain(items, (each) => each.uint(Number.MAX_SAFE_INTEGER)),
        roots: rootsOf(items)
      }
    case "Refuse":
      return { _tag, reason: refusals[items.uint(refusals.length - 1)]!, wallMs: items.uint(Number.MAX_SAFE_INTEGER) }
    case "Ask": {
      const [domain, bytes, level] = [domainFrom(items), prefixFrom(items), items.uint(levelsCount - 1)]
      return { _tag, domain, bytes, level, nodes: items.ascending(widthOf(level) - 1) }
    }
    case "Hashes":
      return { _tag, hashes: items.bytes() }
    case "List": {
      const frame = {
        _tag,
        domain: domainFrom(items),
        bytes: prefixFrom(items),
        nodes: items.ascending(widthOf(levelsCount - 1) - 1),
        buckets: items.ascending(bucketMax)
      }
      const after = items.optional(() => items.bytes(32))
      return after === undefined ? frame : { ...frame, after }
    }
    case "Digests": {
      const lists = items.list().all((each) => each.bytes())
      const last = items.optional(() => items.short(32))
      return last === undefined ? { _tag, lists } : { _tag, lists, last }
    }
    case "Pull": {
      const [domain, bytes] = [domainFrom(items), prefixFrom(items)]
      const picks = items.list().all((each) => {
        const bucket = each.uint(bucketMax)
        const digests = each.bytes()
        if (digests.length === 0 || digests.length % bytes !== 0) each.wrong(`expected digests of ${bytes} bytes`)
        return [bucket, digests] as const
      })
      return { _tag, domain, bytes, picks }
    }
    case "Records":
      return { _tag, records: recordsFrom(items), done: items.uint(Number.MAX_SAFE_INTEGER) }
    case "Push":
      return { _tag, records: recordsFrom(items) }
    case "Taken":
      return { _tag, count: items.uint(Number.MAX_SAFE_INTEGER) }
    case "Stream": {
      const frame = { _tag, kind: kindFrom(items), from: items.uint(leavesCount), to: items.uint(leavesCount) }
      const cursor = items.optional(() => items.short(cursorBytesMax))
      return cursor === undefined ? frame : { ...frame, cursor }
    }
    case "Page": {
      const records = items.list().all((each) => each.bytes())
      const next = items.optional(() => items.short(cursorBytesMax))
      return next === undefined ? { _tag, records } : { _tag, records, next }
    }
    case "Audit": {
      const frame = {
        _tag,
        domain: domainFrom(items),
        nonce: items.bytes(nonceBytes),
        buckets: items.ascending(bucketMax)
      }
      return frame.buckets.length <= auditBucketsMax
        ? frame
        : items.wrong(`more than ${auditBucketsMax} buckets to audit`)
    }
    case "Audited":
      return { _tag, hashes: items.bytes() }
    case "End": {
      const roots = items.optional(() => rootsOf(items))
      return roots === undefined ? { _tag } : { _tag, roots }
    }
  }
}

/** Reads a frame. */
export const decode = (bytes: Uint8Array): Result.Result<Frame, MalformedFrame> =>
  Result.mapError(readList(bytes, tokensMax, readFrame), (message) => new MalformedFrame({ message }))

/** The buckets that a List asks for, ascending: the order of its answer. Those of nodes need not be named again. */
export const listed = (
  frame: { readonly nodes: ReadonlyArray<number>; readonly buckets: ReadonlyArray<number> }
): ReadonlyArray<number> => {
  const buckets = new Set(frame.buckets)
  for (const node of frame.nodes) for (let i = 0; i < branchCount; i++) buckets.add(node * branchCount + i)
  return [...buckets].sort((a, b) => a - b)
}

const keyCheckTag = Bytes.fromText("p2p-mes/network-key/v1")

/** What shows that both sides hold one key, without telling it. `keyed` is BLAKE3 keyed with the network key. */
export const keyCheck = (keyed: (bytes: Uint8Array) => Uint8Array): Uint8Array =>
  keyed(keyCheckTag).subarray(0, keyCheckBytes)
