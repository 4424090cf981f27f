/**
 * The names of things: how each id is derived from what it names (SPEC §2). All are lower-case hex without `0x`,
 * see `bytes.ts`.
 */
import type * as Brand from "effect/Brand"
import type * as Result from "effect/Result"
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

const blake3Hex = <A extends string>(hashes: Hashes, parts: ReadonlyArray<Uint8Array>): A =>
  Bytes.toHex(hashes.blake3(Bytes.concat(parts))) as A

/** The chat of two users, the same from either side. A user may write to herself. */
export const dmChatId = (hashes: Hashes, a: Address, b: Address): ChatId =>
  blake3Hex(hashes, [tags.dm, Bytes.fromHex(a < b ? a : b), Bytes.fromHex(a < b ? b : a)])

export const groupChatId = (hashes: Hashes, creator: Address, nonce: Nonce): ChatId =>
  blake3Hex(hashes, [tags.group, Bytes.fromHex(creator), Bytes.fromHex(nonce)])

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

export const messageId = (hashes: Hashes, m: MessageFields): MessageId =>
  blake3Hex(hashes, [
    tags.msg,
    Bytes.fromHex(m.chatId),
    Bytes.fromHex(m.sender),
    Bytes.u64be(m.ts),
    Bytes.u8(m.msgType),
    Bytes.len32(Bytes.fromText(m.content)),
    Bytes.opt(m.control === undefined ? undefined : Bytes.len32(m.control))
  ])

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

export const opId = (hashes: Hashes, o: OpFields): OpId =>
  blake3Hex(hashes, [
    tags.op,
    Bytes.fromHex(o.chatId),
    Bytes.fromHex(o.actor),
    Bytes.u64be(o.ts),
    Bytes.len16(Bytes.fromText(o.node)),
    Bytes.u8(o.op),
    Bytes.u8(o.role),
    Bytes.u16be(o.targets.length),
    Bytes.fromHex(o.targets.join("")),
    Bytes.opt(o.title === undefined ? undefined : Bytes.len16(Bytes.fromText(o.title))),
    Bytes.opt(o.nonce === undefined ? undefined : Bytes.fromHex(o.nonce))
  ])

export interface ReadFields {
  readonly chatId: ChatId
  readonly reader: Address
  readonly ts: number
  /** Everything at or below this position is read. */
  readonly upTo: Hlc
}

export const readId = (hashes: Hashes, r: ReadFields): ReadId =>
  blake3Hex(hashes, [
    tags.read,
    Bytes.fromHex(r.chatId),
    Bytes.fromHex(r.reader),
    Bytes.u64be(r.ts),
    Bytes.u64be(r.upTo)
  ])

export interface IdentityFields {
  readonly address: Address
  readonly ts: number
  readonly blob: Uint8Array
}

export const identityId = (hashes: Hashes, i: IdentityFields): IdentityId =>
  blake3Hex(hashes, [tags.identity, Bytes.fromHex(i.address), Bytes.u64be(i.ts), Bytes.len16(i.blob)])

/** What a call that creates no record signs: its method and its target, the path and query as sent. */
export const requestId = (hashes: Hashes, method: string, target: string): string =>
  blake3Hex(hashes, [tags.request, Bytes.fromText(`${method}\n${target}`)])
