/** Peers that mean harm: libp2p nodes of the test's own, that speak gossip and sync as they like. */
import { type GossipSub, gossipsub } from "@libp2p/gossipsub"
import { identify } from "@libp2p/identify"
import type { Connection, Stream } from "@libp2p/interface"
import { noise } from "@libp2p/noise"
import { ping } from "@libp2p/ping"
import { tcp } from "@libp2p/tcp"
import { yamux } from "@libp2p/yamux"
import { multiaddr } from "@multiformats/multiaddr"
import { createLibp2p } from "libp2p"
import { setTimeout as sleep } from "node:timers/promises"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { syncProtocol, topicOf } from "../../src/layers/network/options.ts"
import type { ClusterNode } from "./node.ts"

const dialMsMax = 20_000

export interface Hostile {
  readonly id: string
  readonly connection: Connection
  readonly gossip: GossipSub
  /** A stream of sync; fails when none is given. */
  readonly open: () => Promise<Stream>
  readonly connected: () => boolean
  readonly stop: () => Promise<void>
}

/** Joins a node, past its front. `serve`: what it does with streams that the node opens to it. */
export const join = async (node: ClusterNode, serve: (stream: Stream) => void = () => {}): Promise<Hostile> => {
  const libp2p = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      ping: ping(),
      gossip: gossipsub({
        globalSignaturePolicy: "StrictNoSign",
        allowPublishToZeroTopicPeers: true,
        floodPublish: true,
        msgIdFn: ({ data }) => noble.blake3(data),
        // nothing that it hears matters to it
        seenTTL: 1_000,
        maxOutboundBufferSize: 64 * 1024 * 1024
      })
    }
  })
  await libp2p.handle(syncProtocol, serve, { maxInboundStreams: 256 })
  const gossip = libp2p.services.gossip as GossipSub
  gossip.subscribe(topicOf(""))
  const connection = await libp2p.dial(multiaddr(node.ownAddress), { signal: AbortSignal.timeout(dialMsMax) })
  return {
    id: libp2p.peerId.toString(),
    connection,
    gossip,
    open: () =>
      connection.newStream(syncProtocol, { signal: AbortSignal.timeout(dialMsMax), maxOutboundStreams: 1_000 }),
    connected: () => connection.status === "open",
    stop: async () => {
      await Promise.race([Promise.resolve(libp2p.stop()).catch(() => {}), sleep(3_000)])
      for (const one of libp2p.getConnections()) one.abort(new Error("over"))
    }
  }
}

/** Waits until gossip has a stream to the node, so that what is published goes out. */
export const gossiping = async (hostile: Hostile): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    if (hostile.gossip.getSubscribers(topicOf("")).length > 0) return
    await sleep(100)
  }
  throw new Error("the node does not gossip with a new peer")
}

/** A frame as it should be: its length, then itself. */
export const framed = (bytes: Uint8Array, length = bytes.length): Uint8Array => {
  const out = new Uint8Array(4 + bytes.length)
  new DataView(out.buffer).setUint32(0, length)
  out.set(bytes, 4)
  return out
}

/** Whether the stream is over within some seconds. */
export const over = async (stream: Stream, seconds: number): Promise<boolean> => {
  const endMs = performance.now() + seconds * 1_000
  while (performance.now() < endMs) {
    if (stream.status !== "open" || stream.remoteWriteStatus === "closed") return true
    await sleep(50)
  }
  return false
}
