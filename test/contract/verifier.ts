/**
 * What every `Verifier` must do, whichever library and however many threads are behind it. Vectors are those of
 * `test/vectors/shared.json`, or made with noble.
 */
import { assert, layer } from "@effect/vitest"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { Effect, type Layer } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Address } from "../../src/domain/ids.ts"
import type { NodeKey } from "../../src/domain/node-id.ts"
import { parseSignature, type Purpose, signedDigest } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { type NodeSignature, type Recovery, Verifier } from "../../src/services/Verifier.ts"
import shared from "../vectors/shared.json" with { type: "json" }

const n = secp256k1.Point.Fn.ORDER
const scalar = (x: bigint): Uint8Array => Bytes.fromHex((((x % n) + n) % n).toString(16).padStart(64, "0"))

/** 256 bits that cannot be told from random and are the same in every run. */
export const pseudo = (label: string): Uint8Array => sha256(Bytes.fromText(label))

const addressOfSecret = (secret: Uint8Array): Address =>
  Bytes.toHex(keccak_256(secp256k1.getPublicKey(secret, false).subarray(1)).subarray(12)) as Address

/** A recovery with its right answer. */
export const signed = (label: string, digest = pseudo(`${label} digest`)): readonly [Recovery, Address] => {
  const secret = pseudo(`${label} secret`)
  const sig = secp256k1.sign(digest, secret, { prehash: false, lowS: true, format: "recovered" })
  return [{ digest, rs: sig.slice(1), v: sig[0] as 0 | 1 }, addressOfSecret(secret)]
}

const fromShared = (
  purpose: Purpose,
  at: { readonly string_to_sign: string; readonly signature: string; readonly sig_version: number }
): Recovery => {
  assert.strictEqual(at.string_to_sign.split("\n")[1], purpose)
  const sig = parseSignature(at.signature)
  if (sig._tag === "Failure") throw new Error(sig.failure)
  return {
    digest: signedDigest(noble, at.sig_version === 1 ? 1 : 2, at.string_to_sign),
    rs: sig.success.slice(0, 64),
    v: sig.success[64] as 0 | 1
  }
}

const [first, second] = shared.keys.map((key) => key.address.slice(2) as Address) as [Address, Address]
const sharedVectors: ReadonlyArray<readonly [Recovery, Address]> = [
  ...shared.messages.map((message) => [fromShared("message", message), first] as const),
  [fromShared("op", shared.op), first],
  [fromShared("read", shared.read), second],
  [fromShared("identity", shared.identity), first],
  [fromShared("request", shared.request), first]
]

/** s·k = z for R = k·G: the recovered key would be the point at infinity. */
const infinity = (): Recovery => {
  const k = 12_345n
  const r = secp256k1.Point.BASE.multiply(k).toAffine()
  const s = 678_910n
  return { digest: scalar(s * k), rs: Bytes.concat([scalar(r.x), scalar(s)]), v: (r.y & 1n) === 1n ? 1 : 0 }
}

/** The first x from `label` on that no point has. */
const xOffCurve = (): Uint8Array => {
  for (let x = 1n;; x++) {
    try {
      secp256k1.Point.fromHex(`02${x.toString(16).padStart(64, "0")}`)
    } catch {
      return scalar(x)
    }
  }
}

/**
 * Recoveries that have no answer. x = r + n would be another candidate for a small r, but only with v of 2 and 3, which
 * do not exist here: where r itself is no point's x, there is no key.
 */
export const hopeless = (): ReadonlyArray<readonly [string, Recovery]> => {
  const [{ digest, rs }] = signed("hopeless")
  const [r, s] = [rs.slice(0, 32), rs.slice(32)]
  const zero = new Uint8Array(32)
  const [order, ones] = [Bytes.fromHex(n.toString(16)), new Uint8Array(32).fill(255)]
  const pairs: ReadonlyArray<readonly [string, Uint8Array, Uint8Array]> = [
    ["r is 0", zero, s],
    ["s is 0", r, zero],
    ["both are 0", zero, zero],
    ["r is n", order, s],
    ["s is n", r, order],
    ["r is 2^256 - 1", ones, s],
    ["s is 2^256 - 1", r, ones],
    ["r is on no point", xOffCurve(), s]
  ]
  return [
    ...pairs.flatMap(([name, r, s]) =>
      ([0, 1] as const).map((v) => [`${name}, v ${v}`, { digest, rs: Bytes.concat([r, s]), v }] as const)
    ),
    ["the key would be at infinity", infinity()]
  ]
}

export const nodeSignature = (type: NodeKey["type"], label: string, digest = pseudo(label)): NodeSignature => {
  const secret = pseudo(`${label} node secret`)
  return type === "ed25519"
    ? { key: { type, publicKey: ed25519.getPublicKey(secret) }, digest, signature: ed25519.sign(digest, secret) }
    : {
      key: { type, publicKey: secp256k1.getPublicKey(secret, true) },
      digest,
      signature: secp256k1.sign(digest, secret, { prehash: true, lowS: true })
    }
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const out = bytes.slice()
  out[at]! ^= 1
  return out
}

const highS = (signature: Uint8Array): Uint8Array =>
  Bytes.concat([signature.slice(0, 32), scalar(n - BigInt(`0x${Bytes.toHex(signature.slice(32))}`))])

export const suite = (name: string, verifier: Layer.Layer<Verifier>, rounds: number): void =>
  layer(verifier)(`Verifier (${name})`, (it) => {
    it.effect("recovers the authors of the shared vectors", () =>
      Effect.gen(function*() {
        const { recover } = yield* Verifier
        for (const [item, address] of sharedVectors) assert.strictEqual(yield* recover(item), address)
      }))

    it.effect("recovers random authors, and somebody else with the other v or another digest", () =>
      Effect.gen(function*() {
        const { recover } = yield* Verifier
        for (let i = 0; i < rounds; i++) {
          const [item, address] = signed(`author ${i}`)
          assert.strictEqual(yield* recover(item), address)
          const other = yield* recover({ ...item, v: item.v === 0 ? 1 : 0 })
          assert.match(other ?? "", /^[0-9a-f]{40}$/)
          assert.notStrictEqual(other, address)
          assert.notStrictEqual(yield* recover({ ...item, digest: flipped(item.digest, 31) }), address)
        }
      }))

    it.effect("takes a digest of zeros, and of ones, for what it is", () =>
      Effect.gen(function*() {
        const { recover } = yield* Verifier
        for (const byte of [0, 255]) {
          const [item, address] = signed("edge", new Uint8Array(32).fill(byte))
          assert.strictEqual(yield* recover(item), address)
        }
      }))

    it.effect("has no answer where no key could have signed", () =>
      Effect.gen(function*() {
        const { recover, recoverAll } = yield* Verifier
        const cases = hopeless()
        for (const [why, item] of cases) assert.isUndefined(yield* recover(item), why)
        const all = yield* recoverAll(cases.map(([, item]) => item))
        assert.deepStrictEqual(all, cases.map(() => undefined))
      }))

    it.effect("has no answer to wrong lengths, alone or among others", () =>
      Effect.gen(function*() {
        const { recoverAll } = yield* Verifier
        const [item, address] = signed("lengths")
        const wrong: ReadonlyArray<Recovery> = [
          { ...item, rs: item.rs.slice(0, 63) },
          { ...item, rs: Bytes.concat([item.rs, Bytes.u8(0)]) },
          { ...item, rs: new Uint8Array(0) },
          { ...item, digest: item.digest.slice(0, 31) },
          { ...item, digest: Bytes.concat([item.digest, Bytes.u8(0)]) }
        ]
        for (const one of wrong) {
          assert.deepStrictEqual(yield* recoverAll([item, one, item]), [address, undefined, address])
        }
      }))

    it.effect("answers many in the order they were asked, and none at all", () =>
      Effect.gen(function*() {
        const { recoverAll } = yield* Verifier
        const known = Array.from({ length: Math.min(rounds, 16) }, (_, i) => signed(`order ${i}`))
        const asked = Array.from({ length: rounds * 8 }, (_, i) => known[(i * i + i) % known.length]!)
        assert.deepStrictEqual(
          yield* recoverAll(asked.map(([item]) => item)),
          asked.map(([, address]) => address)
        )
        assert.deepStrictEqual(yield* recoverAll([]), [])
      }))

    it.effect("gives each of many callers in one turn her own answer", () =>
      Effect.gen(function*() {
        const { recover, recoverAll } = yield* Verifier
        const known = Array.from({ length: 8 }, (_, i) => signed(`caller ${i}`))
        const asked = Array.from({ length: rounds * 4 }, (_, i) => known[(i * 5) % known.length]!)
        const answers = yield* Effect.forEach(
          asked,
          ([item], i) => i % 3 === 0 ? Effect.map(recoverAll([item]), (all) => all[0]) : recover(item),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers, asked.map(([, address]) => address))
      }))

    for (const type of ["ed25519", "secp256k1"] as const) {
      it.effect(`takes what an ${type} node key signed and nothing else`, () =>
        Effect.gen(function*() {
          const { verifyNode } = yield* Verifier
          for (let i = 0; i < 4; i++) {
            const good = nodeSignature(type, `node ${i}`)
            const stranger = nodeSignature(type, `stranger ${i}`)
            assert.isTrue(yield* verifyNode(good))
            const bad: ReadonlyArray<NodeSignature> = [
              { ...good, digest: flipped(good.digest, 0) },
              { ...good, signature: flipped(good.signature, 3) },
              { ...good, signature: flipped(good.signature, 40) },
              { ...good, signature: good.signature.slice(0, 63) },
              { ...good, signature: Bytes.concat([good.signature, Bytes.u8(0)]) },
              { ...good, signature: new Uint8Array(64) },
              { ...good, signature: new Uint8Array(64).fill(255) },
              { ...good, key: stranger.key },
              { ...good, key: { type, publicKey: good.key.publicKey.slice(1) } },
              { ...good, key: { type, publicKey: new Uint8Array(good.key.publicKey.length).fill(2) } }
            ]
            for (const [at, item] of bad.entries()) assert.isFalse(yield* verifyNode(item), `${at}`)
          }
        }))

      it.effect(`checks an ${type} key over a message of any length, as a challenge needs`, () =>
        Effect.gen(function*() {
          const { verifyNode, verifyNodeAll } = yield* Verifier
          for (const length of [0, 1, 31, 33, 104, 5000]) {
            const good = nodeSignature(type, "challenge", new Uint8Array(length).fill(9))
            assert.isTrue(yield* verifyNode(good))
            const short = nodeSignature(type, "stamp")
            const bad = { ...good, digest: new Uint8Array(length + 1).fill(9) }
            assert.deepStrictEqual(yield* verifyNodeAll([short, good, bad, short]), [true, true, false, true])
          }
        }))
    }

    it.effect("refuses r and s out of range of a secp256k1 node key", () =>
      Effect.gen(function*() {
        const { verifyNodeAll } = yield* Verifier
        const good = nodeSignature("secp256k1", "range")
        const items = hopeless().map(([, { rs }]) => ({ ...good, signature: rs }))
        assert.deepStrictEqual(yield* verifyNodeAll(items), items.map(() => false))
      }))

    it.effect("refuses high s of a secp256k1 node key", () =>
      Effect.gen(function*() {
        const { verifyNode } = yield* Verifier
        const good = nodeSignature("secp256k1", "high")
        assert.isTrue(secp256k1.verify(highS(good.signature), good.digest, good.key.publicKey, { lowS: false }))
        assert.isFalse(yield* verifyNode({ ...good, signature: highS(good.signature) }))
      }))

    it.effect("answers for many node keys of both kinds in order", () =>
      Effect.gen(function*() {
        const { verifyNodeAll } = yield* Verifier
        const known = [0, 1, 2, 3].map((i) => nodeSignature(i % 2 === 0 ? "ed25519" : "secp256k1", `many ${i}`))
        const items = Array.from({ length: 60 }, (_, i) => {
          const item = known[(i * 3) % 4]!
          return i % 5 === 0 ? { ...item, digest: flipped(item.digest, i % 32) } : item
        })
        assert.deepStrictEqual(yield* verifyNodeAll(items), items.map((_, i) => i % 5 !== 0))
        assert.deepStrictEqual(yield* verifyNodeAll([]), [])
      }))
  })
