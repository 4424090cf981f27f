/**
 * What users must be shown, worked out from a set of records by looking at all of them (SPEC §5.1 to §5.4, §8, §9). There
 * are no indexes, no counts and no cursors in here: a chat is its messages in order, and the rest follows.
 *
 * Rule: it knows the SPEC and the shape of records, and imports nothing that a node uses to answer.
 */
import type { Address, ChatId } from "../../domain/ids.ts"
import type { Message, Op, Record } from "../../domain/record.ts"
import type { Place } from "../../services/Ingest.ts"
import { ages, cutoffAt } from "./ageing.ts"
import { isShown, membersOf, type ModelFolds, type ModelGroup, type ModelMember } from "./fold.ts"
import { oneEach } from "./set.ts"

/** SPEC §9: how old a message may be at the start of the hour. */
/** SPEC §5.3. */
const countedMax = 999

/** A message as a user sees it. */
export interface ShownMessage {
  readonly id: string
  readonly hlc: bigint
  /** All that is told of it, to be compared. */
  readonly text: string
}

export interface MessageFields {
  readonly chatId: string
  readonly sender: string
  readonly ts: number
  readonly hlc: bigint
  readonly msgType: number
  readonly content: string
  readonly control?: Uint8Array | undefined
}

export const shownMessage = (id: string, { chatId, content, control, hlc, msgType, sender, ts }: MessageFields) => ({
  id,
  hlc,
  text: `${id} ${chatId} ${sender} ${ts} ${hlc} ${msgType} ${control === undefined ? "-" : control.toHex()}. ${content}`
})

/** A line of an inbox. */
export interface ShownChat {
  readonly chatId: string
  /** Of a direct conversation. */
  readonly peer: string | undefined
  /** Of a group; "" when it has none. */
  readonly title: string | undefined
  readonly newest: ShownMessage | undefined
  readonly unread: number
  readonly capped: boolean
}

export interface ShownMembers {
  readonly chatId: string
  readonly title: string
  readonly members: ReadonlyArray<{ readonly address: string; readonly role: number; readonly since: bigint }>
}

/** Why a user is not shown what she asks for. */
export type Denied = "Forbidden" | "NotFound"
export const isDenied = (answer: unknown): answer is Denied => answer === "Forbidden" || answer === "NotFound"

const inOrder = (a: { readonly hlc: bigint; readonly id: string }, b: typeof a): number =>
  a.hlc < b.hlc || (a.hlc === b.hlc && a.id < b.id) ? -1 : 1

const isParty = (message: Message, user: Address): boolean => message.sender === user || message.peer === user

/** All views of one set of records at one time. Lazy: what nobody asks for is not worked out. */
export class ModelViews {
  readonly #cutoffMs: number
  readonly #folds: ModelFolds
  readonly #records: ReadonlyArray<Record>
  readonly #messages = new Map<ChatId, Array<Message>>()
  readonly #ops = new Map<ChatId, Array<Op>>()
  readonly #groups = new Map<ChatId, ModelGroup>()
  readonly #shown = new Map<ChatId, ReadonlyArray<Message>>()
  readonly #texts = new Map<Message, ShownMessage>()

  /** `wallMs` is what the clock of the node shows that is asked: by it records age. */
  constructor(records: ReadonlyArray<Record>, wallMs: number, folds: ModelFolds) {
    this.#cutoffMs = cutoffAt(wallMs)
    this.#folds = folds
    this.#records = oneEach(records)
    const into = <A>(map: Map<ChatId, Array<A>>, chatId: ChatId, item: A) => {
      const known = map.get(chatId)
      if (known === undefined) map.set(chatId, [item])
      else known.push(item)
    }
    for (const record of this.#records) {
      if (record.kind === "message") into(this.#messages, record.chatId, record)
      if (record.kind === "op") into(this.#ops, record.chatId, record)
    }
    for (const messages of this.#messages.values()) messages.sort(inOrder)
  }

  get cutoffMs(): number {
    return this.#cutoffMs
  }

  /** Groups that somebody created. */
  get groups(): ReadonlyArray<ChatId> {
    return [...this.#ops.keys()].filter((chatId) => this.group(chatId).creator !== undefined)
  }

  group(chatId: ChatId): ModelGroup {
    let group = this.#groups.get(chatId)
    if (group === undefined) {
      group = this.#folds.of(chatId, this.#ops.get(chatId) ?? [])
      this.#groups.set(chatId, group)
    }
    return group
  }

  /** Direct conversations in which something was ever written. */
  dialogs(user: Address): ReadonlyArray<Extract<Place, { readonly kind: "dm" }>> {
    return [...this.#messages].flatMap(([chatId, [first]]) =>
      first?.peer !== undefined && isParty(first, user)
        ? [{ kind: "dm", chatId, peer: first.sender === user ? first.peer : first.sender } as const]
        : []
    )
  }

  isAged(record: Record): boolean {
    return ages(record) && Number(record.hlc >> 16n) <= this.#cutoffMs
  }

  /** All messages of a chat, shown or not, oldest first. */
  messages(chatId: ChatId): ReadonlyArray<Message> {
    return this.#messages.get(chatId) ?? []
  }

  /** The messages of a chat that its parties or members are shown, oldest first. */
  shown(chatId: ChatId): ReadonlyArray<Message> {
    let shown = this.#shown.get(chatId)
    if (shown === undefined) {
      shown = this.messages(chatId).filter((message) => this.hidden(message) === undefined)
      this.#shown.set(chatId, shown)
    }
    return shown
  }

  /** Why a message is shown to nobody. */
  hidden(message: Message): string | undefined {
    if (this.isAged(message)) return "it is aged"
    if (message.peer !== undefined || isShown(this.group(message.chatId), message.sender, message.hlc)) return undefined
    return `${message.sender.slice(0, 8)} was no member at its place`
  }

  text(message: Message): ShownMessage {
    let text = this.#texts.get(message)
    if (text === undefined) {
      text = shownMessage(message.id, message)
      this.#texts.set(message, text)
    }
    return text
  }

  /** Whether a user may look into a group: known, and she is a member now. */
  denied(user: Address, place: Place): Denied | undefined {
    if (place.kind === "dm") return undefined
    const group = this.group(place.chatId)
    if (group.creator === undefined) return "NotFound"
    return group.end.roles.has(user) ? undefined : "Forbidden"
  }

  /** Oldest first. */
  history(user: Address, place: Place): ReadonlyArray<ShownMessage> | Denied {
    return this.denied(user, place) ?? this.shown(place.chatId).map((message) => this.text(message))
  }

  members(user: Address, chatId: ChatId): ShownMembers | Denied {
    const group = this.group(chatId)
    const denied = this.denied(user, { kind: "group", chatId })
    return denied ?? { chatId, title: group.end.title, members: membersOf(group.end) }
  }

  identity(address: Address): { readonly address: string; readonly blob: string; readonly hlc: bigint } | Denied {
    const found = this.#records.find((record) => record.kind === "identity" && record.address === address)
    return found?.kind === "identity" ? { address, blob: found.blob.toHex(), hlc: found.hlc } : "NotFound"
  }

  /** In order: the newest activity first, then the higher chat id. */
  inbox(user: Address): ReadonlyArray<ShownChat> {
    const lines: Array<{ readonly activity: bigint; readonly chat: ShownChat }> = []
    const line = (place: Place, group: ModelGroup | undefined, member: ModelMember | undefined) => {
      const shown = this.shown(place.chatId)
      const newest = shown.at(-1)
      const activity = newest?.hlc ?? member?.since
      if (activity === undefined) return
      const unread = this.#unread(user, place.chatId, member?.since ?? 0n)
      const chat: ShownChat = {
        chatId: place.chatId,
        peer: place.kind === "dm" ? place.peer : undefined,
        title: group?.end.title,
        newest: newest && this.text(newest),
        unread: Math.min(unread, countedMax),
        capped: unread > countedMax
      }
      lines.push({ activity, chat })
    }
    for (const place of this.dialogs(user)) line(place, undefined, undefined)
    for (const chatId of this.groups) {
      const group = this.group(chatId)
      const member = membersOf(group.end).find(({ address }) => address === user)
      if (member !== undefined) line({ kind: "group", chatId }, group, member)
    }
    return lines.sort((a, b) =>
      a.activity > b.activity || (a.activity === b.activity && a.chat.chatId > b.chat.chatId) ? -1 : 1
    ).map(({ chat }) => chat)
  }

  /** A recount: shown messages of others above what she has read, or joined after. */
  #unread(user: Address, chatId: ChatId, since: bigint): number {
    const marks = this.#records.flatMap((record) =>
      record.kind === "read" && record.chatId === chatId && record.reader === user && !this.isAged(record)
        ? [record.upTo as bigint]
        : []
    )
    const mark = marks.reduce((a, b) => a > b ? a : b, since)
    return this.shown(chatId).filter(({ hlc, sender }) => sender !== user && hlc > mark).length
  }
}
