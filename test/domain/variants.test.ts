import { assert, describe, it } from "@effect/vitest"
import { hashes } from "../../scripts/vectors.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hlc } from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import type { Dot, Identity, Kind, Message, Op, Read, Record as Rec } from "../../src/domain/record.ts"
import { slotOf, wins } from "../../src/domain/variants.ts"
import * as Wire from "../../src/domain/wire.ts"
import { aMessage, anIdentity, anOp, aRead, aRecord, Dice, kinds, nodes, Seed, users } from "./records.ts"

const bytesOf = (record: Rec): string => Bytes.toHex(Wire.encode(record))

/** Records for one slot, some of them equal. */
const rivals = (kind: Kind, dice: Dice, count: number): ReadonlyArray<Rec> => {
  const slot = dice.word()
  return Array.from({ length: count }, () => aRecord(kind, dice, new Dice(slot)))
}

const merge = (a: Rec, b: Rec): Rec => wins(b, a) ? b : a

/** The order as the protocol states it, key by key, in texts that compare as the fields do. */
const keysOf = (record: Rec): ReadonlyArray<string> => {
  const hlc = record.hlc.toString(16).padStart(16, "0")
  const tail = [String(record.sigVersion), Bytes.toHex(record.sig)]
  switch (record.kind) {
    case "message":
      return [hlc, record.node, "", ...tail, ""]
    case "op":
      return [
        hlc,
        record.node,
        record.observed === undefined
          ? "00"
          : `01${record.observed.length.toString(16).padStart(4, "0")}${record.observed.join("")}`,
        ...tail,
        Bytes.toHex(record.stamp)
      ]
    case "read":
      return [record.upTo.toString(16).padStart(16, "0"), hlc, record.id, record.node, ...tail]
    case "identity":
      return [hlc, record.id, record.node, ...tail]
  }
}

const modelWins = (a: Rec, b: Rec): boolean => {
  const [left, right] = [keysOf(a), keysOf(b)]
  const at = left.findIndex((key, i) => key !== right[i])
  if (at < 0) return false
  const smaller = left[at]! < right[at]!
  return a.kind === "message" || a.kind === "op" ? smaller : !smaller
}

describe.each(kinds)("variants of a %s", (kind) => {
  it.prop("compete for one slot", [Seed], ([seed]) => {
    const [a, b] = rivals(kind, new Dice(seed), 2)
    assert.strictEqual(slotOf(a!), slotOf(b!))
  })

  it.prop("are in a strict total order", [Seed], ([seed]) => {
    const records = rivals(kind, new Dice(seed), 4)
    for (const a of records) {
      for (const b of records) {
        if (bytesOf(a) === bytesOf(b)) assert.isFalse(wins(a, b), "an equal record does not replace")
        else assert.notStrictEqual(wins(a, b), wins(b, a), "exactly one of two wins")
        assert.strictEqual(wins(a, b), modelWins(a, b), "as the protocol says")
        for (const c of records) if (wins(a, b) && wins(b, c)) assert.isTrue(wins(a, c), "transitive")
      }
    }
  })

  it.prop("merge to one winner, whatever the order, the grouping and the repeats", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const records = rivals(kind, dice, 6)
    const winner = bytesOf(records.reduce(merge))
    for (let round = 0; round < 5; round++) {
      const again = dice.shuffle([...records, dice.pick(records), dice.pick(records)])
      assert.strictEqual(bytesOf(again.reduce(merge)), winner)
      const half = dice.below(again.length - 1) + 1
      assert.strictEqual(bytesOf(merge(again.slice(half).reduce(merge), again.slice(0, half).reduce(merge))), winner)
    }
    const [a, b, c] = records as [Rec, Rec, Rec]
    assert.strictEqual(bytesOf(merge(a, b)), bytesOf(merge(b, a)))
    assert.strictEqual(bytesOf(merge(merge(a, b), c)), bytesOf(merge(a, merge(b, c))))
    assert.strictEqual(bytesOf(merge(a, a)), bytesOf(a))
  })
})

describe("variants, key by key", () => {
  const dice = new Dice(11)
  const sig = (first: number, last: number): Uint8Array =>
    Bytes.concat([Bytes.u8(first), dice.bytes(63), Bytes.u8(last)])
  const low = sig(1, 0)
  const high = sig(2, 0)
  const [nodeLow, nodeHigh] = [...nodes].sort() as [Ids.NodeId, Ids.NodeId]
  const dot = (byte: string): Dot => `${byte.repeat(32)}${users[0]}` as Dot
  const at = (hlc: bigint): Hlc => hlc as Hlc
  const message: Message = { ...aMessage(dice), hlc: at(100n), node: nodeLow, sigVersion: 1, sig: low }
  const op: Op = {
    ...anOp(dice),
    op: 2,
    hlc: at(100n),
    node: nodeLow,
    sigVersion: 1,
    sig: low,
    observed: [dot("05")],
    stamp: new Uint8Array(64).fill(1)
  }
  const read: Read = { ...aRead(dice), upTo: at(50n), hlc: at(100n), node: nodeLow, sigVersion: 1, sig: low }
  const identity: Identity = { ...anIdentity(dice), hlc: at(100n), node: nodeLow, sigVersion: 1, sig: low }
  /** `change` loses or wins although everything after it in the order says otherwise. */
  const loses = <R extends Rec>(base: R, change: Partial<R>, against: Partial<R>): void => {
    const [a, b] = [{ ...base, ...against }, { ...base, ...change }]
    assert.isTrue(wins(a, b), JSON.stringify(Object.keys(change)))
    assert.isFalse(wins(b, a), JSON.stringify(Object.keys(change)))
  }

  it("message: (hlc, node, sig_version, sig), the smaller wins", () => {
    loses(message, { hlc: at(101n) }, { node: nodeHigh, sigVersion: 2, sig: high })
    loses(message, { node: nodeHigh }, { sigVersion: 2, sig: high })
    loses(message, { sigVersion: 2 }, { sig: high })
    loses(message, { sig: high }, {})
  })

  it("op: (hlc, node, observed, sig_version, sig, stamp), the smaller wins", () => {
    const stamp = new Uint8Array(64).fill(2)
    loses(op, { hlc: at(101n) }, { node: nodeHigh, observed: [dot("06")], sigVersion: 2, sig: high, stamp })
    loses(op, { node: nodeHigh }, { observed: [dot("06")], sigVersion: 2, sig: high, stamp })
    loses(op, { observed: [dot("06")] }, { sigVersion: 2, sig: high, stamp })
    loses(op, { observed: [dot("01"), dot("02")] }, { sigVersion: 2, sig: high, stamp })
    loses(op, { observed: [] }, { observed: undefined, sigVersion: 2 })
    loses(op, { sigVersion: 2 }, { sig: high, stamp })
    loses(op, { sig: high }, { stamp })
    loses(op, { stamp }, {})
  })

  it("observed counts before its dots do, as in the bytes that the stamp hashes", () => {
    const many = Array.from({ length: 256 }, (_, i) => dot(i.toString(16).padStart(2, "0")))
    loses(op, { observed: many }, { observed: [dot("ff")] })
  })

  it("read: (up_to, hlc, id, node, sig_version, sig), the greater wins", () => {
    const id = (byte: string): Ids.ReadId => byte.repeat(32) as Ids.ReadId
    const base = { ...read, id: id("01") }
    loses(base, { hlc: at(200n), id: id("02") }, { upTo: at(51n) })
    loses(base, { id: id("02"), node: nodeHigh }, { hlc: at(101n) })
    loses(base, { node: nodeHigh, sigVersion: 2 }, { id: id("02") })
    loses(base, { sigVersion: 2, sig: high }, { node: nodeHigh })
    loses(base, { sig: high }, { sigVersion: 2 })
    loses(base, {}, { sig: high })
  })

  it("identity: (hlc, id, node, sig_version, sig), the greater wins", () => {
    const id = (byte: string): Ids.IdentityId => byte.repeat(32) as Ids.IdentityId
    const base = { ...identity, id: id("01") }
    loses(base, { id: id("02"), node: nodeHigh }, { hlc: at(101n) })
    loses(base, { node: nodeHigh, sigVersion: 2 }, { id: id("02") })
    loses(base, { sigVersion: 2, sig: high }, { node: nodeHigh })
    loses(base, { sig: high }, { sigVersion: 2 })
    loses(base, {}, { sig: high })
  })

  it("a slot is one id of a message or an op, one reader in one chat, one address", () => {
    assert.notStrictEqual(slotOf(message), slotOf({ ...message, id: `f${message.id.slice(1)}0` as Ids.MessageId }))
    assert.strictEqual(slotOf(read), slotOf({ ...read, id: "00".repeat(32) as Ids.ReadId, upTo: at(1n) }))
    assert.notStrictEqual(slotOf(read), slotOf({ ...read, reader: `0${read.reader.slice(0, 39)}` as Ids.Address }))
    assert.notStrictEqual(slotOf(read), slotOf({ ...read, chatId: Ids.dmChatId(hashes, users[0]!, users[0]!) }))
    assert.strictEqual(slotOf(identity), slotOf({ ...identity, id: "00".repeat(32) as Ids.IdentityId }))
    const id = message.id as string
    assert.strictEqual(new Set([slotOf({ ...message, id } as Message), slotOf({ ...op, id } as Op)]).size, 2)
  })
})
