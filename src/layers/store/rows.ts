/**
 * Rows as records. A row that is no record throws {@link DamagedRow}; nothing is repaired or guessed.
 *
 * Statements over these columns give arrays with bigints (`prepareRows`): stamps do not fit a number.
 */
import * as Result from "effect/Result"
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite"
import type { ToldMessage } from "../../api/message-json.ts"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import type { Hlc } from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import type { Identity, Kind, Message, Op, Read, Record } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
import type { Dictionary } from "./dictionary.ts"
import { DamagedRow } from "./errors.ts"

export type Row = ReadonlyArray<SQLOutputValue>

/** A statement whose rows are arrays, and whose integers are bigints. */
export interface Rows {
  readonly all: (...values: ReadonlyArray<SQLInputValue>) => ReadonlyArray<Row>
  readonly first: (...values: ReadonlyArray<SQLInputValue>) => Row | undefined
}

const arrays = (statement: StatementSync): StatementSync => {
  statement.setReturnArrays(true)
  statement.setReadBigInts(true)
  return statement
}

export const prepareRows = (db: DatabaseSync, sql: string): Rows => {
  const statement = arrays(db.prepare(sql))
  return {
    all: (...values) => statement.all(...values) as unknown as ReadonlyArray<Row>,
    first: (...values) => statement.get(...values) as unknown as Row | undefined
  }
}

/** Gives rows one by one; who stops early leaves the rest unread. */
export const prepareIterate = (db: DatabaseSync, sql: string) => {
  const statement = arrays(db.prepare(sql))
  return (...values: ReadonlyArray<SQLInputValue>): Iterable<Row> =>
    statement.iterate(...values) as unknown as Iterable<Row>
}

/** Visits rows without holding them all. The visitor must not write. */
export const prepareVisit = (db: DatabaseSync, sql: string) => {
  const statement = arrays(db.prepare(sql))
  return (visit: (row: Row) => void, ...values: ReadonlyArray<SQLInputValue>): void => {
    for (const row of statement.iterate(...values)) visit(row as unknown as Row)
  }
}

/**
 * Runs what reads by several statements as one transaction: to take the locks and give them back takes as long as a short
 * statement itself.
 */
export const makeAtOnce = (db: DatabaseSync) => {
  const [begin, end] = [db.prepare("BEGIN"), db.prepare("COMMIT")]
  return <A>(read: () => A): A => {
    begin.run()
    try {
      return read()
    } finally {
      // an error of the disk may have ended it
      if (db.isTransaction) end.run()
    }
  }
}

/** Rows of a page that are read at once, which is cheaper than one by one: 4 MB at worst, of which one is used. */
export const atOnceMax = 64

/** The number of the chat whose id is `?1`, where that is asked for once: by itself it would be a statement more. */
export const chatSql = "(SELECT num FROM chats WHERE id = ?1)"

/**
 * A limit by a parameter. SQLite looks into a bare one when it plans, and therefore plans again at every call: a short
 * statement then takes five times as long. Into a sum it does not look.
 */
export const limitBy = (parameter: string): string => `LIMIT ${parameter} + 0`

export const blob = (value: SQLOutputValue | undefined): Uint8Array => {
  if (!(value instanceof Uint8Array)) throw new DamagedRow("a stored field is not bytes, or names what is not there")
  return value
}

export const integer = (value: SQLOutputValue | undefined): number => {
  if (typeof value !== "bigint") throw new DamagedRow("a stored field is not an integer")
  return Number(value)
}

/** Stamps are 64 bits without a sign, SQLite's integers have one. */
export const stamp = (value: SQLOutputValue | undefined): Hlc => {
  if (typeof value !== "bigint") throw new DamagedRow("a stored field is not a stamp")
  return BigInt.asUintN(64, value) as Hlc
}

export const fromStamp = (hlc: Hlc): bigint => BigInt.asIntN(64, hlc)

/** No stamp that is stored is higher. */
export const integerMax = 2n ** 63n - 1n

/** A stamp as the upper bound of a comparison: the highest ones mean "no bound". */
export const boundOf = (hlc: Hlc): bigint => hlc > integerMax ? integerMax : hlc

/** The least stored stamp above `floor`. */
export const above = (floor: Hlc): bigint => floor >= integerMax ? integerMax : floor + 1n

/** The prefix of the lowest id of a bucket; one past the last bucket gives one past the greatest prefix. */
export const bucketStart = (bucket: number): bigint => (BigInt(bucket) << 48n) - 2n ** 63n

/** The prefix of the highest id of a bucket. */
export const bucketEnd = (bucket: number): bigint => bucketStart(bucket + 1) - 1n

export const hex = <A extends string>(value: SQLOutputValue | undefined): A => Bytes.toHex(blob(value)) as A

const optional = <A>(value: SQLOutputValue | undefined, read: (value: SQLOutputValue) => A): A | undefined =>
  value === null || value === undefined ? undefined : read(value)

/** Of a message; `m` is the row. Names stay numbers: {@link Dictionary} knows them, and joins cost half of a page. */
export const messageColumns =
  "m.id, m.chat, m.sender, m.node, m.hlc, m.ts, m.msg_type, m.content, m.control, m.sig_version, m.sig"

/** Reads `messageColumns`. */
export const messageOf = (names: Dictionary, row: Row): Message => {
  const sender = names.userName(integer(row[2]))
  const { a, b, id: chatId } = names.chatName(integer(row[1]))
  const content = Bytes.toText(blob(row[7]))
  const sigVersion = integer(row[9])
  if (content === undefined || (sigVersion !== 1 && sigVersion !== 2)) {
    throw new DamagedRow(`message ${hex(row[0])} cannot be read: run verify`)
  }
  const control = optional(row[8], blob)
  const peer = a === undefined || b === undefined ? undefined : sender === a ? b : a
  return {
    kind: "message",
    id: hex<Ids.MessageId>(row[0]),
    node: names.nodeName(integer(row[3])),
    sig: blob(row[10]),
    sigVersion,
    hlc: stamp(row[4]),
    ts: integer(row[5]),
    chatId,
    sender,
    msgType: integer(row[6]),
    content,
    ...(peer === undefined ? undefined : { peer }),
    ...(control === undefined ? undefined : { control })
  }
}

/** What a reader is told of a message: half of what is stored, and the chat is known. */
export const toldColumns = "m.id, m.sender, m.hlc, m.ts, m.msg_type, m.content, m.control"

/** Reads `toldColumns`. */
export const toldOf = (names: Dictionary, chatId: Ids.ChatId, row: Row): ToldMessage => {
  const content = Bytes.toText(blob(row[5]))
  if (content === undefined) throw new DamagedRow(`message ${hex(row[0])} cannot be read: run verify`)
  return {
    id: hex<Ids.MessageId>(row[0]),
    chatId,
    sender: names.userName(integer(row[1])),
    hlc: stamp(row[2]),
    ts: integer(row[3]),
    msgType: integer(row[4]),
    content,
    control: optional(row[6], blob)
  }
}

/** Reads a record that is stored in its wire form. */
export const wireOf = <K extends "op" | "read" | "identity">(
  hashes: Hashes,
  kind: K,
  value: SQLOutputValue | undefined
): Extract<Op | Read | Identity, { kind: K }> => {
  const decoded = Wire.decode(hashes, kind, blob(value))
  if (Result.isFailure(decoded)) {
    throw new DamagedRow(`a stored ${kind} cannot be read (${decoded.failure.field}): run verify`)
  }
  return decoded.success as Extract<Op | Read | Identity, { kind: K }>
}

export const tableOf = { message: "messages", op: "ops", read: "reads", identity: "identities" } as const satisfies {
  readonly [K in Kind]: string
}

/** The id of a record as it is stored. */
export const idBytes = (record: Record): Uint8Array => Bytes.fromHex(record.id)
