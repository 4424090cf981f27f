/**
 * From a history to what a page draws: where each entry stands, how long nodes were up and faults lasted, how records went
 * from node to node. All times are ms as they are shown: a stretch without entries is left out, so that a month that
 * passes at once does not press everything else into one pixel.
 */
import type { Divergence } from "../simulation.ts"
import type { Entry, EntryKind } from "../trace.ts"

/** Kinds of entries in the order of the page's filter. */
export const entryKinds = [
  "finding",
  "fault",
  "life",
  "write",
  "answer",
  "commit",
  "gossip",
  "link",
  "log",
  "note"
] as const satisfies ReadonlyArray<EntryKind>

/** A stretch without entries that is longer than this is left out, but for the second number. */
const gapMsMax = 10 * 60_000
const gapShownMs = 5_000

export interface Mark {
  /** As shown, ms. */
  readonly atMs: number
  /** 0: of the whole cluster; 1 and above: of the node at this place less one. */
  readonly lane: number
  readonly kind: number
  readonly refused: boolean
}

export type SpanKind = "starting" | "up" | "partition" | "cut" | "slow" | "disk" | "clock"

/** Something that lasts. */
export interface Span {
  readonly lane: number
  readonly fromMs: number
  readonly toMs: number
  readonly kind: SpanKind
  /** Of a partition: which side the node is on, from 0. */
  readonly side: number
}

/** Gossip that a node took from another. */
export interface Arrow {
  readonly fromLane: number
  readonly fromMs: number
  readonly toLane: number
  readonly toMs: number
  /** The mark of its arrival. */
  readonly mark: number
}

export interface Scene {
  readonly kinds: ReadonlyArray<EntryKind>
  readonly lanes: ReadonlyArray<string>
  readonly endMs: number
  /** What was left out: from where on, as shown, times are later by so many ms. */
  readonly gaps: ReadonlyArray<{ readonly atMs: number; readonly leftOutMs: number }>
  /** One for each entry, in their order. */
  readonly marks: ReadonlyArray<Mark>
  readonly spans: ReadonlyArray<Span>
  readonly arrows: ReadonlyArray<Arrow>
  /** Records that each node lacked; null: it was down. */
  readonly divergence: ReadonlyArray<{ readonly atMs: number; readonly missing: ReadonlyArray<number | null> }>
}

/** Leaves long gaps out. Asked for times in any order. */
class Axis {
  readonly gaps: Array<{ readonly atMs: number; readonly leftOutMs: number }> = []
  readonly #starts: Array<number> = []

  constructor(times: ReadonlyArray<number>) {
    let leftOut = 0
    for (let i = 1; i < times.length; i++) {
      const gap = times[i]! - times[i - 1]!
      if (gap <= gapMsMax) continue
      this.#starts.push(times[i - 1]!)
      this.gaps.push({ atMs: times[i - 1]! - leftOut + gapShownMs, leftOutMs: gap - gapShownMs })
      leftOut += gap - gapShownMs
    }
  }

  shown(ms: number): number {
    let at = ms
    for (const [i, { atMs, leftOutMs }] of this.gaps.entries()) {
      if (ms <= this.#starts[i]!) return at
      at = Math.max(Math.min(at, atMs), at - leftOutMs)
    }
    return at
  }
}

/** Faults that last until all ways are open again, or for a time that their text names. */
class Spans {
  readonly list: Array<Span> = []
  readonly #axis: Axis
  readonly #life = new Map<number, { readonly kind: "starting" | "up"; readonly fromMs: number }>()
  #open: Array<Omit<Span, "toMs">> = []

  constructor(axis: Axis) {
    this.#axis = axis
  }

  #lives(lane: number, atMs: number, kind: "starting" | "up" | undefined): void {
    const before = this.#life.get(lane)
    if (before !== undefined) this.list.push({ lane, ...before, toMs: atMs, side: 0 })
    if (kind === undefined) this.#life.delete(lane)
    else this.#life.set(lane, { kind, fromMs: atMs })
  }

  #close(atMs: number): void {
    for (const each of this.#open) this.list.push({ ...each, toMs: atMs })
    this.#open = []
  }

  take({ atMs, kind, node, peer, text }: Entry): void {
    const fromMs = this.#axis.shown(atMs)
    const lanes = [node, peer].flatMap((place) => place === undefined ? [] : [place + 1])
    const [word = ""] = text.split(/[ ,]/, 1)
    if (kind === "life" && node !== undefined) {
      this.#lives(node + 1, fromMs, word === "start" ? "starting" : word === "up" ? "up" : undefined)
    }
    if (kind !== "fault") return
    const forMs = Number(/ for ([0-9.]+)$/.exec(text)?.[1] ?? NaN)
    if (word === "heal") this.#close(fromMs)
    else if (word === "partition") {
      const sides = text.slice(word.length).split("|").map((side) => side.split(",").map(Number))
      for (const [side, places] of sides.entries()) {
        for (const place of places) this.#open.push({ lane: place + 1, fromMs, kind: "partition", side })
      }
    } else if (word === "cut") { for (const lane of lanes) this.#open.push({ lane, fromMs, kind: "cut", side: 0 }) }
    else if (forMs > 0) {
      const what = word === "slow-link" ? "slow" : word === "freeze" ? "clock" : "disk"
      for (const lane of lanes) {
        this.list.push({ lane, fromMs, toMs: this.#axis.shown(atMs + forMs), kind: what, side: 0 })
      }
    }
  }

  end(atMs: number): ReadonlyArray<Span> {
    this.#close(atMs)
    for (const lane of this.#life.keys()) this.#lives(lane, atMs, undefined)
    return this.list
  }
}

/** Gossip on its way: from when a node first had a message to when another took it. */
const arrowsOf = (entries: ReadonlyArray<Entry>, marks: ReadonlyArray<Mark>): ReadonlyArray<Arrow> => {
  const had = new Map<string, number>()
  const arrows: Array<Arrow> = []
  for (const [mark, { kind, node, peer, text }] of entries.entries()) {
    if (kind !== "gossip" || node === undefined) continue
    const [id = "", what] = text.split(" ")
    if (what !== "published" && what !== "accept") continue
    const { atMs, lane } = marks[mark]!
    const fromMs = peer === undefined ? undefined : had.get(`${id} ${peer}`)
    if (peer !== undefined && fromMs !== undefined) {
      arrows.push({ fromLane: peer + 1, fromMs, toLane: lane, toMs: atMs, mark })
    }
    if (!had.has(`${id} ${node}`)) had.set(`${id} ${node}`, atMs)
  }
  return arrows
}

/** Everything to draw, of entries in their order. `nodes`: how many there are at least. */
export const sceneOf = (
  entries: ReadonlyArray<Entry>,
  divergence: ReadonlyArray<Divergence>,
  nodes: number
): Scene => {
  const axis = new Axis(entries.map(({ atMs }) => atMs))
  const marks = entries.map(({ atMs, kind, node, text }): Mark => ({
    atMs: axis.shown(atMs),
    lane: node === undefined ? 0 : node + 1,
    kind: entryKinds.indexOf(kind),
    refused: kind === "answer" && text.includes(" refused ")
  }))
  const spans = new Spans(axis)
  for (const entry of entries) spans.take(entry)
  const all = Math.max(
    nodes,
    ...divergence.map(({ missing }) => missing.length),
    ...entries.map(({ node, peer }) => Math.max(node ?? -1, peer ?? -1) + 1)
  )
  const endMs = Math.max(1, marks.at(-1)?.atMs ?? 0)
  return {
    kinds: entryKinds,
    lanes: ["cluster", ...Array.from({ length: all }, (_, i) => `n${i}`)],
    endMs,
    gaps: axis.gaps,
    marks,
    spans: spans.end(endMs),
    arrows: arrowsOf(entries, marks),
    divergence: divergence.map(({ atMs, missing }) => ({
      atMs: axis.shown(atMs),
      missing: missing.map((each) => each ?? null)
    }))
  }
}
