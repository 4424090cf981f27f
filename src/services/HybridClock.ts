/** The node's hybrid logical clock (SPEC §4), starting above everything stored. */
import * as Context from "effect/Context"
import type { Hlc } from "../domain/hlc.ts"

export class HybridClock extends Context.Service<HybridClock, {
  /** The stamp of a new record, above all before. */
  send(): Hlc
  /** Merges the stamp of an accepted record. One that is early does not move the clock. */
  receive(remote: Hlc): void
  /** The local wall clock, ms. */
  wall(): number
  /** The last stamp given or merged. */
  last(): Hlc
}>()("p2p-mes/services/HybridClock") {}
