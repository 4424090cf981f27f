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
  readonly hlc: Hlc
  readonly change: "insert" | "remove"
}

export interface Commit {
  /** In the order of the batch. */
  readonly outcomes: ReadonlyArray<Outcome>
  readonly leaves: ReadonlyArray<LeafChange>
}

/** A place in a chat. Messages are ordered by it, and no two share one. */
export interface Position {
  readonly hlc: Hlc
  readonly id: MessageId
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

/** A message without its body: enough to count it. */
export interface Header {
  readonly sender: Address
  readonly position: Position
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
  /** Stores a batch in one transaction: when this succeeds, it survives a kill of the process. */
  commit(batch: ReadonlyArray<Record>): Effect.Effect<Commit, StoreError>
  /** The highest stamp ever committed; `Hlc.zero` when there is none. */
  readonly clock: Effect.Effect<Hlc, StoreError>
  /** At most `limit` messages; fewer, but at least one, when they take `limits.pageBytesMax` or more (`record.sizeOf`). */
  page(query: PageQuery): Effect.Effect<ReadonlyArray<Message>, StoreError>
  message(id: MessageId): Effect.Effect<Message | undefined, StoreError>
  op(id: OpId): Effect.Effect<Op | undefined, StoreError>
  /** All ops of a group by (hlc, op id). Empty: not known here. */
  ops(chatId: ChatId): Effect.Effect<ReadonlyArray<Op>, StoreError>
  read(chatId: ChatId, reader: Address): Effect.Effect<Read | undefined, StoreError>
  identity(address: Address): Effect.Effect<Identity | undefined, StoreError>
  /** Every chat of a user, in no order. */
  heads(user: Address, floor: Hlc): Effect.Effect<ReadonlyArray<ChatHead>, StoreError>
  /** Counts by sender, one list a query, in the order of `queries`. */
  unread(queries: ReadonlyArray<UnreadQuery>): Effect.Effect<ReadonlyArray<ReadonlyArray<SenderCount>>, StoreError>
  /** The messages that a query selects, without bodies, oldest first. */
  headers(query: UnreadQuery): Effect.Effect<ReadonlyArray<Header>, StoreError>
  messages(ids: ReadonlyArray<MessageId>): Effect.Effect<ReadonlyArray<Message>, StoreError>
  /**
   * Leaves of buckets `from` to `to` (exclusive), summed from stored digests. Runs in line with commits: it holds exactly
   * those whose `commit` was called before.
   */
  leaves(domain: Domain, from: number, to: number): Effect.Effect<ReadonlyArray<Leaf>, StoreError>
  /** Records by ascending id: for dump, verification and sync. */
  scan(query: ScanQuery): Effect.Effect<ReadonlyArray<Record>, StoreError>
  readonly stats: Effect.Effect<StoreStats, StoreError>
  /**
   * Looks for damage without changing anything: the file's own integrity check, ids and digests of every row of `kind`
   * recomputed, derived columns and indexes compared. Signatures are the caller's to check (`scan`).
   */
  inspect(kind: Kind): Effect.Effect<ReadonlyArray<Damage>, StoreError>
}>()("p2p-mes/services/Store") {}
