/**
 * The node's server on `node:http`, which takes regular requests the short way (`direct.ts`) without the machinery that any
 * request needs. All others go to whoever listens, with their bodies unread.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { ClientAbort } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import { type IncomingMessage, Server, type ServerResponse } from "node:http"
import * as Metrics from "../node/metrics.ts"
import { type Answer, contentType, headersOf } from "./answers.ts"
import type { Headers } from "./authentication.ts"
import * as Cors from "./cors.ts"
import { afterCheck, Direct, type Opened } from "./direct.ts"
import { InFlight } from "./in-flight.ts"

/** Takes a request, or calls `otherwise`, once. */
type First = (request: IncomingMessage, response: ServerResponse, otherwise: () => void) => void

/** How often connections are looked for that have nothing to do, while the server closes. */
const sweepMs = 50

/** Shows requests to one listener before all others. */
export class FirstServer extends Server {
  first: First | undefined

  /** A connection that is kept alive would keep the server from closing once its last answer is out. */
  override close(callback?: (error?: Error) => void): this {
    const sweep = setInterval(() => this.closeIdleConnections(), sweepMs)
    this.once("close", () => clearInterval(sweep))
    return super.close(callback)
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as the base class has it
  override emit(event: string | symbol, ...args: Array<any>): boolean {
    if (event !== "request" || this.first === undefined) return super.emit(event, ...args)
    this.first(args[0], args[1], () => super.emit(event, ...args))
    return true
  }
}

const corsHeaders = Object.entries(Cors.headers).flat()

const write = (response: ServerResponse, answer: Answer): void => {
  if (response.destroyed) return
  const more = headersOf(answer)
  const length = String(Buffer.byteLength(answer.body))
  const own = ["content-type", contentType, "content-length", length, ...corsHeaders]
  response.writeHead(answer.status, more === undefined ? own : [...Object.entries(more).flat(), ...own])
  // text goes out in one piece with the headers
  response.end(answer.body)
}

/** Lets `server` answer regular requests itself for as long as this layer lives. */
export const layer = (server: FirstServer) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const direct = yield* Direct
    const inFlight = yield* InFlight
    const metrics = yield* Metrics.make
    const scope = yield* Effect.scope
    const fork = Effect.runForkWith(yield* Effect.context<never>())

    const end = (response: ServerResponse, exit: Exit.Exit<Answer>, begunMs: number): void => {
      inFlight.leave()
      const tookMs = performance.now() - begunMs
      if (Exit.isSuccess(exit)) {
        metrics.answered(exit.value.status, tookMs)
        return write(response, exit.value)
      }
      const isDefect = !Cause.hasInterruptsOnly(exit.cause)
      if (isDefect) {
        // a mistake of this program: the caller gets an empty 500, and the operator must learn why
        metrics.answered(500, tookMs)
        fork(Effect.logError("a request failed by a defect", exit.cause))
      }
      if (!response.destroyed) response.writeHead(isDefect ? 500 : 503, ["content-length", "0", ...corsHeaders]).end()
    }

    const run = (response: ServerResponse, answer: Effect.Effect<Answer>): void => {
      const begunMs = performance.now()
      const fiber = Fiber.runIn(fork(answer), scope)
      fiber.addObserver((exit) => end(response, exit, begunMs))
      if (fiber.pollUnsafe() !== undefined) return
      response.on("close", () => {
        if (!response.writableEnded) fiber.interruptUnsafe(undefined, ClientAbort.annotation)
      })
    }

    const withoutBody = (opened: Opened, request: IncomingMessage, response: ServerResponse): void =>
      run(response, afterCheck(opened, opened.answer(request.url!, undefined)!))

    /** Small bodies come with their head: once it is the turn of this they are here, and reading them waits for nothing. */
    const withBody = (
      opened: Opened,
      request: IncomingMessage,
      response: ServerResponse,
      otherwise: () => void
    ): void => {
      const body = request.complete && request.readableLength === opened.bodyBytes
        ? request.read() as Uint8Array | null
        : null
      const answer = body === null ? undefined : opened.answer(request.url!, body)
      if (answer !== undefined) return run(response, afterCheck(opened, answer))
      if (body !== null) request.unshift(body)
      inFlight.leave()
      otherwise()
    }

    server.first = (request, response, otherwise) => {
      const opened = direct.open(request.method!, request.url!, request.headers as Headers)
      if (opened === undefined || !inFlight.enter()) return otherwise()
      if (opened.bodyBytes === 0) return withoutBody(opened, request, response)
      setImmediate(withBody, opened, request, response, otherwise)
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.first = undefined
      })
    )
  }))
