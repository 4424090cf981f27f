/**
 * What happened, as a line for people and as JSON for programs. Pure, but for names and titles, which the caller finds
 * out first.
 */
import * as Schema from "effect/Schema"
import { eventSchemas, type MembershipEvent, type ReadEvent } from "../api/events.ts"
import type { NodeEvent } from "../client/values.ts"
import { physicalMs } from "../domain/hlc.ts"
import type { Address } from "../domain/ids.ts"
import { harmlessLine } from "./terminal/harmless.ts"

/** Of many users, so many are named. */
const namedMax = 5

/** What a user is called: harmless text of one line. */
export type Called = (address: Address) => string

const listed = (addresses: ReadonlyArray<Address>, called: Called): string => {
  const named = addresses.slice(0, namedMax).map(called)
  const more = addresses.length - named.length
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ")
}

const quoted = (title: string): string => `"${harmlessLine(title)}"`

/** An op of a group: `Alice …cd78 added Bob …0011 as admin`. */
export const membershipText = (op: typeof MembershipEvent.Type, called: Called): string => {
  const { actor, op: what, role, targets, title = "" } = op
  const who = called(actor)
  switch (what) {
    case "create": {
      const named = title === "" ? "" : ` ${quoted(title)}`
      return `${who} made the group${named}${targets.length === 0 ? "" : ` with ${listed(targets, called)}`}`
    }
    case "add":
      return `${who} added ${listed(targets, called)}${role === "admin" ? " as admin" : ""}`
    case "remove":
      return targets.length === 1 && targets[0] === actor ? `${who} left` : `${who} removed ${listed(targets, called)}`
    case "set-title":
      return title === "" ? `${who} cleared the title` : `${who} set the title to ${quoted(title)}`
  }
}

/** A read mark. `timeOf`: a time as the caller writes it. */
export const readText = (
  { reader, up_to }: typeof ReadEvent.Type,
  called: Called,
  timeOf: (ms: number) => string
): string => `${called(reader)} read everything up to ${timeOf(physicalMs(up_to))}`

/** All users that an event names. */
export const usersOf = (event: NodeEvent): ReadonlyArray<Address> => {
  switch (event.type) {
    case "message":
      return event.chat.kind === "dm" ? [event.message.sender, event.chat.peer] : [event.message.sender]
    case "membership":
      return [event.actor, ...event.targets.slice(0, namedMax)]
    case "read":
      return event.peer === undefined ? [event.reader] : [event.reader, event.peer]
    case "identity":
      return [event.address]
  }
}

const encoders = {
  message: Schema.encodeUnknownSync(eventSchemas.message),
  membership: Schema.encodeUnknownSync(eventSchemas.membership),
  read: Schema.encodeUnknownSync(eventSchemas.read),
  identity: Schema.encodeUnknownSync(eventSchemas.identity)
} satisfies Record<NodeEvent["type"], unknown>

/** The data of an event as the API has it, ids with 0x, with its `type` before and, where there is one, its `event_id`. */
export const eventJson = ({ eventId, ...event }: NodeEvent): object => {
  const { type, ...data } = event
  const value = event.type === "message"
    ? { ...event.chat.kind === "dm" ? event.chat : { kind: event.chat.kind }, message: event.message }
    : data
  const encoded = encoders[type](value) as object
  return { type, ...encoded, ...(eventId === undefined ? {} : { event_id: eventId }) }
}
