/**
 * Who watches a run while it goes on. Oracles are told what happens on disks and what users are answered, at the very
 * moment, and report what must not be; they never act on the nodes.
 */
import type { Record } from "../domain/record.ts"
import type { Outcome } from "../services/Store.ts"
import type { SimulatedNode } from "./cluster.ts"
import type { Draft, User } from "./users.ts"

/** Something that an oracle saw and that must not be. */
export interface Finding {
  /** Which oracle, in one word: tests and tables go by it. */
  readonly oracle: string
  /** Virtual ms since the start. */
  readonly atMs: number
  readonly text: string
}

/** A user's write, when it is handed to a node. */
export interface Attempt {
  readonly user: User
  readonly draft: Draft
  /** Id of the record, 64 hex digits. */
  readonly id: string
  readonly node: SimulatedNode
  /** The run of the node, and the state of its disk, that took it. */
  readonly life: number
  readonly generation: number
  /** The user asked to be answered after the commit. */
  readonly wait: boolean
  readonly atMs: number
}

/** What she was told. */
export type Answer =
  | { readonly _tag: "Accepted"; readonly attempt: Attempt; readonly hlc: bigint; readonly committed: boolean }
  | { readonly _tag: "Refused"; readonly attempt: Attempt; readonly why: string }

export interface Observer {
  /** A commit has happened on the disk; the node does not know yet. Outcomes are in the order of the records. */
  readonly committed?: (
    node: SimulatedNode,
    records: ReadonlyArray<Record>,
    outcomes: ReadonlyArray<Outcome>
  ) => void
  /** Records were deleted from the disk for their age: those stamped at or below `aged`, the oldest first. */
  readonly collected?: (node: SimulatedNode, aged: bigint) => void
  /** The node has started: its services answer. */
  readonly up?: (node: SimulatedNode) => void
  /** It has ended; `clean` when it drained its writer. */
  readonly down?: (node: SimulatedNode, clean: boolean) => void
  /** The node's disk is another one now: empty, or an earlier copy. */
  readonly diskChanged?: (node: SimulatedNode) => void
  readonly attempted?: (attempt: Attempt) => void
  readonly answered?: (answer: Answer) => void
}
