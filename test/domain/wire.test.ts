import { assert, describe, it } from "@effect/vitest"
import { encode as encodeCbor, rfc8949EncodeOptions } from "cborg"
import { Result } from "effect"
import { cborBytes, cborEntries, cborHead, cborMap, cborText } from "../../scripts/vectors.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Kind, Op, Record as Rec } from "../../src/domain/record.ts"
import * as Wire from "../../src/domain/wire.ts"
import { aMessage, anIdentity, anOp, aRecord, Dice, hashes, kinds, Seed, users } from "./records.ts"

const decode = (kind: Kind, bytes: Uint8Array) => Wire.decode(hashes, kind, bytes)

const refused = (kind: Kind, bytes: Uint8Array, label: string): Wire.InvalidRecord => {
  const result = decode(kind, bytes)
  assert.isTrue(Result.isFailure(result), label)
  const failure = (result as Result.Failure<Rec, Wire.InvalidRecord>).failure
  assert.instanceOf(failure, Wire.InvalidRecord, label)
  return failure
}

/** What must hold for any bytes: a typed failure, or a record of which these bytes are the only form. */
const sound = (kind: Kind, bytes: Uint8Array): boolean => {
  const result = decode(kind, bytes)
  if (Result.isFailure(result)) {
    assert.instanceOf(result.failure, Wire.InvalidRecord)
    return false
  }
  assert.strictEqual(Bytes.toHex(Wire.encode(result.success)), Bytes.toHex(bytes))
  return true
}

type Entries = ReadonlyArray<readonly [key: string, value: Uint8Array]>

const replaced = (entries: Entries, key: string, value: Uint8Array): Uint8Array =>
  cborMap(entries.map((entry) => [entry[0], entry[0] === key ? value : entry[1]]))

describe("wire", () => {
  it.prop("is what a general encoder gives for the same map", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const record = aRecord(kind, dice)
      const expected = (each: Rec) => Bytes.toHex(encodeCbor(Wire.toValue(each), rfc8949EncodeOptions))
      assert.strictEqual(Bytes.toHex(Wire.encode(record)), expected(record))
      // lengths and numbers at every change of their heads
      for (const length of [0, 23, 24, 255, 256, 32 * 1024, 65_535, 65_536, 100_000]) {
        const ts = length + 2 ** 32 * (length % 3)
        const long: Rec = record.kind === "message"
          ? { ...record, ts, content: "aé€😀\ud800".repeat(length).slice(0, length), control: new Uint8Array(length) }
          : record.kind === "identity"
          ? { ...record, ts, blob: new Uint8Array(length) }
          : { ...record, ts }
        assert.strictEqual(Bytes.toHex(Wire.encode(long)), expected(long))
      }
    }
  }, { arbitrary: { runs: 30 } })

  it.prop("gives back every record, its id recomputed", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const record = aRecord(kind, dice)
      const bytes = Wire.encode(record)
      assert.deepStrictEqual(Result.getOrThrow(decode(kind, bytes)), record)
      // a Buffer is a Uint8Array too, and what is decoded must not keep it alive
      const frame = Buffer.concat([Buffer.alloc(5), bytes])
      const again = Result.getOrThrow(decode(kind, frame.subarray(5)))
      assert.deepStrictEqual(again, record)
      assert.isFalse(Buffer.isBuffer(again.sig))
      assert.strictEqual(again.sig.buffer.byteLength, 65)
    }
  })

  it("failure 5: gives bytes in a buffer of just their size: a queue of records holds what they weigh", () => {
    for (const length of [0, 1, 100, 256, 1_000, 5_000, 32_768]) {
      const record = { ...aMessage(new Dice(1)), content: "x".repeat(length) }
      const bytes = Wire.encode(record)
      assert.strictEqual(bytes.buffer.byteLength, bytes.byteLength, `content of ${length}`)
      // and the next one is written elsewhere
      const before = Bytes.toHex(bytes)
      Wire.encode({ ...record, content: "y".repeat(length) })
      assert.strictEqual(Bytes.toHex(bytes), before)
    }
  })

  it("failure 24: reading ends in a result whatever is thrown while it goes on, errors or not", () => {
    const outcome = (thrown: unknown) =>
      Wire.reading(() => {
        throw thrown
      })
    for (const thrown of [new RangeError("too deep"), "too deep"]) {
      assert.deepStrictEqual(
        outcome(thrown),
        Result.fail(new Wire.InvalidRecord({ field: "cbor", message: "too deep" }))
      )
    }
    const own = new Wire.InvalidRecord({ field: "ts", message: "is wrong" })
    assert.deepStrictEqual(outcome(own), Result.fail(own))
    assert.deepStrictEqual(Wire.reading(() => 7), Result.succeed(7))
  })

  it("keeps a byte order mark at the start of text: it is content like any other", () => {
    for (
      const content of ["\ufeff", "\ufeffhello", "\ufeff\ufeffx", `\ufeff${"x".repeat(40)}`, `\ufeff${"é".repeat(400)}`]
    ) {
      const message = { ...aMessage(new Dice(1)), content }
      const bytes = Wire.encode(message)
      const read = Result.getOrThrow(decode("message", bytes))
      assert.strictEqual(read.kind === "message" ? read.content : "", content)
      const title = { ...anOp(new Dice(1)), op: 3 as const, title: content }
      const op = Result.getOrThrow(decode("op", Wire.encode(title)))
      assert.strictEqual(op.kind === "op" ? op.title : "", content)
    }
    // but a key that differs by one is another key
    const entries = cborEntries(anIdentity(new Dice(1)))
    refused(
      "identity",
      cborMap(entries.map(([key, value]) => [key === "ts" ? "\ufeffts" : key, value])),
      "BOM in a key"
    )
  })

  it.prop("has one form: the keys in the order of their encoding, integers and lengths shortest", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const record = aRecord(kind, dice)
      const entries = cborEntries(record)
      const encodedKeys = entries.map(([key]) => Bytes.toHex(cborText(key)))
      assert.deepStrictEqual(encodedKeys, [...encodedKeys].sort())
      // written again by hand, with the shortest heads
      assert.strictEqual(Bytes.toHex(cborMap(entries)), Bytes.toHex(Wire.encode(record)))
      const shuffled = cborMap(dice.shuffle(entries))
      if (Bytes.toHex(shuffled) !== Bytes.toHex(Wire.encode(record))) refused(kind, shuffled, "another order of keys")
    }
  })

  it.prop("tells different records apart", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const slot = dice.word()
      const [a, b] = [aRecord(kind, dice, new Dice(slot)), aRecord(kind, dice, new Dice(slot))]
      const { id: idA, ...fieldsA } = a
      const { id: idB, ...fieldsB } = b
      const same = JSON.stringify(encodable(fieldsA)) === JSON.stringify(encodable(fieldsB))
      assert.strictEqual(Bytes.toHex(Wire.encode(a)) === Bytes.toHex(Wire.encode(b)), same)
      if (same) assert.strictEqual(idA, idB)
    }
  })

  it.prop("random bytes are refused and never throw", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const kind = dice.pick(kinds)
    const bytes = dice.bytes(dice.below(200))
    // a head of a map with a few entries gets further in
    if (bytes.length > 0 && dice.coin()) bytes[0] = 0xa0 | dice.below(16)
    assert.isFalse(sound(kind, bytes))
  })

  it.prop("flipped bits, cuts, repeats and swaps fail typed or give a record of just these bytes", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const good = Wire.encode(aRecord(kind, dice))
      for (let round = 0; round < 12; round++) {
        const bytes = new Uint8Array(good)
        for (let flips = 1 + dice.below(3); flips > 0; flips--) bytes[dice.below(bytes.length)]! ^= 1 << dice.below(8)
        sound(kind, bytes)
        const cut = dice.below(good.length)
        refused(kind, good.subarray(0, cut), `cut at ${cut}`)
        const from = dice.below(good.length)
        sound(kind, Bytes.concat([good.subarray(0, from), good.subarray(cut)]))
        refused(kind, Bytes.concat([good, good.subarray(from)]), "with a tail")
      }
      for (const other of kinds) if (other !== kind) refused(other, good, `${kind} read as ${other}`)
    }
  }, { arbitrary: { runs: 25 } })

  it.prop("every key is needed once, none may be added", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const optional = new Set(["peer", "control", "title", "nonce", "observed"])
    for (const kind of kinds) {
      const entries = cborEntries(aRecord(kind, dice))
      for (const [i, [key]] of entries.entries()) {
        const without = cborMap(entries.filter((entry) => entry[0] !== key))
        if (optional.has(key)) assert.isTrue(sound(kind, without), `without ${key}`)
        else assert.strictEqual(refused(kind, without, `without ${key}`).field, key)
        refused(kind, cborMap([...entries.slice(0, i + 1), ...entries.slice(i)]), `${key} twice`)
      }
      for (const key of ["", "a", "id", "kind", "zzzzzzzzzzzzzz", "__proto__", "constructor", "TS", "ts\u0000"]) {
        const extra = [...entries, [key, cborHead(0, 0)] as const].sort((a, b) =>
          Bytes.compare(cborText(a[0]), cborText(b[0]))
        )
        assert.strictEqual(refused(kind, cborMap(extra), `with ${JSON.stringify(key)}`).field, key)
      }
    }
  }, { arbitrary: { runs: 15 } })

  it.prop("a value of another type or length is refused and named", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const wrong: ReadonlyArray<Uint8Array> = [
      cborHead(1, 0),
      Bytes.fromHex("f4"),
      Bytes.fromHex("f6"),
      Bytes.fromHex("f7"),
      Bytes.fromHex("f90000"),
      Bytes.fromHex("fb3ff0000000000000"),
      Bytes.fromHex("a0"),
      Bytes.fromHex("c100"),
      Bytes.fromHex("8180"),
      cborHead(0, 2 ** 53),
      Bytes.fromHex("1bffffffffffffffff")
    ]
    for (const kind of kinds) {
      const entries = cborEntries(aRecord(kind, dice))
      for (const [key, value] of entries) {
        for (const other of wrong) refused(kind, replaced(entries, key, other), `${key}: ${Bytes.toHex(other)}`)
        const major = value[0]! >>> 5
        const swaps: ReadonlyArray<readonly [number, Uint8Array]> = [
          [0, cborHead(0, 1)],
          [2, cborBytes(new Uint8Array(20))],
          [3, cborText("abc")],
          [4, cborHead(4, 0)]
        ]
        for (const [type, other] of swaps) {
          if (type === major) continue
          assert.strictEqual(refused(kind, replaced(entries, key, other), `${key} of type ${type}`).field, key)
        }
        if (major === 2 && key !== "control" && key !== "blob") {
          for (const length of [0, 7, 9, 15, 17, 19, 21, 31, 33, 63, 64, 65, 66]) {
            if (cborBytes(new Uint8Array(length)).length === value.length) continue
            const bad = replaced(entries, key, cborBytes(new Uint8Array(length)))
            assert.strictEqual(refused(kind, bad, `${key} of ${length} bytes`).field, key)
          }
        }
      }
    }
  }, { arbitrary: { runs: 8 } })

  it.prop("integers and lengths in a longer form than needed are refused", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const entries = cborEntries(aRecord(kind, dice))
      for (const [key, value] of entries) {
        const major = value[0]! >>> 5
        const argument = value[0]! & 31
        const size = argument < 24 ? 0 : 1 << (argument - 24)
        const number = size === 0
          ? argument
          : Number(Bytes.readU64be(Bytes.concat([new Uint8Array(8 - size), value.subarray(1, 1 + size)])))
        const rest = value.subarray(1 + size)
        for (const width of [1, 2, 4, 8] as const) {
          if (width <= size) continue
          const long = replaced(entries, key, Bytes.concat([cborHead(major, number, width), rest]))
          refused(kind, long, `${key} in ${width} bytes`)
        }
        if (major >= 2 && major <= 4) {
          const chunks = major === 4 ? rest : value
          const indefinite = Bytes.concat([Bytes.u8((major << 5) | 31), chunks, Bytes.u8(0xff)])
          refused(kind, replaced(entries, key, indefinite), `${key} of indefinite length`)
        }
        refused(kind, replaced(entries, key, Bytes.concat([Bytes.u8(0xc0), value])), `${key} tagged`)
      }
      const body = cborMap(entries).subarray(1)
      refused(kind, Bytes.concat([cborHead(5, entries.length, 1), body]), "the map's length in two bytes")
      refused(kind, Bytes.concat([Bytes.u8(0xbf), body, Bytes.u8(0xff)]), "a map of indefinite length")
      refused(kind, Bytes.concat([Bytes.fromHex("d9d9f7"), cborMap(entries)]), "the map tagged")
    }
  }, { arbitrary: { runs: 15 } })

  it("text that is not UTF-8 is refused", () => {
    const entries = cborEntries(aMessage(new Dice(3)))
    for (const bad of ["ff", "c328", "eda080", "edbfbf", "c0af", "f4908080", "e282", "efbbbfff"]) {
      const text = Bytes.concat([cborHead(3, bad.length / 2), Bytes.fromHex(bad)])
      refused("message", replaced(entries, "content", text), bad)
      const long = Bytes.concat([cborHead(3, 100 + bad.length / 2), new Uint8Array(100).fill(97), Bytes.fromHex(bad)])
      refused("message", replaced(entries, "content", long), `${bad} after plain text`)
      const key = Bytes.concat([cborHead(5, 1), text, cborHead(0, 0)])
      refused("message", key, `${bad} as a key`)
    }
  })

  it("failure 24: claims of huge lengths and deep nesting fail at once", () => {
    const entries = cborEntries({ ...aRemoval(5), targets: [users[0]!] })
    for (
      const [major, length] of [
        [2, 2 ** 32 - 1],
        [3, 2 ** 32 - 1],
        [4, 2 ** 32 - 1],
        [5, 2 ** 32 - 1],
        [2, 2 ** 52],
        [3, 2 ** 52],
        [4, 2 ** 52],
        [5, 2 ** 52],
        [4, 2 ** 62],
        [5, 2 ** 62],
        [2, 2 ** 62],
        [3, 2 ** 62]
      ] as const
    ) {
      refused("op", cborHead(major, length), `${major}: ${length}`)
      refused("op", replaced(entries, "targets", cborHead(major, length)), `targets ${major}: ${length}`)
      refused(
        "op",
        Bytes.concat([cborHead(major, length), new Uint8Array(1_000)]),
        `${major}: ${length} and a thousand`
      )
    }
    for (const byte of [0x81, 0xa1, 0xc1, 0x9f, 0xd8]) {
      refused("op", new Uint8Array(300_000).fill(byte), `nested ${byte.toString(16)}`)
      refused("op", replaced(entries, "observed", new Uint8Array(100_000).fill(byte)), `observed ${byte.toString(16)}`)
    }
    const nested = Bytes.concat([new Uint8Array(100_000).fill(0x81), Bytes.u8(0x80)])
    refused("op", replaced(entries, "targets", nested), "well formed, but deep")
    const asKey = Bytes.concat([cborHead(5, 1), new Uint8Array(3_000).fill(0x81), Bytes.u8(0x80), cborHead(0, 0)])
    refused("op", asKey, "deep as a key")
  })

  it("names an unknown key in part only, however long it is", () => {
    const failure = refused("op", cborMap([...cborEntries(aRemoval(1)), ["z".repeat(100_000), cborHead(0, 0)]]), "long")
    assert.strictEqual(failure.field, "z".repeat(64))
  })

  it("observed holds pairs of an op id and an address, nothing else", () => {
    const record = aRemoval(7)
    const entries = cborEntries(record).filter(([key]) => key !== "observed")
    const withObserved = (value: Uint8Array): Uint8Array =>
      cborMap([...entries, ["observed", value] as const].sort((a, b) => Bytes.compare(cborText(a[0]), cborText(b[0]))))
    const pair = (...lengths: ReadonlyArray<number>): Uint8Array =>
      Bytes.concat([cborHead(4, lengths.length), ...lengths.map((length) => cborBytes(new Uint8Array(length)))])
    const list = (...items: ReadonlyArray<Uint8Array>): Uint8Array =>
      Bytes.concat([cborHead(4, items.length), ...items])
    assert.isTrue(sound("op", withObserved(list())))
    assert.isTrue(sound("op", withObserved(list(pair(32, 20)))))
    for (const bad of [pair(20, 32), pair(32), pair(32, 20, 20), pair(), pair(31, 21), cborBytes(new Uint8Array(52))]) {
      assert.strictEqual(refused("op", withObserved(list(bad)), Bytes.toHex(bad)).field, "observed")
    }
  })

  it("writes what a plain encoder writes", () => {
    for (let seed = 0; seed < 20; seed++) {
      const record = anIdentity(new Dice(seed))
      const plain = encodeCbor({
        ts: record.ts,
        hlc: Bytes.u64be(record.hlc),
        sig: record.sig,
        blob: record.blob,
        node: record.node,
        address: Bytes.fromHex(record.address),
        sig_version: record.sigVersion
      }, rfc8949EncodeOptions)
      assert.deepStrictEqual(Wire.encode(record), plain)
    }
  })

  it.prop("the leaf digest covers the tag and all of the wire form", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const record = aRecord(dice.pick(kinds), dice)
    const input = Buffer.concat([Buffer.from("p2p-mes/leaf/v1"), Wire.encode(record)])
    assert.deepStrictEqual(Wire.leafDigest(hashes.blake3, record), hashes.blake3(input))
    const key = dice.bytes(32)
    assert.deepStrictEqual(Wire.leafDigest(hashes.blake3Keyed(key), record), hashes.blake3Keyed(key)(input))
    assert.notDeepEqual(Wire.leafDigest(hashes.blake3Keyed(key), record), hashes.blake3(input))
  })
})

const aRemoval = (seed: number): Op => ({ ...anOp(new Dice(seed)), op: 2, observed: [] })

const encodable = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, item) => typeof item === "bigint" ? item.toString(16) : item))
