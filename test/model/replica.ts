/**
 * What a node does with ops that arrive, on the real rules and without the rest of a node: they are judged one by one, wait
 * for what they lack, are tried again after each step in which the group grew, and are folded once a step. It follows
 * `layers/node/intake.ts`; signatures, the disk and everything asynchronous are left out.
 */
import * as Acceptance from "../../src/domain/acceptance.ts"
import { Authority } from "../../src/domain/authority.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import { driftMsMax } from "../../src/domain/limits.ts"
import { Membership } from "../../src/domain/membership.ts"
import type { Op } from "../../src/domain/record.ts"
import { slotOf, wins } from "../../src/domain/variants.ts"
import { type Waiter, Waiting, type WaitsFor } from "../../src/domain/waiting.ts"
import { chatId, everyone, nameOf } from "./group.ts"
import { demand } from "./orders.ts"

/** What is seen of a group, as one text. */
export const viewOf = (membership: Membership): string => {
  let text = `${membership.size}|${membership.title}`
  for (const user of everyone) {
    text += `|${membership.roleOf(user) ?? ""}@${membership.joinedAt(user) ?? ""}`
    for (const { from, to } of membership.intervals(user)) text += ` ${from}-${to ?? ""}`
  }
  return `${text}|${membership.liveDots(everyone).join()}`
}

export const membershipOf = (ops: ReadonlyArray<Op>): Membership => {
  const membership = new Membership(chatId)
  membership.insert(ops)
  return membership
}

const room = { recordsMax: 64, bytesMax: 1e6, shareRecordsMax: 64, shareBytesMax: 1e6 }

export class Replica {
  readonly authority = new Authority()
  readonly membership = new Membership(chatId)
  private readonly waiting = new Waiting<string, Op>(room)
  private readonly held = new Map<string, Op>()
  private readonly names: (op: Op) => string
  private wallMs: number

  /** `names`: different for different variants. */
  constructor(names: (op: Op) => string, wallMs: number) {
    this.names = names
    this.wallMs = wallMs
  }

  /** How many ids of ops are accepted. */
  get size(): number {
    return this.held.size
  }

  /** This very variant. */
  holds(op: Op): boolean {
    return this.held.get(slotOf(op)) === op
  }

  /** One batch from a peer, and what it lets in of what waits. */
  deliver(batch: ReadonlyArray<Op>): void {
    let grown = this.step(batch)
    while (grown) {
      const ready = this.waiting.takeChat(chatId, ({ value }) => this.standing(value) !== "waiting")
      grown = this.step(
        ready.map(({ value }) => value).sort((a, b) => Hlc.compare(a.hlc, b.hlc) || (a.id < b.id ? -1 : 1))
      )
    }
  }

  /** Time passes, and what was early is tried. */
  wait(wallMs: number): void {
    this.wallMs = wallMs
    this.deliver(this.waiting.takeDue(wallMs).map(({ value }) => value))
  }

  private standing(op: Op): Acceptance.Standing {
    return Acceptance.standing(op, this.authority, this.wallMs)
  }

  /** True when anything was accepted. */
  private step(batch: ReadonlyArray<Op>): boolean {
    const accepted: Array<Op> = []
    for (const op of batch) {
      const held = this.held.get(slotOf(op))
      if (held !== undefined && !wins(op, held)) continue
      const standing = this.standing(op)
      if (standing === "acceptable") {
        this.held.set(slotOf(op), op)
        this.authority.add(op)
        accepted.push(op)
      } else this.keep(op, standing === "early" ? { dueMs: Hlc.physicalMs(op.hlc) - driftMsMax } : { chatId })
    }
    if (accepted.length > 0) this.membership.insert(accepted)
    return accepted.length > 0
  }

  private keep(op: Op, waitsFor: WaitsFor): void {
    const waiter: Waiter<string, Op> = { key: this.names(op), source: "peer", value: op, bytes: 1, sinceMs: 0 }
    const dropped = this.waiting.put(waiter, waitsFor)
    demand(dropped === 0, () => `no room for ${nameOf(op)}`)
  }
}
