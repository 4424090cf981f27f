/**
 * The whole node on one screen: what is built from what.
 *
 *     http → authenticator, ingest, views → groups → writer → trees → store → file
 *                     └ verifier, node key, hybrid clock, hashing
 */
import { Layer } from "effect"
import { join } from "node:path"
import { defaultIngestLimits, type IngestLimits } from "../domain/limits.ts"
import * as Hashing from "./crypto/hashing.ts"
import * as Verifier from "./crypto/verifier.ts"
import * as Routes from "./http/routes.ts"
import * as Server from "./http/server.ts"
import * as Authenticator from "./node/authenticator.ts"
import * as Groups from "./node/groups.ts"
import * as HybridClock from "./node/hybrid-clock.ts"
import * as Ingest from "./node/ingest.ts"
import * as NodeKey from "./node/node-key.ts"
import * as Trees from "./node/trees.ts"
import * as Views from "./node/views.ts"
import * as Writer from "./node/writer.ts"
import { layerSqlite } from "./store/sqlite.ts"

export interface ServicesOptions {
  /** Holds the database and the node's key; made when missing. */
  readonly dataDir: string
  /** What the node refuses for its own sake; absent ones have their defaults. */
  readonly limits?: Partial<IngestLimits> | undefined
}

export interface NodeOptions extends ServicesOptions {
  readonly http: {
    readonly host: string
    /** 0: any free port. */
    readonly port: number
  }
  /** Name of the network; "" is the common one. */
  readonly network: string
}

const limitsOf = (options: ServicesOptions): IngestLimits => ({ ...defaultIngestLimits, ...options.limits })

/**
 * What a node does, over whatever `Store` and `NodeKey` are: the simulator, tests and embedding apps bring their own.
 */
export const layerCore = (limits: IngestLimits = defaultIngestLimits) =>
  Layer.mergeAll(Authenticator.layer(limits), Ingest.layer(limits), Views.layer).pipe(
    Layer.provideMerge(Groups.layer),
    Layer.provideMerge(Writer.layer(limits)),
    Layer.provideMerge(Trees.layer),
    Layer.provideMerge(HybridClock.layer)
  )

/** The services of a node on its files, without HTTP. */
export const layerServices = (options: ServicesOptions) =>
  layerCore(limitsOf(options)).pipe(
    Layer.provideMerge(layerSqlite({ directory: options.dataDir })),
    Layer.provideMerge(NodeKey.layer(join(options.dataDir, "node.key"))),
    Layer.provideMerge(Verifier.layer()),
    Layer.provideMerge(Hashing.layer)
  )

/** The API's routes over {@link layerServices}, for an `HttpRouter` of any app. */
export const layerRoutes = (options: Omit<NodeOptions, "http">) =>
  Routes.layerRoutes({ network: options.network, limits: limitsOf(options) })

/** A node with its own HTTP server. */
export const layer = (options: NodeOptions) =>
  Server.layer({ ...options.http, network: options.network, limits: limitsOf(options) }).pipe(
    Layer.provideMerge(layerServices(options))
  )
