/** One plot on a canvas, drawn by uPlot, with its lines' latest values as text: who cannot see the canvas misses nothing. */
import { type Signal, useSignalEffect } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import uPlot from "uplot"
import { theme } from "../theme.ts"
import { growth, type History, valuesAt } from "./history.ts"
import type { Plot } from "./plots.ts"
import * as Words from "./words.ts"

const heightPx = 150
/** The left axis has the same width everywhere, so that times stand under each other. */
const axisPx = 64
/** The time that is shown at least, s. */
const spanMin = 120

/** The height of a plot of growth is at least this much of its highest value: else nothing looks like a mountain. */
const growthShareMin = 0.05

/** Steps between ticks of sizes: powers of two, so that they are whole KiB and MiB. */
const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power)

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name)
const lineColour = (index: number): string => colour(`--plot-${index + 1}`)

/** From zero, with room above; a plot of growth from about its lowest value. */
const heights = ({ isGrowth }: Plot) => (_: uPlot, min: number | null, max: number | null): [number, number] => {
  if (isGrowth === true) {
    const high = max ?? 0
    const room = Math.max((high - (min ?? 0)) * 0.1, (high * growthShareMin) / 2, 1)
    return [Math.max(0, (min ?? 0) - room), high + room]
  }
  const low = Math.min(0, min ?? 0)
  const high = Math.max(0, max ?? 0)
  const room = high === low ? 1 : (high - low) * 0.1
  return [low === 0 ? 0 : low - room, high + room]
}

const options = (plot: Plot, width: number, hover: (index: number | undefined) => void): uPlot.Options => {
  const axis: uPlot.Axis = {
    stroke: () => colour("--plot-text"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: () => colour("--plot-grid"), width: 1 },
    ticks: { show: false }
  }
  return {
    width,
    height: heightPx,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, sync: { key: "status" }, y: false, points: { size: 7 } },
    scales: {
      x: { range: (_, min, max) => [Math.min(min, max - spanMin), max] },
      y: { range: heights(plot) }
    },
    axes: [
      { ...axis, size: 22, space: 70, values: (_, times) => times.map((s) => Words.timeOfDay(s * 1_000, s * 1_000)) },
      {
        ...axis,
        size: axisPx,
        space: 32,
        ...(plot.unit.isBinary === true ? { incrs: powersOfTwo } : {}),
        values: (_, values) => values.map((value) => plot.unit.tick(value))
      }
    ],
    series: [
      {},
      ...plot.lines.map((_, i): uPlot.Series => ({
        stroke: () => lineColour(i),
        width: 1.5,
        points: { show: false },
        ...(plot.lines.length > 1 ? {} : { fill: () => `color-mix(in srgb, ${lineColour(i)} 14%, transparent)` })
      }))
    ],
    hooks: { setCursor: [({ cursor }) => hover(cursor.idx ?? undefined)] }
  }
}

const dataOf = (plot: Plot, { columns, times }: History): uPlot.AlignedData => [
  times.map((ms) => ms / 1_000),
  ...(columns.get(plot.key) ?? []).map((column) => [...column])
]

const Canvas = ({ history, hovered, plot }: ChartProps) => {
  const place = useRef<HTMLDivElement>(null)
  const drawn = useRef<uPlot>(undefined)

  useEffect(() => {
    const { clientWidth } = place.current!
    const hover = (index: number | undefined): void => {
      hovered.value = index
    }
    const chart = new uPlot(options(plot, clientWidth, hover), dataOf(plot, history), place.current!)
    drawn.current = chart
    const resized = new ResizeObserver(([entry]) =>
      chart.setSize({ width: Math.floor(entry!.contentRect.width), height: heightPx })
    )
    resized.observe(place.current!)
    return () => {
      resized.disconnect()
      chart.destroy()
    }
  }, [plot])

  useEffect(() => drawn.current?.setData(dataOf(plot, history)), [history])

  useSignalEffect(() => {
    void theme.value
    drawn.current?.redraw(false)
  })

  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)")
    const redraw = () => drawn.current?.redraw(false)
    dark.addEventListener("change", redraw)
    return () => dark.removeEventListener("change", redraw)
  }, [])

  return <div class="canvas" ref={place} aria-hidden="true" />
}

const Growth = ({ history, plot }: Pick<ChartProps, "history" | "plot">) => {
  const found = growth(history, plot)
  if (found === undefined) return null
  const { by, overMs } = found
  return (
    <div>
      <dt>{by < 0 ? "shrank" : "grew"}</dt>
      <dd>
        {plot.unit.text(Math.abs(by))} in {Words.span(overMs)}
      </dd>
    </div>
  )
}

/** The values under the pointer, else the latest. */
const Values = ({ history, hovered, plot }: ChartProps) => {
  const index = hovered.value
  const values = valuesAt(history, plot, index)
  return (
    <dl class="values">
      {plot.lines.map(({ label }, i) => (
        <div key={label}>
          <dt>
            <span class={`swatch line-${i + 1}`} />
            {label}
          </dt>
          <dd>{values[i] === null || values[i] === undefined ? "–" : plot.unit.text(values[i])}</dd>
        </div>
      ))}
      {plot.isGrowth === true && <Growth history={history} plot={plot} />}
    </dl>
  )
}

export interface ChartProps {
  readonly plot: Plot
  readonly history: History
  /** The row under the pointer, in whichever plot that is. */
  readonly hovered: Signal<number | undefined>
}

/** When the values under the pointer were read. */
const HoveredTime = ({ history, hovered }: ChartProps) => {
  const atMs = history.times[hovered.value ?? -1]
  return atMs === undefined ? null : <span class="soft small">{Words.timeOfDay(atMs, atMs)}</span>
}

export const Chart = (props: ChartProps) => (
  <figure class="card chart">
    <figcaption>
      <div class="caption">
        <h3>{props.plot.title}</h3>
        <HoveredTime {...props} />
      </div>
      <p class="soft small">{props.plot.about}</p>
    </figcaption>
    <Values {...props} />
    <Canvas {...props} />
  </figure>
)
