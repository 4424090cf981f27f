/**
 * Where records live. One writer calls {@link Store.commit}; reads come from anywhere and see what was committed.
 *
 * The store keeps records and derived indexes, nothing else (SPEC §1.1). It decides which variant of a slot stays
 * (`domain/variants`), because only it sees what is stored; it does not judge records: who calls `commit` has.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Hlc } from "../domain/hlc.ts"
import type { Span } from "../domain/horizon.ts"
import type { Address, ChatId, MessageId, OpId } from "../domain/ids.ts"
import type { Domain, Identity, Kind, Message, Op, Read, Record } from "../domain/record.ts"

/** The store could not do it. Nothing of the batch was kept; trying again is safe. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  /**
   * `full`: no space; `readonly`: no right to write; `corrupt`: damaged file; `locked`: another process; `stopped`: the store
   * is gone until a restart; else `io`.
   */
  reason: Schema.Literals(["full", "readonly", "corrupt", "locked", "stopped", "io"]),
  message: Schema.String
}) {}

/** Reasons that do not pass while the node runs. */
export const isPermanent = (reason: StoreError["reason"]): boolean =>
  reason === "stopped" || reason === "corrupt" || reason === "readonly"

/** Why the store fails, for strangers: without the paths that `message` names. */
export const reasonText: { readonly [R in StoreError["reason"]]: string } = {
  full: "the disk is full",
  readonly: "the disk cannot be written",
  corrupt: "the database is damaged",
  locked: "the database is in use elsewhere",
  stopped: "the database has stopped",
  io: "the disk fails"
}

/**
 * What became of one record of a batch: `stored` in a free slot, `replaced` the variant that was there, `superseded` by
 * the one there, or `known`, the very same.
 */
export type Outcome = "stored" | "replaced" | "superseded" | "known"

/** One leaf digest that came into or left a Merkle tree. */
export interface LeafChange {
  readonly domain: Domain
  /** The first two bytes of the record's id. */
  readonly bucket: number
  /** 32 bytes, `wire.leafDigest`. */
  readonly digest: Uint8Array
  /**
   * From which stamp on trees see the change. An insert: the record's. A removal: the higher one of the record's and of that
   * which replaced it, so that trees at earlier horizons still agree with replicas that wait for the newer record.
   */
  readonly hlc: Hlc
  /** The record's own: by it the record ages. */
  readonly recordHlc: Hlc
  readonly change: "insert" | "remove"
  /** Whether the record ages (SPEC §9): messages and read marks. */
  readonly ages: boolean
}

/**
 * The place of a record in the order in which this store took it in, from 1 on. Each record that is stored, or that replaces
 * another, gets the next number; none is given twice, also across restarts, but some are left out. Never replicated: other
 * nodes have other numbers (SPEC §8, ids of events).
 */
export type Arrival = number

export interface Commit {
  /** Counts up by one from commit to commit since the start. */
  readonly number: number
  /** In the order of the batch. */
  readonly outcomes: ReadonlyArray<Outcome>
  /** Of the first record of the batch that was stored or replaced another; each further one has the next number. */
  readonly firstArrival: Arrival
  readonly leaves: ReadonlyArray<LeafChange>
}

/** A place in a chat. Messages are ordered by it, and no two share one. */
export interface Position {
  readonly hlc: Hlc
  readonly id: MessageId
}

/** A message as the API tells it, beside what decides whether it is shown and where a page ends. */
export interface TextRow extends Position {
  readonly sender: Address
  /** `record.sizeOf` the message. */
  readonly size: number
  /** `api/message-json`. */
  readonly json: string
}

export interface PageQuery {
  readonly chatId: ChatId
  /** `before`: below `from`, newest first. `after`: above `from`, oldest first. */
  readonly direction: "before" | "after"
  /** Absent: from that end of the chat. */
  readonly from?: Position | undefined
  /** Only messages stamped at or above this: the retention cutoff. */
  readonly floor: Hlc
  readonly limit: number
}

/** A chat that a user has to do with, as far as the store knows: for a group, anyone ever named in its ops. */
export interface ChatHead {
  readonly chatId: ChatId
  readonly kind: "dm" | "group"
  /** The other party (or the user herself), in a direct conversation. */
  readonly peer?: Address | undefined
  /** The newest message at or above the floor. */
  readonly newest?: { readonly position: Position; readonly sender: Address } | undefined
  /** The user's read mark. */
  readonly upTo?: Hlc | undefined
  /**
   * Nothing that places the chat in an inbox is later: of a direct conversation the stamp of its newest message, of a group
   * that or the stamp of its newest op.
   */
  readonly latest: Hlc
}

/** Order of an inbox: activity, then chat id, both descending. */
export interface InboxPosition {
  readonly activity: Hlc
  readonly chatId: ChatId
}

export interface HeadsQuery {
  readonly user: Address
  readonly floor: Hlc
  /** Absent: from the start. Of direct conversations only those behind it, by `latest` and chat id. */
  readonly after?: InboxPosition | undefined
  readonly limit: number
}

export interface UnreadQuery {
  readonly chatId: ChatId
  /** Messages above this, and at or above the floor, by others than `reader`, oldest first, at most `limit`. */
  readonly above: Hlc
  readonly floor: Hlc
  readonly reader: Address
  readonly limit: number
}

/** What one sender wrote of the messages that an {@link UnreadQuery} selects. */
export interface SenderCount {
  readonly sender: Address
  readonly count: number
  readonly first: Hlc
  readonly last: Hlc
}

/** As a page, of headers. */
export interface HeaderQuery extends PageQuery {
  /** Only messages by others than this user. Absent: by anyone. */
  readonly except?: Address | undefined
}

/** A message without its body: enough to tell whether it is shown, and to count it. */
export interface Header {
  readonly sender: Address
  readonly position: Position
  readonly arrival: Arrival
}

export interface StoreStats {
  readonly messages: number
  readonly ops: number
  readonly reads: number
  readonly identities: number
  /** Of the database and its log, bytes. 0 when there is no file. */
  readonly diskBytes: number
}

/** A group of leaves: what {@link Store.leaves} gives for each bucket that is not empty. */
export interface Leaf {
  readonly bucket: number
  /** Sum of the digests modulo 2^256, 32 big-endian bytes. */
  readonly sum: Uint8Array
  readonly count: number
}

/** Which leaves are summed: of the buckets `from` to `to` (exclusive), of records in the span. */
export interface LeafQuery {
  readonly domain: Domain
  readonly from: number
  readonly to: number
  readonly span: Span
  /** Only records that age: what leaves a tree when the hour turns. */
  readonly ageingOnly: boolean
}

/** An answer that is in line with commits: it holds the commits up to this number, and no later one. */
export interface InLine<A> {
  /** `Commit.number`; 0 before the first. */
  readonly commit: number
  readonly value: A
}

/** One record as bytes, for a peer: `domain/wire`. */
export interface Wired {
  readonly kind: Kind
  readonly bytes: Uint8Array
}

/** Where the leaf digests of a bucket are listed on from: those above `after`, 32 bytes, in that bucket only. */
export interface DigestQuery {
  readonly domain: Domain
  readonly span: Span
  /** Ascending. */
  readonly buckets: ReadonlyArray<number>
  /** Digests of the first bucket at or below this, 32 bytes, are left out. */
  readonly after?: Uint8Array | undefined
  /** Digests listed in all, at least 1; the rest of the buckets is for another query. */
  readonly limit: number
}

/** Digests, 32 bytes each, ascending as bytes: one list for each bucket that was looked at, in the order asked for. */
export interface DigestPage {
  readonly lists: ReadonlyArray<ReadonlyArray<Uint8Array>>
  /** False when the last list was cut by the limit, or buckets were left. Up to 4 096 buckets, the last list then has a digest. */
  readonly complete: boolean
}

/** A record by its bucket and the first bytes of its leaf digest, 8 to 32 of them. */
export interface Pick {
  readonly bucket: number
  readonly digest: Uint8Array
}

export interface StreamQuery {
  readonly kind: Kind
  readonly span: Span
  /** Only ids of these buckets, `from` to `to` (exclusive). */
  readonly from: number
  readonly to: number
  /** The `next` of the page before; absent: from the start. */
  readonly cursor?: Uint8Array | undefined
  /** Bytes of records in a page, roughly: it ends with the record that reaches them. */
  readonly bytesMax: number
}

export interface StreamPage {
  /** At least one, when there is a `next`. */
  readonly records: ReadonlyArray<Uint8Array>
  /** Absent: that was the last. */
  readonly next?: Uint8Array | undefined
}

/**
 * Whose numbers arrivals have, and the last one given; 0 before the first. After a power loss somebody may know a higher one:
 * what comes next has higher ones still.
 */
export interface ArrivalLog {
  /** 16 hex digits, chosen at random when the store was made: another store's numbers mean nothing here. */
  readonly epoch: string
  readonly last: Arrival
}

/** A record with its number. */
export interface Arrived {
  readonly arrival: Arrival
  readonly record: Record
}

/**
 * Arrivals above `after` and up to `upTo`, ascending, of what may concern a user: records of her direct conversations and of
 * every group that she was ever named in, her own identity and those of all who share one of these with her.
 */
export interface ArrivalQuery {
  readonly user: Address
  readonly after: Arrival
  /** Of what is committed: `ArrivalLog.last`, or a number that a commit told. */
  readonly upTo: Arrival
  /** Absent: of all kinds. */
  readonly kinds?: ReadonlyArray<Kind> | undefined
  /** At most so many records, at least 1; fewer when they take `limits.pageBytesMax` or more (`record.sizeOf`). */
  readonly limit: number
}

export interface ArrivalPage {
  /** Empty at the end only. */
  readonly arrived: ReadonlyArray<Arrived>
  /** All arrivals up to this one were looked at; `upTo` at the end. */
  readonly seen: Arrival
}

/** What one step of the collector did. */
export interface Collected {
  readonly messages: number
  readonly reads: number
}

/** A place in {@link Store.scan}: kinds in the order of `Kind` asked for, ids ascending. */
export interface ScanQuery {
  readonly kind: Kind
  /** Ids above this one, 64 hex digits; absent: from the start. */
  readonly afterId?: string | undefined
  readonly limit: number
}

/** A stored row that does not say what it should: a damaged or altered file. */
export interface Damage {
  readonly kind: Kind | "index" | "file"
  /** Id of the record, or the name of what is damaged. */
  readonly what: string
  readonly message: string
}

export class Store extends Context.Service<Store, {
  /**
   * Stores a batch in one transaction: when this succeeds, it survives a kill of the process. A read mark that is stored
   * with a stamp at or below `aged` holds its slot no longer: any other replaces it (SPEC §5.3).
   */
  commit(batch: ReadonlyArray<Record>, aged: Hlc): Effect.Effect<Commit, StoreError>
  /** The highest stamp ever committed; `Hlc.zero` when there is none. */
  readonly clock: Effect.Effect<Hlc, StoreError>
  /** At most `limit` messages; fewer, but at least one, when they take `limits.pageBytesMax` or more (`record.sizeOf`). */
  page(query: PageQuery): Effect.Effect<ReadonlyArray<Message>, StoreError>
  /**
   * A page of a direct conversation as the API's JSON in UTF-8 (`api/message-json`): what `page` gives, and where the next page
   * begins. Backward there is one where more than `limit` were found, or bytes ended the page; forward, behind every message.
   */
  pageJson(query: PageQuery): Effect.Effect<Uint8Array, StoreError>
  /** What `page` gives, as text: for whom it is only to be handed on. */
  pageText(query: PageQuery): Effect.Effect<ReadonlyArray<TextRow>, StoreError>
  message(id: MessageId): Effect.Effect<Message | undefined, StoreError>
  op(id: OpId): Effect.Effect<Op | undefined, StoreError>
  /** All ops of a group by (hlc, op id). Empty: not known here. */
  ops(chatId: ChatId): Effect.Effect<ReadonlyArray<Op>, StoreError>
  read(chatId: ChatId, reader: Address): Effect.Effect<Read | undefined, StoreError>
  identity(address: Address): Effect.Effect<Identity | undefined, StoreError>
  /**
   * Chats of a user by `latest`, then chat id, both descending. Direct conversations without a message at or above the
   * floor are left out.
   */
  heads(query: HeadsQuery): Effect.Effect<ReadonlyArray<ChatHead>, StoreError>
  /** Every group that a user was ever named in, in no order. */
  groups(user: Address): Effect.Effect<ReadonlyArray<ChatId>, StoreError>
  /** The other parties of a user's direct conversations, each once, in no order; herself if she wrote to herself. */
  peers(user: Address): Effect.Effect<ReadonlyArray<Address>, StoreError>
  /** Counts by sender, one list a query, in the order of `queries`. */
  unread(queries: ReadonlyArray<UnreadQuery>): Effect.Effect<ReadonlyArray<ReadonlyArray<SenderCount>>, StoreError>
  /** What `page` gives, without bodies and so without a bound on bytes: `limit` of them, or to the end of the chat. */
  headers(query: HeaderQuery): Effect.Effect<ReadonlyArray<Header>, StoreError>
  messages(ids: ReadonlyArray<MessageId>): Effect.Effect<ReadonlyArray<Message>, StoreError>
  /** Leaves that are not empty, by bucket, summed from stored digests. */
  leaves(query: LeafQuery): Effect.Effect<InLine<ReadonlyArray<Leaf>>, StoreError>
  /** Every record stamped above `floor`, as inserts, in no order: the few that are younger than a horizon. */
  recent(floor: Hlc): Effect.Effect<InLine<ReadonlyArray<LeafChange>>, StoreError>
  /** The buckets of every record stamped above `floor`, each once, in no order. Not in line with commits. */
  recentBuckets(floor: Hlc): Effect.Effect<ReadonlyArray<number>, StoreError>
  /** What differing buckets hold, for comparison with a peer. */
  digests(query: DigestQuery): Effect.Effect<DigestPage, StoreError>
  /**
   * The records of `picks`, in that order (several for one pick where digests begin alike, none where it is gone), as many
   * as fit `limits.pageBytesMax` but those of at least one pick. `done`: picks that were looked at.
   */
  pick(
    domain: Domain,
    span: Span,
    picks: ReadonlyArray<Pick>
  ): Effect.Effect<{ readonly records: ReadonlyArray<Wired>; readonly done: number }, StoreError>
  /** All records of a kind, a page at a time: ops by (hlc, id), the others by id. */
  stream(query: StreamQuery): Effect.Effect<StreamPage, StoreError>
  /** For each record: whether it, or what wins over it, is stored. No `aged` plays a part. */
  known(records: ReadonlyArray<Record>): Effect.Effect<ReadonlyArray<boolean>, StoreError>
  /** As of the last commit. */
  readonly arrivalLog: Effect.Effect<ArrivalLog, StoreError>
  /** What concerns a user, a page at a time. Who asks while a record is replaced is told of it once more, by its new number. */
  arrivals(query: ArrivalQuery): Effect.Effect<ArrivalPage, StoreError>
  /** How many records stand above `after`, anybody's; at most `limit` are counted. */
  arrivedAfter(after: Arrival, limit: number): Effect.Effect<number, StoreError>
  /** Deletes up to `limit` messages and read marks stamped at or below `aged`, the oldest first. */
  collect(aged: Hlc, limit: number): Effect.Effect<Collected, StoreError>
  /** Gives up to `pages` unused pages back to the file system; how many there still are. */
  reclaim(pages: number): Effect.Effect<number, StoreError>
  /** Records by ascending id: for dump, verification and sync. */
  scan(query: ScanQuery): Effect.Effect<ReadonlyArray<Record>, StoreError>
  readonly stats: Effect.Effect<StoreStats, StoreError>
  /**
   * Looks for damage without changing anything: the file's own integrity check, ids and digests of every row of `kind`
   * recomputed, derived columns and indexes compared. Signatures are the caller's to check (`scan`).
   */
  inspect(kind: Kind): Effect.Effect<ReadonlyArray<Damage>, StoreError>
  /**
   * Deletes records, whatever stands in their slots' place, by id; and computes everything derived anew (digests, indexes,
   * counters, lists of chats) from the records that can be read, dropping rows that cannot. For a store that no node runs
   * on: the trees are not told. Gives what was dropped.
   */
  repair(
    drop: ReadonlyArray<{ readonly kind: Kind; readonly id: string }>
  ): Effect.Effect<{ readonly [K in Kind]: number }, StoreError>
}>()("p2p-mes/services/Store") {}
