import { assert, describe, it } from "@effect/vitest"
import { generateKeyPair, publicKeyFromRaw } from "@libp2p/crypto/keys"
import { peerIdFromPrivateKey, peerIdFromPublicKey, peerIdFromString } from "@libp2p/peer-id"
import { Result } from "effect"
import { base58btc } from "multiformats/bases/base58"
import * as Bytes from "../../src/domain/bytes.ts"
import { nodeIdOf, parseNodeId } from "../../src/domain/node-id.ts"
import { Dice, nodes, Seed } from "./records.ts"

const refused = (text: string): string => {
  const result = parseNodeId(text)
  assert.isTrue(Result.isFailure(result), text)
  return Result.isFailure(result) ? result.failure : ""
}

const wrap = (prefix: string, key: Uint8Array): string =>
  base58btc.baseEncode(Bytes.concat([Bytes.fromHex(prefix), key]))

describe("node ids", () => {
  it("are those of libp2p, both ways, fresh keys each time", async () => {
    for (const type of ["Ed25519", "secp256k1"] as const) {
      for (let round = 0; round < 8; round++) {
        const privateKey = await (type === "Ed25519" ? generateKeyPair("Ed25519") : generateKeyPair("secp256k1"))
        const peerId = peerIdFromPrivateKey(privateKey as never)
        const key = Result.getOrThrow(parseNodeId(peerId.toString()))
        assert.strictEqual(key.type, type.toLowerCase())
        assert.deepStrictEqual(new Uint8Array(key.publicKey), new Uint8Array(privateKey.publicKey.raw))
        assert.strictEqual(nodeIdOf(key), peerId.toString())
        assert.strictEqual(peerIdFromString(nodeIdOf(key)).toString(), peerId.toString())
        assert.strictEqual(peerIdFromPublicKey(publicKeyFromRaw(key.publicKey)).toString(), peerId.toString())
        assert.isAtMost(peerId.toString().length, 64)
        // the same peer as a CIDv1 is another text
        refused(peerId.toCID().toString())
        refused(peerId.toCID().toString(base58btc))
      }
    }
  })

  it("of RSA keys are refused: they hold a hash, not a key", async () => {
    const peerId = peerIdFromPrivateKey(await generateKeyPair("RSA", 2_048))
    assert.include(refused(peerId.toString()), "Ed25519 or a secp256k1")
    refused("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")
  })

  it.prop("have one text only", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const text = dice.pick(nodes) as string
    assert.isTrue(Result.isSuccess(parseNodeId(text)))
    const at = dice.below(text.length)
    for (
      const other of [
        `1${text}`,
        `${text}1`,
        ` ${text}`,
        `${text}\n`,
        `z${text}`,
        text.toLowerCase(),
        text.slice(1),
        `/p2p/${text}`,
        `${text.slice(0, at)}0${text.slice(at + 1)}`,
        `${text.slice(0, at)}é${text.slice(at + 1)}`
      ]
    ) {
      refused(other)
    }
    // another letter is refused, or is another key
    const letter = dice.pick([..."123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"])
    const changed = text.slice(0, at) + letter + text.slice(at + 1)
    const key = parseNodeId(changed)
    if (Result.isSuccess(key)) assert.strictEqual(nodeIdOf(key.success), changed)
  })

  it("with a letter that no table of Base58 reaches are refused, not read as another id", () => {
    const text = nodes[0] as string
    const twin = nodeIdOf({ type: "ed25519", publicKey: new Uint8Array(32) })
    for (const letter of ["\u0100", "\u2160", "\u4e2d", "\uff11", "\uffff", "\ud800", "\u{1f600}"]) {
      for (const id of [text, twin]) {
        for (let at = 0; at < id.length; at++) refused(id.slice(0, at) + letter + id.slice(at + 1))
      }
    }
    // the decoder alone would take this for a key
    assert.include(refused(`${text.slice(0, 20)}\u4e2d${text.slice(21)}`), "canonical form")
  })

  it("with another type, length or prefix are refused", () => {
    const key32 = Bytes.fromHex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    const key33 = Bytes.concat([Bytes.u8(2), key32])
    assert.isTrue(Result.isSuccess(parseNodeId(wrap("002408011220", key32))))
    assert.isTrue(Result.isSuccess(parseNodeId(wrap("002508021221", key33))))
    assert.isTrue(Result.isSuccess(parseNodeId(wrap("002508021221", Bytes.concat([Bytes.u8(3), key32])))))
    for (
      const [label, text] of [
        ["the bare key", base58btc.baseEncode(key32)],
        ["the protobuf without its multihash", wrap("08011220", key32)],
        ["SHA-256 multihash", wrap("1220", key32)],
        ["an RSA key inside", wrap("002408001220", key32)],
        ["an ECDSA key inside", wrap("002408031220", key32)],
        ["an Ed25519 key of 33 bytes", wrap("002508011221", key33)],
        ["a secp256k1 key of 32 bytes", wrap("002408021220", key32)],
        ["the length in the multihash wrong", wrap("002308011220", key32)],
        ["the length in the protobuf wrong", wrap("002408011221", key32)],
        ["a byte short", wrap("002408011220", key32.slice(1))],
        ["a byte more", wrap("002408011220", key33)],
        ["fields in the other order", wrap("00241220", Bytes.concat([key32, Bytes.fromHex("0801")]))],
        ["the length as a longer varint", wrap("00a40008011220", key32)],
        ["an uncompressed point", wrap("002508021221", Bytes.concat([Bytes.u8(4), key32]))],
        ["point prefix 0", wrap("002508021221", Bytes.concat([Bytes.u8(0), key32]))],
        ["nothing", ""],
        ["ones", "1".repeat(38)]
      ] as const
    ) {
      assert.isTrue(Result.isFailure(parseNodeId(text)), label)
    }
  })

  it.prop("of secp256k1 hold a point of the curve, as libp2p wants it", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const text = nodeIdOf({ type: "secp256k1", publicKey: Bytes.concat([Bytes.u8(2 + dice.below(2)), dice.bytes(32)]) })
    assert.strictEqual(Result.isSuccess(parseNodeId(text)), Result.isSuccess(Result.try(() => peerIdFromString(text))))
  }, { arbitrary: { runs: 60 } })

  it("of secp256k1 have x below p", () => {
    // x = 1 is on the curve; x = p + 1 is the same number, and no x
    const p = 2n ** 256n - 2n ** 32n - 977n
    const id = (x: bigint): string => wrap("002508021221", Bytes.fromHex(`02${x.toString(16).padStart(64, "0")}`))
    for (const [x, good] of [[0n, false], [1n, true], [p, false], [p + 1n, false], [2n ** 256n - 1n, false]] as const) {
      for (const round of ["first", "again"])
        assert.strictEqual(Result.isSuccess(parseNodeId(id(x))), good, `${x} ${round}`)
      assert.strictEqual(Result.isSuccess(Result.try(() => peerIdFromString(id(x)))), good, `libp2p: ${x}`)
    }
  })

  it("read the same however many were read before", () => {
    const texts = Array.from(
      { length: 3_000 },
      (_, i) => nodeIdOf({ type: "ed25519", publicKey: new Dice(i).bytes(32) })
    )
    for (const text of [...texts, ...texts]) assert.strictEqual(nodeIdOf(Result.getOrThrow(parseNodeId(text))), text)
  })

  it("failure 7: are read up to 64 characters, and refused above without being decoded", () => {
    assert.notInclude(refused("z".repeat(64)), "64 characters")
    assert.include(refused("z".repeat(65)), "64 characters")
    assert.include(refused("1".repeat(1_000_000)), "64 characters")
  })
})
