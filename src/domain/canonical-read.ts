/**
 * Reads a message from its canonical bytes, straight along the order in which its keys must come. Most of what peers send is
 * messages, and a general decoder takes several times as long over them.
 *
 * Rule: a fast way, not a second opinion. Whatever is not exactly as expected gives `undefined`, and `wire.decode` says what
 * it is; what is read here is encoded again and compared like anything else.
 */
import * as Bytes from "./bytes.ts"
import type { Hlc } from "./hlc.ts"
import type { Address, ChatId, MessageFields, NodeId } from "./ids.ts"
import type { Envelope } from "./record.ts"

const uint = 0x00
const byteString = 0x40
const text = 0x60
const map = 0xa0

const headBytes = { 24: 1, 25: 2, 26: 4, 27: 8 } as const

/** A place in bytes. What does not fit makes it `wrong`, and everything read after is of no use. */
class Cursor {
  readonly bytes: Uint8Array
  private at = 0
  wrong = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get ended(): boolean {
    return this.at === this.bytes.length
  }

  private fail(): number {
    this.wrong = true
    return 0
  }

  /** The argument of a head of this major type. Whether its form is the shortest is for the comparison to tell. */
  head(major: number): number {
    const first = this.bytes[this.at++]
    if (first === undefined || (first & 0xe0) !== major) return this.fail()
    const short = first & 0x1f
    if (short < 24) return short
    const length = headBytes[short as keyof typeof headBytes]
    if (length === undefined || this.at + length > this.bytes.length) return this.fail()
    let value = 0
    for (let i = 0; i < length; i++) value = value * 256 + this.bytes[this.at++]!
    return Number.isSafeInteger(value) ? value : this.fail()
  }

  /** Whether the next is this key; if so it is passed. */
  key(name: Uint8Array): boolean {
    for (let i = 0; i < name.length; i++) if (this.bytes[this.at + i] !== name[i]) return false
    this.at += name.length
    return true
  }

  must(name: Uint8Array): void {
    if (!this.key(name)) this.wrong = true
  }

  /** A view. */
  string(major: number, length?: number): Uint8Array {
    const given = this.head(major)
    if (this.at + given > this.bytes.length || (length !== undefined && given !== length)) {
      this.fail()
      return this.bytes.subarray(0, 0)
    }
    this.at += given
    return this.bytes.subarray(this.at - given, this.at)
  }

  text(): string {
    const read = Bytes.toText(this.string(text))
    if (read === undefined) this.wrong = true
    return read ?? ""
  }

  hex<A extends string>(length: number): A {
    return Bytes.toHex(this.string(byteString, length)) as A
  }
}

const keyOf = (name: string): Uint8Array => {
  const encoded = Bytes.fromText(name)
  return Uint8Array.of(text | encoded.length, ...encoded)
}

const [ts, hlc, sig, node, peer, sender] = ["ts", "hlc", "sig", "node", "peer", "sender"].map(keyOf) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array
]
const [chatId, content, control, msgType, sigVersion] = ["chat_id", "content", "control", "msg_type", "sig_version"]
  .map(keyOf) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]

export type ReadMessage = MessageFields & Envelope & { readonly peer?: Address }

/** A message, or `undefined` when these bytes are not one in the form that is expected. Keeps nothing of `bytes`. */
export const readMessage = (bytes: Uint8Array): ReadMessage | undefined => {
  const cursor = new Cursor(bytes)
  const entries = cursor.head(map)
  cursor.must(ts)
  const readTs = cursor.head(uint)
  cursor.must(hlc)
  const readHlc = cursor.string(byteString, 8)
  cursor.must(sig)
  const readSig = cursor.string(byteString, 65)
  cursor.must(node)
  const readNode = cursor.text() as NodeId
  const readPeer = cursor.key(peer) ? cursor.hex<Address>(20) : undefined
  cursor.must(sender)
  const readSender = cursor.hex<Address>(20)
  cursor.must(chatId)
  const readChat = cursor.hex<ChatId>(32)
  cursor.must(content)
  const readContent = cursor.text()
  const readControl = cursor.key(control) ? cursor.string(byteString) : undefined
  cursor.must(msgType)
  const readType = cursor.head(uint)
  cursor.must(sigVersion)
  const readVersion = cursor.head(uint)
  const due = 9 + (readPeer === undefined ? 0 : 1) + (readControl === undefined ? 0 : 1)
  if (cursor.wrong || !cursor.ended || entries !== due || readType > 255 || readVersion < 1 || readVersion > 2) {
    return undefined
  }
  return {
    ts: readTs,
    node: readNode,
    sig: new Uint8Array(readSig),
    sigVersion: readVersion as 1 | 2,
    hlc: Bytes.readU64be(readHlc) as Hlc,
    chatId: readChat,
    sender: readSender,
    ...(readPeer === undefined ? undefined : { peer: readPeer }),
    msgType: readType,
    content: readContent,
    ...(readControl === undefined ? undefined : { control: new Uint8Array(readControl) })
  }
}
