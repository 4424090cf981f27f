/**
 * Writes a batch in one transaction, deciding each slot by `domain/variants`.
 *
 * Rule: everything of the batch is kept or nothing. What this module remembers between batches (numbers of names, the
 * state row) is dropped and read again after a failure.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import {
  domainOf,
  type Identity,
  type Kind,
  type Message,
  type Op,
  type Read,
  type Record
} from "../../domain/record.ts"
import { wins } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import type { Commit, LeafChange, Outcome } from "../../services/Store.ts"
import { Dictionary } from "./dictionary.ts"
import { bucketOf, prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"
import { readState, type State, writeStateSql, writeStateValues } from "./state.ts"

/** What a slot holds: the record is read only when it must be compared. */
interface Held {
  readonly rowid: number
  readonly digest: Uint8Array
}

/** Slot access of one kind. */
interface Table<R extends Record> {
  readonly find: (record: R) => Held | undefined
  readonly load: (held: Held) => R
  readonly insert: (record: R, digest: Uint8Array) => void
  readonly update: (record: R, digest: Uint8Array, held: Held) => void
}

const heldOf = (row: Rows.Row | undefined): Held | undefined =>
  row === undefined ? undefined : { rowid: Rows.integer(row[0]), digest: Rows.blob(row[1]) }

const messageTable = (db: DatabaseSync, names: Dictionary): Table<Message> => {
  const find = Rows.prepareRows(db, "SELECT rowid, digest FROM messages WHERE prefix = ? AND id = ?")
  const load = Rows.prepareRows(db, `SELECT ${Rows.messageColumns} FROM messages m WHERE m.rowid = ?`)
  const insert = db.prepare(
    `INSERT INTO messages (chat, hlc, prefix, id, sender, ts, msg_type, content, control, node, sig_version, sig, digest)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
  )
  // The id covers everything else.
  const update = db.prepare(
    "UPDATE messages SET hlc = ?, node = ?, sig_version = ?, sig = ?, digest = ? WHERE rowid = ?"
  )
  return {
    find: (record) => {
      const id = Rows.idBytes(record)
      return heldOf(find.first(prefixOf(id), id))
    },
    load: (held) => Rows.messageOf(names, load.first(held.rowid)!),
    insert: (record, digest) => {
      const id = Rows.idBytes(record)
      const chat = names.chat(record.chatId, record.sender, record.peer)
      insert.run(
        chat.num,
        Rows.fromStamp(record.hlc),
        prefixOf(id),
        id,
        names.user(record.sender),
        record.ts,
        record.msgType,
        Bytes.fromText(record.content),
        record.control ?? null,
        names.node(record.node),
        record.sigVersion,
        record.sig,
        digest
      )
    },
    update: (record, digest, held) => {
      update.run(
        Rows.fromStamp(record.hlc),
        names.node(record.node),
        record.sigVersion,
        record.sig,
        digest,
        held.rowid
      )
    }
  }
}

/** A kind that is kept in its wire form; `columns` beside it, `slot` names the row. */
const wireTable = <R extends Op | Read | Identity>(
  db: DatabaseSync,
  hashes: Hashes,
  kind: R["kind"],
  columns: ReadonlyArray<string>,
  slot: string,
  valuesOf: (record: R) => ReadonlyArray<SQLInputValue>,
  slotOf: (record: R) => ReadonlyArray<SQLInputValue> | undefined,
  stored: (record: R) => void
): Table<R> => {
  const table = Rows.tableOf[kind]
  const all = [...columns, "prefix", "id", "record", "digest"]
  const find = Rows.prepareRows(db, `SELECT rowid, digest FROM ${table} WHERE ${slot}`)
  const load = Rows.prepareRows(db, `SELECT record FROM ${table} WHERE rowid = ?`)
  const insert = db.prepare(`INSERT INTO ${table} (${all.join(", ")}) VALUES (${all.map(() => "?").join(", ")})`)
  const update = db.prepare(`UPDATE ${table} SET ${all.map((name) => `${name} = ?`).join(", ")} WHERE rowid = ?`)
  const values = (record: R, digest: Uint8Array) => {
    const id = Rows.idBytes(record)
    return [...valuesOf(record), prefixOf(id), id, Wire.encode(record), digest]
  }
  return {
    find: (record) => {
      const names = slotOf(record)
      return names === undefined ? undefined : heldOf(find.first(...names))
    },
    load: (held) => Rows.wireOf(hashes, kind, load.first(held.rowid)?.[0]) as unknown as R,
    insert: (record, digest) => {
      insert.run(...values(record, digest))
      stored(record)
    },
    update: (record, digest, held) => {
      update.run(...values(record, digest), held.rowid)
    }
  }
}

const tables = (db: DatabaseSync, hashes: Hashes, names: Dictionary) => {
  const chatOf = (record: Op) => names.chat(record.chatId, record.actor, undefined).num
  return {
    message: messageTable(db, names),
    op: wireTable<Op>(
      db,
      hashes,
      "op",
      ["chat", "hlc"],
      "prefix = ? AND id = ?",
      (record) => [chatOf(record), Rows.fromStamp(record.hlc)],
      (record) => {
        const id = Rows.idBytes(record)
        return [prefixOf(id), id]
      },
      (record) => {
        const chat = chatOf(record)
        for (const user of [record.actor, ...record.targets]) names.link(names.user(user), chat)
      }
    ),
    read: wireTable<Read>(
      db,
      hashes,
      "read",
      ["chat", "reader", "up_to", "hlc"],
      "chat = ? AND reader = ?",
      (record) => [
        names.chat(record.chatId, record.reader, record.peer).num,
        names.user(record.reader),
        Rows.fromStamp(record.upTo),
        Rows.fromStamp(record.hlc)
      ],
      (record) => {
        const chat = names.findChat(record.chatId)
        const reader = names.findUser(record.reader)
        return chat === undefined || reader === undefined ? undefined : [chat.num, reader]
      },
      () => {}
    ),
    identity: wireTable<Identity>(
      db,
      hashes,
      "identity",
      ["user"],
      "user = ?",
      (record) => [names.user(record.address)],
      (record) => {
        const user = names.findUser(record.address)
        return user === undefined ? undefined : [user]
      },
      () => {}
    )
  }
}

const changeOf = (record: Record, digest: Uint8Array, change: LeafChange["change"]): LeafChange => ({
  domain: domainOf(record),
  bucket: bucketOf(record.id),
  digest,
  hlc: record.hlc,
  change
})

/** The counter of a kind in the state row. */
const counterOf = Rows.tableOf

/** Gives `commit`, which throws what node:sqlite throws and then has kept nothing. */
export const makeCommit = (
  db: DatabaseSync,
  hashes: Hashes
): (batch: ReadonlyArray<Record>) => Commit => {
  const names = new Dictionary(db)
  // Each kind has the table of its own records, which the type of a lookup by kind cannot say.
  const byKind = tables(db, hashes, names) as unknown as { readonly [K in Kind]: Table<Record> }
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const writeState = db.prepare(writeStateSql)
  let kept: State = readState(db)

  const put = (
    record: Record,
    next: { -readonly [K in keyof State]: State[K] },
    leaves: Array<LeafChange>
  ): Outcome => {
    const table = byKind[record.kind]
    const digest = Wire.leafDigest(hashes.blake3, record)
    if (record.hlc > next.clock) next.clock = record.hlc
    const held = table.find(record)
    if (held === undefined) {
      table.insert(record, digest)
      next[counterOf[record.kind]]++
      leaves.push(changeOf(record, digest, "insert"))
      return "stored"
    }
    if (Bytes.equal(held.digest, digest)) return "known"
    const old: Record = table.load(held)
    if (!wins(record, old)) return "superseded"
    table.update(record, digest, held)
    leaves.push(changeOf(old, held.digest, "remove"), changeOf(record, digest, "insert"))
    return "replaced"
  }

  return (batch) => {
    const next = { ...kept }
    const leaves: Array<LeafChange> = []
    try {
      begin.run()
      const outcomes = batch.map((record) => put(record, next, leaves))
      writeState.run(...writeStateValues(hashes, next))
      commit.run()
      kept = next
      return { outcomes, leaves }
    } catch (error) {
      names.forget()
      // Some errors have rolled back already.
      if (db.isTransaction) db.exec("ROLLBACK")
      throw error
    }
  }
}
