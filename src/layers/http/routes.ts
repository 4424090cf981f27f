/**
 * Everything that a node serves, as layers: {@link layerRoutes} for any app's router, and what a server of its own adds
 * around it.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { NodeApi } from "../../api/NodeApi.ts"
import * as Metrics from "../node/metrics.ts"
import { version } from "../version.ts"
import * as Authentication from "./authentication.ts"
import * as Conversations from "./conversations.ts"
import * as Cors from "./cors.ts"
import * as Direct from "./direct.ts"
import * as InFlight from "./in-flight.ts"
import * as Node from "./node.ts"
import * as RequestErrors from "./request-errors.ts"
import * as Users from "./users.ts"

export type RoutesOptions = Node.NodeOptions

/** The methods that a router takes routes for. */
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"] as const

/** An error of no endpoint, in the form of all others. */
const refusal = (status: number, body: { readonly _tag: string; readonly [key: string]: unknown }) =>
  HttpServerResponse.jsonUnsafe(body, { status })

/** The methods of each path, with one name for all parameters. */
const allowedByPath: ReadonlyMap<string, ReadonlyArray<string>> = (() => {
  const found = new Map<string, Array<string>>([["/openapi.json", ["GET"]], ["/docs", ["GET"]]])
  const groups = Object.values(NodeApi.groups as { readonly [name: string]: unknown }) as ReadonlyArray<
    HttpApiGroup.Top
  >
  for (const group of groups) {
    for (const endpoint of Object.values(group.endpoints) as ReadonlyArray<HttpApiEndpoint.Top>) {
      // one route for all names that a parameter has at this place
      const path = endpoint.path.replaceAll(/:[a-z_]+/g, ":any")
      found.set(path, [...(found.get(path) ?? []), endpoint.method])
    }
  }
  // "…/messages/read" comes before "…/messages/:any", which it matches too
  const byParameters = [...found].sort(([a], [b]) => a.split(":").length - b.split(":").length)
  // the router answers HEAD where there is GET
  const withHead = (allowed: ReadonlyArray<string>) =>
    allowed.flatMap((each) => each === "GET" ? [each, "HEAD"] : [each])
  return new Map(byParameters.map(([path, allowed]) => [path, [...new Set(withHead(allowed))]]))
})()

/** The methods at `path`, or nothing where the API has no such path. */
const allowedAt = (path: string): ReadonlyArray<string> | undefined => {
  const parts = path.split("/")
  for (const [pattern, allowed] of allowedByPath) {
    const names = pattern.split("/")
    if (names.length === parts.length && names.every((name, i) => name === ":any" || name === parts[i])) return allowed
  }
  return undefined
}

const methodNotAllowed = (allowed: ReadonlyArray<string>) =>
  refusal(405, {
    _tag: "InvalidRequest",
    message: `this path takes ${allowed.join(", ")} only`,
    field: "method",
    allowed
  }).pipe(HttpServerResponse.setHeader("allow", allowed.join(", ")))

/** Answers 405 on every path of the API for the methods that it does not have there. */
const layerOtherMethods = HttpRouter.use(Effect.fnUntraced(function*(router) {
  for (const [path, allowed] of allowedByPath) {
    const answer = methodNotAllowed(allowed)
    for (const method of methods) {
      if (!allowed.includes(method)) yield* router.add(method, path as HttpRouter.PathInput, answer)
    }
  }
}))

/**
 * The reference page carries its script, which knows hosts for fonts, a proxy and more: a browser is told to ask none but
 * this node.
 */
const layerOwnHostOnly = HttpRouter.middleware(
  Effect.map(HttpServerResponse.setHeader(
    "content-security-policy",
    [
      "default-src 'none'",
      "script-src 'unsafe-inline' 'unsafe-eval'",
      "style-src 'unsafe-inline'",
      "img-src 'self' data: blob:",
      "font-src 'self' data:",
      "worker-src 'self' blob:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'"
    ].join("; ")
  ))
).layer

/** What the document and the reference page show beside the schema. */
const described = NodeApi.annotate(OpenApi.Version, version)

/** The API's endpoints, behind `around`. */
const layerEndpoints = <A, E, R>(options: RoutesOptions, around: Layer.Layer<A, E, R>) =>
  HttpApiBuilder.layer(described, { openapiPath: "/openapi.json" }).pipe(
    Layer.provide([
      Conversations.layerDialogs,
      Conversations.layerGroups,
      Users.layer,
      Node.layer(options)
    ]),
    Layer.provide([Authentication.layer(options.limits), RequestErrors.layer, around])
  )

/** The API without its short way: slower, and the measure of what that answers. */
export const layerBySchema = (options: RoutesOptions) =>
  Layer.merge(layerEndpoints(options, Layer.empty), layerOtherMethods).pipe(
    Layer.provideMerge(InFlight.layer(options.limits))
  )

/** The API itself, without its documentation. Building it waits for nothing but what it is given. */
export const layerApi = (options: RoutesOptions) =>
  Layer.merge(layerEndpoints(options, Direct.layerMiddleware(options.limits)), layerOtherMethods).pipe(
    Layer.provideMerge(Direct.layer(options.limits)),
    Layer.provideMerge(InFlight.layer(options.limits))
  )

/** The API with its documentation, whose script is loaded when this is built: mount it in any `HttpRouter`. */
export const layerRoutes = (options: RoutesOptions) =>
  Layer.merge(
    layerApi(options),
    HttpApiScalar.layer(described, { path: "/docs", scalar: { withDefaultFonts: false, hideTestRequestButton: true } })
      .pipe(
        Layer.provide(layerOwnHostOnly)
      )
  )

/** What a request gets that has no route: 405 where the API has the path, else 404. */
const noRoute = Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
  const target = Conversations.originForm(request.originalUrl)
  const allowed = allowedAt(target.replace(/[?#].*$/s, ""))
  if (allowed !== undefined && !allowed.includes(request.method)) return methodNotAllowed(allowed)
  return refusal(404, {
    _tag: "NotFound",
    message: `no such path: ${request.method} ${target.slice(0, 200)}; see /docs`
  })
})

const isRouteNotFound = (error: unknown): boolean =>
  error instanceof HttpServerError.HttpServerError && error.reason._tag === "RouteNotFound"

/** Answers what reaches no route. Only for a server that serves nothing else. */
export const layerNotFound = HttpRouter.middleware(
  (httpEffect: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>) =>
    Effect.catchIf(httpEffect, isRouteNotFound, () => noRoute),
  { global: true }
)

/** Any page of any origin may ask: signatures authenticate, not cookies. */
export const layerCors = Cors.layer

/** Counts answers by status, and logs what should never happen. */
export const layerCounted = HttpRouter.middleware(
  Effect.map(
    Metrics.make,
    (metrics) => (httpEffect: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>) =>
      Effect.suspend(() => {
        const begunMs = performance.now()
        return httpEffect.pipe(
          Effect.tap((response) => Effect.sync(() => metrics.answered(response.status, performance.now() - begunMs))),
          // a mistake of this program: the caller gets an empty 500, and the operator must learn why
          Effect.tapDefect((defect) => {
            metrics.answered(500, performance.now() - begunMs)
            return Effect.logError("a request failed by a defect", defect)
          })
        )
      })
  ),
  { global: true }
)
