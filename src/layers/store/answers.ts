/**
 * The bulk answers of the worker threads, packed. What is small goes by structured clone instead (`protocol.ts`).
 */
import type { Hlc } from "../../domain/hlc.ts"
import { domains, type Record } from "../../domain/record.ts"
import type { Arrival, Commit, InLine, Leaf, LeafChange, Outcome } from "../../services/Store.ts"
import * as Leaves from "./leaf.ts"
import { Packer, Unpacker } from "./packing.ts"

const outcomes: ReadonlyArray<Outcome> = ["stored", "replaced", "superseded", "known"]

const packChanges = (out: Packer, changes: ReadonlyArray<LeafChange>): void => {
  out.u32(changes.length)
  for (const change of changes) {
    out.u8(domains.indexOf(change.domain))
    out.u16(change.bucket)
    out.raw(change.digest, 32)
    out.u64(change.hlc)
    out.u64(change.recordHlc)
    out.u8((change.change === "insert" ? isInsert : 0) | (change.ages ? isAgeing : 0))
  }
}

const isInsert = 1
const isAgeing = 2

const unpackChange = (from: Unpacker): LeafChange => {
  const head = {
    domain: domains[from.u8()]!,
    bucket: from.u16(),
    digest: from.raw(32),
    hlc: from.u64() as Hlc,
    recordHlc: from.u64() as Hlc
  }
  const flags = from.u8()
  return { ...head, change: (flags & isInsert) === 0 ? "remove" : "insert", ages: (flags & isAgeing) !== 0 }
}

const unpackChanges = (from: Unpacker): ReadonlyArray<LeafChange> =>
  Array.from({ length: from.u32() }, () => unpackChange(from))

/** What was done with one record of a batch. `old`: what stood in its slot. */
export type Written =
  | { readonly outcome: "superseded" | "known" }
  | { readonly outcome: "stored"; readonly digest: Uint8Array }
  | { readonly outcome: "replaced"; readonly digest: Uint8Array; readonly old: Replaced }

export interface Replaced {
  readonly id: string
  readonly hlc: Hlc
  readonly digest: Uint8Array
}

/** A commit as the thread did it. */
export interface WrittenBatch {
  readonly number: number
  readonly firstArrival: Arrival
  /** In the order of the batch. */
  readonly written: ReadonlyArray<Written>
}

/** A commit as whoever has the batch understands it. */
export const commitOf = (batch: ReadonlyArray<Record>, { firstArrival, number, written }: WrittenBatch): Commit => {
  const leaves: Array<LeafChange> = []
  written.forEach((one, i) => {
    const record = batch[i]!
    if (one.outcome === "replaced") {
      // of the kind of what stands in its slot now
      const old = { ...record, id: one.old.id, hlc: one.old.hlc } as Record
      leaves.push(Leaves.removed(old, one.old.digest, record))
    }
    if ("digest" in one) leaves.push(Leaves.inserted(record, one.digest))
  })
  return { number, outcomes: written.map(({ outcome }) => outcome), firstArrival, leaves }
}

/** Only what whoever has the batch does not know. */
export const packCommit = ({ firstArrival, number, written }: WrittenBatch): ArrayBuffer => {
  const out = new Packer()
  out.number(number)
  out.number(firstArrival)
  for (const one of written) {
    out.u8(outcomes.indexOf(one.outcome))
    if ("digest" in one) out.raw(one.digest, 32)
    if (one.outcome === "replaced") {
      out.hex(one.old.id, 32)
      out.u64(one.old.hlc)
      out.raw(one.old.digest, 32)
    }
  }
  return out.finish()
}

const unpackWritten = (from: Unpacker): Written => {
  const outcome = outcomes[from.u8()]!
  if (outcome === "superseded" || outcome === "known") return { outcome }
  const digest = from.view(32)
  if (outcome === "stored") return { outcome, digest }
  return { outcome, digest, old: { id: from.hex(32), hlc: from.u64() as Hlc, digest: from.view(32) } }
}

/** `batch`: what was asked. Digests are views of the buffer. */
export const unpackCommit = (buffer: ArrayBuffer, batch: ReadonlyArray<Record>): Commit => {
  const from = new Unpacker(buffer)
  const head = { number: from.number(), firstArrival: from.number() }
  return commitOf(batch, { ...head, written: batch.map(() => unpackWritten(from)) })
}

export const packLeaves = ({ commit, value }: InLine<ReadonlyArray<Leaf>>): ArrayBuffer => {
  const out = new Packer()
  out.number(commit)
  out.u32(value.length)
  for (const leaf of value) {
    out.u16(leaf.bucket)
    out.u32(leaf.count)
    out.raw(leaf.sum, 32)
  }
  return out.finish()
}

export const unpackLeaves = (buffer: ArrayBuffer): InLine<ReadonlyArray<Leaf>> => {
  const from = new Unpacker(buffer)
  const commit = from.number()
  const leaf = (): Leaf => ({ bucket: from.u16(), count: from.u32(), sum: from.raw(32) })
  return { commit, value: Array.from({ length: from.u32() }, leaf) }
}

export const packRecent = ({ commit, value }: InLine<ReadonlyArray<LeafChange>>): ArrayBuffer => {
  const out = new Packer()
  out.number(commit)
  packChanges(out, value)
  return out.finish()
}

export const unpackRecent = (buffer: ArrayBuffer): InLine<ReadonlyArray<LeafChange>> => {
  const from = new Unpacker(buffer)
  return { commit: from.number(), value: unpackChanges(from) }
}

/** Two bytes each. */
export const packBuckets = (buckets: ReadonlyArray<number>): ArrayBuffer => Uint16Array.from(buckets).buffer

export const unpackBuckets = (buffer: ArrayBuffer): ReadonlyArray<number> => Array.from(new Uint16Array(buffer))
