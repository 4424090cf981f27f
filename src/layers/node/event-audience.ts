/**
 * Who listens, and who of them is told what (SPEC §8). Authority is looked at for each event: a member when the event's turn
 * came, and now.
 *
 * Rule: an op moves a listener in or out when it is told, not before, so that what she is told has the order of commit.
 */
import type { Address, ChatId } from "../../domain/ids.ts"
import type { Membership } from "../../domain/membership.ts"
import { isLeave, type Message, type Op, opTypes, type Read } from "../../domain/record.ts"
import type { Event } from "../../services/Events.ts"
import type { EventBuffer } from "./event-buffer.ts"

/** How an op concerns a listener. */
export interface Moved {
  readonly listener: Listener
  readonly isTold: boolean
  /** A member before the op, and still. */
  readonly stays: boolean
}

/** A user with open streams. */
export interface Listener {
  readonly user: Address
  readonly streams: Set<EventBuffer>
  /** Every group that names her, and whether she was a member after the op told last; `undefined`: not looked at yet. */
  readonly groups: Map<ChatId, boolean | undefined>
  /** Whether `groups` is whole: a group that is not in it has never named her. */
  isKnown: boolean
}

/** A direct message as `user`, one of its parties, sees it. */
export const dialogMessage = (message: Message, user: Address): Event => ({
  type: "message",
  peer: message.peer === user ? message.sender : message.peer,
  message
})

/** A read mark as `user` sees it: its reader, or her peer. */
export const readMark = (read: Read, user: Address): Event => ({
  type: "read",
  peer: read.peer === undefined || read.reader === user ? read.peer : read.reader,
  read
})

/** Whether `op`, which had effect, put `user` out of the group. */
const putsOut = (membership: Membership, op: Op, user: Address): boolean =>
  op.op === opTypes.remove && (isLeave(op) ? op.actor === user : op.targets.includes(user)) &&
  membership.wasMemberAt(user, op.hlc)

/** All who listen, by user and by group. */
export class Audience {
  readonly #byUser = new Map<Address, Listener>()
  readonly #byGroup = new Map<ChatId, Set<Listener>>()
  /** How often ops were missed: what was read about groups before is old then. */
  losses = 0

  get size(): number {
    return this.#byUser.size
  }

  of(user: Address): Listener | undefined {
    return this.#byUser.get(user)
  }

  all(): Iterable<Listener> {
    return this.#byUser.values()
  }

  /** Those whom ops of the group have named. */
  inGroup(chatId: ChatId): ReadonlySet<Listener> | undefined {
    return this.#byGroup.get(chatId)
  }

  enter(user: Address): Listener {
    const known = this.#byUser.get(user)
    if (known !== undefined) return known
    const listener: Listener = { user, streams: new Set(), groups: new Map(), isKnown: false }
    this.#byUser.set(user, listener)
    return listener
  }

  leave(listener: Listener): void {
    this.#byUser.delete(listener.user)
    for (const chatId of listener.groups.keys()) {
      const room = this.#byGroup.get(chatId)
      room?.delete(listener)
      if (room?.size === 0) this.#byGroup.delete(chatId)
    }
  }

  /** Notes every group that was ever to name the listener. */
  know(listener: Listener, chatIds: ReadonlyArray<ChatId>): void {
    for (const chatId of chatIds) this.#name(listener, chatId, undefined)
    listener.isKnown = true
  }

  #name(listener: Listener, chatId: ChatId, was: false | undefined): void {
    if (listener.groups.has(chatId)) return
    listener.groups.set(chatId, was)
    const room = this.#byGroup.get(chatId)
    if (room === undefined) this.#byGroup.set(chatId, new Set([listener]))
    else room.add(listener)
  }

  /** Forgets who was a member when: ops were missed. */
  forgetMembers(): void {
    this.losses++
    for (const listener of this.#byUser.values()) {
      listener.isKnown = false
      for (const chatId of listener.groups.keys()) listener.groups.set(chatId, undefined)
    }
  }

  /** Notes whom an op names. */
  meet(op: Op): void {
    for (const user of [op.actor, ...op.targets]) {
      const listener = this.#byUser.get(user)
      if (listener !== undefined) this.#name(listener, op.chatId, listener.isKnown ? false : undefined)
    }
  }

  /** Whether a listener may be told of what happens in the group: `membership` is the present one. */
  isMember(membership: Membership, listener: Listener): boolean {
    const { chatId } = membership
    const isNow = membership.isMember(listener.user)
    const was = listener.groups.get(chatId)
    if (was === undefined) listener.groups.set(chatId, isNow)
    return isNow && was !== false
  }

  /** Listeners who may be told of what happens in the group. */
  members(membership: Membership): ReadonlyArray<Listener> {
    return [...this.#byGroup.get(membership.chatId) ?? []].filter((listener) => this.isMember(membership, listener))
  }

  /** Takes an op as told, which moves listeners in or out: all whom the group has named. */
  move(membership: Membership, op: Op): ReadonlyArray<Moved> {
    const hadEffect = membership.hadEffect(op.id)
    const { chatId } = membership
    return [...this.#byGroup.get(chatId) ?? []].map((listener) => {
      const isNow = membership.isMember(listener.user)
      const was = listener.groups.get(chatId) ?? (isNow || (hadEffect && putsOut(membership, op, listener.user)))
      listener.groups.set(chatId, isNow)
      return { listener, isTold: was !== isNow || (isNow && hadEffect), stays: was && isNow }
    })
  }
}
