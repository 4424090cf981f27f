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
import { foldOf, shownBy } from "./event-groups.ts"

/** Records read at a time. */
const pageRecords = 200
/** Ops of her groups that a user may have missed; folding takes time, so with more of them she reads anew. */
const opsMax = 2_000

/** What a page of missed arrivals holds; `seen`: everything up to there is in it. */
export interface Missed {
  readonly entries: ReadonlyArray<Entry>
  readonly seen: Arrival
}

export interface CatchUp {
  /** The next page, at most up to `upTo`. */
  next(after: Arrival): Effect.Effect<Missed | "expired", StoreError>
}

/** Reads all pages of a query. More than `max` records: `undefined`. */
const opsIn = Effect.fnUntraced(function*(
  store: Store["Service"],
  user: Address,
  after: Arrival,
  upTo: Arrival
): Effect.fn.Return<ReadonlyArray<Op> | undefined, StoreError> {
  const ops: Array<Op> = []
  for (let seen = after; seen < upTo;) {
    const page = yield* store.arrivals({ user, after: seen, upTo, kinds: ["op"], limit: pageRecords })
    for (const { record } of page.arrived) if (record.kind === "op") ops.push(record)
    if (ops.length > opsMax) return undefined
    seen = page.seen
  }
  return ops
})

/** For `user`, from `after` up to `upTo`; messages stamped below `floor` are no longer told. */
export const make = Effect.fnUntraced(function*(
  store: Store["Service"],
  groups: Groups["Service"],
  user: Address,
  after: Arrival,
  upTo: Arrival,
  floor: Hlc.Hlc
): Effect.fn.Return<CatchUp | "expired", StoreError> {
  // those that came even later too: the fold begins without any of them
  const { last } = yield* store.arrivalLog
  const news = yield* opsIn(store, user, after, Math.max(last, upTo))
  if (news === undefined) return "expired"
  const isNew: ReadonlySet<OpId> = new Set(news.map(({ id }) => id))
  /** Folds of groups that changed since, as they were at the place that was reached. */
  const then = new Map<ChatId, Membership>()
  for (const chatId of new Set(news.map(({ chatId }) => chatId))) {
    const ops = yield* store.ops(chatId)
    then.set(chatId, foldOf(ops.filter(({ id }) => !isNew.has(id)), chatId))
    yield* Effect.yieldNow
  }

  const inGroup = <A>(
    chatId: ChatId,
    f: (now: Membership, then: Membership) => A
  ): Effect.Effect<A, StoreError> =>
    groups.use(chatId, ({ membership }) => f(membership, then.get(chatId) ?? membership))

  const ofOp = Effect.fnUntraced(function*(op: Op, at: Arrival) {
    const membership = then.get(op.chatId)!
    const was = membership.isMember(user)
    const shown = yield* shownBy(store, op, at, floor, Effect.succeed(membership))
    if (shown === "too many") return "expired"
    const is = membership.isMember(user)
    const isNow = yield* inGroup(op.chatId, (now) => now.isMember(user))
    // a variant that replaced another has no effect of its own
    const isTold = was !== is ? isNow || !is : is && isNow && membership.hadEffect(op.id)
    const events: Array<Event> = isTold ? [{ type: "membership", op }] : []
    if (was && is && isNow) { for (const message of shown) events.push({ type: "message", message }) }
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
