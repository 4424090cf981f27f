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
import type { Arrival, Collected, Commit } from "../../services/Store.ts"
import { commitOf, type Written, type WrittenBatch } from "./answers.ts"
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

/** How one kind is written; each time the row takes the number of the arrival. */
interface Table<R extends Record> {
  readonly insert: (sealed: Sealed<R>, arrival: Arrival) => void
  readonly update: (sealed: Sealed<R>, arrival: Arrival, held: Held) => void
}

/**
 * How far the sequence of arrivals jumps when a store is opened for writing. A power loss may take the last commits, and with
 * them the state row that says how far it was; but clients may have been told numbers of these, and go on after them. So what
 * comes next must have higher numbers: there are fewer than this in commits that a power loss can take
 * ({@link lastingly}). It also covers a backup that is put back when fewer have arrived since it was made.
 */
const jump = 2 ** 20

/**
 * Commits so that a power loss does not take it. The first commit since the opening must last, for with it the jump would go
 * as well, and the next opening would give the same numbers anew.
 */
const lastingly = <A>(db: DatabaseSync, work: () => A): A => {
  const usual = Rows.integer(Rows.prepareRows(db, "PRAGMA synchronous").first()?.[0])
  db.exec("PRAGMA synchronous = FULL")
  try {
    return work()
  } finally {
    db.exec(`PRAGMA synchronous = ${usual}`)
  }
}

const messageTable = (db: DatabaseSync, names: Dictionary): Table<Message> => {
  const insert = db.prepare(
    `INSERT INTO messages
      (rowid, chat, hlc, prefix, id, sender, ts, msg_type, content, control, node, sig_version, sig, digest)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
  )
  // The id covers everything else.
  const update = db.prepare(
    "UPDATE messages SET rowid = ?, hlc = ?, node = ?, sig_version = ?, sig = ?, digest = ? WHERE rowid = ?"
  )
  return {
    insert: ({ digest, id, prefix, record }, arrival) => {
      const chat = names.chat(record.chatId, record.sender, record.peer)
      insert.run(
        arrival,
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
    update: ({ digest, record }, arrival, held) => {
      update.run(
        arrival,
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

/** A kind that is kept in its wire form; `columns` beside it, of which the first has the number of the arrival. */
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
  const values = ({ bytes, digest, id, prefix, record }: Sealed<R>, arrival: Arrival) => [
    arrival,
    ...valuesOf(record),
    Rows.fromStamp(record.hlc),
    prefix,
    id,
    bytes,
    digest
  ]
  return {
    insert: (sealed, arrival) => {
      insert.run(...values(sealed, arrival))
      stored(sealed.record)
    },
    update: (sealed, arrival, held) => {
      update.run(...values(sealed, arrival), held.rowid)
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
      ["rowid", "chat"],
      (record) => [chatOf(record)],
      (record) => {
        const chat = chatOf(record)
        for (const user of [record.actor, ...record.targets]) names.link(names.user(user), chat)
      }
    ),
    read: wireTable<Read>(
      db,
      "read",
      ["rowid", "chat", "reader", "up_to"],
      (record) => [
        names.chat(record.chatId, record.reader, record.peer).num,
        names.user(record.reader),
        Rows.fromStamp(record.upTo)
      ],
      () => {}
    ),
    identity: wireTable<Identity>(
      db,
      "identity",
      ["arrival", "user"],
      (record) => [names.user(record.address)],
      () => {}
    )
  }
}

/** The counter of a kind in the state row. */
const counterOf = Rows.tableOf

/** Each call throws what node:sqlite throws and then has kept nothing. */
export interface Writer {
  readonly write: (batch: ReadonlyArray<Record>, aged: Hlc) => WrittenBatch
  /** The same, told in full. */
  readonly commit: (batch: ReadonlyArray<Record>, aged: Hlc) => Commit
  readonly collect: (aged: Hlc, limit: number) => Collected
  /** Commits done. */
  readonly number: () => number
  /** Raises the clock and the highest numbers of a chat and of an arrival to those of another state. */
  readonly raise: (state: Pick<State, "clock" | "chats" | "arrivals">) => void
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
  const found = readState(db) ?? empty(db, Leaf.keyCheck(leaf))
  let kept: State = { ...found, arrivals: found.arrivals + jump, keyCheck: Leaf.keyCheck(leaf) }
  /** Whether a commit since the opening is on the disk for good. */
  let lasts = false
  let number = 0

  const attempt = <A>(work: (next: Draft) => A): A => {
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

  const transaction = <A>(work: (next: Draft) => A): A => {
    if (lasts) return attempt(work)
    const answer = lastingly(db, () => attempt(work))
    lasts = true
    return answer
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
      table.insert(sealed, ++next.arrivals)
      if (record.kind === "message") taken.add(prefix)
      next[counterOf[record.kind]]++
      return { outcome: "stored", digest }
    }
    if (Bytes.equal(held.digest, digest)) return { outcome: "known" }
    const old = slots.load(record.kind, held)
    const vacant = old.kind === "read" && old.hlc <= aged
    if (!vacant && !wins(record, old)) return { outcome: "superseded" }
    table.update(sealed, ++next.arrivals, held)
    return { outcome: "replaced", digest, old: { id: old.id, hlc: old.hlc, digest: held.digest } }
  }

  const write: Writer["write"] = (batch, aged) => {
    const done = transaction((next) => {
      const firstArrival = next.arrivals + 1
      const all = batch.map(sealed)
      const taken = slots.taken(all.flatMap(({ prefix, record }) => record.kind === "message" ? [prefix] : []))
      return { firstArrival, written: all.map((one) => put(one, taken, aged, next)) }
    })
    return { number: ++number, ...done }
  }

  return {
    write,
    commit: (batch, aged) => commitOf(batch, write(batch, aged)),
    collect: (aged, limit) => transaction((next) => collect(next, aged, limit)),
    number: () => number,
    raise: ({ arrivals, chats, clock }) =>
      transaction((next) => {
        if (clock > next.clock) next.clock = clock
        names.chatTop = Math.max(names.chatTop, chats)
        next.arrivals = Math.max(next.arrivals, arrivals)
      })
  }
}
