/** Open streams of events over a node's services, and what they were told. */
import { Deferred, Effect, References, Stream } from "effect"
import type { Address, ChatId } from "../../src/domain/ids.ts"
import type { Record } from "../../src/domain/record.ts"
import { Acceptor } from "../../src/services/Acceptor.ts"
import { type EventId, Events, type Told } from "../../src/services/Events.ts"
import { Groups } from "../../src/services/Groups.ts"
import { Writer } from "../../src/services/Writer.ts"
import { others, type World } from "./world.ts"

const [other] = others as [Address]

/** Takes records in as if a peer had brought them and they had been judged; done when all are committed. */
export const take = Effect.fnUntraced(function*(...records: ReadonlyArray<Record>) {
  const groups = yield* Groups
  const acceptor = yield* Acceptor
  const writer = yield* Writer
  for (const record of records) {
    const step = (group?: Parameters<typeof acceptor.step>[0]) => acceptor.step(group, (accept) => accept(record))
    const accepted = record.kind === "op" ? yield* groups.use(record.chatId, step) : step()
    yield* Effect.fromResult(accepted)
  }
  yield* writer.committed(writer.last())
})

/** An open stream, read as fast as it comes. */
export const listen = Effect.fnUntraced(function*(user: Address, resume?: EventId | "unknown") {
  const told: Array<Told> = []
  const waiting = new Set<() => void>()
  const begun = yield* Deferred.make<void>()
  const events = yield* Events
  const fiber = yield* Effect.forkScoped(Stream.runForEach(events.stream(user, resume), (each) => {
    told.push(each)
    for (const look of waiting) look()
    return Deferred.succeed(begun, undefined)
  }))
  yield* Deferred.await(begun)
  /** Waits until something was told that `f` finds. */
  const until = (f: (told: Told) => boolean) =>
    Effect.callback<void>((resume) => {
      const look = () => {
        if (!told.some(f)) return
        waiting.delete(look)
        resume(Effect.void)
      }
      waiting.add(look)
      look()
    }).pipe(Effect.timeout(10_000))
  return { told, until, fiber }
})
export type Listening = Effect.Success<ReturnType<typeof listen>>

export const tells = (record: Record) => ({ event }: Told): boolean =>
  (event?.type === "message" && event.message.id === record.id) ||
  (event?.type === "membership" && event.op.id === record.id)

/** Waits until everything that was committed is told: a direct message comes after it. */
export const caughtUp = Effect.fnUntraced(function*(world: World, { until }: Listening, tick = 50) {
  const sign = world.message(other, other, tick)
  yield* take(sign)
  yield* until(tells(sign))
})

export const nameOf = ({ event }: Told): string => {
  switch (event?.type) {
    case undefined:
      return "place"
    case "message":
      return `message ${event.message.id} ${event.peer ?? ""}`
    case "membership":
      return `membership ${event.op.id}`
    case "read":
      return `read ${event.read.id}`
    case "identity":
      return `identity ${event.identity.id}`
    case "reset":
      return `reset ${event.reason}`
  }
}

export const eventsOf = (told: ReadonlyArray<Told>): ReadonlyArray<string> =>
  told.filter(({ event }) => event !== undefined).map(nameOf)

export const groupOf = ({ event }: Told): ChatId | undefined => {
  if (event?.type === "message") return event.peer === undefined ? event.message.chatId : undefined
  if (event?.type === "read") return event.peer === undefined ? event.read.chatId : undefined
  return event?.type === "membership" ? event.op.chatId : undefined
}

export const quiet = Effect.provideService(References.MinimumLogLevel, "None")
