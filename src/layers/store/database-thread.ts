/**
 * A database thread: opens the file and answers calls one by one, in order. Two run beside the event loop, one that
 * commits and one that reads; a third while the file is inspected.
 *
 * `open` and `repair` take turns of the thread's event loop; whoever calls waits for their answer before the next call.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { DatabaseSync } from "node:sqlite"
import { parentPort } from "node:worker_threads"
import type { Hashes } from "../../domain/hashing.ts"
import type { Record } from "../../domain/record.ts"
import { loadWasm } from "../crypto/hashing.ts"
import * as Answers from "./answers.ts"
import { makeArrivalReads } from "./arrivals.ts"
import * as Checkpoints from "./checkpoints.ts"
import { makeWriter } from "./commits.ts"
import * as Database from "./database.ts"
import { type Failure, failureOf } from "./errors.ts"
import { inspect } from "./inspect.ts"
import { type LeafHash, leafHash } from "./leaf.ts"
import { packArrivals, packRecords, unpackBatch, unpackRecords } from "./packing.ts"
import type { Calls, Handlers, Named, Reply, Request } from "./protocol.ts"
import * as ReadAnswers from "./read-answers.ts"
import { makeReads } from "./reads.ts"
import { reclaim } from "./reclaim.ts"
import { fits, rekey } from "./rekey.ts"
import { repair } from "./repair.ts"
import * as SyncAnswers from "./sync-answers.ts"
import { makeSyncReads } from "./sync-reads.ts"
import { makeTreeReads } from "./tree-reads.ts"

const one = (record: Record | undefined): ArrayBuffer => packRecords(record === undefined ? [] : [record])

/** An open file and what goes with it. */
interface Opened {
  readonly db: DatabaseSync
  readonly database: Database.DatabaseOptions
  readonly hashes: Hashes
  readonly leaf: LeafHash
}

const handlersOf = ({ database, db, hashes, leaf }: Opened): Handlers => {
  const reads = makeReads(db, hashes, database.path)
  const trees = makeTreeReads(db)
  const peers = makeSyncReads(db, hashes, leaf)
  const arrivals = makeArrivalReads(db, hashes)
  const writer = database.write ? makeWriter(db, hashes, leaf) : undefined
  const writing = () => {
    if (writer === undefined) throw new Error("this thread does not write")
    return writer
  }
  const inLine = <A>(value: A) => ({ commit: writer?.number() ?? 0, value })
  const written = Checkpoints.inPauses(db)
  return {
    commit: (batch) => {
      const { aged, records } = unpackBatch(batch)
      const committed = writing().write(records, aged)
      written()
      return Answers.packCommit(committed)
    },
    leaves: (query) => Answers.packLeaves(inLine(trees.leaves(query))),
    recent: (floor) => Answers.packRecent(inLine(trees.recent(floor))),
    recentBuckets: (floor) => Answers.packBuckets(trees.recentBuckets(floor)),
    collect: ({ aged, limit }) => {
      const collected = writing().collect(aged, limit)
      written()
      return collected
    },
    reclaim: (pages) => reclaim(db, pages),
    digests: (query) => SyncAnswers.packDigests(peers.digests(query)),
    pick: ({ domain, picks, span }) => SyncAnswers.packPicked(peers.pick(domain, span, picks)),
    stream: (query) => SyncAnswers.packStream(peers.stream(query)),
    taken: (slots) => SyncAnswers.packFlags(peers.taken(SyncAnswers.unpackSlots(slots))),
    known: (records) => SyncAnswers.packFlags(peers.known(unpackRecords(records))),
    arrivalLog: arrivals.log,
    arrivals: (query) => packArrivals(arrivals.page(query)),
    arrivedAfter: ({ after, limit }) => arrivals.countAfter(after, limit),
    clock: reads.clock,
    page: (query) => packRecords(reads.page(query)),
    pageJson: reads.pageJson,
    pageText: (query) => ReadAnswers.packText(reads.pageText(query)),
    messages: (ids) => packRecords(reads.messages(ids)),
    op: (id) => one(reads.op(id)),
    ops: (chatId) => packRecords(reads.ops(chatId)),
    read: ({ chatId, reader }) => one(reads.read(chatId, reader)),
    identity: (address) => one(reads.identity(address)),
    heads: (query) => ReadAnswers.packHeads(reads.heads(query)),
    groups: (user) => ReadAnswers.packIds(reads.groups(user)),
    peers: (user) => ReadAnswers.packAddresses(reads.peers(user)),
    unread: (queries) => ReadAnswers.packUnread(reads.unread(queries)),
    headers: (query) => ReadAnswers.packHeaders(reads.headers(query)),
    scan: (query) => packRecords(reads.scan(query)),
    stats: reads.stats,
    inspect: (kind) => inspect(db, hashes, kind, leaf),
    close: () => {
      db.close()
      return undefined
    }
  }
}

const reply = (message: Reply): void => {
  const buffer = "answer" in message && message.answer instanceof ArrayBuffer ? [message.answer] : []
  parentPort!.postMessage(message, buffer)
}

const hashing = Effect.runPromise(loadWasm)

const misfit = (path: string): Failure => ({
  reason: "io",
  message: `${path}: its records are of a network with another key, or with none: give the key of that network`
})

const open = (database: Database.DatabaseOptions): Effect.Effect<Opened & { readonly handlers: Handlers }, Failure> =>
  Effect.gen(function*() {
    const hashes = yield* Effect.promise(() => hashing)
    const leaf = leafHash(hashes, database.leafKey)
    const db = yield* Database.open(database)
    const opened = { db, database, hashes, leaf }
    const attempt = <A>(work: () => A) => Effect.try({ try: work, catch: (error) => failureOf(error, database.path) })
    return yield* Effect.gen(function*() {
      if (database.write) yield* attempt(() => rekey(db, hashes, leaf))
      else if (!(yield* attempt(() => fits(db, leaf)))) return yield* Effect.fail(misfit(database.path))
      return { ...opened, handlers: yield* attempt(() => handlersOf(opened)) }
    }).pipe(Effect.onError(() => Effect.sync(() => db.close())))
  })

let path = ""
let opened: (Opened & { readonly handlers: Handlers }) | undefined

const reopen = (database: Database.DatabaseOptions) =>
  Effect.map(open(database), (now): undefined => {
    opened = now
    return undefined
  })

const rewrite = (drop: ReadonlyArray<Named>) =>
  Effect.gen(function*() {
    if (opened === undefined) return yield* Effect.fail(failureOf(new Error("the file is not open"), path))
    const { database, db, hashes, leaf } = opened
    if (!database.write) return yield* Effect.fail(failureOf(new Error("this thread does not write"), path))
    const dropped = yield* repair(db, database, hashes, leaf, drop)
    yield* reopen(database)
    return dropped
  })

const answer = ({ id, name, ask }: Request): Reply => {
  try {
    if (opened === undefined || name === "open" || name === "repair") {
      throw new Error(`the file is not open, or is already: ${name}`)
    }
    if (name === "release" || name === "close") {
      opened.handlers.close(undefined)
      opened = undefined
      return { id, answer: undefined }
    }
    return { id, answer: (opened.handlers[name] as (ask: unknown) => Calls[keyof Calls]["answer"])(ask) }
  } catch (error) {
    return { id, failure: failureOf(error, path) }
  }
}

const replyOf = (id: number, exit: Exit.Exit<unknown, Failure>): Reply => {
  if (Exit.isSuccess(exit)) return { id, answer: exit.value }
  const error = Cause.squash(exit.cause)
  const isFailure = typeof error === "object" && error !== null && "reason" in error
  return { id, failure: isFailure ? error as Failure : failureOf(error, path) }
}

const later = (id: number, work: Effect.Effect<unknown, Failure>): void => {
  void Effect.runPromiseExit(work).then((exit) => reply(replyOf(id, exit)))
}

parentPort!.on("message", (request: Request) => {
  const { ask, id, name } = request
  if (name === "open" && opened === undefined) {
    const database = ask as Database.DatabaseOptions
    path = database.path
    return later(id, reopen(database))
  }
  if (name === "repair") return later(id, rewrite(ask as ReadonlyArray<Named>))
  reply(answer(request))
  if (name === "close") parentPort!.close()
})
