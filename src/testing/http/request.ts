/**
 * A request whose bytes are here already, as the server side of HTTP sees it: reading it waits for nothing.
 */
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Multipart from "effect/http/Multipart"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** A request as it goes over the wire. */
export interface HttpAsk {
  readonly method: string
  /** Path and query in origin form. */
  readonly target: string
  /** Names in any case. A body that no header announces gets its `content-length`. */
  readonly headers?: { readonly [name: string]: string } | undefined
  readonly body?: Uint8Array | undefined
}

export interface HttpAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: { readonly [name: string]: string }
  readonly body: Uint8Array
}

const noBytes = new Uint8Array(0)

const headersOf = ({ body, headers }: HttpAsk): Headers.Headers => {
  const own = Headers.fromInput(headers)
  return body === undefined || "content-length" in own || "transfer-encoding" in own
    ? own
    : Headers.set(own, "content-length", String(body.length))
}

/** What changes when a middleware shows handlers another request. */
type Changes = Parameters<HttpServerRequest.HttpServerRequest["modify"]>[0]

export class DoorRequest extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: typeof HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly source: HttpAsk
  readonly method: string
  readonly url: string
  readonly originalUrl: string
  readonly headers: Headers.Headers
  readonly remoteAddress: Option.Option<string>
  readonly peerAddress: Option.Option<string>
  readonly protocol: "http" | "https" | undefined
  /** Takes the answer. */
  readonly reply: (answer: HttpAnswer) => void

  constructor(source: HttpAsk, reply: (answer: HttpAnswer) => void, changes: Changes = {}) {
    super()
    this.source = source
    this.reply = reply
    this.method = source.method
    this.originalUrl = source.target
    this.url = changes.url ?? source.target
    this.headers = changes.headers ?? headersOf(source)
    this.remoteAddress = changes.remoteAddress ?? Option.none()
    this.peerAddress = changes.peerAddress ?? Option.none()
    this.protocol = changes.protocol
  }

  #failure(cause: unknown, reason: "Parse" | "BodyTooLarge" = "Parse"): HttpServerError.HttpServerError {
    return new HttpServerError.HttpServerError({
      reason: new HttpServerError.RequestParseError({ request: this, reason, cause })
    })
  }

  get #bytes(): Effect.Effect<Uint8Array, HttpServerError.HttpServerError> {
    return Effect.flatMap(HttpIncomingMessage.MaxBodySize, (max) => {
      const { body = noBytes } = this.source
      return max !== undefined && body.length > Number(max)
        ? Effect.fail(this.#failure(new Error(`more than ${max} bytes`), "BodyTooLarge"))
        : Effect.succeed(body)
    })
  }

  get arrayBuffer() {
    return Effect.map(this.#bytes, (bytes) => bytes.slice().buffer as ArrayBuffer)
  }

  get text() {
    return Effect.map(this.#bytes, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, HttpServerError.HttpServerError> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: () => text === "" ? null : JSON.parse(text) as Schema.Json,
        catch: (cause) => this.#failure(cause)
      }))
  }

  get urlParamsBody() {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get stream() {
    return Stream.fromEffect(this.#bytes)
  }

  get cookies() {
    return Cookies.parseHeader(this.headers["cookie"] ?? "")
  }

  get multipart() {
    return Effect.fail(this.#noMultipart)
  }

  get multipartStream() {
    return Stream.fail(this.#noMultipart)
  }

  get #noMultipart(): Multipart.MultipartError {
    return Multipart.MultipartError.fromReason("Parse", new Error("no call takes forms"))
  }

  get upgrade() {
    return this.upgradeWith({})
  }

  upgradeWith(_: { readonly headers?: Headers.Input | undefined }) {
    return Effect.fail(this.#failure(new Error("there is no socket")))
  }

  modify(changes: Changes): DoorRequest {
    return new DoorRequest(this.source, this.reply, {
      url: this.url,
      headers: this.headers,
      remoteAddress: this.remoteAddress,
      peerAddress: this.peerAddress,
      ...(this.protocol === undefined ? {} : { protocol: this.protocol }),
      ...changes
    })
  }

  override toJSON(): unknown {
    return { _id: "DoorRequest", method: this.method, url: this.originalUrl }
  }
}
