/**
 * What the page knows, as a pure function of one look after another: what was last answered stays, beside the word that it
 * is old.
 */
import * as Result from "effect/Result"
import type { NodePeers, Readiness } from "../../api/index.ts"
import type { Info } from "../../client/index.ts"
import * as Agreement from "./agreement.ts"
import * as History from "./history.ts"
import type { Look } from "./looking.ts"
import { plots } from "./plots.ts"
import * as Prometheus from "./prometheus.ts"

/** The last answer, and why the last question had none. */
export interface Known<A> {
  readonly value?: A | undefined
  readonly problem?: string | undefined
}

export interface State {
  /** When was looked last, by this computer's clock, ms. */
  readonly atMs: number
  /** Since when the node does not answer, ms. */
  readonly silentSinceMs?: number | undefined
  readonly node: Known<Info>
  /** The node's clock less this computer's, ms. */
  readonly aheadMs: number
  readonly readiness: Known<typeof Readiness.Type>
  readonly peers: Known<typeof NodePeers.Type>
  readonly metrics: Known<Prometheus.Metrics>
  readonly history: History.History
  readonly agreement: Agreement.Agreement
}

const nothing = {
  node: {},
  aheadMs: 0,
  readiness: {},
  peers: {},
  metrics: {},
  history: History.empty,
  agreement: Agreement.unknown
} as const

const learn = <A>(before: Known<A>, answer: Result.Result<A, string>): Known<A> =>
  Result.isSuccess(answer) ? { value: answer.success } : { value: before.value, problem: answer.failure }

const rounds = "p2p_mes_sync_rounds_total"

/** Rounds that found a difference, since the node's start. */
const unequalRounds = (metrics: Prometheus.Metrics): number =>
  (Prometheus.total(metrics, rounds, { result: "repaired" }) ?? 0)
  + (Prometheus.total(metrics, rounds, { result: "behind" }) ?? 0)

/** Takes in a look. Another node than before, at the same address, is a page begun anew. */
export const advance = (known: State | undefined, look: Look): State => {
  const isOther = Result.isSuccess(look.node) && known?.node.value !== undefined
    && known.node.value.peer_id !== look.node.success.peer_id
  const before = known === undefined || isOther ? { ...nothing, atMs: look.atMs } : known
  const aheadMs = look.aheadMs ?? before.aheadMs
  const metrics = Result.map(look.metrics, Prometheus.parse)
  const scraped = Result.isSuccess(metrics) ? metrics.success : undefined
  return {
    atMs: look.atMs,
    silentSinceMs: Result.isSuccess(look.node) ? undefined : known?.silentSinceMs ?? known?.atMs ?? look.atMs,
    node: learn(before.node, look.node),
    aheadMs,
    readiness: learn(before.readiness, look.readiness),
    peers: learn(before.peers, look.peers),
    metrics: learn(before.metrics, metrics),
    history: History.advance(before.history, plots, look.atMs, scraped),
    agreement: Result.isSuccess(look.peers)
      ? Agreement.advance(
        before.agreement,
        look.peers.success,
        scraped === undefined ? undefined : unequalRounds(scraped),
        look.atMs + aheadMs
      )
      : Agreement.unknown
  }
}
