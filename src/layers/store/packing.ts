/**
 * Records as one flat buffer, to cross a thread border by transfer. Structured clone of the same records costs about
 * ten times as much on either side, and one side is the event loop.
 *
 * Rule: private to this folder, never stored, never sent to a peer (that is `domain/wire`), so it carries the id and
 * needs no version. Numbers are little-endian.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { Hlc } from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import type { Dot, Identity, Kind, Message, Op, Read, Record } from "../../domain/record.ts"
import type { ArrivalPage } from "../../services/Store.ts"

const textEncoder = new TextEncoder()
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Room of a packer when there is none to take over, bytes. */
const firstBytes = 64 * 1024
/** The most room that is kept for the next packer. */
const spareBytesMax = 1024 * 1024

/**
 * The room of the last packer, for the next: a fresh one for each, of a size that only the end tells, took a third of the
 * time of packing.
 */
let spare: Uint8Array<ArrayBuffer> | undefined

const nothing = new Uint8Array()

/** Appends to a buffer that grows. */
export class Packer {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #at = 0

  /** `capacity`: bytes, of a fresh buffer. */
  constructor(capacity = firstBytes) {
    this.#bytes = spare ?? new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
    // two at a time never share
    spare = undefined
  }

  #reserve(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) {
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(Math.max(this.#bytes.length * 2, at + length)))
      this.#view = new DataView(this.#bytes.buffer)
    }
    this.#at = at + length
    return at
  }

  u8(x: number): void {
    const at = this.#reserve(1)
    this.#bytes[at] = x
  }

  u16(x: number): void {
    const at = this.#reserve(2)
    this.#view.setUint16(at, x, true)
  }

  u32(x: number): void {
    const at = this.#reserve(4)
    this.#view.setUint32(at, x, true)
  }

  u64(x: bigint): void {
    const at = this.#reserve(8)
    this.#view.setBigUint64(at, x, true)
  }

  /** Any number, exactly. */
  number(x: number): void {
    const at = this.#reserve(8)
    this.#view.setFloat64(at, x, true)
  }

  /** Bytes whose length the reader knows. */
  raw(bytes: Uint8Array, length: number): void {
    if (bytes.length !== length) throw new RangeError(`expected ${length} bytes, got ${bytes.length}`)
    const at = this.#reserve(length)
    this.#bytes.set(bytes, at)
  }

  /** A name whose length the reader knows. */
  hex(text: string, length: number): void {
    if (text.length !== length * 2) throw new RangeError(`expected ${length} bytes in hex, got ${text.length} digits`)
    const at = this.#reserve(length)
    this.#bytes.subarray(at, at + length).setFromHex(text)
  }

  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length)
    this.raw(bytes, bytes.length)
  }

  text(text: string): void {
    const at = this.#reserve(4 + text.length * 3)
    const { written } = textEncoder.encodeInto(text, this.#bytes.subarray(at + 4))
    this.#view.setUint32(at, written, true)
    this.#at = at + 4 + written
  }

  /** A buffer of just what was written. The packer is spent. */
  finish(): ArrayBuffer {
    const packed = this.#bytes.buffer.slice(0, this.#at)
    if (this.#bytes.length <= spareBytesMax) spare = this.#bytes
    this.#bytes = nothing
    this.#at = 0
    return packed
  }
}

/** Reads what a {@link Packer} wrote, in the same order. */
export class Unpacker {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer)
    this.#view = new DataView(buffer)
  }

  /** A length that is not kept ends the reading: views would give less than was asked for, and never an error. */
  #skip(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) throw new RangeError(`${length} bytes at ${at}: the buffer ends before`)
    this.#at = at + length
    return at
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#skip(8), true)
  }

  number(): number {
    return this.#view.getFloat64(this.#skip(8), true)
  }

  /** A copy: a record that is kept does not keep the whole buffer. */
  raw(length: number): Uint8Array {
    const at = this.#skip(length)
    return this.#bytes.slice(at, at + length)
  }

  /** For what is used at once and then let go: a copy would cost several times as much. */
  view(length: number): Uint8Array {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  hex<A extends string>(length: number): A {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length).toHex() as A
  }

  bytes(): Uint8Array {
    return this.raw(this.u32())
  }

  text(): string {
    const length = this.u32()
    const at = this.#skip(length)
    return textDecoder.decode(this.#bytes.subarray(at, at + length))
  }
}

const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

/** Which optional fields follow. */
const hasPeer = 1
const hasControl = 2
const hasTitle = 1
const hasNonce = 2
const hasObserved = 4

const packMessage = (out: Packer, record: Message): void => {
  out.u8((record.peer === undefined ? 0 : hasPeer) | (record.control === undefined ? 0 : hasControl))
  out.hex(record.chatId, 32)
  out.hex(record.sender, 20)
  out.u8(record.msgType)
  if (record.peer !== undefined) out.hex(record.peer, 20)
  if (record.control !== undefined) out.bytes(record.control)
  out.text(record.content)
}

const packOp = (out: Packer, record: Op): void => {
  out.u8(
    (record.title === undefined ? 0 : hasTitle) | (record.nonce === undefined ? 0 : hasNonce) |
      (record.observed === undefined ? 0 : hasObserved)
  )
  out.hex(record.chatId, 32)
  out.hex(record.actor, 20)
  out.u8(record.op)
  out.u8(record.role)
  out.u32(record.targets.length)
  for (const target of record.targets) out.hex(target, 20)
  if (record.title !== undefined) out.text(record.title)
  if (record.nonce !== undefined) out.hex(record.nonce, 16)
  if (record.observed !== undefined) {
    out.u32(record.observed.length)
    for (const dot of record.observed) out.hex(dot, 52)
  }
  out.raw(record.stamp, 64)
}

/** Appends one record of any kind. A field of a wrong length is a defect, and throws. */
const packRecord = (out: Packer, record: Record): void => {
  out.u8(kinds.indexOf(record.kind))
  out.hex(record.id, 32)
  out.text(record.node)
  out.raw(record.sig, 65)
  out.u8(record.sigVersion)
  out.u64(record.hlc)
  out.number(record.ts)
  switch (record.kind) {
    case "message":
      return packMessage(out, record)
    case "op":
      return packOp(out, record)
    case "read":
      out.u8(record.peer === undefined ? 0 : hasPeer)
      out.hex(record.chatId, 32)
      out.hex(record.reader, 20)
      if (record.peer !== undefined) out.hex(record.peer, 20)
      return out.u64(record.upTo)
    case "identity":
      out.hex(record.address, 20)
      return out.bytes(record.blob)
  }
}

type Head = Pick<Message, "node" | "sig" | "sigVersion" | "hlc" | "ts">

const unpackMessage = (from: Unpacker, id: string, head: Head): Message => {
  const flags = from.u8()
  const chatId = from.hex<Ids.ChatId>(32)
  const sender = from.hex<Ids.Address>(20)
  const msgType = from.u8()
  const peer = (flags & hasPeer) === 0 ? undefined : { peer: from.hex<Ids.Address>(20) }
  const control = (flags & hasControl) === 0 ? undefined : { control: from.bytes() }
  return {
    kind: "message",
    id: id as Ids.MessageId,
    ...head,
    chatId,
    sender,
    msgType,
    content: from.text(),
    ...peer,
    ...control
  }
}

/** One by one: a count is not believed before the items are there. */
const list = <A>(from: Unpacker, read: () => A): ReadonlyArray<A> => {
  const items: Array<A> = []
  for (let left = from.u32(); left > 0; left--) items.push(read())
  return items
}

const unpackOp = (from: Unpacker, id: string, head: Head): Op => {
  const flags = from.u8()
  const fixed = {
    kind: "op" as const,
    id: id as Ids.OpId,
    ...head,
    chatId: from.hex<Ids.ChatId>(32),
    actor: from.hex<Ids.Address>(20),
    op: from.u8() as Ids.OpType,
    role: from.u8() as Ids.RoleCode,
    targets: list(from, () => from.hex<Ids.Address>(20))
  }
  const title = (flags & hasTitle) === 0 ? undefined : { title: from.text() }
  const nonce = (flags & hasNonce) === 0 ? undefined : { nonce: from.hex<Ids.Nonce>(16) }
  const observed = (flags & hasObserved) === 0 ? undefined : { observed: list(from, () => from.hex<Dot>(52)) }
  return { ...fixed, ...title, ...nonce, ...observed, stamp: from.raw(64) }
}

const unpackRead = (from: Unpacker, id: string, head: Head): Read => {
  const flags = from.u8()
  const chatId = from.hex<Ids.ChatId>(32)
  const reader = from.hex<Ids.Address>(20)
  const peer = (flags & hasPeer) === 0 ? undefined : { peer: from.hex<Ids.Address>(20) }
  return { kind: "read", id: id as Ids.ReadId, ...head, chatId, reader, ...peer, upTo: from.u64() as Hlc }
}

const unpackIdentity = (from: Unpacker, id: string, head: Head): Identity => ({
  kind: "identity",
  id: id as Ids.IdentityId,
  ...head,
  address: from.hex<Ids.Address>(20),
  blob: from.bytes()
})

/** The inverse of {@link packRecord}. */
const unpackRecord = (from: Unpacker): Record => {
  const kind = kinds[from.u8()]
  const id = from.hex(32)
  const head: Head = {
    node: from.text() as Ids.NodeId,
    sig: from.raw(65),
    sigVersion: from.u8() === 2 ? 2 : 1,
    hlc: from.u64() as Hlc,
    ts: from.number()
  }
  switch (kind) {
    case "message":
      return unpackMessage(from, id, head)
    case "op":
      return unpackOp(from, id, head)
    case "read":
      return unpackRead(from, id, head)
    case "identity":
      return unpackIdentity(from, id, head)
    default:
      throw new RangeError("not a packed record")
  }
}

/** Many records in one buffer of their own. */
export const packRecords = (records: ReadonlyArray<Record>): ArrayBuffer => {
  const out = new Packer()
  out.u32(records.length)
  for (const record of records) packRecord(out, record)
  return out.finish()
}

export const unpackRecords = (buffer: ArrayBuffer): ReadonlyArray<Record> => {
  const from = new Unpacker(buffer)
  return list(from, () => unpackRecord(from))
}

/** A batch to commit, with the stamp up to which read marks are aged. */
export const packBatch = (records: ReadonlyArray<Record>, aged: Hlc): ArrayBuffer => {
  const out = new Packer()
  out.u64(aged)
  out.u32(records.length)
  for (const record of records) packRecord(out, record)
  return out.finish()
}

export const unpackBatch = (buffer: ArrayBuffer): { readonly records: ReadonlyArray<Record>; readonly aged: Hlc } => {
  const from = new Unpacker(buffer)
  const aged = from.u64() as Hlc
  return { aged, records: list(from, () => unpackRecord(from)) }
}

export const packArrivals = ({ arrived, seen }: ArrivalPage): ArrayBuffer => {
  const out = new Packer()
  out.number(seen)
  out.u32(arrived.length)
  for (const { arrival, record } of arrived) {
    out.number(arrival)
    packRecord(out, record)
  }
  return out.finish()
}

export const unpackArrivals = (buffer: ArrayBuffer): ArrivalPage => {
  const from = new Unpacker(buffer)
  const seen = from.number()
  return { seen, arrived: list(from, () => ({ arrival: from.number(), record: unpackRecord(from) })) }
}

/** Order of ids as bytes is order of their first eight bytes, read as this signed integer, then of the rest. */
export const prefixOf = (id: Uint8Array): bigint => BigInt.asIntN(64, Bytes.readU64be(id) ^ (1n << 63n))
