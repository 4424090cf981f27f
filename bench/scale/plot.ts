/** Charts as SVG files: lines for what a model says, dots for what was measured. */
import { writeFileSync } from "node:fs"

export interface Series {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
  readonly as: "line" | "dots"
  readonly color: string
}

export interface Chart {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly series: ReadonlyArray<Series>
}

const [width, height] = [640, 360]
const edge = { left: 64, right: 16, top: 40, bottom: 48 }
const ticksWanted = 6

/** Round steps from 0 to at least `max`. */
const ticksTo = (max: number): ReadonlyArray<number> => {
  const rough = max / ticksWanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough)!
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)))
}

const text = (x: number, y: number, anchor: string, words: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`

const svgOf = ({ series, title, x, y }: Chart): string => {
  const points = series.flatMap((each) => each.points)
  const [xs, ys] = [ticksTo(Math.max(...points.map(([at]) => at))), ticksTo(Math.max(...points.map(([, at]) => at)))]
  const atX = (value: number) => edge.left + value / xs.at(-1)! * (width - edge.left - edge.right)
  const atY = (value: number) => height - edge.bottom - value / ys.at(-1)! * (height - edge.top - edge.bottom)
  const grid = ys.map((value) =>
    `<line x1="${edge.left}" x2="${width - edge.right}" y1="${atY(value).toFixed(1)}" y2="${
      atY(value).toFixed(1)
    }" stroke="#ddd"/>${text(edge.left - 8, atY(value) + 4, "end", value.toLocaleString("en"))}`
  )
  const drawn = series.map(({ as, color, points }) =>
    as === "dots"
      ? points.map(([px, py]) =>
        `<circle cx="${atX(px).toFixed(1)}" cy="${atY(py).toFixed(1)}" r="4" fill="${color}"/>`
      )
        .join("")
      : `<polyline fill="none" stroke="${color}" stroke-width="2" points="${
        points.map(([px, py]) => `${atX(px).toFixed(1)},${atY(py).toFixed(1)}`).join(" ")
      }"/>`
  )
  const legend = series.map(({ color, name }, i) =>
    `<rect x="${edge.left + 12}" y="${edge.top + 4 + 16 * i}" width="10" height="10" fill="${color}"/>${
      text(edge.left + 28, edge.top + 13 + 16 * i, "start", name)
    }`
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<g font-size="14" font-weight="bold">${text(width / 2, 22, "middle", title)}</g>`,
    ...grid,
    ...xs.map((value) => text(atX(value), height - edge.bottom + 18, "middle", value.toLocaleString("en"))),
    text((edge.left + width) / 2, height - 10, "middle", x),
    `<g transform="translate(14 ${height / 2}) rotate(-90)">${text(0, 0, "middle", y)}</g>`,
    ...drawn,
    ...legend,
    "</svg>"
  ].join("\n")
}

/** Writes `bench/results/<name>.svg`. */
export const writeChart = (name: string, chart: Chart): void =>
  writeFileSync(new URL(`../results/${name}.svg`, import.meta.url), `${svgOf(chart)}\n`)
