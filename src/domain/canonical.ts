/**
 * Writes records as deterministic CBOR (RFC 8949 §4.2) without a detour over objects: the order of keys is known, so each is
 * written where it belongs. A library that sorts keys at run time takes ten times as long, and every record is encoded
 * several times in its life: for its digest, to check that it came in this form, to send it.
 *
 * Rule: the bytes are those that cborg gives for the same map; a property test holds it.
 */
import { dotOpId, dotTarget, type Record } from "./record.ts"

const utf8 = new TextEncoder()

const uint = 0x00
const bytes = 0x40
const text = 0x60
const array = 0x80
const map = 0xa0

/** Room for a head: one byte, and up to eight of a number. */
const headBytesMax = 9

/** One buffer for all encodings, for none goes on while another begins; what is given out is a copy. */
class Writer {
  private buffer = new Uint8Array(64 * 1024)
  private at = 0

  begin(): void {
    this.at = 0
  }

  private reserve(length: number): void {
    if (this.at + length <= this.buffer.length) return
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.at + length))
    grown.set(this.buffer)
    this.buffer = grown
  }

  /** A major type with its argument, in the shortest form. */
  head(major: number, value: number): void {
    this.reserve(headBytesMax)
    const { buffer } = this
    if (value < 24) {
      buffer[this.at++] = major | value
    } else if (value < 0x100) {
      buffer[this.at++] = major | 24
      buffer[this.at++] = value
    } else if (value < 0x10000) {
      buffer[this.at++] = major | 25
      this.big(value, 2)
    } else if (value < 0x100000000) {
      buffer[this.at++] = major | 26
      this.big(value, 4)
    } else {
      buffer[this.at++] = major | 27
      this.big(Math.floor(value / 0x100000000), 4)
      this.big(value % 0x100000000, 4)
    }
  }

  private big(value: number, length: number): void {
    for (let shift = (length - 1) * 8; shift >= 0; shift -= 8) this.buffer[this.at++] = value >>> shift
  }

  key(encoded: Uint8Array): void {
    this.raw(encoded)
  }

  private raw(source: Uint8Array): void {
    this.reserve(source.length)
    this.buffer.set(source, this.at)
    this.at += source.length
  }

  bytes(source: Uint8Array): void {
    this.head(bytes, source.length)
    this.raw(source)
  }

  hex(source: string): void {
    const length = source.length / 2
    this.head(bytes, length)
    this.reserve(length)
    this.buffer.subarray(this.at, this.at + length).setFromHex(source)
    this.at += length
  }

  stamp(value: bigint): void {
    this.head(bytes, 8)
    this.reserve(8)
    this.big(Number(value >> 32n), 4)
    this.big(Number(value & 0xffffffffn), 4)
  }

  text(source: string): void {
    this.reserve(headBytesMax + source.length * 3)
    const start = this.at
    const { written } = utf8.encodeInto(source, this.buffer.subarray(start + headBytesMax))
    this.head(text, written)
    this.buffer.copyWithin(this.at, start + headBytesMax, start + headBytesMax + written)
    this.at += written
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.at)
  }
}

const keyOf = (name: string): Uint8Array => {
  const encoded = utf8.encode(name)
  return Uint8Array.of(text | encoded.length, ...encoded)
}

const keys = {
  actor: keyOf("actor"),
  address: keyOf("address"),
  blob: keyOf("blob"),
  chatId: keyOf("chat_id"),
  content: keyOf("content"),
  control: keyOf("control"),
  hlc: keyOf("hlc"),
  msgType: keyOf("msg_type"),
  node: keyOf("node"),
  nonce: keyOf("nonce"),
  observed: keyOf("observed"),
  op: keyOf("op"),
  peer: keyOf("peer"),
  reader: keyOf("reader"),
  role: keyOf("role"),
  sender: keyOf("sender"),
  sig: keyOf("sig"),
  sigVersion: keyOf("sig_version"),
  stamp: keyOf("stamp"),
  targets: keyOf("targets"),
  title: keyOf("title"),
  ts: keyOf("ts"),
  upTo: keyOf("up_to")
}

const out = new Writer()

const putUint = (key: Uint8Array, value: number): void => {
  out.key(key)
  out.head(uint, value)
}

const putBytes = (key: Uint8Array, value: Uint8Array): void => {
  out.key(key)
  out.bytes(value)
}

const putHex = (key: Uint8Array, value: string): void => {
  out.key(key)
  out.hex(value)
}

const putText = (key: Uint8Array, value: string): void => {
  out.key(key)
  out.text(value)
}

const putStamp = (key: Uint8Array, value: bigint): void => {
  out.key(key)
  out.stamp(value)
}

const given = (...values: ReadonlyArray<unknown>): number =>
  values.reduce<number>((n, value) => value === undefined ? n : n + 1, 0)

/** Keys in the order of their bytes: shorter ones first, then by letter. */
const write = (record: Record): void => {
  switch (record.kind) {
    case "message":
      out.head(map, 9 + given(record.peer, record.control))
      putUint(keys.ts, record.ts)
      putStamp(keys.hlc, record.hlc)
      putBytes(keys.sig, record.sig)
      putText(keys.node, record.node)
      if (record.peer !== undefined) putHex(keys.peer, record.peer)
      putHex(keys.sender, record.sender)
      putHex(keys.chatId, record.chatId)
      putText(keys.content, record.content)
      if (record.control !== undefined) putBytes(keys.control, record.control)
      putUint(keys.msgType, record.msgType)
      break
    case "op":
      out.head(map, 11 + given(record.nonce, record.title, record.observed))
      putUint(keys.op, record.op)
      putUint(keys.ts, record.ts)
      putStamp(keys.hlc, record.hlc)
      putBytes(keys.sig, record.sig)
      putText(keys.node, record.node)
      putUint(keys.role, record.role)
      putHex(keys.actor, record.actor)
      if (record.nonce !== undefined) putHex(keys.nonce, record.nonce)
      putBytes(keys.stamp, record.stamp)
      if (record.title !== undefined) putText(keys.title, record.title)
      putHex(keys.chatId, record.chatId)
      out.key(keys.targets)
      out.head(array, record.targets.length)
      for (const target of record.targets) out.hex(target)
      if (record.observed !== undefined) {
        out.key(keys.observed)
        out.head(array, record.observed.length)
        for (const dot of record.observed) {
          out.head(array, 2)
          out.hex(dotOpId(dot))
          out.hex(dotTarget(dot))
        }
      }
      break
    case "read":
      out.head(map, 8 + given(record.peer))
      putUint(keys.ts, record.ts)
      putStamp(keys.hlc, record.hlc)
      putBytes(keys.sig, record.sig)
      putText(keys.node, record.node)
      if (record.peer !== undefined) putHex(keys.peer, record.peer)
      putStamp(keys.upTo, record.upTo)
      putHex(keys.reader, record.reader)
      putHex(keys.chatId, record.chatId)
      break
    case "identity":
      out.head(map, 7)
      putUint(keys.ts, record.ts)
      putStamp(keys.hlc, record.hlc)
      putBytes(keys.sig, record.sig)
      putBytes(keys.blob, record.blob)
      putText(keys.node, record.node)
      putHex(keys.address, record.address)
      break
  }
  putUint(keys.sigVersion, record.sigVersion)
}

/** Canonical bytes of a record, in a buffer of their own size. */
export const encode = (record: Record): Uint8Array => {
  out.begin()
  write(record)
  return out.finish()
}
