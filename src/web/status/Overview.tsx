/** What an operator wants to know at a glance: what is the matter, the most important figures, and which node this is. */
import type { ComponentChildren } from "preact"
import type { NodePeers } from "../../api/index.ts"
import type { Info } from "../../client/index.ts"
import { notices } from "./condition.ts"
import { valuesAt } from "./history.ts"
import { plots } from "./plots.ts"
import type { State } from "./state.ts"
import * as Words from "./words.ts"

const marks = { bad: "Problem", warn: "Warning", "": "Note" } as const

export const Notices = ({ state }: { readonly state: State }) => {
  const found = notices(state)
  if (found.length === 0) return null
  return (
    <ul class="notices" aria-label="What is the matter">
      {found.map(({ kind, text }) => (
        <li key={text} class={`notice ${kind}`}>
          <span class={`badge ${kind}`}>{marks[kind]}</span>
          <span>{text}</span>
        </li>
      ))}
    </ul>
  )
}

const sum = (values: ReadonlyArray<number | null>): number | undefined => {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0)
}

/** The sum of all lines of a plot, as it is now. */
const now = (state: State, key: string): string => {
  const plot = plots.find((each) => each.key === key)!
  const value = sum(valuesAt(state.history, plot))
  return value === undefined ? "–" : plot.unit.text(value)
}

export const Tiles = ({ state }: { readonly state: State }) => {
  const peers = state.peers.value?.peers
  const tiles = [
    ["Peers", peers === undefined ? "–" : Words.number(peers.length)],
    ["Records", now(state, "records")],
    ["On disk", now(state, "disk")],
    ["Writes", now(state, "writes")],
    ["In queues", now(state, "queues")],
    ["Memory", now(state, "memory")]
  ] as const
  return (
    <dl class="tiles">
      {tiles.map(([name, value]) => (
        <div key={name} class="card">
          <dt class="soft small">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** Absent where the node does not tell when it started. */
const startedMs = ({ metrics }: State): number | undefined => {
  const seconds = metrics.value?.samples.get("p2p_mes_started_seconds")?.[0]?.value
  return seconds === undefined ? undefined : seconds * 1_000
}

const Fact = ({ children, name }: { readonly name: string; readonly children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

const ClockFact = ({ clock }: { readonly clock: (typeof NodePeers.Type)["clock"] }) => (
  <Fact name="Clock">
    {clock.peers === 0
      ? "no peer to compare with"
      : `median of ${Words.counted(clock.peers, "peer")}: ${Words.clockOffset(clock.median_ms)}`}
  </Fact>
)

export const Identity = ({ info, state }: { readonly info: Info; readonly state: State }) => {
  const { aheadMs, atMs, peers } = state
  const started = startedMs(state)
  return (
    <section class="card" aria-labelledby="node-title">
      <h2 id="node-title">This node</h2>
      <dl class="facts">
        <Fact name="Id">
          <code>{info.peer_id}</code>
        </Fact>
        <Fact name="Version">{info.version}</Fact>
        <Fact name="Network">{info.network === "" ? "the common one" : info.network}</Fact>
        {started !== undefined && (
          <Fact name="Runs for">
            {`${Words.span(atMs + aheadMs - started)}, since ${Words.timeOfDay(started, atMs)}`}
          </Fact>
        )}
        <Fact name="Addresses">
          {info.addresses.length === 0 ? "none: it only connects to others" : (
            <ul>
              {info.addresses.map((address) => (
                <li key={address}>
                  <code>{Words.withoutId(address)}</code>
                </li>
              ))}
            </ul>
          )}
        </Fact>
        {peers.value !== undefined && <ClockFact clock={peers.value.clock} />}
      </dl>
    </section>
  )
}
