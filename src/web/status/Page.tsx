/** The operator page, from one state. */
import { type Signal, useSignal } from "@preact/signals"
import { type Theme, theme, themes } from "../theme.ts"
import { Chart } from "./Chart.tsx"
import { condition } from "./condition.ts"
import { has, shownMs } from "./history.ts"
import { type Interval, intervals } from "./looking.ts"
import { Identity, Notices, Tiles } from "./Overview.tsx"
import { Peers } from "./Peers.tsx"
import { plots } from "./plots.ts"
import { CatchUp, Records } from "./Records.tsx"
import type { State } from "./state.ts"
import * as Words from "./words.ts"

export interface PageProps {
  /** Absent until the first look. */
  readonly state: Signal<State | undefined>
  readonly seconds: Signal<Interval>
  readonly isPaused: Signal<boolean>
}

const themeNames: { readonly [T in Theme]: string } = { system: "system", light: "light", dark: "dark" }

const Controls = ({ isPaused, seconds }: Pick<PageProps, "seconds" | "isPaused">) => (
  <div class="controls">
    <label>
      <span class="soft small">Ask</span>
      <select
        value={String(seconds.value)}
        onChange={({ currentTarget }) => {
          seconds.value = intervals.find((each) => String(each) === currentTarget.value) ?? seconds.value
        }}
      >
        {intervals.map((each) => (
          <option key={each} value={String(each)}>{each === 1 ? "every second" : `every ${each} s`}</option>
        ))}
      </select>
    </label>
    <label>
      <span class="soft small">Colours</span>
      <select
        value={theme.value}
        onChange={({ currentTarget }) => {
          theme.value = themes.find((each) => each === currentTarget.value) ?? theme.value
        }}
      >
        {themes.map((each) => <option key={each} value={each}>{themeNames[each]}</option>)}
      </select>
    </label>
    <button
      type="button"
      aria-pressed={isPaused.value}
      onClick={() => {
        isPaused.value = !isPaused.value
      }}
    >
      {isPaused.value ? "Go on" : "Pause"}
    </button>
  </div>
)

const Plots = ({ state }: { readonly state: State }) => {
  const hovered = useSignal<number | undefined>(undefined)
  if (state.metrics.value === undefined) return null
  return (
    <section aria-labelledby="plots-title">
      <h2 id="plots-title">The last {Words.span(shownMs)}</h2>
      <p class="soft small">
        Since this page was opened. Beside each name stands the latest value, or the one under the pointer.
      </p>
      <div class="plots">
        {plots.filter((plot) => has(state.history, plot)).map((plot) => (
          <Chart key={plot.key} plot={plot} history={state.history} hovered={hovered} />
        ))}
      </div>
    </section>
  )
}

const Body = ({ state }: { readonly state: State }) => {
  const { aheadMs, agreement, atMs, node, peers, readiness, silentSinceMs } = state
  const nowMs = atMs + aheadMs
  const catchUp = peers.value?.catch_up
  const trees = readiness.value?.trees ?? 1
  return (
    <>
      <Notices state={state} />
      <div class={silentSinceMs === undefined ? "body" : "body old"}>
        {node.value !== undefined && <Tiles state={state} />}
        {catchUp !== undefined && <CatchUp catchUp={catchUp} />}
        {trees < 1 && (
          <section class="card" aria-labelledby="trees-title">
            <h2 id="trees-title">Getting ready to compare</h2>
            <p class="soft small">
              After a start the node makes the hashes of all its records, to compare them with its peers.
            </p>
            <progress aria-labelledby="trees-title" max={1} value={trees} />
            <p>{Words.percent(trees)}</p>
          </section>
        )}
        <div class="two">
          {node.value !== undefined && <Identity info={node.value} state={state} />}
          {peers.value !== undefined && (
            <Records
              peers={peers.value}
              agreement={agreement}
              isOld={peers.problem !== undefined}
              nowMs={nowMs}
            />
          )}
        </div>
        {peers.value !== undefined && <Peers peers={peers.value.peers} nowMs={nowMs} />}
        <Plots state={state} />
      </div>
    </>
  )
}

export const Page = ({ isPaused, seconds, state }: PageProps) => {
  const known = state.value
  const { kind, text } = known === undefined ? { kind: "", text: "asking…" } : condition(known)
  return (
    <>
      <header class="top">
        <div class="title">
          <h1>Node status</h1>
          <span class={`badge ${kind}`}>{text}</span>
          <span class="soft small">
            {isPaused.value ? "paused" : known === undefined ? "" : `as of ${Words.timeOfDay(known.atMs, known.atMs)}`}
          </span>
        </div>
        <Controls isPaused={isPaused} seconds={seconds} />
      </header>
      <p class="heard" role="status">Node status: {text}</p>
      <main>{known !== undefined && <Body state={known} />}</main>
      <footer class="soft small">
        Anyone who reaches this node can see all this: it is made of <a href="./node">/node</a>,{" "}
        <a href="./node/peers">/node/peers</a>, <a href="./readyz">/readyz</a> and{" "}
        <a href="./metrics">/metrics</a>. Nothing in it names a user. <a href="./">Messages</a> ·{" "}
        <a href="./docs">API</a>
      </footer>
    </>
  )
}
