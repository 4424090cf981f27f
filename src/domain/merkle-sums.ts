/**
 * Sums modulo 2^256 of digests read as big-endian integers (SPEC §6): 8 words of 32 bits, the highest first.
 *
 * Carries are told from the bits of whole words, because numbers above 2^32 would be floating-point: millions of these
 * additions make a tree.
 */
export const sumWords = 8

/** Adds the sum that is at `from` of `other` to the one at `at`. */
export const add = (words: Uint32Array, at: number, other: Uint32Array, from: number): void => {
  let carry = 0
  for (let i = sumWords - 1; i >= 0; i--) {
    const a = words[at + i]! | 0
    const b = other[from + i]! | 0
    const value = (a + b + carry) | 0
    words[at + i] = value
    carry = ((a & b) | ((a | b) & ~value)) >>> 31
  }
}

/** The opposite of {@link add}. */
export const subtract = (words: Uint32Array, at: number, other: Uint32Array, from: number): void => {
  let borrow = 0
  for (let i = sumWords - 1; i >= 0; i--) {
    const a = words[at + i]! | 0
    const b = other[from + i]! | 0
    const value = (a - b - borrow) | 0
    words[at + i] = value
    borrow = ((~a & b) | ((~a | b) & value)) >>> 31
  }
}

const scratch = new Uint32Array(sumWords)

/** The words of a digest or sum of 32 bytes, until the next call. */
export const wordsOf = (sum: Uint8Array): Uint32Array => {
  for (let i = 0; i < sumWords; i++) {
    const at = i * 4
    scratch[i] = (sum[at]! << 24) | (sum[at + 1]! << 16) | (sum[at + 2]! << 8) | sum[at + 3]!
  }
  return scratch
}

/** The sum at `at`, in 32 bytes. */
export const bytesOf = (words: Uint32Array, at: number): Uint8Array => {
  const bytes = new Uint8Array(sumWords * 4)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < sumWords; i++) view.setUint32(i * 4, words[at + i]!)
  return bytes
}
