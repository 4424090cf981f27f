/**
 * Oracles of what may be in a set of records at all, and of what may leave it.
 *
 * `signature`: form, the author's signature, and the node's on an op; each variant is looked at once.
 * `acceptance`: the constants of SPEC §5; not early by any time that the node's wall clock can have shown when it was judged
 * (`Walls.recent`); and W or P hold its author by what was committed to this disk before it, in the order of the queue.
 * `aged`: nothing at or below the cutoff is committed, by the lowest time that the clock can have shown when it was judged:
 * so a record whose hour turned while it was queued is excused, as is one at a node whose clock was set back, and nothing
 * else. What is collected is aged by the highest time that the clock ever showed.
 * `lost`: a disk holds what was committed to it, but for what lost its slot by SPEC §5, was collected, or was another disk's.
 * Looked at in full when a run begins and ends, now and then between, and at the end; at the end also that every node holds
 * what any disk has kept: what a node is known to have cannot get lost while that disk lives.
 * `bounds`: what is queued and what waits is within its bounds, and leaves no bytes behind.
 */
import * as Context from "effect/Context"
import { defaultIngestLimits } from "../../domain/limits.ts"
import type { Record } from "../../domain/record.ts"
import { Gossip } from "../../services/Gossip.ts"
import { Intake } from "../../services/Intake.ts"
import { PeerClocks } from "../../services/PeerClocks.ts"
import { Sync } from "../../services/Sync.ts"
import { Writer } from "../../services/Writer.ts"
import { ages, cutoffAt } from "../model/ageing.ts"
import { slotIn, takes } from "../model/set.ts"
import { msOf, nameOf, sameRecord } from "./records.ts"
import type { Oracle, Scene, Watched } from "./scene.ts"

/** SPEC §4, MAX_DRIFT. */
const driftMs = 60_000
/** Samples between two full looks at the disks. */
const auditEvery = 50
/** Of a node: records and bytes that are queued, wait, or are about to be told; peers whose state is kept. */
const queuedBytesMax = 64 * 1024 * 1024
const waitingMax = 16_384
const waitingBytesMax = 32 * 1024 * 1024
const outboxMax = 16_384
const clocksMax = 1_024
const peersMax = 1_024

export const signatureOracle = ({ examiner, find }: Scene): Oracle => ({
  committing: (watched, record) => {
    const examined = examiner.first(record)
    if (examined?.signature !== undefined) find("signature", `${nameOf(record)} ${examined.signature}`, watched)
    if (examined?.acceptance !== undefined) find("acceptance", `${nameOf(record)} ${examined.acceptance}`, watched)
  }
})

export const acceptanceOracle = ({ find }: Scene): Oracle => ({
  committing: (watched, record) => {
    const aheadMs = msOf(record.hlc) - watched.walls.recent.highMs
    if (aheadMs > driftMs) find("acceptance", `${nameOf(record)} is ${aheadMs} ms ahead of its wall clock`, watched)
    if (!watched.ledger.hasPrerequisites(record)) {
      find("acceptance", `${nameOf(record)} lacks what it needs of its group`, watched)
    }
  }
})

export const agedOracle = ({ find, nodes }: Scene): Oracle => ({
  committing: (watched, record, outcome) => {
    if (!ages(record)) return
    const cutoffMs = cutoffAt(watched.walls.recent.lowMs)
    if (msOf(record.hlc) > cutoffMs) return
    const slot = slotIn(record)
    const back = [...nodes.values()].some(({ ledger }) => ledger.ids.has(record.id)) &&
      [...nodes.values()].every(({ ledger }) => !ledger.slots.has(slot))
    const how = back ? "came back though all had collected it" : `was ${outcome}`
    find("aged", `${nameOf(record)} of ${msOf(record.hlc)} ${how}, the cutoff is ${cutoffMs}`, watched)
  },
  collected: (watched, aged) => {
    const cutoffMs = cutoffAt(watched.walls.highestMs)
    if (msOf(aged) > cutoffMs) find("aged", `collects up to ${msOf(aged)}, the cutoff is ${cutoffMs}`, watched)
  }
})

/** What any disk keeps, the best variant of each. */
const keptAnywhere = (nodes: Iterable<Watched>): ReadonlyArray<Record> => {
  const best = new Map<string, Record>()
  for (const { ledger } of nodes) {
    for (const [slot, record] of ledger.slots) {
      const other = best.get(slot)
      if (other === undefined || takes(record, other)) best.set(slot, record)
    }
  }
  return [...best.values()]
}

export const lostOracle = ({ find, nodes }: Scene): Oracle => {
  const audit = (watched: Watched): void => {
    for (const text of watched.ledger.differences(watched.node.disk.records())) find("lost", text, watched)
  }
  return {
    up: audit,
    down: audit,
    sample: (watched, _, count) => {
      if (count % auditEvery === 0) audit(watched)
    },
    end: () => {
      for (const watched of nodes.values()) audit(watched)
      const highMs = Math.max(...[...nodes.values()].map(({ walls }) => walls.highestMs))
      const kept = keptAnywhere(nodes.values())
        .filter((record) => !ages(record) || msOf(record.hlc) > cutoffAt(highMs))
      for (const watched of nodes.values()) {
        if (!watched.node.isUp) continue
        const held = new Map(watched.node.disk.records().map((record) => [slotIn(record), record]))
        for (const record of kept) {
          const there = held.get(slotIn(record))
          if (there === undefined) find("lost", `${nameOf(record)} is not here`, watched)
          else if (!sameRecord(record, there) && takes(record, there)) {
            find("lost", `${nameOf(there)} is in the place of ${nameOf(record)}`, watched)
          }
        }
      }
    }
  }
}

export const boundsOracle = ({ find }: Scene): Oracle => ({
  sample: (watched, services) => {
    const within = (what: string, value: number, most: number): void => {
      if (!(value >= 0 && value <= most)) find("bounds", `${what}: ${value}, at most ${most}`, watched)
    }
    const { queued, queuedBytes } = Context.get(services, Writer).stats()
    within("records queued", queued, defaultIngestLimits.queueRecordsMax)
    within("bytes queued", queuedBytes, queued === 0 ? 0 : queuedBytesMax)
    const { waiting, waitingBytes } = Context.get(services, Intake).stats()
    within("records that wait", waiting, waitingMax)
    within("bytes that wait", waitingBytes, waiting === 0 ? 0 : waitingBytesMax)
    within("records to be told", Context.get(services, Gossip).stats().queued, outboxMax)
    within("peers' clocks", Context.get(services, PeerClocks).check().peers, clocksMax)
    within("peers in sync", Context.get(services, Sync).peers().length, peersMax)
  }
})
