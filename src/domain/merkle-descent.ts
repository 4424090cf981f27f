/**
 * How two nodes find the buckets in which they differ (SPEC §6): from the root down, one level at a time, only below
 * nodes whose hashes differ. Pure: one side asks, the other answers, and who carries the messages is no matter here.
 *
 * A node just above the leaves that is sparse here is not asked about: a list of its few digests is shorter than the 16
 * hashes that would tell which of its buckets differ, and saves a turn.
 *
 * Whatever a peer answers, a descent ends: each node is asked for at most once and a level is never gone back to. A false
 * answer costs at worst one look at every node, and finds buckets that turn out to be equal.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { branchCount, levelsCount } from "./limits.ts"
import { isNode, type MerkleTree, type PrefixBytes } from "./merkle.ts"

/** The peer's question or answer has not the form that was agreed. */
export class MalformedDescent extends Schema.TaggedError<MalformedDescent>()("MalformedDescent", {
  message: Schema.String
}) {}

const malformed = (message: string) => Result.fail(new MalformedDescent({ message }))

/** An inner node: level 0 to 3, from the root. */
export interface NodeRef {
  readonly level: number
  readonly index: number
}

const answerBytesMax = 64 * 1024

/** Up to this many own records under a node of the last inner level, its buckets are listed and not told apart. */
export const sparseMax = 16

/** Buckets `from` to `to`, exclusive: one, or the 16 under a sparse node. */
export interface BucketRange {
  readonly from: number
  readonly to: number
}

/**
 * How many nodes one question may name: 512 with 8 bytes. Their children may be leaves, which are hashed for it, and that
 * must not hold up an event loop for longer than some milliseconds.
 */
export const nodesMax = (bytes: PrefixBytes): number => answerBytesMax / (branchCount * bytes)

/** Where a descent stands. Opaque to the one who carries it. */
export interface Descent {
  readonly bytes: PrefixBytes
  readonly level: number
  /** Nodes of this level that were asked for, and await the answer. */
  readonly asked: ReadonlyArray<number>
  /** Nodes of this level that are yet to be asked for. */
  readonly pending: ReadonlyArray<number>
  /** Nodes of the next level that differ, as found so far. */
  readonly found: ReadonlyArray<number>
  /** Buckets under sparse nodes that differ, ascending. */
  readonly sparse: ReadonlyArray<BucketRange>
}

export type Step =
  /** Send `ask`; give the answer, one item for each node in that order, and `state` to {@link step}. */
  | { readonly _tag: "Ask"; readonly ask: ReadonlyArray<NodeRef>; readonly state: Descent }
  /**
   * Where buckets differ, ascending and apart: every bucket of width one differs, and of 16 at least one. None: at this
   * length of prefix nothing was found.
   */
  | { readonly _tag: "Done"; readonly ranges: ReadonlyArray<BucketRange> }

/** The first question, when roots are known to differ. */
export const start = (bytes: PrefixBytes): Step => {
  const state = { bytes, level: 0, asked: [0], pending: [], found: [], sparse: [] }
  return { _tag: "Ask", ask: [{ level: 0, index: 0 }], state }
}

/**
 * Compares an answer with the own tree: item i holds the first `bytes` of the 16 child hashes of the i-th node that was
 * asked for, joined. Gives the next question, or the result.
 */
export const step = (
  tree: MerkleTree,
  state: Descent,
  answers: ReadonlyArray<Uint8Array>
): Result.Result<Step, MalformedDescent> => {
  const { asked, bytes, level } = state
  if (answers.length !== asked.length) {
    return malformed(`${asked.length} nodes were asked for, ${answers.length} answered`)
  }
  const found = [...state.found]
  for (let i = 0; i < asked.length; i++) {
    const theirs = answers[i]!
    if (theirs.length !== branchCount * bytes) {
      return malformed(`${branchCount} hashes of ${bytes} bytes were asked for, ${theirs.length} bytes answered`)
    }
    const ours = tree.children(level, asked[i]!, bytes)
    for (let child = 0; child < branchCount; child++) {
      if (differ(ours, theirs, child * bytes, bytes)) found.push(asked[i]! * branchCount + child)
    }
  }
  return Result.succeed(next(tree, { ...state, asked: [], found }))
}

const differ = (ours: Uint8Array, theirs: Uint8Array, at: number, bytes: number): boolean => {
  for (let i = at; i < at + bytes; i++) if (ours[i] !== theirs[i]) return true
  return false
}

const next = (tree: MerkleTree, state: Descent): Step => {
  const { bytes, found, level, pending, sparse } = state
  if (pending.length > 0) {
    const asked = pending.slice(0, nodesMax(bytes))
    return {
      _tag: "Ask",
      ask: asked.map((index) => ({ level, index })),
      state: { ...state, asked, pending: pending.slice(asked.length) }
    }
  }
  if (found.length === 0) return { _tag: "Done", ranges: sparse }
  if (level + 1 === levelsCount) {
    const buckets = found.map((bucket) => ({ from: bucket, to: bucket + 1 }))
    return { _tag: "Done", ranges: [...sparse, ...buckets].sort((a, b) => a.from - b.from) }
  }
  const below = { bytes, level: level + 1, asked: [], found: [] }
  if (level + 2 < levelsCount) return next(tree, { ...below, pending: found, sparse })
  const few = (index: number): boolean => tree.countUnder(level + 1, index) <= sparseMax
  return next(tree, {
    ...below,
    pending: found.filter((index) => !few(index)),
    sparse: found.filter(few).map((index) => ({ from: index * branchCount, to: (index + 1) * branchCount }))
  })
}

/** Answers a peer's question from the own tree. */
export const answer = (
  tree: MerkleTree,
  ask: ReadonlyArray<NodeRef>,
  bytes: PrefixBytes
): Result.Result<ReadonlyArray<Uint8Array>, MalformedDescent> => {
  if (ask.length > nodesMax(bytes)) return malformed(`more than ${nodesMax(bytes)} nodes are asked for`)
  for (const { index, level } of ask) {
    if (level === levelsCount || !isNode(level, index)) {
      return malformed(`there is no inner node ${index} on level ${level}`)
    }
  }
  return Result.succeed(ask.map(({ index, level }) => tree.children(level, index, bytes)))
}
