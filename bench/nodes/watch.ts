/**
 * What a node did when: windows of time in which its database was checkpointed, aged records were collected, or a sync brought
 * records, and how late its event loop was inside them. All of it seen from outside, on the wall clock.
 */
import { statSync } from "node:fs"
import { percentiles } from "../report/measure.ts"
import { databaseOf, type Metrics, type NodeProcess, pause } from "./processes.ts"

/** Ms of the wall clock. */
export interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/** Windows that touch become one. */
const joined = (windows: ReadonlyArray<Window>): ReadonlyArray<Window> => {
  const merged: Array<{ fromMs: number; toMs: number }> = []
  for (const { fromMs, toMs } of windows.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1)
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs)
    else merged.push({ fromMs, toMs })
  }
  return merged
}

/** Repeats `look` until the watch ends; what it gives are the windows in which something was seen. */
const watching = (stepMs: number, look: (sinceMs: number, nowMs: number) => Promise<Window | undefined>) => {
  const windows: Array<Window> = []
  let over = false
  const done = (async () => {
    for (let sinceMs = Date.now(); !over;) {
      await pause(stepMs)
      const nowMs = Date.now()
      const window = await look(sinceMs, nowMs).catch(() => undefined)
      if (window !== undefined) windows.push(window)
      sinceMs = nowMs
    }
  })()
  return {
    end: async (): Promise<ReadonlyArray<Window>> => {
      over = true
      await done
      return joined(windows)
    }
  }
}

export type Watch = ReturnType<typeof watching>

const fileStepMs = 20
/** A checkpoint waits for the disk before it writes pages, and after. */
const [syncBeforeMs, syncAfterMs] = [50, 150]

/** Checkpoints: with a write-ahead log, nothing else changes the database file. */
export const watchCheckpoints = (dataDir: string): Watch => {
  const path = databaseOf(dataDir)
  let known = statSync(path).mtimeMs
  return watching(fileStepMs, async (sinceMs, nowMs) => {
    const { mtimeMs } = statSync(path)
    if (mtimeMs === known) return undefined
    known = mtimeMs
    return { fromMs: Math.min(sinceMs, mtimeMs) - syncBeforeMs, toMs: nowMs + syncAfterMs }
  })
}

const metricsStepMs = 500

/** When a counter of a node went up. */
export const watchCounter = (node: NodeProcess, read: (metrics: Metrics) => number): Watch => {
  let known: number | undefined
  return watching(metricsStepMs, async (sinceMs) => {
    const now = read(await node.metrics())
    const moved = known !== undefined && now > known
    known = now
    return moved ? { fromMs: sinceMs, toMs: Date.now() } : undefined
  })
}

/** The highest values of some gauges, looked at every half second. */
export const watchPeaks = (node: NodeProcess, names: ReadonlyArray<string>) => {
  const peaks = new Map<string, number>()
  const watch = watching(metricsStepMs, async () => {
    const metrics = await node.metrics()
    for (const name of names) peaks.set(name, Math.max(peaks.get(name) ?? 0, metrics.total(name)))
    return undefined
  })
  return { end: async (): Promise<ReadonlyMap<string, number>> => (await watch.end(), peaks) }
}

/** How late a timer of 1 ms fired on the event loop of a probed node. */
export interface Delays {
  readonly samples: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export const delaysWithin = (node: NodeProcess, windows: ReadonlyArray<Window>): Delays => {
  const late = node.delays
    // a late timer was late for as long before it fired
    .filter(({ atMs, lateMs }) => windows.some(({ fromMs, toMs }) => atMs >= fromMs && atMs - lateMs <= toMs))
    .map(({ lateMs }) => lateMs)
  const [p50Ms, p99Ms, maxMs] = percentiles(late, [50, 99, 100]) as [number, number, number]
  return { samples: late.length, p50Ms, p99Ms, maxMs }
}

/** The parts of `windows` that lie in `whole`. */
export const clipped = (windows: ReadonlyArray<Window>, whole: Window): ReadonlyArray<Window> =>
  windows
    .map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, whole.fromMs), toMs: Math.min(toMs, whole.toMs) }))
    .filter(({ fromMs, toMs }) => fromMs < toMs)

export const lengthMs = (windows: ReadonlyArray<Window>): number =>
  windows.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0)
