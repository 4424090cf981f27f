/** Small parts that keep something, or stand between libp2p and the process. */
import { assert, describe, it } from "@effect/vitest"
import type { MultiaddrConnection, PeerId } from "@libp2p/interface"
import { Effect } from "effect"
import { Key } from "interface-datastore"
import { dhtRecordsMax, shunnedMax } from "../../src/layers/network/bounds.ts"
import { DhtRecords } from "../../src/layers/network/dht-records.ts"
import * as Offline from "../../src/layers/network/offline.ts"
import * as Shunned from "../../src/layers/network/shunned.ts"
import * as StrayErrors from "../../src/layers/network/stray-errors.ts"
import { Network } from "../../src/services/Network.ts"

const peer = (id: string, type = "Ed25519") => ({ type, toString: () => id }) as PeerId

describe("shunned peers", () => {
  it("are kept out until their time is over, either way", () => {
    let now = 1_000
    const shunned = Shunned.make(() => now)
    const reasons: Array<string> = []
    const gater = shunned.gater((reason) => reasons.push(reason))
    shunned.add("a", 100)
    assert.isTrue(gater.denyDialPeer!(peer("a")))
    assert.isTrue(gater.denyInboundEncryptedConnection!(peer("a"), {} as MultiaddrConnection))
    assert.isFalse(gater.denyDialPeer!(peer("b")))
    now += 99
    // a shorter time does not end a longer one
    shunned.add("a", 0)
    assert.isTrue(shunned.has("a"))
    now += 1
    assert.isFalse(shunned.has("a"))
    assert.isTrue(gater.denyDialPeer!(peer("c", "RSA")))
    assert.deepStrictEqual(reasons, ["shunned", "shunned", "key"])
  })

  it("are bounded in number", () => {
    const shunned = Shunned.make(() => 0)
    for (let n = 0; n <= shunnedMax; n++) shunned.add(`${n}`, 1_000)
    assert.isFalse(shunned.has("0"))
    assert.isTrue(shunned.has("1"))
    assert.isTrue(shunned.has(`${shunnedMax}`))
  })
})

describe("FAILURES 4: records of the hash table", () => {
  it("give way, the oldest first", async () => {
    const records = new DhtRecords()
    const key = (n: number) => new Key(`/dht/${n}`)
    for (let n = 0; n < dhtRecordsMax; n++) await records.put(key(n), Uint8Array.of(1))
    await records.put(key(0), Uint8Array.of(2))
    await records.delete(key(2))
    for (let n = 0; n < 3; n++) await records.put(key(dhtRecordsMax + n), Uint8Array.of(3))
    const has = await Promise.all([0, 1, 2, 3, 4].map((n) => records.has(key(n))))
    assert.deepStrictEqual(has, [true, false, false, false, true])
  })
})

describe("errors that nobody handles", () => {
  const emit = (reason: unknown) => process.listeners("unhandledRejection").at(-1)!(reason, Promise.resolve())
  const withStack = (stack: string) => Object.assign(new Error("x"), { stack })

  it.effect("are swallowed when they are libp2p's, and nobody else's", () =>
    Effect.gen(function*() {
      const before = process.listeners("unhandledRejection")
      process.removeAllListeners("unhandledRejection")
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => before.forEach((listener) => process.on("unhandledRejection", listener)))
      )
      const seen: Array<unknown> = []
      yield* Effect.scoped(Effect.gen(function*() {
        yield* StrayErrors.guard((reason) => seen.push(reason))
        const ours = withStack("Error: x\n    at f (file:///app/node_modules/@libp2p/yamux/dist/src/stream.js:1:1)")
        emit(ours)
        assert.deepStrictEqual(seen, [ours])
        for (const other of [withStack("Error: x\n    at f (file:///app/src/main.ts:1:1)"), "text", undefined]) {
          assert.throws(() => emit(other))
        }
        // an app that deals with them itself is left to it
        process.prependListener("unhandledRejection", () => {})
        emit("text")
        process.removeAllListeners("unhandledRejection")
      }))
      assert.strictEqual(process.listenerCount("unhandledRejection"), 0)
    }).pipe(Effect.scoped))
})

it.effect("a node without a network has nobody, and says so", () =>
  Effect.gen(function*() {
    const network = yield* Network
    assert.deepStrictEqual([network.addresses(), network.peers()], [[], []])
    assert.deepStrictEqual(yield* network.publish(new Uint8Array(1)), { recipients: 0 })
    assert.strictEqual((yield* Effect.flip(network.open("x" as never))).reason, "unreachable")
  }).pipe(Effect.scoped, Effect.provide(Offline.layer)))
