/**
 * What happened in a run, in order: its hash tells whether two runs were the same, its lines what led to a failure, and what
 * a page draws.
 */
import * as Bytes from "../domain/bytes.ts"
import type { Hashes } from "../domain/hashing.ts"
import type { NodeId } from "../domain/ids.ts"
import type { VirtualTime } from "./virtual-time.ts"

/** Lines kept of the end of the history, unless all are wanted. */
const keptMax = 400
/** Lines that the hash takes in at once. */
const hashedAtOnce = 100

/**
 * `life`: nodes start and end. `fault`: something was broken, or mended. `write` and `answer`: what users do and get.
 * `commit`, `gossip`, `link`: disks and network. `log`: what a node says. `finding`: an oracle saw something wrong. `note`:
 * of the run itself.
 */
export type EntryKind =
  | "life"
  | "fault"
  | "write"
  | "answer"
  | "commit"
  | "gossip"
  | "link"
  | "log"
  | "finding"
  | "note"

/** One event of a history. */
export interface Entry {
  /** Virtual ms since the start. */
  readonly atMs: number
  readonly kind: EntryKind
  readonly text: string
  /** The place of the node that it happened at, and of another that had part in it. */
  readonly node?: number | undefined
  readonly peer?: number | undefined
}

export class Trace {
  readonly #time: VirtualTime
  readonly #hashes: Hashes
  readonly #startMs: number
  readonly #places = new Map<NodeId, number>()
  #kept: Array<Entry> = []
  #hash: Uint8Array = new Uint8Array(32)
  #unhashed: Array<string> = []
  #count = 0
  /** Keeps every line, not only the last. */
  keepsAll = false

  constructor(time: VirtualTime, hashes: Hashes) {
    this.#time = time
    this.#hashes = hashes
    this.#startMs = time.now
  }

  /** Virtual ms since the start. */
  get nowMs(): number {
    return this.#time.now - this.#startMs
  }

  /** From now on a node is called by its place. */
  name(id: NodeId, place: number): void {
    this.#places.set(id, place)
  }

  note(kind: EntryKind, text: string, at?: number | NodeId, with_?: number | NodeId): void {
    const entry: Entry = { atMs: this.nowMs, kind, text, node: this.#placeOf(at), peer: this.#placeOf(with_) }
    this.#unhashed.push(lineOf(entry))
    this.#count++
    if (this.#unhashed.length >= hashedAtOnce) this.#takeIn()
    this.#kept.push(entry)
    if (!this.keepsAll && this.#kept.length > keptMax * 2) this.#kept = this.#kept.slice(-keptMax)
  }

  #placeOf(at: number | NodeId | undefined): number | undefined {
    return typeof at === "string" ? this.#places.get(at) : at
  }

  /** The hash goes on over the lines that came since. */
  #takeIn(): void {
    if (this.#unhashed.length === 0) return
    this.#hash = this.#hashes.blake3(Bytes.concat([this.#hash, Bytes.fromText(this.#unhashed.join("\n"))]))
    this.#unhashed = []
  }

  /** Of all lines, 64 hex digits. Two runs are the same when they ask at the same places and get the same. */
  get hash(): string {
    this.#takeIn()
    return Bytes.toHex(this.#hash)
  }

  get count(): number {
    return this.#count
  }

  /** What was kept, the oldest first. */
  get entries(): ReadonlyArray<Entry> {
    return this.#kept
  }

  /** The last lines, for people. */
  tail(lines = keptMax): ReadonlyArray<string> {
    return this.#kept.slice(-lines).map(lineOf)
  }
}

/** An entry as one line: ms since the start, where, what. */
export const lineOf = ({ atMs, kind, node, peer, text }: Entry): string => {
  const where = node === undefined ? "" : peer === undefined ? ` n${node}` : ` n${node}~n${peer}`
  return `${atMs.toFixed(3)} ${kind}${where} ${text}`
}
