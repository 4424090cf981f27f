/**
 * "Both sides are equal after one round" (SPEC §6), whichever side leads it. In a run all nodes lead rounds with each other, so
 * that a half that is missing is made up for by the other side; here only one of two may.
 */
import * as Effect from "effect/Effect"
import * as Hlc from "../../domain/hlc.ts"
import { opTypes, type Record } from "../../domain/record.ts"
import type { Cluster } from "../cluster.ts"
import type { Random } from "../random.ts"

/** Records that are taken from a node. */
const takenMax = 5
/** Virtual time for the node to start, and for one round. */
const roundMsMax = 60_000
const startMsMax = 30_000
/** Ages that are far from the limit of 30 days. */
const youngMs = 86_400_000

/**
 * Takes some records from a node, and lets only another one, which has them, lead rounds. For a cluster that has converged,
 * whose records are all older than the horizon; it is of no more use after.
 */
export const oneRoundProblems = (cluster: Cluster, random: Random): Effect.Effect<ReadonlyArray<string>> =>
  Effect.sync(() => {
    const { network, nodes, time } = cluster
    const [leader, other] = random.shuffle(cluster.up)
    if (leader === undefined || other === undefined) return []
    const all = other.disk.records()
    // what may age meanwhile is no good, nor what others need: no node would hold those without it
    const isFree = (record: Record) =>
      Hlc.physicalMs(record.hlc) > time.now - youngMs &&
      !(record.kind === "op" && (record.op === opTypes.create || record.op === opTypes.add))
    const taken = new Set(random.shuffle(all.filter(isFree)).slice(0, random.between(1, takenMax)))
    if (taken.size === 0) return []
    for (const each of nodes) if (each !== leader && each !== other) each.crash()
    other.stop()
    other.disk.restore({ records: all.filter((record) => !taken.has(record)) })
    cluster.trace.note("fault", `took ${taken.size} records`, other.index, leader.index)
    network.withhold = () => true
    network.refuse = (from) => from === other.id
    other.begin()
    time.until(() => other.isUp, startMsMax)
    const lacks = () => [...taken].filter((record) => !other.disk.hasEver(record))
    if (time.until(() => lacks().length === 0, roundMsMax)) return []
    return [
      `${leader.name} led rounds with ${other.name}, which still lacks ${lacks().length} of ${taken.size} records`
    ]
  })
