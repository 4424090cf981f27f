/**
 * The hash functions in two makes that give the same bytes, as plain values: what `hashing` offers as layers, and what
 * worker threads use, which do without Effect because loading it takes longer than all the rest of them.
 *
 * `loadWasmPromise` is what a node uses: BLAKE3 by blake3-jit (plain JavaScript for short inputs, SIMD WebAssembly for
 * long ones) and keccak256 by hash-wasm. Both are some ten times faster than `noble`, which is plain JavaScript, needs
 * no start and is the reference that the fast make must agree with before it is taken.
 *
 * Nothing is shared between calls: a hasher is reset, fed and read within one synchronous call, and every answer is an
 * array of the caller's own.
 */
import { blake3 } from "@noble/hashes/blake3.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { createKeyed, hash } from "blake3-jit"
import { createKeccak } from "hash-wasm"
import { isMainThread } from "node:worker_threads"
import type { Hashes } from "../../domain/hashing.ts"

const keyBytes = 32

/** Copies the key, so that a caller who wipes or reuses the array does not change the hash. A wrong length is a defect. */
const ownKey = (key: Uint8Array): Uint8Array => {
  if (key.length !== keyBytes) throw new RangeError(`a BLAKE3 key has ${keyBytes} bytes, got ${key.length}`)
  return key.slice()
}

/** Plain JavaScript: the reference, and what a browser uses. */
export const noble: Hashes = {
  blake3: (bytes) => blake3(bytes),
  blake3Keyed: (key) => {
    const own = ownKey(key)
    return (bytes) => blake3(bytes, { key: own })
  },
  keccak256: (bytes) => keccak_256(bytes)
}

/**
 * Lengths around every border that matters: block 64, keccak rate 136, chunk 1024, and where SIMD sets in. Other threads run
 * the same code on the same machine: for them the short ones do, which take a tenth of the time.
 */
const shortLengths: ReadonlyArray<number> = [0, 1, 64, 65, 135, 136, 200, 1024, 1025]
const probeLengths = isMainThread ? [...shortLengths, 5000, 33_792] : shortLengths

const same = (a: Uint8Array, b: Uint8Array): boolean => a.toHex() === b.toHex()

/** Whether `hashes` gives what the reference gives, for inputs of many lengths. */
export const agreesWithNoble = (hashes: Hashes): boolean => {
  const key = Uint8Array.from({ length: keyBytes }, (_, i) => 255 - i)
  const [keyed, reference] = [hashes.blake3Keyed(key), noble.blake3Keyed(key)]
  return probeLengths.every((length) => {
    const input = Uint8Array.from({ length }, (_, i) => i * 7)
    return same(hashes.blake3(input), noble.blake3(input)) &&
      same(keyed(input), reference(input)) &&
      same(hashes.keccak256(input), noble.keccak256(input))
  })
}

const makeWasm = async (): Promise<Hashes> => {
  const keccak = await createKeccak(256)
  const hashes: Hashes = {
    blake3: (bytes) => hash(bytes),
    blake3Keyed: (key) => {
      const hasher = createKeyed(ownKey(key))
      return (bytes) => hasher.reset().update(bytes).finalize()
    },
    keccak256: (bytes) => keccak.init().update(bytes).digest("binary")
  }
  if (!agreesWithNoble(hashes)) throw new Error("the fast hash functions disagree with the reference")
  return hashes
}

let loading: Promise<Hashes> | undefined

/**
 * The fast functions, made once per thread and checked against the reference. Rejects where WebAssembly is missing or
 * its answers are wrong.
 */
export const loadWasmPromise = (): Promise<Hashes> => (loading ??= makeWasm())
