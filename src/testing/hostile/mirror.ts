/**
 * The set that a hostile peer shows in a round of sync: what it has learnt, plus digests of what it made up. Trees, lists and
 * hashes follow from it, so that a lie is told with a straight face until the moment it must show.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import { spanAt } from "../../domain/horizon.ts"
import { auditHash } from "../../domain/merkle-audit.ts"
import * as Descent from "../../domain/merkle-descent.ts"
import { bucketOf, MerkleTree } from "../../domain/merkle.ts"
import { type Domain, domainOf, domains, type Kind, type Record } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import * as Wire from "../../domain/wire.ts"
import { wired } from "./forge.ts"

type FrameOf<T extends Frames.Frame["_tag"]> = Extract<Frames.Frame, { readonly _tag: T }>

interface Shown {
  readonly digest: Uint8Array
  /** None: made up. */
  readonly record: Record | undefined
}

/** Records in one page. */
const pageRecords = 100

export class Mirror {
  readonly #hashes: Hashes
  readonly #trees: ReadonlyMap<Domain, MerkleTree>
  readonly #buckets: ReadonlyMap<Domain, Map<number, Array<Shown>>>
  readonly #records: ReadonlyArray<Record>

  constructor(hashes: Hashes, records: ReadonlyArray<Record>, horizonMs: number) {
    this.#hashes = hashes
    this.#trees = new Map(domains.map((domain) => [domain, new MerkleTree(hashes)]))
    this.#buckets = new Map(domains.map((domain) => [domain, new Map()]))
    const { ceiling, floor } = spanAt(horizonMs)
    this.#records = records.filter((record) =>
      record.hlc <= ceiling && ((record.kind !== "message" && record.kind !== "read") || record.hlc > floor)
    )
    for (const record of this.#records) {
      this.#add(domainOf(record), bucketOf(record.id), { digest: Wire.leafDigest(hashes.blake3, record), record })
    }
  }

  #add(domain: Domain, bucket: number, shown: Shown): void {
    this.#trees.get(domain)!.insert(bucket, shown.digest)
    const buckets = this.#buckets.get(domain)!
    const held = buckets.get(bucket)
    if (held === undefined) buckets.set(bucket, [shown])
    else {
      held.push(shown)
      held.sort((a, b) => Bytes.compare(a.digest, b.digest))
    }
  }

  /** A digest of nothing; or of `record`, which is then given to who asks. */
  invent(domain: Domain, bucket: number, digest: Uint8Array, record?: Record): void {
    this.#add(domain, bucket, { digest, record })
  }

  #in(domain: Domain, bucket: number): ReadonlyArray<Shown> {
    return this.#buckets.get(domain)!.get(bucket) ?? []
  }

  counts(): Frames.ByDomain<number> {
    const [a, b, c] = domains.map((domain) => this.#trees.get(domain)!.count)
    return [a!, b!, c!]
  }

  roots(): Frames.ByDomain<Uint8Array> {
    const [a, b, c] = domains.map((domain) => this.#trees.get(domain)!.root())
    return [a!, b!, c!]
  }

  /** What an honest node with this set answers; `undefined` when it would not. */
  answer(frame: Frames.Frame): Frames.Frame | undefined {
    switch (frame._tag) {
      case "Ask": {
        const refs = frame.nodes.map((index) => ({ level: frame.level, index }))
        const found = Descent.answer(this.#trees.get(frame.domain)!, refs, frame.bytes)
        return found._tag === "Success" ? { _tag: "Hashes", hashes: Bytes.concat(found.success) } : undefined
      }
      case "List":
        return this.#list(frame)
      case "Pull":
        return this.#pull(frame)
      case "Push":
        return { _tag: "Taken", count: frame.records.length }
      case "Stream":
        return this.#page(frame)
      case "Audit":
        return {
          _tag: "Audited",
          hashes: Bytes.concat(
            frame.buckets.map((bucket) =>
              auditHash(this.#hashes, frame.nonce, this.#in(frame.domain, bucket).map(({ digest }) => digest))
            )
          )
        }
      default:
        return undefined
    }
  }

  #list({ after, bytes, domain, ...asked }: FrameOf<"List">): Frames.Frame {
    const lists = Frames.listed(asked).map((bucket, i) =>
      Bytes.concat(
        this.#in(domain, bucket)
          .filter(({ digest }) => i > 0 || after === undefined || Bytes.compare(digest, after) > 0)
          .map(({ digest }) => digest.subarray(0, bytes))
      )
    )
    return { _tag: "Digests", lists }
  }

  #pull({ bytes, domain, picks }: FrameOf<"Pull">): Frames.Frame {
    const records: Array<Record> = []
    let done = 0
    for (const [bucket, joined] of picks) {
      for (let at = 0; at < joined.length; at += bytes) {
        done++
        const prefix = joined.subarray(at, at + bytes)
        const found = this.#in(domain, bucket).find(({ digest }) => Bytes.equal(digest.subarray(0, bytes), prefix))
        if (found?.record !== undefined) records.push(found.record)
      }
    }
    return { _tag: "Records", records: records.map(wired), done }
  }

  /** Places in a stream are counted. */
  #page({ cursor, from, kind, to }: FrameOf<"Stream">): Frames.Frame {
    const all = this.streamed(kind).filter(({ id }) => bucketOf(id) >= from && bucketOf(id) < to)
    const at = cursor === undefined || cursor.length !== 8 ? 0 : Number(Bytes.readU64be(cursor) & 0xffffn)
    const records = all.slice(at, at + pageRecords).map(Wire.encode)
    const end = at + records.length
    return { _tag: "Page", records, ...(end < all.length ? { next: Bytes.u64be(end) } : {}) }
  }

  /** Records of a kind in the order of a stream. */
  streamed(kind: Kind): ReadonlyArray<Record> {
    return this.#records.filter((record) => record.kind === kind).sort((a, b) =>
      (kind === "op" && a.hlc !== b.hlc) ? (a.hlc < b.hlc ? -1 : 1) : a.id < b.id ? -1 : 1
    )
  }
}
