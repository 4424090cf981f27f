/**
 * Whether the nodes of a cluster agree, and whether each kept its promises (SPEC §1.3, §1.5): equal record sets, trees that
 * stand for just those, equal views for every user, every record proved by its signatures, nothing lost that was promised.
 *
 * It looks at disks and asks services, and trusts nothing that a node says about itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Acceptance from "../domain/acceptance.ts"
import * as Bytes from "../domain/bytes.ts"
import { type Hashes, Hashing } from "../domain/hashing.ts"
import * as Hlc from "../domain/hlc.ts"
import { spanAt } from "../domain/horizon.ts"
import { bucketOf, MerkleTree } from "../domain/merkle.ts"
import { domainOf, domains, type Record } from "../domain/record.ts"
import { slotOf, wins } from "../domain/variants.ts"
import * as Wire from "../domain/wire.ts"
import { Trees } from "../services/Trees.ts"
import { Verifier } from "../services/Verifier.ts"
import type { Cluster, SimulatedNode } from "./cluster.ts"
import { viewsOf } from "./oracle-views.ts"
import type { User } from "./users.ts"
import type { Acknowledged } from "./workload.ts"

/** Differences of one kind that are told in full. */
const toldMax = 5

const some = (what: string, all: ReadonlyArray<string>): ReadonlyArray<string> =>
  all.length <= toldMax
    ? all.map((each) => `${what}: ${each}`)
    : [...all.slice(0, toldMax).map((each) => `${what}: ${each}`), `${what}: ${all.length - toldMax} more`]

/** Slot to wire bytes in hex. */
const setOf = (node: SimulatedNode): ReadonlyMap<string, string> =>
  new Map(node.disk.records().map((record) => [slotOf(record), Bytes.toHex(Wire.encode(record))]))

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

/** The root that the records of a disk must have at a horizon. */
const rootOf = (hashes: Hashes, records: ReadonlyArray<Record>, horizonMs: number): ReadonlyMap<string, string> => {
  const { ceiling, floor } = spanAt(horizonMs)
  return new Map(domains.map((domain) => {
    const tree = new MerkleTree(hashes)
    for (const record of records) {
      if (domainOf(record) !== domain || record.hlc > ceiling) continue
      if ((record.kind === "message" || record.kind === "read") && record.hlc <= floor) continue
      tree.insert(bucketOf(record.id), Wire.leafDigest(hashes.blake3, record))
    }
    return [domain, Bytes.toHex(tree.root())]
  }))
}

/** Whether trees agree at one horizon, and stand for what is on the disks. Call when the nodes are quiet. */
export const treeProblems: (cluster: Cluster) => Effect.Effect<ReadonlyArray<string>> = Effect.fnUntraced(
  function*(cluster) {
    const hashes = Context.get(cluster.shared, Hashing)
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
      const expected = rootOf(hashes, node.disk.records(), common)
      for (const domain of domains) {
        if (roots === undefined) problems.push(`trees of ${node.name}: none at the common horizon`)
        else if (roots.get(domain) !== expected.get(domain)) {
          problems.push(`trees of ${node.name}: the root of ${domain} is not that of its records`)
        }
      }
    }
    return problems
  }
)

/** Records that no node should have taken, by their form and signatures. */
export const signatureProblems: (cluster: Cluster, records: ReadonlyArray<Record>) => Effect.Effect<
  ReadonlyArray<string>
> = Effect.fnUntraced(function*(cluster, records) {
  const hashes = Context.get(cluster.shared, Hashing)
  const verifier = Context.get(cluster.shared, Verifier)
  const problems: Array<string> = []
  for (const record of records) {
    const name = `${record.kind} ${record.id.slice(0, 16)}`
    const form = Acceptance.formProblem(hashes, record)
    if (form !== undefined) {
      problems.push(`${name}: ${form.field} ${form.message}`)
      continue
    }
    const { author, recovery, stamp } = Acceptance.signaturesOf(hashes, record)
    if ((yield* verifier.recover(recovery)) !== author) problems.push(`${name}: not signed by its author`)
    if (stamp !== undefined && !(yield* verifier.verifyNode(stamp))) problems.push(`${name}: not stamped by its node`)
  }
  return some("signatures", problems)
})

/** The records that must be there: what some disk has committed since it was new, and what nodes promised besides. */
export const promiseProblems = (
  cluster: Cluster,
  acknowledged: ReadonlyArray<Acknowledged>,
  crashedLives: ReadonlySet<string>
): ReadonlyArray<string> => {
  const lost: Array<string> = []
  const everywhere = new Map<string, Array<Record>>()
  for (const { disk } of cluster.nodes) {
    for (const record of disk.ever.values()) {
      const known = everywhere.get(record.id)
      if (known === undefined) everywhere.set(record.id, [record])
      else known.push(record)
    }
  }
  for (const each of acknowledged) {
    const node = cluster.node(each.node)
    if (node.disk.generation !== each.generation) continue
    const mustBe = each.committed || !crashedLives.has(`${each.node}/${each.life}`)
    if (mustBe && !everywhere.has(each.id)) {
      const how = each.committed ? "committed" : "accepted"
      lost.push(`${each.kind} ${each.id.slice(0, 16)}, ${how} at ${node.name}, was never on a disk`)
    }
  }
  const told = some("promises", lost)
  const gone = cluster.up.flatMap((node) => {
    const stored = new Map(node.disk.records().map((record) => [slotOf(record), record]))
    return [...everywhere.values()].flat().filter((record) => {
      const held = stored.get(slotOf(record))
      return held === undefined || (wins(record, held) && !sameBytes(record, held))
    }).map((record) => `${record.kind} ${record.id.slice(0, 16)} is not at ${node.name}`)
  })
  return [...told, ...some("lost", gone)]
}

const sameBytes = (a: Record, b: Record): boolean => Bytes.equal(Wire.encode(a), Wire.encode(b))

/** What users see, compared over nodes, from the first one's. */
export const viewProblems: (
  cluster: Cluster,
  users: ReadonlyArray<User>
) => Effect.Effect<ReadonlyArray<string>> = Effect.fnUntraced(function*(cluster, users) {
  const problems: Array<string> = []
  const [first, ...others] = cluster.up
  if (first === undefined) return problems
  const addresses = users.map(({ address }) => address)
  const chats = [...new Set(first.disk.records().flatMap((each) => each.kind === "op" ? [each.chatId] : []))]
  const expected = yield* first.run(viewsOf(addresses, chats))
  for (const other of others) {
    const found = yield* other.run(viewsOf(addresses, chats))
    const differing = [...expected].filter(([name, text]) => found.get(name) !== text)
      .map(([name, text]) => `${name}: ${text.slice(0, 300)} ≠ ${(found.get(name) ?? "").slice(0, 300)}`)
    problems.push(...some(`views of ${first.name} and ${other.name}`, differing))
  }
  return problems
})

/** The newest stamp of all records, ms. */
export const newestMs = (records: ReadonlyArray<Record>): number =>
  records.reduce((newest, { hlc }) => Math.max(newest, Hlc.physicalMs(hlc)), 0)

/** Everything at once, of a cluster that has had time to converge. Empty: all is well. */
export const judge: (
  cluster: Cluster,
  told: {
    readonly users: ReadonlyArray<User>
    readonly acknowledged: ReadonlyArray<Acknowledged>
    /** `node/life` of the runs that were killed. */
    readonly crashedLives: ReadonlySet<string>
  }
) => Effect.Effect<ReadonlyArray<string>> = Effect.fnUntraced(function*(cluster, told) {
  const records = recordProblems(cluster.up)
  const first = cluster.up[0]
  return [
    ...records,
    ...promiseProblems(cluster, told.acknowledged, told.crashedLives),
    ...(first === undefined ? [] : yield* signatureProblems(cluster, first.disk.records())),
    ...(yield* treeProblems(cluster)),
    ...(yield* viewProblems(cluster, told.users))
  ]
})
