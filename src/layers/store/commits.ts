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
import type { Collected, Commit } from "../../services/Store.ts"
import { commitOf, type Written } from "./answers.ts"
import { makeCollect } from "./collect.ts"
import { Dictionary } from "./dictionary.ts"
import * as Leaf from "./leaf.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"
import { type Held, makeSlots } from "./slots.ts"
import { type Draft, empty, readState, type State, writeStateSql, writeStateValues } from "./state.ts"

/** A record with what is stored beside its fields. */
interface Sealed<R extends Record> {
  readonly record: R
  /** 32 bytes. */
  readonly id: Uint8Array
  /** `prefixOf` the id. */
  readonly prefix: bigint
  /** Its wire form. */
  readonly bytes: Uint8Array
  /** Of the wire form, as a Merkle leaf. */
  readonly digest: Uint8Array
}

/** How one kind is written. */
interface Table<R extends Record> {
  readonly insert: (sealed: Sealed<R>) => void
  readonly update: (sealed: Sealed<R>, held: Held) => void
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
    insert: ({ digest, id, prefix, record }) => {
      const chat = names.chat(record.chatId, record.sender, record.peer)
      insert.run(
        chat.num,
        Rows.fromStamp(record.hlc),
        prefix,
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
    update: ({ digest, record }, held) => {
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
  const values = ({ bytes, digest, id, prefix, record }: Sealed<R>) => [
    ...valuesOf(record),
    Rows.fromStamp(record.hlc),
    prefix,
    id,
    bytes,
    digest
  ]
  return {
    insert: (sealed) => {
      insert.run(...values(sealed))
      stored(sealed.record)
    },
    update: (sealed, held) => {
      update.run(...values(sealed), held.rowid)
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
  /** `written`: in the order of the batch. */
  readonly write: (
    batch: ReadonlyArray<Record>,
    aged: Hlc
  ) => { readonly number: number; readonly written: ReadonlyArray<Written> }
  /** The same, told in full. */
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

  const sealed = (record: Record): Sealed<Record> => {
    const id = Rows.idBytes(record)
    const bytes = Wire.encode(record)
    return { record, id, prefix: prefixOf(id), bytes, digest: Wire.leafDigestOf(leaf, bytes) }
  }

  /** `taken`: prefixes of messages that may be stored; each one of another prefix is new. */
  const put = (sealed: Sealed<Record>, taken: Set<bigint>, aged: Hlc, next: Draft): Written => {
    const { digest, id, prefix, record } = sealed
    const table = byKind[record.kind]
    if (record.hlc > next.clock) next.clock = record.hlc
    const isNew = record.kind === "message" && !taken.has(prefix)
    const held = isNew ? undefined : slots.find(record, id)
    if (held === undefined) {
      table.insert(sealed)
      if (record.kind === "message") taken.add(prefix)
      next[counterOf[record.kind]]++
      return { outcome: "stored", digest }
    }
    if (Bytes.equal(held.digest, digest)) return { outcome: "known" }
    const old = slots.load(record.kind, held)
    const vacant = old.kind === "read" && old.hlc <= aged
    if (!vacant && !wins(record, old)) return { outcome: "superseded" }
    table.update(sealed, held)
    return { outcome: "replaced", digest, old: { id: old.id, hlc: old.hlc, digest: held.digest } }
  }

  const write: Writer["write"] = (batch, aged) => {
    const written = transaction((next) => {
      const all = batch.map(sealed)
      const taken = slots.taken(all.flatMap(({ prefix, record }) => record.kind === "message" ? [prefix] : []))
      return all.map((one) => put(one, taken, aged, next))
    })
    return { number: ++number, written }
  }

  return {
    write,
    commit: (batch, aged) => {
      const { number, written } = write(batch, aged)
      return commitOf(number, batch, written)
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
