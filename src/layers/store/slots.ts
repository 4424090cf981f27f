/**
 * What stands in the slot that a record competes for (`domain/variants`): found by index, read as a record only when
 * two must be compared.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import type { Hashes } from "../../domain/hashing.ts"
import type { Identity, Kind, Op, Read, Record } from "../../domain/record.ts"
import type { Dictionary } from "./dictionary.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"

/** What a slot holds. */
export interface Held {
  readonly rowid: number
  readonly digest: Uint8Array
}

export interface Slots {
  readonly find: (record: Record) => Held | undefined
  /** Throws `DamagedRow` when the row is no record. */
  readonly load: (kind: Kind, held: Held) => Record
}

type Values = ReadonlyArray<SQLInputValue> | undefined

export const makeSlots = (db: DatabaseSync, hashes: Hashes, names: Dictionary): Slots => {
  const byId = "prefix = ? AND id = ?"
  const finder = (table: string, where: string) =>
    Rows.prepareRows(db, `SELECT rowid, digest FROM ${table} WHERE ${where}`)
  const finders = {
    message: finder("messages", byId),
    op: finder("ops", byId),
    read: finder("reads", "chat = ? AND reader = ?"),
    identity: finder("identities", "user = ?")
  }
  const message = Rows.prepareRows(db, `SELECT ${Rows.messageColumns} FROM messages m WHERE m.rowid = ?`)
  const wired = (kind: "op" | "read" | "identity") =>
    Rows.prepareRows(db, `SELECT record FROM ${Rows.tableOf[kind]} WHERE rowid = ?`)
  const loaders = { op: wired("op"), read: wired("read"), identity: wired("identity") }

  const ofRead = (record: Read): Values => {
    const [chat, reader] = [names.findChat(record.chatId), names.findUser(record.reader)]
    return chat === undefined || reader === undefined ? undefined : [chat.num, reader]
  }
  const ofIdentity = (record: Identity): Values => {
    const user = names.findUser(record.address)
    return user === undefined ? undefined : [user]
  }
  const valuesOf = (record: Record): Values => {
    if (record.kind === "read") return ofRead(record)
    if (record.kind === "identity") return ofIdentity(record)
    const id = Rows.idBytes(record)
    return [prefixOf(id), id]
  }
  return {
    find: (record) => {
      const values = valuesOf(record)
      const row = values === undefined ? undefined : finders[record.kind].first(...values)
      return row === undefined ? undefined : { rowid: Rows.integer(row[0]), digest: Rows.blob(row[1]) }
    },
    load: (kind, held): Record =>
      kind === "message"
        ? Rows.messageOf(names, message.first(held.rowid)!)
        : Rows.wireOf(hashes, kind, loaders[kind].first(held.rowid)?.[0]) as Op | Read | Identity
  }
}
