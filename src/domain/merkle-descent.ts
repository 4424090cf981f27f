/**
 * How two nodes find the buckets in which they differ (SPEC §6): from the root down, one level at a time, only below
 * nodes whose hashes differ. Pure: one side asks, the other answers, and who carries the messages is no matter here.
 *
 * Whatever a peer answers, a descent ends: each node is asked for at most once and a level is never gone back to. A false
 * answer costs at worst one look at every node, and finds buckets that turn out to be equal.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Bytes from "./bytes.ts"
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

const answerBytesMax = 512 * 1024

/** How many nodes one question may name: with 8 bytes a whole level. Keeps an answer far below the 1 MiB of a page. */
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
}

export type Step =
  /** Send `ask`; give the answer, one item for each node in that order, and `state` to {@link step}. */
  | { readonly _tag: "Ask"; readonly ask: ReadonlyArray<NodeRef>; readonly state: Descent }
  /** Buckets that differ, ascending. None: at this length of prefix nothing was found. */
  | { readonly _tag: "Done"; readonly buckets: ReadonlyArray<number> }

/** The first question, when roots are known to differ. */
export const start = (bytes: PrefixBytes): Step => next({ bytes, level: 0, asked: [], pending: [0], found: [] })

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
      const at = child * bytes
      if (!Bytes.equal(ours.subarray(at, at + bytes), theirs.subarray(at, at + bytes))) {
        found.push(asked[i]! * branchCount + child)
      }
    }
  }
  return Result.succeed(next({ ...state, asked: [], found }))
}

const next = (state: Descent): Step => {
  const { bytes, found, level, pending } = state
  if (pending.length > 0) {
    const asked = pending.slice(0, nodesMax(bytes))
    return {
      _tag: "Ask",
      ask: asked.map((index) => ({ level, index })),
      state: { ...state, asked, pending: pending.slice(asked.length) }
    }
  }
  return found.length === 0 || level + 1 === levelsCount
    ? { _tag: "Done", buckets: found }
    : next({ bytes, level: level + 1, asked: [], pending: found, found: [] })
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
