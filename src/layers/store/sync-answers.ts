/**
 * The answers for synchronisation, packed as those of `answers.ts` are.
 */
import type { Kind } from "../../domain/record.ts"
import type { DigestPage, StreamPage } from "../../services/Store.ts"
import { Packer, Unpacker } from "./packing.ts"
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

export const packKnown = (known: ReadonlyArray<boolean>): ArrayBuffer => {
  const out = new Packer(4 + known.length)
  out.u32(known.length)
  for (const is of known) out.u8(is ? 1 : 0)
  return out.finish()
}

export const unpackKnown = (buffer: ArrayBuffer): ReadonlyArray<boolean> => {
  const from = new Unpacker(buffer)
  return list(from, () => from.u8() === 1)
}
