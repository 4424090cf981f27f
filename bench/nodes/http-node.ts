/**
 * A server in a process of its own, for `bench/http.ts`, which starts it and reads its CPU time over the control channel.
 *
 *     ours   the whole node: real HTTP, real SQLite in the directory given, its threads as a node has them
 *     bare   `node:http` alone: reads the body, parses it as JSON, recovers one key with the native library and answers
 *            bytes it was given. It derives no id, asks no one and stores nothing: what is left when a node does nothing
 *            of its own. An inbox it reads from the file of the node in the directory given (`by-hand.ts`).
 */
import { Effect, Layer, Logger } from "effect"
import { HttpServer } from "effect/http"
import { createServer, type IncomingHttpHeaders } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Address } from "../../src/domain/ids.ts"
import { loadWasmPromise } from "../../src/layers/crypto/hashes.ts"
import { layer } from "../../src/layers/node-live.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { Writer } from "../../src/services/Writer.ts"
import { byHand } from "./by-hand.ts"

/** What the server tells when it listens. */
export interface Ready {
  readonly port: number
  /** Of the node; "" for the bare server. */
  readonly id: string
}

/** What the server spent between `begin` and `end`, until all that it accepted was committed. */
export interface Spent {
  readonly cpuMs: number
  /** How late the event loop came to a timer of 1 ms, 99th percentile. */
  readonly loopDelayMsP99: number
  readonly residentMiB: number
}

/** Bodies for the bare server to answer, by the kind of request. */
export type Bodies = { readonly [K in "write" | "waited" | "history" | "inbox"]: Uint8Array }

export type Command = "begin" | "end" | { readonly bodies: Bodies }

interface Server extends Ready {
  readonly committed: () => Promise<void>
  readonly setBodies: (bodies: Bodies) => void
}

const limits = { userRequestsPerSecond: 1_000_000, userRequestsBurst: 1_000_000, replayEntriesMax: 4_000_000 }

const ours = Effect.gen(function*() {
  const [, , , dataDir] = process.argv
  const context = yield* Layer.build(layer({
    dataDir: dataDir!,
    http: { host: "127.0.0.1", port: 0 },
    network: "",
    limits
  }))
  return yield* Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    const writer = yield* Writer
    const run = Effect.runPromiseWith(yield* Effect.context<never>())
    const server: Server = {
      port: Number(new URL(HttpServer.formatAddress(address)).port),
      id: (yield* NodeKey).id,
      committed: () => run(writer.committed(writer.last())),
      setBodies: () => {}
    }
    return server
  }).pipe(Effect.provideContext(context))
})

const bare = Effect.promise(async () => {
  const addon = createRequire(import.meta.url)("secp256k1/bindings") as {
    ecdsaRecover(rs: Uint8Array, id: number, digest: Uint8Array, compressed: boolean): Uint8Array
  }
  const { keccak256 } = await loadWasmPromise()
  const directory = process.argv[3]!
  const encoder = new TextEncoder()
  let bodies: Bodies | undefined
  let hand: ReturnType<typeof byHand> | undefined
  const userOf = (headers: IncomingHttpHeaders) => (headers["x-user"] as string).slice(2) as Address
  const server = createServer((request, response) => {
    const chunks: Array<Uint8Array> = []
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk))
    request.on("end", () => {
      const { headers, method, url } = request
      if (method === "POST") JSON.parse(Buffer.concat(chunks).toString())
      const sig = Buffer.from(headers["x-sig"] as string, "hex")
      const digest = keccak256(encoder.encode(`${headers["x-user"]}\n${headers["x-ts"]}\n${headers["x-node"]}\n${url}`))
      addon.ecdsaRecover(sig.subarray(0, 64), sig[64]! - 27, digest, false)
      const waits = headers["prefer"] !== undefined
      const kind = method === "POST" ? (waits ? "waited" : "write") : url!.startsWith("/conv") ? "inbox" : "history"
      const body = kind === "inbox"
        ? Buffer.from((hand ??= byHand(join(directory, "messages.sqlite"))).inbox(userOf(headers)))
        : bodies![kind]
      response.writeHead(kind === "write" ? 202 : kind === "waited" ? 201 : 200, {
        "content-type": "application/json",
        "content-length": body.length
      })
      response.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const made: Server = {
    port: (server.address() as AddressInfo).port,
    id: "",
    committed: async () => {},
    setBodies: (given) => {
      bodies = given
    }
  }
  return made
})

const program = Effect.gen(function*() {
  const server = yield* process.argv[2] === "ours" ? ours : bare
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let cpu = process.cpuUsage()
  const obey = async (command: Command): Promise<void> => {
    if (typeof command === "object") return server.setBodies(command.bodies)
    if (command === "begin") {
      delay.enable()
      delay.reset()
      cpu = process.cpuUsage()
      process.send!("begun")
      return
    }
    await server.committed()
    const { system, user } = process.cpuUsage(cpu)
    delay.disable()
    const spent: Spent = {
      cpuMs: (user + system) / 1000,
      loopDelayMsP99: Math.max(0, delay.percentile(99) / 1e6 - 1),
      residentMiB: process.memoryUsage.rss() / 2 ** 20
    }
    process.send!(spent)
  }
  process.on("message", (command: Command) => void obey(command))
  const ready: Ready = { port: server.port, id: server.id }
  process.send!(ready)
  // the bench lets go of the channel when it is done
  yield* Effect.callback<void>((resume) => void process.once("disconnect", () => resume(Effect.void)))
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Logger.layer([]))))
process.exit()
