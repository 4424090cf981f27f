/**
 * The vectors of `test/vectors` agree with the code, and are used here as another implementation would: fields in, bytes
 * and verdicts out.
 */
// oxlint-disable typescript/no-explicit-any -- vectors are plain JSON, and every field is compared with what it must be
import { assert, describe, it } from "@effect/vitest"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import * as Network from "../../scripts/vectors-network.ts"
import * as Sync from "../../scripts/vectors-sync.ts"
import { addressOf, build, hashes, signDigest, toText } from "../../scripts/vectors.ts"
import * as Acceptance from "../../src/domain/acceptance.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { nodeIdOf, type NodeKey, parseNodeId } from "../../src/domain/node-id.ts"
import { authorOf, type Dot, type Kind, type Record as Rec } from "../../src/domain/record.ts"
import * as Signature from "../../src/domain/signature.ts"
import { slotOf, wins } from "../../src/domain/variants.ts"
import * as Wire from "../../src/domain/wire.ts"

const folder = new URL("../vectors/", import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, folder), "utf8")
// vectors are plain JSON: each test says what it expects there
const load = (file: string): any => JSON.parse(read(file))
const plain = (hex: string): string => hex.slice(2)
const raw = (hex: string): Uint8Array => Bytes.fromHex(plain(hex))
const show = (bytes: Uint8Array): string => `0x${Bytes.toHex(bytes)}`
const stamp = (text: string): Hlc.Hlc => Result.getOrThrow(Hlc.parse(text))
const decoded = (kind: Kind, cbor: string): Rec => Result.getOrThrow(Wire.decode(hashes, kind, raw(cbor)))

const recovered = (digest: Uint8Array, sig: Uint8Array): string => {
  const point = secp256k1.Signature.fromBytes(Bytes.concat([sig.subarray(64), sig.subarray(0, 64)]), "recovered")
    .recoverPublicKey(digest)
  return Bytes.toHex(hashes.keccak256(point.toBytes(false).subarray(1)).subarray(12))
}

const littleEndian = (bytes: Uint8Array): bigint => BigInt(show(bytes.toReversed()))

/** RFC 8032 without the cofactor: canonical encodings, no small-order points, S·B = R + k·A. */
const ed25519Holds = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean => {
  try {
    const [A, R] = [publicKey, signature.subarray(0, 32)].map((point) => ed25519.Point.fromBytes(point, false))
    const S = littleEndian(signature.subarray(32))
    const order = ed25519.Point.Fn.ORDER
    if (S >= order || A!.isSmallOrder() || R!.isSmallOrder()) return false
    const k = littleEndian(sha512(Bytes.concat([signature.subarray(0, 32), publicKey, bytes]))) % order
    return ed25519.Point.BASE.multiplyUnsafe(S).equals(A!.multiplyUnsafe(k).add(R!))
  } catch {
    return false
  }
}

const nodeHolds = (key: NodeKey, bytes: Uint8Array, signature: Uint8Array): boolean =>
  key.type === "ed25519"
    ? ed25519Holds(key.publicKey, bytes, signature)
    : Signature.rangeProblem(signature) === undefined
      && secp256k1.verify(signature, sha256(bytes), key.publicKey, { prehash: false })

describe("vectors", () => {
  it("are what scripts/vectors.ts gives", { timeout: 400_000 }, async () => {
    const built = { ...build(), ...Network.build(), ...await Sync.build() }
    for (const [file, value] of Object.entries(built)) assert.strictEqual(read(file), toText(value), file)
    const files = readdirSync(folder).filter((file) => file.endsWith(".json")).sort()
    assert.deepStrictEqual(files, [...Object.keys(built), "shared.json"].sort())
    for (const file of files) assert.include(read("README.md"), `\`${file}\``)
  })

  describe("shared.json, made by unrelated libraries", () => {
    const shared = load("shared.json")
    const keys = shared.keys as ReadonlyArray<{ private_key: string; address: string }>
    const ts: number = shared.ts
    const node: Ids.NodeId = shared.node
    const signed = (purpose: Signature.Purpose, id: string, entry: any, key: number): void => {
      const text = Signature.stringToSign(purpose, ts, node, id)
      assert.strictEqual(text, entry.string_to_sign)
      const digest = Signature.signedDigest(hashes, entry.sig_version, text)
      const sig = Result.getOrThrow(Signature.parseSignature(entry.signature))
      assert.strictEqual(recovered(digest, sig), plain(keys[key]!.address))
      assert.deepStrictEqual(signDigest(digest, raw(keys[key]!.private_key)), sig)
    }

    it("keys and chats", () => {
      for (const key of keys) assert.strictEqual(addressOf(raw(key.private_key)), plain(key.address))
      assert.isTrue(Result.isSuccess(parseNodeId(node)))
      const dm = shared.dm_chat_id
      assert.strictEqual(Ids.dmChatId(hashes, plain(dm.a) as Ids.Address, plain(dm.b) as Ids.Address), plain(dm.out))
      const group = shared.group_chat_id
      assert.strictEqual(
        Ids.groupChatId(hashes, plain(group.creator) as Ids.Address, plain(group.nonce) as Ids.Nonce),
        plain(group.out)
      )
    })

    it("messages", () => {
      assert.strictEqual(shared.messages.length, 2)
      for (const m of shared.messages) {
        const id = Ids.messageId(hashes, {
          chatId: plain(m.chat_id) as Ids.ChatId,
          sender: plain(m.sender) as Ids.Address,
          ts: m.ts,
          msgType: m.msg_type,
          content: m.content,
          control: m.control === null ? undefined : raw(m.control)
        })
        assert.strictEqual(id, plain(m.msg_id))
        signed("message", id, m, 0)
      }
    })

    it("op, read mark, identity, request", () => {
      const { identity, op, read, request } = shared
      const opId = Ids.opId(hashes, {
        chatId: plain(op.chat_id) as Ids.ChatId,
        actor: plain(op.actor) as Ids.Address,
        ts: op.ts,
        node,
        op: 0,
        role: 0,
        targets: op.targets.map(plain),
        title: op.title,
        nonce: plain(op.nonce) as Ids.Nonce
      })
      assert.strictEqual(opId, plain(op.op_id))
      signed("op", opId, op, 0)
      const readId = Ids.readId(hashes, {
        chatId: plain(read.chat_id) as Ids.ChatId,
        reader: plain(read.reader) as Ids.Address,
        ts: read.ts,
        upTo: stamp(read.up_to)
      })
      assert.strictEqual(readId, plain(read.read_id))
      signed("read", readId, read, 1)
      const identityId = Ids.identityId(hashes, {
        address: plain(identity.address) as Ids.Address,
        ts: identity.ts,
        blob: raw(identity.identity_hex)
      })
      assert.strictEqual(identityId, plain(identity.identity_id))
      signed("identity", identityId, identity, 0)
      const requestId = Ids.requestId(hashes, request.method, request.target)
      assert.strictEqual(requestId, plain(request.request_id))
      signed("request", requestId, request, 0)
    })
  })

  it("ids.json: an id is BLAKE3 of its preimage", () => {
    let count = 0
    for (const list of Object.values(load("ids.json"))) {
      if (!Array.isArray(list)) continue
      for (const { id, preimage } of list) {
        assert.strictEqual(show(hashes.blake3(raw(preimage))), id)
        count++
      }
    }
    assert.isAtLeast(count, 25)
  })

  it("signatures.json: strings, digests, and who signed", () => {
    const { keys, strings } = load("signatures.json")
    for (const { address, private_key: key, public_key: point } of keys) {
      assert.strictEqual(`0x${addressOf(raw(key))}`, address)
      assert.strictEqual(Bytes.toHex(hashes.keccak256(raw(point).subarray(1)).subarray(12)), plain(address))
    }
    for (const s of strings) {
      assert.strictEqual(Signature.stringToSign(s.purpose, s.ts, s.node, s.digest), s.string_to_sign)
      const digest = Signature.signedDigest(hashes, s.sig_version, s.string_to_sign)
      assert.strictEqual(show(digest), s.signed_digest)
      assert.strictEqual(`0x${recovered(digest, raw(s.sig))}`, s.address)
      assert.isUndefined(Signature.signatureProblem(raw(s.sig)))
    }
  })

  it("signature-headers.json: accepted as stored, or refused", () => {
    const { accepted, refused } = load("signature-headers.json")
    for (const { header, name, stored } of accepted) {
      assert.strictEqual(show(Result.getOrThrow(Signature.parseSignature(header))), stored, name)
    }
    for (const { header, reason } of refused) assert.isTrue(Result.isFailure(Signature.parseSignature(header)), reason)
  })

  it("records.json: bytes, ids, digests, signatures and stamps", () => {
    const { network_key: key, records } = load("records.json")
    for (const { bucket, cbor, fields, id, kind, leaf_digest: digest, leaf_digest_keyed: keyed, name } of records) {
      const record = decoded(kind, cbor)
      assert.strictEqual(`0x${record.id}`, id, name)
      assert.strictEqual(show(Wire.encode(record)), cbor, name)
      assert.isUndefined(Acceptance.formProblem(hashes, record), name)
      assert.strictEqual(show(Wire.leafDigest(hashes.blake3, record)), digest)
      assert.strictEqual(show(Wire.leafDigest(hashes.blake3Keyed(raw(key)), record)), keyed)
      assert.strictEqual(Number.parseInt(plain(id).slice(0, 4), 16), bucket)
      assert.strictEqual(recovered(Signature.recordDigest(hashes, record), record.sig), authorOf(record), name)
      if (record.kind === "op") {
        const key = Result.getOrThrow(parseNodeId(record.node))
        assert.isTrue(nodeHolds(key, Signature.stampDigest(hashes, record), record.stamp), name)
      }
      // the JSON says the same as the bytes
      assert.strictEqual(fields.node, record.node)
      assert.strictEqual(fields.hlc, `0x${Hlc.toText(record.hlc)}`)
      if (record.kind === "message")
        assert.deepStrictEqual([fields.content, fields.msg_type], [record.content, record.msgType])
      if (record.kind === "op") assert.deepStrictEqual([fields.op, fields.title], [record.op, record.title])
    }
    assert.deepStrictEqual([...new Set(records.map((entry: any) => entry.kind))], ["message", "op", "read", "identity"])
  })

  it("stamps.json: valid ones hold, invalid ones do not", () => {
    const { invalid, valid } = load("stamps.json")
    for (const s of valid) {
      const key = Result.getOrThrow(parseNodeId(s.node))
      assert.strictEqual(show(new Uint8Array(key.publicKey)), s.public_key)
      assert.strictEqual(key.type, s.key_type)
      assert.strictEqual(show(hashes.blake3(raw(s.preimage))), s.digest)
      const observed = s.observed?.map(([op, target]: [string, string]) => `${plain(op)}${plain(target)}` as Dot)
      const digest = Signature.stampDigest(hashes, { id: plain(s.op_id) as Ids.OpId, hlc: stamp(s.hlc), observed })
      assert.strictEqual(show(digest), s.digest, s.name)
      assert.isTrue(nodeHolds(key, digest, raw(s.stamp)), s.name)
    }
    for (const s of invalid) {
      const key: NodeKey = { type: s.key_type, publicKey: raw(s.public_key) }
      assert.strictEqual(nodeIdOf(key), s.node)
      assert.isFalse(nodeHolds(key, raw(s.digest), raw(s.stamp)), s.reason)
    }
    // the one that needs the cofactor is what a lenient library takes
    const lenient = invalid.find((s: any) => s.reason.includes("cofactor"))
    assert.isTrue(ed25519.verify(raw(lenient.stamp), raw(lenient.digest), raw(lenient.public_key), { zip215: true }))
  })

  it("challenge.json: message and signature", () => {
    for (const c of load("challenge.json").cases) {
      const message = Signature.challengeBytes(raw(c.challenge), c.node)
      assert.strictEqual(show(message), c.message)
      assert.isTrue(nodeHolds(Result.getOrThrow(parseNodeId(c.node)), message, raw(c.signature)))
    }
  })

  it("clock.json: send and receive", () => {
    const { receive, send } = load("clock.json")
    for (const { hlc, last, wall } of send) assert.strictEqual(Hlc.toText(Hlc.send(stamp(last), wall)), hlc)
    for (const { early, hlc, last, remote, wall } of receive) {
      const merged = Hlc.receive(stamp(last), stamp(remote), wall)
      if (early === true) assert.isTrue(Result.isFailure(merged))
      else assert.strictEqual(Hlc.toText(Result.getOrThrow(merged)), hlc)
    }
    assert.strictEqual(receive.filter((entry: any) => entry.early === true).length, 1)
  })

  it("variants.json: one slot, one winner", () => {
    for (const { a, b, kind, name, winner } of load("variants.json").pairs) {
      const [left, right] = [decoded(kind, a), decoded(kind, b)]
      assert.strictEqual(slotOf(left), slotOf(right), name)
      assert.strictEqual(wins(left, right), winner === "a", name)
      assert.strictEqual(wins(right, left), winner === "b", name)
      for (const record of [left, right]) {
        assert.isUndefined(Acceptance.formProblem(hashes, record), name)
        assert.strictEqual(recovered(Signature.recordDigest(hashes, record), record.sig), authorOf(record), name)
      }
    }
  })

  it("merkle.json: leaves add up, nodes hash sixteen children", () => {
    const { empty, trees } = load("merkle.json")
    const hashAt = new Map<number, string>(empty.map((entry: any) => [entry.nodes, entry.hash]))
    assert.strictEqual(hashAt.get(65_536), show(hashes.blake3(new Uint8Array(36))))
    for (const { inner, leaves, name, records, root } of trees) {
      for (const leaf of leaves) {
        const mine = records.filter((record: any) => Number.parseInt(record.id.slice(2, 6), 16) === leaf.bucket)
        const sum = mine.reduce((total: bigint, record: any) => (total + BigInt(record.digest)) % 2n ** 256n, 0n)
        assert.deepStrictEqual([leaf.count, BigInt(leaf.sum)], [mine.length, sum], name)
        assert.strictEqual(show(hashes.blake3(Bytes.concat([raw(leaf.sum), Bytes.u32be(leaf.count)]))), leaf.hash)
      }
      const known = new Map<string, string>([
        ...leaves.map((leaf: any) => [`65536/${leaf.bucket}`, leaf.hash] as const),
        ...inner.map((node: any) => [`${node.nodes}/${node.index}`, node.hash] as const)
      ])
      for (const { hash, index, nodes } of inner) {
        const children = Array.from(
          { length: 16 },
          (_, i) => raw(known.get(`${nodes * 16}/${index * 16 + i}`) ?? hashAt.get(nodes * 16)!)
        )
        assert.strictEqual(show(hashes.blake3(Bytes.concat(children))), hash, name)
      }
      assert.strictEqual(known.get("1/0") ?? hashAt.get(1), root, name)
    }
  })

  it("invalid-wire.json: no record at all", () => {
    for (const { cbor, kind, reason } of load("invalid-wire.json").cases) {
      assert.isTrue(Result.isFailure(Wire.decode(hashes, kind, raw(cbor))), reason)
    }
  })

  it("invalid-records.json: well written, signed, and invalid for ever", () => {
    for (const { cbor, field, kind, reason } of load("invalid-records.json").cases) {
      const record = decoded(kind, cbor)
      assert.strictEqual(recovered(Signature.recordDigest(hashes, record), record.sig), authorOf(record), reason)
      assert.strictEqual(Acceptance.formProblem(hashes, record)?.field, field, reason)
    }
  })
})
