/**
 * The Merkle trees over what is stored, one a domain (SPEC §6). A tree stands for a horizon; those of the last horizons
 * can all be had.
 */
import * as Context from "effect/Context"
import type { Span } from "../domain/horizon.ts"
import type { MerkleTree } from "../domain/merkle.ts"
import type { Domain } from "../domain/record.ts"
import type { Commit } from "./Store.ts"

/** The trees at one horizon, as they were when it was asked for. */
export interface Snapshot {
  readonly horizonMs: number
  readonly span: Span
  /**
   * Hashes up to `limit` nodes of what the roots need; true when nothing is left. Roots that are asked for before are
   * hashed then and there: up to a tenth of a second for trees that changed all over (FAILURES 13).
   */
  refresh(limit: number): boolean
  /** 32 bytes. */
  root(domain: Domain): Uint8Array
  /** Records in the tree. */
  count(domain: Domain): number
  /** A copy that does not change any more, made when first asked for: not to be changed by the caller either. */
  tree(domain: Domain): MerkleTree
}

export class Trees extends Context.Service<Trees, {
  /** Takes in what a commit changed, in the order of commits. */
  apply(commit: Commit): void
  /** The newest horizon that can be answered, ms; `undefined` while the trees are being built. */
  horizonMs(): number | undefined
  /** `undefined` when this horizon cannot be answered (any more, or yet). */
  at(horizonMs: number): Snapshot | undefined
  /** Records in the trees at the newest horizon so far; for metrics. */
  count(domain: Domain): number
  /** Share of the trees that is built, 0 to 1. */
  built(): number
  /** Drops the trees and builds them anew: they do not agree with the store. */
  rebuild(why: string): void
}>()("p2p-mes/services/Trees") {}
