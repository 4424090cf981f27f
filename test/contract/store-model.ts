/** What a store must answer, computed naively over a list of records: no index, no order kept. */
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Span } from "../../src/domain/horizon.ts"
import type { Address, ChatId } from "../../src/domain/ids.ts"
import { type Domain, domainOf, type Kind, type Message, type Record } from "../../src/domain/record.ts"
import { slotOf, wins } from "../../src/domain/variants.ts"
import type {
  Arrival,
  Arrived,
  ChatHead,
  Header,
  HeaderQuery,
  InboxPosition,
  Leaf,
  LeafChange,
  PageQuery,
  UnreadQuery
} from "../../src/services/Store.ts"
import { digestOf } from "./store-records.ts"

/** A span that leaves nothing out. */
export const everything: Span = { floor: Hlc.zero, ceiling: Hlc.make(2 ** 48 - 1, 0xffff) }

/** The records that stay, of all that came. */
export const kept = (records: ReadonlyArray<Record>, aged: Hlc.Hlc = Hlc.zero): ReadonlyArray<Record> => {
  const slots = new Map<string, Record>()
  for (const record of records) {
    const held = slots.get(slotOf(record))
    const vacant = held?.kind === "read" && held.hlc <= aged && !Bytes.equal(digestOf(held), digestOf(record))
    if (held === undefined || vacant || wins(record, held)) slots.set(slotOf(record), record)
  }
  return [...slots.values()]
}

const compare = (a: Message, b: Message): number =>
  a.hlc < b.hlc ? -1 : a.hlc > b.hlc ? 1 : Bytes.compareText(a.id, b.id)

const messagesOf = (records: ReadonlyArray<Record>, chatId: ChatId): ReadonlyArray<Message> =>
  records.filter((record) => record.kind === "message").filter((record) => record.chatId === chatId).toSorted(compare)

export const page = (records: ReadonlyArray<Record>, query: PageQuery): ReadonlyArray<Message> => {
  const { from } = query
  const place = from === undefined ? undefined : from as unknown as Message
  const kept = messagesOf(records, query.chatId).filter((message) => message.hlc >= query.floor)
  const side = kept.filter((message) =>
    place === undefined || (query.direction === "before" ? compare(message, place) < 0 : compare(message, place) > 0)
  )
  return (query.direction === "before" ? side.toReversed() : side).slice(0, query.limit)
}

/** Of records that arrived in their order, the first as number `first`. */
export const headers = (
  records: ReadonlyArray<Record>,
  query: HeaderQuery,
  first: Arrival
): ReadonlyArray<Header> => {
  const arrivals = new Map(records.map(({ id }, i) => [id, first + i]))
  return page(records.filter((record) => record.kind !== "message" || record.sender !== query.except), query)
    .map(({ sender, hlc, id }) => ({ sender, position: { hlc, id }, arrival: arrivals.get(id)! }))
}

export const unread = (records: ReadonlyArray<Record>, query: UnreadQuery): ReadonlyArray<Message> =>
  messagesOf(records, query.chatId)
    .filter(({ hlc, sender }) => hlc > query.above && hlc >= query.floor && sender !== query.reader)
    .slice(0, query.limit)

export const ofKind = (records: ReadonlyArray<Record>, kind: Kind): ReadonlyArray<Record> =>
  records.filter((record) => record.kind === kind).toSorted((a, b) => Bytes.compareText(a.id, b.id))

const partiesOf = (record: Record): ReadonlyArray<Address> => {
  switch (record.kind) {
    case "message":
      return record.peer === undefined ? [] : [record.sender, record.peer]
    case "read":
      return record.peer === undefined ? [] : [record.reader, record.peer]
    case "op":
      return [record.actor, ...record.targets]
    case "identity":
      return []
  }
}

/** The parties of every direct conversation, and all that were ever named in a group. */
const named = (records: ReadonlyArray<Record>): ReadonlyMap<ChatId, ReadonlySet<Address>> => {
  const users = new Map<ChatId, Set<Address>>()
  for (const record of records) {
    if (record.kind === "identity") continue
    const known = users.get(record.chatId) ?? new Set()
    users.set(record.chatId, new Set([...known, ...partiesOf(record)]))
  }
  return users
}

export const peers = (records: ReadonlyArray<Record>, user: Address): ReadonlyArray<Address> => {
  const peerOf = (record: Record): ReadonlyArray<Address> => {
    const parties = record.kind === "op" ? [] : partiesOf(record)
    return parties.includes(user) ? [parties.find((party) => party !== user) ?? user] : []
  }
  return [...new Set(records.flatMap(peerOf))].toSorted()
}

/** What arrivals tell a user, of all that is stored. */
export const arrivals = (stored: ReadonlyArray<Arrived>, user: Address): ReadonlyArray<Arrived> => {
  const chats = named(stored.map(({ record }) => record))
  const isHers = (record: Record): boolean =>
    record.kind === "identity"
      ? record.address === user || [...chats.values()].some((users) => users.has(user) && users.has(record.address))
      : chats.get(record.chatId)!.has(user)
  return stored.filter(({ record }) => isHers(record)).toSorted((a, b) => a.arrival - b.arrival)
}

/** Every head of a user, by what is latest in the chat, then by its id. */
export const heads = (records: ReadonlyArray<Record>, user: Address, floor: Hlc.Hlc): ReadonlyArray<ChatHead> => {
  const heads = new Map<ChatId, ChatHead>()
  for (const record of records) {
    if (record.kind === "identity" || !partiesOf(record).includes(user)) continue
    const peer = record.kind === "op" ? undefined : partiesOf(record).find((party) => party !== user) ?? user
    const newest = messagesOf(records, record.chatId).filter(({ hlc }) => hlc >= floor).at(-1)
    const mark = records.filter((other) => other.kind === "read")
      .find((other) => other.chatId === record.chatId && other.reader === user)
    const ops = records.filter((other) => other.kind === "op" && other.chatId === record.chatId)
    const stamps = [...ops, ...newest === undefined ? [] : [newest]].map(({ hlc }) => hlc)
    if (stamps.length === 0) continue
    heads.set(record.chatId, {
      chatId: record.chatId,
      kind: peer === undefined ? "group" : "dm",
      latest: stamps.reduce(Hlc.max),
      ...(peer === undefined ? {} : { peer }),
      ...(newest === undefined
        ? {}
        : { newest: { position: { hlc: newest.hlc, id: newest.id }, sender: newest.sender } }),
      ...(mark === undefined ? {} : { upTo: mark.upTo })
    })
  }
  return [...heads.values()].toSorted((a, b) => comparePlaces(placeOf(a), placeOf(b)))
}

export const placeOf = (head: ChatHead): InboxPosition => ({ activity: head.latest, chatId: head.chatId })

export const comparePlaces = (a: InboxPosition, b: InboxPosition): number =>
  Hlc.compare(b.activity, a.activity) || Bytes.compareText(b.chatId, a.chatId)

const order = 2n ** 256n
const fromBytes = (bytes: Uint8Array): bigint => BigInt(`0x${bytes.toHex()}`)

/** Leaves from bigints, as text: `bucket:sum:count`. */
export class Leaves {
  readonly #sums = new Map<number, { sum: bigint; count: number }>()

  add(bucket: number, digest: Uint8Array, sign: 1 | -1): void {
    const leaf = this.#sums.get(bucket) ?? { sum: 0n, count: 0 }
    leaf.sum = (leaf.sum + BigInt(sign) * fromBytes(digest) + order) % order
    leaf.count += sign
    this.#sums.set(bucket, leaf)
  }

  apply(changes: ReadonlyArray<LeafChange>, domain: Domain): void {
    for (const change of changes) {
      if (change.domain === domain) this.add(change.bucket, change.digest, change.change === "insert" ? 1 : -1)
    }
  }

  text(from = 0, to = 65_536): ReadonlyArray<string> {
    return [...this.#sums].filter(([bucket, { count }]) => bucket >= from && bucket < to && count !== 0)
      .toSorted(([a], [b]) => a - b).map(([bucket, { sum, count }]) => `${bucket}:${sum}:${count}`)
  }
}

export const leavesText = (leaves: ReadonlyArray<Leaf>): ReadonlyArray<string> =>
  leaves.map(({ bucket, sum, count }) => `${bucket}:${fromBytes(sum)}:${count}`)

export const leavesOf = (records: ReadonlyArray<Record>, domain: Domain): Leaves => {
  const leaves = new Leaves()
  for (const record of records) {
    if (domainOf(record) === domain) leaves.add(Number.parseInt(record.id.slice(0, 4), 16), digestOf(record), 1)
  }
  return leaves
}

const ages = (record: Record): boolean => record.kind === "message" || record.kind === "read"

/** What a tree for `span` stands for. */
export const within = (records: ReadonlyArray<Record>, span: Span, ageingOnly = false): ReadonlyArray<Record> =>
  records.filter((record) => record.hlc <= span.ceiling && (ages(record) ? record.hlc > span.floor : !ageingOnly))

export const bucketOf = (record: Record): number => Number.parseInt(record.id.slice(0, 4), 16)

/** Records of a bucket by ascending digest. */
export const bucket = (records: ReadonlyArray<Record>, domain: Domain, n: number): ReadonlyArray<Record> =>
  records.filter((record) => domainOf(record) === domain && bucketOf(record) === n)
    .toSorted((a, b) => Bytes.compare(digestOf(a), digestOf(b)))

/** Inserts, as text in order: domain, bucket, digest, stamp, whether they age. */
export const changesText = (changes: ReadonlyArray<LeafChange>): ReadonlyArray<string> =>
  changes.map(({ ages, bucket, change, digest, domain, hlc, recordHlc }) =>
    `${domain} ${bucket} ${digest.toHex()} ${Hlc.toText(hlc)} ${Hlc.toText(recordHlc)} ${change} ${ages}`
  ).toSorted()

export const recentText = (records: ReadonlyArray<Record>, floor: Hlc.Hlc): ReadonlyArray<string> =>
  changesText(
    records.filter(({ hlc }) => hlc > floor).map((record) => ({
      domain: domainOf(record),
      bucket: bucketOf(record),
      digest: digestOf(record),
      hlc: record.hlc,
      recordHlc: record.hlc,
      change: "insert",
      ages: ages(record)
    }))
  )

export const recentBuckets = (records: ReadonlyArray<Record>, floor: Hlc.Hlc): ReadonlyArray<number> =>
  [...new Set(records.filter(({ hlc }) => hlc > floor).map(bucketOf))].toSorted((a, b) => a - b)

/** The order of a stream. */
export const streamed = (records: ReadonlyArray<Record>, kind: Kind, from: number, to: number): ReadonlyArray<Record> =>
  records.filter((record) => record.kind === kind && bucketOf(record) >= from && bucketOf(record) < to)
    .toSorted((a, b) => (kind === "op" ? Hlc.compare(a.hlc, b.hlc) : 0) || Bytes.compareText(a.id, b.id))
