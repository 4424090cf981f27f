/**
 * A node's HTTP API without sockets: requests go through the routes, middleware and handlers that a server mounts, in fibers
 * of the node itself, and so on the time of a simulation.
 *
 * Rule: a request is bytes and text that are here already, and so is its answer. Nothing waits for a promise, a stream or a
 * timer of the platform; only the page at /docs is missing, whose script is loaded by one.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashing } from "../../domain/hashing.ts"
import * as Draining from "../../layers/http/draining.ts"
import { layerApi, layerCors, layerCounted, layerNotFound, type RoutesOptions } from "../../layers/http/routes.ts"
import type { Authenticator } from "../../services/Authenticator.ts"
import type { Writer } from "../../services/Writer.ts"
import { DoorRequest, type HttpAnswer, type HttpAsk } from "./request.ts"

export type { HttpAnswer, HttpAsk } from "./request.ts"

/** Requests under way get this long to finish when the node stops, as at its server. */
const shutdownMsMax = 5_000
/** Bytes of an answer that comes in pieces: more is a defect. */
const answerBytesMax = 16 * 1024 * 1024

export class HttpDoor extends Context.Service<HttpDoor, {
  /**
   * Asks the node. Never ends when the node does not answer: after it was stopped or killed. Interrupting this is what a
   * server sees of a client that hangs up. A defect: the handler ended and answered nothing.
   */
  ask(request: HttpAsk): Effect.Effect<HttpAnswer>
}>()("p2p-mes/testing/HttpDoor") {}

const noBytes = new Uint8Array(0)

/** All bytes of an answer. */
const bytesOf = ({ body }: HttpServerResponse.HttpServerResponse): Effect.Effect<Uint8Array, unknown> => {
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(noBytes)
    case "Uint8Array":
      return Effect.succeed(body.body)
    case "Raw":
      if (typeof body.body === "string") return Effect.succeed(Bytes.fromText(body.body))
      return body.body instanceof Uint8Array
        ? Effect.succeed(body.body)
        : Effect.die(new Error("an answer is neither text nor bytes"))
    case "Stream":
      return Effect.interruptible(Stream.runFoldEffect(
        body.stream,
        (): Uint8Array => noBytes,
        (all, chunk: Uint8Array) =>
          all.length + chunk.length > answerBytesMax
            ? Effect.die(new Error(`an answer has more than ${answerBytesMax} bytes`))
            : Effect.succeed(Bytes.concat([all, chunk]))
      ))
    case "FormData":
      return Effect.die(new Error("an answer is a form"))
  }
}

const send = (request: HttpServerRequest.HttpServerRequest, response: HttpServerResponse.HttpServerResponse) =>
  Effect.map(request.method === "HEAD" ? Effect.succeed(noBytes) : bytesOf(response), (body) => {
    ;(request as DoorRequest).reply({ status: response.status, headers: { ...response.headers }, body })
  })

/** The door of the node whose services these are. */
export const layer = (options: RoutesOptions) =>
  Draining.layer(Layer.effect(
    HttpDoor,
    Effect.gen(function*() {
      // what the node's own server mounts, the page at /docs apart
      const routes = Layer.mergeAll(layerApi(options), layerNotFound, layerCors, layerCounted).pipe(
        Layer.provide(HttpServer.layerServices)
      )
      const handled = HttpEffect.toHandled(yield* HttpRouter.toHttpEffect(routes), send)
      const context = yield* Effect.context<Authenticator | Hashing | Writer>()
      const underWay = new Set<Fiber.Fiber<void>>()
      let isClosed = false
      let onDrained = () => {}

      yield* Effect.addFinalizer(() =>
        Effect.gen(function*() {
          isClosed = true
          if (underWay.size === 0) return
          yield* Effect.callback<void>((resume) => {
            onDrained = () => resume(Effect.void)
          }).pipe(Effect.timeoutOption(shutdownMsMax))
          for (const fiber of underWay) fiber.interruptUnsafe()
        })
      )

      return HttpDoor.of({
        ask: (asked) =>
          Effect.callback<HttpAnswer>((resume) => {
            if (isClosed) return
            let isAnswered = false
            const request = new DoorRequest(asked, (answer) => {
              isAnswered = true
              resume(Effect.succeed(answer))
            })
            const fiber = Effect.runForkWith(Context.add(context, HttpServerRequest.HttpServerRequest, request))(
              handled
            )
            underWay.add(fiber)
            let isLeft = false
            fiber.addObserver((exit) => {
              underWay.delete(fiber)
              if (underWay.size === 0) onDrained()
              if (!isAnswered && !isLeft) resume(Effect.die(new Error(`a request got no answer: ${String(exit)}`)))
            })
            return Effect.sync(() => {
              isLeft = true
              fiber.interruptUnsafe(undefined, HttpServerError.ClientAbort.annotation)
            })
          })
      })
    })
  ))
