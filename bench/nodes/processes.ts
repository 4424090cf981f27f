/**
 * Nodes as `p2p-mes node` runs them, and other processes beside them. Every process that a bench starts is known here by its
 * pid and ended by {@link endAll}; every wait has an end.
 */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { bundle, isFresh } from "../../scripts/bundle.ts"
import type { Told } from "./probe.ts"

const readyMsMax = 120_000
const askMsMax = 30_000
const endMsMax = 20_000
const logLinesKept = 40

const running = new Set<ChildProcess>()

/** Until the process is gone; killed when it does not go in time. */
export const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill(signal)
  const timer = setTimeout(() => child.kill("SIGKILL"), endMsMax)
  await gone
  clearTimeout(timer)
}

/** Keeps a process in mind, so that it is ended whatever happens. */
export const kept = <C extends ChildProcess>(child: C): C => {
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

/** Ends whatever still runs. */
export const endAll = async (): Promise<void> => {
  await Promise.all([...running].map((child) => end(child, "SIGKILL")))
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks until there is an answer that is not undefined; undefined after `msMax`. */
export const until = async <A>(msMax: number, stepMs: number, ask: () => Promise<A | undefined>) => {
  for (const endMs = performance.now() + msMax; performance.now() < endMs; await pause(stepMs)) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  return undefined
}

/** As the program starts itself: the bundle, which is made anew before when it is old. */
export const program = fileURLToPath(new URL("../../bin/p2p-mes.mjs", import.meta.url))
export const engineFlags = ["--max-semi-space-size=8", "--heap-growing-percent=50"]
const engineEnv = { MALLOC_ARENA_MAX: "2" }
if (!isFresh()) await bundle()

const probe = new URL("probe.ts", import.meta.url)

/** The samples of `/metrics` by name and labels as written. */
export class Metrics {
  private readonly samples = new Map<string, number>()

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const at = line.lastIndexOf(" ")
      if (at > 0 && !line.startsWith("#")) this.samples.set(line.slice(0, at), Number(line.slice(at + 1)))
    }
  }

  /** The sum over all labels, or over those that hold `label`; 0 when there is none. */
  total(name: string, label = ""): number {
    let sum = 0
    for (const [key, value] of this.samples) if (key.split("{")[0] === name && key.includes(label)) sum += value
    return sum
  }
}

/** What `GET /node/peers` tells, as far as benches look. */
export interface Standing {
  readonly horizon?: number
  readonly roots?: { readonly [domain: string]: string }
  readonly peers: ReadonlyArray<{ readonly gossips: boolean }>
}

export interface Readiness {
  readonly ready: boolean
  readonly trees: number
}

export interface NodeOptions {
  readonly dataDir: string
  /** Addresses of nodes to begin with. */
  readonly bootstrap?: ReadonlyArray<string>
  /** Whether it tells of its event loop and heaps; costs it a little. */
  readonly probed?: boolean
  /** Where the API listens; 0: any free port. */
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Begins a node and waits for nothing. */
export const launch = ({ bootstrap = [], dataDir, env = {}, port = 0, probed = false }: NodeOptions): ChildProcess =>
  kept(fork(
    program,
    [
      "node",
      "--json",
      "--data",
      dataDir,
      "--http",
      `127.0.0.1:${port}`,
      "--listen",
      "/ip4/127.0.0.1/tcp/0",
      ...bootstrap.flatMap((address) => ["--bootstrap", address])
    ],
    {
      execArgv: [...engineFlags, ...probed ? ["--import", probe.href] : []],
      env: { ...engineEnv, ...process.env, ...env },
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"]
    }
  ))

/** A node that answers. */
export class NodeProcess {
  readonly pid: number
  readonly id: string
  readonly port: number
  readonly address: string
  /** How late its event loop was: when (ms of the wall clock), how late (ms). Of a probed node. */
  readonly delays: Array<{ readonly atMs: number; readonly lateMs: number }> = []
  /** Files of its worker threads, by thread. Of a probed node. */
  readonly files = new Map<number, string>()
  /** MiB of JavaScript heap by file of the thread, "" for the event loop; the last told. Of a probed node. */
  readonly heaps = new Map<number, { readonly file: string; readonly heapMiB: number }>()
  /** The last lines of its log. */
  readonly log: Array<string> = []
  private readonly child: ChildProcess

  private constructor(child: ChildProcess, line: string) {
    const said = JSON.parse(line) as {
      readonly peer_id: string
      readonly api: string
      readonly addresses: Array<string>
    }
    this.child = child
    this.pid = child.pid!
    this.id = said.peer_id
    this.port = Number(new URL(said.api).port)
    this.address = said.addresses[0]!
    child.on("message", (told: Told) => this.hear(told))
  }

  static async start(options: NodeOptions): Promise<NodeProcess> {
    const child = launch(options)
    const log: Array<string> = []
    let node: NodeProcess | undefined
    createInterface({ input: child.stderr! }).on("line", (line) => {
      const lines = node?.log ?? log
      lines.push(line)
      if (lines.length > logLinesKept) lines.shift()
    })
    const timer = setTimeout(() => child.kill("SIGKILL"), readyMsMax)
    try {
      for await (const line of createInterface({ input: child.stdout! })) {
        node = new NodeProcess(child, line)
        node.log.push(...log)
        return node
      }
    } finally {
      clearTimeout(timer)
    }
    throw new Error(`a node ended before it was ready:\n${log.join("\n")}`)
  }

  private hear(told: Told): void {
    if (told.kind === "heap") {
      if (told.file !== "") this.files.set(told.tid, told.file)
      this.heaps.set(told.tid, { file: told.file, heapMiB: told.heapMiB })
      return
    }
    const { pairs } = told
    for (let i = 0; i < pairs.length; i += 2) this.delays.push({ atMs: pairs[i]!, lateMs: pairs[i + 1]! })
  }

  private async ask(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, { signal: AbortSignal.timeout(askMsMax) })
  }

  async metrics(): Promise<Metrics> {
    return new Metrics(await (await this.ask("/metrics")).text())
  }

  async standing(): Promise<Standing> {
    return await (await this.ask("/node/peers")).json() as Standing
  }

  /** Until its trees are built and it says that it is ready. */
  async ready(): Promise<void> {
    const ready = await until(
      readyMsMax,
      50,
      async () => (await this.ask("/readyz")).status === 200 ? true : undefined
    )
    if (ready === undefined) throw new Error(`a node is not ready after ${readyMsMax} ms:\n${this.log.join("\n")}`)
  }

  /** Until it gossips with `count` peers. */
  async joined(count: number): Promise<void> {
    const enough = async () => {
      const { peers } = await this.standing()
      return peers.filter(({ gossips }) => gossips).length >= count ? true : undefined
    }
    if (await until(readyMsMax, 100, enough) === undefined) {
      throw new Error(`no gossip with ${count} peers after ${readyMsMax} ms:\n${this.log.join("\n")}`)
    }
  }

  /** Until all that was accepted is committed; false when that takes longer than `msMax`. */
  async drained(msMax: number): Promise<boolean> {
    const empty = async () => (await this.metrics()).total("p2p_mes_writer_queued") === 0 ? true : undefined
    return await until(msMax, 100, empty) === true
  }

  stop(): Promise<void> {
    return end(this.child, "SIGTERM")
  }
}

/** A process that keeps a core busy until it is stopped, at most `msMax`; on the second core, where it can be told so. */
export const spin = (core: number, msMax: number): { readonly pid: number; readonly stop: () => Promise<void> } => {
  const code = `for (const end = Date.now() + ${msMax}; Date.now() < end;);`
  const child = kept(spawn("taskset", ["-c", String(core), process.execPath, "-e", code], { stdio: "ignore" }))
  child.once("error", (error) => console.error(`no core is kept busy: ${error.message}`))
  return { pid: child.pid ?? 0, stop: () => end(child, "SIGKILL") }
}

/** Where a directory of a node has its database. */
export const databaseOf = (dataDir: string): string => join(dataDir, "messages.sqlite")
