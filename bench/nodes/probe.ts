/**
 * Loaded into a node before its own code (`--import`): tells the bench what cannot be seen from outside. On the event loop:
 * how late a timer of 1 ms fires, each time. In every thread that inherits it: the thread's number, its file, its heap.
 *
 * It adds one short timer to the event loop, about 3 µs each ms; the verifier threads, which take no options of their
 * process, are left alone.
 */
import { readlinkSync } from "node:fs"
import { basename } from "node:path"
import { getHeapStatistics } from "node:v8"
import { BroadcastChannel, isMainThread } from "node:worker_threads"

/** What a node tells: every second, and of a heap every five. */
export type Told =
  /** Pairs of when (ms of the wall clock) and how late (ms). */
  | { readonly kind: "delays"; readonly pairs: Float64Array }
  | { readonly kind: "heap"; readonly tid: number; readonly file: string; readonly heapMiB: number }

const tellMs = 1_000
const heapMs = 5_000
const pairsMax = 2_000

const channel = new BroadcastChannel("p2p-mes bench")
const tid = Number(basename(readlinkSync("/proc/thread-self")))

const heap = (): Told => {
  const { malloced_memory, used_heap_size } = getHeapStatistics()
  const heapMiB = (used_heap_size + malloced_memory) / 2 ** 20
  return { kind: "heap", tid, file: isMainThread ? "" : basename(process.argv[1] ?? ""), heapMiB }
}

const watchDelays = (tell: (told: Told) => void): void => {
  const pairs = new Float64Array(2 * pairsMax)
  let count = 0
  let dueMs = performance.now() + 1
  let toldMs = dueMs
  const look = (): void => {
    const now = performance.now()
    if (count < pairsMax) {
      pairs[2 * count] = performance.timeOrigin + now
      pairs[2 * count + 1] = Math.max(0, now - dueMs)
      count++
    }
    if (now - toldMs >= tellMs) {
      tell({ kind: "delays", pairs: pairs.slice(0, 2 * count) })
      ;[count, toldMs] = [0, now]
    }
    dueMs = performance.now() + 1
    setTimeout(look, 1).unref()
  }
  setTimeout(look, 1).unref()
}

if (isMainThread && process.send !== undefined) {
  const tell = (told: Told): void => {
    if (process.connected) process.send!(told)
  }
  watchDelays(tell)
  setInterval(() => tell(heap()), heapMs).unref()
  channel.addEventListener("message", (event) => tell((event as MessageEvent<Told>).data))
  channel.unref()
} else if (!isMainThread) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel of threads, not of windows
  const tell = (): void => channel.postMessage(heap())
  channel.unref()
  tell()
  setInterval(tell, heapMs).unref()
}
