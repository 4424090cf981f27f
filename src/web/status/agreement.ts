/**
 * Whether this node holds the same records as every connected peer, and since when. That is claimed only on what the Merkle
 * roots proved (SPEC §6): each peer's last comparison found full roots equal, not long ago; and "since" begins anew for all
 * as soon as a comparison anywhere found a difference.
 */
import type { NodePeers } from "../../api/index.ts"

type Peers = typeof NodePeers.Type

/** Nodes compare at least once a minute when all is well; a round may take some seconds. Ms. */
const freshMsMax = 90_000

/** What is remembered from one look to the next. */
export interface Agreement {
  /** By peer: its connection's beginning, and the horizon from which on every comparison has been equal, ms. */
  readonly runs: ReadonlyMap<string, { readonly connectedMs: number; readonly horizonMs: number }>
  /** Rounds that found a difference, by the node's count. */
  readonly unequalRounds: number
  /** When that count last changed, by the node's clock, ms: rounds that ended before prove nothing since. */
  readonly brokenMs: number
}

export const unknown: Agreement = { runs: new Map(), unequalRounds: Number.NaN, brokenMs: -Infinity }

const isEqual = ({ last_equal, last_round }: Peers["peers"][number], nowMs: number): boolean =>
  last_equal !== undefined
  && nowMs - last_equal.at <= freshMsMax
  // a peer that had no time, or an answer that got lost, says nothing about the records
  && last_round?.result !== "repaired" && last_round?.result !== "behind"

/**
 * Takes in a look at the peers at `nowMs` of the node's clock, with `unequalRounds` read at the same time or later.
 * Undefined: the node does not tell the number, so no look is connected with the one before.
 */
export const advance = (
  before: Agreement,
  { peers }: Peers,
  unequalRounds: number | undefined,
  nowMs: number
): Agreement => {
  const isBroken = unequalRounds !== before.unequalRounds
  const brokenMs = isBroken && !Number.isNaN(before.unequalRounds) ? nowMs : before.brokenMs
  const runs = new Map<string, { readonly connectedMs: number; readonly horizonMs: number }>()
  for (const peer of peers) {
    const { last_equal, peer_id, since } = peer
    if (last_equal === undefined || last_equal.at < brokenMs || !isEqual(peer, nowMs)) continue
    const run = isBroken ? undefined : before.runs.get(peer_id)
    runs.set(
      peer_id,
      run?.connectedMs === since ? run : { connectedMs: since, horizonMs: last_equal.horizon }
    )
  }
  return { runs, unequalRounds: unequalRounds ?? Number.NaN, brokenMs }
}

export type Verdict =
  /** No peer to be equal with. */
  | { readonly is: "alone" }
  /**
   * Equal with all of them, in all records stamped up to `upToMs`; and every comparison from `sinceMs` on said so. That
   * is absent until each peer was compared with once more.
   */
  | { readonly is: "equal"; readonly upToMs: number; readonly sinceMs?: number }
  /** Equal with so many of them. */
  | { readonly is: "open"; readonly equal: number }

export const verdict = ({ runs }: Agreement, { peers }: Peers): Verdict => {
  if (peers.length === 0) return { is: "alone" }
  const proven = peers.flatMap(({ last_equal, peer_id }) => {
    const run = runs.get(peer_id)
    return run === undefined || last_equal === undefined ? [] : [{ sinceMs: run.horizonMs, upToMs: last_equal.horizon }]
  })
  if (proven.length < peers.length) return { is: "open", equal: proven.length }
  const upToMs = Math.min(...proven.map((each) => each.upToMs))
  const sinceMs = Math.max(...proven.map((each) => each.sinceMs))
  return { is: "equal", upToMs, ...(sinceMs <= upToMs ? { sinceMs } : {}) }
}
