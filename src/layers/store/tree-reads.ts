/**
 * What the Merkle trees are built from (SPEC §6): sums of stored digests, and the few changes younger than a horizon. And
 * what the memory of recent ids is.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Hlc } from "../../domain/hlc.ts"
import { leavesCount } from "../../domain/limits.ts"
import { type Domain, domains, type Kind } from "../../domain/record.ts"
import type { Leaf, LeafChange, LeafQuery } from "../../services/Store.ts"
import { DamagedRow } from "./errors.ts"
import { LeafSums } from "./leaf-sums.ts"
import { ages, kindsOf } from "./leaf.ts"
import * as Rows from "./rows.ts"
import { readState } from "./state.ts"

export interface TreeReads {
  readonly leaves: (query: LeafQuery) => ReadonlyArray<Leaf>
  readonly recent: (floor: Hlc) => ReadonlyArray<LeafChange>
  readonly recentBuckets: (floor: Hlc) => ReadonlyArray<number>
}

const bucketColumn = "(prefix >> 48) + 32768"
const digestBytes = 32

/** Rows that are always few enough to be looked at one by one, whatever the buckets asked for. */
const rowsFew = 1_024

export const makeTreeReads = (db: DatabaseSync): TreeReads => {
  const within = (kind: Kind, index: "id" | "hlc"): string =>
    `FROM ${Rows.tableOf[kind]} INDEXED BY ${Rows.tableOf[kind]}_by_${index}
      WHERE prefix BETWEEN ?1 AND ?2 AND hlc <= ?3 ${ages(kind) ? "AND hlc >= ?4" : ""}`
  // One row a bucket, its digests joined: handing each digest over by itself costs more than finding it.
  const joined = (kind: Kind) =>
    Rows.prepareVisit(
      db,
      `SELECT ${bucketColumn}, count(*), CAST(group_concat(digest, '') AS BLOB) ${
        within(kind, "id")
      } GROUP BY prefix >> 48`
    )
  const byBucket = { message: joined("message"), op: joined("op"), read: joined("read"), identity: joined("identity") }
  const stamped = (kind: "message" | "read") => ({
    visit: Rows.prepareVisit(db, `SELECT ${bucketColumn}, digest ${within(kind, "hlc")}`),
    count: Rows.prepareRows(
      db,
      `SELECT count(*) FROM (SELECT 1 FROM ${Rows.tableOf[kind]} INDEXED BY ${Rows.tableOf[kind]}_by_hlc
        WHERE hlc BETWEEN ?1 AND ?2 ${Rows.limitBy("?3")})`
    )
  })
  const byStamp = { message: stamped("message"), read: stamped("read") }

  /**
   * Whether fewer rows lie in the span than in the buckets. What leaves at one turn of the hour mostly does, but a replica
   * that was filled in an hour holds nearly all there is in that.
   */
  const isShort = (kind: "message" | "read", { from, span, to }: LeafQuery): boolean => {
    const rows = readState(db)?.[Rows.tableOf[kind]] ?? 0
    const inBuckets = Math.max(rowsFew, Math.ceil(rows * (to - from) / leavesCount))
    const found = byStamp[kind].count.first(Rows.above(span.floor), Rows.boundOf(span.ceiling), inBuckets)
    return Rows.integer(found?.[0]) < inBuckets
  }
  const recent = domains.flatMap((domain) =>
    kindsOf[domain].map((kind) => {
      const table = Rows.tableOf[kind]
      const visit = Rows.prepareVisit(
        db,
        `SELECT ${bucketColumn}, digest, hlc FROM ${table} INDEXED BY ${table}_by_hlc WHERE hlc >= ?`
      )
      return { domain, ages: ages(kind), visit }
    })
  )
  const recentBuckets = Rows.prepareRows(
    db,
    Object.values(Rows.tableOf).map((table) =>
      `SELECT ${bucketColumn} FROM ${table} INDEXED BY ${table}_by_hlc WHERE hlc >= ?1`
    ).join(" UNION ")
  )
  return {
    leaves: (query) => {
      const { ageingOnly, domain, from, span, to } = query
      const leaves = new LeafSums(from, to)
      for (const kind of kindsOf[domain as Domain]) {
        if (ageingOnly && !ages(kind)) continue
        const bounds = [Rows.bucketStart(from), Rows.bucketStart(to) - 1n, Rows.boundOf(span.ceiling)]
        const values = ages(kind) ? [...bounds, Rows.above(span.floor)] : bounds
        if (ageingOnly && (kind === "message" || kind === "read") && isShort(kind, query)) {
          byStamp[kind].visit((row) => leaves.add(Rows.integer(row[0]), Rows.blob(row[1])), ...values)
          continue
        }
        byBucket[kind]((row) => {
          const digests = Rows.blob(row[2])
          if (digests.length !== Rows.integer(row[1]) * digestBytes) {
            throw new DamagedRow(`a stored digest of a ${kind} has a wrong length: run verify`)
          }
          for (let at = 0; at < digests.length; at += digestBytes) {
            leaves.add(Rows.integer(row[0]), digests.subarray(at, at + digestBytes))
          }
        }, ...values)
      }
      return leaves.leaves()
    },
    recent: (floor) => {
      const changes: Array<LeafChange> = []
      for (const { ages, domain, visit } of recent) {
        visit((row) => {
          const [bucket, digest, hlc] = [Rows.integer(row[0]), Rows.blob(row[1]), Rows.stamp(row[2])]
          changes.push({ domain, bucket, digest, hlc, recordHlc: hlc, change: "insert", ages })
        }, Rows.above(floor))
      }
      return changes
    },
    recentBuckets: (floor) => recentBuckets.all(Rows.above(floor)).map((row) => Rows.integer(row[0]))
  }
}
