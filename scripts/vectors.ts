/**
 * Test vectors of the protocol, for implementations in any language: `test/vectors/*.json`, described in the README
 * beside them. Everything is derived from fixed keys and times, signatures are RFC 6979, so two runs give the same
 * bytes.
 *
 *     node scripts/vectors.ts            rewrite the files; a test fails while they differ from what the code gives
 *
 * What nodes say to each other is in `vectors-network.ts` and `vectors-sync.ts`.
 *
 * Hashes and signatures come from noble, not from the libraries that a node uses; Merkle hashes are worked out here,
 * without `domain/merkle`. So a vector that both sides meet was computed twice.
 */
import { ed25519, ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { blake3 } from "@noble/hashes/blake3.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { Result } from "effect"
import { writeFileSync } from "node:fs"
import * as Bytes from "../src/domain/bytes.ts"
import type { Hashes } from "../src/domain/hashing.ts"
import * as Hlc from "../src/domain/hlc.ts"
import * as Ids from "../src/domain/ids.ts"
import { nodeIdOf, type NodeKey } from "../src/domain/node-id.ts"
import {
  type Dot,
  dotOf,
  dotOpId,
  dotTarget,
  type Identity,
  type Message,
  type Op,
  type Read
} from "../src/domain/record.ts"
import type { Record as Rec, SigVersion } from "../src/domain/record.ts"
import * as Signature from "../src/domain/signature.ts"
import * as Variants from "../src/domain/variants.ts"
import * as Wire from "../src/domain/wire.ts"

/** The hash functions, by the reference library. */
export const hashes: Hashes = {
  blake3: (bytes) => blake3(bytes),
  blake3Keyed: (key) => (bytes) => blake3(bytes, { key }),
  keccak256: (bytes) => keccak_256(bytes)
}

export const hex = (bytes: Uint8Array | string): string => `0x${typeof bytes === "string" ? bytes : Bytes.toHex(bytes)}`
const repeat = (byte: string, count: number): string => byte.repeat(count)

// ---------------------------------------------------------------------------------------------------------------- keys

/** Address of a secp256k1 private key. */
export const addressOf = (privateKey: Uint8Array): Ids.Address =>
  Bytes.toHex(keccak_256(secp256k1.getPublicKey(privateKey, false).subarray(1)).subarray(12)) as Ids.Address

/** r || s || v over 32 bytes, low s. `salt` gives another valid signature of the same bytes. */
export const signDigest = (digest: Uint8Array, privateKey: Uint8Array, salt?: Uint8Array): Uint8Array => {
  const sig = secp256k1.sign(digest, privateKey, {
    prehash: false,
    format: "recovered",
    ...(salt === undefined ? {} : { extraEntropy: salt })
  })
  return Bytes.concat([sig.subarray(1), sig.subarray(0, 1)])
}

export interface NodePrivateKey {
  readonly type: NodeKey["type"]
  readonly privateKey: Uint8Array
}

export const nodeKeyOf = (node: NodePrivateKey): NodeKey => ({
  type: node.type,
  publicKey: node.type === "ed25519" ? ed25519.getPublicKey(node.privateKey) : secp256k1.getPublicKey(node.privateKey)
})

/** 64 bytes: Ed25519 over `bytes` themselves, secp256k1 r || s (low) over their SHA-256. */
export const signAsNode = (node: NodePrivateKey, bytes: Uint8Array, salt?: Uint8Array): Uint8Array =>
  node.type === "ed25519"
    ? ed25519.sign(bytes, node.privateKey)
    : signDigest(sha256(bytes), node.privateKey, salt).subarray(0, 64)

const user = (byte: string) => {
  const privateKey = Bytes.fromHex(repeat(byte, 32))
  return { privateKey, address: addressOf(privateKey) }
}
export const alice = user("11")
export const bob = user("22")
export const carol = user("33")
export const edNode: NodePrivateKey = { type: "ed25519", privateKey: Bytes.fromHex(repeat("44", 32)) }
export const edNode2: NodePrivateKey = { type: "ed25519", privateKey: Bytes.fromHex(repeat("66", 32)) }
const ecNode: NodePrivateKey = { type: "secp256k1", privateKey: Bytes.fromHex(repeat("55", 32)) }
export const networkKey = Bytes.fromHex(repeat("77", 32))
const nonce = "000102030405060708090a0b0c0d0e0f" as Ids.Nonce
export const ts = 1_700_000_000_000
const tsMax = 2 ** 48 - 1

// -------------------------------------------------------------------------------------------------------------- sealing

export type Unsigned<R extends Rec> = Omit<R, "id" | "sig" | "sigVersion" | "node" | "stamp">

export interface Seal {
  readonly user: { readonly privateKey: Uint8Array }
  readonly node: NodePrivateKey
  readonly sigVersion?: SigVersion
  readonly salt?: Uint8Array
  readonly stampSalt?: Uint8Array
}

const idOf = (record: Rec): string => {
  switch (record.kind) {
    case "message":
      return Ids.messageId(hashes, record)
    case "op":
      return Ids.opId(hashes, record)
    case "read":
      return Ids.readId(hashes, record)
    case "identity":
      return Ids.identityId(hashes, record)
  }
}

/** Names, signs and, for an op, stamps a record. */
export const seal = <R extends Rec>(fields: Unsigned<R>, by: Seal): R => {
  const draft = { ...fields, node: nodeIdOf(nodeKeyOf(by.node)), sigVersion: by.sigVersion ?? 1 } as unknown as Rec
  const named = { ...draft, id: idOf(draft) } as Rec
  const sig = signDigest(Signature.recordDigest(hashes, named), by.user.privateKey, by.salt)
  const signed = { ...named, sig }
  if (signed.kind !== "op") return signed as unknown as R
  const stamp = signAsNode(by.node, Signature.stampDigest(hashes, signed), by.stampSalt)
  return { ...signed, stamp } as unknown as R
}

/** Reads one item of well-formed CBOR: the few types that records are made of. Byte strings become hex. */
const cborItem = (bytes: Uint8Array, at: number): { readonly value: unknown; readonly end: number } => {
  const major = bytes[at]! >>> 5
  const minor = bytes[at]! & 31
  const size = minor < 24 ? 0 : 1 << (minor - 24)
  const argument = size === 0 ? minor : Number(BigInt(hex(bytes.subarray(at + 1, at + 1 + size))))
  let end = at + 1 + size
  if (major === 0) return { value: argument, end }
  if (major === 2 || major === 3) {
    const body = bytes.subarray(end, end + argument)
    return { value: major === 2 ? hex(body) : Bytes.toText(body), end: end + argument }
  }
  if (major !== 4) throw new Error(`major type ${major} is not used in records`)
  const items: Array<unknown> = []
  for (let i = 0; i < argument; i++) {
    const item = cborItem(bytes, end)
    items.push(item.value)
    end = item.end
  }
  return { value: items, end }
}

/** Entries of a record's map in their order: key, value as JSON, and the bytes of the value. */
const wireEntries = (record: Rec): Array<readonly [key: string, value: unknown, bytes: Uint8Array]> => {
  const bytes = Wire.encode(record)
  const entries: Array<readonly [string, unknown, Uint8Array]> = []
  // no record has 24 keys: the head of its map is one byte
  for (let at = 1; at < bytes.length;) {
    const key = cborItem(bytes, at)
    const value = cborItem(bytes, key.end)
    entries.push([key.value as string, value.value, bytes.slice(key.end, value.end)])
    at = value.end
  }
  return entries
}

/** A record as JSON: byte strings in hex, keys as in its wire form. */
export const toJson = (record: Rec): { readonly [key: string]: unknown } =>
  Object.fromEntries(wireEntries(record).map(([key, value]) => [key, value]))

// ------------------------------------------------------------------------------------------------------------- records

const dmChat = Ids.dmChatId(hashes, alice.address, bob.address)
const groupChat = Ids.groupChatId(hashes, alice.address, nonce)
const hlc = Hlc.make(ts + 5, 0)
const sorted = (...addresses: ReadonlyArray<Ids.Address>): ReadonlyArray<Ids.Address> => [...addresses].sort()
const byAlice: Seal = { user: alice, node: edNode }

export const message = (change: Partial<Message> = {}, by: Partial<Seal> = {}): Message =>
  seal<Message>(
    {
      kind: "message",
      chatId: dmChat,
      sender: alice.address,
      peer: bob.address,
      ts,
      msgType: 0,
      content: "héllo",
      hlc,
      ...change
    },
    { ...byAlice, ...by }
  )

export const op = (change: Partial<Op>, by: Partial<Seal> = {}): Op =>
  seal<Op>(
    { kind: "op", chatId: groupChat, actor: alice.address, ts, op: 1, role: 0, targets: [bob.address], hlc, ...change },
    { ...byAlice, ...by }
  )

export const read = (change: Partial<Read> = {}, by: Partial<Seal> = {}): Read =>
  seal<Read>(
    {
      kind: "read",
      chatId: dmChat,
      reader: bob.address,
      peer: alice.address,
      ts,
      upTo: Hlc.make(ts, 1),
      hlc,
      ...change
    },
    { user: bob, node: edNode, ...by }
  )

export const identity = (change: Partial<Identity> = {}, by: Partial<Seal> = {}): Identity =>
  seal<Identity>(
    { kind: "identity", address: alice.address, ts, blob: Uint8Array.of(1, 2, 3), hlc, ...change },
    { ...byAlice, ...by }
  )

export const create = op({ op: 0, targets: sorted(bob.address, carol.address), title: "plan", nonce })
const promote = op({ role: 1, targets: [bob.address], hlc: Hlc.make(ts + 6, 0) })
const observed = [dotOf(create.id, bob.address), dotOf(promote.id, bob.address)].sort() as Array<Dot>

const { peer: _peer, ...groupMessage } = message({ chatId: groupChat, content: "to the group" })
const { peer: _peer2, ...groupRead } = read({ chatId: groupChat })

const goodRecords: ReadonlyArray<readonly [name: string, record: Rec]> = [
  ["message to a peer", message()],
  [
    "message with empty content and control, EIP-191",
    message({ content: "", control: new Uint8Array(), msgType: 255 }, {
      sigVersion: 2
    })
  ],
  ["message that begins with U+FEFF, which is content like any other", message({ content: "\ufeffbom", msgType: 24 })],
  [
    "message to oneself",
    message({
      chatId: Ids.dmChatId(hashes, alice.address, alice.address),
      peer: alice.address,
      control: Uint8Array.of(0, 255)
    })
  ],
  ["message in a group, through a secp256k1 node", seal<Message>(groupMessage, { user: alice, node: ecNode })],
  ["message with the earliest time", message({ ts: 1, hlc: Hlc.make(90_001, 65_535) })],
  ["message with the last time", message({ ts: tsMax, hlc: Hlc.make(tsMax, 0) })],
  ["op create with members and a title", create],
  ["op create without members or title", op({ op: 0, targets: [], nonce })],
  ["op add of an admin", promote],
  ["op add through a secp256k1 node", op({ targets: sorted(bob.address, carol.address) }, { node: ecNode })],
  ["op remove that observed two dots", op({ op: 2, observed, hlc: Hlc.make(ts + 7, 0) })],
  ["op remove that observed nothing", op({ op: 2, targets: [carol.address], observed: [] })],
  ["op leave", op({ op: 2, actor: bob.address, observed }, { user: bob })],
  ["op set-title to nothing", op({ op: 3, targets: [], title: "" })],
  ["read mark of a direct conversation", read()],
  ["read mark of a group", seal<Read>(groupRead, { user: bob, node: edNode })],
  ["read mark up to its own stamp", read({ upTo: hlc })],
  ["identity", identity()],
  ["identity, empty", identity({ blob: new Uint8Array() })]
]

const records = () => ({
  note:
    "fields: the record as JSON, byte strings in hex; cbor: its wire form; digests: of its Merkle leaf, without and "
    + "with the network key. All signatures and stamps are valid.",
  network_key: hex(networkKey),
  records: goodRecords.map(([name, record]) => ({
    name,
    kind: record.kind,
    fields: toJson(record),
    cbor: hex(Wire.encode(record)),
    id: hex(record.id),
    bucket: Number.parseInt(record.id.slice(0, 4), 16),
    leaf_digest: hex(Wire.leafDigest(hashes.blake3, record)),
    leaf_digest_keyed: hex(Wire.leafDigest(hashes.blake3Keyed(networkKey), record))
  }))
})

// ----------------------------------------------------------------------------------------------------------------- ids

/** The hash functions, keeping the last input of BLAKE3. */
const recorder = () => {
  const seen = { input: new Uint8Array() }
  return { seen, hashes: { ...hashes, blake3: (bytes: Uint8Array) => blake3(seen.input = new Uint8Array(bytes)) } }
}

const ids = () => {
  const { hashes: recording, seen } = recorder()
  const named = <A extends object>(name: string, input: A, id: string) => ({
    name,
    ...input,
    preimage: hex(seen.input),
    id: hex(id)
  })
  const dm = (name: string, a: Ids.Address, b: Ids.Address) =>
    named(name, { a: hex(a), b: hex(b) }, Ids.dmChatId(recording, a, b))
  const pick = (record: Rec, keys: ReadonlyArray<string>) => {
    const json = toJson(record)
    return Object.fromEntries(keys.flatMap((key) => key in json ? [[key, json[key]]] : []))
  }
  const ofKind = <K extends Rec["kind"]>(kind: K) =>
    goodRecords.filter((entry): entry is readonly [string, Extract<Rec, { kind: K }>] => entry[1].kind === kind)
  const long = message({ content: "x".repeat(300) })
  const messageKeys = ["chat_id", "sender", "ts", "msg_type", "content", "control"]
  return {
    note: "preimage: what BLAKE3 hashes.",
    dm_chat_id: [
      dm("a above b", alice.address, bob.address),
      dm("b above a", bob.address, alice.address),
      dm("self", alice.address, alice.address)
    ],
    group_chat_id: [
      named(
        "group",
        { creator: hex(alice.address), nonce: hex(nonce) },
        Ids.groupChatId(recording, alice.address, nonce)
      )
    ],
    msg_id: [
      ...ofKind("message"),
      ["control absent", message({ content: "" })] as const,
      ["control empty", message({ content: "", control: new Uint8Array() })] as const,
      ["content of 300 bytes", long] as const
    ].map(([name, record]) => named(name, pick(record, messageKeys), Ids.messageId(recording, record))),
    op_id: ofKind("op").map(([name, record]) =>
      named(
        name,
        pick(record, ["chat_id", "actor", "ts", "node", "op", "role", "targets", "title", "nonce"]),
        Ids.opId(recording, record)
      )
    ),
    read_id: ofKind("read").map(([name, record]) =>
      named(name, pick(record, ["chat_id", "reader", "ts", "up_to"]), Ids.readId(recording, record))
    ),
    identity_id: ofKind("identity").map(([name, record]) =>
      named(name, pick(record, ["address", "ts", "blob"]), Ids.identityId(recording, record))
    ),
    request_id: [
      ["GET", "/conversations?limit=10"],
      ["GET", "/conversations"],
      ["GET", "/groups/0xAB/members?x=%2F%20"]
    ].map(([method, target]) => named(method!, { method, target }, Ids.requestId(recording, method!, target!)))
  }
}

// ---------------------------------------------------------------------------------------------------------- signatures

const signatures = () => {
  const node = nodeIdOf(nodeKeyOf(edNode))
  const purposes: ReadonlyArray<readonly [Signature.Purpose, number, string]> = [
    ["message", ts, message().id],
    ["op", ts, create.id],
    ["read", 1, read().id],
    ["identity", tsMax, identity().id],
    ["request", ts, Ids.requestId(hashes, "GET", "/conversations?limit=10")]
  ]
  return {
    keys: [alice, bob, carol].map(({ privateKey, address }) => ({
      private_key: hex(privateKey),
      public_key: hex(secp256k1.getPublicKey(privateKey, false)),
      address: hex(address)
    })),
    strings: purposes.flatMap(([purpose, time, digest]) =>
      ([1, 2] as const).flatMap((version) => {
        const text = Signature.stringToSign(purpose, time, node, digest)
        const signed = Signature.signedDigest(hashes, version, text)
        return [alice, bob].map(({ privateKey, address }) => ({
          purpose,
          ts: time,
          node,
          digest,
          sig_version: version,
          string_to_sign: text,
          signed_digest: hex(signed),
          private_key: hex(privateKey),
          address: hex(address),
          sig: hex(signDigest(signed, privateKey))
        }))
      })
    )
  }
}

const order = secp256k1.Point.Fn.ORDER
const scalar = (x: bigint): Uint8Array => Bytes.fromHex(x.toString(16).padStart(64, "0"))

const signatureHeaders = () => {
  const sig = message().sig
  const r = sig.subarray(0, 32)
  const s = sig.subarray(32, 64)
  const v = sig[64]!
  const of = (r: Uint8Array, s: Uint8Array, v: number): string => Bytes.toHex(Bytes.concat([r, s, Bytes.u8(v)]))
  const highS = scalar(order - BigInt(`0x${Bytes.toHex(s)}`))
  const zero = new Uint8Array(32)
  const good = of(r, s, v)
  const half = scalar(order / 2n)
  const accepted: ReadonlyArray<readonly [string, string, string]> = [
    ["v as 0 or 1", good, good],
    ["v as 27 or 28", of(r, s, v + 27), good],
    ["with 0x", `0x${good}`, good],
    ["upper case", good.toUpperCase(), good],
    ["s is n/2 rounded down: the highest", of(r, half, 0), of(r, half, 0)],
    ["r is n-1: the highest", of(scalar(order - 1n), s, 0), of(scalar(order - 1n), s, 0)],
    ["r and s are 1: the lowest", of(scalar(1n), scalar(1n), 28), of(scalar(1n), scalar(1n), 1)]
  ]
  const refused: ReadonlyArray<readonly [string, string]> = [
    ["63 bytes", good.slice(4)],
    ["64 bytes", good.slice(0, 128)],
    ["66 bytes", `${good}00`],
    ["empty", ""],
    ["half a byte more", `${good}0`],
    ["not hex", `${good.slice(0, -1)}g`],
    ["high s", of(r, highS, 1 - v)],
    ["s is n/2 rounded up", of(r, scalar(order / 2n + 1n), 0)],
    ["s is zero", of(r, zero, 0)],
    ["s is n", of(r, scalar(order), 0)],
    ["r is zero", of(zero, s, 0)],
    ["r is n", of(scalar(order), s, 0)],
    ["r is 2^256-1", of(new Uint8Array(32).fill(255), s, 0)],
    ...[2, 3, 26, 29, 31, 255].map((v) => [`v is ${v}`, of(r, s, v)] as const)
  ]
  return {
    note:
      "X-Sig header values. stored: r || s || v as a record keeps it. Refused ones are refused before any recovery.",
    accepted: accepted.map(([name, header, stored]) => ({ name, header, stored: hex(stored) })),
    refused: refused.map(([reason, header]) => ({ reason, header }))
  }
}

// --------------------------------------------------------------------------------------------------------- node keys

const nodeJson = (node: NodePrivateKey) => ({
  key_type: node.type,
  private_key: hex(node.privateKey),
  public_key: hex(nodeKeyOf(node).publicKey),
  node: nodeIdOf(nodeKeyOf(node))
})

const littleEndian = (bytes: Uint8Array): bigint => BigInt(hex(new Uint8Array(bytes).reverse()))

/**
 * A signature that meets the equation of Ed25519 times the cofactor but not the equation itself: its key is a sound
 * one plus a point of order 8.
 */
const cofactored = (digest: Uint8Array) => {
  const { head, scalar: a } = ed25519.utils.getExtendedPublicKey(edNode.privateKey)
  const order = ed25519.Point.Fn.ORDER
  const publicKey = ed25519.Point.BASE.multiply(a).add(ed25519.Point.fromHex(ED25519_TORSION_SUBGROUP[1]!)).toBytes()
  for (let counter = 0;; counter++) {
    const r = littleEndian(sha512(Bytes.concat([head, Bytes.u32be(counter)]))) % order
    const R = ed25519.Point.BASE.multiply(r).toBytes()
    const k = littleEndian(sha512(Bytes.concat([R, publicKey, digest]))) % order
    if (k % 8n === 0n) continue
    const S = Bytes.fromHex(((r + k * a) % order).toString(16).padStart(64, "0")).reverse()
    return { publicKey, signature: Bytes.concat([R, S]) }
  }
}

const stamps = () => {
  const valid = [
    ["add: nothing observed, which is not the empty list", promote, edNode] as const,
    ["remove that observed the empty list", op({ op: 2, targets: [carol.address], observed: [] }), edNode] as const,
    ["remove that observed two dots", op({ op: 2, observed }, { node: ecNode }), ecNode] as const,
    ["create through a secp256k1 node", op({ op: 0, targets: [], nonce }, { node: ecNode }), ecNode] as const
  ].map(([name, record, node]) => {
    const { hashes: recording, seen } = recorder()
    const digest = Signature.stampDigest(recording, record)
    return {
      name,
      ...nodeJson(node),
      op_id: hex(record.id),
      hlc: Hlc.toText(record.hlc),
      ...(record.observed === undefined
        ? {}
        : { observed: record.observed.map((dot) => [hex(dotOpId(dot)), hex(dotTarget(dot))]) }),
      preimage: hex(seen.input),
      digest: hex(digest),
      stamp: hex(record.stamp)
    }
  })
  const digest = Signature.stampDigest(hashes, promote)
  const edSig = signAsNode(edNode, digest)
  const ecSig = signAsNode(ecNode, digest)
  const edKey = nodeKeyOf(edNode).publicKey
  const ecKey = nodeKeyOf(ecNode).publicKey
  const order25519 = ed25519.Point.Fn.ORDER
  const S = littleEndian(edSig.subarray(32)) + order25519
  const smallOrder = Bytes.fromHex(`01${repeat("00", 31)}`)
  const mixed = cofactored(digest)
  const invalid: ReadonlyArray<readonly [string, NodeKey["type"], Uint8Array, Uint8Array]> = [
    ["another message", "ed25519", edKey, signAsNode(edNode, hashes.blake3(digest))],
    ["SHA-256 of the digest signed", "ed25519", edKey, signAsNode(edNode, sha256(digest))],
    [
      "S plus the order of the group: not canonical",
      "ed25519",
      edKey,
      Bytes.concat([edSig.subarray(0, 32), Bytes.fromHex(S.toString(16).padStart(64, "0")).reverse()])
    ],
    [
      "small-order key, R the neutral point, S zero",
      "ed25519",
      smallOrder,
      Bytes.concat([smallOrder, new Uint8Array(32)])
    ],
    [
      "the neutral point as key in a form that is not canonical",
      "ed25519",
      Bytes.fromHex(`ee${repeat("ff", 30)}7f`),
      Bytes.concat([smallOrder, new Uint8Array(32)])
    ],
    ["holds only when multiplied by the cofactor", "ed25519", mixed.publicKey, mixed.signature],
    [
      "the digest itself signed, without SHA-256",
      "secp256k1",
      ecKey,
      signDigest(digest, ecNode.privateKey).subarray(0, 64)
    ],
    [
      "high s",
      "secp256k1",
      ecKey,
      Bytes.concat([
        ecSig.subarray(0, 32),
        scalar(order - BigInt(hex(ecSig.subarray(32))))
      ])
    ],
    ["r is zero", "secp256k1", ecKey, Bytes.concat([new Uint8Array(32), ecSig.subarray(32)])],
    ["another key", "secp256k1", secp256k1.getPublicKey(alice.privateKey), ecSig]
  ]
  return {
    note: "digest is BLAKE3 of preimage. Ed25519 signs the digest as its message, secp256k1 SHA-256 of the digest.",
    valid,
    invalid: invalid.map(([reason, type, publicKey, signature]) => ({
      reason,
      key_type: type,
      public_key: hex(publicKey),
      node: nodeIdOf({ type, publicKey }),
      digest: hex(digest),
      stamp: hex(signature)
    }))
  }
}

const challenge = () => {
  const bytes = Bytes.fromHex(repeat("a5", 32))
  return {
    note: "GET /node?challenge=: Ed25519 signs the message itself, secp256k1 its SHA-256.",
    cases: [edNode, ecNode].map((node) => {
      const message = Signature.challengeBytes(bytes, nodeIdOf(nodeKeyOf(node)))
      return {
        ...nodeJson(node),
        challenge: hex(bytes),
        message: hex(message),
        signature: hex(signAsNode(node, message))
      }
    })
  }
}

// --------------------------------------------------------------------------------------------------- clock, variants

const clock = () => {
  const at = (ms: number, logical: number) => Hlc.toText(Hlc.make(ms, logical))
  const stamp = (text: string) => Result.getOrThrow(Hlc.parse(text))
  const send = (last: string, wall: number) => ({ last, wall, hlc: Hlc.toText(Hlc.send(stamp(last), wall)) })
  const receive = (last: string, remote: string, wall: number) => {
    const out = Hlc.receive(stamp(last), stamp(remote), wall)
    return { last, remote, wall, ...(Result.isSuccess(out) ? { hlc: Hlc.toText(out.success) } : { early: true }) }
  }
  return {
    send: [
      send(at(0, 0), ts),
      send(at(ts, 7), ts + 1),
      send(at(ts, 7), ts),
      send(at(ts, 7), ts - 500),
      send(at(ts, 65_534), ts),
      send(at(ts, 65_535), ts),
      send(at(ts, 65_535), ts + 1)
    ],
    receive: [
      receive(at(ts, 3), at(ts, 9), ts),
      receive(at(ts, 9), at(ts, 3), ts),
      receive(at(ts, 3), at(ts + 10, 9), ts),
      receive(at(ts + 10, 3), at(ts, 9), ts),
      receive(at(ts, 3), at(ts, 9), ts + 10),
      receive(at(ts, 3), at(ts, 65_535), ts),
      receive(at(ts, 3), at(ts + 60_000, 0), ts),
      receive(at(ts, 3), at(ts + 60_001, 0), ts)
    ]
  }
}

const variants = () => {
  const salt = new Uint8Array(32).fill(9)
  const later = Hlc.make(ts + 6, 0)
  const remove = (change: Partial<Op> = {}, by: Partial<Seal> = {}) => op({ op: 2, observed, ...change }, by)
  const pairs: ReadonlyArray<readonly [string, Rec, Rec]> = [
    ["message: smaller hlc", message(), message({ hlc: later })],
    ["message: node id decides, as text", message(), message({}, { node: ecNode })],
    ["message: smaller sig_version", message(), message({}, { sigVersion: 2 })],
    ["message: smaller sig", message(), message({}, { salt })],
    ["op: smaller hlc", remove(), remove({ hlc: later })],
    ["op: observed, by its hashed bytes: fewer first", remove(), remove({ observed: observed.slice(0, 1) })],
    ["op: observed of one length", remove({ observed: observed.slice(0, 1) }), remove({ observed: observed.slice(1) })],
    ["op: smaller sig_version", remove(), remove({}, { sigVersion: 2 })],
    ["op: smaller sig", remove(), remove({}, { salt })],
    ["op: smaller stamp", remove({}, { node: ecNode }), remove({}, { node: ecNode, stampSalt: salt })],
    ["read: higher up_to, whatever the hlc", read({ hlc: later }), read({ upTo: hlc })],
    ["read: higher hlc", read(), read({ hlc: later })],
    ["read: higher id", read(), read({ ts: ts + 1 })],
    ["read: higher node", read(), read({}, { node: edNode2 })],
    ["read: higher sig_version", read(), read({}, { sigVersion: 2 })],
    ["read: higher sig", read(), read({}, { salt })],
    ["identity: higher hlc", identity(), identity({ hlc: later, blob: new Uint8Array() })],
    ["identity: higher id", identity(), identity({ blob: new Uint8Array() })],
    ["identity: higher node", identity(), identity({}, { node: edNode2 })],
    ["identity: higher sig_version", identity(), identity({}, { sigVersion: 2 })],
    ["identity: higher sig", identity(), identity({}, { salt })]
  ]
  return {
    note: "Two records for one slot and the one that stays everywhere.",
    pairs: pairs.map(([name, a, b]) => ({
      name,
      kind: a.kind,
      a: hex(Wire.encode(a)),
      b: hex(Wire.encode(b)),
      winner: Variants.wins(a, b) ? "a" : "b"
    }))
  }
}

// -------------------------------------------------------------------------------------------------------------- Merkle

const merkle = () => {
  const emptyHashes = [blake3(new Uint8Array(36))]
  for (let level = 1; level <= 4; level++)
    emptyHashes.push(blake3(Bytes.concat(Array(16).fill(emptyHashes[level - 1]))))
  const tree = (name: string, entries: ReadonlyArray<readonly [id: string, digest: bigint]>) => {
    const buckets = new Map<number, { sum: bigint; count: number }>()
    for (const [id, digest] of entries) {
      const bucket = Number.parseInt(id.slice(0, 4), 16)
      const { count, sum } = buckets.get(bucket) ?? { sum: 0n, count: 0 }
      buckets.set(bucket, { sum: (sum + digest) % (1n << 256n), count: count + 1 })
    }
    let level = new Map<number, Uint8Array>()
    const leaves = [...buckets].sort(([a], [b]) => a - b).map(([bucket, { count, sum }]) => {
      const hash = blake3(Bytes.concat([scalar(sum), Bytes.u32be(count)]))
      level.set(bucket, hash)
      return { bucket, sum: hex(scalar(sum)), count, hash: hex(hash) }
    })
    const inner: Array<{ nodes: number; index: number; hash: string }> = []
    for (const [depth, nodes] of [4096, 256, 16, 1].entries()) {
      const above = new Map<number, Uint8Array>()
      for (const index of new Set([...level.keys()].map((child) => child >> 4))) {
        const children = Array.from({ length: 16 }, (_, i) => level.get(index * 16 + i) ?? emptyHashes[depth]!)
        above.set(index, blake3(Bytes.concat(children)))
        inner.push({ nodes, index, hash: hex(above.get(index)!) })
      }
      level = above
    }
    return {
      name,
      records: entries.map(([id, digest]) => ({ id: hex(id), digest: hex(scalar(digest)) })),
      leaves,
      inner,
      root: hex(level.get(0) ?? emptyHashes[4]!)
    }
  }
  const id = (bucket: string, tail: string) => `${bucket}${tail.repeat(30)}`
  const real = goodRecords.map(([, record]) =>
    [record.id, BigInt(hex(Wire.leafDigest(hashes.blake3, record)))] as const
  )
  return {
    note:
      "leaf: digests summed modulo 2^256, and their number; empty: the hash of a leaf and of the nodes above it while "
      + "nothing is below. nodes: how many there are at that level (1 is the root).",
    empty: emptyHashes.map((hash, i) => ({ nodes: 65_536 / 16 ** i, hash: hex(hash) })),
    trees: [
      tree("empty", []),
      tree("one record", [[id("0000", "00"), 1n]]),
      tree("two records in the first and the last bucket", [[id("0000", "01"), 5n], [id("ffff", "01"), 7n]]),
      tree("two records in one bucket", [[id("abcd", "01"), 5n], [id("abcd", "02"), 7n]]),
      tree("a sum that passes 2^256", [[id("abcd", "01"), (1n << 256n) - 1n], [id("abcd", "02"), 1n]]),
      tree("three equal digests, which XOR could not count", [1, 2, 3].map((i) => [id("abcd", `0${i}`), 5n] as const)),
      tree("the distinct records of records.json", [...new Map(real)])
    ]
  }
}

// ------------------------------------------------------------------------------------------------------------- invalid

/** Head of a CBOR item: major type and argument, in the shortest form or in `width` bytes (0, 1, 2, 4, 8). */
export const cborHead = (major: number, argument: number, width?: 0 | 1 | 2 | 4 | 8): Uint8Array => {
  const size = width ??
    (argument < 24 ? 0 : argument < 0x100 ? 1 : argument < 0x1_0000 ? 2 : argument < 2 ** 32 ? 4 : 8)
  const extra = size === 0 ? argument : { 1: 24, 2: 25, 4: 26, 8: 27 }[size]
  return Bytes.concat([
    Bytes.u8((major << 5) | extra),
    size === 0 ? new Uint8Array() : Bytes.u64be(argument).slice(8 - size)
  ])
}

export const cborText = (text: string): Uint8Array =>
  Bytes.concat([cborHead(3, Bytes.fromText(text).length), Bytes.fromText(text)])
export const cborBytes = (bytes: Uint8Array): Uint8Array => Bytes.concat([cborHead(2, bytes.length), bytes])

/** Entries of a record's map, in their order: each key, and the bytes of its value as they stand in the wire form. */
export const cborEntries = (record: Rec): Array<[key: string, value: Uint8Array]> =>
  wireEntries(record).map(([key, , bytes]) => [key, bytes])

export const cborMap = (entries: ReadonlyArray<readonly [key: string, value: Uint8Array]>): Uint8Array =>
  Bytes.concat([cborHead(5, entries.length), ...entries.flatMap(([key, value]) => [cborText(key), value])])

const invalidWire = () => {
  const entries = cborEntries(identity())
  const sameKeys = (change: { readonly [key: string]: Uint8Array }) =>
    cborMap(entries.map(([key, value]) => [key, change[key] ?? value]))
  const good = cborMap(entries)
  const keys = entries.map(([key]) => key)
  const ofMessage = cborEntries(message())
  const cases: ReadonlyArray<readonly [string, Rec["kind"], Uint8Array]> = [
    ["nothing", "identity", new Uint8Array()],
    ["a byte after the end", "identity", Bytes.concat([good, Bytes.u8(0)])],
    ["the last byte missing", "identity", good.slice(0, -1)],
    ["not a map", "identity", Bytes.concat([cborHead(4, 0)])],
    ["keys not sorted", "identity", cborMap([entries[1]!, entries[0]!, ...entries.slice(2)])],
    ["a key twice", "identity", cborMap([entries[0]!, ...entries])],
    ["a key too many", "identity", cborMap([...entries, ["zzzzzzzzzzzz", cborHead(0, 0)]])],
    ["the id sent along", "identity", cborMap([["id", cborBytes(Bytes.fromHex(identity().id))], ...entries])],
    ...keys.map((key) => [`${key} missing`, "identity", cborMap(entries.filter(([name]) => name !== key))] as const),
    ["ts as a negative integer", "identity", sameKeys({ ts: cborHead(1, 5) })],
    ["ts as a float", "identity", sameKeys({ ts: Bytes.fromHex("fb4278bcfe56800000") })],
    ["ts as a tagged big number", "identity", sameKeys({ ts: Bytes.fromHex("c24106") })],
    ["ts of 2^53", "identity", sameKeys({ ts: cborHead(0, 2 ** 53) })],
    ["sig_version in two bytes", "identity", sameKeys({ sig_version: cborHead(0, 1, 1) })],
    ["sig_version 0", "identity", sameKeys({ sig_version: cborHead(0, 0) })],
    ["sig_version 3", "identity", sameKeys({ sig_version: cborHead(0, 3) })],
    [
      "blob with its length in two bytes",
      "identity",
      sameKeys({ blob: Bytes.concat([cborHead(2, 3, 1), Uint8Array.of(1, 2, 3)]) })
    ],
    ["blob of indefinite length", "identity", sameKeys({ blob: Bytes.fromHex("5f43010203ff") })],
    ["blob as text", "identity", sameKeys({ blob: cborText("abc") })],
    ["blob null", "identity", sameKeys({ blob: Uint8Array.of(0xf6) })],
    ["blob that claims 2^32-1 bytes", "identity", sameKeys({ blob: cborHead(2, 2 ** 32 - 1) })],
    ["blob that claims 2^53 bytes", "identity", sameKeys({ blob: cborHead(2, 2 ** 53) })],
    ["address of 19 bytes", "identity", sameKeys({ address: cborBytes(new Uint8Array(19)) })],
    ["hlc of 9 bytes", "identity", sameKeys({ hlc: cborBytes(new Uint8Array(9)) })],
    ["hlc as an integer", "identity", sameKeys({ hlc: cborHead(0, ts) })],
    ["sig of 64 bytes", "identity", sameKeys({ sig: cborBytes(new Uint8Array(64)) })],
    ["node as bytes", "identity", sameKeys({ node: cborBytes(Bytes.fromText(identity().node)) })],
    ["a map of indefinite length", "identity", Bytes.concat([Bytes.u8(0xbf), good.subarray(1), Bytes.u8(0xff)])],
    ["a tag around the map", "identity", Bytes.concat([Bytes.fromHex("d9d9f7"), good])],
    ["a message read as an identity", "identity", Wire.encode(message())],
    ["an identity read as a message", "message", good],
    [
      "content not UTF-8",
      "message",
      cborMap(ofMessage.map(([key, value]) => [key, key === "content" ? Bytes.fromHex("62c328") : value]))
    ],
    [
      "content with a surrogate in UTF-8",
      "message",
      cborMap(ofMessage.map(([key, value]) => [key, key === "content" ? Bytes.fromHex("63eda080") : value]))
    ],
    [
      "msg_type 256",
      "message",
      cborMap(ofMessage.map(([key, value]) => [key, key === "msg_type" ? cborHead(0, 256) : value]))
    ],
    [
      "peer null",
      "message",
      cborMap(ofMessage.map(([key, value]) => [key, key === "peer" ? Uint8Array.of(0xf6) : value]))
    ]
  ]
  return {
    note: "Bytes that are no record of their kind, whatever signatures say.",
    cases: cases.map(([reason, kind, bytes]) => ({ reason, kind, cbor: hex(bytes) }))
  }
}

const invalidRecords = () => {
  const many = Array.from({ length: 257 }, (_, i) => Bytes.toHex(Bytes.u64be(i + 1)).padStart(40, "0") as Ids.Address)
  const cases: ReadonlyArray<readonly [string, string, Rec]> = [
    ["ts 0", "ts", message({ ts: 0, hlc: Hlc.make(0, 0) })],
    ["ts 2^48", "ts", message({ ts: 2 ** 48, hlc: Hlc.make(tsMax, 0) })],
    ["stamp 90 001 ms after ts", "hlc", message({ hlc: Hlc.make(ts + 90_001, 0) })],
    ["stamp 90 001 ms before ts", "hlc", message({ hlc: Hlc.make(ts - 90_001, 0) })],
    ["chat of two others", "chat_id", message({ peer: carol.address })],
    ["read up_to above the stamp", "up_to", read({ upTo: (hlc + 1n) as Hlc.Hlc })],
    ["identity of 129 bytes", "blob", identity({ blob: new Uint8Array(129) })],
    ["title of 129 bytes", "title", op({ op: 3, targets: [], title: `${"é".repeat(64)}x` })],
    ["257 targets", "targets", op({ targets: many })],
    ["targets not ascending", "targets", op({ targets: [...sorted(bob.address, carol.address)].reverse() })],
    ["a target twice", "targets", op({ targets: [bob.address, bob.address] })],
    ["add without targets", "targets", op({ targets: [] })],
    ["set-title with a target", "targets", op({ op: 3, title: "x" })],
    ["create that names its creator", "targets", op({ op: 0, targets: [alice.address], nonce })],
    ["create without nonce", "nonce", op({ op: 0 })],
    ["create whose chat is not derived", "chat_id", op({ op: 0, nonce, chatId: dmChat })],
    ["add with a nonce", "nonce", op({ nonce })],
    ["add with a title", "title", op({ title: "x" })],
    ["set-title without title", "title", op({ op: 3, targets: [] })],
    ["remove with role admin", "role", op({ op: 2, role: 1, observed: [] })],
    ["remove without observed", "observed", op({ op: 2 })],
    ["add with observed", "observed", op({ observed: [] })],
    ["observed not ascending", "observed", op({ op: 2, observed: [...observed].reverse() })]
  ]
  return {
    note: "Well-formed bytes, validly signed, of records that are invalid for ever. field: the key at fault.",
    cases: cases.map(([reason, field, record]) => ({
      reason,
      kind: record.kind,
      field,
      cbor: hex(Wire.encode(record))
    }))
  }
}

/** All files of records by name; the value of each is written as JSON. */
export const build = (): { readonly [file: string]: unknown } => ({
  "ids.json": ids(),
  "signatures.json": signatures(),
  "signature-headers.json": signatureHeaders(),
  "records.json": records(),
  "stamps.json": stamps(),
  "challenge.json": challenge(),
  "clock.json": clock(),
  "variants.json": variants(),
  "merkle.json": merkle(),
  "invalid-wire.json": invalidWire(),
  "invalid-records.json": invalidRecords()
})

export const toText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

const write = async (): Promise<void> => {
  const folder = new URL("../test/vectors/", import.meta.url)
  const [network, sync] = [await import("./vectors-network.ts"), await import("./vectors-sync.ts")]
  const files = { ...build(), ...network.build(), ...await sync.build() }
  for (const [file, value] of Object.entries(files)) writeFileSync(new URL(file, folder), toText(value))
}

// not awaited here: the other modules import this one, and would wait for it
if (import.meta.main) void write()
