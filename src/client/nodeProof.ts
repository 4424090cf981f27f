/**
 * Whether a node holds the key of the id it tells (SPEC §3): it signs "p2p-mes/challenge/v1" || challenge || id. Ed25519
 * by the rule of SPEC §5.2, without cofactor; secp256k1 over the SHA-256 of the bytes, low s.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import * as Result from "effect/Result"
import * as Bytes from "../domain/bytes.ts"
import type { NodeId } from "../domain/ids.ts"
import { parseNodeId } from "../domain/node-id.ts"
import { challengeBytes, rangeProblem } from "../domain/signature.ts"

const scalar = (littleEndian: Uint8Array): bigint => BigInt(`0x${Bytes.toHex(littleEndian.slice().reverse())}`)

/** S·B = R + k·A in the group itself; strict encodings, no point of small order. */
const verifyEd25519 = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean => {
  const { Point } = ed25519
  const [encodedR, s] = [signature.subarray(0, 32), scalar(signature.subarray(32))]
  if (s >= Point.Fn.ORDER) return false
  try {
    const a = Point.fromBytes(publicKey, false)
    const r = Point.fromBytes(encodedR, false)
    if (a.isSmallOrder() || r.isSmallOrder()) return false
    const k = Point.Fn.create(scalar(sha512(Bytes.concat([encodedR, publicKey, message]))))
    return Point.BASE.multiplyUnsafe(s).equals(r.add(a.multiplyUnsafe(k)))
  } catch {
    return false
  }
}

const verifySecp256k1 = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean => {
  if (rangeProblem(signature) !== undefined) return false
  try {
    return secp256k1.verify(signature, sha256(message), publicKey, { prehash: false, lowS: true, format: "compact" })
  } catch {
    return false
  }
}

/**
 * Why `signature` (64 bytes in hex, as GET /node gives it) does not prove that the answerer is `node`, or `undefined`
 * when it does.
 */
export const proofProblem = (
  challenge: Uint8Array,
  node: string,
  signature: string | undefined
): string | undefined => {
  const key = parseNodeId(node)
  if (Result.isFailure(key)) return `it gives no node id: ${key.failure}`
  if (signature === undefined) return "it did not answer the challenge"
  const hex = Bytes.parseHex(signature, 64)
  if (Result.isFailure(hex)) return `its answer to the challenge is no signature: ${hex.failure}`
  const message = challengeBytes(challenge, node as NodeId)
  const verify = key.success.type === "ed25519" ? verifyEd25519 : verifySecp256k1
  return verify(message, Bytes.fromHex(hex.success), key.success.publicKey)
    ? undefined
    : `it does not hold the key of node ${node}`
}
