/** Payloads of gossip: one form each, and a typed failure for everything else. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { cborBytes, cborHead, cborMap, cborText } from "../../scripts/vectors.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Payload from "../../src/domain/gossip-payload.ts"
import { batchRecordsMax, gossipBytesMax } from "../../src/domain/limits.ts"
import type { Kind, Record as Rec } from "../../src/domain/record.ts"
import * as Wire from "../../src/domain/wire.ts"
import { aMessage, aRecord, Dice, hashes, kinds, Seed } from "./records.ts"

const names: { readonly [K in Kind]: string } = {
  message: "PutMessage",
  op: "MembershipOp",
  read: "ReadProgress",
  identity: "PutIdentity"
}
const wired = (record: Rec): Payload.Wired => ({ kind: record.kind, bytes: Wire.encode(record) })
const variant = (record: Rec) => cborMap([[names[record.kind], Wire.encode(record)]])
const batch = (items: ReadonlyArray<Uint8Array>) =>
  cborMap([["Batch", Bytes.concat([cborHead(4, items.length), ...items])]])
const decode = (payload: Uint8Array) => Payload.decode(hashes, payload)
const some = (dice: Dice, count: number) => Array.from({ length: count }, () => aRecord(dice.pick(kinds), dice))

/** A typed failure, or records of which this is the only form. */
const sound = (payload: Uint8Array): boolean => {
  const result = decode(payload)
  if (Result.isFailure(result)) {
    assert.instanceOf(result.failure, Wire.InvalidRecord)
    return false
  }
  const again = result.success.map(variant)
  const form = again.length > 1 || payload[1] === 0x65 ? batch(again) : again[0]!
  assert.strictEqual(Bytes.toHex(form), Bytes.toHex(payload))
  return true
}

const refused = (payload: Uint8Array, label: string) => assert.isFalse(sound(payload), label)

describe("gossip payload", () => {
  it.prop("is what SPEC §7 says, and gives back its records", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const count = dice.pick([1, 1, 2, 23, 24, batchRecordsMax])
    const records = some(dice, count)
    const payload = Payload.encode(records.map(wired))
    assert.strictEqual(
      Bytes.toHex(payload),
      Bytes.toHex(count === 1 ? variant(records[0]!) : batch(records.map(variant)))
    )
    assert.deepStrictEqual(Result.getOrThrow(decode(payload)), records)
    const bound = records.reduce((sum, record) => sum + Payload.sizeOf(Wire.encode(record)), Payload.overheadBytes)
    assert.isTrue(payload.length <= bound)
  })

  it("a batch holds 1 to 64 records and no batch", () => {
    const one = variant(aMessage(new Dice(1)))
    assert.isTrue(sound(batch([one])))
    assert.isTrue(sound(batch(Array.from({ length: 64 }, () => one))))
    refused(batch([]), "none")
    refused(batch(Array.from({ length: 65 }, () => one)), "65")
    refused(batch([batch([one])]), "a batch inside")
    assert.throws(() => Payload.encode([]))
    assert.throws(() => Payload.encode(Array.from({ length: 65 }, () => wired(aMessage(new Dice(1))))))
  })

  it("has one key, of a variant that is known, over the record of that variant", () => {
    const message = aMessage(new Dice(1))
    const bytes = Wire.encode(message)
    refused(cborMap([]), "no key")
    refused(cborMap([["PutMessage", bytes], ["PutIdentity", bytes]]), "two keys")
    refused(cborMap([["putMessage", bytes]]), "another name")
    refused(cborMap([["MembershipOp", bytes]]), "another variant")
    refused(cborMap([["PutMessage", cborBytes(bytes)]]), "bytes, not a map")
    refused(cborMap([["Batch", variant(message)]]), "a batch that is no array")
    refused(bytes, "no variant")
    refused(Bytes.concat([variant(message), Uint8Array.of(0)]), "more behind it")
    refused(Bytes.concat([cborHead(4, 1), variant(message)]), "an array outside")
    refused(Bytes.concat([Uint8Array.of(0xb8, 1), cborText("PutMessage"), bytes]), "a long form")
    const long = Bytes.concat([
      Uint8Array.of(0xa1),
      cborText("Batch"),
      Uint8Array.of(0x98, 1),
      variant(message)
    ])
    refused(long, "a batch with a long head")
  })

  it("has at most the bytes of the limit, and never throws for what is nested, cut or empty", () => {
    refused(new Uint8Array(gossipBytesMax + 1), "too long")
    refused(new Uint8Array(gossipBytesMax).fill(0x81), "nested arrays")
    refused(new Uint8Array(gossipBytesMax).fill(0xa1), "nested maps")
    refused(
      Bytes.concat([Uint8Array.of(0xa1), cborText("Batch"), Uint8Array.of(0x9b, 0, 0, 0, 1, 0, 0, 0, 0)]),
      "a lie"
    )
    refused(new Uint8Array(), "empty")
    const large = { kind: "message" as const, bytes: new Uint8Array(gossipBytesMax) }
    assert.throws(() => Payload.encode([large]))
  })

  it.prop("failure 24: any change of bytes gives a typed failure or another sound payload", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const payload = Payload.encode(some(dice, 1 + dice.below(4)).map(wired))
    for (let i = 0; i < 20; i++) {
      const changed = Uint8Array.from(payload)
      for (let j = 0; j <= dice.below(3); j++) changed[dice.below(changed.length)] = dice.below(256)
      sound(dice.coin() ? changed : changed.subarray(0, dice.below(changed.length)))
    }
    sound(dice.bytes(dice.below(200)))
  })
})
