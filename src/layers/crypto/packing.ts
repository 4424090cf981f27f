/**
 * Checks and answers as flat bytes, as they lie in the memory that is shared with a worker thread. Every item and every
 * answer has one size: there is nothing to parse and nothing to trust.
 *
 *     item     kind u8 · digest[32] · signature[64] · key[33], the key of Ed25519 in the first 32, none for a recovery
 *     answer   0 no · 1 yes, then the address[20] of a recovery
 */
import type { Address } from "../../domain/ids.ts"
import { type Answer, isRecovery, type Item } from "./check.ts"

export const itemBytes = 1 + 32 + 64 + 33
export const answerBytes = 1 + 20
// 0 and 1 are a recovery with that v
const ed25519Kind = 2
const secp256k1Kind = 3

/** Whether the item has the lengths that the form holds. Others exist only by a caller's mistake or for odd messages. */
export const isPackable = (item: Item): boolean =>
  item.digest.length === 32 && (isRecovery(item)
    ? item.rs.length === 64 && (item.v === 0 || item.v === 1)
    : item.signature.length === 64 && item.key.publicKey.length === (item.key.type === "ed25519" ? 32 : 33))

export const packItem = (bytes: Uint8Array, at: number, item: Item): void => {
  bytes.set(item.digest, at + 1)
  if (isRecovery(item)) {
    bytes[at] = item.v
    bytes.set(item.rs, at + 33)
  } else {
    bytes[at] = item.key.type === "ed25519" ? ed25519Kind : secp256k1Kind
    bytes.set(item.signature, at + 33)
    bytes.set(item.key.publicKey, at + 97)
  }
}

/** Gives what reads the item that lies in `bytes` at the time. The item is a view: it changes with the bytes. */
export const unpacker = (bytes: Uint8Array): () => Item => {
  const [digest, signature] = [bytes.subarray(1, 33), bytes.subarray(33, 97)]
  const items: ReadonlyArray<Item> = [
    { digest, rs: signature, v: 0 },
    { digest, rs: signature, v: 1 },
    { digest, signature, key: { type: "ed25519", publicKey: bytes.subarray(97, 129) } },
    { digest, signature, key: { type: "secp256k1", publicKey: bytes.subarray(97, 130) } }
  ]
  return () => items[bytes[0]!]!
}

export const packAnswer = (bytes: Uint8Array, at: number, answer: Answer): void => {
  bytes[at] = answer === undefined || answer === false ? 0 : 1
  if (typeof answer === "string") bytes.set(Uint8Array.fromHex(answer), at + 1)
}

/** The answer at `at`, which belongs to `item`. */
export const unpackAnswer = (bytes: Uint8Array, at: number, item: Item): Answer => {
  const yes = bytes[at] === 1
  if (!isRecovery(item)) return yes
  return yes ? bytes.subarray(at + 1, at + answerBytes).toHex() as Address : undefined
}
