/**
 * What a stream has told, so that nothing is told twice, whichever node says it again: messages by id, ops by id, marks
 * and identities by whose they are and their stamps.
 *
 * Rule: of each kind the newest {@link eventsKept} by stamp are remembered. So above the stamp of whatever was forgotten it
 * is certain whether a message was told; a rereading never goes below that.
 */
import * as Hlc from "../domain/hlc.ts"
import type { NodeEvent } from "./values.ts"

/** Of each kind; up to twice as many between two clearings. */
export const eventsKept = 10_000

const makeKind = () => {
  let known = new Map<string, Hlc.Hlc>()
  let forgotten = Hlc.zero
  return {
    /** Whether this is the first time. */
    add: (key: string, hlc: Hlc.Hlc): boolean => {
      if (known.has(key)) return false
      known.set(key, hlc)
      if (known.size > 2 * eventsKept) {
        const newestFirst = [...known].sort(([, a], [, b]) => Hlc.compare(b, a))
        forgotten = Hlc.max(forgotten, newestFirst[eventsKept]![1])
        known = new Map(newestFirst.slice(0, eventsKept))
      }
      return true
    },
    forgotten: () => forgotten
  }
}

export interface EventMemory {
  /** Whether this is told for the first time. */
  isNew(event: NodeEvent): boolean
  /** The highest stamp of a message that was told. */
  newest(): Hlc.Hlc
  /** Of all messages stamped above this it is known whether they were told. */
  forgotten(): Hlc.Hlc
}

export const make = (): EventMemory => {
  const [messages, ops, marks, identities] = [makeKind(), makeKind(), makeKind(), makeKind()]
  let newest = Hlc.zero
  return {
    isNew: (event) => {
      switch (event.type) {
        case "message": {
          const { hlc, msg_id } = event.message
          newest = Hlc.max(newest, hlc)
          return messages.add(msg_id, hlc)
        }
        case "membership":
          return ops.add(event.op_id, event.hlc)
        case "read":
          return marks.add(`${event.chat_id} ${event.reader} ${event.up_to} ${event.hlc}`, event.hlc)
        case "identity":
          return identities.add(`${event.address} ${event.hlc}`, event.hlc)
      }
    },
    newest: () => newest,
    forgotten: messages.forgotten
  }
}
