/** What tests of the client's stream of events need beside a node: a subscriber that writes down, and waiting. */
import { assert } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Layer, Result, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Entropy, type Events, NodeClient, Signer } from "../../src/client/index.ts"

export const signer = Result.getOrThrow(Signer.fromPrivateKey("11".repeat(32)))

export const layer = Layer.merge(FetchHttpClient.layer, Entropy.layer)

export const open = (url: string, options: Partial<NodeClient.NodeClientOptions> = {}) =>
  NodeClient.make({ url, signer, ...options }).pipe(Effect.provide(layer))

const pause = (ms: number) => Effect.promise(() => new Promise((resolve) => setTimeout(resolve, ms)))

/** Real waiting, whatever clock the test has: at most a minute. */
export const until = (what: string, condition: () => boolean) =>
  Effect.gen(function*() {
    for (let i = 0; i < 12_000; i++) {
      if (condition()) return
      yield* pause(5)
    }
    assert.fail(`waited in vain: ${what}`)
  })

/** Moves the test clock in steps of `stepMs`, and gives real sockets time between: at most `seconds` of the test clock. */
export const passing = (what: string, condition: () => boolean, seconds = 120, stepMs = 250) =>
  Effect.gen(function*() {
    for (let ms = 0; ms <= seconds * 1000; ms += stepMs) {
      for (let i = 0; i < 6; i++) {
        if (condition()) return ms
        yield* pause(2)
      }
      yield* TestClock.adjust(stepMs)
    }
    return assert.fail(`${seconds} s passed in vain: ${what}`)
  })

export const settled = pause(60)

export interface Watched {
  readonly events: Array<Events.ClientEvent>
  /** When each of them came, ms by the clock of the test. */
  readonly times: Array<number>
  /** Contents of messages, in order. */
  readonly contents: () => ReadonlyArray<string>
  readonly count: (type: Events.ClientEvent["type"]) => number
  /** `open` and `lost`, with the node's port. */
  readonly connections: () => ReadonlyArray<string>
  readonly fiber: Fiber.Fiber<void, unknown>
  /** The failure that ended the stream. */
  readonly failure: Effect.Effect<unknown>
}

/** Subscribes in the scope. */
export const watch = (stream: Stream.Stream<Events.ClientEvent, unknown>) =>
  Effect.gen(function*() {
    const events: Array<Events.ClientEvent> = []
    const times: Array<number> = []
    const note = (event: Events.ClientEvent) =>
      Effect.map(Clock.currentTimeMillis, (ms) => {
        events.push(event)
        times.push(ms)
      })
    const fiber = yield* Effect.forkScoped(Stream.runForEach(stream, note))
    const watched: Watched = {
      events,
      times,
      contents: () => events.flatMap((event) => event.type === "message" ? [event.message.content] : []),
      count: (type) => events.filter((event) => event.type === type).length,
      connections: () =>
        events.flatMap((event) => event.type === "connection" ? [`${event.state} ${new URL(event.url).port}`] : []),
      fiber,
      failure: Effect.map(Fiber.await(fiber), (exit) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined)
    }
    return watched
  })

/** The event at this place, of this type. */
export const eventOf = <Type extends Events.ClientEvent["type"]>(watched: Watched, type: Type, index = 0) =>
  watched.events.filter((event): event is Extract<Events.ClientEvent, { readonly type: Type }> => event.type === type)[
    index
  ]!
