/**
 * What cannot be taken yet (SPEC §5): records that are early wait for their time, others for an op of their group. The
 * caller has checked their signatures, says when it is, and tries again what this gives back.
 *
 * Rule: bounded in all and for each source, in records and bytes. A source that is over its share loses its own oldest;
 * when all is full, the source that takes most does. So one peer cannot push out what others brought.
 */
import type { ChatId } from "./ids.ts"

/** What a record waits for: a time, ms, at which it is no longer early; or an op of its group. */
export type WaitsFor = { readonly dueMs: number } | { readonly chatId: ChatId }

export interface Waiter<S, A> {
  /** The same for the same variant of the same record, and for no other. */
  readonly key: string
  readonly source: S
  readonly value: A
  /** Roughly, in memory. */
  readonly bytes: number
  /** When it first came, ms. */
  readonly sinceMs: number
}

export interface WaitingLimits {
  readonly recordsMax: number
  readonly bytesMax: number
  readonly shareRecordsMax: number
  readonly shareBytesMax: number
}

interface Kept<S, A> {
  readonly waiter: Waiter<S, A>
  readonly waitsFor: WaitsFor
}

interface Share<S, A> {
  /** In order of arrival. */
  readonly kept: Map<string, Kept<S, A>>
  bytes: number
}

export class Waiting<S, A> {
  private readonly limits: WaitingLimits
  private readonly shares = new Map<S, Share<S, A>>()
  /** All of them, by key. */
  private readonly all = new Map<string, Kept<S, A>>()
  private readonly byChat = new Map<ChatId, Set<Kept<S, A>>>()
  /** Early ones by `dueMs`, ascending. */
  private readonly timed: Array<{ readonly dueMs: number; readonly kept: Kept<S, A> }> = []
  private total = 0

  constructor(limits: WaitingLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.all.size
  }

  get bytes(): number {
    return this.total
  }

  has(key: string): boolean {
    return this.all.has(key)
  }

  /** Whether anything waits for an op of this group. */
  waitsFor(chatId: ChatId): boolean {
    return this.byChat.has(chatId)
  }

  /** When the first early one is due, ms. */
  nextDueMs(): number | undefined {
    return this.timed[0]?.dueMs
  }

  /** Keeps a waiter, unless it is here already. How many were dropped for want of room, which may include this one. */
  put(waiter: Waiter<S, A>, waitsFor: WaitsFor): number {
    if (this.all.has(waiter.key)) return 0
    const kept = { waiter, waitsFor }
    const share = this.shareOf(waiter.source)
    this.all.set(waiter.key, kept)
    share.kept.set(waiter.key, kept)
    share.bytes += waiter.bytes
    this.total += waiter.bytes
    if ("chatId" in waitsFor) {
      const others = this.byChat.get(waitsFor.chatId)
      if (others === undefined) this.byChat.set(waitsFor.chatId, new Set([kept]))
      else others.add(kept)
    } else this.timed.splice(this.firstAbove(waitsFor.dueMs), 0, { dueMs: waitsFor.dueMs, kept })
    return this.makeRoom(share)
  }

  /** Takes out what is due. */
  takeDue(nowMs: number): ReadonlyArray<Waiter<S, A>> {
    // out of the list at once: one by one would take time squared
    return this.timed.splice(0, this.firstAbove(nowMs)).map(({ kept }) => this.drop(kept))
  }

  /** Takes out what waits for an op of this group, if `isReady`. */
  takeChat(chatId: ChatId, isReady: (waiter: Waiter<S, A>) => boolean): ReadonlyArray<Waiter<S, A>> {
    return [...this.byChat.get(chatId) ?? []].filter(({ waiter }) => isReady(waiter)).map((kept) => this.remove(kept))
  }

  /** Drops what `isOver` says. How many. */
  sweep(isOver: (waiter: Waiter<S, A>) => boolean): number {
    let dropped = 0
    for (const kept of this.all.values()) {
      if (!isOver(kept.waiter)) continue
      this.remove(kept)
      dropped++
    }
    return dropped
  }

  /** Drops all of a source. How many. */
  forget(source: S): number {
    const kept = [...this.shares.get(source)?.kept.values() ?? []]
    for (const each of kept) this.remove(each)
    return kept.length
  }

  private shareOf(source: S): Share<S, A> {
    const known = this.shares.get(source)
    if (known !== undefined) return known
    const share: Share<S, A> = { kept: new Map(), bytes: 0 }
    this.shares.set(source, share)
    return share
  }

  /** The index of the first early one that is due after `ms`. */
  private firstAbove(ms: number): number {
    let [low, high] = [0, this.timed.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timed[middle]!.dueMs <= ms) low = middle + 1
      else high = middle
    }
    return low
  }

  private remove(kept: Kept<S, A>): Waiter<S, A> {
    const { waitsFor } = kept
    if ("chatId" in waitsFor) {
      const others = this.byChat.get(waitsFor.chatId)!
      others.delete(kept)
      if (others.size === 0) this.byChat.delete(waitsFor.chatId)
    } else {
      // from the first of those due at one time: it is the oldest, which is what is removed as a rule
      let at = this.firstAbove(waitsFor.dueMs - 1)
      while (this.timed[at]!.kept !== kept) at++
      this.timed.splice(at, 1)
    }
    return this.drop(kept)
  }

  /** Removes what is in no list of what is waited for any more. */
  private drop({ waiter }: Kept<S, A>): Waiter<S, A> {
    const share = this.shares.get(waiter.source)!
    this.all.delete(waiter.key)
    share.kept.delete(waiter.key)
    share.bytes -= waiter.bytes
    this.total -= waiter.bytes
    if (share.kept.size === 0) this.shares.delete(waiter.source)
    return waiter
  }

  private makeRoom(share: Share<S, A>): number {
    const { bytesMax, recordsMax, shareBytesMax, shareRecordsMax } = this.limits
    let dropped = 0
    const dropOldest = (of: Share<S, A>) => {
      this.remove(of.kept.values().next().value!)
      dropped++
    }
    while (share.kept.size > shareRecordsMax || share.bytes > shareBytesMax) dropOldest(share)
    while (this.all.size > recordsMax || this.total > bytesMax) dropOldest(this.largest())
    return dropped
  }

  /** The source that takes the greatest part of what there is, in records or bytes. */
  private largest(): Share<S, A> {
    const { bytesMax, recordsMax } = this.limits
    const part = (share: Share<S, A>) => Math.max(share.kept.size / recordsMax, share.bytes / bytesMax)
    return [...this.shares.values()].reduce((a, b) => part(b) > part(a) ? b : a)
  }
}
