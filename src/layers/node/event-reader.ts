/**
 * The reading end of a stream of events: first what was missed, from the store, a page at a time; then what its list holds.
 *
 * Rule: the list begins to fill before the store is read, at a place that is noted, and is looked at only when everything up
 * to that place was handed out.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import type * as Semaphore from "effect/Semaphore"
import type * as Hlc from "../../domain/hlc.ts"
import type { EventId, ResetReason, Told } from "../../services/Events.ts"
import type { Groups } from "../../services/Groups.ts"
import type { Arrival, Store, StoreError } from "../../services/Store.ts"
import type { Listener } from "./event-audience.ts"
import type { Entry, EventBuffer } from "./event-buffer.ts"
import * as CatchUp from "./event-catch-up.ts"

/** Arrivals of anybody that a stream may have missed; with more, its user reads anew what matters to her. */
const missedMax = 100_000

/** What readers have in common. */
export interface Source {
  readonly store: Store["Service"]
  readonly groups: Groups["Service"]
  /** Those that read from the store at once: it has others to serve. */
  readonly turns: Semaphore.Semaphore
  readonly epoch: string
  /** Memory for folds of what was missed. */
  readonly room: CatchUp.Room
  /** Messages stamped below this are no longer told. */
  floor(): Hlc.Hlc
  /**
   * From now on what is told goes into the list of the stream: of everyone who is known to concern the listener. Gives the
   * place up to which all was told before; everything up to `taken`, absent: up to there, was handed out.
   */
  begin(listener: Listener, stream: EventBuffer, taken?: Arrival): Effect.Effect<Arrival, StoreError>
  onBehind(why: "resumed" | "slow"): void
  onReset(reason: ResetReason): void
  onTold(told: ReadonlyArray<Told>): void
}

type Page = readonly [Told, ...Array<Told>]

const isPage = (told: ReadonlyArray<Told>): told is Page => told.length > 0

/** `resume`: the last id that the reader had; absent: she begins with what comes now. */
export const make = Effect.fnUntraced(function*(
  source: Source,
  listener: Listener,
  stream: EventBuffer,
  resume: EventId | "unknown" | undefined
): Effect.fn.Return<Pull.Pull<Page, StoreError>, never, Scope.Scope> {
  const { groups, store } = source
  const share = new CatchUp.Share(source.room)
  yield* Effect.addFinalizer(() => Effect.sync(() => share.release()))
  /** What is read now, and up to where. */
  let missed: { readonly pages: CatchUp.CatchUp; readonly upTo: Arrival } | undefined
  /** It was live before: it is behind because it was not read. */
  let wasLive = false
  let hasBegun = false

  const idOf = (arrival: Arrival): EventId => ({ epoch: source.epoch, arrival })
  const toTold = ({ at, event, isLast }: Entry): Told => isLast ? { event, id: idOf(at) } : { event }

  /** Goes on from the present place. */
  const here = (told: Told = {}): Effect.Effect<Page, StoreError> =>
    Effect.map(source.begin(listener, stream), (place) => {
      isLive()
      return [{ ...told, id: idOf(place) }]
    })

  const isLive = (): void => {
    missed = undefined
    share.release()
    wasLive = true
  }

  const reset = (reason: ResetReason): Effect.Effect<Page, StoreError> => {
    source.onReset(reason)
    return here({ event: { type: "reset", reason } })
  }

  const tooMuch = (): Effect.Effect<Page, StoreError> => reset(wasLive ? "slow" : "expired")

  const begin: Effect.Effect<ReadonlyArray<Told>, StoreError> = Effect.gen(function*() {
    if (!hasBegun) {
      hasBegun = true
      if (resume === undefined) return yield* here()
      if (resume === "unknown" || resume.epoch !== source.epoch) return yield* reset("unknown")
      stream.taken = resume.arrival
    }
    const from = stream.taken
    if ((yield* store.arrivedAfter(from, missedMax + 1)) > missedMax) return yield* tooMuch()
    const upTo = yield* source.begin(listener, stream, from)
    // a place that is still to come was lost with a disk: nobody knows what came since
    if (from > upTo) return yield* reset("unknown")
    source.onBehind(wasLive ? "slow" : "resumed")
    const pages = yield* CatchUp.make(store, groups, listener.user, from, upTo, source.floor(), share)
    if (pages === "expired") return yield* tooMuch()
    missed = { pages, upTo }
    return []
  })

  const readOn = Effect.fnUntraced(function*(
    { pages, upTo }: NonNullable<typeof missed>
  ): Effect.fn.Return<ReadonlyArray<Told>, StoreError> {
    if (stream.taken < upTo) {
      const page = yield* pages.next(stream.taken)
      if (page === "expired") return yield* tooMuch()
      stream.taken = page.seen
      return page.entries.map(toTold)
    }
    isLive()
    stream.taken = upTo
    return [{ id: idOf(upTo) }]
  })

  const wait = Effect.callback<void>((resume) => {
    const callOff = stream.whenReady(() => resume(Effect.void))
    return Effect.sync(callOff)
  })

  const again = (told: ReadonlyArray<Told>): Pull.Pull<Page, StoreError> => {
    if (!isPage(told)) return pull
    source.onTold(told)
    return Effect.succeed(told)
  }

  const pull: Pull.Pull<Page, StoreError> = Effect.suspend(() => {
    if (stream.state === "ended") return Cause.done()
    if (missed !== undefined) return Effect.flatMap(source.turns.withPermits(1)(readOn(missed)), again)
    if (stream.state === "behind") return Effect.flatMap(source.turns.withPermits(1)(begin), again)
    return stream.isEmpty ? Effect.andThen(wait, pull) : again(stream.take().map(toTold))
  })
  return pull
})
