/**
 * Writes records as deterministic CBOR (RFC 8949 §4.2) without a detour over objects: the order of keys is known, so each is
 * written where it belongs. A library that sorts keys at run time takes ten times as long, and every record is encoded
 * several times in its life: for its digest, to send it.
 *
 * Rule: the bytes are those that cborg gives for the same map; a property test holds it.
 */
import { ByteSink } from "./byte-sink.ts"
import { array, byteString, keys, map, text, uint } from "./canonical-form.ts"
import { dotOpId, dotTarget, type Record } from "./record.ts"

/** Room for a head: one byte, and up to eight of a number. */
const headBytesMax = 9

/** One buffer for all encodings, for none goes on while another begins; what is given out is a copy. */
class CborSink extends ByteSink {
  /** A major type with its argument, in the shortest form. */
  head(major: number, value: number): void {
    if (value < 24) this.u8(major | value)
    else if (value < 0x100) this.u8(major | 24).u8(value)
    else if (value < 0x10000) this.u8(major | 25).u16be(value)
    else if (value < 0x100000000) this.u8(major | 26).u32be(value)
    else this.u8(major | 27).u64be(value)
  }

  byteString(source: Uint8Array): void {
    this.head(byteString, source.length)
    this.bytes(source)
  }

  hexString(source: string): void {
    this.head(byteString, source.length / 2)
    this.hex(source)
  }

  stampString(value: bigint): void {
    this.head(byteString, 8)
    this.u64be(value)
  }

  textString(source: string): void {
    const start = this.at
    const written = this.textAfter(headBytesMax, source)
    this.at = start
    this.head(text, written)
    this.buffer.copyWithin(this.at, start + headBytesMax, start + headBytesMax + written)
    this.at += written
  }
}

const out = new CborSink(64 * 1024)

const putUint = (key: Uint8Array, value: number): void => {
  out.bytes(key)
  out.head(uint, value)
}

const putBytes = (key: Uint8Array, value: Uint8Array): void => {
  out.bytes(key)
  out.byteString(value)
}

const putHex = (key: Uint8Array, value: string): void => {
  out.bytes(key)
  out.hexString(value)
}

const putText = (key: Uint8Array, value: string): void => {
  out.bytes(key)
  out.textString(value)
}

const putStamp = (key: Uint8Array, value: bigint): void => {
  out.bytes(key)
  out.stampString(value)
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
      out.bytes(keys.targets)
      out.head(array, record.targets.length)
      for (const target of record.targets) out.hexString(target)
      if (record.observed !== undefined) {
        out.bytes(keys.observed)
        out.head(array, record.observed.length)
        for (const dot of record.observed) {
          out.head(array, 2)
          out.hexString(dotOpId(dot))
          out.hexString(dotTarget(dot))
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
  return out.copy()
}
