/**
 * What the event loop asks of the database threads, and the form of their answers. Own code rather than effect's
 * workers module: a call here is one message each way and an entry of a map, and buffers go by transfer.
 *
 * Rules:
 * 1. Answers come in the order of the calls of a thread; each call has exactly one.
 * 2. A batch and every bulk answer is one buffer (`packing.ts`, `answers.ts`, `read-answers.ts`, `sync-answers.ts`), text one
 *    string; what is small is cloned.
 * 3. Nothing is thrown across: a failure is a value.
 */
import type { Hlc } from "../../domain/hlc.ts"
import type { Span } from "../../domain/horizon.ts"
import type { Address, ChatId, MessageId, OpId } from "../../domain/ids.ts"
import type { Domain, Kind } from "../../domain/record.ts"
import type {
  Arrival,
  ArrivalLog,
  ArrivalQuery,
  Collected,
  Damage,
  DigestQuery,
  HeaderQuery,
  HeadsQuery,
  LeafQuery,
  PageQuery,
  Pick,
  ScanQuery,
  StoreStats,
  StreamQuery,
  UnreadQuery
} from "../../services/Store.ts"
import type { DatabaseOptions } from "./database.ts"
import type { Failure } from "./errors.ts"
import type { TextPage } from "./read-answers.ts"

/** A record to delete. */
export interface Named {
  readonly kind: Kind
  readonly id: string
}

/** Ask and answer by name. A buffer is: a batch of records, a commit, records, leaves, buckets, heads or headers, as named. */
export interface Calls {
  /** The first call. A thread loads its modules while it waits for it. */
  readonly open: { ask: DatabaseOptions; answer: undefined }
  readonly commit: { ask: ArrayBuffer; answer: ArrayBuffer }
  readonly leaves: { ask: LeafQuery; answer: ArrayBuffer }
  readonly recent: { ask: Hlc; answer: ArrayBuffer }
  readonly recentBuckets: { ask: Hlc; answer: ArrayBuffer }
  readonly collect: { ask: { aged: Hlc; limit: number }; answer: Collected }
  readonly reclaim: { ask: number; answer: number }
  readonly digests: { ask: DigestQuery; answer: ArrayBuffer }
  readonly pick: { ask: { domain: Domain; span: Span; picks: ReadonlyArray<Pick> }; answer: ArrayBuffer }
  readonly stream: { ask: StreamQuery; answer: ArrayBuffer }
  /** Slots in, a byte each out: 1 where something stands in it. */
  readonly taken: { ask: ArrayBuffer; answer: ArrayBuffer }
  /** Records in, a byte each out: 1 where it is known. */
  readonly known: { ask: ArrayBuffer; answer: ArrayBuffer }
  readonly arrivalLog: { ask: undefined; answer: ArrivalLog }
  readonly arrivals: { ask: ArrivalQuery; answer: ArrayBuffer }
  readonly arrivedAfter: { ask: { after: Arrival; limit: number }; answer: number }
  readonly clock: { ask: undefined; answer: Hlc }
  readonly page: { ask: PageQuery; answer: ArrayBuffer }
  readonly pageJson: { ask: PageQuery; answer: ArrayBuffer }
  readonly pageText: { ask: PageQuery; answer: TextPage }
  readonly messages: { ask: ReadonlyArray<MessageId>; answer: ArrayBuffer }
  readonly op: { ask: OpId; answer: ArrayBuffer }
  readonly ops: { ask: ChatId; answer: ArrayBuffer }
  readonly read: { ask: { chatId: ChatId; reader: Address }; answer: ArrayBuffer }
  readonly identity: { ask: Address; answer: ArrayBuffer }
  readonly heads: { ask: HeadsQuery; answer: ArrayBuffer }
  readonly groups: { ask: Address; answer: ArrayBuffer }
  readonly peers: { ask: Address; answer: ArrayBuffer }
  readonly unread: { ask: ReadonlyArray<UnreadQuery>; answer: ArrayBuffer }
  readonly headers: { ask: HeaderQuery; answer: ArrayBuffer }
  readonly scan: { ask: ScanQuery; answer: ArrayBuffer }
  readonly stats: { ask: undefined; answer: StoreStats }
  readonly inspect: { ask: Kind; answer: ReadonlyArray<Damage> }
  /** Rewrites the file; no other thread may have it open. Gives what was dropped. */
  readonly repair: { ask: ReadonlyArray<Named>; answer: { readonly [K in Kind]: number } }
  /** Closes the file; the next call is `open` again. */
  readonly release: { ask: undefined; answer: undefined }
  /** Closes the file; the thread ends after its answer. */
  readonly close: { ask: undefined; answer: undefined }
}

export type CallName = keyof Calls

export interface Request {
  readonly id: number
  readonly name: CallName
  readonly ask: unknown
}

export type Reply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failure: Failure }

/** Calls that are answered at once, with the file open. */
export type Handlers = {
  readonly [N in Exclude<CallName, "open" | "repair" | "release">]: (ask: Calls[N]["ask"]) => Calls[N]["answer"]
}
