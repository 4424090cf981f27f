/**
 * How long does a node take to be there?
 *
 *     node bench/start.ts [--quick]    a table, and bench/results/start.json
 *
 * From the moment at which the process is spawned: until anything answers HTTP, until the ready line is printed, until the
 * trees are built, until `/readyz` says 200. With few and with many messages stored, each with code that was compiled before
 * (Node's compile cache, as the command line keeps it in the temporary directory) and without. Beside it a bare `node:http`
 * process. The database is in the memory of the system, as after a restart of the process.
 *
 * The API listens on a port that was free a moment before, so that it can be asked before the node says where it listens.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Wire } from "./load/wire.ts"
import { copyOf, prepared } from "./nodes/prepared.ts"
import { end, kept, launch, type Readiness, until } from "./nodes/processes.ts"
import { inDirectory, say } from "./nodes/running.ts"
import { look, spendings, totalCpuMs } from "./nodes/threads.ts"
import { isQuick, median, numberGiven, table, writeResults } from "./report/measure.ts"

const counts = [1_000, numberGiven("messages", isQuick ? 50_000 : 1_000_000)]
const turns = isQuick ? 1 : 7
const waitMsMax = 120_000
const stepMs = 3

/** Ms since the process was spawned. */
interface Times {
  readonly answersMs: number
  readonly lineMs: number
  readonly treesMs: number
  readonly readyMs: number
  /** CPU of all its threads until it was ready. */
  readonly cpuMs: number
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

const within = async <A>(what: string, ask: () => Promise<A | undefined>): Promise<A> => {
  const answer = await until(waitMsMax, stepMs, ask)
  if (answer === undefined) throw new Error(`${what}: not within ${waitMsMax} ms`)
  return answer
}

/** Times of one process; what is not asked of it is its first answer. */
const timesOf = async (spawned: (port: number) => ChildProcess, isNode: boolean): Promise<Times> => {
  const port = await freePort()
  const begun = performance.now()
  const since = () => performance.now() - begun
  const child = spawned(port)
  const line = isNode
    ? once(createInterface({ input: child.stdout! }), "line", { signal: AbortSignal.timeout(waitMsMax) }).then(since)
    : undefined
  // no line ever comes of a node that fails
  line?.catch(() => {})
  try {
    const wire = await within("a connection", () => Wire.open(port).catch(() => undefined))
    const get = (path: string) => wire.ask(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: node\r\n\r\n`))
    await get("/healthz")
    const answersMs = since()
    let treesMs: number | undefined
    if (isNode) {
      await within("ready", async () => {
        const { body, status } = await get("/readyz")
        if (treesMs === undefined && (JSON.parse(body.toString()) as Readiness).trees === 1) treesMs = since()
        return status === 200 ? true : undefined
      })
    }
    const readyMs = isNode ? since() : answersMs
    const cpuMs = totalCpuMs(spendings(new Map(), look(child.pid!)))
    const lineMs = await line ?? answersMs
    wire.close()
    return { answersMs, lineMs, treesMs: treesMs ?? answersMs, readyMs, cpuMs }
  } finally {
    // in order: only then is compiled code kept
    await end(child, isNode ? "SIGTERM" : "SIGKILL")
  }
}

const bare = (port: number): ChildProcess => {
  const code = `require("node:http").createServer((_, answer) => {
    answer.setHeader("content-length", 2).end("ok")
  }).listen(${port}, "127.0.0.1")`
  return kept(spawn(process.execPath, ["-e", code], { stdio: "ignore" }))
}

interface Row {
  readonly name: string
  readonly run: () => Promise<Times>
}

const rowsOf = async (directory: string): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = [{ name: "bare node:http", run: () => timesOf(bare, false) }]
  const warm = join(directory, "warm")
  mkdirSync(warm)
  let fresh = 0
  for (const count of counts) {
    const dataDir = copyOf(await prepared(count), join(directory, String(count)))
    // Node keeps compiled code in the temporary directory
    const row = (name: string, cache: () => string): Row => ({
      name: `${count.toLocaleString("en").replaceAll(",", " ")} messages, ${name}`,
      run: () =>
        timesOf((port) => {
          const child = launch({ dataDir, port, env: { TMPDIR: cache() } })
          child.stderr!.resume()
          return child
        }, true)
    })
    rows.push(row("compiled before", () => warm))
    rows.push(row("nothing compiled", () => {
      const cache = join(directory, `cold-${fresh++}`)
      mkdirSync(cache)
      return cache
    }))
  }
  return rows
}

await inDirectory(async (directory) => {
  const rows = await rowsOf(directory)
  const times = new Map<Row, Array<Times>>(rows.map((row) => [row, []]))
  // once before: keys are made, code is compiled, files are in memory
  for (const row of rows) await row.run()
  for (let turn = 0; turn < turns; turn++) {
    say(`turn ${turn + 1} of ${turns}`)
    for (const row of turn % 2 === 0 ? rows : rows.toReversed()) times.get(row)!.push(await row.run())
  }
  const measured = rows.map((row) => {
    const all = times.get(row)!
    const of = (field: keyof Times) => median(all.map((each) => each[field]))
    return {
      name: row.name,
      answersMs: of("answersMs"),
      lineMs: of("lineMs"),
      treesMs: of("treesMs"),
      readyMs: of("readyMs"),
      cpuMs: of("cpuMs"),
      turns: all
    }
  })
  console.log(table(
    ["ms since the process was spawned", "HTTP answers", "ready line", "trees built", "/readyz 200", "CPU until then"],
    measured.map((row, i) => {
      const { answersMs, cpuMs, lineMs, name, readyMs, treesMs } = row
      return i === 0
        ? [name, answersMs, undefined, undefined, undefined, cpuMs]
        : [name, answersMs, lineMs, treesMs, readyMs, cpuMs]
    })
  ))
  const [first] = rows
  console.log(writeResults(
    "start",
    ["effect", "libp2p"],
    { counts, measured },
    rows.slice(1).map((row) => ({
      name: `start: ${row.name}`,
      unit: "CPU ms",
      values: times.get(row)!.map(({ cpuMs }) => cpuMs),
      bare: times.get(first!)!.map(({ cpuMs }) => cpuMs)
    }))
  ))
})
