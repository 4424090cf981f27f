/**
 * The store in plain data structures: for simulations and tests, and the yardstick of the contract. No time, no chance,
 * no threads: a call answers in place.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { messageJson } from "../../api/message-json.ts"
import * as Bytes from "../../domain/bytes.ts"
import { type Hashes, Hashing } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import { type Identity, type Kind, type Message, type Op, type Read, sizeOf } from "../../domain/record.ts"
import { slotOf } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import {
  type ChatHead,
  type Damage,
  type Header,
  type HeaderQuery,
  type HeadsQuery,
  type InboxPosition,
  type PageQuery,
  type SenderCount,
  Store,
  type TextRow,
  type UnreadQuery
} from "../../services/Store.ts"
import type { LeafHash } from "./leaf.ts"
import * as Arrivals from "./memory-arrivals.ts"
import { comparePlaces, countBelow, Memory } from "./memory-records.ts"
import * as Sync from "./memory-sync.ts"
import { jsonOf } from "./page-json.ts"

/** Cuts a page where its bytes reach the bound. */
const bounded = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  let bytes = 0
  const end = messages.findIndex((message) => (bytes += sizeOf(message)) >= pageBytesMax)
  return end === -1 ? messages : messages.slice(0, end + 1)
}

const select = (memory: Memory, query: HeaderQuery): ReadonlyArray<Message> => {
  const all = memory.chats.get(query.chatId)?.messages.from(query.floor) ?? []
  const kept = query.except === undefined ? all : all.filter(({ sender }) => sender !== query.except)
  const below = query.from === undefined ? undefined : countBelow(kept, query.from)
  if (query.direction === "before") {
    const end = below ?? kept.length
    return kept.slice(Math.max(0, end - query.limit), end).reverse()
  }
  const { from } = query
  const start = below === undefined || from === undefined
    ? 0
    : below < kept.length && comparePlaces(kept[below]!, from) === 0
    ? below + 1
    : below
  return kept.slice(start, start + query.limit)
}

const page = (memory: Memory, query: PageQuery): ReadonlyArray<Message> => bounded(select(memory, query))

const selectUnread = (memory: Memory, query: UnreadQuery): ReadonlyArray<Message> =>
  (memory.chats.get(query.chatId)?.messages.from(query.floor) ?? [])
    .filter((message) => message.hlc > query.above && message.sender !== query.reader)
    .slice(0, query.limit)

const countBySender = (messages: ReadonlyArray<Message>): ReadonlyArray<SenderCount> => {
  const counts = new Map<Ids.Address, SenderCount>()
  for (const { sender, hlc } of messages) {
    const known = counts.get(sender)
    counts.set(sender, { sender, count: (known?.count ?? 0) + 1, first: known?.first ?? hlc, last: hlc })
  }
  return [...counts.values()].sort((a, b) => Bytes.compareText(a.sender, b.sender))
}

const headOf = (
  memory: Memory,
  user: Ids.Address,
  floor: Hlc.Hlc,
  chatId: Ids.ChatId
): ChatHead | undefined => {
  const chat = memory.chats.get(chatId)
  const last = chat?.messages.sorted.at(-1)
  const changed = chat?.ops.sorted.at(-1)
  const mark = memory.find<Read>(`r${chatId}${user}`)
  const stamps = [last, changed].flatMap((record) =>
    record === undefined || (record.kind === "message" && record.hlc < floor) ? [] : [record.hlc]
  )
  if (stamps.length === 0) return undefined
  return {
    chatId,
    kind: chat?.parties === undefined ? "group" : "dm",
    latest: stamps.reduce(Hlc.max),
    ...(chat?.parties === undefined
      ? undefined
      : { peer: chat.parties[0] === user ? chat.parties[1] : chat.parties[0] }),
    ...(last === undefined || last.hlc < floor
      ? undefined
      : { newest: { position: { hlc: last.hlc, id: last.id }, sender: last.sender } }),
    ...(mark === undefined ? undefined : { upTo: mark.upTo })
  }
}

const compareInbox = (a: InboxPosition, b: InboxPosition): number =>
  Hlc.compare(b.activity, a.activity) || Bytes.compareText(b.chatId, a.chatId)

const heads = (memory: Memory, { after, floor, limit, user }: HeadsQuery): ReadonlyArray<ChatHead> => {
  const placed = [...memory.chatsOf.get(user) ?? []].flatMap((chatId) => {
    const head = headOf(memory, user, floor, chatId)
    return head === undefined ? [] : [{ head, place: { activity: head.latest, chatId } }]
  })
  const isBehind = (place: InboxPosition, other: InboxPosition | undefined) =>
    other === undefined || compareInbox(place, other) > 0
  return placed.filter(({ head, place }) => head.kind === "group" || isBehind(place, after))
    .sort((a, b) => compareInbox(a.place, b.place)).slice(0, limit).map(({ head }) => head)
}

const groups = (memory: Memory, user: Ids.Address): ReadonlyArray<Ids.ChatId> =>
  [...memory.chatsOf.get(user) ?? []].filter((chatId) => memory.chats.get(chatId)?.parties === undefined)

const peers = (memory: Memory, user: Ids.Address): ReadonlyArray<Ids.Address> =>
  [...memory.chatsOf.get(user) ?? []].flatMap((chatId) => {
    const parties = memory.chats.get(chatId)?.parties
    return parties === undefined ? [] : [parties[0] === user ? parties[1] : parties[0]]
  })

const headerOf = (memory: Memory, message: Message): Header => {
  const { hlc, id, sender } = message
  return { sender, position: { hlc, id }, arrival: memory.slots.get(slotOf(message))!.arrival }
}

const textOf = (message: Message): TextRow => {
  const { hlc, id, sender } = message
  return { hlc, id, sender, size: sizeOf(message), json: messageJson(message) }
}

/** Finds what a caller did to a record after it was stored: records are shared, not copied. */
const inspect = (memory: Memory, leaf: LeafHash, kind: Kind): ReadonlyArray<Damage> =>
  memory.ofKind(kind).filter(({ record, digest }) => !Bytes.equal(digest, Wire.leafDigest(leaf, record)))
    .map(({ record }) => ({ kind, what: record.id, message: "the stored digest is not that of the record" }))

const make = (hashes: Hashes): Store["Service"] => {
  const leaf = hashes.blake3
  const memory = new Memory(leaf)
  const count = (kind: Kind) => memory.ofKind(kind).length
  const messages = (ids: ReadonlyArray<Ids.MessageId>) => ids.flatMap((id) => memory.find<Message>(`m${id}`) ?? [])
  return Store.of({
    commit: (batch, aged) => Effect.sync(() => memory.commit(batch, aged)),
    collect: (aged, limit) => Effect.sync(() => memory.collect(aged, limit)),
    reclaim: () => Effect.succeed(0),
    repair: (drop) => Effect.sync(() => memory.repair(drop)),
    leaves: (query) => Effect.sync(() => Sync.leaves(memory, query)),
    recent: (floor) => Effect.sync(() => Sync.recent(memory, floor)),
    recentBuckets: (floor) => Effect.sync(() => Sync.recentBuckets(memory, floor)),
    digests: (query) => Effect.sync(() => Sync.digests(memory, query)),
    pick: (domain, span, picks) => Effect.sync(() => Sync.pick(memory, domain, span, picks)),
    stream: (query) => Effect.sync(() => Sync.stream(memory, query)),
    known: (records) => Effect.sync(() => Sync.known(memory, leaf, records)),
    arrivalLog: Effect.sync(() => Arrivals.log(memory)),
    arrivals: (query) => Effect.sync(() => Arrivals.page(memory, query)),
    arrivedAfter: (after, limit) => Effect.sync(() => Arrivals.countAfter(memory, after, limit)),
    clock: Effect.sync(() => memory.clock),
    page: (query) => Effect.sync(() => page(memory, query)),
    pageJson: (query) =>
      Effect.sync(() => Bytes.fromText(jsonOf(page(memory, { ...query, limit: query.limit + 1 }).map(textOf), query))),
    pageText: (query) => Effect.sync(() => page(memory, query).map(textOf)),
    message: (id) => Effect.sync(() => memory.find<Message>(`m${id}`)),
    messages: (ids) => Effect.sync(() => messages(ids)),
    op: (id) => Effect.sync(() => memory.find<Op>(`o${id}`)),
    ops: (chatId) => Effect.sync(() => memory.chats.get(chatId)?.ops.sorted.slice() ?? []),
    read: (chatId, reader) => Effect.sync(() => memory.find<Read>(`r${chatId}${reader}`)),
    identity: (address) => Effect.sync(() => memory.find<Identity>(`i${address}`)),
    heads: (query) => Effect.sync(() => heads(memory, query)),
    groups: (user) => Effect.sync(() => groups(memory, user)),
    peers: (user) => Effect.sync(() => peers(memory, user)),
    unread: (queries) => Effect.sync(() => queries.map((query) => countBySender(selectUnread(memory, query)))),
    headers: (query) => Effect.sync(() => select(memory, query).map((message) => headerOf(memory, message))),
    scan: ({ kind, afterId = "", limit }) =>
      Effect.sync(() =>
        memory.ofKind(kind).map(({ record }) => record).filter((record) => record.id > afterId)
          .sort((a, b) => Bytes.compareText(a.id, b.id)).slice(0, limit)
      ),
    stats: Effect.sync(() => ({
      messages: count("message"),
      ops: count("op"),
      reads: count("read"),
      identities: count("identity"),
      diskBytes: 0
    })),
    inspect: (kind) => Effect.sync(() => inspect(memory, leaf, kind))
  })
}

/** Empty at first, gone with the layer; for networks without a key. */
export const layerMemory: Layer.Layer<Store, never, Hashing> = Layer.effect(Store, Effect.map(Hashing, make))
