/**
 * `SqlClient` of effect/sql over the built-in `node:sqlite`. It stands in for `@effect/sql-sqlite-node`, which has no
 * release for this Effect yet, and is to be replaced by it.
 *
 * The connection is the caller's: it also serves prepared statements beside this client (hot paths), never at the same
 * time, because everything here is synchronous and one thread owns a connection.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"

/** Statements kept prepared; the oldest goes first. */
const statementsMax = 64

const bindable = (value: unknown): SQLInputValue => {
  if (value === undefined || value === null) return null
  if (typeof value === "boolean") return value ? 1 : 0
  if (value instanceof Date) return value.toISOString()
  return value as SQLInputValue
}

/** `classifySqliteError` reads `errno`; node:sqlite says `errcode`. */
const sqlError = (cause: unknown): SqlError => {
  if (cause instanceof Error && "errcode" in cause) Object.assign(cause, { errno: cause.errcode })
  return new SqlError({ reason: classifySqliteError(cause, { message: "the statement failed", operation: "execute" }) })
}

type Run = (statement: StatementSync, params: ReadonlyArray<SQLInputValue>) => ReadonlyArray<unknown>

const rows: Run = (statement, params) => statement.all(...params)

const makeConnection = (db: DatabaseSync): Connection => {
  const cache = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const known = cache.get(sql)
    if (known !== undefined) return known
    const statement = db.prepare(sql)
    if (cache.size >= statementsMax) {
      for (const oldest of cache.keys()) {
        cache.delete(oldest)
        break
      }
    }
    cache.set(sql, statement)
    return statement
  }
  const run = <A extends object>(sql: string, params: ReadonlyArray<unknown>, prepared: boolean, how: Run) =>
    Effect.try({
      try: () => how(prepared ? prepare(sql) : db.prepare(sql), params.map(bindable)) as ReadonlyArray<A>,
      catch: sqlError
    })
  // Column arrays are a mode of the statement, so these are prepared apart.
  const values: Run = (statement, params) => {
    statement.setReturnArrays(true)
    return statement.all(...params)
  }
  const execute: Connection["execute"] = (sql, params, transform) =>
    transform === undefined ? run(sql, params, true, rows) : Effect.map(run(sql, params, true, rows), transform)
  return {
    execute,
    executeRaw: (sql, params) => run(sql, params, true, rows),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.map(execute(sql, params, transform), (all) => Stream.fromIterable(all))),
    executeValues: (sql, params) => run<ReadonlyArray<unknown>>(sql, params, false, values),
    executeValuesUnprepared: (sql, params) => run<ReadonlyArray<unknown>>(sql, params, false, values),
    executeUnprepared: (sql, params, transform) => {
      const answer = run(sql, params, false, rows)
      return transform === undefined ? answer : Effect.map(answer, transform)
    }
  }
}

/** A client over an open connection, which is not closed with it. */
export const layer = (db: DatabaseSync): Layer.Layer<SqlClient.SqlClient> =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function*() {
      const acquirers = SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(makeConnection(db)),
        semaphore: yield* Semaphore.make(1),
        isTransaction: () => db.isTransaction
      })
      return yield* SqlClient.make({
        ...acquirers,
        compiler: Statement.makeCompilerSqlite(),
        driver: "sqlite-node",
        spanAttributes: [["db.system.name", "sqlite"]],
        prepareTransactionControls: true
      })
    })
  ).pipe(Layer.provide(Reactivity.layer))
