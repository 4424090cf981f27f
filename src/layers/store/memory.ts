/**
 * The store in plain data structures: for simulations and tests, and the yardstick of the contract. No time, no chance,
 * no threads: a call answers in place.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Bytes from "../../domain/bytes.ts"
import { type Hashes, Hashing } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { pageBytesMax } from "../../domain/limits.ts"
import {
  type Domain,
  domainOf,
  type Identity,
  type Kind,
  type Message,
  type Op,
  type Read,
  type Record,
  sizeOf
} from "../../domain/record.ts"
import { slotOf, wins } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import {
  type ChatHead,
  type Commit,
  type Damage,
  type LeafChange,
  type Outcome,
  type PageQuery,
  type SenderCount,
  Store,
  type UnreadQuery
} from "../../services/Store.ts"
import { LeafSums } from "./leaf-sums.ts"
import { bucketOf } from "./packing.ts"

interface Held<R extends Record = Record> {
  readonly record: R
  readonly digest: Uint8Array
}

/** Where a record stands in its chat. */
interface Placed {
  readonly hlc: bigint
  readonly id: string
}

const comparePlaces = (a: Placed, b: Placed): number =>
  a.hlc < b.hlc ? -1 : a.hlc > b.hlc ? 1 : Bytes.compareText(a.id, b.id)

/** How many of `sorted` lie below `place`. */
const countBelow = (sorted: ReadonlyArray<Placed>, place: Placed): number => {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (comparePlaces(sorted[middle]!, place) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** A list in order of place. */
class Timeline<R extends Placed> {
  readonly sorted: Array<R> = []

  add(record: R): void {
    this.sorted.splice(countBelow(this.sorted, record), 0, record)
  }

  remove(record: R): void {
    this.sorted.splice(countBelow(this.sorted, record), 1)
  }

  /** Records at or above `floor`. */
  from(floor: bigint): ReadonlyArray<R> {
    return this.sorted.slice(countBelow(this.sorted, { hlc: floor, id: "" }))
  }
}

interface Chat {
  /** Both parties of a direct conversation. */
  readonly parties: readonly [Ids.Address, Ids.Address] | undefined
  readonly messages: Timeline<Message>
  readonly ops: Timeline<Op>
}

/** The state of one store. `commit` is synchronous and never fails. */
class Memory {
  readonly slots = new Map<string, Held>()
  readonly chats = new Map<Ids.ChatId, Chat>()
  readonly chatsOf = new Map<Ids.Address, Set<Ids.ChatId>>()
  clock = Hlc.zero
  readonly #hashes: Hashes

  constructor(hashes: Hashes) {
    this.#hashes = hashes
  }

  #link(user: Ids.Address, chatId: Ids.ChatId): void {
    const chats = this.chatsOf.get(user)
    if (chats === undefined) this.chatsOf.set(user, new Set([chatId]))
    else chats.add(chatId)
  }

  #chat(chatId: Ids.ChatId, author: Ids.Address, peer: Ids.Address | undefined): Chat {
    const known = this.chats.get(chatId)
    if (known !== undefined) return known
    const parties = peer === undefined ? undefined : [author, peer] as const
    const chat: Chat = { parties, messages: new Timeline(), ops: new Timeline() }
    this.chats.set(chatId, chat)
    for (const user of parties ?? []) this.#link(user, chatId)
    return chat
  }

  #place(record: Record): void {
    switch (record.kind) {
      case "message":
        return this.#chat(record.chatId, record.sender, record.peer).messages.add(record)
      case "op":
        this.#chat(record.chatId, record.actor, undefined).ops.add(record)
        for (const user of [record.actor, ...record.targets]) this.#link(user, record.chatId)
        return
      case "read":
        this.#chat(record.chatId, record.reader, record.peer)
    }
  }

  #unplace(record: Record): void {
    if (record.kind === "message") this.chats.get(record.chatId)?.messages.remove(record)
    if (record.kind === "op") this.chats.get(record.chatId)?.ops.remove(record)
  }

  #put(record: Record, leaves: Array<LeafChange>): Outcome {
    const digest = Wire.leafDigest(this.#hashes.blake3, record)
    this.clock = Hlc.max(this.clock, record.hlc)
    const slot = slotOf(record)
    const held = this.slots.get(slot)
    if (held !== undefined) {
      if (Bytes.equal(held.digest, digest)) return "known"
      if (!wins(record, held.record)) return "superseded"
      this.#unplace(held.record)
      leaves.push(changeOf(held, "remove"))
    }
    const next = { record, digest }
    this.slots.set(slot, next)
    this.#place(record)
    leaves.push(changeOf(next, "insert"))
    return held === undefined ? "stored" : "replaced"
  }

  commit(batch: ReadonlyArray<Record>): Commit {
    const leaves: Array<LeafChange> = []
    return { outcomes: batch.map((record) => this.#put(record, leaves)), leaves }
  }

  find<R extends Record>(slot: string): R | undefined {
    return this.slots.get(slot)?.record as R | undefined
  }

  ofKind(kind: Kind): ReadonlyArray<Held> {
    return [...this.slots.values()].filter(({ record }) => record.kind === kind)
  }
}

const changeOf = ({ record, digest }: Held, change: LeafChange["change"]): LeafChange => ({
  domain: domainOf(record),
  bucket: bucketOf(record.id),
  digest,
  hlc: record.hlc,
  change
})

/** Cuts a page where its bytes reach the bound. */
const bounded = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  let bytes = 0
  const end = messages.findIndex((message) => (bytes += sizeOf(message)) >= pageBytesMax)
  return end === -1 ? messages : messages.slice(0, end + 1)
}

const page = (memory: Memory, query: PageQuery): ReadonlyArray<Message> => {
  const kept = memory.chats.get(query.chatId)?.messages.from(query.floor) ?? []
  const below = query.from === undefined ? undefined : countBelow(kept, query.from)
  if (query.direction === "before") {
    const end = below ?? kept.length
    return bounded(kept.slice(Math.max(0, end - query.limit), end).reverse())
  }
  const { from } = query
  const start = below === undefined || from === undefined
    ? 0
    : below < kept.length && comparePlaces(kept[below]!, from) === 0
    ? below + 1
    : below
  return bounded(kept.slice(start, start + query.limit))
}

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

const headOf = (memory: Memory, user: Ids.Address, floor: Hlc.Hlc, chatId: Ids.ChatId): ChatHead => {
  const chat = memory.chats.get(chatId)
  const last = chat?.messages.sorted.at(-1)
  const mark = memory.find<Read>(`r${chatId}${user}`)
  return {
    chatId,
    kind: chat?.parties === undefined ? "group" : "dm",
    ...(chat?.parties === undefined
      ? undefined
      : { peer: chat.parties[0] === user ? chat.parties[1] : chat.parties[0] }),
    ...(last === undefined || last.hlc < floor
      ? undefined
      : { newest: { position: { hlc: last.hlc, id: last.id }, sender: last.sender } }),
    ...(mark === undefined ? undefined : { upTo: mark.upTo })
  }
}

const leaves = (memory: Memory, domain: Domain, from: number, to: number) => {
  const sums = new LeafSums(from, to)
  for (const { record, digest } of memory.slots.values()) {
    if (domainOf(record) === domain) sums.add(bucketOf(record.id), digest)
  }
  return sums.leaves()
}

/** Finds what a caller did to a record after it was stored: records are shared, not copied. */
const inspect = (memory: Memory, hashes: Hashes, kind: Kind): ReadonlyArray<Damage> =>
  memory.ofKind(kind).filter(({ record, digest }) => !Bytes.equal(digest, Wire.leafDigest(hashes.blake3, record)))
    .map(({ record }) => ({ kind, what: record.id, message: "the stored digest is not that of the record" }))

const make = (hashes: Hashes): Store["Service"] => {
  const memory = new Memory(hashes)
  const count = (kind: Kind) => memory.ofKind(kind).length
  const messages = (ids: ReadonlyArray<Ids.MessageId>) => ids.flatMap((id) => memory.find<Message>(`m${id}`) ?? [])
  return Store.of({
    commit: (batch) => Effect.sync(() => memory.commit(batch)),
    clock: Effect.sync(() => memory.clock),
    page: (query) => Effect.sync(() => page(memory, query)),
    message: (id) => Effect.sync(() => memory.find<Message>(`m${id}`)),
    messages: (ids) => Effect.sync(() => messages(ids)),
    op: (id) => Effect.sync(() => memory.find<Op>(`o${id}`)),
    ops: (chatId) => Effect.sync(() => memory.chats.get(chatId)?.ops.sorted.slice() ?? []),
    read: (chatId, reader) => Effect.sync(() => memory.find<Read>(`r${chatId}${reader}`)),
    identity: (address) => Effect.sync(() => memory.find<Identity>(`i${address}`)),
    heads: (user, floor) =>
      Effect.sync(() => [...memory.chatsOf.get(user) ?? []].map((chatId) => headOf(memory, user, floor, chatId))),
    unread: (queries) => Effect.sync(() => queries.map((query) => countBySender(selectUnread(memory, query)))),
    headers: (query) =>
      Effect.sync(() => selectUnread(memory, query).map(({ sender, hlc, id }) => ({ sender, position: { hlc, id } }))),
    leaves: (domain, from, to) => Effect.sync(() => leaves(memory, domain, from, to)),
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
    inspect: (kind) => Effect.sync(() => inspect(memory, hashes, kind))
  })
}

/** Empty at first, gone with the layer. */
export const layerMemory: Layer.Layer<Store, never, Hashing> = Layer.effect(Store, Effect.map(Hashing, make))
