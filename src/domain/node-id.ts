/**
 * Node ids: libp2p PeerIds whose public key is inside the id, so that a stamp can be checked with nothing but the
 * record (SPEC §2). Ed25519 and secp256k1 keys are inlined by libp2p; RSA keys are hashed, and refused here.
 */
import { Result } from "effect"
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

/** Reads the key out of a node id; the failure says what is wrong. Only the text that printing the id gives is taken. */
export const parseNodeId = (text: string): Result.Result<NodeKey, string> => {
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
  if (bytes.length === 39 && startsWith(bytes, secp256k1Prefix) && (bytes[6] === 2 || bytes[6] === 3)) {
    return Result.succeed({ type: "secp256k1", publicKey: bytes.subarray(6) })
  }
  return Result.fail("a node id holds an Ed25519 or a secp256k1 key")
}

/** The id of a node with this key. */
export const nodeIdOf = (key: NodeKey): NodeId =>
  base58btc.baseEncode(
    Bytes.concat([key.type === "ed25519" ? ed25519Prefix : secp256k1Prefix, key.publicKey])
  ) as NodeId
