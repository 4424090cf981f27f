/**
 * What `tail` does: events as they come, a line each. Results are on stdout; how the connection stands is told on stderr.
 */
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Chat from "../client/Chat.ts"
import type { NodeClient } from "../client/NodeClient.ts"
import type { ClientEvent, ConnectionEvent, NodeEvent } from "../client/values.ts"
import { physicalMs } from "../domain/hlc.ts"
import type { Address, ChatId } from "../domain/ids.ts"
import { eventJson, membershipText, readText, usersOf } from "./event-text.ts"
import { calledOf, nameOf, shortId } from "./names.ts"
import { clockTime, note, print, printJson } from "./output.ts"
import { bold, faint, green, yellow } from "./terminal/colour.ts"
import { harmlessLine } from "./terminal/harmless.ts"
import { fill } from "./terminal/width.ts"

/** Names and titles kept, and for how long: events tell of changes, but not to those who share no conversation any more. */
const keptMax = 10_000
const keptFor = "10 minutes"
const whereColumns = 18
const whoColumns = 16

export interface FollowOptions {
  readonly json: boolean
  /** One conversation only. */
  readonly chat: Chat.Chat | undefined
  /** The id of an event to go on behind. */
  readonly resume: string | undefined
  /** Ends after so many. */
  readonly events: number | undefined
}

/** Names of users and titles of groups, asked for when they are first needed. Without an answer they are "". */
const directory = Effect.fnUntraced(function*(client: NodeClient) {
  const names = yield* Cache.make({
    capacity: keptMax,
    timeToLive: keptFor,
    lookup: (address: Address) =>
      client.identity.get(address).pipe(Effect.map(({ identity }) => nameOf(identity)), Effect.orElseSucceed(() => ""))
  })
  const titles = yield* Cache.make({
    capacity: keptMax,
    timeToLive: keptFor,
    lookup: (chatId: ChatId) =>
      client.groups.members(chatId).pipe(Effect.map(({ title }) => title), Effect.orElseSucceed(() => ""))
  })
  return {
    names,
    titles,
    /** Takes in what an event changes. */
    learn: (event: NodeEvent): Effect.Effect<void> =>
      event.type === "identity"
        ? Cache.set(names, event.address, nameOf(event.identity))
        : event.type === "membership" && event.title !== undefined
        // its title may not be the one that holds
        ? Cache.invalidate(titles, event.chat_id)
        : Effect.void,
    forget: Effect.andThen(Cache.invalidateAll(names), Cache.invalidateAll(titles))
  }
})

type Directory = Effect.Success<ReturnType<typeof directory>>

/** Whether an event is of the conversation that was asked for. Identities: of whom one talks to. */
const isOf = (chat: Chat.Chat, chatId: ChatId, event: NodeEvent): boolean =>
  event.type === "message"
    ? event.message.chat_id === chatId
    : event.type === "identity"
    ? chat.kind === "dm" && event.address === chat.peer
    : event.chat_id === chatId

const hlcOf = (event: NodeEvent) => event.type === "message" ? event.message.hlc : event.hlc

const lineOf = Effect.fnUntraced(function*(self: Address, { names, titles }: Directory, event: NodeEvent) {
  const known = new Map<Address, string>()
  for (const address of usersOf(event)) known.set(address, yield* Cache.get(names, address))
  const called = (address: Address) => calledOf(self, known, address)
  const group = Effect.fnUntraced(function*(chatId: ChatId) {
    const title = yield* Cache.get(titles, chatId)
    return title === "" ? shortId(chatId) : harmlessLine(title)
  })
  const line = (where: string, rest: string) =>
    `${faint(clockTime(physicalMs(hlcOf(event))))}  ${fill(where, whereColumns)}  ${rest}`
  switch (event.type) {
    case "message": {
      const { content, msg_type, sender } = event.message
      const where = event.chat.kind === "dm" ? called(event.chat.peer) : yield* group(event.chat.chatId)
      const who = fill(called(sender), whoColumns)
      const kind = msg_type === 0 ? "" : faint(`[type ${msg_type}] `)
      return line(where, `${sender === self ? faint(who) : bold(who)}  ${kind}${harmlessLine(content)}`)
    }
    case "membership":
      return line(yield* group(event.chat_id), `${green("*")} ${membershipText(event, called)}`)
    case "read": {
      const where = event.peer === undefined ? yield* group(event.chat_id) : called(event.peer)
      return line(where, `${green("*")} ${readText(event, called, clockTime)}`)
    }
    case "identity":
      return line(called(event.address), `${green("*")} the identity of ${shortId(event.address)} changed`)
  }
})

/** Prints until it is stopped, until there were enough, or until the node refuses for good. */
export const follow = Effect.fnUntraced(function*(client: NodeClient, options: FollowOptions) {
  const { chat, events = Infinity, json, resume } = options
  const self = client.address
  const known = yield* directory(client)
  const chatId = chat === undefined ? undefined : Chat.idOf(chat, self)
  let wasLost = false
  let printed = 0

  const connected = ({ error, state, url }: ConnectionEvent): Effect.Effect<void> => {
    if (state === "open") {
      const said = wasLost ? "connected again" : process.stderr.isTTY ? "following" : undefined
      wasLost = false
      return said === undefined ? Effect.void : note(faint(`${said}: ${url}`, process.stderr))
    }
    if (wasLost) return Effect.void
    wasLost = true
    return note(`${yellow("reconnecting:", process.stderr)} ${harmlessLine(error ?? url)}`)
  }

  const take = Effect.fnUntraced(function*(event: ClientEvent) {
    switch (event.type) {
      case "connection":
        return yield* connected(event)
      case "reset":
        yield* known.forget
        if (json) return yield* printJson({ type: "reset" })
        return yield* note("other events than messages may have been missed; missed messages follow")
      default:
        yield* known.learn(event)
        if (chat !== undefined && !isOf(chat, chatId!, event)) return
        yield* json ? printJson(eventJson(event)) : print(yield* lineOf(self, known, event))
        printed++
    }
  })
  yield* Stream.runForEachWhile(
    client.events({ resume }),
    (event) => Effect.map(take(event), () => printed < events)
  )
})
