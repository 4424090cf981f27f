/** The peers' wall clocks against this node's: SPEC §4. See the port for the contract. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type { NodeId } from "../../domain/ids.ts"
import { driftMsMax } from "../../domain/limits.ts"
import { type ClockCheck, PeerClocks } from "../../services/PeerClocks.ts"
import * as Metrics from "./peer-metrics.ts"

/** With fewer peers, one wrong clock would decide: a warning only. */
const peersMin = 3
/** Peers remembered; beyond, the one heard least lately is forgotten. */
const peersMax = 1_024

/** Between two lines of the log: a peer may show another time in every hello (FAILURES 4). */
const sayMs = 10_000

/** What the log says, when it changes. */
type Verdict = "fine" | "doubtful" | "off"

const medianOf = (values: Iterable<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** What offsets, ms, say about this node's clock. Exactly MAX_DRIFT is not off. */
const checkOf = (offsets: ReadonlyArray<number>): ClockCheck => {
  const medianMs = medianOf(offsets)
  return {
    medianMs,
    peers: offsets.length,
    off: offsets.length >= peersMin && Math.abs(medianMs) > driftMsMax
  }
}

const verdictOf = ({ medianMs, off }: ClockCheck): Verdict =>
  off ? "off" : Math.abs(medianMs) > driftMsMax ? "doubtful" : "fine"

export const layer: Layer.Layer<PeerClocks> = Layer.effect(
  PeerClocks,
  Effect.gen(function*() {
    const metrics = yield* Metrics.make
    // in order of the last word from each: a Map keeps the order of insertion
    const offsets = new Map<NodeId, number>()
    const changed = yield* Latch.make(false)
    let check = checkOf([])
    let said: Verdict = "fine"

    const update = () => {
      check = checkOf([...offsets.values()])
      metrics.clock(check.medianMs, check.peers, check.off)
      if (verdictOf(check) !== said) changed.openUnsafe()
    }
    update()

    const line = (verdict: Verdict): Effect.Effect<void> => {
      const found = `${Math.abs(check.medianMs)} ms ${check.medianMs > 0 ? "behind" : "ahead of"} the median of ` +
        `${check.peers} peers, ${driftMsMax} ms are allowed`
      switch (verdict) {
        case "fine":
          return Effect.logInfo("the clock of this node agrees with its peers again")
        case "doubtful":
          return Effect.logWarning(`the clock of this node may be wrong: ${found}; with so few peers, writes go on`)
        case "off":
          return Effect.logError(`the clock of this node is off, it takes no writes: ${found}`)
      }
    }

    const say = Effect.suspend(() => {
      changed.closeUnsafe()
      const verdict = verdictOf(check)
      if (verdict === said) return Effect.void
      said = verdict
      return Effect.andThen(line(verdict), Effect.sleep(sayMs))
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.andThen(changed.await, Effect.yieldNow), say)))

    return PeerClocks.of({
      observe: (peer, offsetMs) => {
        if (!Number.isFinite(offsetMs)) return
        offsets.delete(peer)
        offsets.set(peer, offsetMs)
        if (offsets.size > peersMax) offsets.delete(offsets.keys().next().value!)
        update()
      },
      forget: (peer) => {
        if (offsets.delete(peer)) update()
      },
      check: () => check
    })
  })
)
