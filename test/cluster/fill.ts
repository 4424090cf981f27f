/** A data directory that is full before its node starts: records that people signed, put into the store as they are. */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { createRequire } from "node:module"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { nodeIdOf } from "../../src/domain/node-id.ts"
import type { Message } from "../../src/domain/record.ts"
import { signedDigest, stringToSign } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { Store } from "../../src/services/Store.ts"
import { user } from "../http/fixture.ts"

/** Signs twenty times as fast as what tests use elsewhere; has no types. */
const { ecdsaSign, publicKeyCreate } = createRequire(import.meta.url)("secp256k1") as {
  readonly ecdsaSign: (
    digest: Uint8Array,
    key: Uint8Array
  ) => { readonly recid: number; readonly signature: Uint8Array }
  readonly publicKeyCreate: (key: Uint8Array, compressed: boolean) => Uint8Array
}
const signed = (key: Uint8Array, purpose: "message", ts: number, node: Ids.NodeId, id: string): Uint8Array => {
  const { recid, signature } = ecdsaSign(signedDigest(noble, 1, stringToSign(purpose, ts, node, id)), key)
  return Bytes.concat([signature, Uint8Array.of(recid)])
}
const addressOf = (key: Uint8Array): Ids.Address =>
  Bytes.toHex(noble.keccak256(publicKeyCreate(key, false).subarray(1)).subarray(12)) as Ids.Address
const someNode = nodeIdOf({ type: "ed25519", publicKey: new Uint8Array(32).fill(7) })
const peopleCount = 40
const batch = 1_000
/** The newest is older than any horizon. */
const agoMs = 60_000

/** A message of a new user to a group that nobody has heard of, well signed, by whatever node. */
export const groupMessageOf = (content: string, ts = Date.now()): Message => {
  const key = new Uint8Array(randomBytes(32))
  const sender = addressOf(key)
  const fields = { chatId: randomBytes(32).toString("hex") as Ids.ChatId, sender, ts, msgType: 0, content }
  const id = Ids.messageId(noble, fields)
  return {
    kind: "message",
    id,
    ...fields,
    node: someNode,
    sig: signed(key, "message", ts, someNode, id),
    sigVersion: 1,
    hlc: Hlc.make(ts, 0)
  }
}

/** Commits so many direct messages that were sent through `node`, one a ms. Gives their ids. */
export const fill = (directory: string, node: Ids.NodeId, count: number): Promise<ReadonlyArray<Ids.MessageId>> => {
  const people = Array.from({ length: peopleCount }, (_, i) => user(201 + i))
  const startMs = Date.now() - agoMs - count
  const make = (i: number): Message => {
    const sender = people[i % peopleCount]!
    const peer = people[(i * 7 + Math.floor(i / peopleCount)) % peopleCount]!
    const ts = startMs + i
    const fields = {
      chatId: Ids.dmChatId(noble, sender.address, peer.address),
      sender: sender.address,
      ts,
      msgType: 0,
      content: `${i} ${randomBytes(40).toString("hex")}`
    }
    const id = Ids.messageId(noble, fields)
    const sig = signed(sender.key, "message", ts, node, id)
    return { kind: "message", id, ...fields, peer: peer.address, node, sig, sigVersion: 1, hlc: Hlc.make(ts, 0) }
  }
  return Effect.runPromise(
    Effect.gen(function*() {
      const store = yield* Store
      const ids: Array<Ids.MessageId> = []
      for (let at = 0; at < count; at += batch) {
        const records = Array.from({ length: Math.min(batch, count - at) }, (_, i) => make(at + i))
        yield* store.commit(records, Hlc.zero)
        ids.push(...records.map(({ id }) => id))
      }
      return ids
    }).pipe(Effect.provide(layerSqlite({ directory })), Effect.scoped)
  )
}
