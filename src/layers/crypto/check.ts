/**
 * One signature check, of either kind, done here and now: what the calling thread and the worker threads share.
 * Like all that a worker thread loads, it does without Effect (see `hashes`).
 */
import { createHash } from "node:crypto"
import type { Address } from "../../domain/ids.ts"
import type { NodeSignature, Recovery } from "../../services/Verifier.ts"
import type { Backend } from "./backend.ts"
import * as Ed25519 from "./ed25519.ts"

export type Item = Recovery | NodeSignature

/** An address or `undefined` for a recovery, a boolean for a node's signature. */
export type Answer = Address | undefined | boolean

export const isRecovery = (item: Item): item is Recovery => "rs" in item

const verifyNode = (backend: Backend, item: NodeSignature): boolean => {
  if (item.key.type === "ed25519") return Ed25519.verify(item.digest, item.signature, item.key.publicKey)
  // the backend refuses high s, and r or s out of range
  return backend.verify(createHash("sha256").update(item.digest).digest(), item.signature, item.key.publicKey)
}

export const check = (backend: Backend, item: Item): Answer =>
  isRecovery(item) ? backend.recover(item.digest, item.rs, item.v) : verifyNode(backend, item)
