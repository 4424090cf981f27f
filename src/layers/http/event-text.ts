/**
 * A stream of events as it goes over HTTP: server-sent events with the data of `api/events`. Text is made once an event,
 * however many streams it goes to.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import { type EventName, eventsType } from "../../api/events.ts"
import { messageJson } from "../../api/message-json.ts"
import * as Bytes from "../../domain/bytes.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { Address } from "../../domain/ids.ts"
import { type Op, opTypes, roles } from "../../domain/record.ts"
import type { Event, EventId, Told } from "../../services/Events.ts"

/**
 * A connection that takes nothing for so long is given up, ms, or for twice as long: Node takes the first look at a write
 * that waits for progress. It may have died without a word.
 */
const stuckMsMax = 60_000

const id = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,15})$/

/** What a client says it read last: nothing, a place, or something that is no id of any node. */
export const readId = (text: string | undefined): EventId | "unknown" | undefined => {
  if (text === undefined || text === "") return undefined
  const found = id.exec(text)
  return found === null ? "unknown" : { epoch: found[1]!, arrival: Number(found[2]) }
}

const opNames = ["create", "add", "remove", "set-title"] as const

const membershipOf = (op: Op) => ({
  chat_id: `0x${op.chatId}`,
  op_id: `0x${op.id}`,
  op: opNames[op.op],
  actor: `0x${op.actor}`,
  targets: op.targets.map((target) => `0x${target}`),
  ...(op.op === opTypes.add ? { role: op.role === roles.admin ? "admin" : "member" } : undefined),
  ...(op.title === undefined ? undefined : { title: op.title }),
  ts: op.ts,
  hlc: Hlc.toText(op.hlc)
})

const placeOf = (peer: Address | undefined) =>
  peer === undefined ? { kind: "group" } : { kind: "dm", peer: `0x${peer}` }

/** The data of an event: one line of JSON. */
const dataOf = (event: Event): string => {
  switch (event.type) {
    case "message":
      return `${JSON.stringify(placeOf(event.peer)).slice(0, -1)},"message":${messageJson(event.message)}}`
    case "membership":
      return JSON.stringify(membershipOf(event.op))
    case "read": {
      const { chatId, hlc, reader, ts, upTo } = event.read
      return JSON.stringify({
        ...placeOf(event.peer),
        chat_id: `0x${chatId}`,
        reader: `0x${reader}`,
        up_to: Hlc.toText(upTo),
        ts,
        hlc: Hlc.toText(hlc)
      })
    }
    case "identity": {
      const { address, blob, hlc } = event.identity
      return JSON.stringify({ address: `0x${address}`, identity: Bytes.toBase64(blob), hlc: Hlc.toText(hlc) })
    }
    case "reset":
      return JSON.stringify({ reason: event.reason })
  }
}

const texts = new WeakMap<Event, string>()

const textOf = (event: Event): string => {
  let text = texts.get(event)
  if (text === undefined) {
    const name: EventName = event.type
    texts.set(event, text = `event: ${name}\ndata: ${dataOf(event)}\n`)
  }
  return text
}

/** One step of a stream. The id comes first: a reader that is cut off in the middle of an event forgets both. */
const linesOf = ({ event, id }: Told): string =>
  (id === undefined ? "" : `id: ${id.epoch}-${id.arrival}\n`) + (event === undefined ? "\n" : `${textOf(event)}\n`)

const encode = (stream: Stream.Stream<Told>): Stream.Stream<Uint8Array> =>
  Stream.mapArray(stream, (told) => [Bytes.fromText(told.map(linesOf).join(""))])

export const response = (stream: Stream.Stream<Told>): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(encode(stream), {
    contentType: eventsType,
    headers: {
      "cache-control": "no-store",
      // proxies that gather answers before they send them would hold events back
      "x-accel-buffering": "no"
    }
  })

/** One for all: a connection that is kept alive may be asked for streams very often, and is told once to give up. */
const giveUp = function(this: Socket): void {
  this.destroy()
}

/** Ends the connection of the request that is being handled when nothing can be written to it for a while. */
export const breakOffWhenStuck = Effect.map(HttpServerRequest.HttpServerRequest, ({ source }) => {
  if (!(source instanceof IncomingMessage)) return
  const { socket } = source
  socket.setTimeout(stuckMsMax)
  if (!socket.listeners("timeout").includes(giveUp)) socket.once("timeout", giveUp)
})
