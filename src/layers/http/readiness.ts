/**
 * Whether a node does its whole job, in words (SPEC §4, §6). Problems make it unready; warnings are for the operator to
 * look at. Clients are served meanwhile, whatever is said here.
 */
import { driftMsMax } from "../../domain/limits.ts"
import type { PeersJson } from "./peers.ts"

/** A catch-up that lacks more than both of these makes the node unready; less is the ordinary work of a round. */
const lackingRecordsMax = 1_000
const lackingShareMax = 0.05
/** A node is given this long after its start to find peers before it is said that there are none. */
const aloneMsMax = 30_000

export interface Standing {
  /** Why commits fail, while they do; what else the store says. */
  readonly storeProblems: ReadonlyArray<string>
  /** Share of the trees that is built, 0 to 1. */
  readonly trees: number
  /** Whether there is a way to find peers: a list to begin with, or mDNS. */
  readonly seeksPeers: boolean
  /** Since the start of the node. */
  readonly upMs: number
  readonly peers: PeersJson
}

const seconds = (ms: number): string => `${(Math.abs(ms) / 1_000).toFixed(1)} s`

/** `offsetMs` above 0: the others are later than this node. */
const clockSide = (offsetMs: number): string => offsetMs > 0 ? "behind" : "ahead of"

const catchUpProblem = ({ catch_up, records }: PeersJson): string | undefined => {
  if (catch_up === undefined) return undefined
  const lacking = Math.max(0, catch_up.missing - catch_up.fetched)
  const whole = Math.max(1, records[catch_up.domain] + lacking)
  if (lacking <= lackingRecordsMax || lacking <= lackingShareMax * whole) return undefined
  const percent = Math.floor((catch_up.fetched / catch_up.missing) * 100)
  return `catching up with the others (${catch_up.domain}): ${catch_up.fetched} of ${catch_up.missing} records, ${percent} %`
}

export const problemsOf = (standing: Standing): ReadonlyArray<string> => {
  const problems = [...standing.storeProblems]
  const { clock } = standing.peers
  if (clock.off) {
    problems.push(
      `the clock is ${seconds(clock.median_ms)} ${clockSide(clock.median_ms)} the median of ${clock.peers} peers `
        + `(${driftMsMax / 1_000} s are allowed): no writes are taken, set this computer's clock`
    )
  }
  if (standing.trees < 1) problems.push(`the Merkle trees are being built: ${Math.floor(standing.trees * 100)} %`)
  const catchUp = catchUpProblem(standing.peers)
  if (catchUp !== undefined) problems.push(catchUp)
  return problems
}

export const warningsOf = ({ peers: { clock, peers }, seeksPeers, upMs }: Standing): ReadonlyArray<string> => {
  const warnings: Array<string> = []
  if (seeksPeers && peers.length === 0 && upMs > aloneMsMax) {
    warnings.push("no peer is connected: records written here are nowhere else; check --bootstrap and the firewall")
  }
  if (!clock.off) {
    let named = 0
    for (const { clock_offset_ms: offset = 0, peer_id } of peers) {
      if (Math.abs(offset) <= driftMsMax) continue
      named++
      warnings.push(`the clock is ${seconds(offset)} ${clockSide(offset)} that of peer ${peer_id}: no rounds with it`)
    }
    if (named === 0 && clock.peers > 0 && Math.abs(clock.median_ms) > driftMsMax) {
      warnings.push(
        `the clock is ${seconds(clock.median_ms)} ${clockSide(clock.median_ms)} the median of ${clock.peers} peers, `
          + "too few to say who is right"
      )
    }
  }
  for (const { last_round, peer_id } of peers) {
    if (last_round?.result === "failed") {
      warnings.push(`the last round with peer ${peer_id} failed: ${last_round.why ?? "no reason given"}`)
    }
  }
  return warnings
}
