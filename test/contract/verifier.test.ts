import { assert, describe, it } from "@effect/vitest"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { Effect, Layer, Logger } from "effect"
import { once } from "node:events"
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import * as Bytes from "../../src/domain/bytes.ts"
import { rangeProblem } from "../../src/domain/signature.ts"
import { type Backend, load, loadProven, preference, proves } from "../../src/layers/crypto/backend.ts"
import { layer } from "../../src/layers/crypto/verifier.ts"
import { Verifier } from "../../src/services/Verifier.ts"
import { hopeless, pseudo, signed, suite } from "./verifier.ts"

const silent = Logger.layer([])

suite("native, no threads", layer({ backend: "native", workers: 0 }).pipe(Layer.provide(silent)), 24)
suite("native, 2 threads", layer({ backend: "native", workers: 2 }).pipe(Layer.provide(silent)), 24)
suite("wasm, no threads", layer({ backend: "wasm", workers: 0 }).pipe(Layer.provide(silent)), 16)
suite("wasm, 2 threads", layer({ backend: "wasm", workers: 2 }).pipe(Layer.provide(silent)), 16)
suite("noble, no threads", layer({ backend: "noble", workers: 0 }).pipe(Layer.provide(silent)), 4)
suite("noble, 2 threads", layer({ backend: "noble", workers: 2 }).pipe(Layer.provide(silent)), 4)

describe("the choice", () => {
  for (const backend of preference) {
    it.effect(`${backend} is taken when asked for`, () =>
      Effect.gen(function*() {
        const { info } = yield* Verifier
        assert.deepStrictEqual(info, { backend, workers: 0 })
      }).pipe(Effect.provide(layer({ backend, workers: 0 }).pipe(Layer.provide(silent)))))
  }

  it("takes a backend only for right answers", async () => {
    const good = await load("noble")
    assert.isTrue(proves(good))
    assert.isFalse(proves({ ...good, recover: () => undefined }))
    assert.isFalse(proves({ ...good, recover: (digest, rs) => good.recover(digest, rs, 0) }))
    assert.isFalse(proves({ ...good, verify: () => true }))
    assert.isFalse(proves({ ...good, verify: () => false }))
  })

  it("knows the addon from the package's JavaScript fallback", async () => {
    const require = createRequire(import.meta.url)
    const native = await loadProven("native")
    // the fallback answers rightly, so only its absence from what was loaded tells them apart
    assert.strictEqual(native.name, "native")
    assert.isDefined(require.cache[require.resolve("secp256k1/bindings")])
    assert.isUndefined(require.cache[require.resolve("secp256k1/elliptic")])
    assert.isUndefined(require.cache[require.resolve("secp256k1")])
  })
})

describe("where the addon has no build for the machine", () => {
  it("takes WebAssembly, not the package's JavaScript, in threads too", async () => {
    // the loader of the addon looks in this directory instead of the package's own; a thread has modules of its own
    const thread = new Worker(
      `const { parentPort } = require("node:worker_threads")
       const main = async () => {
         const { Context, Effect, Layer, Logger } = await import("effect")
         const { layer } = await import("./src/layers/crypto/verifier.ts")
         const { Verifier } = await import("./src/services/Verifier.ts")
         const told = []
         const logger = Logger.make(({ message }) => void told.push(String(message)))
         const program = Effect.flatMap(Layer.build(layer({ workers: 1 }).pipe(Layer.provide(Logger.layer([logger])))),
           (context) => Effect.sync(() => Context.get(context, Verifier).info))
         const info = await Effect.runPromise(Effect.scoped(program))
         parentPort.postMessage({ info, told })
       }
       main()`,
      { eval: true, env: { ...process.env, SECP256K1_PREBUILD: "/nowhere" }, execArgv: [] }
    )
    const [{ info, told }] = await once(thread, "message")
    await thread.terminate()
    assert.deepStrictEqual(info, { backend: "wasm", workers: 1 })
    assert.include(told, "signatures: the native backend is unavailable")
  })
})

describe("the backends agree", () => {
  const all = Promise.all(preference.map(loadProven))
  const verdicts = async (ask: (backend: Backend) => unknown, why: string): Promise<unknown> => {
    const [native, ...others] = (await all).map(ask)
    for (const other of others) assert.strictEqual(other, native, why)
    return native
  }

  it("on a thousand random inputs, most of them malleable or hopeless", async () => {
    let [answered, none] = [0, 0]
    for (let i = 0; i < 1000; i++) {
      const [digest, r, s] = ["d", "r", "s"].map((part) => pseudo(`garbage ${part} ${i}`)) as [
        Uint8Array,
        Uint8Array,
        Uint8Array
      ]
      const v = (digest[0]! & 1) as 0 | 1
      const verdict = await verdicts((backend) => backend.recover(digest, Bytes.concat([r, s]), v), `${i}`)
      if (verdict === undefined) none++
      else answered++
    }
    assert.isAbove(answered, 300)
    assert.isAbove(none, 300)
  }, 60_000)

  it("on what has no answer, and on ranges that the domain refuses before them", async () => {
    for (const [why, { digest, rs, v }] of hopeless()) {
      assert.isUndefined(await verdicts((backend) => backend.recover(digest, rs, v), why))
    }
    const refused = hopeless().filter(([, { rs }]) => rangeProblem(rs) !== undefined)
    assert.isAtLeast(refused.length, 14)
  })

  it("on high s, which the libraries take and the domain refuses", async () => {
    const [{ digest, rs, v }, address] = signed("malleable")
    const s = secp256k1.Point.Fn.ORDER - BigInt(`0x${Bytes.toHex(rs.subarray(32))}`)
    const high = Bytes.concat([rs.subarray(0, 32), Bytes.fromHex(s.toString(16).padStart(64, "0"))])
    assert.strictEqual(rangeProblem(high), "s is above n/2")
    const flipped = v === 0 ? 1 : 0
    assert.strictEqual(await verdicts((backend) => backend.recover(digest, high, flipped), "high s"), address)
    const key = secp256k1.getPublicKey(pseudo("malleable secret"), true)
    assert.isTrue(await verdicts((backend) => backend.verify(digest, rs, key), "low s"))
    assert.isFalse(await verdicts((backend) => backend.verify(digest, high, key), "high s"))
  })

  it("on fixed keys: good, foreign, off the curve, of other lengths and forms", async () => {
    const [{ digest, rs }] = signed("fixed")
    const secret = pseudo("fixed secret")
    const compressed = secp256k1.getPublicKey(secret, true)
    const uncompressed = secp256k1.getPublicKey(secret, false)
    const other = compressed.slice()
    other[0]! ^= 1
    const offCurve = Bytes.concat([Bytes.u8(2), hopeless().find(([why]) => why.startsWith("r is on no point"))![1].rs])
    const forms: ReadonlyArray<readonly [Uint8Array, boolean, string]> = [
      [compressed, true, "compressed"],
      [other, false, "the other y"],
      [offCurve.subarray(0, 33), false, "off the curve"],
      [new Uint8Array(33), false, "zeros"],
      [new Uint8Array(33).fill(255), false, "ones"],
      [compressed.slice(0, 32), false, "short"],
      [uncompressed, false, "uncompressed"]
    ]
    for (const [key, expected, why] of forms) {
      assert.strictEqual(await verdicts((backend) => backend.verify(digest, rs, key), why), expected, why)
    }
    for (const length of [0, 63, 65]) {
      const odd = new Uint8Array(length).fill(1)
      assert.isFalse(await verdicts((backend) => backend.verify(digest, odd, compressed), `${length}`))
      assert.isUndefined(await verdicts((backend) => backend.recover(digest, odd, 0), `${length}`))
    }
    assert.isUndefined(await verdicts((backend) => backend.recover(digest.slice(1), rs, 0), "digest"))
  })
})
