import { assert, describe, it } from "@effect/vitest"
import { agreesWithNoble, loadWasmPromise, noble } from "../../src/layers/crypto/hashes.ts"
import { layer, layerNoble } from "../../src/layers/crypto/hashing.ts"
import { suite } from "./hashing.ts"

suite("wasm", layer)
suite("noble", layerNoble)

describe("the fast make", () => {
  it("is not the reference, and is made once", async () => {
    const hashes = await loadWasmPromise()
    assert.notStrictEqual(hashes, noble)
    assert.strictEqual(await loadWasmPromise(), hashes)
  })

  it("would be refused for one wrong function", async () => {
    const hashes = await loadWasmPromise()
    assert.isTrue(agreesWithNoble(hashes))
    assert.isFalse(agreesWithNoble({ ...hashes, keccak256: hashes.blake3 }))
    assert.isFalse(agreesWithNoble({ ...hashes, blake3Keyed: () => hashes.blake3 }))
    assert.isFalse(agreesWithNoble({ ...hashes, blake3: (bytes) => noble.blake3(bytes.subarray(0, 5000)) }))
  })
})
