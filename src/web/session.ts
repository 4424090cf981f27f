/**
 * An unlocked account at work: the state of `state.ts`, kept up by the node's events, and what the user can do. Every call to
 * a node starts here.
 */
import { batch, type ReadonlySignal, signal } from "@preact/signals"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Chat from "../client/Chat.ts"
import type { Info } from "../client/Connection.ts"
import type { ReadError, WriteError } from "../client/errors.ts"
import type { ClientEvent } from "../client/Events.ts"
import type { NodeClient } from "../client/NodeClient.ts"
import * as Profile from "../client/Profile.ts"
import type { Signer } from "../client/Signer.ts"
import type { Hlc } from "../domain/hlc.ts"
import type { Address, ChatId } from "../domain/ids.ts"
import * as Asking from "./asking.ts"
import * as Nodes from "./nodes.ts"
import { reduce } from "./reduce.ts"
import * as Sending from "./sending.ts"
import { type Action, initial, pageSize, type State, type Want } from "./state.ts"
import { explain } from "./words.ts"

/** After an error that ends the stream of events, it is begun anew, ms. */
const restartMs = 10_000
/** Conversations of a page of the inbox. */
const inboxPageSize = 50

/** What became of something that the user did: nothing to say, or why it failed. */
export type Outcome = Promise<string | undefined>

export interface Session {
  readonly self: Address
  readonly state: ReadonlySignal<State>
  /** Why the messages or members of a conversation, or the inbox, could not be read, by what was asked for. */
  readonly problems: ReadonlySignal<ReadonlyMap<string, string>>
  readonly urls: ReadonlyArray<string>
  open(chat: Chat.Chat): void
  close(): void
  retry(): void
  older(chatId: ChatId): Promise<void>
  toNewest(chatId: ChatId): void
  moreConversations(): Promise<void>
  /** The user has seen everything up to here. */
  seen(chatId: ChatId, upTo: Hlc): void
  readonly outgoing: Sending.Sending
  readonly groups: {
    create(members: ReadonlyArray<Address>, title: string): Promise<Result.Result<ChatId, string>>
    add(chatId: ChatId, members: ReadonlyArray<Address>, role: "member" | "admin"): Outcome
    remove(chatId: ChatId, members: ReadonlyArray<Address>): Outcome
    setTitle(chatId: ChatId, title: string): Outcome
    leave(chatId: ChatId): Outcome
  }
  setName(name: string): Outcome
  nodeInfo(url: string): Promise<Result.Result<Info, string>>
  /** Ends everything: nothing more is asked or told. */
  end(): void
}

const settle = <A, E>(effect: Effect.Effect<A, E>): Promise<Result.Result<A, E>> =>
  Effect.runPromise(Effect.result(effect))

export const make = (signer: Signer): Session => {
  const self = signer.address
  const urls = Nodes.urls()
  const clientAt = Nodes.clientsOf(signer, urls)
  const state = signal(initial(self, urls[0]!))
  const problems = signal<ReadonlyMap<string, string>>(new Map())
  let isEnded = false
  let hasHeard = false

  const client = (): NodeClient => clientAt(state.peek().connection.url)

  const dispatch = (action: Action): void => {
    if (isEnded) return
    const [next, wants] = reduce(state.peek(), action)
    state.value = next
    wants.forEach(asking.want)
  }

  const chatOf = (chatId: ChatId): Chat.Chat => state.peek().chats.get(chatId)?.chat ?? { kind: "group", chatId }

  const setProblem = (what: string, problem: string | undefined): void => {
    const next = new Map(problems.peek())
    if (problem === undefined ? next.delete(what) : next.set(what, problem)) problems.value = next
  }

  /** Whether the node says that the user is no member of this group. */
  const isOutside = (chatId: ChatId, error: ReadError): boolean =>
    chatOf(chatId).kind === "group" && (error._tag === "Forbidden" || error._tag === "NotFound")

  /** Does with the answer what is to be done; an error is shown where it matters. Says whether there was an answer. */
  const answered = async <A>(
    what: string,
    effect: Effect.Effect<A, ReadError>,
    take: (answer: A) => void,
    chatId?: ChatId
  ): Promise<boolean> => {
    const answer = await settle(effect)
    if (isEnded) return true
    return batch(() => {
      if (Result.isSuccess(answer)) {
        setProblem(what, undefined)
        take(answer.success)
        return true
      }
      if (chatId !== undefined && isOutside(chatId, answer.failure)) {
        dispatch({ type: "over", chatId })
        setProblem(what, undefined)
        return true
      }
      setProblem(what, explain(answer.failure))
      return false
    })
  }

  const askName = async (address: Address): Promise<boolean> => {
    const answer = await settle(client().identity.get(address))
    if (Result.isSuccess(answer)) {
      dispatch({ type: "name", address, name: Profile.nameOf(answer.success.identity) ?? null })
      return true
    }
    const isNone = answer.failure._tag === "NotFound"
    if (isNone) dispatch({ type: "name", address, name: null })
    return isNone
  }

  const ask = (want: Want): Promise<boolean> => {
    switch (want.what) {
      case "inbox":
        return answered(
          "inbox",
          client().conversations({ limit: inboxPageSize }),
          (page) => dispatch({ type: "inbox", page, isFirst: true })
        )
      case "history": {
        const { chatId } = want
        return answered(
          `history ${chatId}`,
          client().history(chatOf(chatId), { limit: pageSize }),
          (page) => dispatch({ type: "history", chatId, page }),
          chatId
        )
      }
      case "members": {
        const { chatId } = want
        return answered(
          `members ${chatId}`,
          client().groups.members(chatId),
          (members) => dispatch({ type: "members", members }),
          chatId
        )
      }
      case "name":
        return askName(want.address)
    }
  }
  const asking = Asking.make(ask)

  const outgoing = Sending.make({ state, dispatch, clientAt, isEnded: () => isEnded })

  const onConnection = (event: Extract<ClientEvent, { readonly type: "connection" }>): void => {
    // while it is lost, what is asked is still asked where it was open last
    const at = event.state === "open" || !hasHeard ? event.url : state.peek().connection.url
    dispatch({ ...event, url: at })
    if (!hasHeard) {
      asking.want({ what: "inbox" })
      asking.want({ what: "name", address: self })
    }
    hasHeard = true
    if (event.state === "open") {
      asking.again()
      outgoing.resume()
    }
  }

  const onEvent = (event: ClientEvent): void => {
    switch (event.type) {
      case "connection":
        return onConnection(event)
      case "identity":
        return dispatch({
          type: "name",
          address: event.address,
          name: Profile.nameOf(event.identity) ?? null
        })
      default:
        return dispatch(event)
    }
  }

  const listening = Effect.runFork(
    Stream.runForEach(clientAt(urls[0]!).events(), (event) => Effect.sync(() => onEvent(event))).pipe(
      Effect.catch((error) =>
        Effect.sync(() => onConnection({ type: "connection", state: "lost", url: urls[0]!, error: explain(error) }))
      ),
      Effect.andThen(Effect.sleep(restartMs)),
      Effect.forever
    )
  )

  const did = async (effect: Effect.Effect<unknown, WriteError>, wants: ReadonlyArray<Want>): Outcome => {
    const answer = await settle(effect)
    wants.forEach(asking.want)
    return Result.isFailure(answer) ? explain(answer.failure) : undefined
  }
  const members = (chatId: ChatId): ReadonlyArray<Want> => [{ what: "members", chatId }]

  const pagesAsked = new Set<string>()
  const onceAtATime = async (what: string, run: () => Promise<unknown>): Promise<void> => {
    if (pagesAsked.has(what)) return
    pagesAsked.add(what)
    await run()
    pagesAsked.delete(what)
  }

  const stop = (): void => {
    isEnded = true
    asking.stop()
    Effect.runFork(Fiber.interrupt(listening))
  }

  return {
    self,
    state,
    problems,
    urls,
    outgoing,
    open: (chat) => dispatch({ type: "opened", chat, chatId: Chat.idOf(chat, self) }),
    close: () => dispatch({ type: "closed" }),
    retry: () => asking.again(),
    older: (chatId) =>
      onceAtATime(`older ${chatId}`, async () => {
        const before = state.peek().chats.get(chatId)?.older
        if (typeof before !== "string") return
        await answered(
          `older ${chatId}`,
          client().history(chatOf(chatId), { limit: pageSize, before }),
          (page) => dispatch({ type: "history", chatId, page, before }),
          chatId
        )
      }),
    toNewest: (chatId) => dispatch({ type: "to-newest", chatId }),
    moreConversations: () =>
      onceAtATime("inbox", async () => {
        const after = state.peek().inboxNext
        if (typeof after !== "string") return
        await answered("inbox", client().conversations({ limit: inboxPageSize, after }), (page) =>
          dispatch({ type: "inbox", page, isFirst: false }))
      }),
    seen: (chatId, upTo) => outgoing.mark(chatId, upTo),
    groups: {
      create: async (members, title) => {
        const made = await settle(client().groups.create(members, title === "" ? {} : { title }))
        return Result.mapBoth(made, { onSuccess: ({ chat_id }) => chat_id, onFailure: explain })
      },
      add: (chatId, targets, role) => did(client().groups.add(chatId, targets, { role }), members(chatId)),
      remove: (chatId, targets) => did(client().groups.remove(chatId, targets), members(chatId)),
      setTitle: (chatId, title) => did(client().groups.setTitle(chatId, title), members(chatId)),
      leave: async (chatId) => {
        const problem = await did(client().groups.leave(chatId), [])
        if (problem === undefined) dispatch({ type: "over", chatId })
        return problem
      }
    },
    setName: async (name) => {
      const before = await settle(client().identity.get(self))
      if (Result.isFailure(before) && before.failure._tag !== "NotFound") return explain(before.failure)
      const blob = Profile.withName(name, Result.isSuccess(before) ? before.success.identity : undefined)
      if (blob === undefined) return "This name is too long."
      const problem = await did(client().identity.set(blob), [])
      if (problem === undefined) dispatch({ type: "name", address: self, name: Profile.nameOf(blob) ?? null })
      return problem
    },
    nodeInfo: async (url) => Result.mapError(await settle(clientAt(url).node), explain),
    end: stop
  }
}
