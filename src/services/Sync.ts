/**
 * Anti-entropy with every connected peer (SPEC §6), and what this node knows of how it stands with them. Nothing here is
 * needed to be right: it may all be forgotten.
 */
import * as Context from "effect/Context"
import type { NodeId } from "../domain/ids.ts"
import type { Domain } from "../domain/record.ts"

/** How a round ended. `equal`: full roots were equal at one horizon, and the audited buckets too. */
export interface Round {
  /** Wall clock at its end, ms. */
  readonly atMs: number
  readonly tookMs: number
  readonly horizonMs?: number | undefined
  readonly result: "equal" | "repaired" | "behind" | "busy" | "failed"
  /** Why it failed, in words. */
  readonly why?: string | undefined
  /** Records that came, and that were sent. */
  readonly pulled: number
  readonly pushed: number
  /** Bytes of all frames, both ways. */
  readonly bytes: number
}

export interface PeerSync {
  readonly peer: NodeId
  /** The last round with it, whoever began. */
  readonly last?: Round | undefined
  /** When full roots were last equal: the horizon, and the wall clock, ms. */
  readonly equal?: { readonly horizonMs: number; readonly atMs: number } | undefined
  /** Its wall clock less ours, ms, as of the last hello. */
  readonly clockOffsetMs?: number | undefined
}

/** A fetch of most of the data from one peer. */
export interface CatchUp {
  readonly peer: NodeId
  readonly domain: Domain
  /** Records fetched in this catch-up, and how many the peer is ahead: its count at the start less ours. */
  readonly fetched: number
  readonly missing: number
  /** Records a second, over the last seconds. */
  readonly rate: number
}

export class Sync extends Context.Service<Sync, {
  /** Asks for a round soon: with this peer, or with one of them. Calls are collected. */
  suspect(peer?: NodeId): void
  peers(): ReadonlyArray<PeerSync>
  catchUp(): CatchUp | undefined
}>()("p2p-mes/services/Sync") {}
