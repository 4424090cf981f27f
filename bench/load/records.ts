/** Messages for stores that are filled without HTTP: signed ones, and ones whose signatures are noise. */
import { createRequire } from "node:module"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hashes } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import type { Message } from "../../src/domain/record.ts"
import { recordDigest } from "../../src/domain/signature.ts"
import type { User } from "./http-load.ts"

const native = createRequire(import.meta.url)("secp256k1/bindings") as {
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { readonly signature: Uint8Array; readonly recid: number }
}

/** The node that all of them came from. */
export const node = "12D3KooWGRUzVgkGbtAdVg7oFbuzDtQYMDxXJfYXxKJAXmQ1Vv1Z" as Ids.NodeId

/** Bytes that look random and depend on `n` only. */
export const noiseOf = (n: number, length: number): Uint8Array => {
  let state = (n + 1) * 0x9e3779b1 >>> 0
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 >>> 0
    return state >>> 11
  })
}

/** The n-th message, stamped at `ms`. Text of 300 bytes and signature are noise. */
export const noiseMessage = (
  hashes: Hashes,
  n: number,
  ms: number,
  { chatId, peer, sender }: Pick<Message, "chatId" | "sender"> & { readonly peer: Ids.Address }
): Message => {
  const fields = {
    node,
    sig: noiseOf(n, 65),
    sigVersion: 1 as const,
    hlc: Hlc.make(ms, n & 0xffff),
    chatId,
    sender,
    peer,
    ts: ms,
    msgType: 0,
    content: Bytes.toBase64(noiseOf(n, 225))
  }
  return { kind: "message", id: Ids.messageId(hashes, fields), ...fields }
}

/** The n-th message, written and stamped at `ms`, really signed by `sender`. */
export const signedMessage = (
  hashes: Hashes,
  n: number,
  ms: number,
  { content, peer, sender }: { readonly sender: User; readonly peer: User; readonly content: string }
): Message => {
  const fields = {
    chatId: Ids.dmChatId(hashes, sender.address, peer.address),
    sender: sender.address,
    ts: ms,
    msgType: 0,
    content
  }
  const unsigned: Message = {
    kind: "message",
    id: Ids.messageId(hashes, fields),
    ...fields,
    peer: peer.address,
    node,
    sig: new Uint8Array(65),
    sigVersion: 1,
    hlc: Hlc.make(ms, n & 0xffff)
  }
  const { recid, signature } = native.ecdsaSign(recordDigest(hashes, unsigned), sender.key)
  const sig = new Uint8Array(65)
  sig.set(signature)
  sig[64] = recid
  return { ...unsigned, sig }
}
