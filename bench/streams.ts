/**
 * What do streams of events cost a node that mostly wait?
 *
 *     node bench/streams.ts [--quick] [--streams N]    tables, and bench/results/streams.json
 *
 * N users open one stream each (5 000). Measured are the node's resident memory and its CPU time while nothing happens but
 * heartbeats, per stream, beside the same node with as many kept connections that ask nothing; and how long one message to a
 * group of all of them takes until each stream has it.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import * as Bytes from "../src/domain/bytes.ts"
import type * as Ids from "../src/domain/ids.ts"
import { targetsMax } from "../src/domain/limits.ts"
import { noble } from "../src/layers/crypto/hashes.ts"
import { groupMessage, headersOf, newGroup, op, send, type User } from "../test/http/fixture.ts"
import { NodeProcess, pause } from "./nodes/processes.ts"
import { inDirectory, say } from "./nodes/running.ts"
import { look, spendings, totalCpuMs } from "./nodes/threads.ts"
import { isQuick, median, numberGiven, table, writeResults } from "./report/measure.ts"

const count = numberGiven("streams", isQuick ? 500 : 5_000)
/** Less than the node keeps a connection that asks nothing more. */
const idleMs = isQuick ? 10_000 : 50_000
const messages = 20
const openedAtOnce = 50

const people: ReadonlyArray<User> = Array.from({ length: count }, (_, i) => {
  const key = new Uint8Array(32)
  new DataView(key.buffer).setUint32(28, i + 1)
  const address = Bytes.toHex(
    noble.keccak256(secp256k1.getPublicKey(key, false).subarray(1)).subarray(12)
  ) as Ids.Address
  return { key, address }
})

const residentMiBOf = (pid: number): number =>
  Number(/^VmRSS:\s+([0-9]+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024

/** A connection, and what it has heard of the message that is waited for. */
class Listener {
  readonly socket: Socket
  private onMessage: (() => void) | undefined

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1")
    this.socket.on("data", (bytes: Buffer) => {
      if (this.onMessage !== undefined && bytes.includes("event: message")) this.onMessage()
    })
  }

  connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once("connect", resolve)
      this.socket.once("error", reject)
    })
  }

  /** Asks; done when the answer begins. */
  ask(path: string, headers: { readonly [name: string]: string } = {}): Promise<void> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
    return new Promise((resolve, reject) => {
      this.socket.once(
        "data",
        (bytes: Buffer) =>
          bytes.includes(" 200 ") ? resolve() : reject(new Error(`refused: ${bytes.toString().slice(0, 300)}`))
      )
      this.socket.once("close", () => reject(new Error("the node closed a connection")))
      this.socket.write(`GET ${path} HTTP/1.1\r\nHost: node\r\n${lines}\r\n`)
    })
  }

  message(): Promise<number> {
    return new Promise((resolve) => {
      this.onMessage = () => {
        this.onMessage = undefined
        resolve(performance.now())
      }
    })
  }
}

const eachFew = async <A>(all: ReadonlyArray<A>, run: (one: A) => Promise<unknown>): Promise<void> => {
  for (let i = 0; i < all.length; i += openedAtOnce) await Promise.all(all.slice(i, i + openedAtOnce).map(run))
}

/** Memory after a pause, and CPU time a second of a node that is left alone. */
const idle = async (node: NodeProcess) => {
  await pause(5_000)
  const before = look(node.pid)
  await pause(idleMs)
  return {
    residentMiB: residentMiBOf(node.pid),
    cpuMsPerSecond: totalCpuMs(spendings(before, look(node.pid))) / idleMs * 1_000
  }
}

await inDirectory(async (directory) => {
  const node = await NodeProcess.start({ dataDir: join(directory, "node") })
  const running = { url: `http://127.0.0.1:${node.port}`, id: node.id as Ids.NodeId }
  const [owner] = people as [User, ...Array<User>]
  const { chatId, create } = newGroup(running, owner, 1, { title: "everyone" })
  const write = async (request: Parameters<typeof send>[1] & Parameters<typeof headersOf>[2]) => {
    const answer = await send(running, request, headersOf(running, owner, request))
    if (answer.status !== 202) throw new Error(JSON.stringify(answer.body))
  }
  await write(create)
  const others = people.slice(1).map(({ address }) => address).sort()
  for (let i = 0; i < others.length; i += targetsMax) {
    await write(op(running, owner, chatId, { op: "add", targets: others.slice(i, i + targetsMax) }))
  }
  say("alone")
  const alone = await idle(node)

  const listeners = people.map(() => new Listener(node.port))
  await Promise.all(listeners.map((listener) => listener.connected()))
  // a connection that never asked would be closed
  await eachFew(listeners, (listener) => listener.ask("/healthz"))
  say("connected")
  const connected = await idle(node)

  say("streams are opened")
  const begun = performance.now()
  const beforeOpening = look(node.pid)
  await eachFew(
    listeners.map((listener, i) => ({ listener, who: people[i]! })),
    ({ listener, who }) => listener.ask("/events", headersOf(running, who, { method: "GET", path: "/events" }))
  )
  const openMs = performance.now() - begun
  const openCpuMicros = totalCpuMs(spendings(beforeOpening, look(node.pid))) * 1_000 / count
  const streaming = await idle(node)

  say("one message to all")
  const firstMs: Array<number> = []
  const lastMs: Array<number> = []
  const beforeMessages = look(node.pid)
  for (let n = 0; n < messages; n++) {
    const heard = Promise.all(listeners.map((listener) => listener.message()))
    const sentMs = performance.now()
    await write(groupMessage(owner, chatId, { content: `${n} `.padEnd(300, "to all ") }))
    const times = await heard
    firstMs.push(times.reduce((a, b) => Math.min(a, b)) - sentMs)
    lastMs.push(times.reduce((a, b) => Math.max(a, b)) - sentMs)
  }
  const told = count * messages
  const cpuMicros = totalCpuMs(spendings(beforeMessages, look(node.pid))) * 1_000 / told
  for (const { socket } of listeners) socket.destroy()

  const perStream = (a: number, b: number) => (b - a) / count
  console.log(table(["node with", "resident MiB", "CPU ms a second"], [
    ["nobody", alone.residentMiB, alone.cpuMsPerSecond],
    [`${count} connections that ask nothing`, connected.residentMiB, connected.cpuMsPerSecond],
    [`${count} idle streams`, streaming.residentMiB, streaming.cpuMsPerSecond]
  ]))
  console.log(`\n${
    table(["what", "value"], [
      ["KiB a stream, its connection included", perStream(alone.residentMiB, streaming.residentMiB) * 1_024],
      ["KiB a connection", perStream(alone.residentMiB, connected.residentMiB) * 1_024],
      ["CPU µs a second and stream", perStream(alone.cpuMsPerSecond, streaming.cpuMsPerSecond) * 1_000],
      ["CPU µs to open one", openCpuMicros],
      ["opened a second", count / openMs * 1_000],
      ["a message is at the first stream after, p50 ms", median(firstMs)],
      ["a message is at all streams after, p50 ms", median(lastMs)],
      ["CPU µs an event told", cpuMicros]
    ])
  }`)
  console.log(writeResults("streams", ["effect"], {
    count,
    alone,
    connected,
    streaming,
    openMs,
    openCpuMicros,
    firstMs,
    lastMs,
    cpuMicros
  }))
})
