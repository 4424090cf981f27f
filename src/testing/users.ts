/**
 * Users with keys, and their writes: signed as a client signs, and given to a node through the same door as a request over
 * HTTP, so that every record of a simulation carries proofs that any node can check.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import * as Effect from "effect/Effect"
import * as Bytes from "../domain/bytes.ts"
import { type Hashes, Hashing } from "../domain/hashing.ts"
import * as Ids from "../domain/ids.ts"
import type { Kind, SigVersion } from "../domain/record.ts"
import { signedDigest, stringToSign } from "../domain/signature.ts"
import { Authenticator, type Claim } from "../services/Authenticator.ts"
import { Ingest, type Place, type Receipt } from "../services/Ingest.ts"
import { NodeKey } from "../services/NodeKey.ts"
import { Writer } from "../services/Writer.ts"

export interface User {
  readonly name: string
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly address: Ids.Address
}

/** The user of this name: the same in all runs. */
export const makeUser = (hashes: Hashes, name: string): User => {
  // any 32 bytes below the order will do, and nearly all are
  const key = hashes.blake3(Bytes.fromText(`p2p-mes testing user ${name}`))
  const publicKey = secp256k1.getPublicKey(key, false)
  return { name, key, address: Bytes.toHex(hashes.keccak256(publicKey.subarray(1)).subarray(12)) as Ids.Address }
}

/** What a user wants written. Fields name the author; an op's also the node that it is for. */
export type Draft =
  | { readonly kind: "message"; readonly place: Place; readonly fields: Ids.MessageFields }
  | { readonly kind: "op"; readonly fields: Ids.OpFields }
  | { readonly kind: "read"; readonly place: Place; readonly fields: Ids.ReadFields }
  | { readonly kind: "identity"; readonly fields: Ids.IdentityFields }

export const idOf = (hashes: Hashes, draft: Draft): string => {
  switch (draft.kind) {
    case "message":
      return Ids.messageId(hashes, draft.fields)
    case "op":
      return Ids.opId(hashes, draft.fields)
    case "read":
      return Ids.readId(hashes, draft.fields)
    case "identity":
      return Ids.identityId(hashes, draft.fields)
  }
}

/** A direct conversation, seen from one side. */
export const directPlace = (hashes: Hashes, user: User, peer: User): Place => ({
  kind: "dm",
  chatId: Ids.dmChatId(hashes, user.address, peer.address),
  peer: peer.address
})

/** The claim of a user that a node gets with a write. */
export const signClaim = (
  hashes: Hashes,
  user: User,
  write: { readonly kind: Kind; readonly ts: number; readonly node: Ids.NodeId; readonly id: string },
  sigVersion: SigVersion = 1
): Claim => {
  const digest = signedDigest(hashes, sigVersion, stringToSign(write.kind, write.ts, write.node, write.id))
  // recovery byte first
  const signed = secp256k1.sign(digest, user.key, { prehash: false, format: "recovered" })
  const sig = Bytes.concat([signed.subarray(1), signed.subarray(0, 1)])
  return { user: user.address, ts: write.ts, sig, sigVersion }
}

/** Writes at the node that runs this. With `wait`, the receipt comes after the commit. */
export const write = Effect.fnUntraced(
  function*(user: User, draft: Draft, options: { readonly wait?: boolean; readonly sigVersion?: SigVersion } = {}) {
    const hashes = yield* Hashing
    const authenticator = yield* Authenticator
    const ingest = yield* Ingest
    const { id: node } = yield* NodeKey
    const { kind } = draft
    const id = idOf(hashes, draft)
    const { ts } = draft.fields
    const claim = signClaim(hashes, user, { kind, ts, node, id }, options.sigVersion)
    yield* authenticator.check({ ts, node })
    const receipt: Receipt<string> = yield* authenticator.write(
      claim,
      kind,
      id,
      (proof): Effect.Effect<Receipt<string>, Refusal> => {
        switch (draft.kind) {
          case "message":
            return ingest.message(draft.place, draft.fields, proof)
          case "op":
            return ingest.op(draft.fields, proof)
          case "read":
            return ingest.read(draft.place, draft.fields, proof)
          case "identity":
            return ingest.identity(draft.fields, proof)
        }
      },
      ingest.receipt(soughtOf(draft, id))
    )
    if (options.wait === true) yield* (yield* Writer).committed(receipt.ticket)
    return receipt
  }
)

type Refusal = Effect.Error<ReturnType<Ingest["Service"]["message" | "op" | "read" | "identity"]>>

const soughtOf = (draft: Draft, id: string) => {
  switch (draft.kind) {
    case "message":
      return { kind: "message", id: id as Ids.MessageId } as const
    case "op":
      return { kind: "op", id: id as Ids.OpId } as const
    case "read":
      return { kind: "read", id: id as Ids.ReadId, chatId: draft.fields.chatId, reader: draft.fields.reader } as const
    case "identity": {
      const { address, ts } = draft.fields
      return { kind: "identity", id: id as Ids.IdentityId, address, ts } as const
    }
  }
}
