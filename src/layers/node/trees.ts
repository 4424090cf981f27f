/**
 * Merkle trees in memory, built in the background when the node starts: clients need not wait for them.
 *
 * The build walks the buckets in steps, in line with commits. What a commit changes below the step that has been read is
 * applied at once; what it changes above will be read by a later step.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { Hashing } from "../../domain/hashing.ts"
import { leavesCount } from "../../domain/limits.ts"
import { MerkleTree } from "../../domain/merkle.ts"
import { type Domain, domains } from "../../domain/record.ts"
import { Store } from "../../services/Store.ts"
import { Trees } from "../../services/Trees.ts"

/** Buckets read at a time: short enough that commits do not wait long. */
const stepBuckets = 1_024
const retryMs = 1_000
/** Stale nodes hashed between two turns of the event loop: about a millisecond. */
const hashesAtOnce = 512

export const layer = Layer.effect(
  Trees,
  Effect.gen(function*() {
    const store = yield* Store
    const hashes = yield* Hashing
    const states = new Map<Domain, { readonly tree: MerkleTree; read: number }>(
      domains.map((domain) => [domain, { tree: new MerkleTree(hashes), read: 0 }])
    )
    const state = (domain: Domain) => states.get(domain)!

    const wanted = yield* Latch.make(true)
    let why = ""

    /** Starts again: the trees are derived, so what they hold may always be dropped. */
    const reset = (reason: string): void => {
      why = reason
      for (const each of states.values()) {
        each.tree.clear()
        each.read = 0
      }
      wanted.openUnsafe()
    }

    const build = Effect.gen(function*() {
      wanted.closeUnsafe()
      for (const domain of domains) {
        const { tree } = state(domain)
        for (let from = 0; from < leavesCount && !wanted.isOpen(); from += stepBuckets) {
          const leaves = yield* store.leaves(domain, from, from + stepBuckets)
          if (wanted.isOpen()) return
          for (const leaf of leaves) tree.addLeaf(leaf.bucket, leaf.sum, leaf.count)
          state(domain).read = from + stepBuckets
        }
        // hashes in slices: a whole tree at once would hold up the event loop
        while (!tree.refresh(hashesAtOnce)) yield* Effect.yieldNow
      }
    })

    yield* Effect.forever(
      wanted.await.pipe(
        Effect.andThen(
          Effect.suspend(() => why === "" ? Effect.void : Effect.logError(`building the trees anew: ${why}`))
        ),
        Effect.andThen(build),
        // a defect too: without trees this node could never say what it holds
        Effect.catchCauseIf(
          (cause) => !Cause.hasInterrupts(cause),
          (cause) => Effect.andThen(Effect.sync(() => reset(Cause.pretty(cause))), Effect.sleep(retryMs))
        )
      )
    ).pipe(Effect.forkScoped)

    return Trees.of({
      apply: (changes) => {
        try {
          for (const { bucket, change, digest, domain } of changes) {
            const { read, tree } = state(domain)
            if (bucket >= read) continue
            if (change === "insert") tree.insert(bucket, digest)
            else tree.remove(bucket, digest)
          }
        } catch (error) {
          // a tree that does not hold what the store had: never the writer's trouble
          reset(error instanceof Error ? error.message : String(error))
        }
      },
      root: (domain) => state(domain).read === leavesCount ? state(domain).tree.root() : undefined,
      count: (domain) => state(domain).tree.count,
      built: () => {
        let read = 0
        for (const each of states.values()) read += each.read
        return read / (leavesCount * domains.length)
      }
    })
  })
)
