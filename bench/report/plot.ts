/**
 * Curves as SVG: cost over size, both axes logarithmic, so that growth by a power of n is a straight line that rises and what
 * does not grow is flat. Colours follow the reader's light or dark setting. Text in, text out.
 */

export interface Curve {
  readonly name: string
  /** By rising x; x and y above 0. */
  readonly points: ReadonlyArray<Point>
  /** What may be, beside what is: thin and dashed, without marks. */
  readonly dashed?: boolean
}

export interface Point {
  readonly x: number
  readonly y: number
  /** Smallest and largest of the turns, drawn as a bar. */
  readonly low?: number
  readonly high?: number
}

export interface Plot {
  readonly title: string
  /** With the unit: "stored messages". */
  readonly xLabel: string
  /** With the unit: "CPU µs a message". */
  readonly yLabel: string
  readonly curves: ReadonlyArray<Curve>
}

const [width, height] = [720, 440]
const edge = { top: 48, right: 24, bottom: 96, left: 76 }
/** Told apart also by who sees no red or no green: after Okabe and Ito. Light, dark. */
const colours: ReadonlyArray<readonly [string, string]> = [
  ["#0072b2", "#56b4e9"],
  ["#d55e00", "#e69f00"],
  ["#009e73", "#2cc99b"],
  ["#9c4f83", "#e39cc9"]
]

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(`"`, "&quot;")

const units: ReadonlyArray<readonly [number, string]> = [[1e9, " G"], [1e6, " M"], [1e3, " k"]]

/** 10 000 is "10 k". */
const shown = (value: number): string => {
  const [size, unit] = units.find(([least]) => value >= least * 0.9999) ?? [1, ""]
  return `${Number((value / size).toPrecision(3))}${unit}`
}

interface Axis {
  readonly from: number
  readonly to: number
  readonly ticks: ReadonlyArray<number>
}

/** Powers of ten with twos and fives between them, as many as fit well. */
const logTicks = (from: number, to: number): ReadonlyArray<number> => {
  const steps = Math.log10(to / from) > 3 ? [1] : [1, 2, 5]
  const ticks: Array<number> = []
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const step of steps) ticks.push(step * 10 ** power)
  }
  return ticks.filter((tick) => tick >= from * 0.9999 && tick <= to * 1.0001)
}

const xAxis = (values: ReadonlyArray<number>): Axis => {
  const ticks = [...new Set(values)].sort((a, b) => a - b)
  return { from: ticks[0]! / 1.15, to: ticks.at(-1)! * 1.15, ticks }
}

/** At least a decade high, so that noise does not look like growth. */
const yAxis = (values: ReadonlyArray<number>): Axis => {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const middle = Math.sqrt(least * most)
  const [from, to] = [Math.min(least / 1.3, middle / Math.sqrt(10)), Math.max(most * 1.3, middle * Math.sqrt(10))]
  return { from, to, ticks: logTicks(from, to) }
}

const placer = ({ from, to }: Axis, start: number, end: number) => (value: number): number =>
  Number((start + (Math.log(value / from) / Math.log(to / from)) * (end - start)).toFixed(1))

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .paper { fill: #ffffff }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .curve { fill: none; stroke-width: 2.5 }
  .dashed { stroke-width: 1.5; stroke-dasharray: 6 5 }
  .bar { stroke-width: 1.5; opacity: 0.6 }
${colours.map(([light], i) => `  .c${i} { stroke: ${light} } .f${i} { fill: ${light} }`).join("\n")}
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .paper { fill: #0d1117 }
    .grid { stroke: #30363d }
${colours.map(([, dark], i) => `    .c${i} { stroke: ${dark} } .f${i} { fill: ${dark} }`).join("\n")}
  }`

/** A whole SVG file. */
export const svgOf = ({ curves, title, xLabel, yLabel }: Plot): string => {
  const points = curves.flatMap((curve) => curve.points)
  const [xs, ys] = [
    xAxis(points.map(({ x }) => x)),
    yAxis(points.flatMap(({ high, low, y }) => [y, low ?? y, high ?? y]))
  ]
  const [left, right, top, bottom] = [edge.left, width - edge.right, edge.top, height - edge.bottom]
  const [px, py] = [placer(xs, left, right), placer(ys, bottom, top)]
  const grid = [
    ...ys.ticks.flatMap((tick) => [
      `<line class="grid" x1="${left}" x2="${right}" y1="${py(tick)}" y2="${py(tick)}"/>`,
      `<text x="${left - 8}" y="${py(tick) + 4}" text-anchor="end">${shown(tick)}</text>`
    ]),
    ...xs.ticks.flatMap((tick) => [
      `<line class="grid" x1="${px(tick)}" x2="${px(tick)}" y1="${top}" y2="${bottom}"/>`,
      `<text x="${px(tick)}" y="${bottom + 20}" text-anchor="middle">${shown(tick)}</text>`
    ])
  ]
  const drawn = curves.flatMap((curve, i) => {
    const colour = i % colours.length
    const bars = curve.points.filter(({ high, low }) => low !== undefined && high !== undefined)
    return [
      ...bars.map(({ high, low, x }) =>
        `<line class="bar c${colour}" x1="${px(x)}" x2="${px(x)}" y1="${py(low!)}" y2="${py(high!)}"/>`
      ),
      `<polyline class="curve${curve.dashed === true ? " dashed" : ""} c${colour}" points="${
        curve.points.map(({ x, y }) => `${px(x)},${py(y)}`).join(" ")
      }"/>`,
      ...(curve.dashed === true ? [] : curve.points).map(({ x, y }) =>
        `<circle class="f${colour}" cx="${px(x)}" cy="${py(y)}" r="4"><title>${
          escaped(`${curve.name}: ${shown(y)} at ${shown(x)}`)
        }</title></circle>`
      )
    ]
  })
  const step = (right - left) / Math.max(2, curves.length)
  const legend = curves.flatMap((curve, i) => [
    `<circle class="f${i % colours.length}" cx="${left + i * step + 6}" cy="${height - 20}" r="5"/>`,
    `<text x="${left + i * step + 18}" y="${height - 15.5}">${escaped(curve.name)}</text>`
  ])
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${
      escaped(title)
    }">`,
    `<style>${style}\n</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="${left}" y="28">${escaped(title)}</text>`,
    ...grid,
    `<text x="${(left + right) / 2}" y="${bottom + 46}" text-anchor="middle">${escaped(xLabel)}</text>`,
    `<text transform="translate(18 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`,
    ...drawn,
    ...legend,
    "</svg>",
    ""
  ].join("\n")
}
