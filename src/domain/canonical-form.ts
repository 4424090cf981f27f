/** What writing and reading of a record's deterministic CBOR (RFC 8949 §4.2) have in common. */
import * as Bytes from "./bytes.ts"

/** Major types, where they stand in the head of an item. */
export const uint = 0x00
export const byteString = 0x40
export const text = 0x60
export const array = 0x80
export const map = 0xa0

const keyOf = (name: string): Uint8Array => {
  const encoded = Bytes.fromText(name)
  return Uint8Array.of(text | encoded.length, ...encoded)
}

/** Each name as it stands in a record: its head and its text. All are shorter than 24 bytes. */
export const keys = {
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
