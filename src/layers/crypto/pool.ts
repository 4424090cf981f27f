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
import * as Lane from "./lane.ts"

/** What a thread says: once that it can begin, and then that there are answers in its lane. */
export type Told = "ready" | "answered"

/** Items a caller gets sent before the next one's turn. */
const shareItems = 16
/** Deaths in a row, with no answer between, after which a thread is not replaced at once. */
const deathsMax = 3
/** A thread that was told to end and sleeps on is ended from outside; one that works has long stopped. */
const endMsMax = 500
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

/** One item on its way. */
interface Place {
  readonly task: Task
  readonly index: number
  readonly attempts: number
}

interface Slot {
  thread: Worker | undefined
  /** From when the thread is ready until it ends. */
  lane: Lane.Lane | undefined
  deaths: number
  retry: NodeJS.Timeout | undefined
  /** What is in the lane, in order. */
  readonly sent: Array<Place>
}

/** Memory for what a thread allocates between two collections, MB: a check leaves little behind. */
const youngMbMax = 3

/** How a thread is made: the file beside this one, source in the checkout and JavaScript once built. */
export const spawn = (backend: BackendName): Worker => {
  return new Worker(new URL("./verify.worker.ts", import.meta.url), {
    name: "verify",
    workerData: { backend, compileCache: getCompileCacheDir() !== undefined },
    resourceLimits: { maxYoungGenerationSizeMb: youngMbMax },
    execArgv: []
  })
}

const endThread = async ({ lane, thread }: Slot): Promise<void> => {
  if (thread === undefined) return
  if (lane !== undefined) {
    const ended = new Promise<void>((resolve) => void thread.once("exit", () => resolve()))
    Lane.end(lane.buffer)
    const late = new Promise<void>((resolve) => void setTimeout(resolve, endMsMax).unref())
    await Promise.race([ended, late])
  }
  await thread.terminate()
}

/** Starts the threads; resolves when each has proven itself or was given up. */
export const make = async (options: PoolOptions): Promise<Pool> => {
  const tasks = new Set<Task>()
  const queue = new Set<Span>()
  const slots: Array<Slot> = []
  let [queued, inFlight] = [0, 0]
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
  const take = (count: number): ReadonlyArray<Place> => {
    const places: Array<Place> = []
    for (const span of queue) {
      if (places.length === count) break
      const { attempts, from, task } = span
      const to = Math.min(span.to, from + Math.min(count - places.length, shareItems))
      dequeue(span)
      if (to < span.to) enqueue({ ...span, from: to })
      for (let index = from; index < to; index++) places.push({ task, index, attempts })
    }
    return places
  }

  /** Notes answers; gives the tasks that have all theirs now. */
  const settle = (places: ReadonlyArray<Place>, answer: (item: Item) => Answer): ReadonlyArray<Task> => {
    let yes = 0
    const finished: Array<Task> = []
    for (const { index, task } of places) {
      const given = answer(task.items[index]!)
      task.answers[index] = given
      if (given !== undefined && given !== false) yes++
      if (--task.remaining === 0 && tasks.delete(task)) finished.push(task)
    }
    options.onAnswers(yes, places.length - yes)
    options.onOutstanding(queued + inFlight)
    return finished
  }

  const finish = (finished: ReadonlyArray<Task>): void => {
    for (const task of finished) task.done(task.answers)
  }

  const inPlace = (places: ReadonlyArray<Place>): void => finish(settle(places, (item) => check(options.backend, item)))

  const schedule = (): void => {
    if (scheduled || closed) return
    scheduled = true
    setImmediate(flush)
  }

  const flush = (): void => {
    scheduled = false
    if (closed || queued === 0) return
    if (inFlight === 0 && queued <= options.inPlaceMax) return inPlace(take(queued))
    options.onOutstanding(queued + inFlight)
    dispatch()
  }

  const dispatch = (): void => {
    if (closed || queued === 0) return
    const ready = slots.filter((slot) => slot.lane !== undefined)
    if (ready.length === 0) {
      if (slots.every((slot) => slot.thread === undefined)) {
        inPlace(take(shareItems))
        schedule()
      }
      return
    }
    // as many at each thread, what they have already included
    const share = Math.min(Lane.laneItems, Math.ceil((inFlight + queued) / ready.length))
    for (const slot of ready) {
      const places = take(Math.max(0, share - slot.sent.length))
      if (places.length === 0) continue
      slot.sent.push(...places)
      inFlight += places.length
      slot.lane!.send(places.map(({ index, task }) => task.items[index]!))
    }
  }

  const receive = (slot: Slot, lane: Lane.Lane): void => {
    const places = slot.sent.splice(0, lane.heard())
    if (places.length === 0) return
    inFlight -= places.length
    slot.deaths = 0
    const finished = settle(places, lane.receive)
    // the thread gets its next work before our callers go on
    dispatch()
    finish(finished)
  }

  /** Puts back what a dead thread had; what was aboard too often, or is asked for no more, is not sent again. */
  const redo = (slot: Slot): void => {
    const places = slot.sent.splice(0)
    inFlight -= places.length
    for (const place of places) {
      const { attempts, index, task } = place
      if (!tasks.has(task)) continue
      if (attempts + 1 < attemptsMax) enqueue({ task, from: index, to: index + 1, attempts: attempts + 1 })
      else inPlace([place])
    }
    schedule()
  }

  const start = (slot: Slot, started: () => void): void => {
    const thread = options.spawn(options.backend.name)
    let cause = "the thread ended"
    slot.thread = thread
    thread.on("message", (told: Told) => {
      if (closed) return
      if (told === "answered") return receive(slot, slot.lane!)
      slot.lane = Lane.make()
      thread.postMessage(slot.lane.buffer, [])
      started()
      dispatch()
    })
    thread.on("error", (error) => {
      cause = String(error)
    })
    thread.on("exit", () => {
      const { lane } = slot
      slot.thread = slot.lane = undefined
      if (closed) return started()
      // it may have answered more than it told
      if (lane !== undefined) receive(slot, lane)
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
    await Promise.all(slots.map(endThread))
    for (const task of waiting) task.done(undefined)
  }

  await Promise.all(Array.from({ length: options.threads }, () =>
    new Promise<void>((resolve) => {
      const slot: Slot = { thread: undefined, lane: undefined, deaths: 0, retry: undefined, sent: [] }
      slots.push(slot)
      start(slot, resolve)
    })))
  return { threads: slots.filter((slot) => slot.lane !== undefined).length, submit, close }
}
