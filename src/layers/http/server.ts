/** The node's own HTTP server: the API and the pages. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Draining from "./draining.ts"
import * as Lateness from "./lateness.ts"
import * as Listener from "./listener.ts"
import { layerPages } from "./pages.ts"
import { layerCors, layerCounted, layerNotFound, layerRoutes, type RoutesOptions } from "./routes.ts"

/** A whole request must have come by then, so that slow senders do not pile up. */
const requestMsMax = 15_000
/** Requests under way get this long to finish at shutdown. */
const shutdownMsMax = 5_000

export interface ServerOptions extends RoutesOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** Serves the API and the pages on `host:port`; `HttpServer` tells where it listens. */
export const layer = (options: ServerOptions) =>
  Layer.unwrap(Effect.sync(() => {
    const server = new Listener.FirstServer({
      requestTimeout: requestMsMax,
      headersTimeout: requestMsMax,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 65_000
    })
    const app = Listener.layer(server).pipe(Layer.provideMerge(layerRoutes(options)))
    return HttpRouter.serve(
      Layer.mergeAll(app, layerPages, Lateness.layer, layerNotFound, layerCors, layerCounted),
      { disableLogger: true, disableListenLog: true }
    ).pipe(
      Draining.layer,
      Layer.provideMerge(NodeHttpServer.layer(() => server, {
        host: options.host,
        port: options.port,
        gracefulShutdownTimeout: shutdownMsMax
      }))
    )
  }))
