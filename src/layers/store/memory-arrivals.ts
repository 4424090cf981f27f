/**
 * The store in memory, by order of arrival: each answer is a look at all records.
 */
import type * as Ids from "../../domain/ids.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import { type Record, sizeOf } from "../../domain/record.ts"
import type { Arrival, ArrivalLog, ArrivalPage, ArrivalQuery, Arrived } from "../../services/Store.ts"
import type { Memory } from "./memory-records.ts"

/** Nothing is left to chance here, and no number outlives its store. */
const epoch = "0".repeat(16)

export const log = (memory: Memory): ArrivalLog => ({ epoch, last: memory.arrivals })

export const countAfter = (memory: Memory, after: Arrival, limit: number): number => {
  let count = 0
  for (const { arrival } of memory.slots.values()) if (arrival > after) count++
  return Math.min(count, limit)
}

/** Whether a record may concern a user. */
const concerning = (memory: Memory, user: Ids.Address) => {
  const hers = memory.chatsOf.get(user) ?? new Set<Ids.ChatId>()
  return (record: Record): boolean =>
    record.kind === "identity"
      ? record.address === user || !hers.isDisjointFrom(memory.chatsOf.get(record.address) ?? new Set())
      : hers.has(record.chatId)
}

export const page = (memory: Memory, { after, kinds, limit, upTo, user }: ArrivalQuery): ArrivalPage => {
  const concerns = concerning(memory, user)
  const found = [...memory.slots.values()]
    .filter(({ arrival, record }) =>
      arrival > after && arrival <= upTo && (kinds?.includes(record.kind) ?? true) && concerns(record)
    )
    .sort((a, b) => a.arrival - b.arrival)
  const arrived: Array<Arrived> = []
  let bytes = 0
  for (const { arrival, record } of found) {
    if (arrived.length >= limit || bytes >= pageBytesMax) break
    arrived.push({ arrival, record })
    bytes += sizeOf(record)
  }
  return { arrived, seen: arrived.length === found.length ? upTo : arrived.at(-1)?.arrival ?? after }
}
