/**
 * The bulk answers of the worker threads, packed. What is small goes by structured clone instead (`protocol.ts`).
 */
import type { Hlc } from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { domains } from "../../domain/record.ts"
import type { ChatHead, Commit, Header, InLine, Leaf, LeafChange, Outcome, Position } from "../../services/Store.ts"
import { Packer, Unpacker } from "./packing.ts"

const outcomes: ReadonlyArray<Outcome> = ["stored", "replaced", "superseded", "known"]

const read = <A>(buffer: ArrayBuffer, one: (from: Unpacker) => A): ReadonlyArray<A> => {
  const from = new Unpacker(buffer)
  return Array.from({ length: from.u32() }, () => one(from))
}

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

export const packCommit = (commit: Commit): ArrayBuffer => {
  const out = new Packer(16 + commit.outcomes.length + commit.leaves.length * 52)
  out.number(commit.number)
  out.u32(commit.outcomes.length)
  for (const outcome of commit.outcomes) out.u8(outcomes.indexOf(outcome))
  packChanges(out, commit.leaves)
  return out.finish()
}

export const unpackCommit = (buffer: ArrayBuffer): Commit => {
  const from = new Unpacker(buffer)
  const number = from.number()
  const done = Array.from({ length: from.u32() }, () => outcomes[from.u8()]!)
  return { number, outcomes: done, leaves: unpackChanges(from) }
}

export const packLeaves = ({ commit, value }: InLine<ReadonlyArray<Leaf>>): ArrayBuffer => {
  const out = new Packer(12 + value.length * 38)
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
  const out = new Packer(12 + value.length * 44)
  out.number(commit)
  packChanges(out, value)
  return out.finish()
}

export const unpackRecent = (buffer: ArrayBuffer): InLine<ReadonlyArray<LeafChange>> => {
  const from = new Unpacker(buffer)
  return { commit: from.number(), value: unpackChanges(from) }
}

const packPosition = (out: Packer, position: Position): void => {
  out.u64(position.hlc)
  out.hex(position.id, 32)
}

const unpackPosition = (from: Unpacker): Position => ({ hlc: from.u64() as Hlc, id: from.hex<Ids.MessageId>(32) })

export const packHeaders = (headers: ReadonlyArray<Header>): ArrayBuffer => {
  const out = new Packer(4 + headers.length * 60)
  out.u32(headers.length)
  for (const header of headers) {
    out.hex(header.sender, 20)
    packPosition(out, header.position)
  }
  return out.finish()
}

export const unpackHeaders = (buffer: ArrayBuffer): ReadonlyArray<Header> =>
  read(buffer, (from) => ({ sender: from.hex<Ids.Address>(20), position: unpackPosition(from) }))

const isDirect = 1
const hasNewest = 2
const hasMark = 4

export const packHeads = (heads: ReadonlyArray<ChatHead>): ArrayBuffer => {
  const out = new Packer(4 + heads.length * 122)
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
    return { chatId, kind: peer === undefined ? "group" : "dm", ...peer, ...newest, ...mark }
  })
