/** Whether this node holds what the others hold: the verdict, the roots that prove it, and a catch-up under way. */
import type { CatchUp as CatchUpJson, NodePeers } from "../../api/Node.ts"
import { type Agreement, verdict } from "./agreement.ts"
import * as Words from "./words.ts"

type PeersJson = typeof NodePeers.Type

const domains = ["messages", "members", "identity"] as const
const domainNames = { messages: "messages", members: "groups and read marks", identity: "profiles" } as const
/** Of a root, enough to compare two by eye. */
const rootDigits = 16

/** How far the one long work of sync is. */
export const CatchUp = ({ catchUp }: { readonly catchUp: typeof CatchUpJson.Type }) => {
  const { domain, fetched, missing, peer_id, rate } = catchUp
  const left = Math.max(0, missing - fetched)
  const share = missing <= 0 ? 1 : Math.min(1, fetched / missing)
  const time = rate > 0 && left > 0 ? `, about ${Words.span((left / rate) * 1_000)} left` : ""
  return (
    <section class="card" aria-labelledby="catch-up-title">
      <h2 id="catch-up-title">Catching up</h2>
      <p class="soft small">
        This node lacks much of what a peer has, and fetches it in one go. It serves clients meanwhile, with what it
        has.
      </p>
      <progress aria-labelledby="catch-up-title" aria-describedby="catch-up-text" max={1} value={share} />
      <p id="catch-up-text">
        <strong>{Words.percent(share)}</strong>
        {`: ${Words.number(fetched)} of ${Words.number(missing)} records (${domainNames[domain]}), ${
          Words.number(rate)
        } a second${time}, `}
        from peer <code title={peer_id}>{Words.shortened(peer_id)}</code>
      </p>
    </section>
  )
}

const Verdict = ({ agreement, isOld, nowMs, peers }: RecordsProps) => {
  if (isOld) return <p>Not known while the node does not say how it stands.</p>
  const found = verdict(agreement, peers)
  if (found.is === "alone") return <p>No peer is connected: what is written here is nowhere else.</p>
  const all = peers.peers.length
  if (found.is === "open") {
    return (
      <p>
        <span class="badge warn">not proven equal</span>
        {` Found equal with ${found.equal} of ${Words.counted(all, "peer")} since the last difference or start. `}
        The next comparisons will tell.
      </p>
    )
  }
  const whom = all === 1 ? "the only peer" : `all ${all} peers`
  const since = found.sinceMs === undefined ? "" : ` since ${Words.timeOfDay(found.sinceMs, nowMs)}`
  return (
    <p>
      <span class="badge good">equal</span> <strong>{`In sync with ${whom}${since}`}</strong>
      <span class="soft line">
        {`The last ${all === 1 ? "comparison" : "comparisons"} found all records up to ${
          Words.timeOfDay(found.upToMs, nowMs)
        } equal.`}
      </span>
    </p>
  )
}

export interface RecordsProps {
  readonly peers: PeersJson
  readonly agreement: Agreement
  /** `peers` is what the node said before it stopped to answer. */
  readonly isOld: boolean
  /** The node's time, ms. */
  readonly nowMs: number
}

export const Records = (props: RecordsProps) => {
  const { nowMs, peers: { horizon, records, roots } } = props
  return (
    <section class="card" aria-labelledby="records-title">
      <h2 id="records-title">Same records as the peers?</h2>
      <Verdict {...props} />
      <table>
        <caption class="soft small">
          {horizon === undefined
            ? "The hashes are being made ready."
            : `A root is one hash that stands for all records of its kind, here up to ${
              Words.timeOfDay(horizon, nowMs)
            }. Two nodes with the same root at the same time hold the same records.`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col" class="figure">Records</th>
            <th scope="col">Root</th>
          </tr>
        </thead>
        <tbody>
          {domains.map((domain) => (
            <tr key={domain}>
              <th scope="row">{domainNames[domain]}</th>
              <td class="figure">{Words.number(records[domain])}</td>
              <td>
                {roots === undefined
                  ? <span class="soft">not yet</span>
                  : <code title={roots[domain]}>{roots[domain].slice(0, 2 + rootDigits)}…</code>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
