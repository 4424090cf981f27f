/**
 * Checks and answers as flat bytes, so that many cross to a worker thread as one buffer that changes hands instead of
 * as many cloned objects. Every item and every answer has one size: there is nothing to parse and nothing to trust.
 *
 *     item     kind u8 · digest[32] · signature[64] · key[33], the key of Ed25519 in the first 32, none for a recovery
 *     answer   0 no · 1 yes, then the address[20] of a recovery
 */
import type { Address } from "../../domain/ids.ts"
import { type Answer, isRecovery, type Item } from "./check.ts"

const itemBytes = 1 + 32 + 64 + 33
const answerBytes = 1 + 20
// 0 and 1 are a recovery with that v
const ed25519Kind = 2
const secp256k1Kind = 3

/** Whether the item has the lengths that the form holds. Others exist only by a caller's mistake or for odd messages. */
export const isPackable = (item: Item): boolean =>
  item.digest.length === 32 && (isRecovery(item)
    ? item.rs.length === 64 && (item.v === 0 || item.v === 1)
    : item.signature.length === 64 && item.key.publicKey.length === (item.key.type === "ed25519" ? 32 : 33))

export const packItems = (items: ReadonlyArray<Item>): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(items.length * itemBytes)
  let at = 0
  for (const item of items) {
    out.set(item.digest, at + 1)
    if (isRecovery(item)) {
      out[at] = item.v
      out.set(item.rs, at + 33)
    } else {
      out[at] = item.key.type === "ed25519" ? ed25519Kind : secp256k1Kind
      out.set(item.signature, at + 33)
      out.set(item.key.publicKey, at + 97)
    }
    at += itemBytes
  }
  return out
}

export const unpackItems = (packed: Uint8Array): ReadonlyArray<Item> => {
  const items: Array<Item> = []
  for (let at = 0; at < packed.length; at += itemBytes) {
    const kind = packed[at]!
    const digest = packed.subarray(at + 1, at + 33)
    const signature = packed.subarray(at + 33, at + 97)
    items.push(
      kind === 0 || kind === 1
        ? { digest, rs: signature, v: kind }
        : kind === ed25519Kind
        ? { digest, signature, key: { type: "ed25519", publicKey: packed.subarray(at + 97, at + 129) } }
        : { digest, signature, key: { type: "secp256k1", publicKey: packed.subarray(at + 97, at + 130) } }
    )
  }
  return items
}

export const packAnswers = (answers: ReadonlyArray<Answer>): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(answers.length * answerBytes)
  let at = 0
  for (const answer of answers) {
    if (typeof answer === "string") {
      out[at] = 1
      out.set(Uint8Array.fromHex(answer), at + 1)
    } else {
      out[at] = answer === true ? 1 : 0
    }
    at += answerBytes
  }
  return out
}

/** The answer at `index`, which belongs to `item`. */
export const unpackAnswer = (packed: Uint8Array, index: number, item: Item): Answer => {
  const at = index * answerBytes
  const yes = packed[at] === 1
  if (!isRecovery(item)) return yes
  return yes ? packed.subarray(at + 1, at + answerBytes).toHex() as Address : undefined
}
