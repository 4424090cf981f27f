/** Nodes on loopback for tests: each with a scope of its own, so that it can be stopped and started again. */
import { assert } from "@effect/vitest"
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys"
import { Context, Effect, Exit, Layer, Logger, References, Scope } from "effect"
import type { NodeId } from "../../src/domain/ids.ts"
import * as Hashing from "../../src/layers/crypto/hashing.ts"
import type { ConnectionLimits } from "../../src/layers/network/bounds.ts"
import * as Libp2p from "../../src/layers/network/libp2p.ts"
import { NetworkReady } from "../../src/layers/network/ready.ts"
import { layerOf } from "../../src/layers/node/node-key.ts"
import { Network } from "../../src/services/Network.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"

/** Short pauses, so that tests are. */
export const quick: Partial<ConnectionLimits> = {
  redialMs: 100,
  redialBootstrapMsMax: 800,
  redialMsMax: 1_000,
  inboundPerSecondMax: 200
}

export interface TestNode {
  readonly id: NodeId
  readonly network: Network["Service"]
  readonly ready: NetworkReady["Service"]
  readonly stop: Effect.Effect<void>
}

export interface Settings extends Partial<Libp2p.NetworkOptions> {
  /** From 0 to 255: makes the node's key. */
  readonly seed: number
}

export const keyOf = (seed: number) =>
  Effect.promise(() => generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed)))

/** Lines of the log, for tests that look for one. */
const silent = (lines: Array<string> = []) =>
  Layer.merge(
    Logger.layer([Logger.make(({ message }) => {
      lines.push(String(message))
    })]),
    Layer.succeed(References.MinimumLogLevel, "Info")
  )

/** Builds a node that may not have started yet. */
export const build = Effect.fn(function*({ seed, ...options }: Settings, lines?: Array<string>) {
  const outer = yield* Effect.scope
  const scope = yield* Scope.fork(outer)
  const key = layerOf(keyOf(seed))
  const context = yield* Layer.buildWithScope(
    Layer.fresh(Libp2p.layer({
      listen: ["/ip4/127.0.0.1/tcp/0"],
      bootstrap: [],
      mdns: false,
      network: "",
      ...options,
      limits: { ...quick, ...options.limits }
    })).pipe(Layer.provideMerge(key), Layer.provide(Hashing.layer), Layer.provideMerge(silent(lines))),
    scope
  )
  const node: TestNode = {
    id: Context.get(context, NodeKey).id,
    network: Context.get(context, Network),
    ready: Context.get(context, NetworkReady),
    stop: Scope.close(scope, Exit.void)
  }
  return node
})

/** Builds a node and waits until it listens. */
export const start = Effect.fn(function*(settings: Settings, lines?: Array<string>) {
  const node = yield* build(settings, lines)
  yield* node.ready.ready
  return node
})

/** Waits until something holds; fails with its name when it does not for so long. */
export const eventually = (
  what: string,
  holds: () => boolean,
  ms = 10_000
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const end = Date.now() + ms
    while (!holds()) {
      if (Date.now() > end) assert.fail(`this did not happen within ${ms} ms: ${what}`)
      yield* Effect.sleep(20)
    }
  })

export const isConnected = (from: TestNode, to: TestNode, gossips = true): boolean =>
  from.network.peers().some((peer) => peer.id === to.id && (peer.gossips || !gossips))

/** Waits until two nodes have each other as peers that gossip. */
export const joined = (a: TestNode, b: TestNode, ms?: number): Effect.Effect<void> =>
  eventually(`${a.id} and ${b.id} are joined`, () => isConnected(a, b) && isConnected(b, a), ms)

/** Nodes that are all connected with each other. */
export const mesh = Effect.fn(function*(count: number) {
  const nodes: Array<TestNode> = []
  for (let i = 0; i < count; i++) {
    const bootstrap = nodes.flatMap(({ network }) => network.addresses())
    nodes.push(yield* start({ seed: i + 1, bootstrap }))
  }
  for (const a of nodes) for (const b of nodes) if (a !== b) yield* joined(a, b)
  return nodes
})

/** What a node hears; it judges by `verdict`. */
export const listen = Effect.fn(function*(
  { network }: Pick<TestNode, "network">,
  verdict: (payload: Uint8Array) => "accept" | "ignore" | "reject" = () => "accept"
) {
  const heard: Array<{ readonly text: string; readonly from: NodeId }> = []
  yield* network.judge((payload, from) =>
    Effect.sync(() => {
      heard.push({ text: new TextDecoder().decode(payload.subarray(0, 100)), from })
      return verdict(payload)
    })
  )
  return heard
})

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
