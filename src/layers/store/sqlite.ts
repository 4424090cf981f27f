/**
 * The store of a node: SQLite in `<directory>/messages.sqlite`, on threads of its own, so that the event loop never waits
 * for a disk. The writer's thread takes what must be in line with commits, the reader's everything else; the log
 * lets both go on at once.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import type { Worker } from "node:worker_threads"
import type { Identity, Message, Op, Read, Record } from "../../domain/record.ts"
import {
  type ArrivalPage,
  type ArrivalQuery,
  Store,
  StoreError,
  type StreamPage,
  type StreamQuery
} from "../../services/Store.ts"
import * as Answers from "./answers.ts"
import { storeError } from "./errors.ts"
import * as Lock from "./lock.ts"
import { packBatch, packRecords, unpackArrivals, unpackRecords } from "./packing.ts"
import * as ReadAnswers from "./read-answers.ts"
import * as SyncAnswers from "./sync-answers.ts"
import * as Thread from "./thread.ts"

export interface SqliteOptions {
  /** Made, for the owner alone, where it is missing. */
  readonly directory: string
  /**
   * `write` (the default): this process is the one node of the directory. `read`: beside a node that may be running;
   * `commit` fails with `readonly`.
   */
  readonly access?: "write" | "read" | undefined
  /** Bytes the database file may take, its log not counted; past it `commit` fails with `full`. Absent: no bound. */
  readonly bytesMax?: number | undefined
  /**
   * 32 bytes, in a network that has one: leaf digests are keyed with it (SPEC §6). A store that was opened with another, or
   * none, has its digests computed anew before it opens; for reading that is an error.
   */
  readonly leafKey?: Uint8Array | undefined
  /** Makes a database thread. For tests. */
  readonly spawn?: (() => Worker) | undefined
}

const lock = (directory: string): Effect.Effect<void, StoreError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const lock = Lock.acquire(directory, process.pid)
      return "release" in lock ? Effect.succeed(lock) : Effect.fail(storeError(lock))
    }),
    (lock) => Effect.sync(lock.release)
  ).pipe(Effect.asVoid)

const only = <R extends Record>(buffer: ArrayBuffer): R | undefined => unpackRecords(buffer)[0] as R | undefined
const all = <R extends Record>(buffer: ArrayBuffer): ReadonlyArray<R> => unpackRecords(buffer) as ReadonlyArray<R>

/**
 * Asks on until there is a record: a call looks at a bounded number of rows, none of which may be in the span, and others
 * read in between.
 */
const stream = (reader: Thread.Thread, query: StreamQuery): Effect.Effect<StreamPage, StoreError> =>
  Effect.gen(function*() {
    let page = SyncAnswers.unpackStream(yield* reader.call("stream", query))
    while (page.records.length === 0 && page.next !== undefined) {
      page = SyncAnswers.unpackStream(yield* reader.call("stream", { ...query, cursor: page.next }))
    }
    return page
  })

/** Asks on as {@link stream} does: a user's few records may lie behind very many of others. */
const arrivals = (reader: Thread.Thread, query: ArrivalQuery): Effect.Effect<ArrivalPage, StoreError> =>
  Effect.gen(function*() {
    let page = unpackArrivals(yield* reader.call("arrivals", query))
    while (page.arrived.length === 0 && page.seen < query.upTo) {
      page = unpackArrivals(yield* reader.call("arrivals", { ...query, after: page.seen }))
    }
    return page
  })

/** Most of what peers bring is new, and its slot free: whole records cross only where two must be compared. */
const known = (
  reader: Thread.Thread,
  records: ReadonlyArray<Record>
): Effect.Effect<ReadonlyArray<boolean>, StoreError> =>
  Effect.gen(function*() {
    const known = [...SyncAnswers.unpackFlags(yield* reader.call("taken", SyncAnswers.packSlots(records)))]
    const rivals = records.filter((_, i) => known[i])
    if (rivals.length === 0) return known
    const verdicts = SyncAnswers.unpackFlags(yield* reader.call("known", packRecords(rivals)))
    let next = 0
    return known.map((taken) => taken && verdicts[next++]!)
  })

const make = (options: SqliteOptions) =>
  Effect.gen(function*() {
    const path = join(options.directory, "messages.sqlite")
    const write = options.access !== "read"
    const open = (thread: Thread.Thread, write: boolean) =>
      Effect.as(thread.call("open", { path, write, bytesMax: options.bytesMax, leafKey: options.leafKey }), thread)
    if (write) yield* lock(options.directory)
    // Both load at once. The writer opens first, for it makes the file, and closes last, to bring the log into it.
    const first = write ? yield* Thread.start(path, options.spawn) : undefined
    const second = yield* Thread.start(path, options.spawn)
    const writer = first === undefined ? undefined : yield* open(first, true)
    const reader = yield* open(second, false)
    const inLine = writer ?? reader
    const readonly = new StoreError({ reason: "readonly", message: `${path}: opened for reading only` })
    const writing = <A>(body: (writer: Thread.Thread) => Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
      writer === undefined ? Effect.fail(readonly) : Effect.suspend(() => body(writer))
    return Store.of({
      commit: (batch, aged) =>
        writing((writer) =>
          Effect.map(writer.call("commit", packBatch(batch, aged)), (answer) => Answers.unpackCommit(answer, batch))
        ),
      collect: (aged, limit) => writing((writer) => writer.call("collect", { aged, limit })),
      reclaim: (pages) => writing((writer) => writer.call("reclaim", pages)),
      clock: inLine.call("clock", undefined),
      leaves: (query) => Effect.map(inLine.call("leaves", query), Answers.unpackLeaves),
      recent: (floor) => Effect.map(inLine.call("recent", floor), Answers.unpackRecent),
      recentBuckets: (floor) => Effect.map(reader.call("recentBuckets", floor), Answers.unpackBuckets),
      digests: (query) => Effect.map(reader.call("digests", query), SyncAnswers.unpackDigests),
      pick: (domain, span, picks) => Effect.map(reader.call("pick", { domain, span, picks }), SyncAnswers.unpackPicked),
      stream: (query) => stream(reader, query),
      known: (records) => known(reader, records),
      arrivalLog: reader.call("arrivalLog", undefined),
      arrivals: (query) => arrivals(reader, query),
      arrivedAfter: (after, limit) => reader.call("arrivedAfter", { after, limit }),
      page: (query) => Effect.map(reader.call("page", query), all<Message>),
      pageJson: (query) => Effect.map(reader.call("pageJson", query), (json) => new Uint8Array(json)),
      pageText: (query) => Effect.map(reader.call("pageText", query), ReadAnswers.unpackText),
      message: (id) => Effect.map(reader.call("messages", [id]), only<Message>),
      messages: (ids) => Effect.map(reader.call("messages", ids), all<Message>),
      op: (id) => Effect.map(reader.call("op", id), only<Op>),
      ops: (chatId) => Effect.map(reader.call("ops", chatId), all<Op>),
      read: (chatId, user) => Effect.map(reader.call("read", { chatId, reader: user }), only<Read>),
      identity: (address) => Effect.map(reader.call("identity", address), only<Identity>),
      heads: (query) => Effect.map(reader.call("heads", query), ReadAnswers.unpackHeads),
      groups: (user) => Effect.map(reader.call("groups", user), ReadAnswers.unpackIds),
      peers: (user) => Effect.map(reader.call("peers", user), ReadAnswers.unpackAddresses),
      unread: (queries) => Effect.map(reader.call("unread", queries), ReadAnswers.unpackUnread),
      headers: (query) => Effect.map(reader.call("headers", query), ReadAnswers.unpackHeaders),
      scan: (query) => Effect.map(reader.call("scan", query), unpackRecords),
      stats: reader.call("stats", undefined),
      // On a thread of its own: it reads everything, and pages must not wait for it.
      inspect: (kind) =>
        Thread.start(path, options.spawn).pipe(
          Effect.flatMap((thread) => open(thread, false)),
          Effect.flatMap((thread) => thread.call("inspect", kind)),
          Effect.scoped
        ),
      // Nobody else may have the file open while another is put in its place.
      repair: (drop) =>
        writing((writer) =>
          reader.call("release", undefined).pipe(
            Effect.andThen(writer.call("repair", drop)),
            Effect.ensuring(Effect.ignore(open(reader, false))),
            Effect.uninterruptible
          )
        )
    })
  })

/** Opens, and closes with the layer. Fails when the file cannot be opened, is damaged or belongs to another process. */
export const layerSqlite = (options: SqliteOptions): Layer.Layer<Store, StoreError> =>
  Layer.effect(Store, make(options))
