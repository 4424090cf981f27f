/**
 * The one writer of a connection: batches, each slot decided by `domain/variants`, and the steps of the collector.
 *
 * Rule: everything of a transaction is kept or nothing. What this module remembers between transactions (numbers of
 * names, the state row) is dropped and read again after a failure.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import type { Hlc } from "../../domain/hlc.ts"
import type { Identity, Kind, Message, Op, Read, Record } from "../../domain/record.ts"
import { wins } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import type { Collected, Commit, LeafChange, Outcome } from "../../services/Store.ts"
import { makeCollect } from "./collect.ts"
import { Dictionary } from "./dictionary.ts"
import * as Leaf from "./leaf.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"
import { type Held, makeSlots } from "./slots.ts"
import { type Draft, empty, readState, type State, writeStateSql, writeStateValues } from "./state.ts"

/** What is stored beside the fields of a record: its wire form and that form's digest. */
interface Sealed {
  readonly bytes: Uint8Array
  readonly digest: Uint8Array
}

/** How one kind is written. */
interface Table<R extends Record> {
  readonly insert: (record: R, sealed: Sealed) => void
  readonly update: (record: R, sealed: Sealed, held: Held) => void
}

const messageTable = (db: DatabaseSync, names: Dictionary): Table<Message> => {
  const insert = db.prepare(
    `INSERT INTO messages (chat, hlc, prefix, id, sender, ts, msg_type, content, control, node, sig_version, sig, digest)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
  )
  // The id covers everything else.
  const update = db.prepare(
    "UPDATE messages SET hlc = ?, node = ?, sig_version = ?, sig = ?, digest = ? WHERE rowid = ?"
  )
  return {
    insert: (record, { digest }) => {
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
    update: (record, { digest }, held) => {
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

/** A kind that is kept in its wire form; `columns` beside it. */
const wireTable = <R extends Op | Read | Identity>(
  db: DatabaseSync,
  kind: R["kind"],
  columns: ReadonlyArray<string>,
  valuesOf: (record: R) => ReadonlyArray<SQLInputValue>,
  stored: (record: R) => void
): Table<R> => {
  const table = Rows.tableOf[kind]
  const all = [...columns, "hlc", "prefix", "id", "record", "digest"]
  const insert = db.prepare(`INSERT INTO ${table} (${all.join(", ")}) VALUES (${all.map(() => "?").join(", ")})`)
  const update = db.prepare(`UPDATE ${table} SET ${all.map((name) => `${name} = ?`).join(", ")} WHERE rowid = ?`)
  const values = (record: R, { bytes, digest }: Sealed) => {
    const id = Rows.idBytes(record)
    return [...valuesOf(record), Rows.fromStamp(record.hlc), prefixOf(id), id, bytes, digest]
  }
  return {
    insert: (record, sealed) => {
      insert.run(...values(record, sealed))
      stored(record)
    },
    update: (record, sealed, held) => {
      update.run(...values(record, sealed), held.rowid)
    }
  }
}

const tables = (db: DatabaseSync, names: Dictionary) => {
  const chatOf = (record: Op) => names.chat(record.chatId, record.actor, undefined).num
  return {
    message: messageTable(db, names),
    op: wireTable<Op>(
      db,
      "op",
      ["chat"],
      (record) => [chatOf(record)],
      (record) => {
        const chat = chatOf(record)
        for (const user of [record.actor, ...record.targets]) names.link(names.user(user), chat)
      }
    ),
    read: wireTable<Read>(
      db,
      "read",
      ["chat", "reader", "up_to"],
      (record) => [
        names.chat(record.chatId, record.reader, record.peer).num,
        names.user(record.reader),
        Rows.fromStamp(record.upTo)
      ],
      () => {}
    ),
    identity: wireTable<Identity>(db, "identity", ["user"], (record) => [names.user(record.address)], () => {})
  }
}

/** The counter of a kind in the state row. */
const counterOf = Rows.tableOf

/** Each call throws what node:sqlite throws and then has kept nothing. */
export interface Writer {
  readonly commit: (batch: ReadonlyArray<Record>, aged: Hlc) => Commit
  readonly collect: (aged: Hlc, limit: number) => Collected
  /** Commits done. */
  readonly number: () => number
  /** Raises the clock and the highest number of a chat to those of another state. */
  readonly raise: (state: Pick<State, "clock" | "chats">) => void
}

/** The stored digests must be those of `leaf`, which is unkeyed BLAKE3 when absent. */
export const makeWriter = (db: DatabaseSync, hashes: Hashes, leaf: Leaf.LeafHash = hashes.blake3): Writer => {
  const names = new Dictionary(db, "writer")
  const slots = makeSlots(db, hashes, names)
  // Each kind has the table of its own records, which the type of a lookup by kind cannot say.
  const byKind = tables(db, names) as unknown as { readonly [K in Kind]: Table<Record> }
  const collect = makeCollect(db, names)
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const writeState = db.prepare(writeStateSql)
  let kept: State = readState(db) ?? empty(Leaf.keyCheck(leaf))
  let number = 0

  const transaction = <A>(work: (next: Draft) => A): A => {
    const next: Draft = { ...kept }
    names.chatTop = kept.chats
    try {
      begin.run()
      const answer = work(next)
      next.chats = names.chatTop
      writeState.run(...writeStateValues(hashes, next))
      commit.run()
      kept = next
      return answer
    } catch (error) {
      names.forget()
      // Some errors have rolled back already.
      if (db.isTransaction) db.exec("ROLLBACK")
      throw error
    }
  }

  const put = (record: Record, aged: Hlc, next: Draft, leaves: Array<LeafChange>): Outcome => {
    const table = byKind[record.kind]
    const bytes = Wire.encode(record)
    const sealed = { bytes, digest: Wire.leafDigestOf(leaf, bytes) }
    if (record.hlc > next.clock) next.clock = record.hlc
    const held = slots.find(record)
    if (held === undefined) {
      table.insert(record, sealed)
      next[counterOf[record.kind]]++
      leaves.push(Leaf.inserted(record, sealed.digest))
      return "stored"
    }
    if (Bytes.equal(held.digest, sealed.digest)) return "known"
    const old = slots.load(record.kind, held)
    const vacant = old.kind === "read" && old.hlc <= aged
    if (!vacant && !wins(record, old)) return "superseded"
    table.update(record, sealed, held)
    leaves.push(Leaf.removed(old, held.digest, record), Leaf.inserted(record, sealed.digest))
    return "replaced"
  }

  return {
    commit: (batch, aged) => {
      const leaves: Array<LeafChange> = []
      const outcomes = transaction((next) => batch.map((record) => put(record, aged, next, leaves)))
      return { number: ++number, outcomes, leaves }
    },
    collect: (aged, limit) => transaction((next) => collect(next, aged, limit)),
    number: () => number,
    raise: ({ chats, clock }) =>
      transaction((next) => {
        if (clock > next.clock) next.clock = clock
        names.chatTop = Math.max(names.chatTop, chats)
      })
  }
}
