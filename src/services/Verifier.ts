/**
 * Signature checks, the dearest work of a node (about 60 µs each): one port, so that the backend and the threads it
 * uses can be chosen at start without anyone else knowing.
 *
 * Shapes are checked before they come here (`domain/signature`): r, s and v are in range and s is low.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Address } from "../domain/ids.ts"
import type { NodeKey } from "../domain/node-id.ts"

/** One secp256k1 recovery. */
export interface Recovery {
  /** 32 bytes that were signed. */
  readonly digest: Uint8Array
  /** r[32] || s[32]. */
  readonly rs: Uint8Array
  /** Recovery bit. */
  readonly v: 0 | 1
}

/** One signature of a node key: a stamp, or the answer to a challenge (SPEC §5.2). */
export interface NodeSignature {
  readonly key: NodeKey
  /** What was signed: 32 bytes for a stamp, more for a challenge. */
  readonly digest: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** What did the work, shown in the log and in metrics. */
export interface VerifierInfo {
  readonly backend: "native" | "wasm" | "noble"
  /** Threads beside the caller's. */
  readonly workers: number
}

export class Verifier extends Context.Service<Verifier, {
  readonly info: VerifierInfo
  /** The address whose key made the signature, or `undefined` when no key could have. Never fails. */
  recover(item: Recovery): Effect.Effect<Address | undefined>
  /** The same for many at once; answers in the order of `items`. Spreads over threads. */
  recoverAll(items: ReadonlyArray<Recovery>): Effect.Effect<ReadonlyArray<Address | undefined>>
  /**
   * Whether `key` made `signature` over `digest`. Ed25519: RFC 8032 without cofactor, canonical encodings only,
   * small-order points refused. secp256k1: low s, over SHA-256 of the digest.
   */
  verifyNode(item: NodeSignature): Effect.Effect<boolean>
  /** The same for many at once; answers in the order of `items`. */
  verifyNodeAll(items: ReadonlyArray<NodeSignature>): Effect.Effect<ReadonlyArray<boolean>>
}>()("p2p-mes/services/Verifier") {}
