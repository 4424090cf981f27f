/**
 * A CPU profile of V8 (`--cpu-prof`) as a flame graph in SVG: who is called stands below who calls, and is as wide as the time
 * that it and all that it calls took. Text in, text out.
 */
import { escaped } from "./plot.ts"

/** The part of a `.cpuprofile` that is used. Times are µs; a delta is the time since the sample before. */
export interface Profile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: ReadonlyArray<number>
  }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

type Origin = "own" | "effect" | "package" | "engine"

/** Frames of one name under one caller. */
interface Frame {
  readonly name: string
  readonly origin: Origin
  micros: number
  readonly below: Map<string, Frame>
}

const frameOf = (name: string, origin: Origin): Frame => ({ name, origin, micros: 0, below: new Map() })

const idle = new Set(["(root)", "(idle)", "(program)"])

const described = (
  { functionName, lineNumber, url }: Profile["nodes"][number]["callFrame"]
): readonly [name: string, origin: Origin] => {
  const own = /\/((?:src|bench)\/.+)$/.exec(url)
  const name = functionName === "" ? "(anonymous)" : functionName
  if (own !== null && !url.includes("node_modules")) return [`${name} ${own[1]}:${lineNumber + 1}`, "own"]
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)\/.*?([^/]+)$/.exec(url)
  if (inPackage === null) return [url === "" ? name : `${name} ${url}`, "engine"]
  const [, packageName, file] = inPackage
  const isEffect = packageName === "effect" || packageName!.startsWith("@effect/")
  return [`${name} ${packageName}/${file}:${lineNumber + 1}`, isEffect ? "effect" : "package"]
}

/** All stacks as one tree. What is before `fromMs`, and what does nothing, is left out. */
export const treeOf = (profile: Profile, fromMs = 0): Frame => {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const callers = new Map(profile.nodes.flatMap(({ children, id }) => (children ?? []).map((child) => [child, id])))
  const root = frameOf("all", "engine")
  let atMicros = 0
  for (const [i, sample] of profile.samples.entries()) {
    atMicros += profile.timeDeltas[i]!
    // what was seen lasts until the next look
    const micros = profile.timeDeltas[i + 1] ?? 0
    if (atMicros < fromMs * 1_000 || idle.has(byId.get(sample)!.callFrame.functionName)) continue
    const stack: Array<number> = []
    for (let id: number | undefined = sample; id !== undefined; id = callers.get(id)) stack.push(id)
    root.micros += micros
    let frame = root
    for (const id of stack.reverse().slice(1)) {
      const [name, origin] = described(byId.get(id)!.callFrame)
      const below: Frame = frame.below.get(name) ?? frameOf(name, origin)
      frame.below.set(name, below)
      below.micros += micros
      frame = below
    }
  }
  return root
}

const [width, rowHeight, top] = [1_200, 16, 72]
/** Narrower frames are not drawn, nor what they call. */
const shareMin = 0.002
const charWidth = 6.2

const style = `
  text { font: 11px ui-monospace, monospace; fill: #1b1b1b }
  .title { font: bold 15px system-ui, sans-serif }
  .paper { fill: #ffffff }
  .own { fill: #7cb8dd } .effect { fill: #f2c078 } .package { fill: #8fd3b6 } .engine { fill: #cfcfcf }
  rect.frame { stroke: #ffffff; stroke-width: 0.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f2f2f2 }
    .paper { fill: #161616 }
    .own { fill: #1f5f8b } .effect { fill: #7a4f10 } .package { fill: #1d6b4d } .engine { fill: #4a4a4a }
    rect.frame { stroke: #161616 }
  }`

const legend: ReadonlyArray<readonly [Origin, string]> = [
  ["own", "this project"],
  ["effect", "Effect"],
  ["package", "other packages"],
  ["engine", "Node and V8"]
]

export const flameOf = (title: string, root: Frame): string => {
  const drawn: Array<string> = []
  let depthMax = 0
  const draw = (frame: Frame, x: number, depth: number): void => {
    const share = frame.micros / root.micros
    const wide = share * width
    depthMax = Math.max(depthMax, depth)
    const y = top + depth * rowHeight
    const text = frame.name.slice(0, Math.max(0, Math.floor((wide - 4) / charWidth)))
    const place = `x="${x.toFixed(1)}" y="${y}" width="${wide.toFixed(1)}"`
    drawn.push(
      `<g><title>${escaped(frame.name)}: ${(share * 100).toFixed(1)} %</title>`
        + `<rect class="frame ${frame.origin}" ${place} height="${rowHeight}"/>`
        + (text.length > 2 ? `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escaped(text)}</text>` : "") + "</g>"
    )
    let next = x
    for (const below of [...frame.below.values()].sort((a, b) => b.micros - a.micros)) {
      if (below.micros / root.micros < shareMin) break
      draw(below, next, depth + 1)
      next += below.micros / root.micros * width
    }
  }
  if (root.micros > 0) draw(root, 0, 0)
  const height = top + (depthMax + 2) * rowHeight
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${
      escaped(title)
    }">`,
    `<style>${style}\n</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="8" y="24">${escaped(title)}</text>`,
    ...legend.flatMap(([origin, name], i) => [
      `<rect class="${origin}" x="${8 + i * 160}" y="40" width="14" height="14"/>`,
      `<text x="${28 + i * 160}" y="52">${name}</text>`
    ]),
    ...drawn,
    "</svg>",
    ""
  ].join("\n")
}
