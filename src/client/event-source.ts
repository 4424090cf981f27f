/**
 * One stream of events from one node (SPEC §8, `src/api/events.ts`): opened by a signed call, bytes in, places and events
 * out.
 *
 * Rule: an event counts once the empty line behind it has come. What a cut leaves behind is no event, and its id was not
 * heard; so the place before it brings it again, whole.
 */
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type EventName, eventSchemas, eventsType, heartbeatMs } from "../api/events.ts"
import type { NodeId } from "../domain/ids.ts"
import { type CallOptions, read } from "./calls.ts"
import * as Chat from "./Chat.ts"
import type { Connection } from "./Connection.ts"
import { type ReadError, UnexpectedAnswer } from "./errors.ts"
import type { NodeEvent, ResetEvent } from "./values.ts"

/** Nothing came for longer than this: the stream is dead, whatever the socket says. */
const silentMsMax = 2.5 * heartbeatMs
/** An event of more characters than this is none: contents and control have 32 KiB each, and JSON may write a byte as six. */
const eventCharsMax = 1024 * 1024

/** A stream that was open is open no more. */
export class StreamLost extends Schema.TaggedError<StreamLost>()("StreamLost", {
  /** `ended` by the node, `cut` by the network, `silent` for too long, or `malformed`: not what a node of this version says. */
  reason: Schema.Literals(["ended", "cut", "silent", "malformed"]),
  message: Schema.String
}) {}

/** What a node told: how far its stream has come, and the event that brought it there if it was one for this user. */
export interface Told {
  /** Absent before the first `id:`. */
  readonly id: string | undefined
  readonly event?: NodeEvent | ResetEvent
}

const malformed = (message: string): StreamLost => new StreamLost({ reason: "malformed", message })

const reader = <A>(schema: Schema.Decoder<A>) => {
  const read = Schema.decodeUnknownResult(Schema.fromJsonString(schema))
  return ({ data, event }: Sse.Event): Result.Result<A, StreamLost> =>
    Result.mapError(read(data), (problem) => malformed(`event ${event}: ${problem.message.split("\n")[0]}`))
}

const readers = {
  message: reader(eventSchemas.message),
  membership: reader(eventSchemas.membership),
  read: reader(eventSchemas.read),
  identity: reader(eventSchemas.identity),
  reset: reader(eventSchemas.reset)
} satisfies Record<EventName, unknown>

/** An event of a name that a later version may add moves the place and is nothing else. */
const decode = (told: Sse.Event): Result.Result<Told, StreamLost> => {
  const { data, event: name, id } = told
  const at = id === undefined ? {} : { eventId: id }
  if (data === "") return Result.succeed({ id })
  switch (name) {
    case "message":
      return Result.flatMap(readers.message(told), ({ kind, message, peer }) => {
        const chat = Chat.told(message.chat_id, kind, peer)
        return chat === undefined
          ? Result.fail(malformed("event message: it is direct and names no peer"))
          : Result.succeed({ id, event: { type: "message", chat, message, ...at } })
      })
    case "membership":
      return Result.map(readers.membership(told), (op) => ({ id, event: { type: "membership", ...op, ...at } }))
    case "read":
      return Result.map(readers.read(told), (mark) => ({ id, event: { type: "read", ...mark, ...at } }))
    case "identity":
      return Result.map(readers.identity(told), (identity) => ({ id, event: { type: "identity", ...identity, ...at } }))
    case "reset":
      return Result.map(readers.reset(told), () => ({ id, event: { type: "reset" } }))
    default:
      return Result.succeed({ id })
  }
}

/**
 * Text in pieces to events. The parser tells of no id that stands alone, unless its event has a name; so a name is put
 * before each event, and one that has its own replaces it.
 */
const makeParser = () => {
  const name = "event: place\n"
  let events: Array<Sse.Event> = []
  /** A line feed at the end of a piece: whether an event ends there, the next piece tells. */
  let held = ""
  const parser = Sse.makeParser(
    (event) => {
      if (event._tag === "Event") events.push(event)
    },
    { maxEventSize: eventCharsMax, dispatchEmptyNamedEvents: true }
  )
  parser.feed(name)
  return (piece: string): Stream.Stream<Told, StreamLost> => {
    const text = held + piece
    held = text.endsWith("\n") && !text.endsWith("\n\n") ? "\n" : ""
    events = []
    const problem = parser.feed(text.slice(0, text.length - held.length).replaceAll("\n\n", `\n\n${name}`))
    const told = Stream.mapEffect(Stream.fromIterable(events), (event) => Effect.fromResult(decode(event)))
    return problem === undefined ? told : Stream.concat(told, Stream.fail(malformed(problem.message)))
  }
}

/** Reads a stream to its loss, which always comes. */
const parse = <E>(bytes: Stream.Stream<Uint8Array, E>): Stream.Stream<Told, StreamLost> =>
  Stream.suspend(() =>
    bytes.pipe(
      Stream.mapError(() => new StreamLost({ reason: "cut", message: "the connection was cut" })),
      Stream.timeoutOrElse({
        duration: silentMsMax,
        orElse: () =>
          Stream.fail(new StreamLost({ reason: "silent", message: `nothing came for ${silentMsMax / 1000} s` }))
      }),
      Stream.decodeText,
      Stream.flatMap(makeParser()),
      Stream.concat(Stream.fail(new StreamLost({ reason: "ended", message: "the node ended the stream" })))
    )
  )

/** A node, and how it is called. */
export interface EventNode {
  readonly connection: Connection
  readonly options: CallOptions
}

interface Opened {
  readonly nodeId: NodeId
  readonly told: Stream.Stream<Told, StreamLost>
}

/**
 * Opens a stream, by one signed call: where the signature is at fault it is mended as for any other (`calls.ts`), all else
 * is left to the caller. It closes with the scope. `resumeAt` gives the last id to go on from, if there is one of this node.
 */
export const open = Effect.fnUntraced(function*(
  { connection, options }: EventNode,
  resumeAt: (node: NodeId) => string | undefined
): Effect.fn.Return<Opened, ReadError, Scope.Scope> {
  const scope = yield* Effect.scope
  // whom the call is for may change from one attempt to the next
  const run = Effect.flatMap(connection.nodeId, (node) => {
    const id = resumeAt(node)
    return connection.events({
      headers: id === undefined ? {} : { "last-event-id": id },
      responseMode: "decoded-and-response"
    })
  })
  const [bytes, response] = yield* read(
    connection,
    { ...options, busyRetriesMax: 0, lostRetriesMax: 0 },
    Effect.provideService(run, Scope.Scope, scope)
  )
  const type = response.headers["content-type"] ?? ""
  if (!type.startsWith(eventsType)) {
    const message = `${connection.url} answers ${type === "" ? "without a type" : `with ${type}`}, not with events`
    return yield* new UnexpectedAnswer({ status: response.status, message })
  }
  return { nodeId: yield* connection.nodeId, told: parse(bytes) }
})
