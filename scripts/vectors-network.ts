/**
 * Test vectors of what nodes agree on before they exchange records, and of gossip: `test/vectors/gossip.json`, `horizons.json`,
 * `networks.json`, `audit.json`. Written by `scripts/vectors.ts`.
 */
import { blake3 } from "@noble/hashes/blake3.js"
import * as Bytes from "../src/domain/bytes.ts"
import * as Hlc from "../src/domain/hlc.ts"
import * as Horizon from "../src/domain/horizon.ts"
import { retentionMs } from "../src/domain/limits.ts"
import type { Record as Rec } from "../src/domain/record.ts"
import { keyCheck } from "../src/domain/sync-frames.ts"
import * as Wire from "../src/domain/wire.ts"
import { textOf } from "../src/layers/network/network-key.ts"
import * as Options from "../src/layers/network/options.ts"
import { verdictOf } from "../src/layers/node/gossip.ts"
import type { Judgement } from "../src/services/Intake.ts"
import * as Vectors from "./vectors.ts"

const { cborBytes, cborEntries, cborHead, cborMap, cborText, hashes, hex, identity, message, networkKey, ts } = Vectors

// -------------------------------------------------------------------------------------------------------------- gossip

const variants = { message: "PutMessage", op: "MembershipOp", read: "ReadProgress", identity: "PutIdentity" } as const

const single = (record: Rec, key: string = variants[record.kind]): Uint8Array => cborMap([[key, Wire.encode(record)]])
const array = (items: ReadonlyArray<Uint8Array>, width?: 1 | 2): Uint8Array =>
  Bytes.concat([cborHead(4, items.length, width), ...items])
const batchOf = (items: ReadonlyArray<Uint8Array>): Uint8Array => cborMap([["Batch", array(items)]])

const many = (count: number): ReadonlyArray<Rec> =>
  Array.from({ length: count }, (_, i) => identity({ blob: Uint8Array.of(i) }))

const verdict = (...tags: ReadonlyArray<Judgement["_tag"]>) => ({
  judgements: tags,
  verdict: verdictOf(tags.map((tag): Judgement => tag === "invalid" ? { _tag: tag, why: "" } : { _tag: tag }))
})

const gossip = () => {
  const fourKinds = [message(), Vectors.create, Vectors.read(), identity()]
  const payloads: ReadonlyArray<readonly [string, ReadonlyArray<Rec>, Uint8Array]> = [
    ...fourKinds.map((record) => [variants[record.kind], [record], single(record)] as const),
    ["a batch of each kind", fourKinds, batchOf(fourKinds.map((record) => single(record)))],
    ["a batch of one", [message()], batchOf([single(message())])],
    ["a batch of 24, whose array has a longer head", many(24), batchOf(many(24).map((record) => single(record)))],
    ["a batch of 64", many(64), batchOf(many(64).map((record) => single(record)))]
  ]
  const one = single(identity())
  const shortSig = cborMap(
    cborEntries(identity()).map(([key, value]) => [key, key === "sig" ? cborBytes(new Uint8Array(64)) : value])
  )
  const invalid: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["nothing", new Uint8Array()],
    ["a record without its variant", Wire.encode(identity())],
    ["a map without a key", cborMap([])],
    ["two variants", cborMap([["PutMessage", Wire.encode(message())], ["PutIdentity", Wire.encode(identity())]])],
    ["a variant that does not exist", single(identity(), "PutNothing")],
    ["a variant in another case", single(identity(), "putIdentity")],
    ["a message under the variant of an identity", single(message(), variants.identity)],
    ["an empty batch", batchOf([])],
    ["a batch of 65", batchOf(many(65).map((record) => single(record)))],
    ["a batch in a batch", batchOf([batchOf([one])])],
    ["a batch that is a map", cborMap([["Batch", one]])],
    ["a record in a batch without its variant", batchOf([Wire.encode(identity())])],
    ["a batch with its length in two bytes", cborMap([["Batch", array([one], 1)]])],
    ["a byte after the end", Bytes.concat([one, Bytes.u8(0)])],
    ["the last byte missing", one.slice(0, -1)],
    ["a map of indefinite length", Bytes.concat([Bytes.u8(0xbf), one.subarray(1), Bytes.u8(0xff)])],
    ["a tag around it", Bytes.concat([Bytes.fromHex("d9d9f7"), one])],
    [
      "the variant as a byte string",
      Bytes.concat([cborHead(5, 1), cborBytes(Bytes.fromText("PutIdentity")), one.subarray(13)])
    ],
    ["the record as a byte string", cborMap([["PutIdentity", cborBytes(Wire.encode(identity()))]])],
    ["a list of two records", array([cborText("PutIdentity"), Wire.encode(identity())])],
    ["a record with a signature of 64 bytes", cborMap([["PutIdentity", shortSig]])],
    ["a good record and one that is none", batchOf([one, cborMap([["PutIdentity", shortSig]])])]
  ]
  return {
    note:
      "message_id is BLAKE3 of the payload. Invalid ones are rejected whatever signatures say. verdicts: what becomes of a "
      + "payload by what becomes of its records; full means that a node has no room for it now.",
    payloads: payloads.map(([name, records, payload]) => ({
      name,
      payload: hex(payload),
      message_id: hex(blake3(payload)),
      records: records.map((record) => ({ kind: record.kind, id: hex(record.id) }))
    })),
    invalid: invalid.map(([reason, payload]) => ({ reason, payload: hex(payload) })),
    verdicts: [
      verdict("accepted"),
      verdict("accepted", "known"),
      verdict("known"),
      verdict("known", "known"),
      verdict("early"),
      verdict("waiting"),
      verdict("aged"),
      verdict("full"),
      verdict("accepted", "early"),
      verdict("accepted", "waiting"),
      verdict("accepted", "aged"),
      verdict("accepted", "full"),
      verdict("invalid"),
      verdict("accepted", "invalid"),
      verdict("waiting", "invalid")
    ]
  }
}

// ------------------------------------------------------------------------------------------------------------ horizons

const horizons = () => {
  const hour = 1_700_002_800_000
  const walls = [
    0,
    9_999,
    14_999,
    15_000,
    hour + 9_999,
    hour + 10_000,
    hour + 14_999,
    hour + 15_000,
    hour + 17 * 5_000 + 9_999,
    hour + 17 * 5_000 + 10_000,
    hour + retentionMs
  ]
  const at = (ms: number, logical: number) => Hlc.toText(Hlc.make(ms, logical))
  return {
    note:
      "horizons: the newest and the oldest that a node answers at a wall time. spans: a tree at that horizon stands for the "
      + "records with floor < hlc <= ceiling, floor for messages and read marks only. seen: the first horizon that sees a stamp.",
    horizons: walls.map((wall) => {
      const newest = Horizon.horizonMs(wall)
      return { wall_ms: wall, newest_ms: newest, oldest_ms: Math.max(0, Horizon.oldestMs(newest)) }
    }),
    spans: [0, 5_000, retentionMs, hour - 5_000, hour, hour + 5_000].map((horizon) => {
      const { ceiling, floor } = Horizon.spanAt(horizon)
      return { horizon_ms: horizon, floor: Hlc.toText(floor), ceiling: Hlc.toText(ceiling) }
    }),
    seen: [at(hour, 0), at(hour, 65_535), at(hour + 1, 0), at(hour + 5_000, 0)].map((stamp) => {
      const ms = Number.parseInt(stamp.slice(0, 12), 16)
      return { hlc: stamp, horizon_ms: Horizon.seenFromMs(ms) }
    })
  }
}

// ------------------------------------------------------------------------------------------------------------ networks

const networks = () => {
  const keyed = hashes.blake3Keyed(networkKey)
  const records = [message(), Vectors.create, Vectors.read(), identity()]
  return {
    note: "names: what follows from the name of a network. key: of a private network; leaf digests are keyed with it.",
    names: ["", "test", "a b/c", "Zürich", "100%"].map((network) => ({
      network,
      topic: Options.topicOf(network),
      marker_protocol: Options.markerOf(network),
      dht_protocol: Options.dhtProtocolOf(network),
      mdns_service: Options.mdnsServiceOf(hashes, network)
    })),
    sync_protocol: Options.syncProtocol,
    key: {
      network_key: hex(networkKey),
      file: textOf(networkKey),
      key_check: hex(keyCheck(keyed)),
      leaves: records.map((record) => ({
        kind: record.kind,
        cbor: hex(Wire.encode(record)),
        digest: hex(Wire.leafDigest(hashes.blake3, record)),
        digest_keyed: hex(Wire.leafDigest(keyed, record))
      }))
    }
  }
}

// --------------------------------------------------------------------------------------------------------------- audit

const audit = () => {
  const nonce = Bytes.fromHex("0f0e0d0c0b0a09080706050403020100")
  const digests = [message(), message({ ts: ts + 1 }), message({ ts: ts + 2 })]
    .map((record) => Wire.leafDigest(hashes.blake3, record)).sort(Bytes.compare)
  return {
    note: "hash: BLAKE3(nonce || digests), the digests of one leaf ascending as bytes.",
    cases: [[], digests.slice(0, 1), digests].map((each) => ({
      nonce: hex(nonce),
      digests: each.map(hex),
      hash: hex(blake3(Bytes.concat([nonce, ...each])))
    }))
  }
}

/** All files of this module by name. */
export const build = (): { readonly [file: string]: unknown } => ({
  "gossip.json": gossip(),
  "horizons.json": horizons(),
  "networks.json": networks(),
  "audit.json": audit()
})
