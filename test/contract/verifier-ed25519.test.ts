/**
 * The fast check of Ed25519 and the rule it stands for, held together on the inputs where libraries part ways.
 */
import { assert, describe, it } from "@effect/vitest"
import { ed25519, ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"
import * as Bytes from "../../src/domain/bytes.ts"
import { isAcceptableEncoding, verify, verifyReference } from "../../src/layers/crypto/ed25519.ts"
import { pseudo } from "./verifier.ts"

const { Point } = ed25519
const { Fn, Fp } = Point
type Curve = typeof Point.BASE

const little = (x: bigint): Uint8Array => Bytes.fromHex(x.toString(16).padStart(64, "0")).reverse()
const read = (bytes: Uint8Array): bigint => BigInt(`0x${Bytes.toHex(bytes.slice().reverse())}`)
const torsion = ED25519_TORSION_SUBGROUP.map((hex) => Point.fromHex(hex))
const scalarOf = (label: string): bigint => Fn.create(read(pseudo(label)))
const times = (point: Curve, k: bigint): Curve => point.multiplyUnsafe(k)

/** Both verdicts, which must be one. */
const verdict = (message: Uint8Array, signature: Uint8Array, key: Uint8Array, why: string): boolean => {
  const [fast, reference] = [verify(message, signature, key), verifyReference(message, signature, key)]
  assert.strictEqual(fast, reference, `the fast check and the rule differ: ${why}`)
  return fast
}

/** A signature whose s fits the torsion-free parts: R = r·B + tr, A = a·B + ta, each in the given encoding. */
const craft = (o: {
  readonly message: Uint8Array
  readonly a: bigint
  readonly r: bigint
  readonly ta: Curve
  readonly tr: Curve
  readonly encodeA?: Uint8Array
  readonly encodeR?: Uint8Array
}) => {
  const key = o.encodeA ?? times(Point.BASE, o.a).add(o.ta).toBytes()
  const encodedR = o.encodeR ?? times(Point.BASE, o.r).add(o.tr).toBytes()
  const k = Fn.create(read(sha512(Bytes.concat([encodedR, key, o.message]))))
  const s = Fn.create(o.r + k * o.a)
  // s·B = R + k·A holds exactly when the torsion parts cancel
  const cancels = o.tr.add(times(o.ta, k)).equals(Point.ZERO)
  return { key, signature: Bytes.concat([encodedR, little(s)]), cancels }
}

/** Encodings of y, with both sign bits. */
const bothSigns = (y: bigint): ReadonlyArray<Uint8Array> => [little(y), little(y | (1n << 255n))]

describe("Ed25519", () => {
  it("gives the published verdicts of RFC 8032", () => {
    const key = Bytes.fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    const signature = Bytes.fromHex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert.isTrue(verdict(new Uint8Array(0), signature, key, "test 1"))
    assert.isFalse(verdict(Bytes.u8(0), signature, key, "test 1 with another message"))
  })

  it("follows the equation without cofactor where A or R has a part of small order", () => {
    const seen = { yes: 0, onlyWithCofactor: 0 }
    for (const [i, ta] of torsion.entries()) {
      for (const [j, tr] of torsion.entries()) {
        const message = pseudo(`mixed ${i} ${j}`)
        const { cancels, key, signature } = craft({ message, a: scalarOf(`a${i}`), r: scalarOf(`r${j}`), ta, tr })
        assert.isTrue(ed25519.verify(signature, message, key, { zip215: true }), "with cofactor all of these hold")
        assert.strictEqual(verdict(message, signature, key, `A + T${i}, R + T${j}`), cancels)
        if (cancels) seen.yes++
        else seen.onlyWithCofactor++
      }
    }
    assert.isAtLeast(seen.yes, 2)
    assert.isAtLeast(seen.onlyWithCofactor, 30)
  }, 60_000)

  it("takes a key of mixed order when its small part cancels", () => {
    const ta = torsion.find((point) => !times(point, 4n).equals(Point.ZERO))!
    for (let i = 0; i < 200; i++) {
      const message = pseudo(`cancel ${i}`)
      const made = craft({ message, a: scalarOf("a"), r: scalarOf("r"), ta, tr: Point.ZERO })
      if (!made.cancels) continue
      assert.isTrue(verdict(message, made.signature, made.key, "cancelled"))
      return
    }
    assert.fail("no message cancelled the small part")
  })

  it("refuses A of small order, all eight, though the equation holds", () => {
    for (const [i, ta] of torsion.entries()) {
      let held = 0
      for (let j = 0; j < 24; j++) {
        const message = pseudo(`small A ${i} ${j}`)
        const made = craft({ message, a: 0n, r: scalarOf(`sa${j}`), ta, tr: Point.ZERO })
        if (!made.cancels) continue
        held++
        assert.isFalse(verdict(message, made.signature, made.key, `A = T${i}`))
      }
      assert.isAbove(held, 0, `T${i} was never put to the test`)
    }
  }, 60_000)

  it("refuses R of small order, all eight, though the equation holds", () => {
    for (const [i, tr] of torsion.entries()) {
      // the key takes the other sign of the small part, so that for k = 1 mod 8 the two cancel
      let held = 0
      for (let j = 0; j < 120 && held === 0; j++) {
        const message = pseudo(`small R ${i} ${j}`)
        const made = craft({ message, a: scalarOf("sr"), r: 0n, ta: tr.negate(), tr })
        if (!made.cancels) continue
        held++
        assert.isFalse(verdict(message, made.signature, made.key, `R = T${i}`))
      }
      assert.isAbove(held, 0, `T${i} was never put to the test`)
    }
  }, 60_000)

  it("refuses every encoding of y at or above p, and a sign on x = 0, as A and as R", () => {
    const good = craft({ message: pseudo("m"), a: scalarOf("a"), r: scalarOf("r"), ta: Point.ZERO, tr: Point.ZERO })
    const encodings = [
      ...Array.from({ length: 19 }, (_, i) => bothSigns(Fp.ORDER + BigInt(i))).flat(),
      little(1n | (1n << 255n)),
      little((Fp.ORDER - 1n) | (1n << 255n))
    ]
    for (const encoding of encodings) {
      const why = Bytes.toHex(encoding)
      assert.isFalse(verdict(pseudo("m"), good.signature, encoding, `A = ${why}`))
      assert.isFalse(verdict(pseudo("m"), Bytes.concat([encoding, good.signature.slice(32)]), good.key, `R = ${why}`))
    }
    // and where the equation holds over such an encoding: the identity written as p + 1, or with a sign
    const identities = [...bothSigns(Fp.ORDER + 1n), little(1n | (1n << 255n))]
    for (const identity of identities) {
      const [message, a, r] = [pseudo("i"), scalarOf("ia"), scalarOf("ir")]
      const asR = craft({ message, a, r: 0n, ta: Point.ZERO, tr: Point.ZERO, encodeR: identity })
      assert.isTrue(asR.cancels)
      assert.isFalse(verdict(message, asR.signature, asR.key, "R"))
      const asA = craft({ message, a: 0n, r, ta: Point.ZERO, tr: Point.ZERO, encodeA: identity })
      assert.isFalse(verdict(message, asA.signature, asA.key, "A"))
    }
  })

  it("judges encodings by itself, not by what OpenSSL happens to refuse", () => {
    const canonical = torsion.map((point) => point.toBytes())
    const others = [
      ...Array.from({ length: 19 }, (_, i) => bothSigns(Fp.ORDER + BigInt(i))).flat(),
      ...[0n, 1n, Fp.ORDER - 1n].flatMap(bothSigns)
    ]
    for (const encoding of [...canonical, ...others]) {
      assert.isFalse(isAcceptableEncoding(encoding), Bytes.toHex(encoding))
      assert.isFalse(isAcceptableEncoding(Bytes.concat([pseudo("before"), encoding]), 32), "at another place")
    }
    for (let i = 0; i < 64; i++) {
      const point = times(Point.BASE, scalarOf(`fine ${i}`)).add(torsion[i % 8]!)
      assert.isTrue(isAcceptableEncoding(point.toBytes()), Bytes.toHex(point.toBytes()))
    }
    // the neighbours of what is refused
    for (const y of [2n, 3n, Fp.ORDER - 2n, Fp.ORDER - 3n, ...torsion.map(({ y }) => Fp.create(y + 3n))]) {
      for (const encoding of bothSigns(y)) assert.isTrue(isAcceptableEncoding(encoding), Bytes.toHex(encoding))
    }
  })

  it("refuses small order in all encodings, with S = 0 too, which the identity's equation satisfies", () => {
    const encodings = [...new Set(torsion.map((point) => Bytes.toHex(point.toBytes())))]
    assert.strictEqual(encodings.length, 8)
    for (const a of encodings) {
      for (const r of encodings) {
        const signature = Bytes.concat([Bytes.fromHex(r), new Uint8Array(32)])
        assert.isFalse(verdict(pseudo("zero"), signature, Bytes.fromHex(a), `${a} ${r}`))
      }
    }
  })

  it("refuses S at or above L, whatever multiple of L is added", () => {
    const message = pseudo("S")
    const good = craft({ message, a: scalarOf("a"), r: scalarOf("r"), ta: Point.ZERO, tr: Point.ZERO })
    assert.isTrue(verdict(message, good.signature, good.key, "S"))
    const s = read(good.signature.slice(32))
    for (let multiple = 1n; s + multiple * Fn.ORDER < 1n << 256n; multiple++) {
      const signature = Bytes.concat([good.signature.slice(0, 32), little(s + multiple * Fn.ORDER)])
      assert.isFalse(verdict(message, signature, good.key, `S + ${multiple} L`))
    }
    for (const edge of [Fn.ORDER - 1n, Fn.ORDER, Fn.ORDER + 1n, (1n << 253n) - 1n, 1n << 253n, (1n << 256n) - 1n]) {
      const signature = Bytes.concat([good.signature.slice(0, 32), little(edge)])
      assert.isFalse(verdict(message, signature, good.key, `S = ${edge}`))
    }
  })

  it("agrees on random bytes, on single flipped bits and on wrong lengths", () => {
    const message = pseudo("bits")
    const good = craft({ message, a: scalarOf("a"), r: scalarOf("r"), ta: Point.ZERO, tr: Point.ZERO })
    for (let i = 0; i < 100; i++) {
      const signature = Bytes.concat([pseudo(`R ${i}`), pseudo(`S ${i}`)])
      signature[63]! &= 0x0f
      assert.isFalse(verdict(message, signature, i % 2 === 0 ? good.key : pseudo(`A ${i}`), `${i}`))
    }
    for (let bit = 0; bit < 512; bit += 7) {
      const signature = good.signature.slice()
      signature[bit >> 3]! ^= 1 << (bit & 7)
      assert.isFalse(verdict(message, signature, good.key, `bit ${bit}`))
    }
    for (const [signature, key] of [[63, 32], [65, 32], [64, 31], [64, 33], [0, 0]] as const) {
      assert.isFalse(verdict(message, new Uint8Array(signature).fill(3), new Uint8Array(key).fill(3), "length"))
    }
  }, 60_000)

  it("keeps its verdicts for more keys than it remembers", () => {
    const message = pseudo("many keys")
    const [a, r] = [scalarOf("many"), scalarOf("nonce")]
    const first = craft({ message, a, r, ta: Point.ZERO, tr: Point.ZERO })
    assert.isTrue(verify(message, first.signature, first.key))
    for (let i = 0; i < 1100; i++) assert.isFalse(verify(message, first.signature, pseudo(`key ${i}`)))
    assert.isTrue(verify(message, first.signature, first.key))
  })
})
