/**
 * What a record is in a Merkle leaf (SPEC §6): its digest, keyed where the network has a key, whether it ages, and
 * whether a tree sees it.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { Span } from "../../domain/horizon.ts"
import { bucketOf } from "../../domain/merkle.ts"
import { type Domain, domainOf, type Kind, type Record } from "../../domain/record.ts"
import type { LeafChange } from "../../services/Store.ts"

/** BLAKE3 of a record's leaf, 32 bytes: `domain/wire.leafDigestOf`. */
export type LeafHash = (bytes: Uint8Array) => Uint8Array

/** `key`: 32 bytes, absent in a network without one. */
export const leafHash = (hashes: Hashes, key: Uint8Array | undefined): LeafHash =>
  key === undefined ? hashes.blake3 : hashes.blake3Keyed(key)

const keyTag = Bytes.fromText("p2p-mes/store/key")
const keyCheckBytes = 8

/** Tells digests made with one key from those made with another, 8 bytes; tells nothing of the key. */
export const keyCheck = (leaf: LeafHash): Uint8Array => leaf(keyTag).slice(0, keyCheckBytes)

/** Kinds that retention removes (SPEC §9). */
export const ages = (kind: Kind): boolean => kind === "message" || kind === "read"

export const kindsOf: { readonly [D in Domain]: ReadonlyArray<Kind> } = {
  messages: ["message"],
  members: ["op", "read"],
  identity: ["identity"]
}

/** Whether a tree for `span` stands for this record. */
export const isIn = (span: Span, { hlc, kind }: Record): boolean =>
  hlc <= span.ceiling && (!ages(kind) || hlc > span.floor)

export const inserted = (record: Record, digest: Uint8Array): LeafChange => ({
  domain: domainOf(record),
  bucket: bucketOf(record.id),
  digest,
  hlc: record.hlc,
  recordHlc: record.hlc,
  change: "insert",
  ages: ages(record.kind)
})

/** `record` left its slot to `winner`. */
export const removed = (record: Record, digest: Uint8Array, winner: Record): LeafChange => ({
  ...inserted(record, digest),
  hlc: Hlc.max(record.hlc, winner.hlc),
  change: "remove"
})
