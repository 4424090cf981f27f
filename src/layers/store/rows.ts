/**
 * Rows as records. A row that is no record throws {@link DamagedRow}; nothing is repaired or guessed.
 *
 * Statements over these columns give arrays with bigints (`prepareRows`): stamps do not fit a number.
 */
import { Result } from "effect"
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import type { Hlc } from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import type { Identity, Kind, Message, Op, Read, Record } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
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

/** Visits rows without holding them all. The visitor must not write. */
export const prepareVisit = (db: DatabaseSync, sql: string) => {
  const statement = arrays(db.prepare(sql))
  return (visit: (row: Row) => void, ...values: ReadonlyArray<SQLInputValue>): void => {
    for (const row of statement.iterate(...values)) visit(row as unknown as Row)
  }
}

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

export const hex = <A extends string>(value: SQLOutputValue | undefined): A => Bytes.toHex(blob(value)) as A

const optional = <A>(value: SQLOutputValue | undefined, read: (value: SQLOutputValue) => A): A | undefined =>
  value === null || value === undefined ? undefined : read(value)

/** Of a message; `m` is the row. The joins are by row number, and are outer ones so that damage shows. */
export const messageColumns =
  `m.id, c.id, s.address, a.address, b.address, m.hlc, m.ts, m.msg_type, m.content, m.control, n.node, m.sig_version,
    m.sig, m.digest, m.prefix, m.rowid`
export const messageJoins = `messages m LEFT JOIN chats c ON c.num = m.chat LEFT JOIN users s ON s.num = m.sender
  LEFT JOIN users a ON a.num = c.a LEFT JOIN users b ON b.num = c.b LEFT JOIN nodes n ON n.num = m.node`

/** Reads `messageColumns`. */
export const messageOf = (row: Row): Message => {
  const sender = hex<Ids.Address>(row[2])
  const a = optional(row[3], hex<Ids.Address>)
  const b = optional(row[4], hex<Ids.Address>)
  const content = Bytes.toText(blob(row[8]))
  const node = row[10]
  const sigVersion = integer(row[11])
  if (content === undefined || typeof node !== "string" || (sigVersion !== 1 && sigVersion !== 2)) {
    throw new DamagedRow(`message ${hex(row[0])} cannot be read: run verify`)
  }
  const control = optional(row[9], blob)
  const peer = a === undefined || b === undefined ? undefined : sender === a ? b : a
  return {
    kind: "message",
    id: hex<Ids.MessageId>(row[0]),
    node: node as Ids.NodeId,
    sig: blob(row[12]),
    sigVersion,
    hlc: stamp(row[5]),
    ts: integer(row[6]),
    chatId: hex<Ids.ChatId>(row[1]),
    sender,
    msgType: integer(row[7]),
    content,
    ...(peer === undefined ? undefined : { peer }),
    ...(control === undefined ? undefined : { control })
  }
}

export const digestOf = (row: Row): Uint8Array => blob(row[13])
export const rowidOf = (row: Row): number => integer(row[15])

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
