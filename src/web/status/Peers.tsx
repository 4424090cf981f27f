/** The other nodes: how each is connected, what the last comparison with it found, and when all records were equal. */
import type { ComponentChildren } from "preact"
import type { NodePeers } from "../../api/index.ts"
import * as Words from "./words.ts"

type Peer = (typeof NodePeers.Type)["peers"][number]
type Round = NonNullable<Peer["last_round"]>

/** More would make the page slow; /node/peers has all. */
const shownMax = 100
/** Clocks further apart keep nodes from comparing (SPEC §4). */
const clockMsMax = 60_000

const results: { readonly [R in Round["result"]]: readonly [kind: string, text: string] } = {
  equal: ["good", "equal"],
  repaired: ["warn", "mended"],
  behind: ["warn", "behind"],
  busy: ["", "busy"],
  failed: ["bad", "failed"]
}

const LastRound = ({ nowMs, round }: { readonly round: Round | undefined; readonly nowMs: number }) => {
  if (round === undefined) return <span class="soft">none yet</span>
  const [kind, text] = results[round.result]
  return (
    <>
      <span class={`badge ${kind}`}>{text}</span>
      {` ${Words.ago(nowMs - round.at)}, took ${Words.milliseconds(round.took_ms)}`}
      <span class="soft line">
        {round.result === "failed"
          ? round.why ?? "no reason given"
          : `${Words.counted(round.pulled, "record")} came, ${Words.number(round.pushed)} went, ${
            Words.bytes(round.bytes)
          }`}
      </span>
    </>
  )
}

const LastEqual = ({ nowMs, peer }: { readonly peer: Peer; readonly nowMs: number }) => {
  if (peer.last_equal === undefined) return <span class="badge warn">not yet</span>
  const { at, horizon } = peer.last_equal
  const isLast = peer.last_round?.result === "equal"
  return (
    <>
      <span class={`badge ${isLast ? "good" : ""}`}>{isLast ? "all equal" : "were equal"}</span> {Words.ago(nowMs - at)}
      <span class="soft line">all up to {Words.timeOfDay(horizon, nowMs)}</span>
    </>
  )
}

/** A cell that names its column by itself where the table is too narrow for columns. */
const Cell = ({ children, name }: { readonly name: string; readonly children: ComponentChildren }) => (
  <td role="cell" data-column={name}>
    <div>{children}</div>
  </td>
)

const columns = ["Peer", "Connection", "Gossip", "Clock", "Last comparison", "All records"] as const

const Row = ({ nowMs, peer }: { readonly peer: Peer; readonly nowMs: number }) => {
  const offsetMs = peer.clock_offset_ms
  return (
    <tr role="row">
      <th role="rowheader" scope="row">
        <code title={peer.peer_id}>{Words.shortened(peer.peer_id)}</code>
        <code class="soft line">{Words.withoutId(peer.address)}</code>
      </th>
      <Cell name="Connection">
        {peer.direction === "outbound" ? "outgoing" : "incoming"}
        <span class="soft line">for {Words.span(nowMs - peer.since)}</span>
      </Cell>
      <Cell name="Gossip">
        <span class={`badge ${peer.gossips ? "good" : "warn"}`}>{peer.gossips ? "yes" : "no"}</span>
      </Cell>
      <Cell name="Clock">
        <span class={Math.abs(offsetMs ?? 0) > clockMsMax ? "badge bad" : ""}>
          {offsetMs === undefined ? "not known" : Words.clockOffset(offsetMs)}
        </span>
      </Cell>
      <Cell name="Last comparison">
        <LastRound round={peer.last_round} nowMs={nowMs} />
      </Cell>
      <Cell name="All records">
        <LastEqual peer={peer} nowMs={nowMs} />
      </Cell>
    </tr>
  )
}

export interface PeersProps {
  readonly peers: ReadonlyArray<Peer>
  /** The node's time, ms. */
  readonly nowMs: number
}

export const Peers = ({ nowMs, peers }: PeersProps) => (
  <section class="card" aria-labelledby="peers-title">
    <h2 id="peers-title">Peers</h2>
    <p class="soft small">
      Other nodes that this one is connected to. Gossip passes new records on at once. Every ten seconds or so two nodes
      also compare all that they hold, and mend what differs.
    </p>
    {peers.length === 0 ? <p>None is connected.</p> : (
      <table role="table" class="peers" aria-labelledby="peers-title">
        <thead role="rowgroup">
          <tr role="row">{columns.map((name) => <th key={name} role="columnheader" scope="col">{name}</th>)}</tr>
        </thead>
        <tbody role="rowgroup">
          {peers.slice(0, shownMax).map((peer) => <Row key={peer.peer_id} peer={peer} nowMs={nowMs} />)}
        </tbody>
      </table>
    )}
    {peers.length > shownMax && (
      <p class="soft small">
        And {Words.counted(peers.length - shownMax, "peer")} more: <a href="./node/peers">all as JSON</a>.
      </p>
    )}
  </section>
)
