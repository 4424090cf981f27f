/**
 * Records in plain data structures: what `memory.ts` answers from. A change is done in place, at once, and never fails.
 */
import * as Bytes from "../../domain/bytes.ts"
import * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { bucketOf } from "../../domain/merkle.ts"
import { type Domain, domainOf, type Kind, type Message, type Op, type Record } from "../../domain/record.ts"
import { slotOf, wins } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import type { Arrival, Collected, Commit, LeafChange, Outcome } from "../../services/Store.ts"
import * as Leaf from "./leaf.ts"
import type { LeafHash } from "./leaf.ts"

export interface Held<R extends Record = Record> {
  readonly record: R
  readonly digest: Uint8Array
  readonly arrival: Arrival
}

/** Where a record stands in its chat. */
interface Placed {
  readonly hlc: bigint
  readonly id: string
}

export const comparePlaces = (a: Placed, b: Placed): number =>
  a.hlc < b.hlc ? -1 : a.hlc > b.hlc ? 1 : Bytes.compareText(a.id, b.id)

/** How many of `sorted` lie below `place`. */
export const countBelow = (sorted: ReadonlyArray<Placed>, place: Placed): number => {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (comparePlaces(sorted[middle]!, place) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** A list in order of place. */
export class Timeline<R extends Placed> {
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

export interface Chat {
  /** Both parties of a direct conversation. */
  readonly parties: readonly [Ids.Address, Ids.Address] | undefined
  readonly messages: Timeline<Message>
  readonly ops: Timeline<Op>
  /** Who has a read mark in it. */
  readonly readers: Set<Ids.Address>
}

/** Buckets that are kept together. */
const shelfBuckets = 256

/** What is held, where trees and peers look for it: by domain and bucket. */
class Shelves {
  readonly #shelves: { readonly [D in Domain]: Map<number, Map<Held, number>> } = {
    messages: new Map(),
    members: new Map(),
    identity: new Map()
  }

  add(held: Held): void {
    const bucket = bucketOf(held.record.id)
    const shelves = this.#shelves[domainOf(held.record)]
    const at = Math.trunc(bucket / shelfBuckets)
    const shelf = shelves.get(at)
    if (shelf === undefined) shelves.set(at, new Map([[held, bucket]]))
    else shelf.set(held, bucket)
  }

  remove(held: Held): void {
    const shelves = this.#shelves[domainOf(held.record)]
    const at = Math.trunc(bucketOf(held.record.id) / shelfBuckets)
    const shelf = shelves.get(at)
    if (shelf?.delete(held) && shelf.size === 0) shelves.delete(at)
  }

  clear(): void {
    for (const shelves of Object.values(this.#shelves)) shelves.clear()
  }

  /** Calls with what a domain has in buckets `from` to `to`, exclusive; in no order. */
  visit(domain: Domain, from: number, to: number, each: (held: Held, bucket: number) => void): void {
    for (let at = Math.trunc(from / shelfBuckets); at * shelfBuckets < to; at++) {
      const shelf = this.#shelves[domain].get(at)
      if (shelf === undefined) continue
      for (const [held, bucket] of shelf) if (bucket >= from && bucket < to) each(held, bucket)
    }
  }
}

/** The state of one store. `commit` is synchronous and never fails. */
export class Memory {
  readonly slots = new Map<string, Held>()
  /** The same as `slots`. */
  readonly shelves = new Shelves()
  readonly chats = new Map<Ids.ChatId, Chat>()
  readonly chatsOf = new Map<Ids.Address, Set<Ids.ChatId>>()
  clock = Hlc.zero
  /** Commits done. */
  number = 0
  /** The highest number given to an arrival. */
  arrivals = 0
  readonly #leaf: LeafHash

  constructor(leaf: LeafHash) {
    this.#leaf = leaf
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
    const chat: Chat = { parties, messages: new Timeline(), ops: new Timeline(), readers: new Set() }
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
        this.#chat(record.chatId, record.reader, record.peer).readers.add(record.reader)
    }
  }

  #unplace(record: Record): void {
    if (record.kind === "message") this.chats.get(record.chatId)?.messages.remove(record)
    if (record.kind === "op") this.chats.get(record.chatId)?.ops.remove(record)
    if (record.kind === "read") this.chats.get(record.chatId)?.readers.delete(record.reader)
  }

  #put(record: Record, aged: Hlc.Hlc, leaves: Array<LeafChange>): Outcome {
    const digest = Wire.leafDigest(this.#leaf, record)
    this.clock = Hlc.max(this.clock, record.hlc)
    const slot = slotOf(record)
    const held = this.slots.get(slot)
    if (held !== undefined) {
      if (Bytes.equal(held.digest, digest)) return "known"
      const vacant = held.record.kind === "read" && held.record.hlc <= aged
      if (!vacant && !wins(record, held.record)) return "superseded"
      this.#unplace(held.record)
      this.shelves.remove(held)
      leaves.push(Leaf.removed(held.record, held.digest, record))
    }
    const stored = { record, digest, arrival: ++this.arrivals }
    this.slots.set(slot, stored)
    this.shelves.add(stored)
    this.#place(record)
    leaves.push(Leaf.inserted(record, digest))
    return held === undefined ? "stored" : "replaced"
  }

  commit(batch: ReadonlyArray<Record>, aged: Hlc.Hlc): Commit {
    const leaves: Array<LeafChange> = []
    const firstArrival = this.arrivals + 1
    const outcomes = batch.map((record) => this.#put(record, aged, leaves))
    return { number: ++this.number, outcomes, firstArrival, leaves }
  }

  #remove(record: Record): void {
    const slot = slotOf(record)
    const held = this.slots.get(slot)
    if (held !== undefined) this.shelves.remove(held)
    this.slots.delete(slot)
    this.#unplace(record)
  }

  /** Forgets a chat, and whose it is, when nothing of it is left. */
  #tidy(chatId: Ids.ChatId): void {
    const chat = this.chats.get(chatId)
    if (chat === undefined || chat.messages.sorted.length + chat.ops.sorted.length + chat.readers.size > 0) return
    this.chats.delete(chatId)
    for (const user of chat.parties ?? []) this.chatsOf.get(user)?.delete(chatId)
  }

  collect(aged: Hlc.Hlc, limit: number): Collected {
    const oldest = [...this.slots.values()].map(({ record }) => record)
      .filter((record) => record.kind === "message" || record.kind === "read")
      .filter(({ hlc }) => hlc <= aged)
      .sort((a, b) => Hlc.compare(a.hlc, b.hlc)).slice(0, limit)
    for (const record of oldest) {
      this.#remove(record)
      this.#tidy(record.chatId)
    }
    const messages = oldest.filter(({ kind }) => kind === "message").length
    return { messages, reads: oldest.length - messages }
  }

  /** Everything anew but what is named, from the records as they are; so all arrive once more. */
  repair(drop: ReadonlyArray<{ readonly kind: Kind; readonly id: string }>): { readonly [K in Kind]: number } {
    const unwanted = new Set(drop.map(({ id, kind }) => `${kind} ${id}`))
    const dropped = { message: 0, op: 0, read: 0, identity: 0 }
    const kept: Array<Record> = []
    for (const { record } of this.slots.values()) {
      if (unwanted.has(`${record.kind} ${record.id}`)) dropped[record.kind]++
      else kept.push(record)
    }
    this.slots.clear()
    this.shelves.clear()
    this.chats.clear()
    this.chatsOf.clear()
    for (const record of kept) this.#put(record, Hlc.zero, [])
    return dropped
  }

  find<R extends Record>(slot: string): R | undefined {
    return this.slots.get(slot)?.record as R | undefined
  }

  ofKind(kind: Kind): ReadonlyArray<Held> {
    return [...this.slots.values()].filter(({ record }) => record.kind === kind)
  }
}
