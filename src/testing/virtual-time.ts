/**
 * Time that passes only when a test says so, for everything in one process. Fibers of all nodes share one queue of tasks
 * and one list of timers: tasks run until none is left, then time moves to the next timer. So a run needs no waiting and
 * has one order of events, which its seed decides.
 *
 * Rule: nothing in here, and nothing that runs on it, waits for the real event loop. What must be loaded (WebAssembly,
 * keys) is loaded before.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

/** Tasks, and timers, that may run without time moving: more is a program that never waits. */
const tasksAtOnceMax = 200_000
const nanosPerMs = 1_000_000

interface Task {
  readonly run: () => void
  readonly priority: number
}

interface Timer {
  readonly atMs: number
  readonly number: number
  readonly run: () => void
  cancelled: boolean
}

const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number)

/** A binary heap: the timer that is due first is at the front. */
class Timers {
  readonly #heap: Array<Timer> = []

  peek(): Timer | undefined {
    while (this.#heap[0]?.cancelled === true) this.pop()
    return this.#heap[0]
  }

  push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(timer, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
  }

  pop(): Timer | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    while (true) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

/** The time of a whole run, in ms since the epoch; parts of a ms are possible. */
export class VirtualTime {
  #now: number
  #timersMade = 0
  /** Timers that ran since time moved. */
  #atOnce = 0
  readonly #timers = new Timers()
  #tasks: Array<Task> = []
  #running = false

  constructor(startMs: number) {
    this.#now = startMs
  }

  get now(): number {
    return this.#now
  }

  /** Runs `task` at a time, or as soon as possible when that is past. Timers of one time run in the order of this call. */
  at(atMs: number, run: () => void): () => void {
    const timer: Timer = { atMs: Math.max(atMs, this.#now), number: this.#timersMade++, run, cancelled: false }
    this.#timers.push(timer)
    return () => {
      timer.cancelled = true
    }
  }

  after(ms: number, run: () => void): () => void {
    return this.at(this.#now + ms, run)
  }

  /** Queues a task for now. As in Effect's own scheduler: lower priority numbers first, then the order of this call. */
  queue(run: () => void, priority = 0): void {
    this.#tasks.push({ run, priority })
  }

  /** Runs what is queued, and what that queues, until nothing is left. Time does not move. */
  settle(): void {
    if (this.#running) throw new Error("time was moved by a task of the run that it drives")
    this.#running = true
    try {
      for (let count = 0; this.#tasks.length > 0;) {
        const tasks = this.#tasks
        this.#tasks = []
        if (tasks.some(({ priority }) => priority !== tasks[0]!.priority)) {
          tasks.sort((a, b) => a.priority - b.priority)
        }
        for (const { run } of tasks) run()
        count += tasks.length
        if (count > tasksAtOnceMax) throw new Error(`more than ${tasksAtOnceMax} tasks ran and time did not move`)
      }
    } finally {
      this.#running = false
    }
  }

  /** Moves on to the next timer that is due by `untilMs` and runs it and what follows. False when there is none. */
  step(untilMs: number): boolean {
    this.settle()
    const next = this.#timers.peek()
    if (next === undefined || next.atMs > untilMs) return false
    this.#timers.pop()
    this.#atOnce = next.atMs > this.#now ? 0 : this.#atOnce + 1
    if (this.#atOnce > tasksAtOnceMax) throw new Error(`more than ${tasksAtOnceMax} timers ran and time did not move`)
    this.#now = next.atMs
    next.run()
    this.settle()
    return true
  }

  /** Lets this much time pass, timer by timer. */
  advance(ms: number): void {
    const until = this.#now + ms
    while (this.step(until));
    this.#now = until
  }

  /** Lets time pass until `done`, or for at most `msMax`. Whether it is done. */
  until(done: () => boolean, msMax: number): boolean {
    const until = this.#now + msMax
    this.settle()
    while (!done()) {
      if (this.step(until)) continue
      this.#now = until
      return done()
    }
    return true
  }
}

/** How a node's wall clock goes wrong: it starts `skewMs` off, and runs too fast by `driftPpm` ms in a million. */
export interface ClockFault {
  readonly skewMs?: number | undefined
  readonly driftPpm?: number | undefined
}

/** A wall clock of one machine. It may be off, jump, drift and stand still; waiting takes the true time. */
export class MachineClock {
  readonly #time: VirtualTime
  #skewMs: number
  #driftPpm: number
  #sinceMs: number
  #stands = false

  constructor(time: VirtualTime, { driftPpm = 0, skewMs = 0 }: ClockFault = {}) {
    this.#time = time
    this.#skewMs = skewMs
    this.#driftPpm = driftPpm
    this.#sinceMs = time.now
  }

  /** Wall clock less true time, ms. */
  get offsetMs(): number {
    const ranMs = this.#time.now - this.#sinceMs
    return this.#skewMs + (this.#stands ? -ranMs : ranMs * this.#driftPpm / 1e6)
  }

  /** Whether it shows the same time all the time. */
  get stands(): boolean {
    return this.#stands
  }

  /** Whole ms since the epoch. */
  get wallMs(): number {
    return Math.floor(this.#time.now + this.offsetMs)
  }

  /** Sets the clock so far off, from now on; it runs. */
  set(fault: ClockFault): void {
    this.#skewMs = fault.skewMs ?? this.offsetMs
    this.#driftPpm = fault.driftPpm ?? this.#driftPpm
    this.#sinceMs = this.#time.now
    this.#stands = false
  }

  /** From now on it shows the same time, until it is set. */
  freeze(): void {
    this.set({})
    this.#stands = true
  }
}

/**
 * One run of a program on a machine, from start to end: its fibers, timers and clock. When it ends, nothing of it ever runs
 * again, not even a finalizer: what a kill of the process does.
 */
export class Life {
  readonly time: VirtualTime
  readonly clock: MachineClock
  /** What fibers of this life need to live on virtual time. */
  readonly references: Context.Context<never>
  #alive = true

  constructor(time: VirtualTime, clock: MachineClock) {
    this.time = time
    this.clock = clock
    this.references = Context.make(Clock.Clock, effectClock(this)).pipe(
      Context.add(Scheduler.Scheduler, scheduler(this))
    )
  }

  get alive(): boolean {
    return this.#alive
  }

  end(): void {
    this.#alive = false
  }

  queue(run: () => void, priority = 0): void {
    this.time.queue(() => {
      if (this.#alive) run()
    }, priority)
  }

  after(ms: number, run: () => void): () => void {
    return this.time.after(ms, () => {
      if (this.#alive) run()
    })
  }

  /** Starts a fiber, as a task of its own. `context` may hold more than `effect` needs. */
  fork<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    context: Context.Context<R>,
    done: (exit: Exit.Exit<A, E>) => void = () => {}
  ): { readonly interrupt: () => void } {
    const whole = Context.merge(context, this.references)
    let fiber: Fiber.Fiber<A, E> | undefined
    let interrupted = false
    this.queue(() => {
      if (interrupted) return
      fiber = Effect.runForkWith(whole)(effect)
      fiber.addObserver((exit) => {
        if (this.#alive) done(exit)
      })
    })
    return {
      interrupt: () => {
        interrupted = true
        if (this.#alive) fiber?.interruptUnsafe()
      }
    }
  }
}

/** As timers of a process: a wait is never so short that time does not move. */
const sleepMsMin = 1

/** Operations of a fiber before others have their turn: what Effect has by default. */
const operationsMax = 2_048

const scheduler = (life: Life): Scheduler.Scheduler => {
  const dispatcher: Scheduler.SchedulerDispatcher = {
    scheduleTask: (task, priority) => life.queue(task, priority),
    flush: () => {
      throw new Error("a fiber was run synchronously inside a simulation")
    }
  }
  return {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= operationsMax,
    makeDispatcher: () => dispatcher
  }
}

const effectClock = (life: Life): Clock.Clock => {
  const startMs = life.time.now
  const millis = () => life.clock.wallMs
  const wallNanos = () => BigInt(life.clock.wallMs) * BigInt(nanosPerMs)
  const steadyNanos = () => BigInt(Math.floor((life.time.now - startMs) * nanosPerMs))
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: wallNanos,
    currentTimeNanos: Effect.sync(wallNanos),
    monotonicTimeNanosUnsafe: steadyNanos,
    monotonicTimeNanos: Effect.sync(steadyNanos),
    sleep: (duration) => {
      const ms = Duration.toMillis(duration)
      if (ms <= 0) return Effect.yieldNow
      if (!Number.isFinite(ms)) return Effect.never
      return Effect.callback<void>((resume) => {
        const cancel = life.after(Math.max(ms, sleepMsMin), () => resume(Effect.void))
        return Effect.sync(cancel)
      })
    }
  }
}
