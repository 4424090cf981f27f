/**
 * What this node remembers of each connected peer, to decide when to compare next and whether to go on with it at all. It
 * goes with the peer (FAILURES 12), and nothing is concluded from it about what the peer holds (FAILURES 17).
 */
import type { NodeId } from "../../domain/ids.ts"
import type { Domain } from "../../domain/record.ts"
import type { PeerSync, Round } from "../../services/Sync.ts"
import type { RoundError } from "./line.ts"

/** Between two rounds with a peer when all is well, ms; half as much more or less, at random. */
const restMs = 10_000
/** After a round that changed something: whether both are equal now. */
const againMs = 2_000
/** Rounds that the peer leads put off ours for at most this long. */
const leadMsMax = 60_000
const suspectMs = 300
/** From the begin of one round to the next: gaps may be suspected without end. */
const betweenMsMin = 1_000
/** From one round that finds nothing to do to the next, at most: as after those that fail, for it may be a lie. */
const idleMsMax = 60_000
/** So many in a row may be chance: 8 bytes of each hash did not tell, or records changed meanwhile. */
const idleRoundsMax = 2
/** A round that takes longer does not count among those that a node leads at once: more than one wait for an answer. */
const placeMs = 45_000
const failedMsMin = 2_000
const failedMsMax = 60_000

/** A peer is dropped at this many points. */
const pointsMax = 100
const pointsOf: { readonly [R in RoundError["reason"]]: number } = {
  malformed: 60,
  lied: 100,
  stalled: 25,
  unsupported: 10,
  closed: 2,
  refused: 0,
  store: 0,
  unready: 0
}
/** Taken off by a round that this node led and that went well. */
const forgivenPoints = 10
const shunMsMin = 60_000
const shunMsMax = 3_600_000

export class Standing {
  readonly peer: NodeId
  last: Round | undefined
  equal: PeerSync["equal"]
  clockOffsetMs: number | undefined
  /** Whether this node leads a round with it now, and how many it answers. */
  leading = false
  answering = 0
  /** Where whole hashes are compared next time. */
  whole: ReadonlySet<Domain> = new Set()
  /** When the next round is due, by the steady clock, ms. */
  nextMs: number
  private beganMs = -Infinity
  private failures = 0
  /** Rounds led, one after another, in which sets seemed to differ and nothing was moved. */
  private idle = 0
  private points = 0

  constructor(peer: NodeId, nowMs: number, random: number) {
    this.peer = peer
    this.nextMs = nowMs + suspectMs * (0.5 + random)
  }

  /** This node begins a round. */
  begin(nowMs: number): void {
    this.leading = true
    this.beganMs = nowMs
  }

  /** Whether the round that is led takes one of the places: a peer that is slow must not keep it from others. */
  takesPlace(nowMs: number): boolean {
    return this.leading && nowMs - this.beganMs < placeMs
  }

  /** A round ended that `led` says who began. `random` from 0 to 1. */
  ended(round: Round, led: boolean, nowMs: number, random: number): void {
    this.last = round
    const spread = 0.5 + random
    if (round.result === "failed") {
      // a peer that breaks off its own rounds does not put off ours
      if (!led) return
      this.failures++
      this.nextMs = nowMs + Math.min(failedMsMin * 2 ** Math.min(this.failures - 1, 16), failedMsMax) * spread
      return
    }
    if (round.result === "equal" && round.horizonMs !== undefined) {
      this.equal = { horizonMs: round.horizonMs, atMs: round.atMs }
    }
    if (led && round.result !== "busy") {
      this.idle = round.result !== "equal" && round.pulled + round.pushed === 0 ? this.idle + 1 : 0
    }
    const againInMs = Math.min(againMs * 2 ** Math.min(Math.max(0, this.idle - idleRoundsMax), 16), idleMsMax)
    const nextMs = nowMs + (round.result === "equal" ? restMs : againInMs) * spread
    // nor does one that always finds something to repair; and what it says of its own set is asked for all the same
    if (led) this.nextMs = nextMs
    else if (round.result === "equal") this.nextMs = Math.min(nextMs, Math.max(this.nextMs, this.beganMs + leadMsMax))
    else if (!this.isIdle) this.nextMs = Math.min(this.nextMs, nextMs)
    // a peer that leads rounds has it in its hand how many go well
    if (!led || round.result === "busy") return
    this.failures = 0
    this.points = Math.max(0, this.points - forgivenPoints)
  }

  private get isIdle(): boolean {
    return this.idle > idleRoundsMax
  }

  /** A round soon; but a peer with which they fail, or find nothing, is not asked more often for it. */
  suspect(nowMs: number, random: number): void {
    if (this.failures > 0 || this.isIdle) return
    const soonMs = Math.max(nowMs + suspectMs * (0.5 + random), this.beganMs + betweenMsMin)
    this.nextMs = Math.min(this.nextMs, soonMs)
  }

  /** Counts a failure against the peer. True when it is to be dropped. */
  blame(reason: RoundError["reason"]): boolean {
    this.points += pointsOf[reason]
    return this.points >= pointsMax
  }

  summary(): PeerSync {
    return {
      peer: this.peer,
      ...(this.last === undefined ? {} : { last: this.last }),
      ...(this.equal === undefined ? {} : { equal: this.equal }),
      ...(this.clockOffsetMs === undefined ? {} : { clockOffsetMs: this.clockOffsetMs })
    }
  }
}

/** How long a peer is left alone the `times`-th time, ms. */
export const shunMs = (times: number): number => Math.min(shunMsMin * 2 ** Math.min(times - 1, 16), shunMsMax)
