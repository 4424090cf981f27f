/**
 * The store in memory, as trees and peers see it: each answer is a look at all records of the buckets in question.
 */
import * as Bytes from "../../domain/bytes.ts"
import type * as Hlc from "../../domain/hlc.ts"
import type { Span } from "../../domain/horizon.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import { bucketOf } from "../../domain/merkle.ts"
import type { Domain, Record } from "../../domain/record.ts"
import { slotOf, wins } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import type {
  DigestPage,
  DigestQuery,
  InLine,
  Leaf as LeafSum,
  LeafChange,
  LeafQuery,
  Pick,
  StreamPage,
  StreamQuery,
  Wired
} from "../../services/Store.ts"
import { LeafSums } from "./leaf-sums.ts"
import * as Leaf from "./leaf.ts"
import type { Held, Memory } from "./memory-records.ts"

export const leaves = (memory: Memory, query: LeafQuery): InLine<ReadonlyArray<LeafSum>> => {
  const sums = new LeafSums(query.from, query.to)
  memory.shelves.visit(query.domain, query.from, query.to, ({ digest, record }, bucket) => {
    if (Leaf.isIn(query.span, record) && (!query.ageingOnly || Leaf.ages(record.kind))) sums.add(bucket, digest)
  })
  return { commit: memory.number, value: sums.leaves() }
}

export const recent = (memory: Memory, floor: Hlc.Hlc): InLine<ReadonlyArray<LeafChange>> => ({
  commit: memory.number,
  value: [...memory.slots.values()].filter(({ record }) => record.hlc > floor)
    .map(({ digest, record }) => Leaf.inserted(record, digest))
})

export const recentBuckets = (memory: Memory, floor: Hlc.Hlc): ReadonlyArray<number> => [
  ...new Set(
    [...memory.slots.values()].filter(({ record }) => record.hlc > floor).map(({ record }) => bucketOf(record.id))
  )
]

/** The records of each of some buckets, by ascending digest. */
const byBucket = (memory: Memory, domain: Domain, span: Span, buckets: ReadonlyArray<number>) => {
  const all = new Map<number, Array<Held>>()
  for (const wanted of new Set(buckets)) {
    const found: Array<Held> = []
    memory.shelves.visit(domain, wanted, wanted + 1, (held) => {
      if (Leaf.isIn(span, held.record)) found.push(held)
    })
    if (found.length > 0) all.set(wanted, found.sort((a, b) => Bytes.compare(a.digest, b.digest)))
  }
  return all
}

export const digests = (memory: Memory, query: DigestQuery): DigestPage => {
  const all = byBucket(memory, query.domain, query.span, query.buckets)
  const lists: Array<ReadonlyArray<Uint8Array>> = []
  let left = query.limit
  for (const [i, bucket] of query.buckets.entries()) {
    if (left <= 0) return { lists, complete: false }
    const after = i === 0 ? query.after : undefined
    const found = (all.get(bucket) ?? []).map(({ digest }) => digest)
      .filter((digest) => after === undefined || Bytes.compare(digest, after) > 0)
    lists.push(found.slice(0, left))
    if (found.length > left) return { lists, complete: false }
    left -= found.length
  }
  return { lists, complete: true }
}

const wired = ({ record }: Held): Wired => ({ kind: record.kind, bytes: Wire.encode(record) })

export const pick = (memory: Memory, domain: Domain, span: Span, picks: ReadonlyArray<Pick>) => {
  const all = byBucket(memory, domain, span, picks.map(({ bucket }) => bucket))
  const records: Array<Wired> = []
  let bytes = 0
  for (const [done, { bucket, digest }] of picks.entries()) {
    const found = (all.get(bucket) ?? [])
      .filter((held) => Bytes.equal(held.digest.subarray(0, digest.length), digest)).map(wired)
    bytes += found.reduce((sum, record) => sum + record.bytes.length, 0)
    if (done > 0 && bytes > pageBytesMax) return { records, done }
    records.push(...found)
  }
  return { records, done: picks.length }
}

/** Where a record stands in the stream of its kind: bytes whose order is that of the stream. */
const placeOf = (record: Record): Uint8Array => {
  const id = Bytes.fromHex(record.id)
  return record.kind === "op" ? Bytes.concat([Bytes.u64be(record.hlc), id]) : id
}

export const stream = (memory: Memory, query: StreamQuery): StreamPage => {
  const { bytesMax, cursor, from, kind, span, to } = query
  const all = memory.ofKind(kind).map(({ record }) => ({ record, place: placeOf(record) }))
    .filter(({ place, record }) =>
      Leaf.isIn(span, record) && bucketOf(record.id) >= from && bucketOf(record.id) < to &&
      (cursor === undefined || Bytes.compare(place, cursor) > 0)
    )
    .sort((a, b) => Bytes.compare(a.place, b.place))
  const records: Array<Uint8Array> = []
  let bytes = 0
  for (const { place, record } of all) {
    const encoded = Wire.encode(record)
    records.push(encoded)
    bytes += encoded.length
    if (bytes >= bytesMax && records.length < all.length) return { records, next: place }
  }
  return { records }
}

export const known = (
  memory: Memory,
  leaf: Leaf.LeafHash,
  records: ReadonlyArray<Record>
): ReadonlyArray<boolean> =>
  records.map((record) => {
    const found = memory.slots.get(slotOf(record))
    return found !== undefined &&
      (Bytes.equal(found.digest, Wire.leafDigest(leaf, record)) || wins(found.record, record))
  })
