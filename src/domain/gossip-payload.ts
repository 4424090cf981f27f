/**
 * What one message of gossip holds (SPEC §7): canonical CBOR, a map of one key that names the variant. A `Batch` holds
 * 1 to 64 of the others.
 *
 * Rule: decoding any bytes costs time and memory in proportion to them, and never throws. Records are embedded as the
 * maps that are their wire form, so a payload is written from their bytes, and read and checked in one go.
 */
import { encode as encodeCbor, rfc8949EncodeOptions } from "cborg"
import * as Result from "effect/Result"
import * as Bytes from "./bytes.ts"
import { Cursor, readRecord } from "./canonical-read.ts"
import type { Hashes } from "./hashing.ts"
import { batchRecordsMax, gossipBytesMax } from "./limits.ts"
import type { Kind, Record } from "./record.ts"
import * as Wire from "./wire.ts"

const variantOf: { readonly [K in Kind]: string } = {
  message: "PutMessage",
  op: "MembershipOp",
  read: "ReadProgress",
  identity: "PutIdentity"
}
const batchKey = "Batch"

const kinds = Object.keys(variantOf) as ReadonlyArray<Kind>
const kindOf = new Map<unknown, Kind>(kinds.map((kind) => [variantOf[kind], kind]))

/** A map of one entry, up to its value; keys here are shorter than 24 bytes. */
const headOf = (key: string): Uint8Array => Bytes.concat([Uint8Array.of(0xa1, 0x60 + key.length), Bytes.fromText(key)])

const heads: { readonly [K in Kind]: Uint8Array } = {
  message: headOf(variantOf.message),
  op: headOf(variantOf.op),
  read: headOf(variantOf.read),
  identity: headOf(variantOf.identity)
}
const batchHead = headOf(batchKey)
const longestHead = Math.max(...Object.values(heads).map((head) => head.length))

/** The head of an array of at most 64 items. */
const arrayHead = (length: number): Uint8Array =>
  length < 24 ? Uint8Array.of(0x80 + length) : Uint8Array.of(0x98, length)

/** A record in its wire form. */
export interface Wired {
  readonly kind: Kind
  /** `wire.encode`. */
  readonly bytes: Uint8Array
}

/** Bytes that a record of this wire form adds to a payload, at most. */
export const sizeOf = (bytes: Uint8Array): number => longestHead + bytes.length

/** Bytes of a payload beside its records, at most. */
export const overheadBytes = batchHead.length + 2

/** A payload of 1 to 64 records; one alone is no batch. More, or more bytes than a payload may have, is a defect. */
export const encode = (records: ReadonlyArray<Wired>): Uint8Array => {
  if (records.length < 1 || records.length > batchRecordsMax) {
    throw new Error(`a payload of gossip holds 1 to ${batchRecordsMax} records, got ${records.length}`)
  }
  const parts = records.flatMap(({ bytes, kind }) => [heads[kind], bytes])
  const payload = Bytes.concat(records.length === 1 ? parts : [batchHead, arrayHead(records.length), ...parts])
  if (payload.length > gossipBytesMax) throw new Error(`a payload of gossip with ${payload.length} bytes`)
  return payload
}

const invalid = (field: string, message: string) => new Wire.InvalidRecord({ field, message })

/** The only entry of a map. */
const soleEntry = (value: unknown): readonly [key: unknown, value: unknown] => {
  if (!(value instanceof Map) || value.size !== 1) throw invalid("payload", "expected a map of one key")
  return [...value][0]!
}

const readVariant = (hashes: Hashes, key: unknown, value: unknown): Record => {
  const kind = kindOf.get(key)
  if (kind === undefined) throw invalid("payload", "the variant is not one that is known here")
  return Wire.fromValue(hashes, kind, value)
}

const toValue = (record: Record) => ({ [variantOf[record.kind]]: Wire.toValue(record) })

/** The record of one variant; `undefined` when it is not in the form due. */
const readEntry = (hashes: Hashes, from: Cursor): Record | undefined => {
  const kind = kinds.find((each) => from.passes(heads[each]))
  return kind === undefined ? undefined : readRecord(hashes, kind, from)
}

/** The records of a payload in its one form, read straight along; `undefined` when these bytes are not. */
const readStraight = (hashes: Hashes, payload: Uint8Array): ReadonlyArray<Record> | undefined => {
  const from = new Cursor(payload)
  const count = from.passes(batchHead) ? from.items() : 1
  if (count > batchRecordsMax) return undefined
  const records: Array<Record> = []
  while (records.length < count) {
    const record = readEntry(hashes, from)
    if (record === undefined) return undefined
    records.push(record)
  }
  return count > 0 && from.done ? records : undefined
}

/** The same by a general decoder, which can tell what is wrong. */
const decodeStrictly = (
  hashes: Hashes,
  payload: Uint8Array
): Result.Result<ReadonlyArray<Record>, Wire.InvalidRecord> =>
  Wire.reading(() => {
    const [key, value] = soleEntry(Wire.decodeExact(payload))
    const isBatch = key === batchKey
    if (isBatch && !(Array.isArray(value) && value.length >= 1 && value.length <= batchRecordsMax)) {
      throw invalid("payload", `a batch is an array of 1 to ${batchRecordsMax} records`)
    }
    const entries = isBatch ? (value as ReadonlyArray<unknown>).map(soleEntry) : [[key, value] as const]
    const records = entries.map(([variant, map]) => readVariant(hashes, variant, map))
    const values = records.map(toValue)
    const again = encodeCbor(isBatch ? { [batchKey]: values } : values[0], rfc8949EncodeOptions)
    if (!Bytes.equal(again, payload)) throw invalid("payload", "the encoding is not canonical")
    return records
  })

/**
 * The records of a payload, in its order. Checks the form of the bytes only, as `wire.decode` does: why they are no
 * payload, and never will be, or what they hold.
 */
export const decode = (
  hashes: Hashes,
  payload: Uint8Array
): Result.Result<ReadonlyArray<Record>, Wire.InvalidRecord> => {
  if (payload.length > gossipBytesMax) {
    return Result.fail(invalid("payload", `is longer than ${gossipBytesMax} bytes`))
  }
  const records = readStraight(hashes, payload)
  return records === undefined ? decodeStrictly(hashes, payload) : Result.succeed(records)
}
