/**
 * The wire form of records and the payloads of gossip. Each is read a second time here, by a list of keys and types that
 * is this file's own, over a tree that is too: both readers must take the same bytes.
 */
import { Result } from "effect"
import * as Bytes from "../../../src/domain/bytes.ts"
import * as Payload from "../../../src/domain/gossip-payload.ts"
import { batchRecordsMax, gossipBytesMax } from "../../../src/domain/limits.ts"
import type { Kind, Record as Rec } from "../../../src/domain/record.ts"
import * as Wire from "../../../src/domain/wire.ts"
import { aRecord, Dice, hashes, kinds } from "../../domain/records.ts"
import { cborMutators, entriesOf, isCanonical, type Item, parse } from "../cbor.ts"
import { must, shapeOf, sizeShape, type Target } from "../target.ts"

type Check = (item: Item) => boolean

const bytes = (length?: number): Check => ({ bytes, major }) =>
  major === 2 && (length === undefined || bytes.length === length)
const uint = (max: number, min = 0): Check => ({ argument, major }) =>
  major === 0 && argument >= BigInt(min) && argument <= BigInt(max)
const isText: Check = ({ major }) => major === 3
const list = (each: Check): Check => ({ items, major }) => major === 4 && items.every(each)
const isDot: Check = ({ items, major }) =>
  major === 4 && items.length === 2 && bytes(32)(items[0]!) && bytes(20)(items[1]!)

interface Form {
  readonly must: { readonly [key: string]: Check }
  readonly may: { readonly [key: string]: Check }
}

const envelope = {
  ts: uint(Number.MAX_SAFE_INTEGER),
  node: isText,
  sig: bytes(65),
  sig_version: uint(2, 1),
  hlc: bytes(8)
}

const forms: { readonly [K in Kind]: Form } = {
  message: {
    must: { ...envelope, chat_id: bytes(32), sender: bytes(20), msg_type: uint(255), content: isText },
    may: { peer: bytes(20), control: bytes() }
  },
  op: {
    must: {
      ...envelope,
      chat_id: bytes(32),
      actor: bytes(20),
      op: uint(3),
      role: uint(1),
      targets: list(bytes(20)),
      stamp: bytes(64)
    },
    may: { title: isText, nonce: bytes(16), observed: list(isDot) }
  },
  read: { must: { ...envelope, chat_id: bytes(32), reader: bytes(20), up_to: bytes(8) }, may: { peer: bytes(20) } },
  identity: { must: { ...envelope, address: bytes(20), blob: bytes() }, may: {} }
}

/** Whether a canonical item has the keys and types of SPEC §5. */
const isRecord = (kind: Kind, item: Item): boolean => {
  const entries = entriesOf(item)
  if (entries === undefined) return false
  const form = forms[kind]
  return Object.keys(form.must).every((key) => entries.has(key)) &&
    [...entries].every(([key, value]) => {
      const check = Object.hasOwn(form.must, key)
        ? form.must[key]
        : Object.hasOwn(form.may, key)
        ? form.may[key]
        : undefined
      return check?.(value) ?? false
    })
}

const recordShape = (record: Rec): string =>
  Object.entries(record).map(([key, value]) =>
    typeof value === "string" || value instanceof Uint8Array || Array.isArray(value)
      ? `${key}${sizeShape(value.length)}`
      : typeof value === "number"
      ? `${key}${sizeShape(value)}`
      : key
  ).sort().join()

type DecodeRecord = typeof Wire.decode

/** All four kinds read each input. `decode` is what is fuzzed: tests put a broken one in its place. */
export const wireWith = (decode: DecodeRecord): Target => ({
  name: "wire",
  bytesMax: 16 * 1024,
  mutators: cborMutators,
  seeds: kinds.flatMap((kind) => [1, 2, 3, 4].map((seed) => Wire.encode(aRecord(kind, new Dice(seed))))),
  shortCases: 1_500,
  run: (input) => {
    const tree = parse(input)
    const canonical = tree !== undefined && isCanonical(tree)
    return kinds.map((kind) => {
      const result = decode(hashes, kind, input)
      must(Result.isSuccess(result) === (canonical && isRecord(kind, tree)), `readers of a ${kind} disagree`)
      if (Result.isFailure(result)) {
        must(result.failure instanceof Wire.InvalidRecord, "another failure than InvalidRecord")
        must(result.failure.field.length <= 64, "a field that is named at length")
        return `${result.failure.field in forms[kind].must ? result.failure.field : "?"} ${
          shapeOf(result.failure.message)
        }`
      }
      const record = result.success
      must(Bytes.equal(Wire.encode(record), input), `a ${kind} is written otherwise than it was read`)
      // the way along the expected order, against the general one
      const general = Wire.reading(() => Wire.fromValue(hashes, kind, Wire.decodeExact(input)))
      must(Result.isSuccess(general), `the general reader refuses a ${kind}`)
      must(Bytes.equal(Wire.encode(general.success), input) && general.success.id === record.id, "the two ways differ")
      return recordShape(record)
    }).join(" | ")
  }
})

export const wire = wireWith(Wire.decode)

const variants: { readonly [name: string]: Kind } = {
  PutMessage: "message",
  MembershipOp: "op",
  ReadProgress: "read",
  PutIdentity: "identity"
}

const isVariant = (item: Item): boolean => {
  const entries = entriesOf(item)
  const [name, value] = [...entries ?? []][0] ?? []
  return entries?.size === 1 && Object.hasOwn(variants, name!) && isRecord(variants[name!]!, value!)
}

const isPayload = (item: Item): boolean => {
  if (!isCanonical(item)) return false
  const batch = entriesOf(item)?.get("Batch")
  if (batch === undefined) return isVariant(item)
  const { items, major } = batch
  return item.items.length === 2 && major === 4 && items.length >= 1 && items.length <= batchRecordsMax &&
    items.every(isVariant)
}

const wired = (record: Rec): Payload.Wired => ({ kind: record.kind, bytes: Wire.encode(record) })

const payload = (seed: number, count: number): Uint8Array => {
  const dice = new Dice(seed)
  return Payload.encode(Array.from({ length: count }, () => wired(aRecord(dice.pick(kinds), dice))))
}

export const gossip: Target = {
  name: "gossip",
  bytesMax: 64 * 1024,
  mutators: cborMutators,
  seeds: [[1, 1], [2, 1], [3, 1], [4, 1], [5, 2], [6, 3], [7, 24]].map(([seed, count]) => payload(seed!, count!)),
  shortCases: 800,
  run: (input) => {
    const tree = parse(input)
    const result = Payload.decode(hashes, input)
    must(
      Result.isSuccess(result) === (tree !== undefined && input.length <= gossipBytesMax && isPayload(tree)),
      "readers of a payload disagree"
    )
    if (Result.isFailure(result)) {
      must(result.failure instanceof Wire.InvalidRecord, "another failure than InvalidRecord")
      return `${result.failure.field.length > 12 ? "?" : result.failure.field} ${shapeOf(result.failure.message)}`
    }
    const records = result.success
    const again = Payload.encode(records.map(wired))
    // a batch of one may come, but nobody writes it
    const isOne = records.length === 1 && input[1] === 0x65
    must(isOne || Bytes.equal(again, input), "a payload is written otherwise than it was read")
    if (isOne) must(Bytes.equal(again, input.subarray(8)), "a batch of one holds another record")
    return `${sizeShape(records.length)}: ${[...new Set(records.map(({ kind }) => kind))].sort().join()}`
  }
}
