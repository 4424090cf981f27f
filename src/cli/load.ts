/**
 * What `bench` does: users who exist for this one run write to each other at one node, so many at once, until the time or the
 * number is up; and how long each write took.
 *
 * One process signs, sends and measures, so a fast node may be waiting for it: the result says how busy it was.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import type { Signer } from "../client/Signer.ts"
import * as Bytes from "../domain/bytes.ts"
import type { Address, NodeId } from "../domain/ids.ts"
import { signedDigest } from "../domain/signature.ts"

export interface LoadOptions {
  readonly node: string
  readonly pin: NodeId | undefined
  readonly users: number
  readonly count: number
  readonly seconds: number
  readonly concurrency: number
  /** Of the text of a message. */
  readonly bytes: number
  /** Whether a write ends with its commit, not with its answer. */
  readonly committed: boolean
}

export interface Measured {
  readonly written: number
  readonly seconds: number
  /** Writes a second. */
  readonly rate: number
  /** ms, of writes that were taken; 0 when there was none. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
  /** Writes that failed, by what with. */
  readonly failed: { readonly [tag: string]: number }
  /** Share of one core that this process took, 0 to 1 and above. */
  readonly clientCpu: number
}

/** A write is given up after this, ms. */
const timeoutMs = 30_000
/** For a commit, s. */
const waitSeconds = 10
/** A worker whose write failed rests for this, ms, so that a node that refuses everything is not drowned. */
const restMs = 100

/** The value below which a share of the sorted values lies (nearest rank). */
export const percentile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0

const platform = Effect.promise(async () => ({
  ...await import("../client/index.ts"),
  ...await import("../layers/crypto/user-signing.ts"),
  Fetch: await import("effect/http/FetchHttpClient")
}))

/** A client for each of so many new users, and all of them introduced to the node. */
const openUsers = Effect.fnUntraced(function*({ node, pin, users }: LoadOptions) {
  const { Entropy, Fetch, hashes, NodeClient, signDigest, Signer: Signers } = yield* platform
  const open = Effect.gen(function*() {
    const key = new Uint8Array(randomBytes(32))
    const own = yield* Effect.fromResult(Signers.fromPrivateKey(key))
    const signer: Signer = {
      ...own,
      // by native code where there is some: this process should be the faster side
      sign: (text) =>
        Effect.sync(() => {
          const signed = signDigest(signedDigest(hashes, 1, text), key)
          return Bytes.concat([signed.subarray(0, 64), Bytes.u8(27 + signed[64]!)])
        })
    }
    const client = yield* NodeClient.make({ url: node, pin, signer, timeoutMs, busyRetriesMax: 0 })
    yield* client.node
    return client
  })
  return yield* Effect.all(Array.from({ length: users }, () => open)).pipe(
    Effect.provide([Fetch.layer, Entropy.layer])
  )
})

/** Runs the load. `told` hears how many were written, and which share of it is done, now and then. */
export const run = Effect.fnUntraced(function*(
  options: LoadOptions,
  told: (written: number, share: number) => Effect.Effect<void>
) {
  const { bytes, committed, concurrency, count, seconds } = options
  const { Chat } = yield* platform
  const clients = yield* openUsers(options)
  const latencies: Array<number> = []
  const failed = new Map<string, number>()
  const startedMs = yield* Clock.currentTimeMillis
  const cpuBefore = process.cpuUsage()
  let next = 0
  const endMs = startedMs + seconds * 1_000

  const write = Effect.fnUntraced(function*(n: number) {
    const from = clients[n % clients.length]!
    const to: Address = clients[(n + 1 + Math.floor(n / clients.length)) % clients.length]!.address
    const text = `bench ${n} `.padEnd(bytes, "x").slice(0, bytes)
    const before = performance.now()
    const done = yield* Effect.result(from.send(Chat.dm(to), text, committed ? { wait: waitSeconds } : {}))
    if (done._tag === "Success") return latencies.push(performance.now() - before)
    const { _tag } = done.failure
    failed.set(_tag, (failed.get(_tag) ?? 0) + 1)
    yield* Effect.sleep(restMs)
  })

  const worker = Effect.gen(function*() {
    while (next < count) {
      const now = yield* Clock.currentTimeMillis
      if (now >= endMs) return
      const n = next++
      yield* write(n)
      yield* told(latencies.length, Math.max(next / count, (now - startedMs) / (endMs - startedMs)))
    }
  })
  yield* Effect.all(Array.from({ length: Math.min(concurrency, count) }, () => worker), {
    concurrency: "unbounded",
    discard: true
  })

  const took = Math.max(1, (yield* Clock.currentTimeMillis) - startedMs) / 1_000
  const { system, user } = process.cpuUsage(cpuBefore)
  const sorted = latencies.sort((a, b) => a - b)
  const measured: Measured = {
    written: sorted.length,
    seconds: took,
    rate: sorted.length / took,
    latency: {
      p50: percentile(sorted, 0.5),
      p90: percentile(sorted, 0.9),
      p99: percentile(sorted, 0.99),
      max: percentile(sorted, 1)
    },
    failed: Object.fromEntries(failed),
    clientCpu: (user + system) / 1e6 / took
  }
  return measured
})
