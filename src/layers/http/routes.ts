/**
 * Everything that a node serves, as layers: {@link layerRoutes} for any app's router, and what a server of its own adds
 * around it.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { type HttpApiEndpoint, HttpApiBuilder, type HttpApiGroup, HttpApiScalar } from "effect/http-api"
import { NodeApi } from "../../api/NodeApi.ts"
import type { IngestLimits } from "../../domain/limits.ts"
import * as Metrics from "../node/metrics.ts"
import * as Authentication from "./authentication.ts"
import * as Conversations from "./conversations.ts"
import * as Node from "./node.ts"
import * as RequestErrors from "./request-errors.ts"
import * as Users from "./users.ts"

export interface RoutesOptions {
  /** Shown by `GET /node`. */
  readonly network: string
  readonly limits: IngestLimits
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const

/** An error of no endpoint, in the form of all others. */
const refusal = (status: number, body: { readonly _tag: string; readonly [key: string]: unknown }) =>
  HttpServerResponse.jsonUnsafe(body, { status })

/** Answers 405 on every path of the API for the methods that it does not have there. */
const layerOtherMethods = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const allowedByPath = new Map<string, Array<string>>()
  const groups = Object.values(NodeApi.groups as { readonly [name: string]: unknown }) as ReadonlyArray<HttpApiGroup.Top>
  for (const group of groups) {
    for (const endpoint of Object.values(group.endpoints) as ReadonlyArray<HttpApiEndpoint.Top>) {
      // one route for all names that a parameter has at this place
      const path = endpoint.path.replaceAll(/:[a-z_]+/g, ":any")
      allowedByPath.set(path, [...(allowedByPath.get(path) ?? []), endpoint.method])
    }
  }
  // a message may not be called "read": that path is another resource
  allowedByPath.get("/dialogs/:any/messages/:any")?.push("POST")
  allowedByPath.get("/groups/:any/messages/:any")?.push("POST")
  for (const [path, allowed] of allowedByPath) {
    const answer = refusal(405, {
      _tag: "InvalidRequest",
      message: `this path takes ${[...new Set(allowed)].join(", ")} only`,
      field: "method",
      allowed: [...new Set(allowed)]
    }).pipe(HttpServerResponse.setHeader("allow", [...new Set(allowed)].join(", ")))
    for (const method of methods) {
      if (!allowed.includes(method)) yield* router.add(method, path as HttpRouter.PathInput, answer)
    }
  }
}))

/** The API with its documentation: mount it in any `HttpRouter`. */
export const layerRoutes = (options: RoutesOptions) =>
  Layer.mergeAll(
    HttpApiBuilder.layer(NodeApi, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide([
        Conversations.layerDialogs,
        Conversations.layerGroups,
        Users.layer,
        Node.layer(options)
      ]),
      Layer.provide([Authentication.layer(options.limits), RequestErrors.layer])
    ),
    HttpApiScalar.layer(NodeApi, { path: "/docs", scalar: { withDefaultFonts: false } }),
    layerOtherMethods
  )

/** Paths that a node does not have. Only for a server that serves nothing else. */
export const layerNotFound = HttpRouter.add(
  "*",
  "/*",
  Effect.map(HttpServerRequest.HttpServerRequest, (request) =>
    refusal(404, {
      _tag: "NotFound",
      message: `no such path: ${request.method} ${Conversations.originForm(request.originalUrl).slice(0, 200)}; see /docs`
    }))
)

/** Any page of any origin may ask: signatures authenticate, not cookies. */
export const layerCors = HttpRouter.cors({
  allowedOrigins: ["*"],
  allowedMethods: ["GET", "POST", "PUT", "DELETE", "OPTIONS"],
  allowedHeaders: ["content-type", "prefer", "x-user", "x-ts", "x-node", "x-sig", "x-sig-version", "last-event-id"],
  exposedHeaders: ["retry-after", "preference-applied"],
  maxAge: 86_400
})

/** Counts answers by status. */
export const layerCounted = HttpRouter.middleware(
  Effect.map(Metrics.make, (metrics) => (httpEffect: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>) =>
    Effect.tap(httpEffect, (response) => Effect.sync(() => metrics.answered(response.status)))),
  { global: true }
)
