/**
 * Node ids: libp2p PeerIds whose public key is inside the id, so that a stamp can be checked with nothing but the
 * record (SPEC §2). Ed25519 and secp256k1 keys are inlined by libp2p; RSA keys are hashed, and refused here.
 */
import * as Result from "effect/Result"
import { base58btc } from "multiformats/bases/base58"
import * as Bytes from "./bytes.ts"
import type { NodeId } from "./ids.ts"
import { nodeIdBytesMax } from "./limits.ts"

export interface NodeKey {
  readonly type: "ed25519" | "secp256k1"
  /** 32 bytes for Ed25519, 33 (compressed) for secp256k1. */
  readonly publicKey: Uint8Array
}

// identity multihash (0x00), its length, then the libp2p protobuf of a public key: field 1 the type, field 2 the bytes
const ed25519Prefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
const secp256k1Prefix = Uint8Array.of(0x00, 0x25, 0x08, 0x02, 0x12, 0x21)

const startsWith = (bytes: Uint8Array, prefix: Uint8Array): boolean =>
  Bytes.equal(bytes.subarray(0, prefix.length), prefix)

/** The field of secp256k1: 2^256 - 2^32 - 977. */
const fieldOrder = (1n << 256n) - (1n << 32n) - 977n

/** Whether `a` is a square modulo the odd prime `p` (zero counts as one): its Jacobi symbol, 0.1 ms for 256 bits. */
const isSquare = (a: bigint, p: bigint): boolean => {
  let top = a % p
  let bottom = p
  let sign = 1
  while (top !== 0n) {
    while ((top & 1n) === 0n) {
      top >>= 1n
      const rest = bottom & 7n
      if (rest === 3n || rest === 5n) sign = -sign
    }
    const kept = top
    top = bottom
    bottom = kept
    if ((top & 3n) === 3n && (bottom & 3n) === 3n) sign = -sign
    top %= bottom
  }
  return bottom !== 1n || sign === 1
}

/** Whether 33 bytes are a point of secp256k1, y² = x³ + 7. No libp2p id holds anything else. */
const isPoint = (compressed: Uint8Array): boolean => {
  if (compressed[0] !== 2 && compressed[0] !== 3) return false
  const x = BigInt(`0x${Bytes.toHex(compressed.subarray(1))}`)
  return x < fieldOrder && isSquare((x * x * x + 7n) % fieldOrder, fieldOrder)
}

// A node sees the ids of few others, in every record. What the text says never changes, so remembering is not state.
const rememberedMax = 1024
const remembered = new Map<string, Result.Result<NodeKey, string>>()

/** Reads the key out of a node id; the failure says what is wrong. Only the text that printing the id gives is taken. */
export const parseNodeId = (text: string): Result.Result<NodeKey, string> => {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const key = readNodeId(text)
  if (Result.isSuccess(key)) {
    if (remembered.size >= rememberedMax) remembered.clear()
    remembered.set(text, key)
  }
  return key
}

const readNodeId = (text: string): Result.Result<NodeKey, string> => {
  if (text.length > nodeIdBytesMax) return Result.fail(`a node id has at most ${nodeIdBytesMax} characters`)
  let bytes: Uint8Array
  try {
    bytes = base58btc.baseDecode(text)
  } catch {
    return Result.fail("a node id is Base58 text")
  }
  if (base58btc.baseEncode(bytes) !== text) return Result.fail("the node id is not in its canonical form")
  if (bytes.length === 38 && startsWith(bytes, ed25519Prefix)) {
    return Result.succeed({ type: "ed25519", publicKey: bytes.subarray(6) })
  }
  if (bytes.length === 39 && startsWith(bytes, secp256k1Prefix) && isPoint(bytes.subarray(6))) {
    return Result.succeed({ type: "secp256k1", publicKey: bytes.subarray(6) })
  }
  return Result.fail("a node id holds an Ed25519 or a secp256k1 key")
}

/** The id of a node with this key. */
export const nodeIdOf = (key: NodeKey): NodeId =>
  base58btc.baseEncode(
    Bytes.concat([key.type === "ed25519" ? ed25519Prefix : secp256k1Prefix, key.publicKey])
  ) as NodeId
