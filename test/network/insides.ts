/** A running node with its libp2p node in reach, and strangers: libp2p nodes that are none of this project's. */
import { gossipsub } from "@libp2p/gossipsub"
import { identify } from "@libp2p/identify"
import { noise } from "@libp2p/noise"
import { tcp } from "@libp2p/tcp"
import { yamux } from "@libp2p/yamux"
import { multiaddr } from "@multiformats/multiaddr"
import { Effect } from "effect"
import { createLibp2p } from "libp2p"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { defaultConnectionLimits } from "../../src/layers/network/bounds.ts"
import * as Complaints from "../../src/layers/network/complaints.ts"
import * as Metrics from "../../src/layers/network/metrics.ts"
import type { Node } from "../../src/layers/network/node.ts"
import * as Running from "../../src/layers/network/running.ts"
import * as Shunned from "../../src/layers/network/shunned.ts"
import { keyOf, quick, type Settings } from "./nodes.ts"

/** Starts a node as the layer does, and gives what is inside. */
export const inside = Effect.fn(function*({ seed, ...options }: Settings) {
  const key = yield* keyOf(seed)
  let found: Node | undefined
  const shunned: Array<string> = []
  yield* Running.start({
    options: {
      listen: ["/ip4/127.0.0.1/tcp/0"],
      bootstrap: [],
      mdns: false,
      network: "",
      ...options,
      limits: { ...quick, ...options.limits }
    },
    key,
    hashes: noble,
    metrics: yield* Metrics.make,
    complaints: yield* Complaints.make,
    shunned: Shunned.make(),
    shun: (peer) => shunned.push(peer),
    attach: async () => {},
    onChange: () => {},
    onRunning: (node) => {
      found = node
    }
  })
  return { node: found!, shunned, limits: defaultConnectionLimits }
})

/** A libp2p node without anything of this project, but gossip if asked for. Listens on loopback. */
export const stranger = (gossip = false) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      createLibp2p({
        addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        services: {
          identify: identify(),
          ...(gossip
            ? { gossip: gossipsub({ globalSignaturePolicy: "StrictNoSign", allowPublishToZeroTopicPeers: true }) }
            : {})
        }
      })
    ),
    (libp2p) => Effect.promise(async () => libp2p.stop())
  )

export const address = (text: string) => multiaddr(text)
