import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import { Dice, Seed } from "./records.ts"

const accepted = <A>(result: Result.Result<A, string>): boolean => Result.isSuccess(result)

describe("bytes", () => {
  it("writes integers big-endian", () => {
    assert.deepStrictEqual(Bytes.u8(255), Uint8Array.of(255))
    assert.deepStrictEqual(Bytes.u16be(0x0102), Uint8Array.of(1, 2))
    assert.deepStrictEqual(Bytes.u32be(0xfffefdfc), Uint8Array.of(255, 254, 253, 252))
    assert.deepStrictEqual(Bytes.u64be(2 ** 53 - 1), Uint8Array.of(0, 0x1f, 255, 255, 255, 255, 255, 255))
    assert.deepStrictEqual(Bytes.u64be(2n ** 64n - 1n), new Uint8Array(8).fill(255))
  })

  it("reads back 64 bits, also inside a larger buffer", () => {
    const frame = Bytes.concat([Uint8Array.of(9, 9, 9), Bytes.u64be(0x0102030405060708n), Uint8Array.of(9)])
    assert.strictEqual(Bytes.readU64be(frame.subarray(3)), 0x0102030405060708n)
  })

  it("prefixes lengths and presence", () => {
    assert.deepStrictEqual(Bytes.len32(Uint8Array.of(7)), Uint8Array.of(0, 0, 0, 1, 7))
    assert.deepStrictEqual(Bytes.opt(undefined), Uint8Array.of(0))
    assert.deepStrictEqual(Bytes.opt(new Uint8Array()), Uint8Array.of(1))
    assert.deepStrictEqual(Bytes.opt(Uint8Array.of(0)), Uint8Array.of(1, 0))
  })

  it.prop("orders byte strings as their hex: lexicographic, the shorter first", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const aBytes = () => Uint8Array.from({ length: dice.below(4) }, () => dice.pick([0, 1, 127, 128, 255]))
    const [a, b] = [aBytes(), aBytes()]
    const [hexA, hexB] = [Bytes.toHex(a), Bytes.toHex(b)]
    assert.strictEqual(Math.sign(Bytes.compare(a, b)), Bytes.compareText(hexA, hexB))
    assert.strictEqual(Bytes.compareText(hexA, hexB), Buffer.compare(a, b))
    assert.strictEqual(Bytes.equal(a, b), hexA === hexB)
    assert.deepStrictEqual(Bytes.fromHex(hexA), a)
  })

  it.prop("compares names in constant time as === does", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const a = dice.hex(20)
    const at = dice.below(40)
    const b = a.slice(0, at) + (a[at] === "0" ? "1" : "0") + a.slice(at + 1)
    assert.isTrue(Bytes.equalConstantTime(a, `${a}`))
    assert.isFalse(Bytes.equalConstantTime(a, b))
    assert.isFalse(Bytes.equalConstantTime(a, a.slice(1)))
  })

  it("reads hex in any case, with or without 0x, and of the right length only", () => {
    for (const good of ["00ff", "0x00ff", "0X00FF", "00Ff"]) {
      assert.deepStrictEqual(Bytes.parseHex(good, 2), Result.succeed("00ff"), good)
    }
    for (
      const bad of ["", "0x", "00f", "00ff0", "00ff00", "0x0x00ff", "00fg", "00f ", " 0ff", "x0ff", "00f\n", "０0ff"]
    ) {
      assert.isFalse(accepted(Bytes.parseHex(bad, 2)), JSON.stringify(bad))
    }
    assert.isTrue(accepted(Bytes.parseHex("", 0)))
  })

  it.prop("round-trips base64", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const bytes = dice.bytes(dice.below(20))
    const text = Bytes.toBase64(bytes)
    assert.strictEqual(text, Buffer.from(bytes).toString("base64"))
    assert.deepStrictEqual(Bytes.parseBase64(text), Result.succeed(bytes))
  })

  it("reads base64 strictly: padding, alphabet and spare bits", () => {
    assert.deepStrictEqual(Bytes.parseBase64("AP8="), Result.succeed(Uint8Array.of(0, 255)))
    assert.deepStrictEqual(Bytes.parseBase64(""), Result.succeed(new Uint8Array()))
    for (
      const bad of [
        "AP8",
        "AP9=",
        "AP8=\n",
        " AP8=",
        "A P8",
        "AP-_",
        "AP8==",
        "A",
        "====",
        "=",
        "AA=A",
        "AB==",
        "AP8=AP8="
      ]
    ) {
      assert.isFalse(accepted(Bytes.parseBase64(bad)), JSON.stringify(bad))
    }
  })

  it.prop("measures text in UTF-8 bytes and round-trips it, BOM and all", [Seed], ([seed]) => {
    const text = new Dice(seed).text(30)
    assert.isTrue(Bytes.isWellFormed(text))
    assert.strictEqual(Bytes.textLength(text), Buffer.byteLength(text))
    assert.strictEqual(Bytes.fromText(text).length, Buffer.byteLength(text))
    assert.strictEqual(Bytes.toText(Bytes.fromText(text)), text)
  })

  it("knows every width at its edges", () => {
    for (
      const [text, length] of [
        ["\u007f", 1],
        ["\u0080", 2],
        ["\u07ff", 2],
        ["\u0800", 3],
        ["\ud7ff", 3],
        ["\ue000", 3],
        ["\uffff", 3],
        ["\u{10000}", 4],
        ["\u{10ffff}", 4]
      ] as const
    ) {
      assert.strictEqual(Bytes.textLength(text), length, JSON.stringify(text))
    }
  })

  it("finds lone surrogates and invalid UTF-8", () => {
    for (const bad of ["\ud800", "\udfff", "a\ud800b", "\udc00\ud800", "😀\ud83d"])
      assert.isFalse(Bytes.isWellFormed(bad))
    for (const bad of ["c328", "eda080", "f08080af", "c0af", "ff", "e282", "f4908080"]) {
      assert.isUndefined(Bytes.toText(Bytes.fromHex(bad)), bad)
    }
  })

  it.prop("concat is the bytes one after another", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const parts = Array.from({ length: dice.below(5) }, () => dice.bytes(dice.below(5)))
    assert.strictEqual(Bytes.toHex(Bytes.concat(parts)), parts.map(Bytes.toHex).join(""))
  })
})
