/**
 * What every make of the hash functions must do, whichever library is behind it.
 */
import { assert, layer } from "@effect/vitest"
import { blake3 } from "@noble/hashes/blake3.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { Effect, type Layer } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import { Hashing } from "../../src/domain/hashing.ts"

const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i % 251)

// published with BLAKE3: the key, and the keyed hashes of inputs that count 0..250 over and over
const publishedKey = Bytes.fromText("whats the Elvish word for friend")

const published: ReadonlyArray<readonly [name: string, hash: "blake3" | "keccak256", input: string, hex: string]> = [
  ["BLAKE3 of nothing", "blake3", "", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  ["BLAKE3 of abc", "blake3", "abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"],
  ["keccak256 of nothing", "keccak256", "", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"],
  ["keccak256 of abc", "keccak256", "abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"]
]

/** Short lengths all, then those of real records and around the borders of chunks. */
const lengths: ReadonlyArray<number> = [
  ...Array.from({ length: 2049 }, (_, i) => i),
  4096,
  4097,
  8192,
  16_383,
  16_384,
  16_385,
  33_792,
  65_537,
  131_072,
  1_000_003
]

export const suite = (name: string, hashing: Layer.Layer<Hashing>): void =>
  layer(hashing)(`Hashing (${name})`, (it) => {
    for (const [what, hash, input, hex] of published) {
      it.effect(`gives the published ${what}`, () =>
        Effect.gen(function*() {
          const hashes = yield* Hashing
          assert.strictEqual(Bytes.toHex(hashes[hash](Bytes.fromText(input))), hex)
        }))
    }

    it.effect("gives the published keyed BLAKE3 of nothing", () =>
      Effect.gen(function*() {
        const { blake3Keyed } = yield* Hashing
        assert.strictEqual(
          Bytes.toHex(blake3Keyed(publishedKey)(new Uint8Array(0))),
          "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"
        )
      }))

    it.effect("agrees with the reference for every short length and many long ones", () =>
      Effect.gen(function*() {
        const hashes = yield* Hashing
        const keyed = hashes.blake3Keyed(publishedKey)
        for (const length of lengths) {
          const input = counting(length)
          assert.isTrue(Bytes.equal(hashes.blake3(input), blake3(input)), `blake3 of ${length}`)
          if (length > 2048 && length < 1_000_000) continue
          assert.isTrue(Bytes.equal(keyed(input), blake3(input, { key: publishedKey })), `keyed of ${length}`)
          if (length <= 2048) assert.isTrue(Bytes.equal(hashes.keccak256(input), keccak_256(input)), `keccak ${length}`)
        }
      }))

    it.effect("reads a view where it lies in its buffer, and leaves it alone", () =>
      Effect.gen(function*() {
        const hashes = yield* Hashing
        const keyed = hashes.blake3Keyed(publishedKey)
        const buffer = counting(9000)
        for (const at of [1, 2, 3, 5, 7, 64]) {
          for (const length of [31, 200, 1025, 8192]) {
            const view = buffer.subarray(at, at + length)
            for (const hash of [hashes.blake3, hashes.keccak256, keyed]) {
              assert.isTrue(Bytes.equal(hash(view), hash(view.slice())), `${length} bytes at ${at}`)
              assert.isTrue(Bytes.equal(hash(Buffer.from(view)), hash(view)), "a Buffer is bytes too")
            }
          }
        }
        assert.isTrue(Bytes.equal(buffer, counting(9000)))
      }))

    it.effect("gives arrays of the caller's own, which later calls leave alone", () =>
      Effect.gen(function*() {
        const hashes = yield* Hashing
        for (const hash of [hashes.blake3, hashes.keccak256, hashes.blake3Keyed(publishedKey)]) {
          const first = hash(Bytes.fromText("first"))
          const copy = first.slice()
          const second = hash(Bytes.fromText("second"))
          assert.isTrue(Bytes.equal(first, copy))
          assert.notStrictEqual(first.buffer, second.buffer)
          assert.strictEqual(first.byteOffset, 0)
          assert.strictEqual(first.length, 32)
          first.fill(0)
          assert.isTrue(Bytes.equal(hash(Bytes.fromText("first")), copy))
        }
      }))

    it.effect("keeps several keys apart, and its key when the caller wipes hers", () =>
      Effect.gen(function*() {
        const { blake3, blake3Keyed } = yield* Hashing
        const input = Bytes.fromText("record")
        const key = new Uint8Array(32).fill(7)
        const [a, b] = [blake3Keyed(key), blake3Keyed(publishedKey)]
        const [fromA, fromB, plain] = [a(input), b(input), blake3(input)].map(Bytes.toHex)
        assert.strictEqual(new Set([fromA, fromB, plain]).size, 3)
        key.fill(0)
        assert.strictEqual(Bytes.toHex(b(input)), fromB)
        assert.strictEqual(Bytes.toHex(a(input)), fromA)
        for (const length of [0, 31, 33]) assert.throws(() => blake3Keyed(new Uint8Array(length)))
      }))
  })
