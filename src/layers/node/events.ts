/**
 * Telling users what is committed. One fiber goes through all commits in order, asks who listens, and puts events into the
 * lists of their streams; a stream that begins at an earlier place, or whose list was full, reads what it missed from the
 * store. See the port for the contract.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { heartbeatMs } from "../../api/events.ts"
import type { Address } from "../../domain/ids.ts"
import { defaultIngestLimits, type IngestLimits } from "../../domain/limits.ts"
import type { Identity, Message, Op, Read } from "../../domain/record.ts"
import { Overloaded } from "../../domain/refusal.ts"
import * as Retention from "../../domain/retention.ts"
import { type Event, Events } from "../../services/Events.ts"
import { Groups } from "../../services/Groups.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { type Arrival, Store, type StoreError } from "../../services/Store.ts"
import { type Committed, type Ticket, Writer } from "../../services/Writer.ts"
import { Audience, dialogMessage, type Listener, readMark } from "./event-audience.ts"
import { EventBuffer } from "./event-buffer.ts"
import * as CatchUp from "./event-catch-up.ts"
import { foldBefore, shownBy } from "./event-groups.ts"
import * as Metrics from "./event-metrics.ts"
import * as Reader from "./event-reader.ts"

/** A pause between two commits' events is taken after this many records, so that requests get their turn. */
const recordsAtOnce = 256
/** Or after so many listeners were looked at, whether to be told: some milliseconds. */
const looksAtOnce = 4_096
/** Streams that read what they missed at once: the store has others to serve. */
const readersMax = 4
/** When a refused client may come back. */
const retrySeconds = 10

export const layer = (limits: IngestLimits = defaultIngestLimits) =>
  Layer.effect(
    Events,
    Effect.gen(function*() {
      const store = yield* Store
      const writer = yield* Writer
      const groups = yield* Groups
      const clock = yield* HybridClock
      const metrics = yield* Metrics.make
      const turns = yield* Semaphore.make(readersMax)

      const audience = new Audience()
      /** Held while something is told: a stream begins before or after a record, and not in the middle. */
      const telling = yield* Semaphore.make(1)
      let open = 0
      /** Listeners looked at since the last pause. */
      let looks = 0
      metrics.streams(open)
      const floor = () => Retention.firstKept(Retention.cutoffMs(clock.wall()))

      // before the store is asked where it stands: nothing is committed unheard in between
      const commits = yield* PubSub.subscribe(writer.commits)
      const { epoch, last } = yield* store.arrivalLog
      /** Everything up to here was told to those who listened. */
      let head: Arrival = last
      let lastTicket: Ticket | undefined

      // ── telling

      const push = (listener: Listener, at: Arrival, events: ReadonlyArray<Event>): void => {
        for (const stream of listener.streams) {
          for (const [i, event] of events.entries()) stream.push({ at, event, isLast: i === events.length - 1 })
        }
      }

      const tellUser = (user: Address | undefined, at: Arrival, event: (user: Address) => Event): void => {
        const listener = user === undefined ? undefined : audience.of(user)
        if (listener !== undefined) push(listener, at, [event(listener.user)])
      }

      const tellParties = (record: Message | Read, author: Address, at: Arrival, event: (user: Address) => Event) => {
        tellUser(author, at, event)
        if (record.peer !== author) tellUser(record.peer, at, event)
      }

      const tellMessage = (message: Message, at: Arrival): Effect.Effect<void, StoreError> | undefined => {
        if (message.hlc < floor()) return undefined
        if (message.peer !== undefined) {
          tellParties(message, message.sender, at, (user) => dialogMessage(message, user))
          return undefined
        }
        if (audience.inGroup(message.chatId) === undefined) return undefined
        return groups.use(message.chatId, ({ membership }) => {
          looks += audience.inGroup(message.chatId)?.size ?? 0
          if (!membership.wasMemberAt(message.sender, message.hlc)) return
          const events: ReadonlyArray<Event> = [{ type: "message", message }]
          for (const listener of audience.members(membership)) push(listener, at, events)
        })
      }

      const tellRead = (read: Read, at: Arrival): Effect.Effect<void, StoreError> | undefined => {
        if (read.peer !== undefined) {
          tellParties(read, read.reader, at, (user) => readMark(read, user))
          return undefined
        }
        const listener = audience.of(read.reader)
        if (listener?.groups.has(read.chatId) !== true) return undefined
        return groups.use(read.chatId, ({ membership }) => {
          if (audience.isMember(membership, listener)) push(listener, at, [readMark(read, listener.user)])
        })
      }

      const tellOp = Effect.fnUntraced(function*(op: Op, at: Arrival) {
        audience.meet(op)
        if (audience.inGroup(op.chatId) === undefined) return
        const shown = yield* Effect.flatMap(
          groups.use(op.chatId, ({ membership }) => membership),
          (membership) => shownBy(store, op, at, floor(), foldBefore(store, op, at), membership)
        )
        yield* groups.use(op.chatId, ({ membership }) => {
          const changed: Event = { type: "membership", op }
          const messages: ReadonlyArray<Event> = shown === "too many"
            ? [{ type: "reset", reason: "expired" }]
            : shown.map((message) => ({ type: "message", message }))
          for (const { isTold, listener, stays } of audience.move(membership, op)) {
            push(listener, at, [...isTold ? [changed] : [], ...stays ? messages : []])
          }
        })
      })

      /** Who shares a conversation with `address`, of those who listen. */
      const tellIdentity = Effect.fnUntraced(function*(identity: Identity, at: Arrival) {
        const { address } = identity
        const told = new Set<Listener>()
        const add = (user: Address) => {
          const listener = audience.of(user)
          if (listener !== undefined) told.add(listener)
        }
        add(address)
        for (const peer of yield* store.peers(address)) add(peer)
        for (const chatId of yield* store.groups(address)) {
          if (audience.inGroup(chatId) === undefined) continue
          yield* groups.use(chatId, ({ membership }) => {
            if (!membership.isMember(address)) return
            for (const listener of audience.members(membership)) told.add(listener)
          })
        }
        for (const listener of told) push(listener, at, [{ type: "identity", identity }])
      })

      const tell = ({ arrival, record }: Committed): Effect.Effect<void, StoreError> | undefined => {
        switch (record.kind) {
          case "message":
            return tellMessage(record, arrival!)
          case "read":
            return tellRead(record, arrival!)
          case "op":
            return tellOp(record, arrival!)
          case "identity":
            return tellIdentity(record, arrival!)
        }
      }

      /** Everyone reads from the store what came since. */
      const loseAll = (): void => {
        audience.forgetMembers()
        for (const { streams } of audience.all()) for (const stream of streams) stream.fallBehind()
      }

      /** What cannot be found out now, each stream finds out for itself. */
      const tellOne = (committed: Committed, arrival: Arrival) =>
        Effect.suspend(() => tell(committed) ?? Effect.void).pipe(
          Effect.catch(() => Effect.sync(loseAll)),
          Effect.andThen(Effect.sync(() => {
            head = arrival
          }))
        )

      const tellAll = Effect.fnUntraced(function*(batch: ReadonlyArray<Committed>) {
        if (lastTicket !== undefined && batch[0]!.ticket !== lastTicket + 1) {
          loseAll()
        }
        lastTicket = batch.at(-1)!.ticket
        for (const [i, committed] of batch.entries()) {
          if (committed.arrival === undefined || committed.arrival <= head) continue
          if (audience.size === 0) head = committed.arrival
          else yield* telling.withPermits(1)(tellOne(committed, committed.arrival))
          if ((i + 1) % recordsAtOnce === 0 || looks >= looksAtOnce) {
            looks = 0
            yield* Effect.yieldNow
          }
        }
      })

      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(PubSub.take(commits), tellAll)))

      const beat = Effect.sync(() => {
        for (const listener of audience.all()) {
          for (const stream of listener.streams) {
            if (stream.state === "live" && stream.isEmpty && !stream.isFresh) {
              stream.push({ at: Math.max(head, stream.taken), event: undefined, isLast: true })
            } else stream.isFresh = false
          }
        }
      })
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(heartbeatMs / 2), beat)))

      // ── reading

      const source: Reader.Source = {
        store,
        groups,
        turns,
        epoch,
        room: new CatchUp.Room(),
        floor,
        begin: Effect.fnUntraced(function*(listener, stream, taken) {
          // once more only where commits were lost meanwhile, and with them who was named by what group
          for (;;) {
            const { losses } = audience
            if (!listener.isKnown) {
              const chatIds = yield* store.groups(listener.user)
              if (audience.losses !== losses) continue
              audience.know(listener, chatIds)
            }
            const begun = yield* telling.withPermits(1)(Effect.sync(() => {
              if (audience.losses !== losses) return undefined
              stream.begin(taken ?? head)
              return head
            }))
            if (begun !== undefined) return begun
          }
        }),
        onBehind: metrics.behind,
        onReset: metrics.reset,
        onTold: (told) => {
          for (const { event } of told) if (event !== undefined) metrics.told(event.type)
        }
      }

      /** The oldest may be that of a telephone that was gone long before its connection: to refuse the new one would lock it out. */
      const endOldest = ({ streams }: Listener): void => {
        const [oldest] = streams
        oldest!.end()
        streams.delete(oldest!)
        metrics.refused("user-streams")
      }

      const opened = (user: Address) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const listener = audience.enter(user)
            const stream = new EventBuffer()
            listener.streams.add(stream)
            if (listener.streams.size > limits.userStreamsMax) endOldest(listener)
            metrics.streams(++open)
            return { listener, stream }
          }),
          ({ listener, stream }) =>
            Effect.sync(() => {
              stream.end()
              if (listener.streams.delete(stream) && listener.streams.size === 0) audience.leave(listener)
              metrics.streams(--open)
            })
        )

      let isEnding = false
      const end = Effect.sync(() => {
        isEnding = true
        for (const { streams } of audience.all()) for (const stream of streams) stream.end()
      })
      // before anything that they read from
      yield* Effect.addFinalizer(() => end)

      return Events.of({
        admit: Effect.suspend(() => {
          if (open < limits.streamsMax && !isEnding) return Effect.void
          metrics.refused("streams")
          return Effect.fail(
            new Overloaded({
              reason: "in-flight",
              message: isEnding
                ? "this node is about to end; try another"
                : `this node has ${limits.streamsMax} streams of events open already; try another`,
              retry_after: retrySeconds
            })
          )
        }),
        end,
        stream: (user, resume) =>
          Stream.fromPull(
            Effect.flatMap(opened(user), ({ listener, stream }) => Reader.make(source, listener, stream, resume))
          ).pipe(
            Stream.scoped,
            Stream.catch((error) =>
              Stream.fromEffectDrain(Effect.logWarning("a stream of events ended", error.message))
            )
          )
      })
    })
  )
