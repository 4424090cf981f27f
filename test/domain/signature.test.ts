import { assert, describe, it } from "@effect/vitest"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { Result } from "effect"
import { hashMessage, keccak256, recoverAddress, recoverMessageAddress, stringToBytes, toHex } from "viem"
import { generatePrivateKey, privateKeyToAccount, sign } from "viem/accounts"
import { addressOf, hashes, signDigest } from "../../scripts/vectors.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hlc } from "../../src/domain/hlc.ts"
import type { NodeId, OpId } from "../../src/domain/ids.ts"
import type { Dot, SigVersion } from "../../src/domain/record.ts"
import * as Signature from "../../src/domain/signature.ts"
import { aRecord, Dice, kinds, nodes, Seed, ts } from "./records.ts"

const n = secp256k1.Point.Fn.ORDER
const scalar = (x: bigint): Uint8Array => Bytes.fromHex(x.toString(16).padStart(64, "0"))
const header = (r: Uint8Array, s: Uint8Array, v: number): string => Bytes.toHex(Bytes.concat([r, s, Bytes.u8(v)]))
const one = scalar(1n)

const refused = (text: string): string => {
  const result = Signature.parseSignature(text)
  assert.isTrue(Result.isFailure(result), text)
  return Result.isFailure(result) ? result.failure : ""
}
const stored = (text: string): Uint8Array => Result.getOrThrow(Signature.parseSignature(text))

/** The address whose key made `sig` (r || s || v) over `digest`, by noble. */
const recovered = (digest: Uint8Array, sig: Uint8Array): string => {
  const point = secp256k1.Signature.fromBytes(Bytes.concat([sig.subarray(64), sig.subarray(0, 64)]), "recovered")
    .recoverPublicKey(digest)
  return Bytes.toHex(hashes.keccak256(point.toBytes(false).subarray(1)).subarray(12))
}

describe("signature: shape", () => {
  it("takes 65 bytes and no other number", () => {
    assert.strictEqual(stored(header(one, one, 0)).length, 65)
    for (const length of [0, 1, 63, 64, 66, 130]) refused("01".repeat(length))
    refused(`${header(one, one, 0)}0`)
    refused(header(one, one, 0).slice(1))
    for (const length of [0, 63, 64, 66]) assert.isDefined(Signature.signatureProblem(new Uint8Array(length).fill(1)))
    for (const length of [0, 63, 65]) assert.isDefined(Signature.rangeProblem(new Uint8Array(length).fill(1)))
  })

  it("reads hex in any case, with or without 0x", () => {
    const plain = header(scalar(0xabcdefn), scalar(0xfedcban), 1)
    for (const text of [plain, plain.toUpperCase(), `0x${plain}`, `0X${plain.toUpperCase()}`]) {
      assert.strictEqual(Bytes.toHex(stored(text)), plain)
    }
    for (const text of [` ${plain.slice(1)}`, `${plain.slice(1)}g`, `0x0x${plain}`, `${plain} `]) refused(text)
  })

  it("v is 0 or 1, or 27 or 28 for these, and nothing else of 256", () => {
    const meaning = new Map([[0, 0], [1, 1], [27, 0], [28, 1]])
    for (let v = 0; v < 256; v++) {
      const bit = meaning.get(v)
      if (bit === undefined) assert.include(refused(header(one, one, v)), "v ")
      else assert.strictEqual(stored(header(one, one, v))[64], bit)
      // a record stores 0 or 1 only
      assert.strictEqual(Signature.signatureProblem(Bytes.fromHex(header(one, one, v))) === undefined, v < 2, `v ${v}`)
    }
  })

  it("failure 7: r is in 1 … n-1 and s in 1 … (n-1)/2, inside, at and outside of each bound", () => {
    const half = n / 2n
    const rs: ReadonlyArray<readonly [bigint, bigint, boolean]> = [
      [0n, 1n, false],
      [1n, 1n, true],
      [2n, 1n, true],
      [n - 2n, 1n, true],
      [n - 1n, 1n, true],
      [n, 1n, false],
      [n + 1n, 1n, false],
      [2n ** 256n - 1n, 1n, false],
      [1n, 0n, false],
      [1n, 2n, true],
      [1n, half - 1n, true],
      [1n, half, true],
      [1n, half + 1n, false],
      [1n, half + 2n, false],
      [1n, n - 1n, false],
      [1n, n, false],
      [1n, n + 1n, false],
      [1n, 2n ** 256n - 1n, false],
      [0n, 0n, false]
    ]
    for (const [r, s, good] of rs) {
      const label = `r ${r.toString(16)} s ${s.toString(16)}`
      assert.strictEqual(Signature.rangeProblem(Bytes.concat([scalar(r), scalar(s)])) === undefined, good, label)
      assert.strictEqual(Result.isSuccess(Signature.parseSignature(header(scalar(r), scalar(s), 0))), good, label)
    }
    assert.include(refused(header(one, scalar(half + 1n), 0)), "n/2")
  })

  it.prop("refuses the mirrored signature that ECDSA allows", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const digest = dice.bytes(32)
    const sig = signDigest(digest, dice.bytes(32))
    assert.deepStrictEqual(stored(Bytes.toHex(sig)), sig)
    const mirrored = scalar(n - BigInt(`0x${Bytes.toHex(sig.subarray(32, 64))}`))
    refused(header(sig.subarray(0, 32), mirrored, 1 - sig[64]!))
  }, { arbitrary: { runs: 20 } })
})

describe("signature: what is signed", () => {
  it("is five lines", () => {
    const text = Signature.stringToSign("op", 1_700_000_000_000, nodes[0]!, "ab".repeat(32))
    assert.deepStrictEqual(text.split("\n"), ["p2p-mes/v1", "op", "1700000000000", nodes[0], "ab".repeat(32)])
    assert.include(Signature.stringToSign("read", 2 ** 48 - 1, nodes[0]!, ""), "\n281474976710655\n")
  })

  it.prop("names the kind, so that a signature for one is none for another", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const record = aRecord(kind, dice)
      const text = `p2p-mes/v1\n${kind}\n${record.ts}\n${record.node}\n${record.id}`
      const plain = Buffer.from(text)
      const personal = Buffer.from(`\x19Ethereum Signed Message:\n${plain.length}${text}`)
      for (const [sigVersion, bytes] of [[1, plain], [2, personal]] as const) {
        assert.deepStrictEqual(Signature.recordDigest(hashes, { ...record, sigVersion }), hashes.keccak256(bytes))
      }
      const others = [...kinds, "request" as const].filter((other) => other !== kind)
        .map((other) => Signature.stringToSign(other, record.ts, record.node, record.id))
      assert.notInclude(others, text)
    }
  }, { arbitrary: { runs: 20 } })

  it("gives the digests of viem, also for text beyond ASCII, whose length counts in bytes", () => {
    for (const text of ["", "a", "héllo\n", "x".repeat(9), "x".repeat(10), "é".repeat(50), "x".repeat(1_000)]) {
      assert.strictEqual(`0x${Bytes.toHex(Signature.signedDigest(hashes, 1, text))}`, keccak256(stringToBytes(text)))
      assert.strictEqual(`0x${Bytes.toHex(Signature.signedDigest(hashes, 2, text))}`, hashMessage(text))
    }
  })

  it("viem's wallets sign what noble recovers, both versions, fresh keys each time", async () => {
    for (let round = 0; round < 12; round++) {
      const privateKey = generatePrivateKey()
      const account = privateKeyToAccount(privateKey)
      const address = account.address.slice(2).toLowerCase()
      assert.strictEqual(addressOf(Bytes.fromHex(privateKey.slice(2))), address)
      const dice = new Dice(Number.parseInt(privateKey.slice(2, 10), 16))
      const text = Signature.stringToSign(dice.pick([...kinds, "request" as const]), ts, dice.pick(nodes), dice.hex(32))
      const one = await sign({ hash: toHex(Signature.signedDigest(hashes, 1, text)), privateKey, to: "hex" })
      const two = await account.signMessage({ message: text })
      for (const [version, sig] of [[1, one], [2, two]] as ReadonlyArray<readonly [SigVersion, string]>) {
        assert.strictEqual(recovered(Signature.signedDigest(hashes, version, text), stored(sig)), address)
        assert.notStrictEqual(
          recovered(Signature.signedDigest(hashes, version === 1 ? 2 : 1, text), stored(sig)),
          address
        )
      }
    }
  })

  it("noble's signatures are what viem recovers, both versions, fresh keys each time", async () => {
    for (let round = 0; round < 12; round++) {
      const privateKey = secp256k1.utils.randomSecretKey()
      const address = addressOf(privateKey)
      const text = Signature.stringToSign(
        "request",
        ts + round,
        nodes[round % 3]!,
        Bytes.toHex(privateKey.toReversed())
      )
      const [one, two] = ([1, 2] as const).map((version) => {
        const sig = signDigest(Signature.signedDigest(hashes, version, text), privateKey)
        assert.isUndefined(Signature.signatureProblem(sig))
        return `0x${Bytes.toHex(sig.subarray(0, 64))}${sig[64] === 0 ? "1b" : "1c"}` as const
      })
      const first = await recoverAddress({ hash: keccak256(stringToBytes(text)), signature: one! })
      const second = await recoverMessageAddress({ message: text, signature: two! })
      assert.deepStrictEqual([first.toLowerCase(), second.toLowerCase()], [`0x${address}`, `0x${address}`])
    }
  })
})

describe("signature: node keys", () => {
  const id = "ab".repeat(32) as OpId
  const hlc = 0x0102n as Hlc
  const dot = "cd".repeat(52) as Dot
  const captured = (observed: ReadonlyArray<Dot> | undefined): string => {
    let seen = ""
    Signature.stampDigest({ ...hashes, blake3: (bytes) => (seen = Bytes.toHex(bytes), bytes) }, { id, hlc, observed })
    return seen
  }

  it("a stamp hashes tag, op id, hlc and what was observed", () => {
    const head = `${Bytes.toHex(Bytes.fromText("p2p-mes/stamp/v1"))}${id}0000000000000102`
    assert.strictEqual(captured(undefined), `${head}00`)
    assert.strictEqual(captured([]), `${head}010000`)
    assert.strictEqual(captured([dot, dot]), `${head}010002${dot}${dot}`)
  })

  it("a challenge is answered over tag, challenge and id text", () => {
    const bytes = Signature.challengeBytes(new Uint8Array(32).fill(7), "abc" as NodeId)
    assert.strictEqual(Buffer.from(bytes).toString("latin1"), `p2p-mes/challenge/v1${"\u0007".repeat(32)}abc`)
  })
})
