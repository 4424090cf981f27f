/**
 * Whether the nodes of a cluster agree at the end of a run (SPEC §1.3, §1.5): equal record sets, trees that stand for just
 * those, every record proved by its signatures. What users see is for `oracle/views`; what must hold all the time, promises
 * too, for `watch`.
 *
 * It looks at disks and asks services, and trusts nothing that a node says about itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Bytes from "../../domain/bytes.ts"
import { Hashing } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import { domains, type Record } from "../../domain/record.ts"
import { slotOf } from "../../domain/variants.ts"
import * as Wire from "../../domain/wire.ts"
import { Trees } from "../../services/Trees.ts"
import { Writer } from "../../services/Writer.ts"
import type { Cluster, SimulatedNode } from "../cluster.ts"
import { ages, cutoffAt } from "../model/ageing.ts"
import { ModelTrees } from "../model/tree.ts"
import { Examiner, nameOf } from "../watch/records.ts"

/** Differences of one kind that are told in full. */
const toldMax = 5

const some = (what: string, all: ReadonlyArray<string>): ReadonlyArray<string> =>
  all.length <= toldMax
    ? all.map((each) => `${what}: ${each}`)
    : [...all.slice(0, toldMax).map((each) => `${what}: ${each}`), `${what}: ${all.length - toldMax} more`]

const texts = new WeakMap<Record, string>()
/** Wire bytes in hex. Records are not changed, and looked at again and again. */
const textOf = (record: Record): string => {
  const known = texts.get(record)
  if (known !== undefined) return known
  const text = Bytes.toHex(Wire.encode(record))
  texts.set(record, text)
  return text
}

/** Slot to text. */
const setOf = (node: SimulatedNode): ReadonlyMap<string, string> =>
  new Map(node.disk.records().map((record) => [slotOf(record), textOf(record)]))

/** Where record sets differ, from the first node's. */
export const recordProblems = (nodes: ReadonlyArray<SimulatedNode>): ReadonlyArray<string> => {
  const [first, ...others] = nodes
  if (first === undefined) return []
  const expected = setOf(first)
  return others.flatMap((other) => {
    const found = setOf(other)
    const differences: Array<string> = []
    for (const slot of new Set([...expected.keys(), ...found.keys()])) {
      const [a, b] = [expected.get(slot), found.get(slot)]
      if (a === b) continue
      const where = a === undefined ? `only at ${other.name}` : b === undefined ? `only at ${first.name}` : "differs"
      differences.push(`${slot.slice(0, 17)} ${where}`)
    }
    return some(`records of ${first.name} and ${other.name}`, differences)
  })
}

/** Until nothing is queued anywhere: a disk may have what its node has not been told of. */
const restMsMax = 10_000
const restStepMs = 50

const rest = Effect.fnUntraced(function*(cluster: Cluster) {
  const isIdle = (node: SimulatedNode) => node.run(Effect.map(Writer, (writer) => writer.stats().queued === 0))
  for (let waited = 0; waited < restMsMax; waited += restStepMs) {
    if ((yield* Effect.forEach(cluster.up, isIdle)).every((idle) => idle)) return
    cluster.time.advance(restStepMs)
  }
})

/** Whether trees agree at one horizon, and stand for what is on the disks. Lets time pass until the nodes are at rest. */
export const treeProblems: (cluster: Cluster) => Effect.Effect<ReadonlyArray<string>> = Effect.fnUntraced(
  function*(cluster) {
    const model = new ModelTrees(Context.get(cluster.shared, Hashing))
    yield* rest(cluster)
    const problems: Array<string> = []
    const newest: Array<number> = []
    for (const node of cluster.up) {
      const horizon = yield* node.run(Effect.map(Trees, (trees) => trees.horizonMs()))
      if (horizon === undefined) problems.push(`trees of ${node.name}: not built`)
      else newest.push(horizon)
    }
    if (newest.length === 0) return problems
    const common = Math.min(...newest)
    for (const node of cluster.up) {
      const roots = yield* node.run(
        Effect.map(Trees, (trees) => {
          const snapshot = trees.at(common)
          return snapshot && new Map<string, string>(domains.map((each) => [each, Bytes.toHex(snapshot.root(each))]))
        })
      )
      const records = node.disk.records()
      for (const domain of domains) {
        if (roots === undefined) problems.push(`trees of ${node.name}: none at the common horizon`)
        else if (roots.get(domain) !== model.rootOf(records, domain, common)) {
          problems.push(`trees of ${node.name}: the root of ${domain} is not that of its records`)
        }
      }
    }
    return problems
  }
)

const hourMs = 3_600_000
/** How far back a node answers, and how long its collector may take after that, ms. */
const answeredMs = 18 * 5_000
const collectMsMax = 60_000

/** Until when collectors must have deleted what had aged at the start of the present hour. */
export const collectedByMs = (nowMs: number): number => Math.floor(nowMs / hourMs) * hourMs + answeredMs + collectMsMax

/** What has aged and is still on a disk (SPEC §9), of nodes that are up and whose clocks are about right. */
export const agedProblems = (cluster: Cluster): ReadonlyArray<string> => {
  const cutoffMs = cutoffAt(cluster.time.now - answeredMs - collectMsMax)
  return cluster.up.flatMap((node) => {
    const aged = node.disk.records().filter((record) => ages(record) && Hlc.physicalMs(record.hlc) <= cutoffMs)
    return aged.length === 0 ? [] : [`${node.name} still has ${aged.length} records that have aged`]
  })
}

/** Records that no node should have taken, by their form, the constants that they keep, and their signatures. */
export const signatureProblems = (cluster: Cluster, records: ReadonlyArray<Record>): ReadonlyArray<string> => {
  const examiner = new Examiner(cluster.shared)
  return some(
    "signatures",
    records.flatMap((record) => {
      const { acceptance, signature } = examiner.look(record)
      const problem = signature ?? acceptance
      return problem === undefined ? [] : [`${nameOf(record)} ${problem}`]
    })
  )
}

/** The newest stamp of all records, ms. */
export const newestMs = (records: ReadonlyArray<Record>): number =>
  records.reduce((newest, { hlc }) => Math.max(newest, Hlc.physicalMs(hlc)), 0)
