/** Reading: everything derived when it is asked for. See the port for the contract. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cursorOf, pageHead, pageTail } from "../../api/message-json.ts"
import * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { pageBytesMax, pageDefault, pageMax } from "../../domain/limits.ts"
import type { Membership } from "../../domain/membership.ts"
import { type Message, sizeOf } from "../../domain/record.ts"
import { type Forbidden, NotFound, type Overloaded } from "../../domain/refusal.ts"
import * as Retention from "../../domain/retention.ts"
import * as Unread from "../../domain/unread.ts"
import { wins } from "../../domain/variants.ts"
import { Groups } from "../../services/Groups.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import type { Place } from "../../services/Ingest.ts"
import {
  type ChatHead,
  type Header,
  type HeaderQuery,
  type InboxPosition,
  type PageQuery,
  type Position,
  Store,
  type StoreError,
  type TextRow,
  type UnreadQuery
} from "../../services/Store.ts"
import { type Conversation, type HistoryQuery, Views } from "../../services/Views.ts"
import { Writer } from "../../services/Writer.ts"
import { asMember, unavailable } from "./refusals.ts"

/** Rows read at most to fill one page of shown messages; where more are hidden, the page ends early with a cursor. */
const scannedMax = 5_000
/**
 * Headers looked at for one answer about a group in which some messages are hidden: which is the newest shown, or how many
 * are unread. Where it takes more, the group looks silent or less unread than it is: 1 s of reading.
 */
const headersMax = 200_000
/** Headers read first: mostly few are hidden. */
const headersFew = 16
/** Headers read at a time after that, eight times as many each time: half a MB, and others read in between. */
const headersAtOnceMax = 8_192

/** Of a message, what decides whether and where it is shown. */
type Row = Pick<Message, "id" | "hlc" | "sender">

/** How the store gives pages of a chat. */
interface Form<R extends Row> {
  readonly read: (query: PageQuery) => Effect.Effect<ReadonlyArray<R>, StoreError>
  /** `record.sizeOf`. */
  readonly sizeOf: (row: R) => number
}

/** A conversation of the inbox before its message and its count are read. */
interface Entry {
  readonly head: ChatHead
  readonly activity: Hlc.Hlc
  readonly newest: Position | undefined
  /** What the reader has read, or joined after. */
  readonly mark: Hlc.Hlc
  readonly membership: Membership | undefined
}

export const layer = Layer.effect(
  Views,
  Effect.gen(function*() {
    const store = yield* Store
    const groups = yield* Groups
    const writer = yield* Writer
    const clock = yield* HybridClock

    const values: Form<Message> = { read: store.page, sizeOf }
    const floor = () => Retention.firstKept(Retention.cutoffMs(clock.wall()))

    /** The fold of a group that `user` is in; `undefined` for a direct conversation. */
    const enter = (
      user: Ids.Address,
      place: Place
    ): Effect.Effect<Membership | undefined, Forbidden | NotFound | Overloaded> =>
      place.kind === "dm"
        ? Effect.undefined
        : groups.use(place.chatId, (group) => asMember(group, user)).pipe(
          Effect.mapError(unavailable),
          Effect.flatMap(Effect.fromResult)
        )

    const isShown = (membership: Membership | undefined, message: Pick<Row, "sender" | "hlc">): boolean =>
      membership === undefined || membership.wasMemberAt(message.sender, message.hlc)

    /** A page of what is shown, of rows that the store gives in either form. */
    const shownPage = Effect.fnUntraced(function*<R extends Row>(
      { read, sizeOf }: Form<R>,
      chatId: Ids.ChatId,
      membership: Membership | undefined,
      query: HistoryQuery
    ) {
      const kept = floor()
      const messages: Array<R> = []
      let from = query.from
      let bytes = 0
      // one more than asked for tells whether there is a next page
      for (let scanned = 0; scanned < scannedMax;) {
        // where some are hidden more are read at a time, up to a page
        const limit = scanned === 0 ? query.limit + 1 : pageMax
        const rows = yield* read({ chatId, direction: query.direction, from, floor: kept, limit })
        let size = 0
        for (const row of rows) {
          size += sizeOf(row)
          if (isShown(membership, row)) messages.push(row)
        }
        scanned += rows.length
        bytes += size
        if (messages.length > query.limit) {
          messages.length = query.limit
          return { messages, next: positionOf(messages.at(-1)!) }
        }
        if (rows.length < limit && size < pageBytesMax) return { messages, next: undefined }
        from = positionOf(rows.at(-1)!)
        if (bytes >= pageBytesMax && messages.length > 0) return { messages, next: from }
      }
      return { messages, next: from }
    })

    const historyOf = <R extends Row>(form: Form<R>) =>
      Effect.fnUntraced(function*(user: Ids.Address, place: Place, query: HistoryQuery) {
        const membership = yield* enter(user, place)
        yield* writer.settled([place.chatId])
        const { messages, next } = yield* Effect.mapError(shownPage(form, place.chatId, membership, query), unavailable)
        // reading forward has no end: the next call goes on behind what was read
        const last = query.direction === "after" ? messages.at(-1) : undefined
        return { messages, next: next ?? (last && positionOf(last)) }
      })
    const history = historyOf(values)
    const textOf = historyOf({ read: store.pageText, sizeOf: (row: TextRow) => row.size })

    /** Of a group it is known here who was in it when, and the store does not know. */
    const historyJson = Effect.fnUntraced(function*(user: Ids.Address, place: Place, query: HistoryQuery) {
      if (place.kind === "dm") {
        yield* writer.settled([place.chatId])
        return yield* Effect.mapError(store.pageJson({ chatId: place.chatId, floor: floor(), ...query }), unavailable)
      }
      const { messages, next } = yield* textOf(user, place, query)
      return `${pageHead}${messages.map(({ json }) => json).join(",")}${pageTail(next && cursorOf(next.hlc, next.id))}`
    })

    const message = Effect.fnUntraced(function*(user: Ids.Address, place: Place, id: Ids.MessageId) {
      const membership = yield* enter(user, place)
      const found = writer.pending(`m${id}`) ?? (yield* store.message(id).pipe(Effect.mapError(unavailable)))
      if (
        found?.kind === "message" && found.chatId === place.chatId && found.hlc >= floor() && isShown(membership, found)
      ) {
        return found
      }
      return yield* new NotFound({ message: "no such message in this conversation, as far as this node knows" })
    })

    /** The first shown ones of what a query selects, up to `wanted`: from a group with hidden ones, without bodies. */
    const firstShown = Effect.fnUntraced(function*(
      membership: Membership | undefined,
      query: Omit<HeaderQuery, "limit">,
      wanted: number
    ) {
      const shown: Array<Header> = []
      let { from } = query
      let limit = Math.max(wanted, headersFew)
      for (let looked = 0; looked < headersMax;) {
        const headers = yield* store.headers({ ...query, from, limit })
        for (const header of headers) {
          if (isShown(membership, { sender: header.sender, hlc: header.position.hlc })) shown.push(header)
        }
        if (shown.length >= wanted || headers.length < limit) break
        looked += headers.length
        from = headers.at(-1)!.position
        limit = Math.min(limit * 8, headersAtOnceMax)
      }
      return shown.slice(0, wanted)
    })

    /** Where a chat stands in the inbox; `undefined` when it is not in it. `kept`: the floor. */
    const entryOf = Effect.fnUntraced(function*(user: Ids.Address, kept: Hlc.Hlc, head: ChatHead) {
      if (head.kind === "dm") {
        if (head.newest === undefined) return undefined
        const { position } = head.newest
        const entry: Entry = {
          head,
          activity: position.hlc,
          newest: position,
          mark: Unread.effectiveMark(head.upTo, undefined),
          membership: undefined
        }
        return entry
      }
      const membership = yield* groups.use(head.chatId, (group) => group.membership)
      const since = membership.joinedAt(user)
      if (since === undefined) return undefined
      let newest = head.newest?.position
      if (
        head.newest !== undefined && !isShown(membership, { sender: head.newest.sender, hlc: head.newest.position.hlc })
      ) {
        const query = { chatId: head.chatId, direction: "before", from: newest, floor: kept } as const
        newest = (yield* firstShown(membership, query, 1))[0]?.position
      }
      const entry: Entry = {
        head,
        activity: newest?.hlc ?? since,
        newest,
        mark: Unread.effectiveMark(head.upTo, since),
        membership
      }
      return entry
    })

    /** Waits until what was accepted of the user's chats is written. */
    const settle = Effect.fnUntraced(function*(user: Ids.Address) {
      yield* writer.settled([user])
      // messages of a group wait under its name: which groups are hers matters only while something waits
      if (writer.stats().queued > 0) yield* writer.settled(yield* store.groups(user))
    })

    /**
     * The first entries of an inbox behind `after`, in order, `count` at most; `next` when there may be more. Heads come in the
     * order of what an entry can be at best, so reading ends where no head that is left can stand before those that are
     * wanted: of groups with old messages nothing is loaded.
     */
    const entriesOf = Effect.fnUntraced(function*(
      user: Ids.Address,
      kept: Hlc.Hlc,
      after: InboxPosition | undefined,
      count: number
    ) {
      // all anew each time: of two readings, a chat that moves up between them may be in neither
      for (let limit = count + 1;; limit *= 8) {
        const heads = yield* store.heads({ user, floor: kept, after, limit })
        const entries: Array<Entry> = []
        /** Leaves one more than wanted, which tells that there is more: folds of the others may go from memory. */
        const cut = () => entries.sort((a, b) => comparePlaces(placeOf(a), placeOf(b))).splice(count + 1)
        for (const head of heads) {
          const entry = yield* entryOf(user, kept, head)
          if (entry === undefined || (after !== undefined && comparePlaces(placeOf(entry), after) <= 0)) continue
          entries.push(entry)
          if (entries.length > 2 * count) cut()
        }
        cut()
        const firsts = entries.slice(0, count)
        const next = entries.length > count ? placeOf(firsts[count - 1]!) : undefined
        const last = heads.at(-1)
        if (last === undefined || heads.length < limit) return { entries: firsts, next }
        // what stands behind the last head may have others before it that were not looked at
        const seen: InboxPosition = { activity: last.latest, chatId: last.chatId }
        if (next !== undefined && comparePlaces(next, seen) <= 0) return { entries: firsts, next }
      }
    })

    const countUnread = Effect.fnUntraced(function*(
      user: Ids.Address,
      kept: Hlc.Hlc,
      entries: ReadonlyArray<Entry>
    ) {
      const queryOf = (entry: Entry): UnreadQuery => ({
        chatId: entry.head.chatId,
        above: entry.mark,
        floor: kept,
        reader: user,
        limit: Unread.unreadScanMax
      })
      const behind = entries.filter(({ head, mark, newest }) => {
        const last = newest ?? head.newest?.position
        return last !== undefined && last.hlc > mark
      })
      const counts = yield* store.unread(behind.map(queryOf))
      const totals = new Map<Ids.ChatId, number>()
      for (const [i, entry] of behind.entries()) {
        const { membership } = entry
        const total = Unread.countShown(
          counts[i]!,
          (sender, first, last) => membership === undefined || membership.memberThroughout(sender, first, last)
        )
        if (total !== "look closer") {
          totals.set(entry.head.chatId, total)
          continue
        }
        const { chatId } = entry.head
        // there is a stamp above the mark: that of the newest message
        const lowest = Hlc.max(kept, (entry.mark + 1n) as Hlc.Hlc)
        const query = { chatId, direction: "after", floor: lowest, except: user } as const
        totals.set(chatId, (yield* firstShown(membership, query, Unread.unreadScanMax)).length)
      }
      return totals
    })

    const conversations = Effect.fnUntraced(function*(
      user: Ids.Address,
      query: { readonly after?: InboxPosition | undefined; readonly limit: number }
    ) {
      yield* settle(user)
      // once: an answer does not mix what two hours keep
      const kept = floor()
      const { entries, next } = yield* entriesOf(user, kept, query.after, query.limit)
      const page: Array<Conversation> = []
      let bytes = 0
      while (page.length < entries.length && bytes < pageBytesMax) {
        const some = entries.slice(page.length, page.length + pageDefault)
        const ids = some.flatMap((entry) => entry.newest === undefined ? [] : [entry.newest.id])
        const [newest, totals] = yield* Effect.all([store.messages(ids), countUnread(user, kept, some)], {
          concurrency: 2
        })
        const byId = new Map(newest.map((message) => [message.id, message]))
        for (const entry of some) page.push(conversationOf(entry, byId, totals.get(entry.head.chatId) ?? 0))
        bytes += sizeOfAll(newest)
      }
      return {
        conversations: page,
        next: page.length < entries.length ? placeOf(entries[page.length - 1]!) : next
      }
    })

    return Views.of({
      history,
      historyJson,
      message,
      conversations: (user, query) => Effect.mapError(conversations(user, query), unavailable),
      members: Effect.fnUntraced(function*(user, chatId) {
        const membership = yield* enter(user, { kind: "group", chatId })
        return { chatId, title: membership!.title, members: membership!.members() }
      }),
      identity: Effect.fnUntraced(function*(address) {
        const pending = writer.pending(`i${address}`)
        const stored = yield* store.identity(address).pipe(Effect.mapError(unavailable))
        const identity = pending?.kind === "identity" && (stored === undefined || wins(pending, stored))
          ? pending
          : stored
        return identity ??
          (yield* new NotFound({ message: "this user has set no identity, as far as this node knows" }))
      })
    })
  })
)

const sizeOfAll = (messages: ReadonlyArray<Message>): number => messages.reduce((sum, each) => sum + sizeOf(each), 0)

const positionOf = ({ hlc, id }: Row): Position => ({ hlc, id })

const placeOf = (entry: Entry): InboxPosition => ({ activity: entry.activity, chatId: entry.head.chatId })

/** Newest first. */
const comparePlaces = (a: InboxPosition, b: InboxPosition): number =>
  Hlc.compare(b.activity, a.activity) || (a.chatId < b.chatId ? 1 : a.chatId > b.chatId ? -1 : 0)

const conversationOf = (
  { activity, head, membership, newest }: Entry,
  byId: ReadonlyMap<Ids.MessageId, Message>,
  total: number
): Conversation => ({
  place: head.kind === "dm"
    ? { kind: "dm", chatId: head.chatId, peer: head.peer! }
    : { kind: "group", chatId: head.chatId },
  title: membership?.title,
  newest: newest === undefined ? undefined : byId.get(newest.id),
  activity,
  ...Unread.unread(total)
})
