/** What buckets hold at this node, for comparison with what a peer says of its own. */
import * as Effect from "effect/Effect"
import * as Bytes from "../../domain/bytes.ts"
import type { Span } from "../../domain/horizon.ts"
import type { Domain } from "../../domain/record.ts"
import type { Snapshot } from "../../services/Trees.ts"
import { LeafSums } from "../store/leaf-sums.ts"
import * as Line from "./line.ts"
import type { Ground } from "./rounds.ts"
import { digestsMax, storeFailed } from "./rounds.ts"

/** Digests held at once for one audit: 32 MB. A set with fuller buckets was made to be so, by grinding ids. */
const auditedMax = 1_000_000

/** A page of digests, the last list of which is not empty when there is more. */
export const digestPage = Effect.fnUntraced(function*(
  ground: Pick<Ground, "store">,
  query: {
    readonly domain: Domain
    readonly span: Span
    readonly buckets: ReadonlyArray<number>
    readonly after?: Uint8Array | undefined
  }
) {
  const page = yield* Effect.mapError(ground.store.digests({ ...query, limit: digestsMax }), storeFailed)
  if (page.complete) return { lists: page.lists, last: undefined }
  const last = page.lists.at(-1)?.at(-1)
  // without it nobody could go on from there
  if (last === undefined) {
    return yield* new Line.RoundError({ reason: "store", message: "the store cut a list before its first digest" })
  }
  return { lists: page.lists, last }
})

/** All digests of each bucket, ascending, up to a bound that both sides of a round have; `buckets` ascending. */
export const bucketDigests = Effect.fnUntraced(function*(
  ground: Pick<Ground, "store">,
  domain: Domain,
  span: Span,
  buckets: ReadonlyArray<number>
) {
  const lists: Array<Array<Uint8Array>> = buckets.map(() => [])
  let at = 0
  let after: Uint8Array | undefined
  for (let held = 0; at < buckets.length && held < auditedMax;) {
    const page = yield* digestPage(ground, { domain, span, buckets: buckets.slice(at), after })
    for (const [i, digests] of page.lists.entries()) {
      for (const digest of digests) lists[at + i]!.push(digest)
      held += digests.length
    }
    if (page.last === undefined) break
    // the last list may be cut: go on in its bucket
    at += page.lists.length - 1
    after = page.last
  }
  return lists
})

/**
 * How the leaf of the own tree differs from the sum of the digests that the store lists: as text, or `undefined` when it
 * does not. What has just come in or been replaced differs for a while, each time by something else.
 */
export const leafDifference = (
  snapshot: Snapshot,
  domain: Domain,
  bucket: number,
  digests: ReadonlyArray<Uint8Array>
): string | undefined => {
  const sums = new LeafSums(bucket, bucket + 1)
  for (const digest of digests) sums.add(bucket, digest)
  const leaf = snapshot.tree(domain).leaf(bucket)
  const { count, sum } = sums.leaves()[0] ?? { count: 0, sum: new Uint8Array(32) }
  if (leaf.count === count && Bytes.equal(leaf.sum, sum)) return undefined
  const difference = BigInt.asUintN(256, BigInt(`0x${Bytes.toHex(leaf.sum)}`) - BigInt(`0x${Bytes.toHex(sum)}`))
  return `${domain}/${bucket}: ${leaf.count - count} records, ${difference.toString(16)}`
}
