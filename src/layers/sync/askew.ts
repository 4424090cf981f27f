/**
 * Own Merkle leaves that do not agree with the own store. While records come in or are replaced, some do for a moment, each
 * time by something else; one that is wrong by the very same for longer than any horizon lasts is wrong.
 *
 * Rule: only what this node finds in its own store and trees counts. A peer that lies makes it look, and no more.
 */

/** Longer than a horizon is answered, and a stamp may be early, ms: by then every replacement is in all trees. */
const wrongMs = 180_000
/** What was seen once, and not again for this long, was of the moment, ms. */
const staleMs = 3_600_000
const seenMax = 256

export class Askew {
  readonly #firstMs = new Map<string, number>()

  /** Takes in the differences seen in a round; one that proves the trees wrong, if there is one. */
  look(differences: ReadonlyArray<string>, nowMs: number): string | undefined {
    for (const [difference, ms] of this.#firstMs) if (nowMs - ms > staleMs) this.#firstMs.delete(difference)
    for (const difference of differences) {
      const firstMs = this.#firstMs.get(difference)
      if (firstMs !== undefined && nowMs - firstMs > wrongMs) {
        this.#firstMs.clear()
        return difference
      }
      if (firstMs !== undefined) continue
      if (this.#firstMs.size >= seenMax) this.#firstMs.delete(this.#firstMs.keys().next().value!)
      this.#firstMs.set(difference, nowMs)
    }
    return undefined
  }
}
