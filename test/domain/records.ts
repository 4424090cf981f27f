/**
 * Records for property tests: well formed, drawn from small pools so that two of them often differ late in an order or
 * in one field only. Signatures are well shaped but not made by any key. All of it follows from one seed.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { Schema } from "effect"
import { hashes } from "../../scripts/vectors.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { nodeIdOf } from "../../src/domain/node-id.ts"
import { type Dot, dotOf, type Identity, type Message, type Op, type Read } from "../../src/domain/record.ts"
import type { Kind, Record as Rec } from "../../src/domain/record.ts"

export { hashes }

/** What a property is given: everything else follows from it. */
export const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))

/** Pseudo-random values from a seed (splitmix32). */
export class Dice {
  private state: number
  constructor(seed: number) {
    this.state = seed | 0
  }

  /** 0 to 2^32-1. */
  word(): number {
    this.state = (this.state + 0x9e3779b9) | 0
    let x = this.state ^ (this.state >>> 16)
    x = Math.imul(x, 0x21f0aaad)
    x ^= x >>> 15
    x = Math.imul(x, 0x735a2d97)
    return (x ^ (x >>> 15)) >>> 0
  }

  /** 0 to end - 1. */
  below(end: number): number {
    return Math.floor((this.word() / 2 ** 32) * end)
  }

  coin(): boolean {
    return this.word() % 2 === 0
  }

  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.word() & 0xff)
  }

  hex<A extends string>(length: number): A {
    return Bytes.toHex(this.bytes(length)) as A
  }

  shuffle<A>(items: ReadonlyArray<A>): Array<A> {
    const out = [...items]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const kept = out[i]!
      out[i] = out[j]!
      out[j] = kept
    }
    return out
  }

  /** Text of at most `units` code points, of one to four UTF-8 bytes each, with no lone surrogate. */
  text(units: number): string {
    const points = ["a", "\u0000", "\n", "é", "\u07ff", "\u0800", "\ufeff", "\uffff", "中", "😀", "\u{10ffff}"]
    return Array.from({ length: this.below(units + 1) }, () => this.pick(points)).join("")
  }
}

export const ts = 1_700_000_000_000
const fixed = new Dice(42)
export const users = Array.from({ length: 4 }, () => fixed.hex<Ids.Address>(20)).sort()
export const nodes = Array.from({ length: 3 }, (_, i) =>
  nodeIdOf(
    i < 2
      ? { type: "ed25519", publicKey: fixed.bytes(32) }
      : { type: "secp256k1", publicKey: secp256k1.getPublicKey(fixed.bytes(32)) }
  ))
const sigs = Array.from(
  { length: 3 },
  () => Bytes.concat([Bytes.u8(1), fixed.bytes(31), Bytes.u8(1), fixed.bytes(31), Bytes.u8(0)])
)
const stamps = Array.from({ length: 3 }, () => fixed.bytes(64))
const nonces = Array.from({ length: 2 }, () => fixed.hex<Ids.Nonce>(16))
const dots = Array.from({ length: 4 }, () => dotOf(fixed.hex<Ids.OpId>(32), fixed.pick(users))).sort()

/** A random subset, in the order of `items`. */
const some = <A>(dice: Dice, items: ReadonlyArray<A>): ReadonlyArray<A> => items.filter(() => dice.coin())

const someStamp = (dice: Dice): Hlc.Hlc => Hlc.make(ts + dice.below(2), dice.below(3))

const envelope = (dice: Dice) => ({
  ts: ts - dice.below(2),
  node: dice.pick(nodes),
  sig: dice.pick(sigs),
  sigVersion: dice.pick([1, 2] as const),
  hlc: someStamp(dice)
})

const maybe = <K extends string, A>(key: K, value: A | undefined): { readonly [P in K]?: A } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: A }

export const aMessage = (dice: Dice, slot: Dice = dice): Message => {
  const sender = slot.pick(users)
  const peer = slot.coin() ? slot.pick(users) : undefined
  const fields = {
    chatId: peer === undefined
      ? Ids.groupChatId(hashes, users[0]!, slot.pick(nonces))
      : Ids.dmChatId(hashes, sender, peer),
    sender,
    ...maybe("peer", peer),
    msgType: slot.below(256),
    content: slot.text(6),
    ...maybe("control", slot.coin() ? slot.bytes(slot.below(3)) : undefined)
  }
  const signed = { ...envelope(dice), ts: ts - slot.below(2), ...fields }
  return { kind: "message", id: Ids.messageId(hashes, signed), ...signed }
}

export const anOp = (dice: Dice, slot: Dice = dice): Op => {
  const op = slot.below(4) as Ids.OpType
  const actor = slot.pick(users)
  const nonce = slot.pick(nonces)
  const others = users.filter((user) => op !== 0 || user !== actor)
  const targets = op === 3 ? [] : some(slot, others)
  const fields = {
    chatId: Ids.groupChatId(hashes, op === 0 ? actor : users[0]!, nonce),
    actor,
    op,
    role: (op === 1 ? slot.below(2) : 0) as Ids.RoleCode,
    targets: op !== 0 && op !== 3 && targets.length === 0 ? [slot.pick(users)] : targets,
    ...maybe("title", op === 3 || (op === 0 && slot.coin()) ? slot.text(4) : undefined),
    ...maybe("nonce", op === 0 ? nonce : undefined),
    ts: ts - slot.below(2),
    node: slot.pick(nodes)
  }
  const stamped = {
    ...envelope(dice),
    ...fields,
    ...maybe("observed", op === 2 ? (some(dice, dots) as ReadonlyArray<Dot>) : undefined),
    stamp: dice.pick(stamps)
  }
  return { kind: "op", id: Ids.opId(hashes, stamped), ...stamped }
}

export const aRead = (dice: Dice, slot: Dice = dice): Read => {
  const reader = slot.pick(users)
  const peer = slot.coin() ? slot.pick(users) : undefined
  const made = envelope(dice)
  const fields = {
    ...made,
    chatId: peer === undefined
      ? Ids.groupChatId(hashes, users[0]!, slot.pick(nonces))
      : Ids.dmChatId(hashes, reader, peer),
    reader,
    ...maybe("peer", peer),
    upTo: (made.hlc - BigInt(dice.below(2))) as Hlc.Hlc
  }
  return { kind: "read", id: Ids.readId(hashes, fields), ...fields }
}

export const anIdentity = (dice: Dice, slot: Dice = dice): Identity => {
  const fields = { ...envelope(dice), address: slot.pick(users), blob: dice.bytes(dice.below(3)) }
  return { kind: "identity", id: Ids.identityId(hashes, fields), ...fields }
}

export const kinds: ReadonlyArray<Kind> = ["message", "op", "read", "identity"]

/** A record of `kind`. Records made with equal `slot` seeds compete for one slot. */
export const aRecord = (kind: Kind, dice: Dice, slot: Dice = dice): Rec => {
  switch (kind) {
    case "message":
      return aMessage(dice, slot)
    case "op":
      return anOp(dice, slot)
    case "read":
      return aRead(dice, slot)
    case "identity":
      return anIdentity(dice, slot)
  }
}
