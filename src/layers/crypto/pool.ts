/**
 * Worker threads that check signatures, and the queue before them.
 *
 * 1. What is asked in one turn of the event loop is sent together, once the turn is over.
 * 2. Very little, with nothing outstanding, is done in place: crossing to a thread would take longer than the work.
 * 3. Otherwise the calling thread checks nothing while a thread lives, however long the backlog: it must stay responsive.
 * 4. Callers share: each gets a slice in turn, so that a bulk check does not hold up a single one.
 * 5. An item waits only for a caller who waits for it. A caller who goes away takes her unsent items along, and the
 *    answers to the sent ones are dropped.
 * 6. A thread that dies is replaced and its work is done again; one that dies over and over is left out for a
 *    while, and an item that was aboard at several deaths is done in place. So every item ends.
 *
 * Items are read when they are sent: the caller leaves their bytes alone until the answer.
 */
import { getCompileCacheDir } from "node:module"
import { Worker } from "node:worker_threads"
import type { Backend, BackendName } from "./backend.ts"
import { type Answer, check, type Item } from "./check.ts"
import { packItems, unpackAnswer } from "./packing.ts"

export interface Request {
  readonly id: number
  readonly packed: Uint8Array<ArrayBuffer>
}

export interface Reply {
  readonly id: number
  readonly packed: Uint8Array<ArrayBuffer>
}

/** Items a caller gets sent before the next one's turn. */
const shareItems = 16
/** Items in one message. At 60 µs each a thread is back within 2 ms. */
const chunkItemsMax = 32
/** Messages at a thread: one in work, one waiting, so that it need not wait for us. */
const chunksPerThreadMax = 2
/** Deaths in a row, with no answer between, after which a thread is not replaced at once. */
const deathsMax = 3
/** When it is tried once more. */
export const retryMs = 30_000
/** Deaths an item may be aboard at before it is done in place. */
const attemptsMax = 3

export interface PoolOptions {
  readonly backend: Backend
  readonly threads: number
  /** Up to this many, with nothing outstanding, are done in place. */
  readonly inPlaceMax: number
  /** Makes a thread. */
  readonly spawn: (backend: BackendName) => Worker
  /** Items asked for and not yet answered. */
  readonly onOutstanding: (items: number) => void
  readonly onAnswers: (yes: number, no: number) => void
  readonly onDeath: (cause: string, replaced: boolean) => void
  /** See {@link retryMs}. */
  readonly retryMs: number
}

export interface Pool {
  /** Threads that proved themselves at start. */
  readonly threads: number
  /**
   * Calls `done` once with the answers in the order of `items`, or with `undefined` when the pool is closed first. Gives
   * the way to call it off. Items must be packable.
   */
  readonly submit: (
    items: ReadonlyArray<Item>,
    done: (answers: ReadonlyArray<Answer> | undefined) => void
  ) => () => void
  readonly close: () => Promise<void>
}

interface Task {
  readonly items: ReadonlyArray<Item>
  readonly answers: Array<Answer>
  readonly done: (answers: ReadonlyArray<Answer> | undefined) => void
  /** Its spans in the queue. */
  readonly queued: Set<Span>
  remaining: number
}

/** Items of one task, `from` to before `to`. */
interface Span {
  readonly task: Task
  readonly from: number
  readonly to: number
  readonly attempts: number
}

interface Slot {
  thread: Worker | undefined
  ready: boolean
  deaths: number
  retry: NodeJS.Timeout | undefined
  readonly chunks: Map<number, ReadonlyArray<Span>>
}

/** How a thread is made: the file beside this one, source in the checkout and JavaScript once built. */
export const spawn = (backend: BackendName): Worker => {
  return new Worker(new URL("./verify.worker.ts", import.meta.url), {
    name: "verify",
    workerData: { backend, compileCache: getCompileCacheDir() !== undefined },
    execArgv: []
  })
}

/** Starts the threads; resolves when each has proven itself or was given up. */
export const make = async (options: PoolOptions): Promise<Pool> => {
  const tasks = new Set<Task>()
  const queue = new Set<Span>()
  const slots: Array<Slot> = []
  let [queued, inFlight, nextId] = [0, 0, 0]
  let [scheduled, closed] = [false, false]

  const enqueue = (span: Span): void => {
    queue.add(span)
    span.task.queued.add(span)
    queued += span.to - span.from
  }

  const dequeue = (span: Span): void => {
    queue.delete(span)
    span.task.queued.delete(span)
    queued -= span.to - span.from
  }

  /** Takes up to `count` items off the queue, a share of each task in turn. */
  const take = (count: number): ReadonlyArray<Span> => {
    const spans: Array<Span> = []
    let missing = count
    for (const span of queue) {
      const to = Math.min(span.to, span.from + Math.min(missing, shareItems))
      dequeue(span)
      if (to < span.to) enqueue({ ...span, from: to })
      spans.push({ ...span, to })
      missing -= to - span.from
      if (missing === 0) break
    }
    return spans
  }

  const settle = (spans: ReadonlyArray<Span>, answer: (item: Item, index: number) => Answer): void => {
    let [index, yes] = [0, 0]
    const finished: Array<Task> = []
    for (const { from, task, to } of spans) {
      for (let i = from; i < to; i++) {
        const given = answer(task.items[i]!, index++)
        task.answers[i] = given
        if (given !== undefined && given !== false) yes++
      }
      task.remaining -= to - from
      if (task.remaining === 0 && tasks.delete(task)) finished.push(task)
    }
    options.onAnswers(yes, index - yes)
    options.onOutstanding(queued + inFlight)
    for (const task of finished) task.done(task.answers)
  }

  const inPlace = (count: number): void => {
    const spans = take(count)
    if (spans.length > 0) settle(spans, (item) => check(options.backend, item))
  }

  const schedule = (): void => {
    if (scheduled || closed) return
    scheduled = true
    setImmediate(flush)
  }

  const flush = (): void => {
    scheduled = false
    if (closed || queued === 0) return
    if (inFlight === 0 && queued <= options.inPlaceMax) return inPlace(queued)
    options.onOutstanding(queued + inFlight)
    dispatch()
  }

  const dispatch = (): void => {
    if (closed || queued === 0) return
    const ready = slots.filter((slot) => slot.ready)
    if (ready.length === 0) {
      if (slots.every((slot) => slot.thread === undefined)) {
        inPlace(shareItems)
        schedule()
      }
      return
    }
    const room = ready.length * chunksPerThreadMax
    const size = Math.min(chunkItemsMax, Math.max(1, Math.ceil(queued / room)))
    for (let depth = 0; depth < chunksPerThreadMax; depth++) {
      for (const slot of ready) {
        if (queued > 0 && slot.chunks.size === depth) send(slot, take(size))
      }
    }
  }

  const send = (slot: Slot, spans: ReadonlyArray<Span>): void => {
    const items = spans.flatMap(({ from, task, to }) => task.items.slice(from, to))
    const packed = packItems(items)
    const id = nextId++
    slot.chunks.set(id, spans)
    inFlight += items.length
    slot.thread!.postMessage({ id, packed } satisfies Request, [packed.buffer])
  }

  const receive = (slot: Slot, reply: Reply): void => {
    const spans = slot.chunks.get(reply.id)
    if (spans === undefined) return
    slot.chunks.delete(reply.id)
    slot.deaths = 0
    for (const span of spans) inFlight -= span.to - span.from
    // the thread gets its next work before our callers go on
    dispatch()
    settle(spans, (item, index) => unpackAnswer(reply.packed, index, item))
  }

  /** Puts back what a dead thread had; what was aboard too often, or is asked for no more, is not sent again. */
  const redo = (slot: Slot): void => {
    for (const span of [...slot.chunks.values()].flat()) {
      inFlight -= span.to - span.from
      if (!tasks.has(span.task)) continue
      if (span.attempts + 1 < attemptsMax) enqueue({ ...span, attempts: span.attempts + 1 })
      else settle([span], (item) => check(options.backend, item))
    }
    slot.chunks.clear()
    schedule()
  }

  const start = (slot: Slot, started: () => void): void => {
    const thread = options.spawn(options.backend.name)
    let cause = "the thread ended"
    slot.thread = thread
    thread.on("message", (message: Reply | "ready") => {
      if (closed) return
      if (message !== "ready") return receive(slot, message)
      slot.ready = true
      started()
      dispatch()
    })
    thread.on("error", (error) => {
      cause = String(error)
    })
    thread.on("exit", () => {
      slot.ready = false
      slot.thread = undefined
      if (closed) return started()
      slot.deaths++
      const replaced = slot.deaths < deathsMax
      options.onDeath(cause, replaced)
      if (replaced) {
        start(slot, started)
      } else {
        slot.retry = setTimeout(() => start(slot, started), options.retryMs).unref()
        started()
      }
      redo(slot)
    })
  }

  const submit: Pool["submit"] = (items, done) => {
    const task: Task = { items, answers: new Array(items.length), done, queued: new Set(), remaining: items.length }
    if (closed || items.length === 0) {
      done(closed ? undefined : [])
      return () => {}
    }
    tasks.add(task)
    enqueue({ task, from: 0, to: items.length, attempts: 0 })
    schedule()
    return () => {
      if (!tasks.delete(task)) return
      for (const span of task.queued) dequeue(span)
      options.onOutstanding(queued + inFlight)
    }
  }

  const close = async (): Promise<void> => {
    closed = true
    const waiting = [...tasks]
    tasks.clear()
    queue.clear()
    ;[queued, inFlight] = [0, 0]
    options.onOutstanding(0)
    for (const slot of slots) clearTimeout(slot.retry)
    await Promise.all(slots.map((slot) => slot.thread?.terminate()))
    for (const task of waiting) task.done(undefined)
  }

  await Promise.all(Array.from({ length: options.threads }, () =>
    new Promise<void>((resolve) => {
      const slot: Slot = { thread: undefined, ready: false, deaths: 0, retry: undefined, chunks: new Map() }
      slots.push(slot)
      start(slot, resolve)
    })))
  return { threads: slots.filter((slot) => slot.ready).length, submit, close }
}
