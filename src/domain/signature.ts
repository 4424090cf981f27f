/**
 * Strings to sign and the shape of signatures (SPEC §3). One signature authenticates the request and travels with the
 * record it creates. What a library would be lenient about (high s, odd lengths, ranges) is refused here, before it.
 */
import * as Result from "effect/Result"
import { ByteSink } from "./byte-sink.ts"
import * as Bytes from "./bytes.ts"
import type { Hashes } from "./hashing.ts"
import type { Hlc } from "./hlc.ts"
import type { NodeId, OpId } from "./ids.ts"
import type { Dot, Kind, Record, SigVersion } from "./record.ts"

/** What is signed for: a record of that kind, or any other call. */
export type Purpose = Kind | "request"

/** The five signed lines. `digest` is the id of the record, or `requestId`, in hex. */
export const stringToSign = (purpose: Purpose, ts: number, node: NodeId, digest: string): string =>
  `p2p-mes/v1\n${purpose}\n${ts}\n${node}\n${digest}`

const eip191Prefix = "\x19Ethereum Signed Message:\n"

const signedBytes = new ByteSink(1024)

/** The 32 bytes that ECDSA signs for `text`. */
export const signedDigest = (hashes: Hashes, version: SigVersion, text: string): Uint8Array => {
  signedBytes.begin()
  if (version === 2) signedBytes.text(`${eip191Prefix}${Bytes.textLength(text)}`)
  return hashes.keccak256(signedBytes.text(text).view())
}

/** What the author of a record signed. */
export const recordDigest = (hashes: Hashes, record: Record): Uint8Array =>
  signedDigest(hashes, record.sigVersion, stringToSign(record.kind, record.ts, record.node, record.id))

/** The order n of secp256k1 and half of it, as 32 bytes. */
const order = Bytes.fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
const halfOrder = Bytes.fromHex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

/** Why r[32] || s[32] cannot be a signature that this protocol takes, or `undefined`: ranges, and s at most n/2. */
export const rangeProblem = (rs: Uint8Array): string | undefined => {
  if (rs.length !== 64) return `r and s have 64 bytes, got ${rs.length}`
  const r = rs.subarray(0, 32)
  const s = rs.subarray(32, 64)
  if (isZero(r) || Bytes.compare(r, order) >= 0) return "r is not between 1 and n-1"
  if (isZero(s) || Bytes.compare(s, order) >= 0) return "s is not between 1 and n-1"
  return Bytes.compare(s, halfOrder) > 0 ? "s is above n/2" : undefined
}

/** Why 65 bytes r || s || v of a record are no signature, or `undefined`. Records store v as 0 or 1. */
export const signatureProblem = (sig: Uint8Array): string | undefined => {
  if (sig.length !== 65) return `a signature has 65 bytes, got ${sig.length}`
  return sig[64]! > 1 ? "v is not 0 or 1" : rangeProblem(sig.subarray(0, 64))
}

/** Reads `X-Sig`: 65 bytes in hex, v of 27 and 28 meaning 0 and 1. Gives r || s || v with v 0 or 1. */
export const parseSignature = (header: string): Result.Result<Uint8Array, string> => {
  const hex = Bytes.parseHex(header, 65)
  if (Result.isFailure(hex)) return Result.fail(hex.failure)
  const sig = Bytes.fromHex(hex.success)
  const v = sig[64]!
  if (v === 27 || v === 28) sig[64] = v - 27
  const problem = signatureProblem(sig)
  return problem === undefined ? Result.succeed(sig) : Result.fail(problem)
}

const stampTag = Bytes.fromText("p2p-mes/stamp/v1")
const challengeTag = Bytes.fromText("p2p-mes/challenge/v1")

/** The bytes of `observed` that a stamp hashes, which also order variants (SPEC §5, §5.2). */
export const observedBytes = (observed: ReadonlyArray<Dot> | undefined): Uint8Array =>
  Bytes.opt(
    observed === undefined ? undefined : Bytes.concat([Bytes.u16be(observed.length), Bytes.fromHex(observed.join(""))])
  )

/** What an ingest node signs for an op: its place and what it saw. */
export const stampDigest = (
  hashes: Hashes,
  op: { readonly id: OpId; readonly hlc: Hlc; readonly observed?: ReadonlyArray<Dot> | undefined }
): Uint8Array =>
  hashes.blake3(Bytes.concat([stampTag, Bytes.fromHex(op.id), Bytes.u64be(op.hlc), observedBytes(op.observed)]))

/** What a node signs to prove its id to a client: `challenge` has 32 bytes. SPEC §3 signs these bytes as they are. */
export const challengeBytes = (challenge: Uint8Array, node: NodeId): Uint8Array =>
  Bytes.concat([challengeTag, challenge, Bytes.fromText(node)])
