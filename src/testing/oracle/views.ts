/**
 * Whether nodes show to users what they must (SPEC §5.1 to §5.4, §8), page by page, through their services and their HTTP
 * API. What must be shown is worked out from the records on the node's own disk by `model/views.ts`; that the disks are
 * equal is for others to say.
 *
 * Rule: a look counts only when the node was at peace, or the two would speak of different times: nothing was queued when
 * it began and when it ended, nothing was committed, deleted or set back in between, no answer said that the node is busy,
 * and the hour of retention did not turn. Else it is thrown away, and told as such.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Hashing } from "../../domain/hashing.ts"
import type { Record } from "../../domain/record.ts"
import { Writer } from "../../services/Writer.ts"
import type { Cluster, NodeServices, SimulatedNode } from "../cluster.ts"
import { cutoffAt } from "../model/ageing.ts"
import { ModelFolds } from "../model/fold.ts"
import { ModelViews } from "../model/views.ts"
import type { Finding } from "../observer.ts"
import type { Random } from "../random.ts"
import type { User } from "../users.ts"
import { finding, Look, lookAtAll, lookAtSome, nameOf, placesOf } from "./looks.ts"
import { httpAt, viewsAt, type WindowAt } from "./windows.ts"

/** Differences between two nodes that are told in full. */
const toldMax = 5
/**
 * How often a look is tried again at once, and at the end of a run, with growing pauses between, virtual ms: a node whose
 * clock was set back by a minute refuses signatures for as long (SPEC §3).
 */
const triesMax = 3
const lastTriesMax = 20
const pauseMs = 500
const pauseMsMax = 10_000
/** Virtual time that a look may take. */
const lookMsMax = 30_000
/** Models that are kept for nodes that come to the same records. */
const modelsMax = 8
/** Samples that go through HTTP, which costs some times more. */
const httpShare = 0.3
/** At the end of a run one user a node looks through HTTP, and at one place in so many. */
const httpPlaces = 8

/** What views follow from: ids cover what authors said, and the rest of a record plays no part in them. */
const textOf = (records: ReadonlyArray<Record>): string =>
  records.map((each) =>
    `${each.id}${each.hlc.toString(36)}${each.kind === "op" && each.observed !== undefined ? each.observed.join() : ""}`
  ).join()

interface Known {
  readonly text: string
  readonly model: ModelViews
}

/** What was worked out of the disks of a cluster, and whether they have changed since. */
class Knowledge {
  readonly #folds = new ModelFolds()
  readonly #changes = new Map<SimulatedNode, number>()
  readonly #ofNodes = new Map<SimulatedNode, Known & { readonly changes: number }>()
  /** The last ones, oldest first: nodes with the same records have one model. */
  readonly #last: Array<Known> = []

  constructor(cluster: Cluster) {
    const count = (node: SimulatedNode): void => {
      this.#changes.set(node, this.changes(node) + 1)
    }
    cluster.observers.push({ committed: count, collected: count, diskChanged: count })
  }

  /** Counts what happened to the disk of a node. */
  changes(node: SimulatedNode): number {
    return this.#changes.get(node) ?? 0
  }

  /** Of the records on the disk of a node, at a time that its clock may show. */
  of(node: SimulatedNode, wallMs = node.clock.wallMs): Known {
    const changes = this.changes(node)
    const known = this.#ofNodes.get(node)
    if (known?.changes === changes && known.model.cutoffMs === cutoffAt(wallMs)) return known
    const records = node.disk.records()
    const text = textOf(records)
    let same = this.#last.find((each) => each.model.cutoffMs === cutoffAt(wallMs) && each.text === text)
    if (same === undefined) {
      same = { text, model: new ModelViews(records, wallMs, this.#folds) }
      this.#last.push(same)
      if (this.#last.length > modelsMax) this.#last.shift()
    }
    this.#ofNodes.set(node, { ...same, changes })
    return same
  }
}

const knowledge = new WeakMap<Cluster, Knowledge>()
const knowledgeOf = (cluster: Cluster): Knowledge => {
  let known = knowledge.get(cluster)
  if (known === undefined) {
    known = new Knowledge(cluster)
    knowledge.set(cluster, known)
  }
  return known
}

/** Looks at a node, and gives what was found when it was at peace all the while; else `undefined`. */
const inPeace = Effect.fnUntraced(function*(
  node: SimulatedNode,
  window: WindowAt,
  act: (look: Look) => Effect.Effect<void, never, NodeServices>
) {
  const known = knowledgeOf(node.cluster)
  const life = node.lives
  const queued = Effect.map(Writer, (writer) => writer.stats().queued)
  const exit = yield* Effect.exit(node.run(
    Effect.gen(function*() {
      if ((yield* queued) > 0) return undefined
      const changes = known.changes(node)
      const { model } = known.of(node)
      const look = new Look(node, model, window(node))
      yield* act(look)
      const isOfOneTime = known.changes(node) === changes && cutoffAt(node.clock.wallMs) === model.cutoffMs
      return isOfOneTime && !look.isBusy && (yield* queued) === 0 ? look.findings : undefined
    }),
    lookMsMax
  ))
  if (!node.isUp || node.lives !== life) return undefined
  return exit._tag === "Success"
    ? exit.value
    : [finding(node, "read", `a look at views broke off: ${String(exit.cause)}`)]
})

export interface Sample {
  /** False: the node was down or not at peace, and nothing was learnt. */
  readonly looked: boolean
  readonly findings: ReadonlyArray<Finding>
}

/**
 * Looks at a little of what one of the users can see at a node, in the midst of a run; what it looks at is left to chance.
 * Virtual time passes only when the node's reads take some. A node that is not at peace is left alone.
 */
export const sampleViews: (
  node: SimulatedNode,
  users: ReadonlyArray<User>,
  random: Random,
  window?: WindowAt
) => Effect.Effect<Sample> = Effect.fnUntraced(function*(node, users, random, window) {
  const chosen = window ?? (random.chance(httpShare) ? httpAt : viewsAt)
  const hashes = Context.get(node.cluster.shared, Hashing)
  for (let tries = 0; tries < triesMax && node.isUp; tries++) {
    const findings = yield* inPeace(node, chosen, (look) => lookAtSome(look, users, random, hashes))
    if (findings !== undefined) return { looked: true, findings }
  }
  return { looked: false, findings: [] }
})

/** How the views of two record sets differ, by the models alone: each node was held against its own. */
const modelProblems = (a: ModelViews, b: ModelViews, users: ReadonlyArray<User>): ReadonlyArray<string> => {
  const differing: Array<string> = []
  const told = (value: unknown): string =>
    JSON.stringify(value, (_, each: unknown) => typeof each === "bigint" ? each.toString(16) : each)
  const compare = (name: string, of: (model: ModelViews) => unknown) => {
    const [one, other] = [told(of(a)), told(of(b))]
    if (one !== other) differing.push(`${name}: ${one.slice(0, 300)} ≠ ${other.slice(0, 300)}`)
  }
  for (const user of users) {
    compare(`identity ${user.name}`, (model) => model.identity(user.address))
    compare(`inbox ${user.name}`, (model) => model.inbox(user.address))
    const places = new Map([...placesOf(a, user), ...placesOf(b, user)].map((place) => [place.chatId, place]))
    for (const place of places.values()) {
      compare(`history of ${nameOf(user, place)}`, (model) => model.history(user.address, place))
      if (place.kind === "group") {
        compare(`members of ${nameOf(user, place)}`, (model) => model.members(user.address, place.chatId))
      }
    }
  }
  return differing
}

/**
 * All that all users can see at all nodes that are up, and whether it is the same at all of them. For a cluster that has
 * had time to converge: it waits for nodes to be at peace, and tells of those that never are.
 */
export const viewProblems: (
  cluster: Cluster,
  users: ReadonlyArray<User>,
  window?: WindowAt
) => Effect.Effect<ReadonlyArray<Finding>> = Effect.fnUntraced(function*(cluster, users, window) {
  const found: Array<Finding> = []
  const seen = (node: SimulatedNode, by: ReadonlyArray<User>, pages: number, every: number) => (look: Look) =>
    Effect.forEach(by, (user, i) => {
      const turn = i + node.index
      return lookAtAll(look, user, users[turn % users.length]!, { pages, every, turn })
    }, { discard: true })
  for (const node of cluster.up) {
    const one = users.slice(node.index % Math.max(1, users.length)).slice(0, 1)
    const looks = window === undefined
      ? [[viewsAt, seen(node, users, 3, 1)], [httpAt, seen(node, one, 2, httpPlaces)]] as const
      : [[window, seen(node, users, 3, 1)]] as const
    for (const [at, act] of looks) {
      let findings: ReadonlyArray<Finding> | undefined
      for (let tries = 0; tries < lastTriesMax && findings === undefined && node.isUp; tries++) {
        if (tries > 0) cluster.time.advance(Math.min(pauseMs * 1.5 ** tries, pauseMsMax))
        findings = yield* inPeace(node, at, act)
      }
      found.push(...findings ?? [finding(node, "busy", "could not be looked at in peace")])
    }
  }
  const [first, ...others] = cluster.up
  if (first === undefined) return found
  const known = knowledgeOf(cluster)
  // at one time, or what ages in between would differ
  const wallMs = first.clock.wallMs
  const mine = known.of(first, wallMs)
  for (const other of others) {
    const theirs = known.of(other, wallMs)
    if (theirs.text === mine.text) continue
    for (const text of modelProblems(mine.model, theirs.model, users).slice(0, toldMax)) {
      found.push({ ...finding(first, "views", text), text: `views of ${first.name} and ${other.name}: ${text}` })
    }
  }
  return found
})
