/**
 * What a stream missed, read from the store: the arrivals between two places, as they would have been told then, to a user
 * who may see them now.
 *
 * Groups are folded again as they were at each place: their ops without those that came since, which are taken in one by one.
 * So who joined meanwhile is told nothing from before, and who was put out is told that and nothing after.
 */
import * as Effect from "effect/Effect"
import type * as Hlc from "../../domain/hlc.ts"
import type { Address, ChatId, OpId } from "../../domain/ids.ts"
import type { Membership } from "../../domain/membership.ts"
import type { Op } from "../../domain/record.ts"
import type { Event } from "../../services/Events.ts"
import type { Groups } from "../../services/Groups.ts"
import type { Arrival, Arrived, Store, StoreError } from "../../services/Store.ts"
import { dialogMessage, readMark } from "./event-audience.ts"
import type { Entry } from "./event-buffer.ts"
import { foldOf, opsIn, shownBy, weightOf } from "./event-groups.ts"

/** Records read at a time. */
const pageRecords = 200
/** Ops and targets that one stream holds folded, and all together: each takes some 200 bytes. */
const foldedMax = 100_000
const foldedAllMax = 1_000_000

/** Memory for folds of the past, of all who read what they missed. */
export class Room {
  #left = foldedAllMax

  /** False when there is not so much. */
  take(folded: number): boolean {
    if (folded > this.#left) return false
    this.#left -= folded
    return true
  }

  give(folded: number): void {
    this.#left += folded
  }
}

/** One stream's part of it, to be released when its folds are no longer held. */
export class Share {
  readonly #room: Room
  #taken = 0

  constructor(room: Room) {
    this.#room = room
  }

  take(folded: number): boolean {
    if (this.#taken + folded > foldedMax || !this.#room.take(folded)) return false
    this.#taken += folded
    return true
  }

  release(): void {
    this.#room.give(this.#taken)
    this.#taken = 0
  }
}

/** What a page of missed arrivals holds; `seen`: everything up to there is in it. */
export interface Missed {
  readonly entries: ReadonlyArray<Entry>
  readonly seen: Arrival
}

export interface CatchUp {
  /** The next page, at most up to `upTo`. */
  next(after: Arrival): Effect.Effect<Missed | "expired", StoreError>
}

/** For `user`, from `after` up to `upTo`; messages stamped below `floor` are no longer told. */
export const make = Effect.fnUntraced(function*(
  store: Store["Service"],
  groups: Groups["Service"],
  user: Address,
  after: Arrival,
  upTo: Arrival,
  floor: Hlc.Hlc,
  share: Share
): Effect.fn.Return<CatchUp | "expired", StoreError> {
  // those that came even later too: the fold begins without any of them
  const { last } = yield* store.arrivalLog
  const news = yield* opsIn(store, user, after, Math.max(last, upTo))
  if (news === undefined) return "expired"
  const changed = new Map<ChatId, ReadonlyArray<Op>>()
  for (const chatId of new Set(news.map(({ chatId }) => chatId))) {
    const ops = yield* store.ops(chatId)
    if (!share.take(weightOf(ops))) return "expired"
    changed.set(chatId, ops)
  }
  // and those that came while ops were read
  const { last: now } = yield* store.arrivalLog
  const newer = yield* opsIn(store, user, Math.max(last, upTo), now)
  if (newer === undefined) return "expired"
  const isNew: ReadonlySet<OpId> = new Set([...news, ...newer].map(({ id }) => id))
  /** Folds of groups that changed since, as they were at the place that was reached. */
  const then = new Map<ChatId, Membership>()
  for (const [chatId, ops] of changed) {
    then.set(chatId, yield* foldOf(ops.filter(({ id }) => !isNew.has(id)), chatId))
  }

  const inGroup = <A>(
    chatId: ChatId,
    f: (now: Membership, then: Membership) => A
  ): Effect.Effect<A, StoreError> =>
    groups.use(chatId, ({ membership }) => f(membership, then.get(chatId) ?? membership))

  const ofOp = Effect.fnUntraced(function*(op: Op, at: Arrival) {
    const membership = then.get(op.chatId)
    // the group has named her only since, by an op that is still to be told
    if (membership === undefined) return []
    const was = membership.isMember(user)
    const shown = yield* shownBy(store, op, at, floor, Effect.succeed(membership))
    const is = membership.isMember(user)
    const isNow = yield* inGroup(op.chatId, (now) => now.isMember(user))
    const stays = was && is && isNow
    if (shown === "too many" && stays) return "expired"
    // a variant that replaced another has no effect of its own
    const isTold = was !== is ? isNow || !is : is && isNow && membership.hadEffect(op.id)
    const events: Array<Event> = isTold ? [{ type: "membership", op }] : []
    if (stays && shown !== "too many") { for (const message of shown) events.push({ type: "message", message }) }
    return events
  })

  const eventsOf = (
    { arrival, record }: Arrived
  ): Effect.Effect<ReadonlyArray<Event> | "expired", StoreError> => {
    switch (record.kind) {
      case "message":
        if (record.hlc < floor) return Effect.succeed([])
        if (record.peer !== undefined) return Effect.succeed([dialogMessage(record, user)])
        return inGroup(
          record.chatId,
          (now, then) =>
            now.isMember(user) && then.isMember(user) && then.wasMemberAt(record.sender, record.hlc)
              ? [{ type: "message", message: record }]
              : []
        )
      case "read":
        if (record.peer !== undefined) return Effect.succeed([readMark(record, user)])
        if (record.reader !== user) return Effect.succeed([])
        return inGroup(
          record.chatId,
          (now, then) => now.isMember(user) && then.isMember(user) ? [readMark(record, user)] : []
        )
      case "identity":
        return Effect.succeed([{ type: "identity", identity: record }])
      case "op":
        return ofOp(record, arrival)
    }
  }

  return {
    next: Effect.fnUntraced(function*(from) {
      const page = yield* store.arrivals({ user, after: from, upTo, limit: pageRecords })
      const entries: Array<Entry> = []
      for (const arrived of page.arrived) {
        const events = yield* eventsOf(arrived)
        if (events === "expired") return "expired"
        for (const [i, event] of events.entries()) {
          entries.push({ at: arrived.arrival, event, isLast: i === events.length - 1 })
        }
      }
      return { entries, seen: page.seen }
    })
  }
})
