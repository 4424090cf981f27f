/**
 * What a network of many nodes costs each of them, as formulas (docs/scale.md has them in words). Pure: the inputs are the
 * costs of one unit of work, and the settings of gossip and sync as they are in `src/layers`.
 */
import { gossipsubMesh } from "../../src/testing/index.ts"
import type { Costs } from "./costs.ts"

/** `collectMs` of `src/layers/node/gossip.ts` when the kept simulation was made (it is 8 now), and records in one message at most. */
const collectMs = 3
const batchMax = 64
/** `restMs` of `src/layers/sync/standing.ts`: a pair rests half as much more or less, and either side may begin. */
const restMs = 10_000
/** Heartbeats of a second that an id is told in, and bytes of one id. */
const toldBeats = 3
const idBytes = 34
/** A message in a batch beside the wire form of its record: head of its map, and a share of the batch's. */
export const payloadExtraBytes = 12
/**
 * On the way, a message: protobuf with the topic (26), yamux (12), noise (18), and TCP over IPv4 with time stamps (52), as
 * if each had a packet of its own. Larger ones share: they have more packets, and the same share of headers or less.
 */
const headerBytes = 108
const secondsKept = 30 * 86_400

/** Connections of each node, in the order of their starts: it dials `dialed` of those before it, as those after it do. */
const connectionsOf = (nodes: number): ReadonlyArray<number> => {
  const { dialed } = gossipsubMesh
  const all: Array<number> = []
  let later = 0
  for (let before = nodes - 1; before >= 0; before--) {
    all.push(Math.min(before, dialed) + later)
    if (before > 0) later += Math.min(1, dialed / before)
  }
  return all
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, each) => sum + each, 0) / values.length

export const connections = (nodes: number): number => mean(connectionsOf(nodes))

/**
 * Mean peers in a mesh. Nodes look in turn, and one with fewer than `degreeMin` adds peers up to `degree`: so l, those that
 * a node was added by so far, grows by E[(degree − l)⁺; l < degreeMin], l by Poisson.
 */
export const degree = (nodes: number): number => {
  const { degree, degreeMin } = gossipsubMesh
  const steps = 1_000
  let added = 0
  for (let step = 0; step < steps; step++) {
    let [growth, chance] = [0, Math.exp(-added)]
    for (let k = 0; k < degreeMin; k++) {
      growth += chance * (degree - k)
      chance *= added / (k + 1)
    }
    added += growth / steps
  }
  return Math.min(2 * added, nodes - 1)
}

/**
 * Copies of a message that a node gets. Along the mesh everybody sends to all but the one it came from: nodes × degree less
 * one for each node that heard it. Its author sends to all connections, and those outside the mesh got it from nobody in it.
 */
export const copies = (nodes: number): number => {
  const [mesh, outside] = [degree(nodes), connections(nodes) - degree(nodes)]
  return (nodes * mesh - (nodes - 1) + 2 * Math.max(0, outside)) / nodes
}

/** Bytes of notices that a node sends, and gets, for a message: those with many connections tell more. */
export const noticeBytes = (nodes: number): number =>
  mean(
    connectionsOf(nodes).map((connected) => {
      const outside = Math.max(0, connected - degree(nodes))
      const told = Math.min(outside, Math.max(gossipsubMesh.lazy, Math.floor(outside * gossipsubMesh.lazyShare)))
      return toldBeats * told * idBytes
    })
  )

/** Records in a message of a node that takes so many writes a second: those that come while it collects go together. */
export const batch = (perSecond: number): number => {
  const mean = perSecond * collectMs / 1_000
  return Math.min(batchMax, Math.exp(-mean) + mean)
}

/**
 * ms until half of the nodes, and until all, have a message, when a hop takes from `fromMs` to `toMs`, all alike. A node has
 * it by t unless neither its author's own sending (with chance connections/nodes) nor any of its mesh did it: the reach of
 * a neighbour is that of a node with one neighbour less.
 */
export const spread = (nodes: number, [fromMs, toMs]: readonly [number, number]): { halfMs: number; allMs: number } => {
  const stepMs = (toMs - fromMs) / 100
  const [mesh, direct] = [degree(nodes), Math.min(1, connections(nodes) / nodes)]
  /** Share reached by a neighbour in each step, and the sum of it. */
  const came: Array<number> = []
  let before = 0
  let halfMs = Number.NaN
  for (let step = 0; step < 10_000; step++) {
    const ms = step * stepMs
    const hop = Math.min(1, Math.max(0, (ms - fromMs) / (toMs - fromMs)))
    let along = 0
    for (let back = 0; back < step; back++) {
      along += came[back]! * Math.min(1, Math.max(0, ((step - back) * stepMs - fromMs) / (toMs - fromMs)))
    }
    const missed = 1 - direct * hop
    // once the author itself is a neighbour
    const heard = 1 - missed * (1 - along) ** (mesh - 1)
    came.push(Math.max(0, heard - before))
    before = heard
    const reached = 1 - missed * (1 - along) ** mesh
    // its author has it from the start
    const others = nodes - 1
    if (Number.isNaN(halfMs) && 1 + others * reached >= nodes / 2) halfMs = ms
    if ((1 - reached) * others <= Math.LN2) return { halfMs, allMs: ms }
  }
  throw new Error("a message does not get around")
}

/** Rounds of sync a second that a node takes part in: of two that draw from 0.5 to 1.5 × rest, the shorter. */
export const rounds = (nodes: number): number => connections(nodes) / (restMs * (0.5 + 1 / 3) / 1_000)

/** Between two measured points, on a straight line in logarithms. */
export const differenceBytes = ({ differences }: Costs, records: number): number => {
  const after = Math.max(1, differences.findIndex((each) => each.records >= records))
  const [a, b] = [differences[after - 1]!, differences[after]!]
  const slope = Math.log(b.bytes / a.bytes) / Math.log(b.records / a.records)
  return a.bytes * (records / a.records) ** slope
}

/**
 * A cost measured at messages of one record and of many, at `records` a message: so much a message, so much a record. It is the
 * difference of two measured ones: where noise made it negative, it is taken for nothing.
 */
const perMessage = (costs: Costs, records: number, of: "againMicros" | "sentMicros"): number => {
  const [one, many] = [costs.gossip[0]!, costs.gossip.at(-1)!]
  const [least, most] = [Math.max(0, one[of]), Math.max(0, many[of])]
  return least + (most - least) * (records - one.batch) / (many.batch - one.batch)
}

/** µs of a record that came by gossip, in all threads or in one kind; the share of its message shrinks with the batch. */
const intake = (costs: Costs, records: number, role?: string): number => {
  const [one, many] = [costs.gossip[0]!, costs.gossip.at(-1)!]
  const of = (each: typeof one) => role === undefined ? each.intakeMicrosTotal : each.intakeMicros[role] ?? 0
  const share = (1 / records - 1 / many.batch) / (1 - 1 / many.batch)
  return of(many) + (of(one) - of(many)) * share
}

export interface Load {
  readonly nodes: number
  /** Writes a second of the whole network, spread evenly over its nodes. */
  readonly perSecond: number
}

/** What one node does in a second, and holds. */
export interface NodeLoad {
  readonly batch: number
  /** Cores. */
  readonly cpu: number
  readonly loop: number
  readonly verifier: number
  /** Bytes a second that a node sends for gossip, and as much it receives. */
  readonly gossipBytes: number
  /** Records and bytes on disk after the retention time. */
  readonly records: number
  readonly diskBytes: number
}

export const nodeLoad = (costs: Costs, { nodes, perSecond }: Load, recordBytes: number): NodeLoad => {
  const own = perSecond / nodes
  const records = batch(own)
  const messages = perSecond / records
  const heard = perSecond - own
  const copied = copies(nodes)
  const passing = messages *
    (Math.max(0, copied - 1) * perMessage(costs, records, "againMicros") +
      copied * perMessage(costs, records, "sentMicros"))
  const acceptLoop = costs.accept - costs.signature - writerOf(costs)
  return {
    batch: records,
    cpu: (own * costs.accept + heard * intake(costs, records) + passing) / 1e6,
    loop: (own * acceptLoop + heard * intake(costs, records, "event loop") + passing) / 1e6,
    verifier: perSecond * costs.signature / 1e6,
    gossipBytes: messages * (copied * (records * (recordBytes + payloadExtraBytes) + headerBytes) + noticeBytes(nodes)),
    records: perSecond * secondsKept,
    diskBytes: perSecond * secondsKept * costs.diskBytes
  }
}

const writerOf = (costs: Costs): number => costs.gossip[0]!.intakeMicros["database, writing"] ?? 0

/** Writes a second at which something of a node is used up: all its cores, or its event loop, which has one. */
export const ceiling = (
  costs: Costs,
  nodes: number,
  cores: number
): { perSecond: number; first: "cores" | "event loop" } => {
  const fits = (perSecond: number): boolean => {
    const { cpu, loop } = nodeLoad(costs, { nodes, perSecond }, 0)
    return cpu <= cores && loop <= 1
  }
  let [low, high] = [0, 1e6]
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if (fits(middle)) low = middle
    else high = middle
  }
  return { perSecond: low, first: nodeLoad(costs, { nodes, perSecond: low }, 0).loop > 0.999 ? "event loop" : "cores" }
}
