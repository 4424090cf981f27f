/**
 * The pictures of a page, drawn in the browser: {@link drawing} is put into the page as text, so it uses nothing from
 * outside itself but types.
 */
import type { Mark, Scene } from "./scene.ts"

/** What is looked at. */
export interface View {
  /** Ms as shown. */
  fromMs: number
  toMs: number
  /** CSS pixels. */
  width: number
  /** By mark: 0 is not drawn, 1 faintly, 2 in full. */
  readonly shown: Uint8Array
  /** By lane: whether its node is looked at. */
  readonly lanes: Array<boolean>
  /** There is a search: arrows of what it found are drawn however many there are. */
  searching: boolean
  selected: number
  hovered: number
  /** CSS pixels, or below 0. */
  cursorX: number
}

/** Names of colours of the style sheet, without `--`, and their values. */
export type Colors = { readonly [name: string]: string }

export const drawing = () => {
  const axisHeight = 24
  const clusterHeight = 40
  const laneHeight = 78
  const graphHeight = 120
  /** Without a search, an arrow has so much room on average, CSS pixels: denser ones say nothing. */
  const arrowRoom = 8
  /** Rows within a lane, from its top. */
  const rows: { readonly [kind: string]: number } = {
    finding: 9,
    life: 9,
    fault: 24,
    write: 36,
    answer: 46,
    commit: 57,
    gossip: 69,
    link: 69,
    log: 57,
    note: 69
  }
  const sides = ["side0", "side1", "side2"]
  const stripes: { readonly [kind: string]: readonly [offset: number, height: number] } = {
    starting: [4, 10],
    up: [4, 10],
    partition: [0, 78],
    cut: [20, 3],
    slow: [27, 2],
    disk: [29, 2],
    clock: [31, 2]
  }

  const topOf = (lane: number): number => axisHeight + (lane === 0 ? 0 : clusterHeight + (lane - 1) * laneHeight)
  const heightOf = (scene: Scene): number => topOf(scene.lanes.length)
  const xOf = (view: View, ms: number): number => ((ms - view.fromMs) / (view.toMs - view.fromMs)) * view.width
  const msAt = (view: View, x: number): number => view.fromMs + (x / view.width) * (view.toMs - view.fromMs)
  const yOf = (scene: Scene, { kind, lane }: Mark): number =>
    lane === 0 ? topOf(0) + clusterHeight / 2 : topOf(lane) + rows[scene.kinds[kind]!]!

  /** A shown time as it was in the run. */
  const realMs = (scene: Scene, ms: number): number =>
    scene.gaps.reduce((sum, { atMs, leftOutMs }) => ms >= atMs ? sum + leftOutMs : sum, ms)

  /** Minutes and seconds, with as many digits as steps of this size need. */
  const clock = (ms: number, stepMs: number): string => {
    const digits = stepMs >= 1_000 ? 0 : stepMs >= 100 ? 1 : stepMs >= 10 ? 2 : 3
    const unit = 10 ** (3 - digits)
    const all = Math.round(ms / unit) * unit
    const day = Math.floor(all / 86_400_000)
    const hours = Math.floor(all / 3_600_000) % 24
    const minutes = Math.floor(all / 60_000) % 60
    const seconds = ((all % 60_000) / 1_000).toFixed(digits).padStart(digits === 0 ? 2 : digits + 3, "0")
    const rest = `${String(minutes).padStart(hours > 0 || day > 0 ? 2 : 1, "0")}:${seconds}`
    return day > 0 ? `${day} d ${hours}:${rest}` : hours > 0 ? `${hours}:${rest}` : rest
  }

  const stepOf = (view: View): number => {
    const least = ((view.toMs - view.fromMs) / view.width) * 90
    const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5]
    return steps.find((step) => step >= least) ?? 36e5
  }

  const line = (pen: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void => {
    pen.beginPath()
    pen.moveTo(x1, y1)
    pen.lineTo(x2, y2)
    pen.stroke()
  }

  /** Times along the top, lines down to `height`, and where something was left out. */
  const ticks = (
    pen: CanvasRenderingContext2D,
    scene: Scene,
    view: View,
    colors: Colors,
    height: number,
    named: boolean
  ) => {
    const step = stepOf(view)
    pen.lineWidth = 1
    pen.font = "11px system-ui, sans-serif"
    pen.textAlign = "left"
    pen.textBaseline = "middle"
    for (let ms = Math.ceil(view.fromMs / step) * step; ms <= view.toMs; ms += step) {
      const x = Math.round(xOf(view, ms)) + 0.5
      pen.strokeStyle = colors["grid"]!
      line(pen, x, 0, x, height)
      pen.fillStyle = colors["faint"]!
      if (named) pen.fillText(clock(realMs(scene, ms), step), x + 4, axisHeight / 2)
    }
    for (const { atMs } of scene.gaps) {
      const x = xOf(view, atMs)
      if (x < 0 || x > view.width) continue
      pen.strokeStyle = colors["ink"]!
      pen.setLineDash([3, 3])
      line(pen, x, 0, x, height)
      pen.setLineDash([])
      pen.fillStyle = colors["ink"]!
      if (named) pen.fillText("⋯", x - 5, axisHeight / 2)
    }
  }

  const spans = (pen: CanvasRenderingContext2D, scene: Scene, view: View, colors: Colors): void => {
    for (const { fromMs, kind, lane, side, toMs } of scene.spans) {
      if (toMs < view.fromMs || fromMs > view.toMs || view.lanes[lane] === false) continue
      const [offset, height] = stripes[kind]!
      const x = Math.max(-2, xOf(view, fromMs))
      const width = Math.max(1, Math.min(view.width + 2, xOf(view, toMs)) - x)
      pen.globalAlpha = kind === "partition" ? 0.13 : kind === "starting" ? 0.4 : 1
      pen.fillStyle = colors[kind === "partition" ? sides[side % sides.length]! : kind === "starting" ? "up" : kind]!
      pen.fillRect(x, topOf(lane) + offset, width, height)
    }
    pen.globalAlpha = 1
  }

  const arrows = (pen: CanvasRenderingContext2D, scene: Scene, view: View, colors: Colors): void => {
    const within = scene.arrows.filter(({ fromLane, fromMs, mark, toLane, toMs }) =>
      toMs >= view.fromMs && fromMs <= view.toMs && view.shown[mark] === 2
      && view.lanes[fromLane] !== false && view.lanes[toLane] !== false
    )
    if (within.length * arrowRoom > view.width && !view.searching) return
    pen.strokeStyle = pen.fillStyle = colors["gossip"]!
    pen.globalAlpha = 0.55
    for (const { fromLane, fromMs, toLane, toMs } of within) {
      const [x1, y1, x2, y2] = [
        xOf(view, fromMs),
        topOf(fromLane) + rows["gossip"]!,
        xOf(view, toMs),
        topOf(toLane) + rows["gossip"]!
      ]
      line(pen, x1, y1, x2, y2)
      const angle = Math.atan2(y2 - y1, x2 - x1)
      pen.beginPath()
      pen.moveTo(x2, y2)
      for (const turn of [-0.4, 0.4]) pen.lineTo(x2 - 7 * Math.cos(angle + turn), y2 - 7 * Math.sin(angle + turn))
      pen.fill()
    }
    pen.globalAlpha = 1
  }

  const shape = (
    pen: CanvasRenderingContext2D,
    kind: string,
    refused: boolean,
    x: number,
    y: number,
    r: number
  ): void => {
    pen.beginPath()
    if (kind === "fault") {
      pen.moveTo(x, y - r - 1)
      pen.lineTo(x + r + 1, y)
      pen.lineTo(x, y + r + 1)
      pen.lineTo(x - r - 1, y)
      pen.fill()
    } else if (kind === "write") {
      pen.moveTo(x - r, y + r)
      pen.lineTo(x + r, y + r)
      pen.lineTo(x, y - r)
      pen.fill()
    } else if (kind === "answer" && refused) {
      pen.lineWidth = 2
      line(pen, x - r, y - r, x + r, y + r)
      line(pen, x - r, y + r, x + r, y - r)
    } else if (kind === "commit") pen.fillRect(x - r + 0.5, y - r + 0.5, 2 * r - 1, 2 * r - 1)
    else if (kind === "link" || kind === "life") pen.fillRect(x - 1, y - r - 1, 2, 2 * r + 2)
    else {
      pen.arc(x, y, kind === "gossip" || kind === "note" ? r - 1 : r, 0, 7)
      if (kind === "log") {
        pen.lineWidth = 1.5
        pen.stroke()
      } else pen.fill()
    }
  }

  const marks = (pen: CanvasRenderingContext2D, scene: Scene, view: View, colors: Colors, height: number): void => {
    for (const [i, mark] of scene.marks.entries()) {
      const shown = view.shown[i]!
      const x = xOf(view, mark.atMs)
      if (shown === 0 || x < -8 || x > view.width + 8) continue
      const kind = scene.kinds[mark.kind]!
      const y = yOf(scene, mark)
      pen.globalAlpha = shown === 1 ? 0.12 : 1
      pen.fillStyle = pen.strokeStyle = colors[mark.refused ? "refused" : kind]!
      if (kind === "finding") {
        pen.lineWidth = 1
        line(pen, x, axisHeight, x, height)
        pen.beginPath()
        pen.moveTo(x, y - 7)
        pen.lineTo(x + 11, y - 3)
        pen.lineTo(x, y + 1)
        pen.fill()
      } else shape(pen, kind, mark.refused, x, y, 3.5)
      if (i === view.selected || i === view.hovered) {
        pen.globalAlpha = 1
        pen.strokeStyle = colors["ink"]!
        pen.lineWidth = i === view.selected ? 2 : 1
        pen.beginPath()
        pen.arc(x, y, 8, 0, 7)
        pen.stroke()
      }
    }
    pen.globalAlpha = 1
  }

  const cursor = (pen: CanvasRenderingContext2D, view: View, colors: Colors, height: number): void => {
    if (view.cursorX < 0) return
    pen.strokeStyle = colors["faint"]!
    pen.lineWidth = 1
    line(pen, view.cursorX + 0.5, 0, view.cursorX + 0.5, height)
  }

  /** Lanes of nodes over time. */
  const lanes = (pen: CanvasRenderingContext2D, scene: Scene, view: View, colors: Colors): void => {
    const height = heightOf(scene)
    pen.clearRect(0, 0, view.width, height)
    for (const [lane] of scene.lanes.entries()) {
      if (lane % 2 === 0) continue
      pen.fillStyle = colors["lane"]!
      pen.fillRect(0, topOf(lane), view.width, laneHeight)
    }
    spans(pen, scene, view, colors)
    ticks(pen, scene, view, colors, height, true)
    arrows(pen, scene, view, colors)
    marks(pen, scene, view, colors, height)
    cursor(pen, view, colors, height)
  }

  /** How many records each node lacks over time, a line for each. */
  const graph = (pen: CanvasRenderingContext2D, scene: Scene, view: View, colors: Colors): void => {
    pen.clearRect(0, 0, view.width, graphHeight)
    ticks(pen, scene, view, colors, graphHeight, false)
    const most = Math.max(1, ...scene.divergence.flatMap(({ missing }) => missing.map((each) => each ?? 0)))
    const y = (missing: number): number => graphHeight - 8 - (missing / most) * (graphHeight - 28)
    for (let lane = 1; lane < scene.lanes.length; lane++) {
      if (view.lanes[lane] === false) continue
      pen.strokeStyle = colors[`node${(lane - 1) % 8}`]!
      pen.lineWidth = 2
      pen.beginPath()
      let before: number | null = null
      for (const { atMs, missing } of scene.divergence) {
        const now = missing[lane - 1] ?? null
        const x = xOf(view, atMs)
        if (now !== null) {
          // equal lines stay beside each other
          const at = y(now) - (lane - 1) * 1.5
          if (before === null) pen.moveTo(x, at)
          else pen.lineTo(x, at)
          // where it was looked; between two looks nothing is known
          pen.rect(x - 1, at - 1, 2, 2)
          pen.moveTo(x, at)
        }
        before = now
      }
      pen.stroke()
    }
    pen.fillStyle = colors["faint"]!
    pen.fillText(`at most ${most}`, 4, 10)
    cursor(pen, view, colors, graphHeight)
  }

  /** The mark that a pointer means; -1: none. */
  const nearest = (scene: Scene, view: View, x: number, y: number, reach: number): number => {
    let best = -1
    let least = reach * reach
    for (const [i, mark] of scene.marks.entries()) {
      if (view.shown[i] !== 2) continue
      const [dx, dy] = [xOf(view, mark.atMs) - x, yOf(scene, mark) - y]
      const far = dx * dx + dy * dy
      if (far < least) {
        best = i
        least = far
      }
    }
    return best
  }

  return { clock, graph, graphHeight, heightOf, lanes, msAt, nearest, realMs, stepOf, xOf, yOf }
}

export type Drawing = ReturnType<typeof drawing>
