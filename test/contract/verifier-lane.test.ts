/**
 * What lies in the memory that is shared with a thread of the verifier: a ring of items and answers, in the packed form.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Address } from "../../src/domain/ids.ts"
import type { Answer, Item } from "../../src/layers/crypto/check.ts"
import * as Lane from "../../src/layers/crypto/lane.ts"
import {
  answerBytes,
  isPackable,
  itemBytes,
  packAnswer,
  packItem,
  unpackAnswer,
  unpacker
} from "../../src/layers/crypto/packing.ts"
import { spawn } from "../../src/layers/crypto/pool.ts"
import type { Recovery } from "../../src/services/Verifier.ts"
import { nodeSignature, signed } from "./verifier.ts"

const known = Array.from({ length: 12 }, (_, i) => signed(`lane ${i}`))
const asked = (count: number): ReadonlyArray<readonly [Recovery, Address]> =>
  Array.from({ length: count }, (_, i) => known[(i * 7 + (i >> 4)) % known.length]!)
const itemsOf = (pairs: ReadonlyArray<readonly [Recovery, Address]>) => pairs.map(([item]) => item)
const addressesOf = (pairs: ReadonlyArray<readonly [Recovery, Address]>) => pairs.map(([, address]) => address)

describe("the lane", () => {
  /** Serves on a thread that does nothing but call; `told` counts the calls. */
  const served = async () => {
    const lane = Lane.make()
    let told = 0
    const thread = spawn("native")
    await new Promise((resolve) => void thread.once("message", resolve))
    thread.on("message", () => void told++)
    thread.postMessage(lane.buffer, [])
    return { lane, thread, told: () => told }
  }

  it("gives answers in order, round and round the ring, and calls no more often than it is heard", async () => {
    const { lane, thread, told } = await served()
    const pairs = asked(Lane.laneItems * 5 + 3)
    const got: Array<Answer> = []
    let sent = 0
    for (let i = 0; i < 2000 && got.length < pairs.length; i++) {
      const room = Lane.laneItems - (sent - got.length)
      lane.send(itemsOf(pairs.slice(sent, sent + room)))
      sent = Math.min(pairs.length, sent + room)
      await new Promise<void>((resolve) => void setTimeout(resolve, 1))
      const before = told()
      for (let waiting = lane.heard(); waiting > 0; waiting--) got.push(lane.receive(pairs[got.length]![0]))
      await new Promise<void>((resolve) => void setImmediate(resolve))
      assert.isAtMost(told() - before, 2)
    }
    assert.deepStrictEqual(got, addressesOf(pairs))
    await thread.terminate()
  })

  it("does not call again before it was heard", async () => {
    const { lane, thread, told } = await served()
    for (let i = 0; i < 4; i++) {
      lane.send(itemsOf(asked(8)))
      await new Promise<void>((resolve) => void setTimeout(resolve, 30))
    }
    assert.strictEqual(told(), 1)
    for (let i = 0; i < 200 && lane.heard() < 32; i++) {
      await new Promise<void>((resolve) => void setTimeout(resolve, 10))
    }
    assert.strictEqual(lane.heard(), 32)
    await thread.terminate()
  })
})

describe("the packed form", () => {
  const items: ReadonlyArray<Item> = [
    known[0]![0],
    { ...known[1]![0], v: known[1]![0].v === 0 ? 1 : 0 },
    nodeSignature("ed25519", "packed"),
    nodeSignature("secp256k1", "packed")
  ]

  it("gives back what was put in", () => {
    const plain = (item: Item) =>
      JSON.stringify(item, (_, value) => value instanceof Uint8Array ? Bytes.toHex(value) : value)
    const sorted = (item: Item) => Object.entries(JSON.parse(plain(item))).sort()
    const packed = new Uint8Array(itemBytes)
    const unpack = unpacker(packed)
    for (const item of items) {
      packItem(packed, 0, item)
      assert.deepStrictEqual(sorted(unpack()), sorted(item))
    }
    const answers: ReadonlyArray<Answer> = [known[0]![1], undefined, true, false]
    const bytes = new Uint8Array(7 + answers.length * answerBytes)
    const at = (i: number) => 7 + i * answerBytes
    for (const [i, answer] of answers.entries()) packAnswer(bytes, at(i), answer)
    assert.deepStrictEqual(items.map((item, i) => unpackAnswer(bytes, at(i), item)), answers)
  })

  it("takes only what fits it", () => {
    const [recovery, , node] = items as [Recovery, Recovery, ReturnType<typeof nodeSignature>]
    for (const item of items) assert.isTrue(isPackable(item))
    assert.isFalse(isPackable({ ...recovery, digest: new Uint8Array(33) }))
    assert.isFalse(isPackable({ ...recovery, rs: new Uint8Array(65) }))
    assert.isFalse(isPackable({ ...recovery, v: 2 as 0 }))
    assert.isFalse(isPackable({ ...node, signature: new Uint8Array(63) }))
    assert.isFalse(isPackable({ ...node, key: { type: "secp256k1", publicKey: node.key.publicKey } }))
    assert.isFalse(isPackable({ ...node, key: { type: "ed25519", publicKey: new Uint8Array(33) } }))
  })
})
