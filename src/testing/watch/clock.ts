/**
 * Oracles of what may only go on: the clock of a node (SPEC §4), its horizon and its commits.
 *
 * `clock`, exactly:
 * - within a run `last()` never goes back; at a start it is not below any stamp ever committed to the disk as it is, and
 *   after each commit not below the stamps in it;
 * - it is at most MAX_DRIFT ahead of the highest time that the machine's wall clock has ever shown, and one ms more: a merge
 *   at the end of a logical counter goes on to the next ms. (The wall clock may be set back; the clock must not follow.)
 * - a stamp given for a write that was tried once only, so that nobody else can have stamped it, is above `last()` and above
 *   all that the disk had when it was asked for, is at most MAX_DRIFT ahead, and is given to one record only: in a run, and
 *   after it if it was on the disk. A stamp that a kill lost may be given again, where the wall clock was set back.
 *
 * `forward`: the horizon of the trees never goes back in a run and is not ahead of what the wall clock allows; the writer
 * counts just the records that were committed to its disk in this run, but for those of a commit that it is yet to hear of.
 */
import * as Context from "effect/Context"
import { HybridClock } from "../../services/HybridClock.ts"
import { Trees } from "../../services/Trees.ts"
import { Writer } from "../../services/Writer.ts"
import type { NodeServices } from "../cluster.ts"
import { msOf, nameOf } from "./records.ts"
import type { Tried } from "./scene.ts"
import { type Oracle, type Scene, stampText, type Watched } from "./scene.ts"

/** SPEC §4, MAX_DRIFT. */
const driftMs = 60_000
/** SPEC §6: the horizon moves in steps, and lies so far behind. */
const stepMs = 5_000
const lagMs = 10_000

export const clockOracle = ({ attempts, find }: Scene): Oracle => {
  const lasts = new Map<Watched, bigint>()
  const given = new Map<Watched, Map<bigint, Tried>>()

  const look = (watched: Watched, services: Context.Context<NodeServices>): bigint => {
    const last = Context.get(services, HybridClock).last()
    const before = lasts.get(watched) ?? 0n
    if (last < before) find("clock", `went back from ${stampText(before)} to ${stampText(last)}`, watched)
    const aheadMs = msOf(last) - watched.walls.highestMs
    if (last !== before && aheadMs > driftMs + 1) find("clock", `is ${aheadMs} ms ahead of its wall clock`, watched)
    lasts.set(watched, last)
    return last
  }

  return {
    up: (watched, services) => {
      const { highest } = watched.ledger
      const last = look(watched, services)
      if (last < highest) {
        find("clock", `starts at ${stampText(last)}, below ${stampText(highest)} on its disk`, watched)
      }
    },
    committed: (watched, records) => {
      if (watched.services === undefined) return
      const last = look(watched, watched.services)
      for (const record of records) {
        if (record.hlc <= last) continue
        find("clock", `${nameOf(record)} is stored, stamped above the clock, ${stampText(record.hlc)}`, watched)
      }
    },
    answered: (watched, answer, tried) => {
      if (watched.services !== undefined) look(watched, watched.services)
      if (answer._tag === "Refused" || attempts.of(answer.attempt.id).length > 1) return
      const { attempt, hlc } = answer
      const name = nameOf({ kind: attempt.draft.kind, id: attempt.id })
      const floor = tried.last === undefined || tried.stored > tried.last ? tried.stored : tried.last
      if (hlc <= floor) {
        find("clock", `${name} was stamped ${stampText(hlc)}, not above ${stampText(floor)} before it`, watched)
      }
      const aheadMs = msOf(hlc) - watched.walls.highestMs
      if (aheadMs > driftMs) find("clock", `${name} was stamped ${aheadMs} ms ahead of its wall clock`, watched)
      const stamps = given.get(watched) ?? new Map<bigint, Tried>()
      given.set(watched, stamps)
      const other = stamps.get(hlc)
      stamps.set(hlc, tried)
      if (other === undefined) return
      const stood = other.answer?._tag === "Accepted" && other.answer.committed
      if (other.attempt.life !== attempt.life && !stood) return
      find("clock", `${name} was given the stamp of ${other.attempt.id.slice(0, 8)}, ${stampText(hlc)}`, watched)
    },
    down: (watched) => lasts.delete(watched),
    diskChanged: (watched) => given.delete(watched),
    sample: (watched, services) => look(watched, services)
  }
}

export const forwardOracle = ({ find }: Scene): Oracle => {
  const horizons = new Map<Watched, number>()
  return {
    down: (watched) => horizons.delete(watched),
    sample: (watched, services) => {
      const horizonMs = Context.get(services, Trees).horizonMs()
      if (horizonMs !== undefined) {
        const before = horizons.get(watched)
        if (before !== undefined && horizonMs < before) {
          find("forward", `the horizon went back from ${before} to ${horizonMs}`, watched)
        }
        if (horizonMs % stepMs !== 0 || horizonMs > watched.walls.highestMs - lagMs) {
          find(
            "forward",
            `the horizon ${horizonMs} is not one of its wall clock's, ${watched.walls.highestMs}`,
            watched
          )
        }
        horizons.set(watched, horizonMs)
      }
      const { committed, queued } = Context.get(services, Writer).stats()
      const isBehind = queued > 0 && committed === watched.committed - watched.lastBatch
      if (committed === watched.committed || isBehind) return
      find("forward", `counts ${committed} commits of records, its disk ${watched.committed}`, watched)
    }
  }
}
