/**
 * How fast does a fresh node fetch everything from another, what does it cost beside the records themselves, and does the
 * source still answer meanwhile?
 *
 *     node bench/catch-up.ts                  --messages N: fetched
 *     node bench/catch-up.ts --profile DIR    both nodes leave their CPU profiles in DIR/source and DIR/fresh
 *
 * Two real processes on loopback. The source's directory is filled first with `--messages N` signed messages. Beside it, in
 * the same run: how many signatures a second this machine verifies with nothing else to do, which bounds the rate, and what
 * one costs. CPU is told for each node, and for its event loop alone, which is what calls to it wait for.
 */
import { Context, Effect, Layer } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Hashes } from "../src/domain/hashing.ts"
import * as Hlc from "../src/domain/hlc.ts"
import type { Message } from "../src/domain/record.ts"
import { recordDigest } from "../src/domain/signature.ts"
import * as Wire from "../src/domain/wire.ts"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import * as Verifier from "../src/layers/crypto/verifier.ts"
import { layerSqlite } from "../src/layers/store/sqlite.ts"
import { Store } from "../src/services/Store.ts"
import { Verifier as VerifierService } from "../src/services/Verifier.ts"
import { makeUser, type User } from "./load/http-load.ts"
import { signedMessage } from "./load/records.ts"
import { engineFlags, program } from "./nodes/processes.ts"
import { isQuick, percentiles, table, writeResults } from "./report/measure.ts"

const given = process.argv.indexOf("--messages")
const total = given > 0 ? Number(process.argv[given + 1]) : isQuick ? 20_000 : 200_000
const userCount = 200
const waitMsMax = 600_000
/** For a node to leave its profile and end. */
const endMsMax = 10_000
const profileAt = process.argv.indexOf("--profile")
const profileDir = profileAt > 0 ? process.argv[profileAt + 1] : undefined

const signed = (hashes: Hashes, users: ReadonlyArray<User>, n: number, ms: number): Message =>
  signedMessage(hashes, n, ms, {
    sender: users[n % userCount]!,
    peer: users[(n * 7 + 1) % userCount]!,
    content: `${String(n).padStart(8, "0")} `.padEnd(300, "a message of some length ")
  })

/** Fills a directory; gives the bytes of its records as they travel, and signatures to verify. */
const fill = (directory: string) =>
  Effect.gen(function*() {
    const hashes = yield* loadWasm
    const store = Context.get(yield* Layer.build(layerSqlite({ directory })), Store)
    const users = Array.from({ length: userCount }, (_, n) => makeUser(hashes, `${n}`))
    const startMs = Date.now() - 3_600_000 - total
    let bytes = 0
    const sample: Array<{ readonly digest: Uint8Array; readonly rs: Uint8Array; readonly v: 0 | 1 }> = []
    for (let at = 0; at < total; at += 1_000) {
      const batch = Array.from({ length: Math.min(1_000, total - at) }, (_, i) =>
        signed(hashes, users, at + i, startMs + at + i))
      for (const message of batch) {
        bytes += Wire.encode(message).length
        if (sample.length < 20_000) {
          sample.push({
            digest: recordDigest(hashes, message),
            rs: message.sig.subarray(0, 64),
            v: message.sig[64] as 0 | 1
          })
        }
      }
      yield* store.commit(batch, Hlc.zero)
    }
    return { bytes, sample }
  }).pipe(Effect.scoped)

const verifyRate = (
  sample: ReadonlyArray<{ readonly digest: Uint8Array; readonly rs: Uint8Array; readonly v: 0 | 1 }>
) =>
  Effect.gen(function*() {
    const verifier = Context.get(yield* Layer.build(Verifier.layer()), VerifierService)
    yield* verifier.recoverAll(sample.slice(0, 500))
    const cpu = process.cpuUsage()
    const start = performance.now()
    for (let at = 0; at < sample.length; at += 500) yield* verifier.recoverAll(sample.slice(at, at + 500))
    const wallMs = performance.now() - start
    const { system, user } = process.cpuUsage(cpu)
    return { perSecond: sample.length / wallMs * 1_000, cpuMicros: (system + user) / sample.length }
  }).pipe(Effect.scoped)

interface Process {
  readonly child: ChildProcess
  readonly api: string
  readonly address: string
}

const start = async (name: "source" | "fresh", directory: string, more: ReadonlyArray<string>): Promise<Process> => {
  const profile = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${join(profileDir, name)}`]
  const args = [
    "node",
    "--json",
    "--data",
    join(directory, name),
    "--http",
    "127.0.0.1:0",
    "--listen",
    "/ip4/127.0.0.1/tcp/0"
  ]
  const child = spawn(process.execPath, [...engineFlags, ...profile, program, ...args, ...more], {
    stdio: ["ignore", "pipe", "ignore"]
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const { addresses, api } = JSON.parse(line) as { readonly addresses: ReadonlyArray<string>; readonly api: string }
    return { child, api, address: addresses[0]! }
  }
  throw new Error("a node ended before it was ready")
}

interface Cpu {
  readonly allMs: number
  /** Of the event loop's thread. */
  readonly loopMs: number
}

/** User and system time of a process so far. */
const cpuOf = ({ child }: Process): Cpu => {
  const msOf = (stat: string): number => {
    const fields = readFileSync(stat, "utf8").split(") ")[1]!.split(" ")
    return (Number(fields[11]) + Number(fields[12])) * 10
  }
  return { allMs: msOf(`/proc/${child.pid}/stat`), loopMs: msOf(`/proc/${child.pid}/task/${child.pid}/stat`) }
}

const sampleOf = async (api: string, name: string): Promise<number> => {
  const text = await (await fetch(`${api}/metrics`)).text()
  let sum = 0
  for (const line of text.split("\n")) {
    if (line.startsWith(name) && /^[{ ]/.test(line.slice(name.length))) sum += Number(line.slice(line.lastIndexOf(" ")))
  }
  return sum
}

const end = async ({ child }: Process): Promise<void> => {
  const ended = once(child, "exit")
  // a profile is written by a node that ends by itself
  child.kill(profileDir === undefined ? "SIGKILL" : "SIGTERM")
  const late = setTimeout(() => child.kill("SIGKILL"), endMsMax)
  await ended
  clearTimeout(late)
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const run = async () => {
  const directory = mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))
  const processes: Array<Process> = []
  try {
    const { bytes, sample } = await Effect.runPromise(fill(join(directory, "source")))
    const verified = await Effect.runPromise(verifyRate(sample))
    const source = await start("source", directory, [])
    processes.push(source)
    while ((await fetch(`${source.api}/readyz`)).status !== 200) await pause(50)
    const fresh = await start("fresh", directory, ["--bootstrap", source.address])
    processes.push(fresh)
    const cpuBefore = processes.map(cpuOf)
    const latencies: Array<number> = []
    let [startMs, count] = [performance.now(), 0]
    const endMs = startMs + waitMsMax
    let nextLookMs = 0
    while (count < total) {
      if (performance.now() > endMs) throw new Error(`${count} of ${total} messages after ${waitMsMax} ms`)
      const asked = performance.now()
      await (await fetch(`${source.api}/node?challenge=${"00".repeat(32)}`)).text()
      latencies.push(performance.now() - asked)
      await pause(15)
      if (performance.now() < nextLookMs) continue
      nextLookMs = performance.now() + 100
      const now = await sampleOf(fresh.api, "p2p_mes_records_committed_total")
      if (count === 0) startMs = performance.now()
      count = now
    }
    const wallMs = performance.now() - startMs
    const [ofSource, ofFresh] = processes.map((each, i) => {
      const [before, now] = [cpuBefore[i]!, cpuOf(each)]
      const micros = (ms: number) => ms / total * 1_000
      return { all: micros(now.allMs - before.allMs), loop: micros(now.loopMs - before.loopMs) }
    }) as [{ readonly all: number; readonly loop: number }, { readonly all: number; readonly loop: number }]
    const syncBytes = await sampleOf(fresh.api, "p2p_mes_sync_bytes_total") || Number.NaN
    const [p50, p99] = percentiles(latencies, [50, 99]) as [number, number]
    return {
      messages: total,
      seconds: wallMs / 1_000,
      perSecond: total / wallMs * 1_000,
      verifiedPerSecond: verified.perSecond,
      cpuMicrosSignature: verified.cpuMicros,
      cpuMicrosSource: ofSource.all,
      cpuMicrosSourceLoop: ofSource.loop,
      cpuMicrosFresh: ofFresh.all,
      cpuMicrosFreshLoop: ofFresh.loop,
      recordBytes: bytes,
      syncBytes,
      sourceMillisP50: p50,
      sourceMillisP99: p99
    }
  } finally {
    await Promise.all(processes.map(end))
    rmSync(directory, { recursive: true, force: true })
  }
}

const result = await run()
process.stdout.write(`${
  table(["what", "value"], [
    ["messages", result.messages],
    ["messages a second", result.perSecond],
    ["signatures a second, nothing else to do", result.verifiedPerSecond],
    ["messages a second / signatures a second", result.perSecond / result.verifiedPerSecond],
    ["CPU µs a signature, nothing else to do", result.cpuMicrosSignature],
    ["CPU µs a message, source", result.cpuMicrosSource],
    ["CPU µs a message, source, its event loop", result.cpuMicrosSourceLoop],
    ["CPU µs a message, fresh node", result.cpuMicrosFresh],
    ["CPU µs a message, fresh node, its event loop", result.cpuMicrosFreshLoop],
    ["bytes of records", result.recordBytes],
    ["bytes of sync frames / bytes of records", result.syncBytes / result.recordBytes],
    ["answers of the source meanwhile, p50 ms", result.sourceMillisP50],
    ["answers of the source meanwhile, p99 ms", result.sourceMillisP99]
  ])
}\n${profileDir === undefined ? writeResults("catch-up", ["effect", "libp2p", "secp256k1"], result) : profileDir}\n`)
