/**
 * What a disk must hold, by what was committed to it: kept beside the disk, from the commits alone, so that what goes
 * missing, comes back or takes a slot that is not its own is seen.
 */
import type { Address, ChatId } from "../../domain/ids.ts"
import { isLeave, type Op, opTypes, type Record, roles } from "../../domain/record.ts"
import type { Outcome } from "../../services/Store.ts"
import { ages } from "../model/ageing.ts"
import { slotIn, takes } from "../model/set.ts"
import { msOf, nameOf, sameRecord } from "./records.ts"

/** The ops of a group that are held, in the order in which they came, and W and P of SPEC §5 by them. */
export interface LedgerGroup {
  ops: ReadonlyArray<Op>
  readonly writers: Set<Address>
  readonly participants: Set<Address>
}

export class Ledger {
  readonly slots = new Map<string, Record>()
  /** What was told to be collected, by slot. */
  readonly #collected = new Map<string, Record>()
  /** Ids of all that was committed since the disk was new or changed, also of what lost its slot since. */
  readonly ids = new Set<string>()
  readonly groups = new Map<ChatId, LedgerGroup>()
  /** The highest stamp ever committed. */
  highest = 0n

  /** The group as far as it is known; an empty one otherwise. */
  group(chatId: ChatId): LedgerGroup {
    const known = this.groups.get(chatId)
    if (known !== undefined) return known
    const group: LedgerGroup = { ops: [], writers: new Set(), participants: new Set() }
    this.groups.set(chatId, group)
    return group
  }

  /** Whether what a record needs was committed before it (SPEC §5, monotone facts). */
  hasPrerequisites(record: Record): boolean {
    if (record.kind === "identity") return true
    if (record.kind !== "op") {
      if (record.peer !== undefined) return true
      const author = record.kind === "message" ? record.sender : record.reader
      return this.groups.get(record.chatId)?.participants.has(author) === true
    }
    if (record.op === opTypes.create) return true
    const group = this.groups.get(record.chatId)
    if (group === undefined) return false
    return group.writers.has(record.actor) || (isLeave(record) && group.participants.has(record.actor))
  }

  #admit(op: Op, group: LedgerGroup): void {
    if (op.op === opTypes.create) {
      group.writers.add(op.actor)
      group.participants.add(op.actor)
    }
    if (op.op !== opTypes.create && !(op.op === opTypes.add && group.writers.has(op.actor))) return
    for (const target of op.targets) {
      group.participants.add(target)
      if (op.op === opTypes.add && op.role === roles.admin) group.writers.add(target)
    }
  }

  /** What must become of a record in its slot. */
  #expected(record: Record, held: Record | undefined): Outcome {
    if (held === undefined) return "stored"
    if (sameRecord(record, held)) return "known"
    return takes(record, held) ? "replaced" : "superseded"
  }

  /** Takes in what a commit did. What is wrong with it, if anything. `agedMs`: what may count as aged by now. */
  put(record: Record, outcome: Outcome, agedMs: number): string | undefined {
    const slot = slotIn(record)
    const held = this.slots.get(slot)
    const expected = this.#expected(record, held)
    const takesSlot = outcome === "stored" || outcome === "replaced"
    // the collector may have left what it was told to take: the disk says of it what it is
    const rival = held ?? this.#collected.get(slot)
    if (takesSlot || rival !== undefined) this.ids.add(record.id)
    if (record.hlc > this.highest) this.highest = record.hlc
    if (takesSlot) this.slots.set(slot, record)
    if (record.kind === "op") {
      const group = this.group(record.chatId)
      this.#admit(record, group)
      if (takesSlot) group.ops = [...group.ops.filter(({ id }) => id !== record.id), record]
    }
    if (outcome === expected) return undefined
    // what has aged holds its slot no longer, or is gone
    const isVacant = rival !== undefined && ages(rival) && msOf(rival.hlc) <= agedMs
    if (isVacant) return undefined
    return `${nameOf(record)} was ${outcome} where it must be ${expected}`
  }

  /** Forgets what has aged and was deleted. */
  collect(aged: bigint): void {
    for (const [slot, record] of this.slots) {
      if (!ages(record) || record.hlc > aged) continue
      this.slots.delete(slot)
      this.#collected.set(slot, record)
    }
  }

  /** The disk is another one, and holds this. */
  reset(records: ReadonlyArray<Record>): void {
    this.slots.clear()
    this.#collected.clear()
    this.ids.clear()
    this.groups.clear()
    this.highest = 0n
    for (const record of records) {
      this.slots.set(slotIn(record), record)
      this.ids.add(record.id)
      if (record.hlc > this.highest) this.highest = record.hlc
      if (record.kind !== "op") continue
      const group = this.group(record.chatId)
      group.ops = [...group.ops, record]
    }
    for (const group of this.groups.values()) {
      for (let grown = -1; grown !== group.participants.size + group.writers.size;) {
        grown = group.participants.size + group.writers.size
        for (const op of group.ops) this.#admit(op, group)
      }
    }
  }

  /** Where the disk is not as it must be, given all that it holds. */
  differences(records: ReadonlyArray<Record>): ReadonlyArray<string> {
    const found: Array<string> = []
    const there = new Map(records.map((record) => [slotIn(record), record]))
    for (const [slot, record] of this.slots) {
      const other = there.get(slot)
      if (other === undefined) found.push(`${nameOf(record)} has vanished from the disk`)
      else if (!sameRecord(record, other)) found.push(`${nameOf(record)} was changed on the disk to ${nameOf(other)}`)
    }
    for (const [slot, record] of there) {
      if (!this.slots.has(slot) && !ages(record)) found.push(`${nameOf(record)} is on the disk and was never committed`)
    }
    return found
  }
}
