/** Messages on their way to nodes that are slow, gone or silent: in order, once, and not lost. */
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { signal } from "@preact/signals"
import { Effect } from "effect"
import type * as Chat from "../../src/client/Chat.ts"
import * as Errors from "../../src/client/errors.ts"
import type { NodeClient } from "../../src/client/NodeClient.ts"
import type { Sent } from "../../src/client/values.ts"
import type { MessageId } from "../../src/domain/ids.ts"
import { NotFound, RateLimited } from "../../src/domain/refusal.ts"
import { reduce } from "../../src/web/reduce.ts"
import * as Sending from "../../src/web/sending.ts"
import { type Action, initial } from "../../src/web/state.ts"
import { alice, at, dmId, history, message, messageId, opens } from "./fixture.ts"

type Answer = Effect.Effect<Sent, Errors.WriteError>

const taken = (name: string, second = 1): Answer =>
  Effect.succeed({ msg_id: messageId(name), chat_id: dmId, hlc: at(second), committed: true })
const lost = (name: string): Answer =>
  Effect.suspend(() =>
    Effect.fail(new Errors.OutcomeUnknown({ kind: "message", id: messageId(name), ts: Date.now(), message: "" }))
  )
const gone = Effect.fail(new Errors.NodeUnreachable({ url: "http://own", message: "" }))
const absent = Effect.fail(new NotFound({ message: "" }))

/** Nodes by their addresses: how they answer the next sendings, and what they have. */
const make = () => {
  const nodes = new Map<
    string,
    { readonly sends: Array<Answer>; has: Effect.Effect<never, Errors.ReadError> | string }
  >()
  const node = (url: string) => nodes.get(url) ?? nodes.set(url, { sends: [], has: absent }).get(url)!
  const state = signal(initial(alice, "http://own"))
  const dispatch = (action: Action) => {
    state.value = reduce(state.peek(), action)[0]
  }
  const sent: Array<string> = []
  const clientAt = (url: string) =>
    ({
      clockOffsetMs: Effect.succeed(0),
      send: (_: Chat.Chat, text: string) =>
        Effect.suspend(() => {
          sent.push(`${url.slice(7)}: ${text}`)
          return node(url).sends.shift() ?? taken(text)
        }),
      message: (_: Chat.Chat, id: MessageId) => {
        const { has } = node(url)
        return typeof has === "string" && messageId(has) === id
          ? Effect.succeed(message(has, 7))
          : typeof has === "string"
          ? absent
          : has
      }
    }) as unknown as NodeClient
  const sending = Sending.make({ state, dispatch, clientAt, isEnded: () => false })
  const connect = (url = "http://own", open: "open" | "lost" = "open") => {
    dispatch({ type: "connection", state: open, url })
    if (open === "open") sending.resume()
  }
  dispatch(opens())
  dispatch(history([]))
  connect()
  return {
    node,
    sending,
    connect,
    sent,
    /** What stands in the conversation: messages, then what is on its way. */
    seen: () => {
      const { messages, outgoing } = state.value.chats.get(dmId)!
      return [
        ...messages.map(({ content }) => content),
        ...outgoing.map(({ content, state }) => `${content} (${state})`)
      ]
    },
    first: () => state.value.chats.get(dmId)!.outgoing[0]!
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Lets everything happen that is due within `ms`. */
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms + 1)

describe("sending", () => {
  it("keeps the order in which messages were written, though the first takes long", async () => {
    const it = make()
    it.node("http://own").sends.push(Effect.delay(taken("a", 1), 1000), taken("b", 2))
    it.sending.send(dmId, "a")
    it.sending.send(dmId, "b")
    await pass()
    assert.deepStrictEqual(it.sent, ["own: a"])
    await pass(1000)
    assert.deepStrictEqual(it.sent, ["own: a", "own: b"])
    assert.deepStrictEqual(it.seen(), ["a", "b"])
  })

  it("tries again by itself what failed when the connection was back already", async () => {
    const it = make()
    it.node("http://own").sends.push(lost("a"), gone)
    it.sending.send(dmId, "a")
    it.sending.send(dmId, "b")
    await pass()
    assert.deepStrictEqual(it.seen(), ["a (unknown)", "b (waiting)"])
    // no event of the connection comes any more
    it.node("http://own").has = gone
    await pass(16_000)
    assert.deepStrictEqual(it.seen(), ["b", "a (unknown)"])
    it.node("http://own").has = "a"
    await pass(16_000)
    assert.deepStrictEqual([it.sent, it.seen()], [["own: a", "own: b", "own: b"], ["b", "a"]])
  })

  it("signs nothing while there is no connection, and goes on by itself when there is one", async () => {
    const it = make()
    it.connect("http://own", "lost")
    it.sending.send(dmId, "a")
    it.sending.send(dmId, "b")
    await pass()
    assert.deepStrictEqual([it.sent, it.seen()], [[], ["a (waiting)", "b (waiting)"]])
    it.connect("http://other")
    await pass()
    assert.deepStrictEqual(it.sent, ["other: a", "other: b"])
    assert.deepStrictEqual(it.seen(), ["a", "b"])
  })

  it("tries again what reached no node, and leaves to the user what a node refused", async () => {
    const it = make()
    it.node("http://own").sends.push(gone, Effect.fail(new RateLimited({ message: "", retry_after: 1 })))
    it.sending.send(dmId, "a")
    it.sending.send(dmId, "b")
    await pass()
    assert.deepStrictEqual(it.seen(), ["a (waiting)", "b (refused)"])
    it.connect()
    await pass()
    assert.deepStrictEqual(it.seen(), ["a", "b (refused)"])
    it.sending.again(dmId, it.first())
    await pass()
    assert.deepStrictEqual(it.seen().toSorted(), ["a", "b"])
  })
})

describe("a message whose node did not answer", () => {
  const unknown = async () => {
    const it = make()
    it.node("http://own").sends.push(lost("x"))
    it.sending.send(dmId, "x")
    await pass()
    assert.deepStrictEqual(it.seen(), ["x (unknown)"])
    return it
  }

  it("is there when the node turns out to have it", async () => {
    const it = await unknown()
    it.node("http://own").has = "x"
    it.connect()
    await pass()
    assert.deepStrictEqual([it.seen(), it.sent.length], [["x"], 1])
  })

  it("is there when another node turns out to have it", async () => {
    const it = await unknown()
    it.node("http://own").has = gone as never
    it.node("http://other").has = "x"
    it.connect("http://other")
    await pass()
    assert.deepStrictEqual([it.seen(), it.sent.length], [["x"], 1])
  })

  it("is signed anew only when its node has said that it is not there, after it could still come, from others too", async () => {
    const it = await unknown()
    it.connect()
    await pass(60_000)
    assert.deepStrictEqual([it.seen(), it.sent.length], [["x (unknown)"], 1])
    await pass(10_000)
    assert.deepStrictEqual([it.seen(), it.sent.length], [["x"], 2])
  })

  it("is never signed anew on the word of another node", async () => {
    const it = await unknown()
    it.node("http://own").has = gone as never
    it.connect("http://other")
    await pass(120_000)
    it.connect("http://other")
    await pass(120_000)
    assert.deepStrictEqual([it.seen(), it.sent.length], [["x (unknown)"], 1])
    it.sending.anew(dmId, it.first())
    await pass()
    assert.deepStrictEqual(it.sent, ["own: x", "other: x"])
  })
})
