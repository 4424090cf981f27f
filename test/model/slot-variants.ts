/**
 * Records that compete for one slot, by number: each field that decides takes each of a few values. And who wins, after the
 * words of SPEC §5, §5.3 and §5.4 alone: a list of keys a kind, compared one by one.
 */
import type { Hashes } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import {
  dotOf,
  type Identity,
  type Kind,
  type Message,
  type Op,
  type Read,
  type Record
} from "../../src/domain/record.ts"
import * as Wire from "../../src/domain/wire.ts"
import { loadWasmPromise } from "../../src/layers/crypto/hashes.ts"

export const hashes: Hashes = await loadWasmPromise()

const startMs = 1_800_000_000_000
const nodes = ["12D3KooWA", "12D3KooWB"] as ReadonlyArray<string> as ReadonlyArray<Ids.NodeId>
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const sigs = [filled(65, 1), filled(65, 2)]
const stamps = [filled(64, 1), filled(64, 2)]
const user = (n: number): Ids.Address => n.toString(16).padStart(40, "0") as Ids.Address
const dots = [dotOf("0a".repeat(32) as Ids.OpId, user(1)), dotOf("0b".repeat(32) as Ids.OpId, user(1))]
const observed = [[], [dots[0]!], [dots[1]!], dots]
const group = Ids.groupChatId(hashes, user(0xffff), "00".repeat(16) as Ids.Nonce)
const at = (n: number): Hlc.Hlc => Hlc.make(startMs + 10, n)

/** Which value each deciding field takes, in the order in which they decide. */
export type Choice = ReadonlyArray<number>

/** How many values each deciding field has. A node is part of an op's id, so variants of one never differ in it. */
const fieldsOf: { readonly [K in Kind]: ReadonlyArray<number> } = {
  // hlc, node, sig_version, sig
  message: [3, 2, 2, 2],
  // hlc, observed, sig_version, sig, stamp
  op: [3, 4, 2, 2, 2],
  // up_to, hlc, id (by ts), node, sig_version, sig
  read: [3, 2, 2, 2, 2, 2],
  // hlc, id (by ts), node, sig_version, sig
  identity: [3, 2, 2, 2, 2]
}

/** Whether the smaller or the greater keys win. */
const smallerWins: { readonly [K in Kind]: boolean } = { message: true, op: true, read: false, identity: false }

const sealed = (node: number, sigVersion: number, sig: number) => ({
  node: nodes[node]!,
  sigVersion: sigVersion === 0 ? 1 as const : 2 as const,
  sig: sigs[sig]!
})

const messageOf = (slot: number, [hlc, node, version, sig]: Choice): Message => {
  const fields = { chatId: group, sender: user(1), ts: startMs, msgType: 0, content: `${slot}` }
  const id = Ids.messageId(hashes, fields)
  return { kind: "message", id, ...fields, ...sealed(node!, version!, sig!), hlc: at(hlc!) }
}

const opOf = (slot: number, [hlc, seen, version, sig, stamp]: Choice): Op => {
  const envelope = sealed(0, version!, sig!)
  const fields = { chatId: group, actor: user(2), ts: startMs, op: 2 as const, role: 0 as const, targets: [user(slot)] }
  const id = Ids.opId(hashes, { ...fields, node: envelope.node })
  return { kind: "op", id, ...fields, ...envelope, hlc: at(hlc!), observed: observed[seen!]!, stamp: stamps[stamp!]! }
}

const readOf = (slot: number, [upTo, hlc, ts, node, version, sig]: Choice): Read => {
  const fields = { chatId: group, reader: user(slot), ts: startMs + ts!, upTo: Hlc.make(startMs, upTo!) }
  return { kind: "read", id: Ids.readId(hashes, fields), ...fields, ...sealed(node!, version!, sig!), hlc: at(hlc!) }
}

const identityOf = (slot: number, [hlc, ts, node, version, sig]: Choice): Identity => {
  const fields = { address: user(slot), ts: startMs + ts!, blob: filled(1, 7) }
  return {
    kind: "identity",
    id: Ids.identityId(hashes, fields),
    ...fields,
    ...sealed(node!, version!, sig!),
    hlc: at(hlc!)
  }
}

/** The variant of a slot that takes these values. */
export const variantOf = (kind: Kind, slot: number, choice: Choice): Record => {
  switch (kind) {
    case "message":
      return messageOf(slot, choice)
    case "op":
      return opOf(slot, choice)
    case "read":
      return readOf(slot, choice)
    case "identity":
      return identityOf(slot, choice)
  }
}

/** All choices of a kind: the product of its fields. */
export const everyChoice = (kind: Kind): ReadonlyArray<Choice> =>
  fieldsOf[kind].reduce<ReadonlyArray<Choice>>(
    (choices, count) => choices.flatMap((choice) => Array.from({ length: count }, (_, value) => [...choice, value])),
    [[]]
  )

/**
 * Two choices for each field: in one it alone is high, in the other it alone is low and all after it are high. Among
 * these each field decides a pair against all that come after it, and they are few enough to be written to a disk.
 */
export const stairsOf = (kind: Kind): ReadonlyArray<Choice> => {
  const { length } = fieldsOf[kind]
  return Array.from({ length }, (_, field) => [
    Array.from({ length }, (_, i) => i === field ? 1 : 0),
    Array.from({ length }, (_, i) => i > field ? 1 : 0)
  ]).flat()
}

const hex = (bytes: Uint8Array): string => bytes.toHex()

const keysOf = (record: Record): ReadonlyArray<string> => {
  const hlc = record.hlc.toString(16).padStart(16, "0")
  const tail = [`${record.sigVersion}`, hex(record.sig)]
  switch (record.kind) {
    case "message":
      return [hlc, record.node, ...tail]
    case "op": {
      const seen = record.observed ?? []
      return [
        hlc,
        record.node,
        `${seen.length.toString(16).padStart(4, "0")}${seen.join("")}`,
        ...tail,
        hex(record.stamp)
      ]
    }
    case "read":
      return [record.upTo.toString(16).padStart(16, "0"), hlc, record.id, record.node, ...tail]
    case "identity":
      return [hlc, record.id, record.node, ...tail]
  }
}

/** Whether `a` takes the slot from `b`, says the protocol. */
export const shouldWin = (a: Record, b: Record): boolean => {
  const [left, right] = [keysOf(a), keysOf(b)]
  const at = left.findIndex((key, i) => key !== right[i])
  return at >= 0 && (left[at]! < right[at]!) === smallerWins[a.kind]
}

const texts = new WeakMap<Record, string>()
export const bytesOf = (record: Record): string => {
  const known = texts.get(record) ?? hex(Wire.encode(record))
  texts.set(record, known)
  return known
}
export const digestOf = (record: Record): Uint8Array => Wire.leafDigest(hashes.blake3, record)
