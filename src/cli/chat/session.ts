/**
 * A conversation at work: what keys and events do to its state, and what its state has to be asked, sent and drawn. It is a
 * handful of loops around one state; the first that ends, ends all.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { goneMs } from "../../client/calls.ts"
import * as Chat from "../../client/Chat.ts"
import type { ReadError } from "../../client/errors.ts"
import type { NodeClient } from "../../client/NodeClient.ts"
import type { ClientEvent } from "../../client/values.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { Address, MessageId } from "../../domain/ids.ts"
import { contentBytesMax, pageMax } from "../../domain/limits.ts"
import type { Clients } from "../account.ts"
import { waitSeconds } from "../defaults.ts"
import { membershipText } from "../event-text.ts"
import { describe } from "../failure.ts"
import { calledOf } from "../names.ts"
import { empty, erase, insert, move } from "../terminal/editor.ts"
import { changes, type Frame } from "../terminal/frame.ts"
import type { FullScreen } from "../terminal/full-screen.ts"
import { type Command, Keys } from "../terminal/keys.ts"
import * as State from "./state.ts"
import { render, scrolled, scrolledPages, type Size } from "./view.ts"

/** Messages of a page of history. */
const pageMessages = 100
/** Messages written and not yet taken by a node. */
const outgoingMax = 100
/** Users whose names are still to be asked for. */
const wantedMax = 1_000
/** Between two frames, ms; between two read marks; and after one that failed. */
const frameMs = 15
const markMs = 1_000
const markFailedMs = 10_000

/** What was written and has not been sent when the conversation ends. */
export type Unsent = ReadonlyArray<State.Outgoing>

/** Runs until it is quit. Fails with what a node refuses for good. `colours`: whether the terminal is to have any. */
export const converse = Effect.fnUntraced(function*(
  { suspend, terminal }: FullScreen,
  { at, first }: Clients,
  chat: Chat.Chat,
  url: string,
  colours: boolean
): Effect.fn.Return<Unsent, ReadError> {
  const chatId = Chat.idOf(chat, first.address)
  let state = State.initial(first.address, chat, chatId, url)
  let size: Size = { columns: yield* terminal.columns, rows: yield* terminal.rows }
  let drawn: Frame | undefined
  /** The newest message that was seen, and the place up to which a node knows that. */
  let shown = Hlc.zero
  let marked: Hlc.Hlc | undefined
  let hasOpened = false
  let keysMade = 0

  const dirty = yield* Queue.sliding<void>(1)
  const outbox = yield* Queue.bounded<string>(outgoingMax)
  const above = yield* Queue.sliding<void>(1)
  const anew = yield* Queue.sliding<void>(1)
  const regroup = yield* Queue.sliding<void>(1)
  const seen = yield* Queue.sliding<void>(1)
  const wanted = yield* Queue.dropping<Address>(wantedMax)
  const asked = new Set<Address>()

  const update = (change: (state: State.State) => State.State): void => {
    state = change(state)
    Queue.offerUnsafe(dirty, undefined)
  }
  const hint = (text: string): void => update((state) => ({ ...state, hint: text }))

  /** At the node whose events come. */
  const here = (): NodeClient => at(state.connection.url) ?? first

  /** Names of users that are met for the first time. */
  const want = (...addresses: ReadonlyArray<Address>): void => {
    for (const address of addresses) {
      if (asked.has(address) || !Queue.offerUnsafe(wanted, address)) continue
      asked.add(address)
      if (asked.size > wantedMax) asked.delete(asked.values().next().value!)
    }
  }

  const naming = Effect.forever(Effect.gen(function*() {
    const address = yield* Queue.take(wanted)
    const found = yield* Effect.option(here().identity.get(address))
    if (found._tag === "Some") update((state) => State.withIdentity(state, found.value))
  }))

  /** Held by who writes to the terminal: not while the shell has it. */
  const pen = yield* Semaphore.make(1)

  const draw = Effect.gen(function*() {
    const view = render(state, size)
    yield* Effect.orDie(terminal.display(changes(drawn, view, colours)))
    drawn = view
    if (view.shown !== undefined && view.shown > shown) {
      shown = view.shown
      Queue.offerUnsafe(seen, undefined)
    }
  })
  const drawing = Effect.forever(
    Queue.take(dirty).pipe(Effect.andThen(pen.withPermits(1)(draw)), Effect.andThen(Effect.sleep(frameMs)))
  )

  const sizing = Effect.scoped(
    Effect.flatMap(terminal.size, (sizes) =>
      Effect.forever(Effect.map(Queue.take(sizes), (next) => {
        size = next
        drawn = undefined
        update((state) => state)
      })))
  ).pipe(Effect.ignore, Effect.andThen(Effect.never))

  /** Reads a page above what is there. */
  const paging = Effect.forever(Effect.gen(function*() {
    yield* Queue.take(above)
    if (state.above !== "more") return
    update((state) => ({ ...state, above: "loading" }))
    const page = yield* Effect.result(here().history(chat, { limit: pageMessages, before: state.cursor }))
    if (page._tag === "Success") {
      update((state) => State.withPage(state, page.success))
      want(...page.success.messages.map(({ sender }) => sender))
    } else {
      update((state) => ({ ...state, above: "more" }))
      hint(`older messages: ${describe(page.failure)}`)
    }
  }))

  /** Reads everything that is not told by events: at the start, and after a gap. */
  const refreshing = Effect.forever(Effect.gen(function*() {
    yield* Queue.take(anew)
    const client = here()
    const newest = yield* Effect.result(client.history(chat, { limit: pageMessages }))
    if (newest._tag === "Success") {
      update((state) => State.withNewest(state, newest.success))
      asked.clear()
      want(...(chat.kind === "dm" ? [chat.peer] : []), ...newest.success.messages.map(({ sender }) => sender))
    } else {
      update((state) => ({ ...state, above: state.above === "loading" ? "more" : state.above }))
      hint(`history: ${describe(newest.failure)}`)
    }
    const inbox = yield* Effect.option(client.conversations({ limit: pageMax }))
    if (inbox._tag === "Some") {
      const { conversations } = inbox.value
      update((state) => State.withInbox(state, conversations))
      const own = conversations.find(({ chat_id }) => chat_id === chatId)
      if (own !== undefined && own.unread === 0 && own.newest !== null) marked ??= own.newest.hlc
    }
    marked ??= Hlc.zero
    Queue.offerUnsafe(seen, undefined)
    Queue.offerUnsafe(regroup, undefined)
  }))

  /** Title and number of members, which events of a group do not tell. */
  const regrouping = Effect.forever(Effect.gen(function*() {
    yield* Queue.take(regroup)
    if (chat.kind !== "group") return
    const members = yield* Effect.result(here().groups.members(chat.chatId))
    if (members._tag === "Success") update((state) => State.withMembers(state, members.success))
    else hint(`members: ${describe(members.failure)}`)
  }))

  /** Marks as read what was on the screen, if others wrote it. */
  const marking = Effect.forever(Effect.gen(function*() {
    yield* Queue.take(seen)
    const from = marked
    const upTo = shown
    const isNews = from !== undefined &&
      state.placed.some((entry) =>
        entry.kind === "message" && entry.message.sender !== state.self && entry.message.hlc > from
        && entry.message.hlc <= upTo
      )
    if (!isNews) return
    const done = yield* Effect.result(here().markRead(chat, upTo))
    if (done._tag === "Success") marked = upTo
    yield* Effect.sleep(done._tag === "Success" ? markMs : markFailedMs)
    // what was seen meanwhile, or this again
    Queue.offerUnsafe(seen, undefined)
  }))

  /** One after the other, so that they arrive in the order in which they were written. */
  const sending = Effect.forever(Effect.gen(function*() {
    const key = yield* Queue.take(outbox)
    const outgoing = state.outgoing.find((each) => each.key === key)
    if (outgoing === undefined) return
    const client = here()
    const lost = outgoing.unknown
    const found = lost === undefined ? undefined : yield* Effect.result(client.message(chat, lost.id))
    if (lost !== undefined && found?._tag === "Failure") {
      const leftMs = lost.ts + goneMs - (yield* Clock.currentTimeMillis) - (yield* client.clockOffsetMs)
      const why = found.failure._tag !== "NotFound"
        ? describe(found.failure)
        : leftMs > 0
        ? `not there, but it may still come: try again in ${Math.ceil(leftMs / 1_000)} s`
        : undefined
      if (why !== undefined) return update((state) => State.withFailed(state, key, why, lost))
    }
    const sent = found !== undefined && found._tag === "Success"
      ? found
      : yield* Effect.result(client.send(chat, outgoing.content, { wait: waitSeconds }))
    if (sent._tag === "Success") return update((state) => State.withSent(state, key, sent.success, Date.now()))
    const { failure } = sent
    const unknown = failure._tag === "OutcomeUnknown" ? { id: failure.id as MessageId, ts: failure.ts } : undefined
    update((state) => State.withFailed(state, key, describe(failure), unknown))
  }))

  const post = (key: string, change: (state: State.State) => State.State): boolean => {
    if (!Queue.offerUnsafe(outbox, key)) {
      hint("too many messages are on their way; wait a moment")
      return false
    }
    update(change)
    return true
  }

  const scroll = (next: State.State): void => {
    update(() => next)
    if (next.above === "more" && render(next, size).atTop) Queue.offerUnsafe(above, undefined)
  }

  /** Does what a key asks for. True: it is over. */
  const obey = (command: Command): boolean => {
    const { editor } = state
    switch (command.type) {
      case "insert": {
        const next = insert(editor, command.text)
        if (next === undefined) hint(`a message holds at most ${contentBytesMax} bytes`)
        else update((state) => ({ ...state, editor: next }))
        return false
      }
      case "move":
        update((state) => ({ ...state, editor: move(editor, command.to) }))
        return false
      case "erase":
        update((state) => ({ ...state, editor: erase(editor, command.to) }))
        return false
      case "scroll":
        scroll(scrolledPages(state, size, command.pages))
        return false
      case "scroll-lines":
        scroll(scrolled(state, size, command.lines))
        return false
      case "end":
        update((state) => ({ ...state, anchor: undefined }))
        return false
      case "send": {
        const key = `outgoing ${++keysMade}`
        if (editor.text.trim() !== "" && post(key, (state) => State.withOutgoing(state, key, editor.text))) {
          update((state) => ({ ...state, editor: empty }))
        }
        return false
      }
      case "retry": {
        const failed = State.failedFirst(state)
        if (failed === undefined) hint("every message was sent")
        else post(failed.key, (state) => State.withRetry(state, failed.key))
        return false
      }
      case "suspend":
      case "redraw":
        drawn = undefined
        update((state) => state)
        return false
      case "quit":
        return true
      case "quit-if-empty":
        if (editor.text === "") return true
        update((state) => ({ ...state, editor: erase(editor, "right") }))
        return false
    }
  }

  const keys = new Keys()
  /** Until it is quit, or there are no more keys: the terminal was closed. */
  const typing = Effect.scoped(Effect.gen(function*() {
    const inputs = yield* terminal.readInput
    while (true) {
      const input = yield* Queue.take(inputs)
      const command = keys.read(input)
      if (command === undefined) continue
      if (state.hint !== "") hint("")
      if (command.type === "suspend") yield* pen.withPermits(1)(suspend)
      if (obey(command)) return
    }
  })).pipe(Effect.ignore)

  const take = (event: ClientEvent): void => {
    switch (event.type) {
      case "connection": {
        const { error = "", state: how, url } = event
        update((state) => ({ ...state, connection: { state: how, url, error } }))
        // the stream is open before anything is read, so nothing comes in between; later gaps are told as `reset`
        if (how === "open" && !hasOpened) Queue.offerUnsafe(anew, undefined)
        hasOpened ||= how === "open"
        return
      }
      case "reset":
        Queue.offerUnsafe(anew, undefined)
        return
      case "message":
        want(event.message.sender)
        return update((state) => State.withMessage(state, event.message))
      case "identity":
        return update((state) => State.withIdentity(state, event))
      case "read":
        if (event.reader === state.self) update((state) => State.withRead(state, event.chat_id, event.up_to))
        return
      case "membership": {
        if (event.chat_id !== chatId) return
        want(event.actor, ...event.targets)
        const text = membershipText(event, (address) => calledOf(state.self, state.names, address))
        update((state) => State.withNotice(state, event.op_id, event.hlc, text))
        Queue.offerUnsafe(regroup, undefined)
      }
    }
  }
  const following = Stream.runForEach(first.events(), (event) => Effect.sync(() => take(event)))

  Queue.offerUnsafe(dirty, undefined)
  yield* Effect.raceAllFirst<Effect.Effect<void, ReadError>>([
    typing,
    following,
    drawing,
    sizing,
    naming,
    paging,
    refreshing,
    regrouping,
    marking,
    sending
  ])
  return state.outgoing.filter(({ seen }) => !seen)
})
