/**
 * Ed25519 with exactly one verdict per input: RFC 8032 by the equation without cofactor, S·B = R + k·A, S below the
 * group order L, canonical encodings of A and R only, and neither A nor R of small order (SPEC §5.2).
 *
 * Libraries differ in all of these, and a record that one replica accepts and another refuses splits them for ever.
 * {@link verify} is OpenSSL's check, which has no cofactor, refuses S ≥ L and compares the bytes of R, behind our own
 * checks of the encodings. {@link verifyReference} says the rule in the words of the curve; tests hold the two together.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { createPublicKey, type KeyObject, verify as opensslVerify } from "node:crypto"

/** p = 2^255 - 19 and L, little-endian. */
const p = Uint8Array.fromHex(`ed${"ff".repeat(30)}7f`)
const order = Uint8Array.fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

/**
 * The y of the eight points of small order: 0 (order 4), 1 (order 1), -1 (order 2), and the two of order 8. Those of
 * order 4 and 8 have two signs of x, so the sign bit is masked before the comparison.
 */
const smallOrder: ReadonlyArray<Uint8Array> = [
  Uint8Array.fromHex("00".repeat(32)),
  Uint8Array.fromHex(`01${"00".repeat(31)}`),
  Uint8Array.fromHex(`ec${"ff".repeat(30)}7f`),
  Uint8Array.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
  Uint8Array.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
]

/** Whether the 32 bytes of `a` at `at` are below `b`, both little-endian. */
const isBelow = (a: Uint8Array, at: number, b: Uint8Array, mask: number): boolean => {
  const top = a[at + 31]! & mask
  if (top !== b[31]!) return top < b[31]!
  for (let i = 30; i >= 0; i--) {
    if (a[at + i] !== b[i]) return a[at + i]! < b[i]!
  }
  return false
}

const isSmallOrder = (bytes: Uint8Array, at: number): boolean =>
  smallOrder.some((y) => {
    if ((bytes[at + 31]! & 0x7f) !== y[31]) return false
    for (let i = 0; i < 31; i++) if (bytes[at + i] !== y[i]) return false
    return true
  })

/**
 * Whether the 32 bytes at `at` can encode a point that we take: y below p and not of small order. A sign bit on x = 0,
 * the other non-canonical form, occurs only with y = ±1, of small order. Whether a point has this y, OpenSSL finds out.
 *
 * Some versions of Node and OpenSSL refuse small order by themselves. A verdict must not hang on the version, so that
 * is not relied upon.
 */
export const isAcceptableEncoding = (bytes: Uint8Array, at = 0): boolean =>
  isBelow(bytes, at, p, 0x7f) && !isSmallOrder(bytes, at)

/** Keys that OpenSSL has read, the oldest dropped first. Reading costs a tenth of a verification. */
const keysMax = 1024
const keys = new Map<string, KeyObject>()

const keyOf = (publicKey: Uint8Array): KeyObject => {
  const x = publicKey.toBase64({ alphabet: "base64url", omitPadding: true })
  const known = keys.get(x)
  if (known !== undefined) return known
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" })
  if (keys.size >= keysMax) {
    for (const oldest of keys.keys()) {
      keys.delete(oldest)
      break
    }
  }
  keys.set(x, key)
  return key
}

/** Whether `publicKey` (32 bytes) made `signature` (64 bytes) over `message`. Any input is answered, none throws. */
export const verify = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean => {
  if (signature.length !== 64 || publicKey.length !== 32) return false
  if (!isBelow(signature, 32, order, 0xff)) return false
  if (!isAcceptableEncoding(publicKey) || !isAcceptableEncoding(signature)) return false
  try {
    return opensslVerify(null, message, keyOf(publicKey), signature)
  } catch {
    return false
  }
}

const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${bytes.slice().reverse().toHex()}`)

/** The same verdict from the rule itself, about twenty times slower. */
export const verifyReference = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean => {
  if (signature.length !== 64 || publicKey.length !== 32) return false
  const Point = ed25519.Point
  const [encodedR, encodedS] = [signature.subarray(0, 32), signature.subarray(32)]
  const s = littleEndian(encodedS)
  if (s >= Point.Fn.ORDER) return false
  try {
    const a = Point.fromBytes(publicKey, false)
    const r = Point.fromBytes(encodedR, false)
    if (a.isSmallOrder() || r.isSmallOrder()) return false
    const hash = sha512.create().update(encodedR).update(publicKey).update(message).digest()
    const k = Point.Fn.create(littleEndian(hash))
    return Point.BASE.multiplyUnsafe(s).equals(r.add(a.multiplyUnsafe(k)))
  } catch {
    return false
  }
}
