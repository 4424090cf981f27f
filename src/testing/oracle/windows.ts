/**
 * The two ways to what a node shows: its `Views` service, and its HTTP API with signed requests. Both say the same things
 * in the same form, so one check serves both, and a test can put a window in between that lies.
 */
import * as Effect from "effect/Effect"
import type * as Api from "../../api/index.ts"
import type { Hashing } from "../../domain/hashing.ts"
import type { Address, ChatId, MessageId } from "../../domain/ids.ts"
import { type Message, roles } from "../../domain/record.ts"
import type { Place } from "../../services/Ingest.ts"
import type { NodeKey } from "../../services/NodeKey.ts"
import type { Position } from "../../services/Store.ts"
import { type InboxPosition, Views } from "../../services/Views.ts"
import type { NodeServices, SimulatedNode } from "../cluster.ts"
import type { HttpDoor } from "../http/door.ts"
import { type ShownChat, type ShownMembers, type ShownMessage, shownMessage } from "../model/views.ts"
import * as Users from "../users.ts"

/** What was shown, or the name of the refusal. */
export type Seen<A> = { readonly _tag: "Shown"; readonly value: A } | { readonly _tag: "Refused"; readonly why: string }

/** A cursor of a list, as its window gave it. */
export type Cursor = { readonly Cursor: unique symbol }

export interface SeenPage<A> {
  readonly items: ReadonlyArray<A>
  readonly next: Cursor | undefined
}

/** Whose it is said to be, and the blob in hex. */
export interface SeenIdentity {
  readonly address: string
  readonly blob: string
  readonly hlc: bigint
}

export interface PageAsked {
  readonly direction: "before" | "after"
  /** Absent: from that end. */
  readonly from: Cursor | undefined
  readonly limit: number
}

/** What a user is shown at the node where this runs. */
export interface Window<R> {
  readonly name: string
  history(user: Users.User, place: Place, page: PageAsked): Effect.Effect<Seen<SeenPage<ShownMessage>>, never, R>
  message(user: Users.User, place: Place, id: MessageId): Effect.Effect<Seen<ShownMessage>, never, R>
  inbox(user: Users.User, page: Omit<PageAsked, "direction">): Effect.Effect<Seen<SeenPage<ShownChat>>, never, R>
  members(user: Users.User, chatId: ChatId): Effect.Effect<Seen<ShownMembers>, never, R>
  identity(user: Users.User, address: Address): Effect.Effect<Seen<SeenIdentity>, never, R>
}

/** Records of one node stay the same objects, and are shown again and again. */
const texts = new WeakMap<Message, ShownMessage>()
const textOf = (message: Message): ShownMessage => {
  let text = texts.get(message)
  if (text === undefined) {
    text = shownMessage(message.id, message)
    texts.set(message, text)
  }
  return text
}

const shown = <A>(value: A): Seen<A> => ({ _tag: "Shown", value })
const refused = (why: string): Seen<never> => ({ _tag: "Refused", why })

const page = <A>(items: ReadonlyArray<A>, next: object | string | null | undefined): SeenPage<A> => ({
  items,
  next: (next ?? undefined) as Cursor | undefined
})

/** Asks the service in place; a failed read is an answer too. */
const asked = <A, E extends { readonly _tag: string }, B>(
  ask: (views: Views["Service"]) => Effect.Effect<A, E>,
  tell: (value: A) => B
): Effect.Effect<Seen<B>, never, Views> =>
  Effect.flatMap(Views, (views) =>
    Effect.match(ask(views), {
      onSuccess: (value) => shown(tell(value)),
      onFailure: ({ _tag }) => refused(_tag)
    }))

const throughViews: Window<Views> = {
  name: "views",
  history: ({ address }, place, { from, ...query }) =>
    asked(
      (views) => views.history(address, place, { ...query, from: from as Position | undefined }),
      ({ messages, next }) => page(messages.map(textOf), next)
    ),
  message: ({ address }, place, id) => asked((views) => views.message(address, place, id), textOf),
  inbox: ({ address }, { from, limit }) =>
    asked(
      (views) => views.conversations(address, { after: from as InboxPosition | undefined, limit }),
      ({ conversations, next }) =>
        page(
          conversations.map(({ capped, newest, place, title, unread }): ShownChat => ({
            chatId: place.chatId,
            peer: place.kind === "dm" ? place.peer : undefined,
            title,
            newest: newest && textOf(newest),
            unread,
            capped
          })),
          next
        )
    ),
  members: ({ address }, chatId) => asked((views) => views.members(address, chatId), (members) => members),
  identity: (_, address) =>
    asked(
      (views) => views.identity(address),
      ({ blob, hlc, ...found }): SeenIdentity => ({ address: found.address, blob: blob.toHex(), hlc })
    )
}

const messageOf = (json: typeof Api.Message.Type): ShownMessage =>
  shownMessage(json.msg_id, {
    chatId: json.chat_id,
    sender: json.sender,
    ts: json.ts,
    hlc: json.hlc,
    msgType: json.msg_type,
    content: json.content,
    control: json.control
  })

const answered = <A, B, R>(
  answer: Effect.Effect<Users.ReadOutcome<A>, never, R>,
  tell: (value: A) => B
): Effect.Effect<Seen<B>, never, R> =>
  Effect.map(answer, (outcome) => outcome.kind === "found" ? shown(tell(outcome.value)) : refused(Users.whyOf(outcome)))

/** Times of requests lie at most so far ahead of the node's clock, ms: a node takes 30 s. */
const aheadMsMax = 20_000
const lastTs = new WeakMap<SimulatedNode, number>()

/** No two requests at a node have one time: the same one twice would be a replay. */
const freshTs = (node: SimulatedNode): number => {
  const wall = node.clock.wallMs
  const next = (lastTs.get(node) ?? 0) + 1
  const ts = next > wall && next - wall <= aheadMsMax ? next : wall
  lastTs.set(node, ts)
  return ts
}

const cursorText = (from: Cursor | undefined): string | undefined => from as string | undefined

/** Requests over the node's HTTP door. */
const throughHttp = (node: SimulatedNode): Window<Hashing | NodeKey | HttpDoor> => {
  const ts = () => ({ ts: freshTs(node) })
  return {
    name: "http",
    history: (user, place, { direction, from, limit }) => {
      const cursor = cursorText(from)
      const at = direction === "after" ? { after: cursor ?? "" } : cursor === undefined ? {} : { before: cursor }
      return answered(
        Users.readHistory(user, place, { ...ts(), ...at, limit }),
        ({ messages, next }) => page(messages.map(messageOf), next)
      )
    },
    message: (user, place, id) => answered(Users.readMessage(user, place, id, ts()), messageOf),
    inbox: (user, { from, limit }) =>
      answered(
        Users.readConversations(user, { ...ts(), limit, after: cursorText(from) }),
        ({ conversations, next }) =>
          page(
            conversations.map(({ chat_id, kind, newest, peer, title, unread, unread_capped }): ShownChat => ({
              chatId: chat_id,
              peer,
              // an empty title is left out
              title: kind === "group" ? title ?? "" : title,
              newest: newest === null ? undefined : messageOf(newest),
              unread,
              capped: unread_capped === true
            })),
            next
          )
      ),
    members: (user, chatId) =>
      answered(Users.readMembers(user, chatId, ts()), ({ chat_id, members, title }): ShownMembers => ({
        chatId: chat_id,
        title,
        members: members.map(({ address, role, since }) => ({
          address,
          role: role === "admin" ? roles.admin : roles.member,
          since
        }))
      })),
    identity: (user, address) =>
      answered(
        Users.readIdentity(user, address, ts()),
        ({ hlc, identity, ...found }): SeenIdentity => ({ address: found.address, blob: identity.toHex(), hlc })
      )
  }
}

/** A window at a node: through its services, or its API. */
export type WindowAt = (node: SimulatedNode) => Window<NodeServices>

export const viewsAt: WindowAt = () => throughViews
export const httpAt: WindowAt = throughHttp
