/**
 * The whole node on one screen: what is built from what.
 *
 *     http → authenticator, ingest, views, events ─→ acceptor → groups → writer → trees → store → file
 *     peers ↔ network ↔ gossip, sync → intake ↗            collector ──────────────↗
 *                     └ verifier, node key, hybrid clock, peer clocks, hashing, entropy
 */
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { defaultIngestLimits, type IngestLimits } from "../domain/limits.ts"
import { NetworkId } from "../services/NetworkId.ts"
import * as Hashing from "./crypto/hashing.ts"
import * as Verifier from "./crypto/verifier.ts"
import * as Routes from "./http/routes.ts"
import * as Server from "./http/server.ts"
import * as Drops from "./network/drops.ts"
import * as Libp2p from "./network/libp2p.ts"
import * as Offline from "./network/offline.ts"
import type { NetworkOptions } from "./network/options.ts"
import * as Acceptor from "./node/acceptor.ts"
import * as Authenticator from "./node/authenticator.ts"
import * as Collector from "./node/collector.ts"
import * as Entropy from "./node/entropy.ts"
import * as Events from "./node/events.ts"
import * as Gaps from "./node/gaps.ts"
import * as Gossip from "./node/gossip.ts"
import * as Groups from "./node/groups.ts"
import * as HybridClock from "./node/hybrid-clock.ts"
import * as Ingest from "./node/ingest.ts"
import * as Intake from "./node/intake.ts"
import * as NodeKey from "./node/node-key.ts"
import * as PeerClocks from "./node/peer-clocks.ts"
import * as Trees from "./node/trees.ts"
import * as Views from "./node/views.ts"
import * as Writer from "./node/writer.ts"
import { layerSqlite } from "./store/sqlite.ts"
import * as Sync from "./sync/sync.ts"

export interface ServicesOptions {
  /** Holds the database and the node's key; made when missing. */
  readonly dataDir: string
  /** Name of the network; "" is the common one. */
  readonly network?: string | undefined
  /** 32 bytes: the pre-shared key of a private network. What is stored is filed under it, whether or not there are peers. */
  readonly networkKey?: Uint8Array | undefined
  /** How it meets other nodes; absent: it is alone. */
  readonly p2p?: Omit<NetworkOptions, "network" | "networkKey" | "dataDir"> | undefined
  /** What the node refuses for its own sake; absent ones have their defaults. */
  readonly limits?: Partial<IngestLimits> | undefined
}

export interface NodeOptions extends ServicesOptions {
  readonly http: {
    readonly host: string
    /** 0: any free port. */
    readonly port: number
  }
}

const limitsOf = (options: ServicesOptions): IngestLimits => ({ ...defaultIngestLimits, ...options.limits })

/**
 * What a node does, over whatever `Store`, `NodeKey`, `Network` and `Entropy` are: the simulator, tests and embedding apps
 * bring their own.
 */
export const layerCore = (limits: IngestLimits = defaultIngestLimits) =>
  Layer.mergeAll(
    Authenticator.layer(limits),
    Ingest.layer(limits),
    Views.layer,
    Events.layer(limits),
    Sync.layer,
    Collector.layer
  ).pipe(
    Layer.provideMerge(Gossip.layer),
    Layer.provideMerge(Intake.layer),
    Layer.provideMerge(Acceptor.layer),
    Layer.provideMerge(Groups.layer),
    Layer.provideMerge(Writer.layer(limits)),
    Layer.provideMerge(Trees.layer),
    Layer.provideMerge(Layer.mergeAll(HybridClock.layer, PeerClocks.layer, Gaps.layer))
  )

/** What {@link layerCore} needs of a network, for a node that is alone. */
export const layerAlone = Layer.mergeAll(Offline.layer, Layer.succeed(NetworkId, { name: "" }), Entropy.layer)

/** Libp2p, or no network at all. */
const layerNetwork = ({ dataDir, network = "", networkKey, p2p }: ServicesOptions) =>
  Layer.merge(
    p2p === undefined ? Offline.layer : Libp2p.layer({ ...p2p, network, networkKey, dataDir }),
    Layer.succeed(NetworkId, { name: network, key: networkKey })
  )

/** The services of a node on its files, without HTTP. */
export const layerServices = (options: ServicesOptions) =>
  Drops.layer.pipe(
    Layer.provideMerge(layerCore(limitsOf(options))),
    Layer.provideMerge(layerNetwork(options)),
    // what needs nothing and starts threads: all at once
    Layer.provideMerge(Layer.mergeAll(
      layerSqlite({ directory: options.dataDir, leafKey: options.networkKey }),
      NodeKey.layer(join(options.dataDir, "node.key")),
      Verifier.layer(),
      Hashing.layer,
      Entropy.layer
    ))
  )

const routesOf = (options: Omit<NodeOptions, "http">) => ({
  network: options.network ?? "",
  limits: limitsOf(options),
  seeksPeers: options.p2p !== undefined && (options.p2p.bootstrap.length > 0 || options.p2p.mdns)
})

/** The API's routes over {@link layerServices}, for an `HttpRouter` of any app. */
export const layerRoutes = (options: Omit<NodeOptions, "http">) => Routes.layerRoutes(routesOf(options))

/** A node with its own HTTP server. */
export const layer = (options: NodeOptions) =>
  Server.layer({ ...options.http, ...routesOf(options) }).pipe(
    Layer.provideMerge(layerServices(options))
  )
