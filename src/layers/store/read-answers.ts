/**
 * The answers for clients, packed as those of `answers.ts` are.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { Hlc } from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import type { ChatHead, Header, Position, SenderCount, TextRow } from "../../services/Store.ts"
import { Packer, Unpacker } from "./packing.ts"

const read = <A>(buffer: ArrayBuffer, one: (from: Unpacker) => A): ReadonlyArray<A> => {
  const from = new Unpacker(buffer)
  return Array.from({ length: from.u32() }, () => one(from))
}

const packPosition = (out: Packer, position: Position): void => {
  out.u64(position.hlc)
  out.hex(position.id, 32)
}

const unpackPosition = (from: Unpacker): Position => ({ hlc: from.u64() as Hlc, id: from.hex<Ids.MessageId>(32) })

export const packHeaders = (headers: ReadonlyArray<Header>): ArrayBuffer => {
  const out = new Packer(4 + headers.length * 68)
  out.u32(headers.length)
  for (const header of headers) {
    out.hex(header.sender, 20)
    packPosition(out, header.position)
    out.number(header.arrival)
  }
  return out.finish()
}

export const unpackHeaders = (buffer: ArrayBuffer): ReadonlyArray<Header> =>
  read(buffer, (from) => ({
    sender: from.hex<Ids.Address>(20),
    position: unpackPosition(from),
    arrival: from.number()
  }))

const isDirect = 1
const hasNewest = 2
const hasMark = 4

export const packHeads = (heads: ReadonlyArray<ChatHead>): ArrayBuffer => {
  const out = new Packer(4 + heads.length * 130)
  out.u32(heads.length)
  for (const head of heads) {
    out.u8(
      (head.peer === undefined ? 0 : isDirect) | (head.newest === undefined ? 0 : hasNewest) |
        (head.upTo === undefined ? 0 : hasMark)
    )
    out.hex(head.chatId, 32)
    if (head.peer !== undefined) out.hex(head.peer, 20)
    if (head.newest !== undefined) {
      out.hex(head.newest.sender, 20)
      packPosition(out, head.newest.position)
    }
    if (head.upTo !== undefined) out.u64(head.upTo)
    out.u64(head.latest)
  }
  return out.finish()
}

export const unpackHeads = (buffer: ArrayBuffer): ReadonlyArray<ChatHead> =>
  read(buffer, (from) => {
    const flags = from.u8()
    const chatId = from.hex<Ids.ChatId>(32)
    const peer = (flags & isDirect) === 0 ? undefined : { peer: from.hex<Ids.Address>(20) }
    const newest = (flags & hasNewest) === 0
      ? undefined
      : { newest: { sender: from.hex<Ids.Address>(20), position: unpackPosition(from) } }
    const mark = (flags & hasMark) === 0 ? undefined : { upTo: from.u64() as Hlc }
    const latest = from.u64() as Hlc
    return { chatId, kind: peer === undefined ? "group" : "dm", latest, ...peer, ...newest, ...mark }
  })

/** Names of one length, in bytes. */
const packNames = (length: number) => (names: ReadonlyArray<Uint8Array>): ArrayBuffer => {
  const out = new Packer(names.length * length)
  for (const name of names) out.raw(name, length)
  return out.finish()
}

const unpackNames = <A extends string>(length: number) => (buffer: ArrayBuffer): ReadonlyArray<A> => {
  const hex = Bytes.toHex(new Uint8Array(buffer))
  const digits = length * 2
  return Array.from({ length: hex.length / digits }, (_, i) => hex.slice(i * digits, (i + 1) * digits) as A)
}

export const packIds = packNames(32)
export const unpackIds = unpackNames<Ids.ChatId>(32)
export const packAddresses = packNames(20)
export const unpackAddresses = unpackNames<Ids.Address>(20)

/** One list for each query. */
export const packUnread = (lists: ReadonlyArray<ReadonlyArray<SenderCount>>): ArrayBuffer => {
  const out = new Packer(4 + lists.length * 44)
  out.u32(lists.length)
  for (const counts of lists) {
    out.u32(counts.length)
    for (const { count, first, last, sender } of counts) {
      out.hex(sender, 20)
      out.u32(count)
      out.u64(first)
      out.u64(last)
    }
  }
  return out.finish()
}

const unpackCount = (from: Unpacker): SenderCount => ({
  sender: from.hex<Ids.Address>(20),
  count: from.u32(),
  first: from.u64() as Hlc,
  last: from.u64() as Hlc
})

export const unpackUnread = (buffer: ArrayBuffer): ReadonlyArray<ReadonlyArray<SenderCount>> =>
  read(buffer, (from) => Array.from({ length: from.u32() }, () => unpackCount(from)))

/** Rows of text: all of it in one string, which crosses as it is, and how to cut it. */
export interface TextPage {
  readonly text: string
  readonly index: ArrayBuffer
}

export const packText = (rows: ReadonlyArray<TextRow>): TextPage => {
  const index = new Packer(4 + rows.length * 68)
  index.u32(rows.length)
  let text = ""
  for (const row of rows) {
    index.hex(row.sender, 20)
    packPosition(index, row)
    index.u32(row.size)
    index.u32(row.json.length)
    text += row.json
  }
  return { text, index: index.finish() }
}

export const unpackText = ({ index, text }: TextPage): ReadonlyArray<TextRow> => {
  let end = 0
  return read(index, (from) => {
    const sender = from.hex<Ids.Address>(20)
    const { hlc, id } = unpackPosition(from)
    const size = from.u32()
    const start = end
    end += from.u32()
    return { hlc, id, sender, size, json: text.slice(start, end) }
  })
}
