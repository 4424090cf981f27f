/**
 * Reads records from their canonical bytes, straight along the order in which their keys must come: the mirror of
 * `canonical.ts`. Nearly all that peers send is so, and a general decoder takes many times as long over it.
 *
 * Rule: what is read here has one form only, the one that was read, so that it need not be encoded again to see that it is
 * canonical: keys in their order and no others, every head in its shortest form, text that is UTF-8. Whatever is not exactly
 * so gives `undefined`, and `wire.ts` says what is wrong with it. A property test holds both ways to the same verdict.
 */
import * as Bytes from "./bytes.ts"
import { array, byteString, keys, map, text, uint } from "./canonical-form.ts"
import type { Hashes } from "./hashing.ts"
import type { Hlc } from "./hlc.ts"
import * as Ids from "./ids.ts"
import { type Dot, dotOf, type Identity, type Kind, type Message, type Op, type Read, type Record } from "./record.ts"

/** Bytes of the argument by the short count of a head, and the lowest value that needs so many. */
const longHeads: { readonly [short: number]: { readonly length: number; readonly from: number } } = {
  24: { length: 1, from: 24 },
  25: { length: 2, from: 0x100 },
  26: { length: 4, from: 0x10000 },
  27: { length: 8, from: 0x100000000 }
}

/** A place in bytes. What does not fit makes it `wrong`, and everything read after is of no use. */
export class Cursor {
  private readonly bytes: Uint8Array
  private at = 0
  private wrong = false
  /** Entries of the map that is being read, less those that are accounted for. */
  private spare = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Whether all was read, and all of it fitted. */
  get done(): boolean {
    return !this.wrong && this.at === this.bytes.length
  }

  private fail(): number {
    this.wrong = true
    return 0
  }

  /** The argument of a head of this major type. */
  private head(major: number): number {
    const first = this.bytes[this.at++]
    if (first === undefined || (first & 0xe0) !== major) return this.fail()
    const short = first & 0x1f
    if (short < 24) return short
    const long = longHeads[short]
    if (long === undefined || this.at + long.length > this.bytes.length) return this.fail()
    let value = 0
    for (let i = 0; i < long.length; i++) value = value * 256 + this.bytes[this.at++]!
    return value >= long.from && value <= Number.MAX_SAFE_INTEGER ? value : this.fail()
  }

  /** Whether these bytes are next; if so they are passed. */
  passes(expected: Uint8Array): boolean {
    for (let i = 0; i < expected.length; i++) if (this.bytes[this.at + i] !== expected[i]) return false
    this.at += expected.length
    return true
  }

  /** Begins a map that has so many entries, and maybe others. */
  begin(due: number): void {
    this.spare = this.head(map) - due
  }

  /** Passes the key of an entry that must be next. */
  key(name: Uint8Array): this {
    if (!this.passes(name)) this.wrong = true
    return this
  }

  /** Whether an entry that may be missing is next; if so its key is passed. */
  has(name: Uint8Array): boolean {
    if (!this.passes(name)) return false
    this.spare--
    return true
  }

  /** Whether the map has no more entries, and all that was read fitted. */
  end(): boolean {
    if (this.spare !== 0) this.wrong = true
    return !this.wrong
  }

  uint(min: number, max: number): number {
    const value = this.head(uint)
    return value >= min && value <= max ? value : this.fail()
  }

  /** A view, of `length` bytes if that is given. */
  private view(major: number, length?: number): Uint8Array {
    const given = this.head(major)
    if (given > this.bytes.length - this.at || (length !== undefined && given !== length)) this.fail()
    if (this.wrong) return nothing
    this.at += given
    return this.bytes.subarray(this.at - given, this.at)
  }

  /** A copy, so that nothing keeps alive what it came in. */
  opaque(length?: number): Uint8Array {
    return new Uint8Array(this.view(byteString, length))
  }

  hex<A extends string>(length: number): A {
    return Bytes.toHex(this.view(byteString, length)) as A
  }

  stamp(): Hlc {
    const bytes = this.view(byteString, 8)
    return (this.wrong ? 0n : Bytes.readU64be(bytes)) as Hlc
  }

  text(): string {
    const read = Bytes.toText(this.view(text))
    if (read === undefined) this.wrong = true
    return read ?? ""
  }

  /** How many items a list has, `due` if that is given; each has a byte at least. */
  items(due?: number): number {
    const count = this.head(array)
    return count <= this.bytes.length - this.at && (due === undefined || count === due) ? count : this.fail()
  }

  list<A>(one: () => A): ReadonlyArray<A> {
    const read: Array<A> = []
    for (let left = this.items(); left > 0 && !this.wrong; left--) read.push(one())
    return read
  }
}

const nothing = new Uint8Array()

const readTs = (from: Cursor): number => from.key(keys.ts).uint(0, Number.MAX_SAFE_INTEGER)
const readHlc = (from: Cursor): Hlc => from.key(keys.hlc).stamp()
const readSig = (from: Cursor): Uint8Array => from.key(keys.sig).opaque(65)
const readNode = (from: Cursor): Ids.NodeId => from.key(keys.node).text() as Ids.NodeId
const readVersion = (from: Cursor): 1 | 2 => from.key(keys.sigVersion).uint(1, 2) as 1 | 2
const readAddress = (from: Cursor, key: Uint8Array): Ids.Address => from.key(key).hex(20)
const readChat = (from: Cursor): Ids.ChatId => from.key(keys.chatId).hex(32)
const readPeer = (from: Cursor): Ids.Address | undefined => from.has(keys.peer) ? from.hex(20) : undefined

/** A record whose optional fields are set only where they are there. */
type Draft<R extends Record> = { -readonly [K in keyof R]: R[K] }
/** Until all that the id is made of is there. */
const unnamed = "" as never

const readMessage = (hashes: Hashes, from: Cursor): Message | undefined => {
  from.begin(9)
  const [ts, hlc, sig, node] = [readTs(from), readHlc(from), readSig(from), readNode(from)]
  const peer = readPeer(from)
  const sender = readAddress(from, keys.sender)
  const chatId = readChat(from)
  const content = from.key(keys.content).text()
  const control = from.has(keys.control) ? from.opaque() : undefined
  const msgType = from.key(keys.msgType).uint(0, 255)
  const sigVersion = readVersion(from)
  if (!from.end()) return undefined
  const message: Draft<Message> = {
    kind: "message",
    id: unnamed,
    ts,
    node,
    sig,
    sigVersion,
    hlc,
    chatId,
    sender,
    msgType,
    content
  }
  if (peer !== undefined) message.peer = peer
  if (control !== undefined) message.control = control
  message.id = Ids.messageId(hashes, message)
  return message
}

const readDot = (from: Cursor): Dot => {
  from.items(2)
  return dotOf(from.hex<Ids.OpId>(32), from.hex<Ids.Address>(20))
}

const readOp = (hashes: Hashes, from: Cursor): Op | undefined => {
  from.begin(11)
  const type = from.key(keys.op).uint(0, 3) as Ids.OpType
  const [ts, hlc, sig, node] = [readTs(from), readHlc(from), readSig(from), readNode(from)]
  const role = from.key(keys.role).uint(0, 1) as Ids.RoleCode
  const actor = readAddress(from, keys.actor)
  const nonce = from.has(keys.nonce) ? from.hex<Ids.Nonce>(16) : undefined
  const stamp = from.key(keys.stamp).opaque(64)
  const title = from.has(keys.title) ? from.text() : undefined
  const chatId = readChat(from)
  const targets = from.key(keys.targets).list(() => from.hex<Ids.Address>(20))
  const observed = from.has(keys.observed) ? from.list(() => readDot(from)) : undefined
  const sigVersion = readVersion(from)
  if (!from.end()) return undefined
  const op: Draft<Op> = {
    kind: "op",
    id: unnamed,
    ts,
    node,
    sig,
    sigVersion,
    hlc,
    chatId,
    actor,
    op: type,
    role,
    targets,
    stamp
  }
  if (nonce !== undefined) op.nonce = nonce
  if (title !== undefined) op.title = title
  if (observed !== undefined) op.observed = observed
  op.id = Ids.opId(hashes, op)
  return op
}

const readMark = (hashes: Hashes, from: Cursor): Read | undefined => {
  from.begin(8)
  const [ts, hlc, sig, node] = [readTs(from), readHlc(from), readSig(from), readNode(from)]
  const peer = readPeer(from)
  const upTo = from.key(keys.upTo).stamp()
  const reader = readAddress(from, keys.reader)
  const chatId = readChat(from)
  const sigVersion = readVersion(from)
  if (!from.end()) return undefined
  const mark: Draft<Read> = { kind: "read", id: unnamed, ts, node, sig, sigVersion, hlc, chatId, reader, upTo }
  if (peer !== undefined) mark.peer = peer
  mark.id = Ids.readId(hashes, mark)
  return mark
}

const readIdentity = (hashes: Hashes, from: Cursor): Identity | undefined => {
  from.begin(7)
  const [ts, hlc, sig] = [readTs(from), readHlc(from), readSig(from)]
  const blob = from.key(keys.blob).opaque()
  const node = readNode(from)
  const address = readAddress(from, keys.address)
  const sigVersion = readVersion(from)
  if (!from.end()) return undefined
  const identity: Draft<Identity> = { kind: "identity", id: unnamed, ts, node, sig, sigVersion, hlc, address, blob }
  identity.id = Ids.identityId(hashes, identity)
  return identity
}

/** Reads a record where `from` is, and goes past it; `undefined` when what is there is not one in the form due. */
export const readRecord = (hashes: Hashes, kind: Kind, from: Cursor): Record | undefined => {
  switch (kind) {
    case "message":
      return readMessage(hashes, from)
    case "op":
      return readOp(hashes, from)
    case "read":
      return readMark(hashes, from)
    case "identity":
      return readIdentity(hashes, from)
  }
}
