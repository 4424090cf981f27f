/**
 * "Both sides are equal after one round" (SPEC §6), whichever side leads it. In a run all nodes lead rounds with each other, so
 * that a half that is missing is made up for by the other side; here only one of two may.
 */
import * as Effect from "effect/Effect"
import * as Hlc from "../../domain/hlc.ts"
import { opTypes, type Record } from "../../domain/record.ts"
import { Sync } from "../../services/Sync.ts"
import type { Cluster } from "../cluster.ts"
import type { Random } from "../random.ts"

/** Records that are taken from a node. */
const takenMax = 5
/** Virtual time for the node to start, for a round to come about, and for what it brought to be committed. */
const startMsMax = 30_000
const roundMsMax = 60_000
const lookMs = 100
const commitMsMax = 2_000
/** Ages that are far from the limit of 30 days. */
const youngMs = 86_400_000

/**
 * Takes some records from one of two nodes, and lets only one of them, which may be either, lead a round: so it has to push
 * or to pull. For a cluster that has converged, whose records are all older than the horizon; it is of no more use after.
 */
export const oneRoundProblems = (cluster: Cluster, random: Random): Effect.Effect<ReadonlyArray<string>> =>
  Effect.sync(() => {
    const { network, nodes, time } = cluster
    const [leader, other] = random.shuffle(cluster.up)
    if (leader === undefined || other === undefined) return []
    const loser = random.pick([leader, other])
    const all = loser.disk.records()
    // what may age meanwhile is no good, nor what others need: no node would hold those without it
    const isFree = (record: Record) =>
      Hlc.physicalMs(record.hlc) > time.now - youngMs &&
      !(record.kind === "op" && (record.op === opTypes.create || record.op === opTypes.add))
    const taken = new Set(random.shuffle(all.filter(isFree)).slice(0, random.between(1, takenMax)))
    if (taken.size === 0) return []
    for (const each of nodes) if (each !== leader && each !== other) each.crash()
    loser.stop()
    loser.disk.restore({ records: all.filter((record) => !taken.has(record)) })
    cluster.trace.note("fault", `took ${taken.size} records`, loser.index)
    network.withhold = () => true
    network.refuse = (from) => from === other.id
    const beganMs = time.now
    loser.begin()
    time.until(() => loser.isUp, startMsMax)
    const lacks = () => [...taken].filter((record) => !loser.disk.hasEver(record))
    /** Whether the leader has ended a round in which something was moved, or found nothing to move. */
    const hasLed = () => {
      let ended = false
      leader.fork(Effect.map(Sync, (sync) => {
        const last = sync.peers().find(({ peer }) => peer === other.id)?.last
        ended = last !== undefined && last.atMs - leader.clock.offsetMs > beganMs &&
          (last.result === "repaired" || last.result === "equal")
      }))
      time.settle()
      return ended
    }
    for (let waited = 0; waited < roundMsMax && !hasLed(); waited += lookMs) time.advance(lookMs)
    time.until(() => lacks().length === 0, commitMsMax)
    if (lacks().length === 0) return []
    return [
      `${leader.name} led a round with ${other.name}, and ${loser.name} still lacks ${lacks().length} of ${taken.size} records`
    ]
  })
