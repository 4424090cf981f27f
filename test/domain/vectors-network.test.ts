/** The vectors of gossip, horizons, networks and audits, used as another implementation would. */
// oxlint-disable typescript/no-explicit-any -- vectors are plain JSON, and every field is compared with what it must be
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readFileSync } from "node:fs"
import { hashes } from "../../scripts/vectors.ts"
import * as Acceptance from "../../src/domain/acceptance.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Payload from "../../src/domain/gossip-payload.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Horizon from "../../src/domain/horizon.ts"
import { auditHash } from "../../src/domain/merkle-audit.ts"
import { keyCheck } from "../../src/domain/sync-frames.ts"
import * as Wire from "../../src/domain/wire.ts"
import * as Options from "../../src/layers/network/options.ts"

const load = (file: string): any => JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), "utf8"))
const raw = (hex: string): Uint8Array => Bytes.fromHex(hex.slice(2))
const show = (bytes: Uint8Array): string => `0x${Bytes.toHex(bytes)}`
const stamp = (text: string): Hlc.Hlc => Result.getOrThrow(Hlc.parse(text))

describe("vectors of networks", () => {
  it("gossip.json: payloads hold their records, and have one form", () => {
    for (const { message_id: id, name, payload, records } of load("gossip.json").payloads) {
      const bytes = raw(payload)
      const held = Result.getOrThrow(Payload.decode(hashes, bytes))
      assert.deepStrictEqual(held.map(({ id, kind }) => ({ kind, id: `0x${id}` })), records, name)
      for (const record of held) assert.isUndefined(Acceptance.formProblem(hashes, record), name)
      assert.strictEqual(show(hashes.blake3(bytes)), id)
      const again = Payload.encode(held.map((record) => ({ kind: record.kind, bytes: Wire.encode(record) })))
      // one record alone goes without a batch
      if (name !== "a batch of one") assert.strictEqual(show(again), payload, name)
    }
  })

  it("gossip.json: what is no payload", () => {
    const { invalid } = load("gossip.json")
    assert.isAtLeast(invalid.length, 20)
    for (const { payload, reason } of invalid)
      assert.isTrue(Result.isFailure(Payload.decode(hashes, raw(payload))), reason)
  })

  it("gossip.json: verdicts by the rule of the text", () => {
    for (const { judgements, verdict } of load("gossip.json").verdicts) {
      const has = (...tags: ReadonlyArray<string>) => judgements.some((tag: string) => tags.includes(tag))
      const expected = has("invalid")
        ? "reject"
        : has("early", "waiting", "aged", "full") || !has("accepted")
        ? "ignore"
        : "accept"
      assert.strictEqual(verdict, expected, judgements.join())
    }
  })

  it("horizons.json: which are answered, and what a tree stands for", () => {
    const { horizons, seen, spans } = load("horizons.json")
    for (const { newest_ms: newest, oldest_ms: oldest, wall_ms: wall } of horizons) {
      assert.strictEqual(newest, Math.max(0, Math.floor((wall - 10_000) / 5_000) * 5_000))
      assert.strictEqual(Horizon.horizonMs(wall), newest)
      assert.strictEqual(oldest, Math.max(0, newest - 17 * 5_000))
    }
    for (const { ceiling, floor, horizon_ms: horizon } of spans) {
      const aged = Math.max(0, horizon - horizon % 3_600_000 - 30 * 24 * 3_600_000)
      assert.deepStrictEqual([floor, ceiling], [aged, horizon].map((ms) => `${ms.toString(16).padStart(12, "0")}ffff`))
      assert.deepStrictEqual(Horizon.spanAt(horizon), { floor: stamp(floor), ceiling: stamp(ceiling) })
    }
    for (const { hlc, horizon_ms: horizon } of seen) {
      assert.isTrue(stamp(hlc) <= Horizon.spanAt(horizon).ceiling)
      assert.isTrue(stamp(hlc) > Horizon.spanAt(horizon - 5_000).ceiling)
    }
  })

  it("networks.json: names on the wire, and what a key does", () => {
    const { key, names, sync_protocol: sync } = load("networks.json")
    assert.strictEqual(sync, Options.syncProtocol)
    for (const { dht_protocol: dht, marker_protocol: marker, mdns_service: mdns, network, topic } of names) {
      assert.strictEqual(topic, network === "" ? "p2p-mes/commands" : `p2p-mes/commands/${network}`)
      const suffix = network === "" ? "" : `/${encodeURIComponent(network)}`
      assert.deepStrictEqual([marker, dht], [`/p2p-mes/network/1.0.0${suffix}`, `/p2p-mes/kad/1.0.0${suffix}`])
      const hash = Bytes.toHex(hashes.blake3(Bytes.fromText(network))).slice(0, 10)
      assert.strictEqual(mdns, network === "" ? "_p2p-mes._udp.local" : `_pm-${hash}._udp.local`)
      assert.strictEqual(Options.networkOf([marker]), network)
    }
    const keyed = hashes.blake3Keyed(raw(key.network_key))
    assert.strictEqual(show(keyed(Bytes.fromText("p2p-mes/network-key/v1")).subarray(0, 8)), key.key_check)
    assert.strictEqual(show(keyCheck(keyed)), key.key_check)
    assert.strictEqual(key.file, `/key/swarm/psk/1.0.0/\n/base16/\n${key.network_key.slice(2)}\n`)
    for (const { cbor, digest, digest_keyed: digestKeyed } of key.leaves) {
      const leaf = Bytes.concat([Bytes.fromText("p2p-mes/leaf/v1"), raw(cbor)])
      assert.deepStrictEqual([digest, digestKeyed], [show(hashes.blake3(leaf)), show(keyed(leaf))])
    }
  })

  it("audit.json: the hash of a leaf's digests", () => {
    for (const { digests, hash, nonce } of load("audit.json").cases) {
      assert.strictEqual(show(auditHash(hashes, raw(nonce), digests.map(raw))), hash)
      assert.deepStrictEqual(digests, digests.toSorted())
    }
  })
})
