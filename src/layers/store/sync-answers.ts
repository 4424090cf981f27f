/**
 * The answers for synchronisation, packed as those of `answers.ts` are.
 */
import type * as Ids from "../../domain/ids.ts"
import type { Kind } from "../../domain/record.ts"
import type { DigestPage, StreamPage } from "../../services/Store.ts"
import { Packer, Unpacker } from "./packing.ts"
import type { Slot } from "./slots.ts"
import type { Picked } from "./sync-reads.ts"

const digestBytes = 32
const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

const list = <A>(from: Unpacker, read: () => A): ReadonlyArray<A> => Array.from({ length: from.u32() }, read)

export const packDigests = ({ complete, lists }: DigestPage): ArrayBuffer => {
  const count = lists.reduce((sum, digests) => sum + digests.length, 0)
  const out = new Packer(5 + lists.length * 4 + count * digestBytes)
  out.u8(complete ? 1 : 0)
  out.u32(lists.length)
  for (const digests of lists) {
    out.u32(digests.length)
    for (const digest of digests) out.raw(digest, digestBytes)
  }
  return out.finish()
}

export const unpackDigests = (buffer: ArrayBuffer): DigestPage => {
  const from = new Unpacker(buffer)
  const complete = from.u8() === 1
  return { complete, lists: list(from, () => list(from, () => from.raw(digestBytes))) }
}

export const packPicked = ({ done, records }: Picked): ArrayBuffer => {
  const out = new Packer(8 + records.reduce((sum, { bytes }) => sum + 5 + bytes.length, 0))
  out.u32(done)
  out.u32(records.length)
  for (const { bytes, kind } of records) {
    out.u8(kinds.indexOf(kind))
    out.bytes(bytes)
  }
  return out.finish()
}

export const unpackPicked = (buffer: ArrayBuffer): Picked => {
  const from = new Unpacker(buffer)
  const done = from.u32()
  return { done, records: list(from, () => ({ kind: kinds[from.u8()]!, bytes: from.bytes() })) }
}

export const packStream = ({ next, records }: StreamPage): ArrayBuffer => {
  const out = new Packer(48 + records.reduce((sum, bytes) => sum + 4 + bytes.length, 0))
  out.bytes(next ?? new Uint8Array())
  out.u32(records.length)
  for (const bytes of records) out.bytes(bytes)
  return out.finish()
}

export const unpackStream = (buffer: ArrayBuffer): StreamPage => {
  const from = new Unpacker(buffer)
  const next = from.bytes()
  const records = list(from, () => from.bytes())
  return next.length === 0 ? { records } : { records, next }
}

/** Of each slot only what it is found by. */
export const packSlots = (slots: ReadonlyArray<Slot>): ArrayBuffer => {
  const out = new Packer(4 + slots.length * 33)
  out.u32(slots.length)
  for (const slot of slots) {
    out.u8(kinds.indexOf(slot.kind))
    if (slot.kind === "read") {
      out.hex(slot.chatId, 32)
      out.hex(slot.reader, 20)
    } else if (slot.kind === "identity") out.hex(slot.address, 20)
    else out.hex(slot.id, 32)
  }
  return out.finish()
}

const unpackSlot = (from: Unpacker): Slot => {
  const kind = kinds[from.u8()]!
  switch (kind) {
    case "message":
    case "op":
      return { kind, id: from.hex<Ids.MessageId & Ids.OpId>(32) }
    case "read":
      return { kind, chatId: from.hex<Ids.ChatId>(32), reader: from.hex<Ids.Address>(20) }
    case "identity":
      return { kind, address: from.hex<Ids.Address>(20) }
  }
}

export const unpackSlots = (buffer: ArrayBuffer): ReadonlyArray<Slot> => {
  const from = new Unpacker(buffer)
  return list(from, () => unpackSlot(from))
}

export const packFlags = (flags: ReadonlyArray<boolean>): ArrayBuffer =>
  Uint8Array.from(flags, (is) => is ? 1 : 0).buffer

export const unpackFlags = (buffer: ArrayBuffer): ReadonlyArray<boolean> =>
  Array.from(new Uint8Array(buffer), (is) => is === 1)
