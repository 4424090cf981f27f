/**
 * What does a call to the API cost the node, and how much of that is not `node:http` and one signature?
 *
 *     node bench/http.ts [--quick]          a markdown table, and bench/results/http.json
 *     node bench/http.ts --profile DIR [write|waited|history|inbox]
 *                                           only such calls, for a while; the node leaves its CPU profiles in DIR
 *
 * The node and the bare server (see `nodes/http-node.ts`) run in processes of their own and answer the same requests from this
 * one, signed before the clock runs, over 64 kept connections. A run has two parts: a closed loop, where each connection
 * sends when it has its answer, gives rate and CPU; an open loop at a rate that both can hold gives latencies.
 */
import { Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import { Client, type Load, makeUser, Signer, type User } from "./load/http-load.ts"
import type { Bodies, Command, Ready, Spent } from "./nodes/http-node.ts"
import { alternate, isQuick, percentiles, type Row, table, writeResults } from "./report/measure.ts"

const connections = 64
const turns = isQuick ? 1 : 3
const openSeconds = isQuick ? 0.3 : 1
/** An inbox is one of 200 chats, of which the newest 50 are shown; 5 messages in each are unread. */
const [inboxChats, inboxUnread, readers] = [200, 5, isQuick ? 1 : 4]
const [dialogs, dialogMessages] = [isQuick ? 8 : 32, 52]
const profileAt = process.argv.indexOf("--profile")
const profileDir = profileAt > 0 ? process.argv[profileAt + 1] : undefined

const content = (n: number): string => `message ${n} `.padEnd(200, "The quick brown fox jumps over the lazy dog. ")

/** A server in its own process. */
class Server {
  readonly ready: Ready
  private readonly child: ChildProcess

  private constructor(child: ChildProcess, ready: Ready) {
    this.child = child
    this.ready = ready
  }

  static async start(kind: "ours" | "bare", dataDir: string, execArgv: ReadonlyArray<string> = []): Promise<Server> {
    const child = fork(new URL("nodes/http-node.ts", import.meta.url), [kind, dataDir], {
      serialization: "advanced",
      execArgv: [...execArgv]
    })
    return new Server(child, await Server.next<Ready>(child))
  }

  private static async next<A>(child: ChildProcess): Promise<A> {
    const controller = new AbortController()
    const gone = once(child, "exit", controller).then(([code]) => {
      throw new Error(`a server ended with code ${code}`)
    })
    const [message] = await Promise.race([once(child, "message", controller), gone])
    gone.catch(() => {})
    controller.abort()
    return message as A
  }

  private ask<A>(command: Command): Promise<A> {
    const answer = Server.next<A>(this.child)
    this.child.send(command)
    return answer
  }

  give(bodies: Bodies): void {
    this.child.send({ bodies } satisfies Command)
  }

  /** What the server spent on `load`, and what the load met. Connections are opened before: servers close idle ones. */
  async measure(load: (client: Client) => Promise<Load>): Promise<Load & Spent> {
    const client = await Client.open(this.ready.port, connections)
    await this.ask("begin")
    const met = await load(client).finally(() => client.close())
    return { ...met, ...await this.ask<Spent>("end") }
  }

  async stop(): Promise<void> {
    const exit = once(this.child, "exit")
    this.child.disconnect()
    await exit
  }
}

interface Workload {
  readonly kind: keyof Bodies
  readonly name: string
  readonly status: number
  /** Requests of a closed loop. */
  readonly count: number
  /** Rate of the open loop. */
  readonly perSecond: number
  readonly make: (n: number, plannedMs: number) => Buffer
}

const many = (prefix: string, count: number, make: (name: string) => User): ReadonlyArray<User> =>
  Array.from({ length: count }, (_, n) => make(`${prefix} ${n}`))

const prepare = async (ours: Server) => {
  const hashes = await Effect.runPromise(loadWasm)
  const user = (name: string) => makeUser(hashes, name)
  const signer = new Signer(hashes, ours.ready.id)
  const writers = many("writer", connections, user)
  const inboxes = many("reader", readers, user)
  const peers = many("peer", inboxChats, user)
  const talkers = many("talker", dialogs, user)
  const partners = many("partner", dialogs, user)
  let written = 0
  const write = (n: number, plannedMs: number, wait: boolean): Buffer =>
    signer.dm(writers[n % connections]!, writers[(n * 7 + 1) % connections]!, content(written++), plannedMs, wait)
  const scale = (n: number) => isQuick ? Math.ceil(n / 8) : n
  const workloads: ReadonlyArray<Workload> = [
    {
      kind: "write",
      name: "signed DM write (202)",
      status: 202,
      count: scale(2_000),
      perSecond: 400,
      make: (n, plannedMs) => write(n, plannedMs, false)
    },
    {
      kind: "waited",
      name: "signed DM write, Prefer: wait (201)",
      status: 201,
      count: scale(2_000),
      perSecond: 400,
      make: (n, plannedMs) => write(n, plannedMs, true)
    },
    {
      kind: "history",
      name: "GET 50 messages of a DM",
      status: 200,
      count: scale(1_000),
      perSecond: 100,
      make: (n, plannedMs) =>
        signer.get(talkers[n % dialogs]!, `/dialogs/0x${partners[n % dialogs]!.address}/messages?limit=50`, plannedMs)
    },
    {
      kind: "inbox",
      name: "GET /conversations, 50 of 200 chats",
      status: 200,
      count: scale(150),
      perSecond: 25,
      make: (n, plannedMs) => signer.get(inboxes[n % readers]!, "/conversations", plannedMs)
    }
  ]
  const seed: Array<Buffer> = []
  const now = Date.now()
  for (let i = 0; i < inboxUnread; i++) {
    for (const reader of inboxes)
      for (const peer of peers) seed.push(signer.dm(peer, reader, content(seed.length), now))
  }
  for (let i = 0; i < dialogMessages; i++) {
    for (const [n, talker] of talkers.entries()) seed.push(signer.dm(talker, partners[n]!, content(seed.length), now))
  }
  return { workloads, seed }
}

/** Requests to be sent from now on, `perSecond` of them or all within a moment. */
const requests = (workload: Workload, count: number, perSecond = Number.POSITIVE_INFINITY): ReadonlyArray<Buffer> => {
  // signing them takes a while too, and all must stay within 30 s of the node's clock
  const now = Date.now()
  return Array.from({ length: count }, (_, n) => workload.make(n, now + n * 1000 / perSecond))
}

const rowOf = (server: Server, label: string, workload: Workload): Row => ({
  name: `${workload.name}: ${label}`,
  run: async () => {
    const { count, perSecond, status } = workload
    const many = requests(workload, count)
    const full = await server.measure((client) => client.closed(many, status))
    const planned = requests(workload, Math.ceil(perSecond * openSeconds), perSecond)
    const steady = await server.measure((client) => client.open(planned, status, perSecond))
    const [fullP50, fullP99] = percentiles(full.latenciesMs, [50, 99])
    return {
      units: count,
      wallMs: full.wallMs,
      cpuMs: full.cpuMs,
      latenciesMs: steady.latenciesMs,
      extra: {
        openPerSecond: perSecond,
        openCpuMicros: steady.cpuMs * 1000 / planned.length,
        openLoopDelayMsP99: steady.loopDelayMsP99,
        closedP50Micros: fullP50! * 1000,
        closedP99Micros: fullP99! * 1000,
        closedLoopDelayMsP99: full.loopDelayMsP99,
        residentMiB: steady.residentMiB
      }
    }
  }
})

const bench = async (ours: Server, bare: Server) => {
  const { seed, workloads } = await prepare(ours)
  await ours.measure((client) => client.closed(seed, 202))
  const bodies: { -readonly [K in keyof Bodies]?: Buffer } = {}
  for (const workload of workloads) {
    const { body } = await ours.measure((client) => client.closed(requests(workload, 1), workload.status))
    bodies[workload.kind] = body
  }
  bare.give(bodies as Bodies)
  for (const workload of workloads) {
    const { body } = await bare.measure((client) => client.closed(requests(workload, 1), workload.status))
    if (!bodies[workload.kind]!.equals(body)) throw new Error(`the bare server answers otherwise: ${workload.name}`)
  }
  const rows = workloads.flatMap((workload) => [rowOf(ours, "node", workload), rowOf(bare, "bare", workload)])
  const measured = await alternate(rows, turns)
  console.log(table(
    ["call", "answers/s", "CPU µs each", "open loop at /s", "p50 ms", "p99 ms", "loop delay p99 ms", "closed p99 ms"],
    measured.map((row) => [
      row.name,
      row.perSecond,
      row.cpuMicros,
      row.extra!["openPerSecond"],
      row.p50Micros! / 1000,
      row.p99Micros! / 1000,
      row.extra!["openLoopDelayMsP99"],
      row.extra!["closedP99Micros"]! / 1000
    ])
  ))
  const bodyBytes = Object.fromEntries(Object.entries(bodies).map(([kind, body]) => [kind, body.length]))
  const note =
    "Measured on a machine that other work shared: CPU times and ratios hold better than rates and latencies."
  console.log(writeResults("http", ["effect", "@effect/platform-node", "secp256k1"], {
    note,
    connections,
    bodyBytes,
    measured
  }))
}

const profile = async (ours: Server, kind: string) => {
  const { seed, workloads } = await prepare(ours)
  const workload = workloads.find((each) => each.kind === kind)
  if (workload === undefined) throw new Error(`no calls are named ${kind}`)
  const { count, name, status } = workload
  if (status === 200) await ours.measure((client) => client.closed(seed, 202))
  for (let i = 0; i < 10; i++) {
    const { cpuMs, wallMs } = await ours.measure((client) => client.closed(requests(workload, count), status))
    console.log(`${count} × ${name}: ${Math.round(cpuMs * 1000 / count)} µs CPU each, ${Math.round(wallMs)} ms`)
  }
}

const directory = mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))
const servers: Array<Server> = []
const open = async (...given: Parameters<typeof Server.start>): Promise<Server> => {
  const server = await Server.start(...given)
  servers.push(server)
  return server
}
const begun = performance.now()
try {
  if (profileDir === undefined) await bench(await open("ours", directory), await open("bare", directory))
  else {
    const node = await open("ours", directory, ["--cpu-prof", `--cpu-prof-dir=${profileDir}`])
    await profile(node, process.argv[profileAt + 2] ?? "write")
  }
} finally {
  for (const server of servers) await server.stop()
  rmSync(directory, { recursive: true, force: true })
}
console.log(`${((performance.now() - begun) / 1000).toFixed(0)} s`)
