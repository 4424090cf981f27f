/** Makes signed messages for `prepared.ts`, beside the thread that stores them. */
import { Effect } from "effect"
import { createRequire } from "node:module"
import { parentPort } from "node:worker_threads"
import * as Hlc from "../src/domain/hlc.ts"
import * as Ids from "../src/domain/ids.ts"
import type { Message } from "../src/domain/record.ts"
import { recordDigest } from "../src/domain/signature.ts"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import { makeUser, type User } from "./http-load.ts"
import { contentOf, pairOf, userCount, userName } from "./people.ts"

/** Messages `from` to before `to`, the n-th stamped at `startMs` + n × `stepMs`. */
export interface Wanted {
  readonly from: number
  readonly to: number
  readonly startMs: number
  readonly stepMs: number
}

const native = createRequire(import.meta.url)("secp256k1/bindings") as {
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { readonly signature: Uint8Array; readonly recid: number }
}
const node = "12D3KooWGRUzVgkGbtAdVg7oFbuzDtQYMDxXJfYXxKJAXmQ1Vv1Z" as Ids.NodeId
const hashes = await Effect.runPromise(loadWasm)
const users: ReadonlyArray<User> = Array.from({ length: userCount }, (_, n) => makeUser(hashes, userName(n)))

const messageOf = (n: number, ms: number): Message => {
  const pair = pairOf(n)
  const [sender, peer] = [users[pair.from]!, users[pair.to]!]
  const fields = {
    chatId: Ids.dmChatId(hashes, sender.address, peer.address),
    sender: sender.address,
    ts: ms,
    msgType: 0,
    content: contentOf(n)
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

parentPort!.on("message", ({ from, startMs, stepMs, to }: Wanted) => {
  const messages: Array<Message> = []
  for (let n = from; n < to; n++) messages.push(messageOf(n, Math.floor(startMs + n * stepMs)))
  parentPort!.postMessage(messages, [])
})
