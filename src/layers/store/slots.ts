/**
 * What stands in the slot that a record competes for (`domain/variants`): found by index, read as a record only when
 * two must be compared.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import type { Identity, Kind, Message, Op, Read, Record } from "../../domain/record.ts"
import type { Dictionary } from "./dictionary.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"

/** What a slot holds. */
export interface Held {
  readonly rowid: number
  readonly digest: Uint8Array
}

/** The place that a record competes for: as much of it as names that. */
export type Slot =
  | Pick<Message | Op, "kind" | "id">
  | Pick<Read, "kind" | "chatId" | "reader">
  | Pick<Identity, "kind" | "address">

export interface Slots {
  /** `id`: that of the record, for whoever has it as bytes. */
  readonly find: (slot: Slot, id?: Uint8Array) => Held | undefined
  /**
   * Which of these prefixes of ids are those of stored messages: by one statement for a whole batch, a third of the price of
   * looking for each message by itself, and nearly all are new.
   */
  readonly taken: (prefixes: ReadonlyArray<bigint>) => Set<bigint>
  /** Throws `DamagedRow` when the row is no record. */
  readonly load: (kind: Kind, held: Pick<Held, "rowid">) => Record
}

/** Fewer than these are not worth a question: each is taken to be stored. */
const takenMin = 4

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
  const taken = Rows.prepareRows(
    db,
    "SELECT prefix FROM messages INDEXED BY messages_by_id WHERE prefix IN (SELECT value FROM json_each(?))"
  )
  const message = Rows.prepareRows(db, `SELECT ${Rows.messageColumns} FROM messages m WHERE m.rowid = ?`)
  const wired = (kind: "op" | "read" | "identity") =>
    Rows.prepareRows(db, `SELECT record FROM ${Rows.tableOf[kind]} WHERE rowid = ?`)
  const loaders = { op: wired("op"), read: wired("read"), identity: wired("identity") }

  const ofRead = (slot: Extract<Slot, { kind: "read" }>): Values => {
    const [chat, reader] = [names.findChat(slot.chatId), names.findUser(slot.reader)]
    return chat === undefined || reader === undefined ? undefined : [chat.num, reader]
  }
  const ofIdentity = (slot: Extract<Slot, { kind: "identity" }>): Values => {
    const user = names.findUser(slot.address)
    return user === undefined ? undefined : [user]
  }
  const valuesOf = (slot: Slot, known: Uint8Array | undefined): Values => {
    if (slot.kind === "read") return ofRead(slot)
    if (slot.kind === "identity") return ofIdentity(slot)
    const id = known ?? Bytes.fromHex(slot.id)
    return [prefixOf(id), id]
  }
  return {
    find: (slot, id) => {
      const values = valuesOf(slot, id)
      const row = values === undefined ? undefined : finders[slot.kind].first(...values)
      return row === undefined ? undefined : { rowid: Rows.integer(row[0]), digest: Rows.blob(row[1]) }
    },
    taken: (prefixes) =>
      prefixes.length < takenMin
        ? new Set(prefixes)
        : new Set(taken.all(`[${prefixes.join()}]`).map((row) => row[0] as bigint)),
    load: (kind, held): Record =>
      kind === "message"
        ? Rows.messageOf(names, message.first(held.rowid)!)
        : Rows.wireOf(hashes, kind, loaders[kind].first(held.rowid)?.[0]) as Op | Read | Identity
  }
}
