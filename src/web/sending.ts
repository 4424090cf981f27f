/**
 * Messages and read marks on their way to a node.
 *
 * Rules:
 * 1. Messages of one conversation go one after the other, in the order in which they were written; one whose outcome is
 *    unknown holds up no other.
 * 2. A message whose node did not answer is never signed anew before that node has said, after the time in which it could
 *    still take it, that it does not have it; or the user says so, knowing that it may then come twice.
 * 3. While there is no connection, nothing is signed: it waits, and goes on by itself when there is one again.
 */
import type { ReadonlySignal } from "@preact/signals"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { goneMs } from "../client/calls.ts"
import type { WriteError } from "../client/errors.ts"
import type { NodeClient } from "../client/NodeClient.ts"
import type { Hlc } from "../domain/hlc.ts"
import type { ChatId, MessageId } from "../domain/ids.ts"
import type { Action, Outgoing, State } from "./state.ts"
import { explain } from "./words.ts"

/** Seconds to wait for the commit: a message that is shown as sent survives the node. */
const commitSeconds = 5
/** After this, what had no answer is tried again, ms: the connection may have been back before that was known. */
const retryMs = 15_000
/** Marks of one conversation go out at most this often, ms. */
const markPauseMs = 1_000

export interface Sending {
  send(chatId: ChatId, text: string): void
  /** Tries again what failed: asks first where it may have been taken. */
  again(chatId: ChatId, outgoing: Outgoing): void
  /** Signs it anew, though it may have been taken. */
  anew(chatId: ChatId, outgoing: Outgoing): void
  discard(chatId: ChatId, outgoing: Outgoing): void
  mark(chatId: ChatId, upTo: Hlc): void
  /** There is a connection again. */
  resume(): void
}

export interface Options {
  readonly state: ReadonlySignal<State>
  readonly dispatch: (action: Action) => void
  readonly clientAt: (url: string) => NodeClient
  readonly isEnded: () => boolean
}

const settle = <A, E>(effect: Effect.Effect<A, E>): Promise<Result.Result<A, E>> =>
  Effect.runPromise(Effect.result(effect))

const failed = (outgoing: Outgoing, error: WriteError, url: string): Outgoing => {
  const { atMs, content, key } = outgoing
  const told = { key, content, atMs, problem: explain(error) }
  switch (error._tag) {
    case "OutcomeUnknown":
      return { ...told, state: "unknown", id: error.id as MessageId, signedMs: error.ts, url }
    case "NodeUnreachable":
      return { ...told, state: "waiting" }
    default:
      return { ...told, state: "refused" }
  }
}

export const make = ({ clientAt, dispatch, isEnded, state }: Options): Sending => {
  let lastKey = 0
  const lines = new Map<ChatId, Promise<void>>()
  const settling = new Set<number>()
  const marks = new Map<ChatId, Hlc>()
  const marking = new Set<ChatId>()

  const here = () => state.peek().connection.url
  const conversation = (chatId: ChatId) => state.peek().chats.get(chatId)
  const find = (chatId: ChatId, key: number) => conversation(chatId)?.outgoing.find((each) => each.key === key)

  const transmit = async (chatId: ChatId, key: number, isForced: boolean): Promise<void> => {
    const [chat, outgoing, url] = [conversation(chatId)?.chat, find(chatId, key), here()]
    if (isEnded() || chat === undefined || outgoing?.state !== "sending") return
    // asking a node that is gone would leave it open whether the node has it
    if (state.peek().connection.state !== "open" && !isForced) {
      return dispatch({ type: "outgoing", chatId, outgoing: { ...outgoing, state: "waiting", match: undefined } })
    }
    const answer = await settle(clientAt(url).send(chat, outgoing.content, { wait: commitSeconds }))
    if (Result.isSuccess(answer)) {
      dispatch({ type: "sent", chatId, key, id: answer.success.msg_id, hlc: answer.success.hlc })
    } else {
      dispatch({ type: "outgoing", chatId, outgoing: failed(outgoing, answer.failure, url) })
      later(chatId, key)
    }
  }

  /** Where there is no connection then, the next one does it. */
  const later = (chatId: ChatId, key: number): void => {
    setTimeout(() => {
      const outgoing = find(chatId, key)
      if (outgoing === undefined || outgoing.state === "refused" || isEnded()) return
      if (state.peek().connection.state === "open") again(chatId, outgoing)
    }, retryMs)
  }

  /** Rule 1. */
  const enqueue = (chatId: ChatId, key: number, isForced = false): void => {
    const before = lines.get(chatId)
    const run = async () => {
      await before
      await transmit(chatId, key, isForced)
      if (lines.get(chatId) === line) lines.delete(chatId)
    }
    const line = run()
    lines.set(chatId, line)
  }

  const anew = (chatId: ChatId, { atMs, content, key }: Outgoing, isForced = true): void => {
    dispatch({ type: "outgoing", chatId, outgoing: { key, content, atMs, state: "sending" } })
    enqueue(chatId, key, isForced)
  }

  /** Rule 2: what became of a message whose node did not answer. */
  const ask = async (chatId: ChatId, outgoing: Outgoing): Promise<void> => {
    const { id, key, signedMs, url } = outgoing
    const chat = conversation(chatId)?.chat
    if (chat === undefined || id === undefined || url === undefined || signedMs === undefined) return
    const offsetMs = Effect.runSync(clientAt(url).clockOffsetMs)
    const ageMs = Date.now() + offsetMs - signedMs
    const answer = await settle(clientAt(url).message(chat, id))
    const found = Result.isSuccess(answer) || url === here() ? answer : await settle(clientAt(here()).message(chat, id))
    if (isEnded() || find(chatId, key)?.id !== id) return
    if (Result.isSuccess(found)) {
      dispatch({ type: "sent", chatId, key, id, hlc: found.success.hlc })
    } else if (Result.isFailure(answer) && answer.failure._tag === "NotFound") {
      if (ageMs > goneMs) anew(chatId, outgoing, false)
      else setTimeout(() => settleOne(chatId, outgoing), goneMs - ageMs + 100)
    } else {
      later(chatId, key)
    }
  }

  const settleOne = (chatId: ChatId, outgoing: Outgoing): void => {
    const { key } = outgoing
    if (isEnded() || settling.has(key)) return
    settling.add(key)
    void ask(chatId, outgoing).then(() => settling.delete(key))
  }

  const again = (chatId: ChatId, outgoing: Outgoing): void => {
    if (outgoing.state === "unknown") settleOne(chatId, outgoing)
    else if (outgoing.state !== "sending") anew(chatId, outgoing)
  }

  const flushMark = async (chatId: ChatId): Promise<void> => {
    const [chat, upTo] = [conversation(chatId)?.chat, marks.get(chatId)]
    if (isEnded() || chat === undefined || upTo === undefined || marking.has(chatId)) return
    marking.add(chatId)
    const answer = await settle(clientAt(here()).markRead(chat, upTo))
    const isLost = Result.isFailure(answer)
      && (answer.failure._tag === "NodeUnreachable" || answer.failure._tag === "OutcomeUnknown")
    // one that was refused is of no use later; one that was lost goes out with the next connection
    if (!isLost && marks.get(chatId) === upTo) marks.delete(chatId)
    setTimeout(() => {
      marking.delete(chatId)
      if (!isLost) void flushMark(chatId)
    }, markPauseMs)
  }

  return {
    send: (chatId, text) => {
      const key = ++lastKey
      dispatch({ type: "send", chatId, outgoing: { key, content: text, atMs: Date.now(), state: "sending" } })
      enqueue(chatId, key)
    },
    again,
    anew: (chatId, outgoing) => anew(chatId, outgoing),
    discard: (chatId, { key }) => dispatch({ type: "discard", chatId, key }),
    mark: (chatId, upTo) => {
      const before = conversation(chatId)
      if (before === undefined || before.isOver || upTo <= before.readUpTo) return
      dispatch({ type: "mark", chatId, upTo })
      marks.set(chatId, upTo)
      void flushMark(chatId)
    },
    resume: () => {
      for (const { chatId, outgoing } of state.peek().chats.values()) {
        for (const each of outgoing) if (each.state !== "refused") again(chatId, each)
      }
      for (const chatId of marks.keys()) void flushMark(chatId)
    }
  }
}
