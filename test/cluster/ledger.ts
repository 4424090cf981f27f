/**
 * What was written, what the nodes answered, and what they owe for it.
 *
 * 1. 201: the record is in the set of every node at the end. It survives a kill and a restart of its node.
 * 2. 202: as 201, unless its node was killed within {@link commitMsMax} after the answer: before the commit, perhaps before
 *    the record was passed on.
 * 3. A write that only a node had which then lost its files, or got older ones back, is owed by nobody. Once all nodes agreed
 *    it is everywhere, and owed for ever.
 * 4. What was refused, or had no answer, may be there or not. Nothing is there that was never written.
 * 5. Every id is there once. Of read marks and identities the highest counts, so a higher one may stand for what was written.
 */
import type { Kind } from "../../src/domain/record.ts"

/** From answer to commit at most, where the disk is not full: far more than a batch takes. */
const commitMsMax = 5_000

export interface Write {
  readonly kind: Kind
  readonly id: string
  /** What a higher one replaces: the chat and its reader, or the address. */
  readonly slot?: string
  /** Above it, by text, is higher. */
  readonly rank?: string
}

interface Answered extends Write {
  readonly node: number
  readonly life: number
  readonly status: 201 | 202
  readonly atMs: number
  /** Why nobody owes it, if so. */
  excuse?: string
  everywhere: boolean
}

/** A line of `dump` that is a record. */
interface Line {
  readonly kind: Kind
  readonly id: string
  readonly chat?: string
  readonly reader?: string
  readonly up_to?: string
  readonly hlc: string
  readonly address?: string
}

const slotOf = (line: Line): string => line.kind === "read" ? `${line.chat}/${line.reader}` : line.address ?? ""
const rankOf = (line: Line): string => line.kind === "read" ? line.up_to! + line.hlc : line.hlc

const describe = (write: Answered): string =>
  `${write.kind} ${write.id}, answered ${write.status} by node ${write.node} in life ${write.life} at ${
    new Date(write.atMs).toISOString()
  }`

export class Ledger {
  private readonly answers: Array<Answered> = []
  private readonly tried = new Set<string>()

  get size(): number {
    return this.answers.length
  }
  get owed(): number {
    return this.answers.filter(({ excuse }) => excuse === undefined).length
  }

  /** Before it is sent. */
  trying(id: string): void {
    this.tried.add(id)
  }
  answered(write: Write, node: number, life: number, status: 201 | 202): void {
    this.answers.push({
      ...write,
      node,
      life,
      status,
      atMs: performance.timeOrigin + performance.now(),
      everywhere: false
    })
  }
  /** Rule 2. Call it right after the kill. */
  killed(node: number, life: number): void {
    const sinceMs = performance.timeOrigin + performance.now() - commitMsMax
    for (const write of this.answers) {
      if (write.node !== node || write.life !== life || write.status !== 202 || write.everywhere) continue
      if (write.atMs >= sinceMs) write.excuse ??= "its node was killed before the commit"
    }
  }
  /** Rule 3. */
  lost(node: number): void {
    for (const write of this.answers) {
      if (write.node === node && !write.everywhere) write.excuse ??= "its node lost its files"
    }
  }
  /** All nodes were found to hold the same, and all that is owed. */
  agreed(): void {
    for (const write of this.answers) if (write.excuse === undefined) write.everywhere = true
  }

  /** What is wrong with a dump. */
  problems(dump: string): ReadonlyArray<string> {
    const problems: Array<string> = []
    const ids = new Set<string>()
    const ranks = new Map<string, string>()
    for (const text of dump.split("\n")) {
      if (!text.startsWith("{\"domain\"")) continue
      const line = JSON.parse(text) as Line
      if (ids.has(line.id)) problems.push(`${line.kind} ${line.id} is there twice`)
      ids.add(line.id)
      if (!this.tried.has(line.id)) problems.push(`${line.kind} ${line.id} is there, and nobody wrote it`)
      if (line.kind !== "read" && line.kind !== "identity") continue
      const slot = `${line.kind} ${slotOf(line)}`
      if (ranks.has(slot)) problems.push(`there are two of ${slot}`)
      ranks.set(slot, rankOf(line))
    }
    for (const write of this.answers) {
      if (write.excuse !== undefined || ids.has(write.id)) continue
      const rank = write.slot === undefined ? undefined : ranks.get(`${write.kind} ${write.slot}`)
      if (rank === undefined || rank < write.rank!) problems.push(`missing: ${describe(write)}`)
    }
    return problems
  }
}
