/** The Merkle trees over what is stored, one a domain (SPEC §6). */
import * as Context from "effect/Context"
import type { Domain } from "../domain/record.ts"
import type { LeafChange } from "./Store.ts"

export class Trees extends Context.Service<Trees, {
  /** Takes in what a commit changed. */
  apply(changes: ReadonlyArray<LeafChange>): void
  /** 32 bytes; `undefined` while the tree is being built. */
  root(domain: Domain): Uint8Array | undefined
  /** Records in the tree so far. */
  count(domain: Domain): number
  /** Share of the trees that is built, 0 to 1. */
  built(): number
}>()("p2p-mes/services/Trees") {}
