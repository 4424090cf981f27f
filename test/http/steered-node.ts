/**
 * What tests of refusals need beside the fixture: one node for a whole file, a node whose clock and disk the test
 * steers, requests byte for byte, and one way to look at an error answer.
 */
import { afterAll, assert, beforeAll } from "@effect/vitest"
import { generateKeyPair, generateKeyPairFromSeed } from "@libp2p/crypto/keys"
import { Clock, Effect, Exit, Latch, Layer, Scope } from "effect"
import { HttpServer } from "effect/http"
import { connect } from "node:net"
import { defaultIngestLimits, type IngestLimits } from "../../src/domain/limits.ts"
import * as Hashing from "../../src/layers/crypto/hashing.ts"
import * as Verifier from "../../src/layers/crypto/verifier.ts"
import * as Server from "../../src/layers/http/server.ts"
import { layerAlone, layerCore } from "../../src/layers/node-live.ts"
import { fromPrivateKey } from "../../src/layers/node/node-key.ts"
import { layerMemory } from "../../src/layers/store/memory.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { Store } from "../../src/services/Store.ts"
import type { Answer, Running } from "./fixture.ts"

/** Limits at which one user may ask as fast as a test can. */
export const unhurried = { userRequestsBurst: 1_000_000, userRequestsPerSecond: 100_000 }

/** Builds once before the tests of a file, and closes after them. */
export const shared = <A, E>(build: Effect.Effect<A, E, Scope.Scope>): () => A => {
  const scope = Scope.makeUnsafe()
  let built: A | undefined
  beforeAll(async () => {
    built = await Effect.runPromise(Scope.provide(build, scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 60_000)
  return () => built!
}

/** Runs `body` with what `build` gives, for one test. */
export const using = <A, E>(
  build: Effect.Effect<A, E, Scope.Scope>,
  body: (built: A) => Promise<void>
): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(build, (built) => Effect.promise(() => body(built)))))

/** A wall clock that the test sets: standing at `atMs`, or running with the machine's. Sleeping takes real time. */
export class SteeredClock implements Clock.Clock {
  private readonly real: Clock.Clock
  atMs: number | undefined

  constructor(real: Clock.Clock, atMs: number | undefined) {
    this.real = real
    this.atMs = atMs
  }
  currentTimeMillisUnsafe(): number {
    return this.atMs ?? this.real.currentTimeMillisUnsafe()
  }
  get currentTimeMillis() {
    return Effect.sync(() => this.currentTimeMillisUnsafe())
  }
  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.currentTimeMillisUnsafe()) * 1_000_000n
  }
  get currentTimeNanos() {
    return Effect.sync(() => this.currentTimeNanosUnsafe())
  }
  monotonicTimeNanosUnsafe(): bigint {
    return this.real.monotonicTimeNanosUnsafe()
  }
  get monotonicTimeNanos() {
    return this.real.monotonicTimeNanos
  }
  sleep(duration: Parameters<Clock.Clock["sleep"]>[0]) {
    return this.real.sleep(duration)
  }
}

export interface Steered extends Running {
  readonly clock: SteeredClock
  /** From now on commits hang; reads go on. */
  readonly hold: () => void
  /** Commits go on. */
  readonly release: () => void
}

/** A node in memory. `atMs`: where its clock stands; absent: it runs. `holds`: what is held stays so at its end. */
export const steered = (
  options: {
    readonly limits?: Partial<IngestLimits>
    readonly atMs?: number
    readonly holds?: boolean
    /** Of the node's key; absent: any. */
    readonly seed?: Uint8Array
    /** How the API is served; absent: as a node does. */
    readonly serve?: typeof Server.layer
  } = {}
): Effect.Effect<Steered, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = new SteeredClock(yield* Clock.Clock, options.atMs)
    const gate = Latch.makeUnsafe(true)
    const limits = { ...defaultIngestLimits, ...unhurried, ...options.limits }
    const { seed, serve = Server.layer } = options
    const key = yield* Effect.promise(() =>
      seed === undefined ? generateKeyPair("Ed25519") : generateKeyPairFromSeed("Ed25519", seed)
    )
    const layerStore = Layer.effect(
      Store,
      Effect.map(Store, (store) =>
        Store.of({ ...store, commit: (batch, aged) => gate.whenOpen(store.commit(batch, aged)) }))
    ).pipe(Layer.provide(layerMemory))
    const graph = serve({ host: "127.0.0.1", port: 0, network: "", limits }).pipe(
      Layer.provideMerge(layerCore(limits)),
      Layer.provideMerge(Layer.merge(layerStore, layerAlone)),
      Layer.provideMerge(Layer.succeed(NodeKey, fromPrivateKey(key))),
      Layer.provideMerge(Layer.merge(Verifier.layer(), Hashing.layer))
    )
    const context = yield* Layer.build(graph).pipe(Effect.provideService(Clock.Clock, clock))
    // or the node's shutdown would wait for the held commit
    if (options.holds !== true)
      yield* Effect.addFinalizer(() =>
        gate.open
      )
    return yield* Effect.gen(function*() {
      const server = yield* HttpServer.HttpServer
      return {
        url: HttpServer.formatAddress(server.address),
        id: (yield* NodeKey).id,
        clock,
        hold: () => void gate.closeUnsafe(),
        release: () => void gate.openUnsafe()
      }
    }).pipe(Effect.provideContext(context))
  })

/** Sends bytes as they are, and gives all that came back until the node hung up or `waitMs` passed. */
export const raw = (node: Pick<Running, "url">, bytes: string | Uint8Array, options: { readonly end?: boolean } = {}) =>
  new Promise<string>((resolve, reject) => {
    const { hostname, port } = new URL(node.url)
    const chunks: Array<Buffer> = []
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(bytes)
      if (options.end === true) socket.end()
    })
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(chunks).toString("utf8"))
    }
    const timer = setTimeout(done, 10_000)
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk)
      // all requests here have one answer of a known length
      const text = Buffer.concat(chunks).toString("latin1")
      const length = /\r\ncontent-length: ([0-9]+)\r\n/i.exec(text)?.[1]
      const start = text.indexOf("\r\n\r\n")
      if (length !== undefined && start >= 0 && text.length >= start + 4 + Number(length)) done()
    })
    socket.on("end", done)
    socket.on("error", (error) => chunks.length > 0 ? done() : (clearTimeout(timer), reject(error)))
  })

/** The status and the JSON body of what {@link raw} gave. */
export const parseRaw = (text: string): Pick<Answer, "status" | "body"> => ({
  status: Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1]),
  body: JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4) || "null")
})

/** What a refusal must say besides its status. */
export interface Refusal {
  readonly _tag: string
  readonly reason?: string
  readonly field?: string
}

/** Asserts that an answer is this refusal, in the one form that all have. */
export const assertRefused = (
  answer: Pick<Answer, "status" | "body">,
  status: number,
  refusal: Refusal,
  of = ""
): void => {
  const shown = `${of} ${answer.status} ${JSON.stringify(answer.body)}`
  assert.strictEqual(answer.status, status, shown)
  assert.strictEqual(answer.body._tag, refusal._tag, shown)
  assert.strictEqual(answer.body.reason, refusal.reason, shown)
  assert.strictEqual(answer.body.field, refusal.field, shown)
  assert.isAbove(answer.body.message.length, 0, shown)
}

export const invalid = (field: string): Refusal => ({ _tag: "InvalidRequest", field })
export const unauthenticated = (reason: string, field?: string): Refusal => ({
  _tag: "Unauthenticated",
  reason,
  ...(field === undefined ? {} : { field })
})
export const forbidden: Refusal = { _tag: "Forbidden" }
export const notFound: Refusal = { _tag: "NotFound" }
export const conflict = (reason: string): Refusal => ({ _tag: "Conflict", reason })
export const overloaded = (reason: string): Refusal => ({ _tag: "Overloaded", reason })
