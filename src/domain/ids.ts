/**
 * The names of things: how each id is derived from what it names (SPEC §2). All are lower-case hex without `0x`,
 * see `bytes.ts`.
 */
import type * as Brand from "effect/Brand"
import type * as Result from "effect/Result"
import { ByteSink } from "./byte-sink.ts"
import * as Bytes from "./bytes.ts"
import type { Hashes } from "./hashing.ts"
import type { Hlc } from "./hlc.ts"

/** 20 bytes: the last 20 of keccak256 of the public key, as in Ethereum. */
export type Address = string & Brand.Brand<"Address">
/** 32 bytes: a direct conversation, or a group. */
export type ChatId = string & Brand.Brand<"ChatId">
/** 32 bytes. */
export type MessageId = string & Brand.Brand<"MessageId">
/** 32 bytes. */
export type OpId = string & Brand.Brand<"OpId">
/** 32 bytes. */
export type ReadId = string & Brand.Brand<"ReadId">
/** 32 bytes. */
export type IdentityId = string & Brand.Brand<"IdentityId">
/** 16 bytes, chosen by the creator of a group. */
export type Nonce = string & Brand.Brand<"Nonce">
/** A libp2p PeerId as text; `domain/node-id` reads it. */
export type NodeId = string & Brand.Brand<"NodeId">

const reader = <A extends string>(length: number) => (input: string): Result.Result<A, string> =>
  Bytes.parseHex(input, length) as Result.Result<A, string>

/** Reads an address in any case, with or without `0x`; the failure says what is wrong. */
export const parseAddress = reader<Address>(20)
export const parseChatId = reader<ChatId>(32)
export const parseMessageId = reader<MessageId>(32)
export const parseNonce = reader<Nonce>(16)

const tag = (name: string): Uint8Array => Bytes.fromText(`p2p-mes/${name}/v1`)
const tags = {
  dm: tag("dm"),
  group: tag("group"),
  msg: tag("msg"),
  op: tag("op"),
  read: tag("read"),
  identity: tag("identity"),
  request: tag("request")
}

const preimage = new ByteSink(4096)

/** An id begins with its tag; {@link idOf} ends it. */
const begin = (tag: Uint8Array): ByteSink => preimage.begin().bytes(tag)

const idOf = <A extends string>(hashes: Hashes, sink: ByteSink): A => Bytes.toHex(hashes.blake3(sink.view())) as A

/** `opt(x)` of SPEC: whether there is an x, which follows if so. */
const isGiven = (sink: ByteSink, x: unknown): boolean => {
  sink.u8(x === undefined ? 0 : 1)
  return x !== undefined
}

/** The chat of two users, the same from either side. A user may write to herself. */
export const dmChatId = (hashes: Hashes, a: Address, b: Address): ChatId =>
  idOf(hashes, begin(tags.dm).hex(a < b ? a : b).hex(a < b ? b : a))

export const groupChatId = (hashes: Hashes, creator: Address, nonce: Nonce): ChatId =>
  idOf(hashes, begin(tags.group).hex(creator).hex(nonce))

export interface MessageFields {
  readonly chatId: ChatId
  readonly sender: Address
  /** The author's time in ms: `X-Ts` of the request. */
  readonly ts: number
  /** 0..255, for the client to interpret. */
  readonly msgType: number
  readonly content: string
  /** Opaque bytes; empty is not absent. */
  readonly control?: Uint8Array | undefined
}

export const messageId = (hashes: Hashes, m: MessageFields): MessageId => {
  const sink = begin(tags.msg).hex(m.chatId).hex(m.sender).u64be(m.ts).u8(m.msgType).lengthAndText(4, m.content)
  if (isGiven(sink, m.control)) sink.u32be(m.control!.length).bytes(m.control!)
  return idOf(hashes, sink)
}

/** 0 create, 1 add, 2 remove, 3 set-title. */
export type OpType = 0 | 1 | 2 | 3
/** 0 member, 1 admin. */
export type RoleCode = 0 | 1

export interface OpFields {
  readonly chatId: ChatId
  readonly actor: Address
  readonly ts: number
  readonly node: NodeId
  readonly op: OpType
  readonly role: RoleCode
  /** Strictly ascending. */
  readonly targets: ReadonlyArray<Address>
  readonly title?: string | undefined
  readonly nonce?: Nonce | undefined
}

export const opId = (hashes: Hashes, o: OpFields): OpId => {
  const sink = begin(tags.op).hex(o.chatId).hex(o.actor).u64be(o.ts).lengthAndText(2, o.node).u8(o.op).u8(o.role)
  sink.u16be(o.targets.length)
  for (const target of o.targets) sink.hex(target)
  if (isGiven(sink, o.title)) sink.lengthAndText(2, o.title!)
  if (isGiven(sink, o.nonce)) sink.hex(o.nonce!)
  return idOf(hashes, sink)
}

export interface ReadFields {
  readonly chatId: ChatId
  readonly reader: Address
  readonly ts: number
  /** Everything at or below this position is read. */
  readonly upTo: Hlc
}

export const readId = (hashes: Hashes, r: ReadFields): ReadId =>
  idOf(hashes, begin(tags.read).hex(r.chatId).hex(r.reader).u64be(r.ts).u64be(r.upTo))

export interface IdentityFields {
  readonly address: Address
  readonly ts: number
  readonly blob: Uint8Array
}

export const identityId = (hashes: Hashes, i: IdentityFields): IdentityId =>
  idOf(hashes, begin(tags.identity).hex(i.address).u64be(i.ts).u16be(i.blob.length).bytes(i.blob))

/** What a call that creates no record signs: its method and its target, the path and query as sent. */
export const requestId = (hashes: Hashes, method: string, target: string): string =>
  idOf(hashes, begin(tags.request).text(method).text("\n").text(target))
