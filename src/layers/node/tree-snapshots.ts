/**
 * The trees as they were when somebody asked. Nothing is copied before it must be: most rounds between equal replicas
 * want roots only. A copy is made when a tree is asked for, or just before the trees change under a snapshot that is
 * still in somebody's hands.
 */
import * as Effect from "effect/Effect"
import * as Horizon from "../../domain/horizon.ts"
import type { MerkleTree } from "../../domain/merkle.ts"
import { type Domain, domains } from "../../domain/record.ts"
import type { Snapshot } from "../../services/Trees.ts"
import type { TreeHistory } from "./tree-history.ts"

/** Nodes of trees hashed between two turns of the event loop: one or two milliseconds (FAILURES 13). */
const hashedAtOnce = 128

/** Hashes the trees of a snapshot before their roots are asked for, some nodes at a time. */
export const hashed = (snapshot: Snapshot): Effect.Effect<void> =>
  Effect.whileLoop({
    while: () => !snapshot.refresh(hashedAtOnce),
    body: () => Effect.yieldNow,
    step: () => undefined
  })

interface Part {
  root: Uint8Array | undefined
  tree: MerkleTree | undefined
}

class Held implements Snapshot {
  readonly horizonMs: number
  readonly span: Horizon.Span
  /** Whether the trees have changed since: not to be given to anybody else. */
  old = false
  #lost = false
  readonly #history: TreeHistory
  readonly #parts = new Map<Domain, Part>(domains.map((domain) => [domain, { root: undefined, tree: undefined }]))

  constructor(history: TreeHistory, horizonMs: number) {
    this.#history = history
    this.horizonMs = horizonMs
    this.span = Horizon.spanAt(horizonMs)
  }

  /** The tree that says what this one would, without a copy where it can: not to be given to anybody. */
  #view(domain: Domain): MerkleTree {
    return this.#parts.get(domain)!.tree === undefined && !this.#lost && this.#history.isBase(domain, this.horizonMs)
      ? this.#history.line(domain).base.tree
      : this.tree(domain)
  }

  refresh(limit: number): boolean {
    return domains.every((domain) => {
      const { root, tree } = this.#parts.get(domain)!
      if (root !== undefined) return true
      // what a copy is made of first: it is hashed before it is copied, at once
      const isOwn = tree !== undefined || this.#lost
      return (isOwn || this.#history.line(domain).base.tree.refresh(limit)) && this.#view(domain).refresh(limit)
    })
  }

  root(domain: Domain): Uint8Array {
    const part = this.#parts.get(domain)!
    part.root ??= this.#view(domain).root()
    return part.root.slice()
  }

  count(domain: Domain): number {
    return this.#view(domain).count
  }

  tree(domain: Domain): MerkleTree {
    const part = this.#parts.get(domain)!
    if (this.#lost && part.tree === undefined) throw new Error("the trees of this snapshot contradicted themselves")
    return part.tree ??= this.#history.treeAt(domain, this.horizonMs)
  }

  /** Whether it needs the history no more. */
  get complete(): boolean {
    return domains.every((domain) => this.#parts.get(domain)!.tree !== undefined)
  }

  /** Takes what it can before the history is dropped. */
  detach(): void {
    this.old = true
    try {
      for (const domain of domains) this.tree(domain)
    } catch {
      // a defect of the trees, which are dropped for it: who still asks is told
      this.#lost = true
    }
  }
}

export class Snapshots {
  readonly #history: TreeHistory
  /** Weak: who has let go of one needs no copy. */
  #held: Array<WeakRef<Held>> = []

  constructor(history: TreeHistory) {
    this.#history = history
  }

  /** Those that still lean on the history. */
  #live(): ReadonlyArray<Held> {
    const live: Array<Held> = []
    this.#held = this.#held.filter((ref) => {
      const snapshot = ref.deref()
      if (snapshot === undefined || (snapshot.old && snapshot.complete)) return false
      live.push(snapshot)
      return true
    })
    return live
  }

  /** Of an answered horizon. Shared while nothing changes. */
  at(horizonMs: number): Snapshot {
    const same = this.#live().find((snapshot) => snapshot.horizonMs === horizonMs && !snapshot.old)
    if (same !== undefined) return same
    const snapshot = new Held(this.#history, horizonMs)
    this.#held.push(new WeakRef(snapshot))
    return snapshot
  }

  changing(domain: Domain, fromMs: number): void {
    if (this.#held.length === 0) return
    for (const snapshot of this.#live()) {
      if (snapshot.horizonMs < fromMs) continue
      snapshot.tree(domain)
      snapshot.old = true
    }
  }

  /** Horizons below this one cannot be had any more: their snapshots must stand alone. */
  leaving(oldestMs: number): void {
    for (const snapshot of this.#live()) if (snapshot.horizonMs < oldestMs) snapshot.detach()
    this.#live()
  }
}
