/** Judging and taking in what peers bring. See the port for the contract. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Acceptance from "../../domain/acceptance.ts"
import { Hashing } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { ChatId, NodeId } from "../../domain/ids.ts"
import { driftMsMax } from "../../domain/limits.ts"
import { type Read, type Record, sizeOf } from "../../domain/record.ts"
import * as Retention from "../../domain/retention.ts"
import * as Variants from "../../domain/variants.ts"
import { type Waiter, Waiting, type WaitingLimits, type WaitsFor } from "../../domain/waiting.ts"
import { type Accept, Acceptor } from "../../services/Acceptor.ts"
import { type Group, Groups } from "../../services/Groups.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Intake, type Judgement } from "../../services/Intake.ts"
import { Store, type StoreError } from "../../services/Store.ts"
import { Verifier } from "../../services/Verifier.ts"
import { Writer } from "../../services/Writer.ts"
import * as Metrics from "./peer-metrics.ts"
import { variantOf } from "./recent-ids.ts"
import * as Seldom from "./seldom.ts"

const defaultWaitingLimits: WaitingLimits = {
  recordsMax: 16_384,
  bytesMax: 32 * 1024 * 1024,
  shareRecordsMax: 4_096,
  shareBytesMax: 8 * 1024 * 1024
}

/** How long a record may wait: by then anti-entropy has brought its prerequisite, or nobody has it. */
export const waitMsMax = 6 * 3_600_000
/** How often the buffer is looked through for what waited too long; also how late a step of the wall clock is noticed. */
const sweepMs = 60_000
/** Records judged between two turns of the event loop: some milliseconds, and one refold. */
const stepRecordsMax = 256
const retryMs = 1_000

/** A record with good signatures, and who brought it. Most never wait, and need no key. */
type Item = Omit<Waiter<NodeId, Record>, "key">

const is = (tag: Exclude<Judgement["_tag"], "invalid">): Judgement => ({ _tag: tag })
const invalid = (why: string): Judgement => ({ _tag: "invalid", why })

/** The group that a record is of; none for direct messages, their marks, and identities. */
const groupOf = (record: Record): ChatId | undefined =>
  record.kind === "op" || (record.kind !== "identity" && record.peer === undefined) ? record.chatId : undefined

/** The order in which waiting records are tried: ops by (hlc, id), then the others. */
const byPlace = (a: Item, b: Item): number =>
  Number(b.value.kind === "op") - Number(a.value.kind === "op") || Hlc.compare(a.value.hlc, b.value.hlc) ||
  (a.value.id < b.value.id ? -1 : 1)

const layerWith = (limits: WaitingLimits) =>
  Layer.effect(
    Intake,
    Effect.gen(function*() {
      const hashes = yield* Hashing
      const clock = yield* HybridClock
      const verifier = yield* Verifier
      const store = yield* Store
      const groups = yield* Groups
      const writer = yield* Writer
      const acceptor = yield* Acceptor
      const metrics = yield* Metrics.make
      const waiting = new Waiting<NodeId, Record>(limits)
      /** Groups that have accepted ops which something waits for. */
      const ready = new Set<ChatId>()
      const wake = yield* Latch.make(false)
      const complain = Seldom.make()

      const measure = () => metrics.waiting(waiting.size, waiting.bytes)

      const isAged = (record: Record): boolean => Retention.isAged(record, Retention.cutoffMs(clock.wall()))

      /**
       * What can be said before any signature is checked, which is the dear part: a judgement, that it is `new`, or that the
       * store must be asked whether it is.
       */
      const firstLook = (record: Record): Judgement | "new" | "ask" => {
        const problem = Acceptance.formProblem(hashes, record)
        if (problem !== undefined) return invalid(`${problem.field} ${problem.message}`)
        if (isAged(record)) return is("aged")
        const known = acceptor.knows(record)
        return known === undefined ? "ask" : known ? is("known") : "new"
      }

      /** Whether a mark that is stored still holds its slot: an aged one does not (SPEC §5.3), which the store does not ask. */
      const isHeld = (record: Read): Effect.Effect<boolean, StoreError> =>
        Effect.map(
          store.read(record.chatId, record.reader),
          (held) => held !== undefined && !isAged(held) && !Variants.wins(record, held)
        )

      /** For each record whether it, or what wins, is stored. */
      const areStored = Effect.fnUntraced(function*(records: ReadonlyArray<Record>) {
        if (records.length === 0) return []
        const known = [...yield* store.known(records)]
        const cutoff = Retention.cutoffMs(clock.wall())
        for (let i = 0; i < records.length; i++) {
          const record = records[i]!
          // an aged mark is not above its own stamp, so it wins over none that reaches higher than the cutoff
          if (known[i] && record.kind === "read" && Hlc.physicalMs(record.upTo) <= cutoff) {
            known[i] = yield* isHeld(record)
          }
        }
        return known
      })

      /** For each record what is wrong with its signatures. */
      const signatureProblems = Effect.fnUntraced(function*(records: ReadonlyArray<Record>) {
        if (records.length === 0) return []
        const signatures = records.map((record) => Acceptance.signaturesOf(hashes, record))
        const stamps = signatures.flatMap(({ stamp }) => stamp ?? [])
        const recovered = verifier.recoverAll(signatures.map(({ recovery }) => recovery))
        const [authors, stamped] = stamps.length === 0
          ? [yield* recovered, []]
          : yield* Effect.all([recovered, verifier.verifyNodeAll(stamps)], { concurrency: 2 })
        let next = 0
        return signatures.map(({ author, stamp }, i) => {
          const isStamped = stamp === undefined || stamped[next++] === true
          return authors[i] !== author
            ? "sig is not the author's"
            : isStamped
            ? undefined
            : "stamp is not the node's"
        })
      })

      const put = (item: Item, waitsFor: WaitsFor): void => {
        const { hlc, id, kind } = item.value
        const key = `${kind[0]}${id}${Hlc.toText(hlc)}${variantOf(hashes, item.value)}`
        metrics.waitingDropped("full", waiting.put({ ...item, key }, waitsFor))
      }

      const keep = (item: Item, standing: "early" | "waiting"): void => {
        const dueMs = Hlc.physicalMs(item.value.hlc) - driftMsMax
        if (standing === "early" && dueMs - item.sinceMs > waitMsMax) return metrics.waitingDropped("far", 1)
        const waitsFor = standing === "early" ? { dueMs } : { chatId: groupOf(item.value)! }
        const wasEmpty = waiting.size === 0
        put(item, waitsFor)
        // the fiber that tries again sleeps for longer
        if (wasEmpty || (standing === "early" && waiting.nextDueMs() === dueMs)) wake.openUnsafe()
      }

      /** Judges one record; `undefined`: the writer has no room. */
      const judge = (item: Item, group: Group | undefined, accept: Accept): Judgement | undefined => {
        const record = item.value
        if (acceptor.knows(record) === true) return is("known")
        const standing = Acceptance.standing(record, group?.authority, clock.wall())
        switch (standing) {
          case "aged":
            return is("aged")
          case "early":
          case "waiting":
            keep(item, standing)
            return is(standing)
          case "acceptable":
            return writer.hasRoom() && Result.isSuccess(accept(record)) ? is("accepted") : undefined
        }
      }

      /** Judges items of one group, in order and in one step, until there is no room. How many. */
      const step = (
        items: ReadonlyArray<Item>,
        group: Group | undefined,
        tell: (item: Item, judgement: Judgement) => void
      ): number =>
        acceptor.step(group, (accept) => {
          for (let i = 0; i < items.length; i++) {
            const judgement = judge(items[i]!, group, accept)
            if (judgement === undefined) return i
            tell(items[i]!, judgement)
          }
          return items.length
        })

      /** Judges items of one group, or of none. What is left when there is no room. */
      const settle = Effect.fnUntraced(function*(
        chatId: ChatId | undefined,
        items: ReadonlyArray<Item>,
        room: "wait" | "now",
        tell: (item: Item, judgement: Judgement) => void
      ) {
        let done = 0
        while (done < items.length) {
          if (room === "wait") yield* writer.room
          const slice = items.slice(done, done + stepRecordsMax)
          const judged = chatId === undefined
            ? step(slice, undefined, tell)
            : yield* groups.use(chatId, (group) => step(slice, group, tell))
          done += judged
          if (judged < slice.length && room === "now") return items.slice(done)
          if (done < items.length) yield* Effect.yieldNow
        }
        return []
      })

      const byGroup = (items: ReadonlyArray<Item>): Map<ChatId | undefined, Array<Item>> => {
        const places = new Map<ChatId | undefined, Array<Item>>()
        for (const item of items) {
          const chatId = groupOf(item.value)
          const place = places.get(chatId)
          if (place === undefined) places.set(chatId, [item])
          else place.push(item)
        }
        return places
      }

      /** By kind, not one by one: records come by the hundred. */
      const count = (judgements: ReadonlyArray<Judgement>): void => {
        const counts = new Map<Judgement["_tag"], number>()
        for (const { _tag } of judgements) counts.set(_tag, (counts.get(_tag) ?? 0) + 1)
        for (const [tag, records] of counts) metrics.judged(tag, records)
      }

      const itemOf = (record: Record, source: NodeId): Item => ({
        source,
        value: record,
        bytes: sizeOf(record),
        sinceMs: clock.wall()
      })

      const take = Effect.fnUntraced(function*(
        records: ReadonlyArray<Record>,
        from: { readonly peer: NodeId; readonly room: "wait" | "now"; readonly whole?: boolean }
      ) {
        const asked: Array<number> = []
        const judgements: Array<Judgement | undefined> = records.map((record, i) => {
          const look = firstLook(record)
          if (look === "ask") asked.push(i)
          return typeof look === "string" ? undefined : look
        })
        const spoilt = () => from.whole === true && judgements.some((judgement) => judgement?._tag === "invalid")
        const open = () => records.flatMap((_, i) => judgements[i] === undefined ? [i] : [])

        // without room the dear part would be for nothing
        const isShut = from.room === "now" && !writer.hasRoom()
        if (!spoilt() && !isShut) {
          const stored = yield* areStored(asked.map((i) => records[i]!))
          for (let at = 0; at < asked.length; at++) if (stored[at]) judgements[asked[at]!] = is("known")

          const unproven = open()
          const problems = yield* signatureProblems(unproven.map((i) => records[i]!))
          for (let at = 0; at < unproven.length; at++) {
            const problem = problems[at]
            if (problem !== undefined) judgements[unproven[at]!] = invalid(problem)
          }
        }
        if (spoilt()) {
          const why = judgements.flatMap((judgement) => judgement?._tag === "invalid" ? judgement.why : [])[0]!
          metrics.judged("invalid", records.length)
          return records.map(() => invalid(why))
        }

        const proven = isShut ? [] : open()
        const places = new Map<Item, number>(proven.map((i) => [itemOf(records[i]!, from.peer), i]))
        for (const [chatId, items] of byGroup([...places.keys()])) {
          yield* settle(chatId, items, from.room, (item, judgement) => judgements[places.get(item)!] = judgement)
        }
        measure()
        const told = judgements.map((judgement) => judgement ?? is("full"))
        count(told)
        return told
      })

      /** Runs `f`; what goes wrong, a defect too, is told, and must not end the retrying, nor keep others from it. */
      const outlived = <E>(f: Effect.Effect<void, E>): Effect.Effect<boolean> =>
        Effect.as(f, true).pipe(
          Effect.catchCause((cause) =>
            Cause.hasInterrupts(cause)
              ? Effect.interrupt
              : Effect.as(complain(Effect.logError("cannot try what waits", cause)), false)
          )
        )

      /** Tries once more what waited. What the store could not tell waits on. */
      const retry = (items: ReadonlyArray<Item>) =>
        Effect.forEach(byGroup(items), ([chatId, place]) => {
          const left = new Set(place)
          return outlived(settle(chatId, place.sort(byPlace), "wait", (item, judgement) => {
            left.delete(item)
            if (judgement._tag !== "early" && judgement._tag !== "waiting") metrics.judged(judgement._tag)
          })).pipe(
            Effect.ensuring(Effect.sync(() => {
              for (const item of left) put(item, { dueMs: clock.wall() + retryMs })
            }))
          )
        }, { discard: true })

      /** Takes out what waits for a group and can be judged now. The others wait on, unjudged: there may be many. */
      const takeReady = (chatId: ChatId) =>
        groups.use(chatId, ({ authority }) => {
          const wall = clock.wall()
          return waiting.takeChat(chatId, ({ value }) => Acceptance.standing(value, authority, wall) !== "waiting")
        })

      const retryReady = Effect.gen(function*() {
        const chats = [...ready]
        ready.clear()
        const failed: Array<ChatId> = []
        for (const chatId of chats) {
          if (!(yield* outlived(Effect.flatMap(takeReady(chatId), retry)))) failed.push(chatId)
        }
        if (failed.length === 0) return
        yield* Effect.sleep(retryMs)
        for (const chatId of failed) ready.add(chatId)
        wake.openUnsafe()
      })

      let sweptMs = clock.wall()
      const sweep = () => {
        const now = clock.wall()
        // a wall clock that was set back must not put it off
        if (Math.abs(now - sweptMs) < sweepMs) return
        sweptMs = now
        metrics.waitingDropped(
          "expired",
          waiting.sweep(({ sinceMs, value }) => now - sinceMs > waitMsMax || isAged(value))
        )
      }

      const untilNext = Effect.suspend(() => {
        const dueMs = waiting.nextDueMs()
        const leftMs = dueMs === undefined ? sweepMs : dueMs - clock.wall()
        return Effect.timeoutOption(wake.await, Math.min(Math.max(leftMs, 1), sweepMs))
      })

      /** Waits until something may have changed for what waits, and tries it. */
      const turn = Effect.gen(function*() {
        yield* waiting.size === 0 ? wake.await : untilNext
        // woken in the middle of an acceptance: that goes first
        yield* Effect.yieldNow
        wake.closeUnsafe()
        yield* retry(waiting.takeDue(clock.wall()))
        yield* retryReady
        // last: what is due now is not over
        sweep()
        measure()
      })

      yield* acceptor.watch((chatId) => {
        if (!waiting.waitsFor(chatId)) return
        ready.add(chatId)
        wake.openUnsafe()
      })
      yield* Effect.forkScoped(Effect.forever(
        Effect.flatMap(outlived(turn), (ok) => ok ? Effect.void : Effect.sleep(retryMs))
      ))

      return Intake.of({
        take,
        forget: (peer) => {
          metrics.waitingDropped("peer-gone", waiting.forget(peer))
          measure()
        },
        stats: () => ({ waiting: waiting.size, waitingBytes: waiting.bytes })
      })
    })
  )

export const layer = layerWith(defaultWaitingLimits)
