/**
 * What peers are served in a round of synchronisation (SPEC §6), in wire form.
 *
 * Rule: a call looks at a bounded number of rows, but for one bucket: its digests have to be put in order, so all of them
 * are looked at once a call, however many an adversary put there (they lie together in the index). What is served is held
 * against its stored digest: a damaged row is never passed on.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import type { Span } from "../../domain/horizon.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import type { Domain, Kind, Record } from "../../domain/record.ts"
import { wins } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import type { DigestPage, DigestQuery, Pick, StreamPage, StreamQuery, Wired } from "../../services/Store.ts"
import { Dictionary } from "./dictionary.ts"
import { DamagedRow } from "./errors.ts"
import { ages, kindsOf, type LeafHash } from "./leaf.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"
import { makeSlots, type Slot } from "./slots.ts"

export interface Picked {
  readonly records: ReadonlyArray<Wired>
  readonly done: number
}

export interface SyncReads {
  readonly digests: (query: DigestQuery) => DigestPage
  readonly pick: (domain: Domain, span: Span, picks: ReadonlyArray<Pick>) => Picked
  readonly stream: (query: StreamQuery) => StreamPage
  /** For each slot whether something stands in it. */
  readonly taken: (slots: ReadonlyArray<Slot>) => ReadonlyArray<boolean>
  readonly known: (records: ReadonlyArray<Record>) => ReadonlyArray<boolean>
}

/** Buckets that one call looks at; the rest is for the next. */
const bucketsAtOnceMax = 4_096
/** Rows that one call for a page of a stream looks at, in the span or not: when none is, the page is empty and goes on. */
const streamRowsMax = 4_096

const nothing = new Uint8Array()

/** The bucket of a row. */
const bucketColumn = "(prefix >> 48) + 32768"

/** Rows of one kind in a bucket and a span: `?1` to `?2` are prefixes, `?3` the highest stamp, `?4` the lowest. */
const bucketSql = (kind: Kind, columns: string): string => {
  const table = Rows.tableOf[kind]
  return `SELECT ${columns} FROM ${table} INDEXED BY ${table}_by_id
    WHERE prefix BETWEEN ?1 AND ?2 AND hlc <= ?3 ${ages(kind) ? "AND hlc >= ?4" : "AND ?4 IS NOT NULL"}`
}

const bucketValues = (bucket: number, span: Span) =>
  [Rows.bucketStart(bucket), Rows.bucketEnd(bucket), Rows.boundOf(span.ceiling), Rows.above(span.floor)] as const

/** Where the buckets end that follow one another from `at` on, of those that one call looks at. */
const runEnd = (buckets: ReadonlyArray<number>, at: number): number => {
  let end = at + 1
  while (end < Math.min(buckets.length, bucketsAtOnceMax) && buckets[end] === buckets[end - 1]! + 1) end++
  return end
}

const makeDigests = (db: DatabaseSync): SyncReads["digests"] => {
  const list = (domain: Domain) =>
    Rows.prepareRows(
      db,
      `${
        kindsOf[domain].map((kind) => `${bucketSql(kind, "digest")} AND digest > ?5`).join(" UNION ALL ")
      } ORDER BY digest ${Rows.limitBy("?6")}`
    )
  const lists = { messages: list("messages"), members: list("members"), identity: list("identity") }
  const scan = (kind: Kind) =>
    Rows.prepareRows(db, `${bucketSql(kind, `${bucketColumn}, digest`)} ORDER BY prefix ${Rows.limitBy("?5")}`)
  const scans = { message: scan("message"), op: scan("op"), read: scan("read"), identity: scan("identity") }

  /**
   * The lists of buckets `from` to `to` (exclusive), in one statement a kind: most leaves of a sparse tree are empty, and
   * a statement costs as much as several rows. `undefined`: there are `limit` digests or more, and an answer that is cut must
   * end with the bucket of its last digest.
   */
  const neighbours = (domain: Domain, span: Span, from: number, to: number, limit: number) => {
    const found = Array.from({ length: to - from }, (): Array<Uint8Array> => [])
    const [, , ceiling, floor] = bucketValues(from, span)
    let left = limit
    for (const kind of kindsOf[domain]) {
      const rows = scans[kind].all(Rows.bucketStart(from), Rows.bucketEnd(to - 1), ceiling, floor, left)
      if (rows.length >= left) return undefined
      left -= rows.length
      for (const row of rows) found[Rows.integer(row[0]) - from]!.push(Rows.blob(row[1]))
    }
    for (const digests of found) if (digests.length > 1) digests.sort(Bytes.compare)
    return { lists: found, left }
  }

  return ({ after, buckets, domain, limit, span }) => {
    const found: Array<ReadonlyArray<Uint8Array>> = []
    let left = limit
    /** Up to here buckets are looked at one by one: what was asked for before, or too full together. */
    let singly = after === undefined ? 0 : 1
    while (found.length < buckets.length) {
      const at = found.length
      if (left <= 0 || at >= bucketsAtOnceMax) return { lists: found, complete: false }
      const bucket = buckets[at]!
      if (at >= singly) {
        const end = runEnd(buckets, at)
        const together = neighbours(domain, span, bucket, bucket + end - at, left)
        if (together !== undefined) {
          found.push(...together.lists)
          left = together.left
          continue
        }
        singly = end
      }
      const above = at === 0 && after !== undefined ? after : nothing
      // One more than is wanted tells whether the list was cut.
      const rows = lists[domain].all(...bucketValues(bucket, span), above, left + 1)
      found.push(rows.slice(0, left).map((row) => Rows.blob(row[0])))
      if (rows.length > left) return { lists: found, complete: false }
      left -= rows.length
    }
    return { lists: found, complete: true }
  }
}

/** Reads one record as bytes, by row number. */
type Encode = (kind: Kind, rowid: number) => Uint8Array

const checked = (leaf: LeafHash, kind: Kind, bytes: Uint8Array, digest: Uint8Array): Uint8Array => {
  if (!Bytes.equal(Wire.leafDigestOf(leaf, bytes), digest)) {
    throw new DamagedRow(`a stored ${kind} is not what its digest says: run verify`)
  }
  return bytes
}

const makeEncode = (db: DatabaseSync, names: Dictionary, leaf: LeafHash): Encode => {
  const message = Rows.prepareRows(db, `SELECT ${Rows.messageColumns}, m.digest FROM messages m WHERE m.rowid = ?`)
  const wired = (kind: Kind) => Rows.prepareRows(db, `SELECT record, digest FROM ${Rows.tableOf[kind]} WHERE rowid = ?`)
  const others = { op: wired("op"), read: wired("read"), identity: wired("identity") }
  return (kind, rowid) => {
    if (kind !== "message") {
      const row = others[kind].first(rowid)!
      return checked(leaf, kind, Rows.blob(row[0]), Rows.blob(row[1]))
    }
    const row = message.first(rowid)!
    return checked(leaf, kind, Wire.encode(Rows.messageOf(names, row)), Rows.blob(row[11]))
  }
}

interface Candidate {
  readonly kind: Kind
  readonly rowid: number
  readonly digest: Uint8Array
}

/** What a pick must name at least, bytes. */
const pickBytesMin = 8
const keyOf = (digest: Uint8Array): string => Bytes.toHex(digest.subarray(0, pickBytesMin))

const beginsWith = (digest: Uint8Array, start: Uint8Array): boolean =>
  Bytes.equal(digest.subarray(0, start.length), start)

const makePick = (db: DatabaseSync, encode: Encode): SyncReads["pick"] => {
  const visit = (kind: Kind) => Rows.prepareVisit(db, bucketSql(kind, "rowid, digest"))
  const visits = { message: visit("message"), op: visit("op"), read: visit("read"), identity: visit("identity") }

  /** Rows of a bucket that any of the picks may mean: one pass, however many picks there are. */
  const candidates = (domain: Domain, span: Span, bucket: number, picks: ReadonlyArray<Pick>) => {
    const wanted = new Map<string, Array<Candidate>>(picks.map(({ digest }) => [keyOf(digest), []]))
    for (const kind of kindsOf[domain]) {
      visits[kind]((row) => {
        const digest = Rows.blob(row[1])
        wanted.get(keyOf(digest))?.push({ kind, rowid: Rows.integer(row[0]), digest })
      }, ...bucketValues(bucket, span))
    }
    for (const rows of wanted.values()) rows.sort((a, b) => Bytes.compare(a.digest, b.digest))
    return wanted
  }

  return (domain, span, picks) => {
    const records: Array<Wired> = []
    let bytes = 0
    let done = 0
    while (done < picks.length) {
      const { bucket } = picks[done]!
      let end = done + 1
      while (end < picks.length && picks[end]!.bucket === bucket) end++
      const found = candidates(domain, span, bucket, picks.slice(done, end))
      for (; done < end; done++) {
        const { digest } = picks[done]!
        const meant = (found.get(keyOf(digest)) ?? []).filter((row) => beginsWith(row.digest, digest))
        const wired = meant.map(({ kind, rowid }): Wired => ({ kind, bytes: encode(kind, rowid) }))
        const size = wired.reduce((sum, record) => sum + record.bytes.length, 0)
        if (done > 0 && bytes + size > pageBytesMax) return { records, done }
        records.push(...wired)
        bytes += size
      }
    }
    return { records, done }
  }
}

/** Selects a page of a stream: `?1` to `?2` prefixes or stamps, from the place (`?1`, `?3`) on. */
const streamSql = (kind: Kind): string => {
  const table = Rows.tableOf[kind]
  const columns = kind === "message" ? Rows.messageColumns : "m.record"
  return `SELECT ${columns}, m.digest, m.hlc, m.prefix, m.id FROM ${table} m INDEXED BY ${table}_by_` + (kind === "op"
    ? `hlc WHERE m.hlc BETWEEN ?1 AND ?2 AND (m.hlc > ?1 OR m.prefix > ?3 OR (m.prefix = ?3 AND m.id > ?4))
       ORDER BY m.hlc, m.prefix, m.id ${Rows.limitBy("?5")}`
    : `id WHERE m.prefix BETWEEN ?1 AND ?2 AND (m.prefix > ?1 OR m.id > ?3) ORDER BY m.prefix, m.id ${
      Rows.limitBy("?4")
    }`)
}

const stampBytes = 8

/** Where a page starts: of ops a cursor is the stamp and the id of the last one seen, of other kinds the id. */
const startOf = ({ cursor, from, kind, span, to }: StreamQuery) => {
  if (kind !== "op") {
    return cursor === undefined
      ? [Rows.bucketStart(from), Rows.bucketEnd(to - 1), nothing]
      : [prefixOf(cursor), Rows.bucketEnd(to - 1), cursor]
  }
  const id = cursor?.subarray(stampBytes)
  return cursor === undefined || id === undefined
    ? [0n, Rows.boundOf(span.ceiling), Rows.bucketStart(0), nothing]
    : [BigInt.asIntN(64, Bytes.readU64be(cursor)), Rows.boundOf(span.ceiling), prefixOf(id), id]
}

const makeStream = (db: DatabaseSync, names: Dictionary, leaf: LeafHash): SyncReads["stream"] => {
  const page = (kind: Kind) => Rows.prepareIterate(db, streamSql(kind))
  const pages = { message: page("message"), op: page("op"), read: page("read"), identity: page("identity") }
  return (query) => {
    const { bytesMax, from, kind, span, to } = query
    const [first, last] = [Rows.bucketStart(from), Rows.bucketEnd(to - 1)]
    const floor = ages(kind) ? Rows.above(span.floor) : undefined
    const ceiling = Rows.boundOf(span.ceiling)
    const records: Array<Uint8Array> = []
    let bytes = 0
    let seen = 0
    for (const row of pages[kind](...startOf(query), streamRowsMax)) {
      seen++
      const [digest, hlc, prefix, id] = row.slice(-4)
      const inSpan = (hlc as bigint) <= ceiling && (floor === undefined || (hlc as bigint) >= floor)
      if (inSpan && (prefix as bigint) >= first && (prefix as bigint) <= last) {
        const encoded = kind === "message" ? Wire.encode(Rows.messageOf(names, row)) : Rows.blob(row[0])
        records.push(checked(leaf, kind, encoded, Rows.blob(digest)))
        bytes += encoded.length
      }
      if (bytes >= bytesMax || seen === streamRowsMax) {
        const place = Rows.blob(id)
        return { records, next: kind === "op" ? Bytes.concat([Bytes.u64be(Rows.stamp(hlc)), place]) : place }
      }
    }
    return { records }
  }
}

/** Queries over an open connection, whose stored digests are those of `leaf`. They throw as `makeReads`' do. */
export const makeSyncReads = (db: DatabaseSync, hashes: Hashes, leaf: LeafHash): SyncReads => {
  const names = new Dictionary(db)
  const slots = makeSlots(db, hashes, names)
  return {
    digests: makeDigests(db),
    pick: makePick(db, makeEncode(db, names, leaf)),
    stream: makeStream(db, names, leaf),
    taken: (wanted) => wanted.map((slot) => slots.find(slot) !== undefined),
    known: (records) =>
      records.map((record) => {
        const held = slots.find(record)
        return held !== undefined && (Bytes.equal(held.digest, Wire.leafDigest(leaf, record)) ||
          wins(slots.load(record.kind, held), record))
      })
  }
}
