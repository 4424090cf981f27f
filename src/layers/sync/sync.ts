/**
 * When to hold rounds of sync, with whom, and what follows from them (SPEC §6): soon after a peer connects, when a gap is
 * suspected, and again and again with some chance in it; never two at once with one peer.
 *
 * Rule: nothing that is remembered here decides what is compared. A peer that came back empty, or a node that did, is
 * compared from its roots like any other (FAILURES 17).
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import type { NodeId } from "../../domain/ids.ts"
import { Gaps } from "../../services/Gaps.ts"
import { type Channel, type ChannelError, Network } from "../../services/Network.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { type Round, Sync } from "../../services/Sync.ts"
import { Askew } from "./askew.ts"
import { Fetching } from "./fetching.ts"
import * as Initiator from "./initiator.ts"
import * as Line from "./line.ts"
import * as Metrics from "./metrics.ts"
import * as Responder from "./responder.ts"
import * as Rounds from "./rounds.ts"
import { shunMs, Standing } from "./standing.ts"

/** Rounds led at once; with those that are slow, which keep nobody out; and answered at once. */
const leadingMax = 4
const leadingSlowMax = 16
const answeringMax = 32
/** Opening a stream; the peer may be busy. */
const openMsMax = 10_000
/** The scheduler looks at least this often: peers may have come unnoticed. */
const lookMsMax = 1_000
const lookAloneMs = 10_000
const progressLogMs = 10_000
/** Peers remembered that were dropped before, so that the next time is longer. */
const offendersMax = 1_000

interface Ended {
  readonly result: Round["result"]
  readonly why?: string | undefined
  readonly horizonMs?: number | undefined
  readonly pulled: number
  readonly pushed: number
}

const unreached = (error: ChannelError): Line.RoundError =>
  new Line.RoundError({
    reason: error.reason === "unsupported" ? "unsupported" : error.reason === "oversized" ? "malformed" : "closed",
    message: error.message
  })

export const layer = Layer.effect(
  Sync,
  Effect.gen(function*() {
    const network = yield* Network
    const gaps = yield* Gaps
    const own = (yield* NodeKey).id
    const base = yield* Rounds.ground
    const metrics = yield* Metrics.make
    const time = yield* Clock.Clock
    const random = yield* Random.Random
    const scope = yield* Effect.scope
    const steadyMs = () => Number(time.monotonicTimeNanosUnsafe() / 1_000_000n)
    const chance = () => random.nextDoubleUnsafe()

    const standings = new Map<NodeId, Standing>()
    const offences = new Map<NodeId, number>()
    /** What was said about a peer last: said once, not every round. */
    const said = new Map<NodeId, string>()
    const wake = yield* Latch.make(false)
    let leading = 0
    let answering = 0
    const fetching = new Fetching()
    const askew = new Askew()

    const standingOf = (peer: NodeId): Standing => {
      let found = standings.get(peer)
      if (found === undefined) standings.set(peer, found = new Standing(peer, steadyMs(), chance()))
      return found
    }

    const ground: Rounds.Ground = {
      ...base,
      clocks: {
        ...base.clocks,
        observe: (peer, offsetMs) => {
          standingOf(peer).clockOffsetMs = offsetMs
          base.clocks.observe(peer, offsetMs)
        }
      }
    }

    const gone = (peer: NodeId): void => {
      standings.delete(peer)
      said.delete(peer)
      fetching.left(peer)
      ground.intake.forget(peer)
      ground.clocks.forget(peer)
    }

    const say = (peer: NodeId, what: string, log: Effect.Effect<void>): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (said.get(peer) === what) return Effect.void
        said.set(peer, what)
        return log
      })

    /** Keeps what a round showed, and says what an operator should know. */
    const record = Effect.fnUntraced(function*(
      standing: Standing,
      line: Line.Line | undefined,
      led: boolean,
      startedMs: number,
      ended: Ended
    ) {
      const nowMs = steadyMs()
      const round: Round = {
        atMs: ground.clock.wall(),
        tookMs: nowMs - startedMs,
        bytes: line?.tally.bytes ?? 0,
        ...ended
      }
      standing.ended(round, led, nowMs, chance())
      metrics.round(round)
      wake.openUnsafe()
      if (ended.result === "equal") {
        yield* say(standing.peer, "equal", Effect.logInfo(`in sync with ${standing.peer}`))
      } else if (ended.pulled + ended.pushed > 0) {
        said.delete(standing.peer)
        yield* Effect.logInfo(
          `sync with ${standing.peer}: ${ended.pulled} records came, ${ended.pushed} were sent, in ${round.tookMs} ms`
        )
      }
    })

    const failed = (peer: NodeId, error: Line.RoundError): Effect.Effect<Ended> =>
      Effect.gen(function*() {
        const standing = standingOf(peer)
        const busy = error.reason === "refused" &&
          (error.refusal === "busy" || error.refusal === "building" || error.refusal === "horizon")
        const foreign = error.refusal === "network" || error.refusal === "key"
        // the network says by itself whom it leaves, and why
        if (!busy && !foreign && error.reason !== "unready" && error.reason !== "closed") {
          yield* say(peer, error.message, Effect.logWarning(`no sync with ${peer}: ${error.message}`))
        }
        if (foreign) {
          yield* network.shun(peer, shunMs(1), error.message)
        } else if (standing.blame(error.reason)) {
          const times = (offences.get(peer) ?? 0) + 1
          if (offences.size >= offendersMax) offences.delete(offences.keys().next().value!)
          offences.set(peer, times)
          yield* network.shun(peer, shunMs(times), error.message)
        }
        return {
          result: busy || error.reason === "unready" ? "busy" : "failed",
          why: error.message,
          pulled: 0,
          pushed: 0
        }
      })

    /** A defect of this program, in a round: that round has failed, the next one may not. */
    const survived = (cause: Cause.Cause<Line.RoundError>): Effect.Effect<Line.RoundError> => {
      const error = Cause.squash(cause)
      if (error instanceof Line.RoundError) return Effect.succeed(error)
      const message = error instanceof Error ? error.message : String(error)
      return Effect.as(
        Effect.logError("a round of sync broke", cause),
        new Line.RoundError({ reason: "store", message })
      )
    }

    const ledBy = Effect.fnUntraced(function*(standing: Standing, led: Initiator.Led) {
      standing.whole = led.nothingIn
      const wrong = askew.look(led.askew, steadyMs())
      if (wrong !== undefined) ground.trees.rebuild(`they do not agree with the records: ${wrong}`)
      const fetched = fetching.ended(standing.peer, led.behind, led.pulled, steadyMs())
      if (fetched !== undefined) yield* Effect.logInfo(`caught up with ${standing.peer}: ${fetched} records`)
      return {
        result: led.equal ? "equal" : led.behind ? "behind" : "repaired",
        horizonMs: led.horizonMs,
        pulled: led.pulled,
        pushed: led.pushed
      } satisfies Ended
    })

    const lead = Effect.fnUntraced(function*(standing: Standing) {
      const startedMs = steadyMs()
      let line: Line.Line | undefined
      const exit = yield* network.open(standing.peer).pipe(
        Effect.timeoutOrElse({
          duration: openMsMax,
          orElse: () =>
            Effect.fail(
              new Line.RoundError({ reason: "stalled", message: `no stream within ${openMsMax} ms` })
            )
        }),
        Effect.mapError((error) => error._tag === "ChannelError" ? unreached(error) : error),
        Effect.flatMap((channel) =>
          Initiator.run(ground, line = Line.make(channel, Line.answerMsMax), {
            whole: standing.whole,
            catchUp: fetching.progress(standing.peer, steadyMs)
          })
        ),
        Effect.scoped,
        Effect.timeoutOrElse({
          duration: Rounds.roundMsMax,
          orElse: () => Effect.fail(new Line.RoundError({ reason: "stalled", message: "the round took too long" }))
        }),
        Effect.exit
      )
      const ended = Exit.isSuccess(exit)
        ? yield* ledBy(standing, exit.value)
        : yield* Effect.flatMap(survived(exit.cause), (error) => failed(standing.peer, error))
      if (Exit.isFailure(exit) && ended.result === "failed") fetching.left(standing.peer)
      yield* record(standing, line, true, startedMs, ended)
    })

    const answer = Effect.fnUntraced(function*(channel: Channel) {
      const startedMs = steadyMs()
      const standing = standingOf(channel.peer)
      const line = Line.make(channel, Line.questionMsMax)
      // of two nodes that begin at once, the one with the smaller id goes on
      const busy = () => answering > answeringMax || standing.answering > 1 || (standing.leading && own < channel.peer)
      answering++
      standing.answering++
      yield* Responder.run(ground, line, busy).pipe(
        Effect.matchCauseEffect({
          onSuccess: ({ equal, horizonMs, pulled, pushed }) =>
            record(standing, line, false, startedMs, {
              result: equal ? "equal" : "repaired",
              horizonMs,
              pulled,
              pushed
            }),
          onFailure: (cause) =>
            Effect.flatMap(survived(cause), (error) => failed(channel.peer, error)).pipe(
              Effect.flatMap((ended) =>
                ended.result === "failed" ? record(standing, line, false, startedMs, ended) : Effect.void
              )
            )
        }),
        Effect.ensuring(Effect.sync(() => {
          answering--
          standing.answering--
          wake.openUnsafe()
        }))
      )
    })

    /** Begins what is due; how long until the next one is, ms. */
    const look = Effect.fnUntraced(function*() {
      const connected = new Set(network.peers().map(({ id }) => id))
      for (const peer of standings.keys()) {
        const standing = standings.get(peer)!
        if (!connected.has(peer) && !standing.leading && standing.answering === 0) gone(peer)
      }
      const nowMs = steadyMs()
      let nextMs = nowMs + (connected.size === 0 ? lookAloneMs : lookMsMax)
      let places = [...standings.values()].filter((standing) => standing.takesPlace(nowMs)).length
      // who is due for longest comes first: those with which rounds fail are due again and again
      const waiting = [...connected].map(standingOf).filter(({ answering, leading }) => !leading && answering === 0)
        .sort((one, other) => one.nextMs - other.nextMs)
      for (const standing of waiting) {
        const isFull = places >= leadingMax || leading >= leadingSlowMax
        if (standing.nextMs > nowMs || isFull || ground.trees.horizonMs() === undefined) {
          if (standing.nextMs > nowMs) nextMs = Math.min(nextMs, standing.nextMs)
          continue
        }
        leading++
        places++
        standing.begin(nowMs)
        yield* lead(standing).pipe(
          Effect.ensuring(Effect.sync(() => {
            leading--
            standing.leading = false
            wake.openUnsafe()
          })),
          Effect.forkIn(scope)
        )
      }
      return nextMs - nowMs
    })

    const report = Effect.suspend(() => {
      const catchUp = fetching.summary()
      if (catchUp === undefined) return Effect.void
      const { domain, fetched, missing, peer, rate } = catchUp
      const share = missing === 0 ? 100 : Math.floor(100 * fetched / missing)
      return Effect.logInfo(
        `catching up with ${peer}: ${fetched} of ${missing} records (${share} %), ${domain}, ${rate} a second`
      )
    })

    const suspect = (peer?: NodeId): void => {
      const all = peer === undefined ? [...standings.values()] : [standings.get(peer) ?? []].flat()
      if (all.length === 0) return
      const one = all[Math.min(all.length - 1, Math.floor(chance() * all.length))]!
      one.suspect(steadyMs(), chance())
      wake.openUnsafe()
    }

    yield* Effect.forkScoped(Effect.forever(Effect.map(gaps.take, ({ anywhere, peers }) => {
      for (const peer of peers) suspect(peer)
      if (anywhere) suspect()
    })))
    yield* network.serve((channel) => answer(channel))
    const changes = yield* PubSub.subscribe(network.changes)
    yield* Effect.forkScoped(Effect.forever(Effect.map(PubSub.take(changes), () => wake.openUnsafe())))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(progressLogMs), report)))
    yield* Effect.forkScoped(Effect.forever(
      Effect.flatMap(look(), (ms) => Effect.raceFirst(Effect.sleep(ms), wake.await)).pipe(
        Effect.andThen(Effect.sync(() => wake.closeUnsafe())),
        Effect.andThen(Effect.yieldNow),
        Effect.catchCauseIf(
          (cause) => !Cause.hasInterrupts(cause),
          (cause) => Effect.andThen(Effect.logError("the schedule of sync broke", cause), Effect.sleep(lookMsMax))
        )
      )
    ))

    return Sync.of({
      suspect,
      peers: () => [...standings.values()].map((standing) => standing.summary()),
      catchUp: () => fetching.summary()
    })
  })
)
