/**
 * The same job elsewhere, side by side: signed messages taken in over the network, verified and persisted, beside a nostr
 * relay of npm packages; signed records brought to a second process, beside OrbitDB.
 *
 *     node bench/elsewhere.ts [--quick] [--turns N]       tables, and bench/results/elsewhere.json
 *
 * All are what an operator would run: a node of this project as `p2p-mes node`, the relay behind a WebSocket, OrbitDB over
 * libp2p and Helia, each in processes of their own. Requests and events carry the same text and are signed before the clock
 * runs; the next one of a connection leaves when the last is answered. CPU is that of the servers, all threads.
 */
import { Effect } from "effect"
import { type ChildProcess, execFileSync, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { finalizeEvent } from "nostr-tools/pure"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import { directory, install } from "./elsewhere/install.ts"
import { Client, makeUser, Signer } from "./load/http-load.ts"
import { contentOf } from "./load/people.ts"
import { copyOf, prepared } from "./nodes/prepared.ts"
import { endAll, kept, NodeProcess, until } from "./nodes/processes.ts"
import { look, spendings, totalCpuMs } from "./nodes/threads.ts"
import {
  alternate,
  isQuick,
  type Measured,
  numberGiven,
  type Row,
  type Sample,
  summary,
  table
} from "./report/measure.ts"
import { writeResults } from "./report/measure.ts"

const turns = numberGiven("turns", isQuick ? 1 : 3)
const connections = 64
/** Messages a turn: about the same time for both. */
const [ourMessages, theirEvents] = isQuick ? [1_000, 200] : [10_000, 1_000]
/** Records to be brought to a second process: what OrbitDB does in some 20 s; and what takes this project a while. */
const [fewRecords, manyRecords] = isQuick ? [200, 2_000] : [1_000, 50_000]
const answerMsMax = 300_000

const temporary = mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))
let made = 0
const freshDirectory = (): string => join(temporary, String(made++))

/** CPU time of processes so far, all threads, ms. */
const cpuMsOf = (pids: ReadonlyArray<number>) => {
  const before = pids.map(look)
  return () => pids.reduce((sum, pid, i) => sum + totalCpuMs(spendings(before[i]!, look(pid))), 0)
}

const withCpu = async (pids: ReadonlyArray<number>, units: number, work: () => Promise<Partial<Sample>>) => {
  const cpuMs = cpuMsOf(pids)
  const begunMs = performance.now()
  const more = await work()
  return { units, wallMs: performance.now() - begunMs, ...more, cpuMs: cpuMs() }
}

/** The next message of a process over its control channel. */
const told = async <A>(child: ChildProcess): Promise<A> => {
  const signal = AbortSignal.timeout(answerMsMax)
  const gone = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`a process ended with code ${code}`)
  })
  gone.catch(() => {})
  return (await Promise.race([once(child, "message", { signal }), gone]))[0] as A
}

const launch = (file: string, args: ReadonlyArray<string>, execPath = process.execPath): ChildProcess =>
  kept(fork(join(directory, file), [...args], { cwd: directory, execPath, execArgv: [] }))

// Messages taken in, verified and persisted.

const ourRows = async (theirs: string): Promise<ReadonlyArray<Row>> => {
  const hashes = await Effect.runPromise(loadWasm)
  const generous = { P2PMES_USER_RATE: "1000000", P2PMES_USER_BURST: "1000000" }
  const node = await NodeProcess.start({ dataDir: freshDirectory(), env: generous })
  await node.ready()
  const users = Array.from({ length: connections }, (_, n) => makeUser(hashes, `user ${n}`))
  const signer = new Signer(hashes, node.id)
  let written = 0
  const requests = (count: number, wait: boolean): ReadonlyArray<Buffer> =>
    Array.from(
      { length: count },
      (_, n) =>
        signer.dm(users[n % connections]!, users[(n * 7 + 1) % connections]!, contentOf(written++), Date.now(), wait)
    )
  const row = (name: string, wait: boolean): Row => ({
    name,
    bare: theirs,
    run: async () => {
      const [many, last] = [requests(ourMessages - 1, wait), requests(1, true)]
      const client = await Client.open(node.port, connections)
      try {
        return await withCpu([node.pid], ourMessages, async () => {
          const { latenciesMs } = await client.closed(many, wait ? 201 : 202)
          // what was accepted before it is committed before it
          await client.closed(last, 201)
          return { latenciesMs }
        })
      } finally {
        client.close()
      }
    }
  })
  return [row("p2p-mes, answered before the commit (202)", false), row("p2p-mes, answered after it (201)", true)]
}

/** As much of a WebSocket of `ws` as is used here. */
interface Socket {
  readonly on: (event: "open" | "error" | "message", listener: (data: Buffer) => void) => void
  readonly send: (text: string) => void
  readonly close: () => void
}

const relayName = "nostr relay (@nostr-relay/core, SQLite), answered after it"

const relayRow = async (older: string): Promise<Row> => {
  const relay = launch("relay.mjs", [join(temporary, "relay.sqlite")], older)
  const { port } = await told<{ readonly port: number }>(relay)
  const WebSocket = createRequire(join(directory, "package.json"))("ws") as new(url: string) => Socket
  const keys = Array.from({ length: connections }, (_, n) => new Uint8Array(32).fill(n + 1))
  const peers = keys.map((key) => finalizeEvent({ kind: 1, created_at: 0, tags: [], content: "" }, key).pubkey)
  let written = 0
  // a direct message, as ours: kind 4 with its receiver; not put into the relay's text search
  const eventOf = (n: number): string => {
    const [from, tags] = [n % connections, [["p", peers[(n * 7 + 1) % connections]!]]]
    const createdAt = Math.floor(Date.now() / 1000)
    return JSON.stringify([
      "EVENT",
      finalizeEvent({ kind: 4, created_at: createdAt, tags, content: contentOf(n) }, keys[from]!)
    ])
  }
  const closed = (sockets: ReadonlyArray<Socket>, events: ReadonlyArray<string>): Promise<ReadonlyArray<number>> =>
    new Promise((resolve, reject) => {
      const latenciesMs: Array<number> = []
      let next = 0
      const sendNext = (socket: Socket, since: Map<Socket, number>): void => {
        if (next === events.length) return
        since.set(socket, performance.now())
        socket.send(events[next++]!)
      }
      const since = new Map<Socket, number>()
      for (const socket of sockets) {
        socket.on("error", () => reject(new Error("a socket broke")))
        socket.on("message", (data) => {
          const [kind, , accepted] = JSON.parse(data.toString()) as ReadonlyArray<unknown>
          if (kind !== "OK" || accepted !== true) return reject(new Error(`the relay refused: ${data.toString()}`))
          latenciesMs.push(performance.now() - since.get(socket)!)
          if (latenciesMs.length === events.length) resolve(latenciesMs)
          else sendNext(socket, since)
        })
        sendNext(socket, since)
      }
    })
  return {
    name: relayName,
    run: async () => {
      const events = Array.from({ length: theirEvents }, () => eventOf(written++))
      const sockets = Array.from({ length: connections }, () => new WebSocket(`ws://127.0.0.1:${port}`))
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.on("open", () => resolve()))))
      const sample = await withCpu(
        [relay.pid!],
        theirEvents,
        async () => ({ latenciesMs: await closed(sockets, events) })
      )
      for (const socket of sockets) socket.close()
      relay.send("count")
      const { count } = await told<{ readonly count: number }>(relay)
      if (count !== written) throw new Error(`the relay stored ${count} of ${written} events`)
      return sample
    }
  }
}

// Records brought to a second process.

const replicateOurs = async (count: number): Promise<Sample> => {
  const source = await NodeProcess.start({ dataDir: copyOf(await prepared(count), freshDirectory()) })
  await source.ready()
  const cpuBefore = cpuMsOf([source.pid])
  const fresh = await NodeProcess.start({ dataDir: freshDirectory(), bootstrap: [source.address] })
  const sample = await withCpu([source.pid, fresh.pid], count, async () => {
    const complete = async () => (await fresh.metrics()).total("p2p_mes_records_committed_total") >= count || undefined
    if (await until(answerMsMax, 20, complete) === undefined) throw new Error("a node did not get all records")
    return {}
  })
  const extra = { sourceCpuMicros: cpuBefore() * 1000 / count }
  await Promise.all([fresh.stop(), source.stop()])
  return { ...sample, extra }
}

const replicateOrbit = async (count: number): Promise<Sample> => {
  const source = launch("orbit.mjs", ["write", freshDirectory(), String(count), contentOf(0)])
  const written = await told<{ readonly writtenMs: number }>(source)
  const fresh = launch("orbit.mjs", ["read", freshDirectory()])
  await told(fresh)
  const sample = await withCpu([source.pid!, fresh.pid!], count, async () => {
    fresh.send(written)
    const got = await told<{ readonly found?: number; readonly failed?: string; readonly wallMs: number }>(fresh)
    if (got.found !== count) throw new Error(`OrbitDB brought ${got.found} of ${count} entries: ${got.failed}`)
    return { wallMs: got.wallMs }
  })
  for (const child of [source, fresh]) child.disconnect()
  return { ...sample, extra: { writeMicros: written.writtenMs * 1000 / count } }
}

const orbitName = `OrbitDB, ${fewRecords} entries`

/** Fresh processes each time: nothing is warm, on either side. */
const replicate = async (): Promise<ReadonlyArray<Measured>> => {
  const rows: ReadonlyArray<Row> = [
    { name: `p2p-mes, ${fewRecords} records`, bare: orbitName, run: () => replicateOurs(fewRecords) },
    { name: `p2p-mes, ${manyRecords} records`, bare: orbitName, run: () => replicateOurs(manyRecords) },
    { name: orbitName, run: () => replicateOrbit(fewRecords) }
  ]
  const samples = rows.map((): Array<Sample> => [])
  for (let turn = 0; turn < turns; turn++) {
    const order = rows.map((row, i) => ({ row, i }))
    for (const { i, row } of turn % 2 === 0 ? order : order.toReversed()) samples[i]!.push(await row.run())
  }
  return rows.map((row, i) => summary(row, samples[i]!))
}

const compared = (what: string, measured: ReadonlyArray<Measured>): string => {
  const theirs = measured.at(-1)!
  return table(
    [what, "a second", "times theirs", "CPU µs each", "theirs, of ours", "p50 ms", "p99 ms"],
    measured.map((row) => [
      row.name,
      row.perSecond,
      row.perSecond / theirs.perSecond,
      row.cpuMicros,
      theirs.cpuMicros / row.cpuMicros,
      row.p50Micros === undefined ? undefined : row.p50Micros / 1000,
      row.p99Micros === undefined ? undefined : row.p99Micros / 1000
    ])
  )
}

const versions = (): Readonly<Record<string, string>> => {
  const { dependencies } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  return dependencies
}

try {
  const older = install()
  const events = await alternate([...await ourRows(relayName), await relayRow(older)], turns)
  await endAll()
  console.log(`${compared("messages verified and persisted", events)}\n`)
  const records = await replicate()
  console.log(compared("records brought to a second process", records))
  console.log(writeResults("elsewhere", ["nostr-tools", "effect", "libp2p"], {
    connections,
    elsewhere: versions(),
    relayNode: execFileSync(older, ["--version"], { encoding: "utf8" }).trim(),
    events,
    records
  }))
} finally {
  await endAll()
  rmSync(temporary, { recursive: true, force: true })
}
