/**
 * Passing records on, and taking in what others pass on (SPEC §7).
 *
 * Out: a record goes at once when nothing is under way. While a message is being handed over, and for a moment after it,
 * records collect and go together, since 64 in one message cost little more than one. In: a payload is judged as a whole
 * before it goes on.
 *
 * Rule: everything here may be lost, is counted, and reported as a gap, which anti-entropy mends.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Payload from "../../domain/gossip-payload.ts"
import { Hashing } from "../../domain/hashing.ts"
import type { NodeId } from "../../domain/ids.ts"
import { batchRecordsMax } from "../../domain/limits.ts"
import { type Record, sizeOf } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
import { Gaps } from "../../services/Gaps.ts"
import { Gossip } from "../../services/Gossip.ts"
import { Intake, type Judgement } from "../../services/Intake.ts"
import { Network, type Verdict } from "../../services/Network.ts"
import * as Metrics from "./peer-metrics.ts"
import * as Seldom from "./seldom.ts"

/**
 * How long records collect after a message went out. One costs both ends sixty times what one more record in it does, on
 * every connection that it takes: so a node sends at most 125 a second unless they are full, and a record waits half of
 * this on average.
 */
const collectMs = 8
/** A message ends with the record that would take it above this: large ones hold up what comes behind them. */
const payloadBytesMax = 256 * 1024
/** Records that wait to be announced; memory for them, roughly. */
export const outboxRecordsMax = 16_384
const outboxBytesMax = 32 * 1024 * 1024
/** A network that takes nothing for so long has lost the message. */
const publishMsMax = 10_000
/** For the last announcements when the node stops. */
const lastWordsMs = 1_000
/**
 * Messages judged at a time, and their bytes: what comes beyond is left to anti-entropy (FAILURES 5). A peer has at most as
 * many under judgement as are left for others: alone half of all, and never so many that another finds no room.
 */
export const judgingMax = 128
const judgingBytesMax = 16 * 1024 * 1024
/** After a fault of this program. */
const retryMs = 1_000

/** What gossip does with a payload of which this became: SPEC §7. */
export const verdictOf = (judgements: ReadonlyArray<Judgement>): Verdict => {
  const has = (...tags: ReadonlyArray<Judgement["_tag"]>) => judgements.some(({ _tag }) => tags.includes(_tag))
  if (has("invalid")) return "reject"
  return has("accepted") && !has("early", "waiting", "aged", "full") ? "accept" : "ignore"
}

/** Records in order of arrival, the oldest dropped when there are too many. */
class Outbox {
  private records: Array<Record> = []
  private head = 0
  private bytes = 0

  get size(): number {
    return this.records.length - this.head
  }

  /** How many were dropped. */
  push(record: Record): number {
    this.records.push(record)
    this.bytes += sizeOf(record)
    let dropped = 0
    while (this.size > outboxRecordsMax || this.bytes > outboxBytesMax) {
      this.shift()
      dropped++
    }
    return dropped
  }

  first(): Record | undefined {
    return this.records[this.head]
  }

  shift(): void {
    this.bytes -= sizeOf(this.records[this.head]!)
    this.head++
    if (this.head >= 1_024 && this.head * 2 >= this.records.length) {
      this.records = this.records.slice(this.head)
      this.head = 0
    }
  }

  /** How many there were. */
  clear(): number {
    const dropped = this.size
    this.records = []
    this.head = 0
    this.bytes = 0
    return dropped
  }
}

/** What is under judgement, and whose it is. */
class Judging {
  private readonly shares = new Map<NodeId, { messages: number; bytes: number }>()
  private messages = 0
  private bytes = 0

  /** False when there is no room for it. */
  begin(peer: NodeId, bytes: number): boolean {
    const share = this.shares.get(peer) ?? { messages: 0, bytes: 0 }
    const isFull = share.messages >= judgingMax - this.messages || share.bytes + bytes > judgingBytesMax - this.bytes
    if (isFull) return false
    this.shares.set(peer, share)
    this.add(share, 1, bytes)
    return true
  }

  end(peer: NodeId, bytes: number): void {
    const share = this.shares.get(peer)!
    this.add(share, -1, -bytes)
    if (share.messages === 0) this.shares.delete(peer)
  }

  private add(share: { messages: number; bytes: number }, messages: number, bytes: number): void {
    share.messages += messages
    share.bytes += bytes
    this.messages += messages
    this.bytes += bytes
  }
}

export const layer = Layer.effect(
  Gossip,
  Effect.gen(function*() {
    const hashes = yield* Hashing
    const network = yield* Network
    const intake = yield* Intake
    const gaps = yield* Gaps
    const metrics = yield* Metrics.make
    const outbox = new Outbox()
    const work = yield* Latch.make(false)
    const judging = new Judging()
    const complain = Seldom.make()
    /** Whether the last message reached nobody. Only then is it worth the cost to ask who there is. */
    let unheard = true

    /** Takes the next records out of the outbox, as many as one message takes. */
    const nextBatch = (): ReadonlyArray<Payload.Wired> => {
      const batch: Array<Payload.Wired> = []
      let bytes = Payload.overheadBytes
      for (
        let record = outbox.first();
        record !== undefined && batch.length < batchRecordsMax;
        record = outbox.first()
      ) {
        const wired = { kind: record.kind, bytes: Wire.encode(record) }
        bytes += Payload.sizeOf(wired.bytes)
        if (batch.length > 0 && bytes > payloadBytesMax) break
        batch.push(wired)
        outbox.shift()
      }
      metrics.outbox(outbox.size)
      return batch
    }

    const lost = (outcome: "unheard" | "failed", records: number): void => {
      metrics.published(outcome, records)
      gaps.report()
    }

    const publishNext = Effect.gen(function*() {
      if (unheard && network.peers().length === 0) {
        // nobody to tell: who connects later compares sets first
        outbox.clear()
        metrics.outbox(0)
        return
      }
      const batch = nextBatch()
      if (batch.length === 0) return
      const exit = yield* Effect.exit(
        Effect.suspend(() => network.publish(Payload.encode(batch))).pipe(Effect.timeout(publishMsMax))
      )
      if (Exit.isSuccess(exit)) {
        unheard = exit.value.recipients === 0
        if (!unheard) metrics.published("delivered", batch.length)
        else if (network.peers().length > 0) lost("unheard", batch.length)
        return
      }
      unheard = true
      lost("failed", batch.length)
      if (!Cause.hasInterrupts(exit.cause)) {
        yield* complain(Effect.logWarning("a message of gossip could not be sent", exit.cause))
      }
    })

    const send = Effect.gen(function*() {
      yield* work.await
      // woken in the middle of what accepted the record: that goes first
      yield* Effect.yieldNow
      if (outbox.size === 0) {
        work.closeUnsafe()
        return
      }
      yield* publishNext
      // what comes now goes together
      if (outbox.size < batchRecordsMax) yield* Effect.sleep(collectMs)
    })

    /** A fault of this program: what waits may be the cause, and must not keep later records from going out. */
    const outlived = Effect.catchCause((cause: Cause.Cause<never>) =>
      Cause.hasInterrupts(cause)
        ? Effect.interrupt
        : Effect.suspend(() => {
          lost("failed", outbox.clear())
          return Effect.andThen(complain(Effect.logError("gossip broke", cause)), Effect.sleep(retryMs))
        })
    )

    const lastWords = Effect.whileLoop({
      while: () => outbox.size > 0,
      body: () => outlived(publishNext),
      step: () => undefined
    }).pipe(Effect.timeoutOption(lastWordsMs))

    const judge = Effect.fnUntraced(function*(payload: Uint8Array, from: NodeId) {
      const decoded = Payload.decode(hashes, payload)
      if (Result.isFailure(decoded)) return "reject"
      const judgements = yield* intake.take(decoded.success, { peer: from, room: "now", whole: true })
      if (judgements.some(({ _tag }) => _tag === "full")) gaps.report(from)
      return verdictOf(judgements)
    })

    const onMessage = (payload: Uint8Array, from: NodeId): Effect.Effect<Verdict> =>
      Effect.suspend(() => {
        if (!judging.begin(from, payload.length)) {
          metrics.received("busy")
          gaps.report(from)
          return Effect.succeed("ignore")
        }
        return judge(payload, from).pipe(
          Effect.tap((verdict) => Effect.sync(() => metrics.received(verdict))),
          Effect.catchCause((cause) =>
            Effect.suspend(() => {
              // the store fails, or a bug: not the sender's fault, and not to be forwarded
              metrics.received("failed")
              gaps.report(from)
              const log = Effect.logWarning("a message of gossip could not be judged", cause)
              return Effect.as(complain(log), "ignore" as const)
            })
          ),
          Effect.ensuring(Effect.sync(() => judging.end(from, payload.length)))
        )
      })

    // runs after the fiber below has stopped: finalizers go in reverse
    yield* Effect.addFinalizer(() => lastWords)
    yield* Effect.forkScoped(Effect.forever(outlived(send)))
    yield* network.judge(onMessage)

    return Gossip.of({
      announce: (record) => {
        const dropped = outbox.push(record)
        if (dropped > 0) {
          metrics.outboxDropped(dropped)
          gaps.report()
        }
        metrics.outbox(outbox.size)
        work.openUnsafe()
      },
      stats: () => ({ queued: outbox.size })
    })
  })
)
