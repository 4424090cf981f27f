/**
 * Looks for damage: what every row says is computed again and compared (SPEC §1.1), and SQLite checks its own pages.
 *
 * Rule: reads only, and in chunks, each its own statement, so that a node can go on writing meanwhile; what two
 * statements must agree on is asked again before it is called damage.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Ids from "../../domain/ids.ts"
import type { Identity, Kind, Message, Op, Read, Record } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
import type { Damage } from "../../services/Store.ts"
import { Dictionary } from "./dictionary.ts"
import { DamagedRow } from "./errors.ts"
import { keyCheck, type LeafHash } from "./leaf.ts"
import { prefixOf } from "./packing.ts"
import * as Rows from "./rows.ts"
import * as Schema from "./schema.ts"
import { checksum, checksumOf, stateColumns, stateOf } from "./state.ts"

/** Reports after which it stops looking: the file is to be replaced, not mended. */
const damagesMax = 1_000
const chunkRows = 1_000

type Report = (kind: Damage["kind"], what: string, message: string) => void

/** Calls `check` for every row. `sql` selects rows with the row number last, above `?1`, in its order, up to `?2`. */
const everyRow = (
  db: DatabaseSync,
  sql: string,
  full: () => boolean,
  check: (row: Rows.Row, num: number) => void
): void => {
  const rows = Rows.prepareRows(db, sql)
  let last = -(2 ** 53)
  while (!full()) {
    const chunk = rows.all(last, chunkRows)
    for (const row of chunk) {
      last = Rows.integer(row[row.length - 1])
      check(row, last)
    }
    if (chunk.length < chunkRows) return
  }
}

/** What went wrong with one row is told, and the next is looked at; errors of the file itself end the inspection. */
const guarded = (report: Report, kind: Kind, num: number, check: () => void): void => {
  try {
    check()
  } catch (error) {
    if (!(error instanceof DamagedRow)) throw error
    report(kind, `row ${num}`, error.message)
  }
}

const sameInteger = (value: unknown, expected: bigint): boolean => value === expected

/** Compares the stored digest and prefix with those of the record. */
const checkLeaf = (leaf: LeafHash, report: Report, record: Record, digest: Uint8Array, prefix: unknown): void => {
  if (!Bytes.equal(digest, Wire.leafDigest(leaf, record))) {
    report(record.kind, record.id, "the stored digest is not that of the record")
  }
  if (!sameInteger(prefix, prefixOf(Bytes.fromHex(record.id)))) {
    report(record.kind, record.id, "the stored prefix is not that of the id")
  }
}

const checkMessages = (
  db: DatabaseSync,
  hashes: Hashes,
  leaf: LeafHash,
  report: Report,
  full: () => boolean
): void => {
  const sql =
    `SELECT ${Rows.messageColumns}, m.digest, m.prefix, m.rowid FROM messages m WHERE m.rowid > ?1 ORDER BY m.rowid LIMIT ?2`
  const names = new Dictionary(db)
  everyRow(db, sql, full, (row, num) =>
    guarded(report, "message", num, () => {
      const message: Message = Rows.messageOf(names, row)
      if (Ids.messageId(hashes, message) !== message.id) {
        report("message", message.id, "the stored id is not that of the message")
      }
      checkLeaf(leaf, report, message, Rows.blob(row[11]), row[12])
    }))
}

/** Selects the columns that a record in wire form is found by; the names are resolved. */
const wiredSql = {
  op:
    `SELECT r.record, r.digest, r.prefix, r.id, c.id, r.hlc, c.a, r.rowid FROM ops r LEFT JOIN chats c ON c.num = r.chat`,
  read: `SELECT r.record, r.digest, r.prefix, r.id, c.id, r.hlc, r.up_to, u.address, c.a, r.rowid FROM reads r
    LEFT JOIN chats c ON c.num = r.chat LEFT JOIN users u ON u.num = r.reader`,
  identity: `SELECT r.record, r.digest, r.prefix, r.id, u.address, r.hlc, r.user FROM identities r
    LEFT JOIN users u ON u.num = r.user`
}

const columnsAgree = (record: Op | Read | Identity, row: Rows.Row): boolean => {
  switch (record.kind) {
    case "op":
      return Rows.hex(row[4]) === record.chatId && Rows.stamp(row[5]) === record.hlc && row[6] === null
    case "read":
      return Rows.hex(row[4]) === record.chatId && Rows.stamp(row[5]) === record.hlc &&
        Rows.stamp(row[6]) === record.upTo && Rows.hex(row[7]) === record.reader &&
        (row[8] === null) === (record.peer === undefined)
    case "identity":
      return Rows.hex(row[4]) === record.address && Rows.stamp(row[5]) === record.hlc
  }
}

const checkWired = (
  db: DatabaseSync,
  hashes: Hashes,
  leaf: LeafHash,
  kind: "op" | "read" | "identity",
  report: Report,
  full: () => boolean
): void => {
  const rowid = kind === "identity" ? "r.user" : "r.rowid"
  const sql = `${wiredSql[kind]} WHERE ${rowid} > ?1 ORDER BY ${rowid} LIMIT ?2`
  everyRow(db, sql, full, (row, num) =>
    guarded(report, kind, num, () => {
      const record = Rows.wireOf(hashes, kind, row[0])
      if (Rows.hex(row[3]) !== record.id) report(kind, record.id, "the stored id is not that of the record")
      if (!columnsAgree(record, row)) report(kind, record.id, "the row is filed under other names than its record has")
      checkLeaf(leaf, report, record, Rows.blob(row[1]), row[2])
    }))
}

/** A direct conversation is named by the hash of its parties, the smaller first; a group has none. */
const checkChats = (db: DatabaseSync, hashes: Hashes, report: Report, full: () => boolean): void => {
  const named = ["messages", "reads", "ops"].map((table) => `EXISTS (SELECT 1 FROM ${table} WHERE chat = c.num)`)
  const sql = `SELECT c.id, c.a, c.b, a.address, b.address, ${
    named.join(" OR ")
  }, c.num FROM chats c LEFT JOIN users a ON a.num = c.a
    LEFT JOIN users b ON b.num = c.b WHERE c.num > ?1 ORDER BY c.num LIMIT ?2`
  everyRow(db, sql, full, (row, num) => {
    if (row[5] !== 1n) report("index", `chat number ${num}`, "nothing of this chat is stored")
    if (row[1] === null && row[2] === null) return
    guarded(report, "message", num, () => {
      const [a, b] = [Rows.hex<Ids.Address>(row[3]), Rows.hex<Ids.Address>(row[4])]
      if (a > b || Ids.dmChatId(hashes, a, b) !== Rows.hex(row[0])) {
        report("index", `chat ${Rows.hex(row[0])}`, "the stored parties are not those of the conversation")
      }
    })
  })
}

/** Reads the counters and counts, in one statement, so that a commit cannot come between. */
const checkState = (db: DatabaseSync, hashes: Hashes, leaf: LeafHash, report: Report): void => {
  const top = (table: string, column = "hlc") => `coalesce((SELECT max(${column}) FROM ${table}), 0)`
  const counts = ["messages", "ops", "reads", "identities"]
  const arrivals = [top("messages", "rowid"), top("ops", "rowid"), top("reads", "rowid"), top("identities", "arrival")]
  const computed = [
    "one",
    `max(${counts.map((table) => top(table)).join(", ")})`,
    top("chats", "num"),
    `max(${arrivals.join(", ")})`,
    ...counts.map((table) => `(SELECT count(*) FROM ${table})`)
  ]
  const rows = Rows.prepareRows(db, `SELECT ${stateColumns}, ${computed.join(", ")} FROM state`).all()
  for (const row of rows) {
    const state = stateOf(row)
    const [one, clock, chats, arrivals, ...stored] = row.slice(-computed.length)
    if (!Bytes.equal(checksumOf(row), checksum(hashes, state)) || !sameInteger(one, 1n)) {
      report("index", "state", "the counters are not what was written")
    }
    if (Rows.stamp(clock) > state.clock) report("index", "state", "the clock is behind a stored record")
    if (Rows.integer(chats) > state.chats) report("index", "state", "a chat has a number that was not given")
    if (Rows.integer(arrivals) > state.arrivals) report("index", "state", "an arrival has a number that was not given")
    const counted = [state.messages, state.ops, state.reads, state.identities]
    if (counted.some((count, i) => count !== Rows.integer(stored[i]))) {
      report("index", "state", "the counters are not the numbers of rows")
    }
    if (!Bytes.equal(state.keyCheck, keyCheck(leaf))) report("index", "state", "the digests are of another network key")
  }
  if (rows.length > 1) report("index", "state", "there is more than one row of counters")
  if (rows.length === 0) report("index", "state", "the counters are gone")
  const applied = db.prepare("SELECT migration_id, name, created_at FROM migrations ORDER BY migration_id").all()
  const expected = Schema.applied.map(([id, name]) => ({ migration_id: id, name, created_at: "" }))
  if (JSON.stringify(applied) !== JSON.stringify(expected)) {
    report("index", "migrations", "the list of migrations is not that of this program")
  }
}

const linkSql = `FROM user_chats l LEFT JOIN users u ON u.num = l.user LEFT JOIN chats c ON c.num = l.chat`

/** Every user's list of chats, against the parties of direct conversations and the ops of groups. */
const checkLinks = (db: DatabaseSync, hashes: Hashes, report: Report, full: () => boolean): void => {
  // Commits and the collector may come between the two readings: what does not agree is asked for again below.
  const listed = new Set<string>()
  for (const row of Rows.prepareRows(db, `SELECT c.id, u.address ${linkSql}`).all()) {
    guarded(report, "op", 0, () => listed.add(Rows.hex(row[0]) + Rows.hex(row[1])))
  }
  const expected = new Set<string>()
  const chats =
    `SELECT c.id, a.address, b.address, c.num FROM chats c JOIN users a ON a.num = c.a JOIN users b ON b.num = c.b
    WHERE c.num > ?1 ORDER BY c.num LIMIT ?2`
  everyRow(db, chats, full, (row) => {
    for (const party of [row[1], row[2]]) expected.add(Rows.hex(row[0]) + Rows.hex(party))
  })
  everyRow(
    db,
    "SELECT r.record, r.rowid FROM ops r WHERE r.rowid > ?1 ORDER BY r.rowid LIMIT ?2",
    full,
    (row, num) =>
      guarded(report, "op", num, () => {
        const op = Rows.wireOf(hashes, "op", row[0])
        for (const user of [op.actor, ...op.targets]) expected.add(op.chatId + user)
      })
  )
  const stray = Rows.prepareRows(
    db,
    `SELECT 1 ${linkSql} WHERE c.id = ? AND u.address = ? AND c.a IS NOT l.user AND c.b IS NOT l.user`
  )
  const missing = Rows.prepareRows(
    db,
    `SELECT 1 FROM chats WHERE id = ?1 AND NOT EXISTS (SELECT 1 ${linkSql} WHERE c.id = ?1 AND u.address = ?2)`
  )
  for (const link of listed) {
    const [chat, user] = [link.slice(0, 64), link.slice(64)]
    if (!expected.has(link) && stray.first(Bytes.fromHex(chat), Bytes.fromHex(user)) !== undefined) {
      report("index", `chats of ${user}`, `lists ${chat}, which she is not known to have`)
    }
  }
  for (const link of expected) {
    const [chat, user] = [link.slice(0, 64), link.slice(64)]
    if (!listed.has(link) && missing.first(Bytes.fromHex(chat), Bytes.fromHex(user)) !== undefined) {
      report("index", `chats of ${user}`, `lacks ${chat}`)
    }
  }
}

/** Pages, order and indexes: of the whole file with messages, of the kind's own table otherwise. */
const checkPages = (db: DatabaseSync, kind: Kind, report: Report): void => {
  const pragma = kind === "message" ? "integrity_check" : `integrity_check(${Rows.tableOf[kind]})`
  for (const row of Rows.prepareRows(db, `PRAGMA ${pragma}`).all()) {
    if (row[0] !== "ok") report("file", "database", String(row[0]))
  }
}

/** Everything that is wrong with one kind, at most {@link damagesMax}. */
export const inspect = (
  db: DatabaseSync,
  hashes: Hashes,
  kind: Kind,
  leaf: LeafHash = hashes.blake3
): ReadonlyArray<Damage> => {
  const found: Array<Damage> = []
  const full = () => found.length >= damagesMax
  const report: Report = (kind, what, message) => {
    if (!full()) found.push({ kind, what, message })
  }
  const checks: ReadonlyArray<() => void> = [
    () => checkPages(db, kind, report),
    ...(kind === "message"
      ? [
        () => checkMessages(db, hashes, leaf, report, full),
        () => checkChats(db, hashes, report, full),
        () => checkState(db, hashes, leaf, report)
      ]
      : [() => checkWired(db, hashes, leaf, kind, report, full)]),
    ...(kind === "op" ? [() => checkLinks(db, hashes, report, full)] : [])
  ]
  for (const check of checks) {
    try {
      check()
    } catch (error) {
      // A page that cannot be read ends this check, not the others.
      report("file", "database", error instanceof Error ? error.message : String(error))
    }
  }
  return found
}
