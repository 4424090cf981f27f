/** One node of a cluster: a process that is started, killed, stopped and started again on the same directory. */
import { generateKeyPairFromSeed, privateKeyToProtobuf } from "@libp2p/crypto/keys"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import type { NodePeers, Readiness } from "../../src/api/Node.ts"
import type { NodeId } from "../../src/domain/ids.ts"
import { fromPrivateKey } from "../../src/layers/node/node-key.ts"
import { start } from "../integration/processes.ts"
import { memoryOf } from "./memory.ts"
import { sourceOf } from "./proxy.ts"

const preload = join(import.meta.dirname, "preload.ts")
const readySecondsMax = 90
const endSecondsMax = 30
const askMsMax = 5_000
/** Of a log, the newest characters are kept. */
const logMax = 200_000

/** Every process of this test that may still run: none is left behind, whatever happens. */
const alive = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL")
})

/** Ends with what `promise` gives, or fails with `what` after so many seconds. */
const bounded = async <A>(what: string, seconds: number, promise: Promise<A>): Promise<A> => {
  const gone = new AbortController()
  const late = sleep(seconds * 1_000, undefined, { signal: gone.signal }).then(() => {
    throw new Error(`${what}: not within ${seconds} s`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    gone.abort()
    late.catch(() => undefined)
  }
}

/** Runs `p2p-mes` to its end and gives what it printed. */
export const output = async (seconds: number, ...args: ReadonlyArray<string>): Promise<string> => {
  const child = start(args)
  alive.add(child)
  const parts: Array<Buffer> = []
  let problem = ""
  child.stdout!.on("data", (chunk: Buffer) => parts.push(chunk))
  child.stderr!.on("data", (chunk) => problem += String(chunk))
  try {
    const [code] = await bounded(args.join(" "), seconds, once(child, "close") as Promise<[number | null]>)
    if (code !== 0) throw new Error(`p2p-mes ${args.join(" ")} ended with ${code}: ${problem}`)
    return Buffer.concat(parts).toString()
  } finally {
    child.kill("SIGKILL")
    alive.delete(child)
  }
}

export interface Place {
  /** Its number: links and addresses follow from it. */
  readonly index: number
  readonly directory: string
  /** Where it listens, at its own loopback address. */
  readonly port: number
  /** Port of its front. */
  readonly front: number
  /** From 0 to 255: makes its key. */
  readonly keySeed: number
  readonly args?: ReadonlyArray<string>
}

export type Peers = typeof NodePeers.Type
export type Ready = typeof Readiness.Type

const keyOf = async (directory: string, seed: number): Promise<NodeId> => {
  const key = await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed))
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeFileSync(join(directory, "node.key"), `${privateKeyToProtobuf(key).toBase64()}\n`, { mode: 0o600 })
  return fromPrivateKey(key).id
}

/** Of a process: from one start to its end. */
interface Life {
  readonly child: ChildProcess
  readonly closed: Promise<unknown>
  readonly url: string
}

export class ClusterNode {
  readonly id: NodeId
  readonly place: Place
  /** What the processes said on stderr, one after the other. */
  log = ""
  /** Counts starts: a write belongs to one. */
  lives = 0
  /** The clock's offset, ms. */
  offsetMs = 0
  private life: Life | undefined

  static async make(place: Place): Promise<ClusterNode> {
    return new ClusterNode(place, await keyOf(place.directory, place.keySeed))
  }
  private constructor(place: Place, id: NodeId) {
    this.place = place
    this.id = id
  }

  get name(): string {
    return `node ${this.place.index}`
  }
  get running(): boolean {
    return this.life !== undefined
  }
  get url(): string {
    if (this.life === undefined) throw new Error(`${this.name} does not run`)
    return this.life.url
  }
  get pid(): number {
    return this.life!.child.pid!
  }
  /** What others are told: its front. */
  get address(): string {
    return `/ip4/127.0.0.1/tcp/${this.place.front}/p2p/${this.id}`
  }
  /** Where it listens, past the front. */
  get ownAddress(): string {
    return `/ip4/${sourceOf(this.place.index)}/tcp/${this.place.port}/p2p/${this.id}`
  }

  /** Resident memory, bytes. */
  get memory(): number {
    return memoryOf(this.pid)
  }

  async start(bootstrap: ReadonlyArray<string>, ...more: ReadonlyArray<string>): Promise<void> {
    const { directory, front, index, port } = this.place
    const fixed = ["node", "--json", "--data", directory, "--http", "127.0.0.1:0"]
    const listening = ["--listen", `/ip4/${sourceOf(index)}/tcp/${port}`, "--announce", `/ip4/127.0.0.1/tcp/${front}`]
    const child = start([
      ...fixed,
      ...listening,
      ...bootstrap.flatMap((address) => ["--bootstrap", address]),
      ...this.place.args ?? [],
      ...more
    ], { preload, ipc: true, env: { CLUSTER_SOURCE: sourceOf(index), CLUSTER_OFFSET_MS: String(this.offsetMs) } })
    alive.add(child)
    child.stderr!.setEncoding("utf8").on("data", (chunk: string) => this.log = (this.log + chunk).slice(-logMax))
    const closed = once(child, "close").then(() => alive.delete(child))
    const ended = closed.then(() => {
      throw new Error(`${this.name} ended: ${this.log.slice(-2_000)}`)
    })
    ended.catch(() => undefined)
    const line = once(createInterface(child.stdout!), "line") as Promise<[string]>
    const [text] = await bounded(`${this.name} starts`, readySecondsMax, Promise.race([line, ended])).catch((error) => {
      child.kill("SIGKILL")
      throw error
    })
    const { api } = JSON.parse(text) as { readonly api: string }
    this.lives++
    this.life = { child, closed, url: api }
  }

  /** Sends a signal that ends the process, and waits for the end. */
  async end(signal: "SIGKILL" | "SIGTERM" = "SIGTERM"): Promise<void> {
    const { life } = this
    if (life === undefined) return
    this.life = undefined
    life.child.kill(signal)
    await bounded(`${this.name} ends after ${signal}`, endSecondsMax, life.closed)
  }

  freeze(): void {
    process.kill(this.pid, "SIGSTOP")
  }
  thaw(): void {
    process.kill(this.pid, "SIGCONT")
  }

  /** Moves the wall clock of the process. */
  async shift(ms: number): Promise<void> {
    this.offsetMs = ms
    const { child } = this.life!
    const answered = once(child, "message")
    child.send({ offsetMs: ms })
    await bounded(`${this.name} moves its clock`, 5, answered)
  }

  /** Its files, the key apart, are gone. */
  wipe(): void {
    for (const name of readdirSync(this.place.directory)) {
      if (name !== "node.key") rmSync(join(this.place.directory, name), { recursive: true })
    }
  }
  /** Copies its files, while it does not run. */
  save(to: string): void {
    cpSync(this.place.directory, to, { recursive: true })
  }
  restore(from: string): void {
    this.wipe()
    cpSync(from, this.place.directory, { recursive: true })
  }

  async get<A>(path: string): Promise<A> {
    const response = await fetch(this.url + path, { signal: AbortSignal.timeout(askMsMax) })
    return await response.json() as A
  }
  readonly peers = (): Promise<Peers> => this.get<Peers>("/node/peers")
  readonly ready = (): Promise<Ready> => this.get<Ready>("/readyz")
  /** A metric's value; those of all labels together. */
  async metric(name: string, label = ""): Promise<number> {
    const response = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(askMsMax) })
    return (await response.text()).split("\n")
      .filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(label))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0)
  }
}
