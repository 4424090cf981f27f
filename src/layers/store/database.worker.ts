/**
 * A database thread: opens the file and answers calls one by one, in order. Two run beside the event loop, one that
 * commits and one that reads; a third while the file is inspected.
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
import { makeCommit } from "./commits.ts"
import * as Database from "./database.ts"
import { type Failure, failureOf } from "./errors.ts"
import { inspect } from "./inspect.ts"
import { packRecords, unpackRecords } from "./packing.ts"
import type { Calls, Handlers, Reply, Request } from "./protocol.ts"
import { makeReads } from "./reads.ts"

const one = (record: Record | undefined): ArrayBuffer => packRecords(record === undefined ? [] : [record])

const handlersOf = (db: DatabaseSync, hashes: Hashes, database: Database.DatabaseOptions): Handlers => {
  const reads = makeReads(db, hashes, database.path)
  const commit = database.write ? makeCommit(db, hashes) : undefined
  return {
    commit: (batch) => {
      if (commit === undefined) throw new Error("this thread does not write")
      return Answers.packCommit(commit(unpackRecords(batch)))
    },
    leaves: ({ domain, from, to }) => Answers.packLeaves(reads.leaves(domain, from, to)),
    clock: reads.clock,
    page: (query) => packRecords(reads.page(query)),
    messages: (ids) => packRecords(reads.messages(ids)),
    op: (id) => one(reads.op(id)),
    ops: (chatId) => packRecords(reads.ops(chatId)),
    read: ({ chatId, reader }) => one(reads.read(chatId, reader)),
    identity: (address) => one(reads.identity(address)),
    heads: ({ user, floor }) => Answers.packHeads(reads.heads(user, floor)),
    unread: (queries) => queries.map(reads.unread),
    headers: (query) => Answers.packHeaders(reads.headers(query)),
    scan: (query) => packRecords(reads.scan(query)),
    stats: reads.stats,
    inspect: (kind) => inspect(db, hashes, kind),
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

const open = (database: Database.DatabaseOptions): Effect.Effect<Handlers, Failure> =>
  Effect.gen(function*() {
    const hashes = yield* Effect.promise(() => hashing)
    const db = yield* Database.open(database)
    return yield* Effect.try({
      try: () => handlersOf(db, hashes, database),
      catch: (error) => failureOf(error, database.path)
    }).pipe(Effect.onError(() => Effect.sync(() => db.close())))
  })

let path = ""
let handlers: Handlers | undefined

const answer = ({ id, name, ask }: Request): Reply => {
  try {
    if (handlers === undefined || name === "open") throw new Error(`the file is not open, or is already: ${name}`)
    return { id, answer: (handlers[name] as (ask: unknown) => Calls[keyof Calls]["answer"])(ask) }
  } catch (error) {
    return { id, failure: failureOf(error, path) }
  }
}

const opened = (id: number, exit: Exit.Exit<Handlers, Failure>): Reply => {
  if (Exit.isSuccess(exit)) {
    handlers = exit.value
    return { id, answer: undefined }
  }
  const error = Cause.squash(exit.cause)
  const isFailure = typeof error === "object" && error !== null && "reason" in error
  return { id, failure: isFailure ? error as Failure : failureOf(error, path) }
}

parentPort!.on("message", (request: Request) => {
  if (request.name === "open" && handlers === undefined) {
    const database = request.ask as Database.DatabaseOptions
    path = database.path
    void Effect.runPromiseExit(open(database)).then((exit) => reply(opened(request.id, exit)))
    return
  }
  reply(answer(request))
  if (request.name === "close") parentPort!.close()
})
