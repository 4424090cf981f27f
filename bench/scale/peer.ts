/**
 * A process with nothing but the network layer of a node, for `scale-gossip.ts`: it publishes what it is given, and judges
 * what comes to be of no use, at once, so that nothing is passed on. What it spends is what gossip itself costs.
 */
import { Context, Effect, Layer } from "effect"
import { layer as layerHashing } from "../../src/layers/crypto/hashing.ts"
import * as Libp2p from "../../src/layers/network/libp2p.ts"
import { NetworkReady } from "../../src/layers/network/ready.ts"
import { Network } from "../../src/services/Network.ts"
import { layerKey } from "../../src/testing/node.ts"
import { pause } from "../nodes/processes.ts"

export type Order =
  | { readonly kind: "publish"; readonly payloads: ReadonlyArray<Uint8Array>; readonly perSecond: number }
  | { readonly kind: "ask" }

export type Answer =
  | { readonly kind: "up"; readonly address: string }
  | { readonly kind: "published" }
  /** Messages judged so far, and peers with which it gossips. */
  | { readonly kind: "standing"; readonly judged: number; readonly peers: number }

/** Pause of one who keeps a rate, and messages between two of them at most: what is late stays late, and does not come at once. */
const stepMs = 10
const atOnceMax = 24

const [seed = "1", ...bootstrap] = process.argv.slice(2)
const tell = (answer: Answer): void => void process.send!(answer)

const program = Effect.gen(function*() {
  const layer = Libp2p.layer({
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootstrap,
    mdns: false,
    network: "",
    limits: { connectionsWanted: 0 }
  }).pipe(Layer.provide(Layer.merge(layerKey(Number(seed)), layerHashing)))
  const built = yield* Layer.build(layer)
  const network = Context.get(built, Network)
  let judged = 0
  yield* network.judge(() => {
    judged++
    return Effect.succeed("ignore")
  })
  yield* Context.get(built, NetworkReady).ready
  const publish = async (payloads: ReadonlyArray<Uint8Array>, perSecond: number): Promise<void> => {
    const atOnce = Math.min(atOnceMax, Math.max(1, Math.round(perSecond * stepMs / 1_000)))
    for (let sent = 0; sent < payloads.length; await pause(Math.max(stepMs, atOnce * 1_000 / perSecond))) {
      const next = payloads.slice(sent, sent += atOnce)
      for (const payload of next) await Effect.runPromise(network.publish(payload))
    }
  }
  process.on("message", (order: Order) => {
    if (order.kind === "publish") {
      void publish(order.payloads, order.perSecond).then(() => tell({ kind: "published" }))
      return
    }
    tell({ kind: "standing", judged, peers: network.peers().filter(({ gossips }) => gossips).length })
  })
  tell({ kind: "up", address: network.addresses()[0]! })
  return yield* Effect.never
})

process.on("disconnect", () => process.exit())
await Effect.runPromise(Effect.scoped(program))
