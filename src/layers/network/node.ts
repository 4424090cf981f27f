/** The libp2p node: which parts it is made of, and how they are set. Loaded when it is needed, as this takes a while. */
import type { GossipSub } from "@libp2p/gossipsub"
import { gossipsub, StrictNoSign } from "@libp2p/gossipsub"
import { createTopicScoreParams } from "@libp2p/gossipsub/score"
import { identify, identifyPush } from "@libp2p/identify"
import type { ComponentLogger, ConnectionGater, Libp2p, PrivateKey, Stream, Topology } from "@libp2p/interface"
import { type KadDHT, kadDHT, type KadDHTComponents, passthroughMapper } from "@libp2p/kad-dht"
import { mdns } from "@libp2p/mdns"
import { noise } from "@libp2p/noise"
import { ping } from "@libp2p/ping"
import { preSharedKey } from "@libp2p/pnet"
import { tcp } from "@libp2p/tcp"
import { yamux } from "@libp2p/yamux"
import { createLibp2p } from "libp2p"
import type { Hashes } from "../../domain/hashing.ts"
import type { Verdict } from "../../services/Network.ts"
import { version } from "../version.ts"
import * as Bounds from "./bounds.ts"
import { DhtRecords } from "./dht-records.ts"
import { textOf } from "./network-key.ts"
import { dhtProtocolOf, mdnsServiceOf, type NetworkOptions, topicOf } from "./options.ts"
import { PeerFiles } from "./peer-files.ts"

/** What gossipsub can do beyond the interface that it tells of. */
export interface Router extends GossipSub {
  getScore(peer: string): number
  reportMessageValidationResult(message: string, from: string, verdict: Verdict): void
  /** By peer. One that was opened while the peer left stays here for ever, and hinders a new one. */
  readonly streamsOutbound: Map<string, { readonly rawStream: Stream }>
}

/** libp2p's list of who wants to know which peers come and go. */
interface Registrar {
  getTopologies(protocol: string): ReadonlyArray<Topology>
}

export interface Node {
  readonly libp2p: Libp2p
  readonly gossip: Router
  readonly dht: KadDHT
  readonly registrar: Registrar
}

export interface Parts {
  readonly options: NetworkOptions
  readonly limits: Bounds.ConnectionLimits
  readonly key: PrivateKey
  readonly hashes: Hashes
  readonly gater: ConnectionGater
  readonly logger: ComponentLogger
}

/** Ids of messages: BLAKE3 of the data (SPEC §7), computed once. */
const messageIds = ({ blake3 }: Hashes) => {
  const known = new WeakMap<Uint8Array, Uint8Array>()
  const idOf = (data: Uint8Array): Uint8Array => {
    let id = known.get(data)
    if (id === undefined) known.set(data, id = blake3(data))
    return id
  }
  // half of it is plenty for a name within one node, and a short string is cheap
  const nameOf = (id: Uint8Array): string => String.fromCharCode(...id.subarray(0, 16))
  return {
    msgIdFn: (message: { readonly data: Uint8Array }) => idOf(message.data),
    fastMsgIdFn: (message: { readonly data?: Uint8Array }) => nameOf(idOf(message.data ?? new Uint8Array())),
    msgIdToStrFn: nameOf
  }
}

/**
 * Scores: only what is surely wrong counts against a peer. Rejected messages count squared and are forgotten by half in a
 * minute: about nine of them and a peer is no longer listened to. Silence, and many peers at one address, are no fault.
 */
const scoring = (topic: string) => ({
  scoreParams: {
    IPColocationFactorWeight: 0,
    behaviourPenaltyThreshold: 6,
    behaviourPenaltyDecay: 0.9,
    retainScore: Bounds.scoreKeptMs,
    topics: {
      [topic]: createTopicScoreParams({
        topicWeight: 1,
        timeInMeshWeight: 0.01,
        timeInMeshQuantum: 1_000,
        timeInMeshCap: 300,
        firstMessageDeliveriesWeight: 0.05,
        firstMessageDeliveriesDecay: 0.9,
        firstMessageDeliveriesCap: 100,
        meshMessageDeliveriesWeight: 0,
        meshFailurePenaltyWeight: 0,
        invalidMessageDeliveriesWeight: -1,
        invalidMessageDeliveriesDecay: 0.99
      })
    }
  },
  scoreThresholds: {
    gossipThreshold: -10,
    publishThreshold: -50,
    graylistThreshold: Bounds.scoreMin,
    acceptPXThreshold: 10,
    opportunisticGraftThreshold: 1
  }
})

const gossipOf = (topic: string, hashes: Hashes) =>
  gossipsub({
    ...scoring(topic),
    ...messageIds(hashes),
    globalSignaturePolicy: StrictNoSign,
    allowedTopics: [topic],
    fallbackToFloodsub: false,
    // the mesh takes its time to form: what is published meanwhile would reach nobody
    floodPublish: true,
    batchPublish: true,
    asyncValidation: true,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    doPX: false,
    seenTTL: Bounds.gossipSeenMs,
    mcacheLength: Bounds.gossipHistorySeconds,
    mcacheGossip: Bounds.gossipToldSeconds,
    maxInboundDataLength: Bounds.gossipTransmissionBytesMax,
    maxOutboundBufferSize: Bounds.gossipWaitingBytesMax,
    // smaller ones cost less than the notice
    idontwantMinDataSize: 4_096,
    maxTopicBytesPerPeer: 8 * 1_024,
    // two connections may be open for a moment, each with its stream
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 5_000,
      maxIhaveMessageIDs: 5_000,
      maxIwantMessageIDs: 5_000,
      maxControlMessages: 64,
      maxIdontwantMessageIDs: 512,
      maxPeerInfos: 0
    }
  })

/** Makes a node that is not started. Throws on a bad multiaddr. */
export const make = async ({ options, limits, key, hashes, gater, logger }: Parts): Promise<Node> => {
  const topic = topicOf(options.network)
  const datastore = options.dataDir === undefined ? undefined : new PeerFiles(options.dataDir)
  await datastore?.open()
  const { networkKey } = options
  const libp2p = await createLibp2p({
    start: false,
    privateKey: key,
    logger,
    connectionGater: gater,
    nodeInfo: { name: "p2p-mes", version, userAgent: `p2p-mes/${version}` },
    addresses: {
      listen: [...options.listen],
      ...(options.announce === undefined || options.announce.length === 0 ? {} : { announce: [...options.announce] })
    },
    ...(datastore === undefined ? {} : { datastore }),
    peerStore: { maxAddressAge: Bounds.knownMsMax, maxPeerAge: Bounds.knownMsMax },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: Bounds.windowBytesMax } })],
    ...(networkKey === undefined
      ? {}
      : { connectionProtector: preSharedKey({ psk: new TextEncoder().encode(textOf(networkKey)), timeout: 5_000 }) }),
    connectionManager: {
      maxConnections: limits.connectionsMax,
      inboundConnectionThreshold: limits.inboundPerSecondMax,
      maxIncomingPendingConnections: limits.inboundPendingMax,
      maxParallelDials: 2 * Bounds.dialsMax,
      maxDialQueueLength: 256,
      dialTimeout: Bounds.dialMsMax,
      connectionCloseTimeout: 500,
      outboundStreamProtocolNegotiationTimeout: Bounds.openMsMax,
      inboundStreamProtocolNegotiationTimeout: Bounds.openMsMax
    },
    connectionMonitor: {
      pingInterval: limits.pingMs,
      pingTimeout: { minTimeout: limits.pingMsMax, maxTimeout: limits.pingMsMax }
    },
    peerDiscovery: options.mdns ? [mdns({ serviceTag: mdnsServiceOf(hashes, options.network), interval: 5_000 })] : [],
    services: {
      identify: identify({ maxMessageSize: 16 * 1_024 }),
      identifyPush: identifyPush({ maxMessageSize: 16 * 1_024 }),
      ping: ping({ maxInboundStreams: Bounds.pingsMax, maxOutboundStreams: Bounds.pingsMax }),
      gossip: gossipOf(topic, hashes),
      dht: (components: KadDHTComponents) =>
        kadDHT({
          protocol: dhtProtocolOf(options.network),
          clientMode: false,
          // networks live on LANs and loopback too
          peerInfoMapper: passthroughMapper,
          initialQuerySelfInterval: 1_000,
          querySelfInterval: 60_000
        })(Object.create(components, { datastore: { value: new DhtRecords() } })),
      registrar: (components: { readonly registrar: Registrar }) => components.registrar
    }
  })
  const { gossip, dht, registrar } = libp2p.services
  return { libp2p, gossip: gossip as Router, dht, registrar }
}
